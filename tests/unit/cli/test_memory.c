/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Running out of memory loses nothing. Linked with ../core/heap.c: in each test the first
 * allocation fails, then the second, and so on until none is left to fail.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/heap.h"
#include "cli/args.h"
#include "cli/atomic.h"
#include "cli/blocked.h"
#include "cli/client.h"
#include "cli/columns.h"
#include "cli/hooks.h"
#include "cli/select.h"
#include "cli/verb.h"
#include "cli/words.h"
#include "core/api.h"

/* more allocations than any of these makes */
#define MANY 200

static struct flaw why;

static void until_it_succeeds(int (*act)(void))
{
	const size_t before = heap_blocks();

	for (size_t n = 1; n < MANY; n++) {
		int r;

		heap_fail_at(n);
		r = act();
		cr_expect_eq(heap_blocks(), before, "failing the %zu. allocation leaks",
			     n);
		if (!heap_failed()) {
			cr_expect_eq(r, 0);
			cr_expect_gt(n, 1, "nothing was allocated");
			heap_fail_at(0);
			return;
		}
		cr_expect_eq(r, -ENOMEM, "failing the %zu. allocation gives %d", n, r);
	}
	cr_expect_fail("still failing");
}

static int parse_args(void)
{
	static const char *const words[] = { "add", "-q", "tcp", "--name", "web" };
	struct args args;
	int r = args_parse(words, ARRAY_SIZE(words), &args, &why);

	if (r == 0)
		args_done(&args);
	return r;
}

Test(memory, args)
{
	until_it_succeeds(parse_args);
}

static int split_words(void)
{
	char line[] = "add tcp 80";
	struct words words;
	int r = words_split(line, &words, &why);

	if (r == 0)
		words_done(&words);
	return r;
}

Test(memory, words)
{
	until_it_succeeds(split_words);
}

static int make_client(void)
{
	struct client *client = NULL;
	int r = client_new("/nowhere", 1, &client);

	client_free(client);
	return r;
}

Test(memory, client)
{
	until_it_succeeds(make_client);
}

static int gather(void)
{
	struct change change = { .kind = CHANGE_REMOVE, .selector = { .id = 7 } };
	struct atomic atomic = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < 100; i++)
		r = atomic_add(&atomic, &change, i + 1);
	for (size_t i = 0; i < atomic.list.n; i++)
		cr_expect_eq(atomic_line(&atomic, i), i + 1);
	cr_expect_eq(atomic_line(&atomic, atomic.list.n), 0);
	atomic_done(&atomic);
	return r;
}

Test(memory, atomic)
{
	until_it_succeeds(gather);
}

static int fill_blocked(void)
{
	json_t *chains =
		json_pack("[ssi]", "ip filter FORWARD (hook forward)", "ip6 x y (z)", 5);
	struct blocked blocked = { 0 };
	int r = blocked_add(&blocked, 7, chains);

	json_decref(chains);
	blocked_done(&blocked);
	return r;
}

Test(memory, blocked)
{
	until_it_succeeds(fill_blocked);
}

static int read_selection(void)
{
	static const char *const words[] = { "tcp,udp", "80" };
	const struct args args = { .verb = &verb_remove,
				   .operands = (const char **)words,
				   .n_operands = ARRAY_SIZE(words) };
	struct selection selection = { 0 };
	int r = select_read(&args, 0, &selection, &why);

	cr_expect_eq(selection.n, r == 0 ? 2 : 0);
	selection_done(&selection);
	return r;
}

Test(memory, select)
{
	until_it_succeeds(read_selection);
}

static int print_table(void)
{
	static const struct column column = { .name = "A" };
	struct columns *table = NULL;
	FILE *null = fopen("/dev/null", "w");
	int r = columns_new(&column, 1, &table);

	for (size_t i = 0; r == 0 && i < 100; i++)
		r = columns_add(table, (const char *const[]){ "x" });
	if (r == 0)
		r = columns_print_plain(table, null);
	columns_free(table);
	fclose(null);
	return r;
}

Test(memory, columns)
{
	until_it_succeeds(print_table);
}

static int queue_events(void)
{
	static const char line[] = "{\"event\":\"added\"}";
	const struct event event = { .word = "added", .seq = 1 };
	const struct session session = { 0 };
	struct hooks *hooks = NULL;
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	r = hooks_new(&session, "true", 1, &mask, &hooks);
	for (int i = 0; r == 0 && i < 3; i++)
		r = hooks_put(hooks, &event, line, sizeof(line) - 1);
	hooks_free(hooks);
	return r;
}

Test(memory, hooks)
{
	until_it_succeeds(queue_events);
}

Test(memory, a_request_has_a_limit)
{
	struct change change = { .kind = CHANGE_REMOVE };
	struct atomic atomic = { 0 };

	for (size_t i = 0; i < API_LIST_MAX; i++)
		cr_assert_eq(atomic_add(&atomic, &change, 1), 0);
	cr_expect_eq(atomic_add(&atomic, &change, 1), -E2BIG);
	atomic_done(&atomic);
}
