/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * heap - malloc() and its kin, wrapped at link time: counts what is held, and can fail
 *
 * Only calls out of core/ and the tests go through it, not those of shared libraries.
 */

#include <stddef.h>

/** heap_fail_at() - the @n-th allocation from now on fails, 1 = the next; 0 = none */
void heap_fail_at(size_t n);
/** heap_pause() - until heap_resume() none fails, and none counts towards the @n-th */
void heap_pause(void);
void heap_resume(void);
/** Has the failure that was asked for happened? */
int heap_failed(void);
/** bytes held now, with what the allocator needs for itself */
size_t heap_held(void);
/** the most that was held since the last heap_reset_peak() */
size_t heap_peak(void);
void heap_reset_peak(void);
/** allocations that are held */
size_t heap_blocks(void);
/** heap_exhaust() - run @attempt with the first, second, third... allocation failing,
 * until it needs no more of them; it fails with -ENOMEM, or finds a way without, and
 * leaves nothing. Asserts that. Return: which one it did not need */
size_t heap_exhaust(int (*attempt)(void *userdata), void *userdata);
