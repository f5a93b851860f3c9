/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * exit() is ours, since it is in the program: called within give_up_or() it jumps out.
 * Nobody frees what was allocated on the way there, so the allocator's hooks, which the
 * address sanitizer has, keep a list of it. Without the sanitizer it stays.
 */

#include "tests/fuzz/give_up.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define BLOCKS_MAX 65536

static jmp_buf way_out;
static bool playing;
static const volatile void *blocks[BLOCKS_MAX];
static size_t n_blocks;

__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
	void (*on_malloc)(const volatile void *, size_t),
	void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *block, size_t size)
{
	if (!playing)
		return;
	hold(n_blocks < BLOCKS_MAX);
	blocks[n_blocks++] = block;
}

/* What was allocated last is mostly freed first. */
static void on_free(const volatile void *block)
{
	for (size_t i = n_blocks; i-- > 0;) {
		if (blocks[i] != block)
			continue;
		blocks[i] = blocks[--n_blocks];
		return;
	}
}

static void free_rest(void)
{
	/* the C library keeps its last text of an unknown error, and now takes another */
	(void)strerror(-1);
	while (n_blocks > 0)
		free((void *)(uintptr_t)blocks[--n_blocks]);
}

static FILE *prepare(void)
{
	static FILE *nowhere;

	if (nowhere)
		return nowhere;
	if (__sanitizer_install_malloc_and_free_hooks)
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	nowhere = fopen("/dev/null", "w");
	hold(nowhere);
	return nowhere;
}

__attribute__((noreturn)) void exit(int status)
{
	void (*real)(int status);

	if (playing) {
		playing = false;
		longjmp(way_out, 1);
	}
	*(void **)&real = dlsym(RTLD_NEXT, "exit");
	real(status);
	abort();
}

bool give_up_or(void (*play)(void *userdata), void *userdata, void (*undo)(void))
{
	FILE *const before = stderr, *const nowhere = prepare();

	n_blocks = 0;
	if (setjmp(way_out)) {
		stderr = before;
		undo();
		free_rest();
		return false;
	}
	/* where the libraries complain */
	stderr = nowhere;
	playing = true;
	play(userdata);
	playing = false;
	stderr = before;
	return true;
}
