/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * test_give_up - what was played is freed, what the C library goes on using is not
 *
 * Which is which only the address sanitizer's allocator can tell; without it nothing is
 * freed, and only the way out is tried.
 */

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/give_up.h"

__attribute__((weak)) int __sanitizer_get_ownership(const volatile void *block);

static struct {
	FILE *complaints;
	void *own, *copy, *undone;
	int n_undone;
} seen;

static void play(void *userdata)
{
	const int *exits = userdata;

	seen.own = malloc(100);
	seen.copy = strdup("what it is about");
	seen.undone = malloc(10);
	hold(seen.own && seen.copy && seen.undone);
	/* the first line makes the stream's buffer */
	seen.complaints = stderr;
	fprintf(stderr, "kernel ABI is broken\n");
	(void)strerror(-1);
	if (*exits)
		exit(1);
}

static void undo(void)
{
	free(seen.undone);
	seen.n_undone++;
}

static bool is_there(const void *block)
{
	return __sanitizer_get_ownership(block);
}

static void hold_freed(void)
{
	if (!__sanitizer_get_ownership) {
		free(seen.own);
		free(seen.copy);
		return;
	}
	hold(!is_there(seen.own) && !is_there(seen.copy) && !is_there(seen.undone));
	hold(seen.complaints->_IO_buf_base && is_there(seen.complaints->_IO_buf_base));
}

int main(void)
{
	FILE *const before = stderr;
	int exits = 1;

	puts("1..3");
	for (int i = 1; i <= 2; i++) {
		hold(!give_up_or(play, &exits, undo) && seen.n_undone == i);
		hold(stderr == before);
		hold_freed();
		printf("ok %d - a play that is given up is freed, its stream is not\n",
		       i);
	}
	exits = 0;
	hold(give_up_or(play, &exits, undo) && seen.n_undone == 2);
	hold(stderr == before && seen.complaints != before);
	free(seen.own);
	free(seen.copy);
	free(seen.undone);
	puts("ok 3 - one that ends by itself keeps its memory");
	return 0;
}
