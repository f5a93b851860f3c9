/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "kinds.h"
#include "shelf.h"
#include "tests/fake/alloc.h"

/*
 * The first, second, ... allocation fails, SQLite's included, until none is left to fail.
 * Want of memory is said as such, never taken for damage, and nothing is lost by it.
 */

static struct shelf shelf;

static int put_upstream(uint16_t port)
{
	struct store_upstream_change changes[] = {
		{ .row = { .id = 7, .wan = "wan0", .internal_port = port } },
		{ .row.id = 8, .gone = true },
	};
	struct upstream_row *row = &changes[0].row;

	address_parse("192.168.0.1", &row->router);
	address_parse("192.168.0.2", &row->internal);
	row->external = address_any4;
	row->protocol = IPPROTO_TCP;
	return store_put_upstream(shelf.store, changes, ARRAY_SIZE(changes));
}

static void fresh(void)
{
	const struct lease_anchor anchor = { .lease = 77 };
	const struct store_traffic traffic = { .connections = 7 };
	struct change_list list = kinds_list();

	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask_list(&shelf, &list), 0);
	store_set_anchor(shelf.store, &anchor);
	cr_assert_eq(store_put_traffic(shelf.store, 1, &traffic), 0);
	cr_assert_eq(store_save(shelf.store), 0);
	cr_assert_eq(put_upstream(1), 0);
}

static void begin(void)
{
	cr_assert_eq(alloc_for_sqlite(), 0);
	fresh();
}

static void done(void)
{
	alloc_fail_at(0, false);
	shelf_done(&shelf);
}

TestSuite(store_memory, .init = begin, .fini = done, .timeout = 200);

/* @step until no allocation is left to fail; every @stride-th. */
static unsigned int walk(bool (*step)(unsigned int nth, bool lasts), unsigned int stride)
{
	unsigned int nth;

	if (getenv("NATD_TEST_LONG"))
		stride = 1;
	for (int lasts = 0; lasts < 2; lasts++)
		for (nth = 1; step(nth, lasts); nth += stride)
			cr_assert_lt(nth, 20000);
	return nth;
}

static bool open_without(unsigned int nth, bool lasts)
{
	struct table *expected = TAKE(shelf.table);
	struct table *table = make_table(65535);
	struct store_fault why = { "" };
	unsigned int failed;
	int r;

	store_close(TAKE(shelf.store));
	alloc_fail_at(nth, lasts);
	r = store_open(shelf.dir, &shelf.store, &why);
	if (r == 0)
		r = store_load(shelf.store, table, &why);
	failed = alloc_fail_at(0, false);
	store_close(TAKE(shelf.store));
	cr_assert(r == 0 || r == -ENOMEM, "allocation %u: %d, %s", nth, r, why.text);
	cr_assert(failed || r == 0);
	table_free(table);

	shelf_open(&shelf);
	cr_assert(shelf_same(shelf.table, expected), "allocation %u", nth);
	table_free(expected);
	return failed;
}

Test(store_memory, opening_wants_memory)
{
	cr_expect_gt(walk(open_without, 13), 100);
}

static bool ask_without(unsigned int nth, bool lasts)
{
	struct change_list list = make_list("-web\n-shifted\n+tcp 80 10.0.0.2:80 new");
	struct change update = {
		.kind = CHANGE_UPDATE,
		.selector.name = "lease",
		.patch = { .set = PATCH_LIFETIME, .lifetime = 3600 + nth },
	};
	uint64_t before = store_sequence(shelf.store);
	struct plan *plan = NULL;
	unsigned int failed;
	int r;

	cr_assert_eq(change_list_add(&list, &update), 0);
	cr_assert_eq(table_stage(shelf.table, &list, 1, &shelf_world, &plan), 0);
	cr_assert_not(plan_refused(plan, 0));
	change_list_done(&list);
	alloc_fail_at(nth, lasts);
	r = store_begin(shelf.store, plan, table_next_id(shelf.table));
	failed = alloc_fail_at(0, false);
	cr_assert(r == 0 || r == -ENOMEM, "allocation %u: %d", nth, r);
	cr_assert(failed || r == 0);
	if (r == 0)
		store_rollback(shelf.store);
	plan_free(plan);
	cr_assert_eq(store_sequence(shelf.store), before);
	shelf_expect(&shelf);
	return failed;
}

Test(store_memory, a_change_wants_memory)
{
	cr_expect_gt(walk(ask_without, 1), 1);
}

static bool save_without(unsigned int nth, bool lasts)
{
	const struct store_traffic traffic = { .connections = nth };
	const struct lease_anchor anchor = { .lease = nth };
	unsigned int failed;
	int r;

	store_set_anchor(shelf.store, &anchor);
	alloc_fail_at(nth, lasts);
	r = store_put_traffic(shelf.store, 1, &traffic);
	if (r == 0)
		r = store_save(shelf.store);
	failed = alloc_fail_at(0, false);
	cr_assert(r == 0 || r == -ENOMEM, "allocation %u: %d", nth, r);
	r = shelf_ask(&shelf, "+tcp 80 10.0.0.2:80 new\n-new");
	cr_assert_eq(r, 0, "allocation %u, %d: %d", nth, lasts, r);
	shelf_expect(&shelf);
	return failed;
}

Test(store_memory, saving_wants_memory)
{
	cr_expect_gt(walk(save_without, 1), 1);
}

static void note_port(void *userdata, const struct upstream_row *row)
{
	*(uint16_t *)userdata = row->internal_port;
}

static uint16_t upstream_port(void)
{
	uint16_t port = 0;

	cr_assert_eq(store_upstream(shelf.store, note_port, &port), 0);
	return port;
}

static bool put_without(unsigned int nth, bool lasts)
{
	unsigned int failed;
	int r;

	cr_assert_eq(put_upstream(1), 0);
	alloc_fail_at(nth, lasts);
	r = put_upstream(2);
	failed = alloc_fail_at(0, false);
	cr_assert(r == 0 || r == -ENOMEM, "allocation %u: %d", nth, r);
	cr_assert(failed || r == 0);
	if (upstream_port() != 1)
		cr_assert_eq(upstream_port(), 2, "allocation %u", nth);
	cr_assert(r < 0 || upstream_port() == 2);
	r = shelf_ask(&shelf, "+tcp 80 10.0.0.2:80 new\n-new");
	cr_assert_eq(r, 0, "allocation %u, %d: %d", nth, lasts, r);
	shelf_expect(&shelf);
	return failed;
}

Test(store_memory, what_routers_were_asked_for_wants_memory)
{
	cr_expect_gt(walk(put_without, 1), 1);
}

static bool read_without(unsigned int nth, bool lasts)
{
	unsigned int failed;
	uint16_t port = 0;
	int r;

	alloc_fail_at(nth, lasts);
	r = store_upstream(shelf.store, note_port, &port);
	failed = alloc_fail_at(0, false);
	/* what SQLite has no memory for may look like damage of a row, never as all */
	cr_assert(r == 0 ? port == 1 : r == -ENOMEM || r == -EUCLEAN, "allocation %u: %d",
		  nth, r);
	cr_assert_eq(upstream_port(), 1);
	return failed;
}

Test(store_memory, reading_what_routers_were_asked_for_wants_memory)
{
	cr_expect_gt(walk(read_without, 1), 1);
}

static void count(void *userdata, const struct mapping *m)
{
	++*(size_t *)userdata;
}

/* By a table that is empty; what is beside is kept. Takes @store over. */
static void replace_with(struct store *store)
{
	struct table *table = make_table(10);
	struct store_fault why = { "" };

	cr_assert_eq(store_replace(store, table, 99, &why), 0, "%s", why.text);
	store_close(store);
	table_free(table);
	shelf_open(&shelf);
}

static bool salvage_without(unsigned int nth, bool lasts)
{
	struct store_fault why = { "" };
	struct store_remains remains;
	struct store *store = NULL;
	struct lease_anchor anchor;
	unsigned int failed;
	size_t n = 0;
	int r;

	shelf_close(&shelf);
	alloc_fail_at(nth, lasts);
	r = store_salvage(shelf.dir, count, &n, &remains, &store, &why);
	failed = alloc_fail_at(0, false);
	cr_assert(r == 0 || r == -ENOMEM, "allocation %u: %d, %s", nth, r, why.text);
	if (r == 0) {
		cr_assert_eq(n, 33, "allocation %u: %zu", nth, n);
		store_anchor(store, &anchor);
		cr_assert_eq(anchor.lease, 77, "allocation %u", nth);
		replace_with(store);
		cr_assert_eq(upstream_port(), 1, "allocation %u", nth);
		shelf_done(&shelf);
		fresh();
		return failed;
	}
	store_close(store);
	return failed;
}

Test(store_memory, salvage_wants_memory)
{
	cr_expect_gt(walk(salvage_without, 13), 50);
}
