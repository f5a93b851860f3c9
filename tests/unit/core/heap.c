/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>

#include "heap.h"

/* glibc's size field in front of each block */
#define OVERHEAD sizeof(size_t)

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_reallocarray(void *block, size_t n, size_t size);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t n, size_t size);
void __wrap_free(void *block);

static size_t held, peak, blocks, until_failure, paused;
static int failed;

static int must_fail(void)
{
	if (until_failure == 0 || --until_failure > 0)
		return 0;
	failed = 1;
	errno = ENOMEM;
	return 1;
}

static void *took(void *block)
{
	if (!block)
		return NULL;
	blocks++;
	held += malloc_usable_size(block) + OVERHEAD;
	if (held > peak)
		peak = held;
	return block;
}

static void gave(void *block)
{
	if (!block)
		return;
	blocks--;
	held -= malloc_usable_size(block) + OVERHEAD;
}

void *__wrap_malloc(size_t size)
{
	return must_fail() ? NULL : took(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : took(__real_calloc(n, size));
}

void *__wrap_realloc(void *block, size_t size)
{
	if (must_fail())
		return NULL;
	gave(block);
	return took(__real_realloc(block, size));
}

void *__wrap_reallocarray(void *block, size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL
						       : __wrap_realloc(block, bytes);
}

void __wrap_free(void *block)
{
	gave(block);
	__real_free(block);
}

void heap_fail_at(size_t n)
{
	until_failure = n;
	failed = 0;
}

void heap_pause(void)
{
	paused = until_failure;
	until_failure = 0;
}

void heap_resume(void)
{
	until_failure = paused;
}

int heap_failed(void)
{
	return failed;
}

size_t heap_held(void)
{
	return held;
}

size_t heap_peak(void)
{
	return peak;
}

void heap_reset_peak(void)
{
	peak = held;
}

size_t heap_blocks(void)
{
	return blocks;
}

size_t heap_exhaust(int (*attempt)(void *userdata), void *userdata)
{
	const size_t before = heap_blocks();
	int r, hit;
	size_t n = 0;

	do {
		heap_fail_at(++n);
		r = attempt(userdata);
		hit = heap_failed();
		heap_fail_at(0);
		cr_assert_eq(heap_blocks(), before, "allocation %zu: leak", n);
		cr_assert_eq(r, r == 0 ? 0 : -ENOMEM, "allocation %zu: %d", n, r);
		cr_assert_lt(n, 10000);
	} while (hit);
	cr_assert_eq(r, 0);
	return n;
}
