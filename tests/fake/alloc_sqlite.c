/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <malloc.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "tests/fake/alloc.h"

/* malloc() here is the one of alloc.c, as everywhere in a program linked with it. */

static void *take(int size)
{
	return malloc((size_t)size);
}

static void *resize(void *block, int size)
{
	return realloc(block, (size_t)size);
}

static int size_of(void *block)
{
	return (int)malloc_usable_size(block);
}

static int round_up(int size)
{
	return (size + 7) & ~7;
}

static int begin(void *userdata)
{
	return SQLITE_OK;
}

static void end(void *userdata)
{
}

int alloc_for_sqlite(void)
{
	static const sqlite3_mem_methods methods = {
		.xMalloc = take,
		.xFree = free,
		.xRealloc = resize,
		.xSize = size_of,
		.xRoundup = round_up,
		.xInit = begin,
		.xShutdown = end,
	};

	return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
