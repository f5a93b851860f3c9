/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * alloc - memory that runs out when told to
 *
 * Linked with --wrap=malloc and its kin. Only calls out of our own objects go through
 * it; alloc_for_jansson() adds jansson's. What leaks is the address sanitizer's to find.
 */

#include <stdbool.h>

/**
 * alloc_fail_at() - the @nth allocation from now on fails, 1 = the next; 0 = none
 * @lasts: those after it fail as well
 *
 * Return: how many failed since the last call.
 */
unsigned int alloc_fail_at(unsigned int nth, bool lasts);

/** alloc_for_jansson() - jansson's allocations count, too */
void alloc_for_jansson(void);

/** alloc_for_sqlite() - so do SQLite's (alloc_sqlite.c); before its first use
 * Return: what sqlite3_config() said */
int alloc_for_sqlite(void);
