/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fake/alloc.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_reallocarray(void *block, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

static unsigned int count, fail_at, failed;
static bool for_good;

static bool fails(void)
{
	if (!fail_at)
		return false;
	count++;
	if (count < fail_at || (count > fail_at && !for_good))
		return false;
	failed++;
	errno = ENOMEM;
	return true;
}

unsigned int alloc_fail_at(unsigned int nth, bool lasts)
{
	unsigned int n = failed;

	fail_at = nth;
	for_good = lasts;
	count = failed = 0;
	return n;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
	return fails() ? NULL : __real_realloc(block, size);
}

void *__wrap_reallocarray(void *block, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(block, n, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
	return fails() ? NULL : __real_strndup(text, n);
}

static void *take(size_t size)
{
	return __wrap_malloc(size);
}

void alloc_for_jansson(void)
{
	json_set_alloc_funcs(take, free);
}
