/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * exit() is ours, since it is in the program: called within give_up_or() it jumps out.
 * Nobody frees what was allocated on the way there, so the allocator's hooks, which the
 * address sanitizer has, keep a list of it. Without the sanitizer it stays.
 *
 * On that list is also what the C library allocated for itself and goes on using, the
 * buffer of a stream first of all. Freed, it becomes a block of someone else, and the
 * next line of the stream is written into that. The sanitizer does not see it, since the
 * C library is compiled without, so here it is asked who allocated each block.
 */

#include "tests/fuzz/give_up.h"

#include <dlfcn.h>
#include <setjmp.h>

#include "tests/fuzz/fuzz.h"

#define BLOCKS_MAX 65536

static jmp_buf way_out;
static bool playing;
static const volatile void *blocks[BLOCKS_MAX];
static size_t n_blocks;
static const void *c_library;

__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
	void (*on_malloc)(const volatile void *, size_t),
	void (*on_free)(const volatile void *));
__attribute__((weak)) size_t __asan_get_alloc_stack(void *block, void **trace,
						    size_t size, int *thread);

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

/* The allocator itself comes first in a trace, who called it second. */
static bool is_of_c_library(void *block)
{
	void *trace[2];
	Dl_info by;
	int thread;

	hold(__asan_get_alloc_stack(block, trace, 2, &thread) == 2);
	return dladdr(trace[1], &by) && by.dli_fbase == c_library;
}

static void free_rest(void)
{
	while (n_blocks > 0) {
		void *block = (void *)(uintptr_t)blocks[--n_blocks];

		if (!is_of_c_library(block))
			free(block);
	}
}

static void *real_exit(void)
{
	return dlsym(RTLD_NEXT, "exit");
}

static FILE *prepare(void)
{
	static FILE *nowhere;
	Dl_info info;

	if (nowhere)
		return nowhere;
	hold(dladdr(real_exit(), &info));
	c_library = info.dli_fbase;
	if (__sanitizer_install_malloc_and_free_hooks && __asan_get_alloc_stack)
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
	*(void **)&real = real_exit();
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
