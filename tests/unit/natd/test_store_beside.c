/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../fake/fault_vfs.h"
#include "core/cleanup.h"
#include "shelf.h"

/* The lease clock's anchor, and what mappings have carried. */

static struct shelf shelf;

static const struct lease_anchor some_anchor = {
	.boot = { 0xde, 0xad, 0, 1, 2, 3, 0xff },
	.offset = -77,
	.lease = UINT64_C(1795000000123),
	.wall = UINT64_C(1795000000456),
};
static const struct lease_anchor later_anchor = {
	.boot = { 0xbe, 0xef },
	.offset = INT64_C(1) << 40,
	.lease = UINT64_C(1795000009999),
	.wall = UINT64_C(1795000008888),
};

static void fresh(void)
{
	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web\n+udp 53 10.0.0.1:53\n"
				       "+tcp 81 10.0.0.1:81"),
		     0);
}

static void done(void)
{
	fault_vfs_arm(0, false, false);
	shelf_done(&shelf);
}

TestSuite(store_beside, .init = fresh, .fini = done, .timeout = 60);

static bool same_anchor(const struct lease_anchor *a, const struct lease_anchor *b)
{
	return !memcmp(a->boot, b->boot, sizeof(a->boot)) && a->offset == b->offset &&
	       a->lease == b->lease && a->wall == b->wall;
}

static bool has_anchor(const struct lease_anchor *wanted)
{
	struct lease_anchor anchor;

	store_anchor(shelf.store, &anchor);
	return same_anchor(&anchor, wanted);
}

static void open_again(void)
{
	shelf_close(&shelf);
	shelf_open(&shelf);
}

/* ------------------------------------------------------------ the anchor */

Test(store_beside, a_new_store_has_no_anchor)
{
	cr_expect(has_anchor(&(struct lease_anchor){ 0 }));
	cr_expect_eq(store_save(shelf.store), 0, "nothing to save is saved");
	open_again();
	cr_expect(has_anchor(&(struct lease_anchor){ 0 }));
}

Test(store_beside, an_anchor_is_kept_by_itself)
{
	store_set_anchor(shelf.store, &some_anchor);
	cr_expect(has_anchor(&some_anchor));
	cr_assert_eq(store_save(shelf.store), 0);
	cr_expect_eq(store_sequence(shelf.store), 1, "that is no change");
	open_again();
	cr_expect(has_anchor(&some_anchor));
	store_set_anchor(shelf.store, &later_anchor);
	cr_assert_eq(store_save(shelf.store), 0);
	open_again();
	cr_expect(has_anchor(&later_anchor));
	shelf_expect(&shelf);
}

Test(store_beside, an_anchor_goes_with_the_next_change)
{
	store_set_anchor(shelf.store, &some_anchor);
	open_again();
	cr_expect(has_anchor(&(struct lease_anchor){ 0 }), "only set");
	store_set_anchor(shelf.store, &some_anchor);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 82 10.0.0.1:82"), 0);
	open_again();
	cr_expect(has_anchor(&some_anchor));
}

Test(store_beside, a_rollback_leaves_it_for_the_one_after)
{
	const struct store_traffic traffic = { .connections = 5 };
	struct plan *plan = NULL;

	store_set_anchor(shelf.store, &some_anchor);
	cr_assert_eq(store_put_traffic(shelf.store, 1, &traffic), 0);
	cr_assert_eq(shelf_begin(&shelf, "+tcp 82 10.0.0.1:82", &plan), 0);
	store_rollback(shelf.store);
	plan_free(plan);
	cr_expect(has_anchor(&some_anchor));
	cr_assert_eq(store_save(shelf.store), 0);
	open_again();
	cr_expect(has_anchor(&some_anchor));
	cr_expect(shelf.store && store_sequence(shelf.store) == 1);
}

Test(store_beside, a_damaged_anchor_is_damage)
{
	static const char *const wrong[] = {
		"boot = 'dead'",
		"boot = replace(boot, 'd', 'D')",
		"boot = replace(boot, 'd', 'x')",
		"boot = replace(boot, 'dead', 'deaf')",
		"offset = offset + 1",
		"lease = 0",
		"wall = wall - 1",
		"checksum = 0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct store_fault why = { "" };
		struct store *store = NULL;
		char sql[128];

		store_set_anchor(shelf.store, &some_anchor);
		cr_assert_eq(store_save(shelf.store), 0);
		shelf_close(&shelf);
		snprintf(sql, sizeof(sql), "UPDATE clock SET %s", wrong[i]);
		shelf_sql(&shelf, sql);
		cr_expect_eq(store_open(shelf.dir, &store, &why), -EUCLEAN, "%s",
			     wrong[i]);
		cr_expect_not_null(strstr(why.text, "its table clock"), "%s", why.text);
		shelf_done(&shelf);
		fresh();
	}
}

/* ------------------------------------------------------------ traffic */

static const struct store_traffic figures = {
	.connections = 7,
	.bytes_in = UINT64_C(1) << 40,
	.bytes_out = 3,
	.packets_in = 4,
	.packets_out = UINT64_MAX >> 1,
};

static void note(void *userdata, uint64_t id, const struct store_traffic *traffic)
{
	char *text = userdata;

	snprintf(text + strlen(text), 128,
		 "%" PRIu64 ": %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		 "\n",
		 id, traffic->connections, traffic->bytes_in, traffic->bytes_out,
		 traffic->packets_in, traffic->packets_out);
}

static const char *told(int expected)
{
	static char text[2048];

	text[0] = '\0';
	cr_expect_eq(store_traffic(shelf.store, note, text), expected);
	return text;
}

static void put(uint64_t id, uint64_t connections)
{
	const struct store_traffic traffic = { .connections = connections };

	cr_assert_eq(store_put_traffic(shelf.store, id, &traffic), 0);
}

Test(store_beside, figures_come_back)
{
	cr_expect_str_eq(told(0), "");
	put(3, 5);
	cr_assert_eq(store_put_traffic(shelf.store, 1, &figures), 0);
	put(3, 6);
	cr_expect_str_eq(told(0), "", "they wait");
	cr_assert_eq(store_save(shelf.store), 0);
	open_again();
	cr_expect_str_eq(told(0), "1: 7 1099511627776 3 4 9223372036854775807\n"
				  "3: 6 0 0 0 0\n");
	put(3, 9);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 90 10.0.0.1:90"), 0);
	open_again();
	cr_expect_str_eq(told(0), "1: 7 1099511627776 3 4 9223372036854775807\n"
				  "3: 9 0 0 0 0\n");
	shelf_expect(&shelf);
}

Test(store_beside, figures_go_with_their_mapping)
{
	put(1, 1);
	put(2, 2);
	put(3, 3);
	cr_assert_eq(store_save(shelf.store), 0);
	open_again();
	cr_assert_eq(shelf_ask(&shelf, "-web"), 0);
	cr_expect_str_eq(told(0), "2: 2 0 0 0 0\n3: 3 0 0 0 0\n");
	/* in the very transaction that would write them */
	put(2, 20);
	cr_assert_eq(shelf_ask(&shelf, "-udp 53"), 0);
	cr_expect_str_eq(told(0), "3: 3 0 0 0 0\n");
	/* a connection that ends after its mapping */
	put(1, 9);
	put(3, 9);
	cr_assert_eq(store_save(shelf.store), 0);
	cr_expect_str_eq(told(0), "3: 9 0 0 0 0\n");
	shelf_expect(&shelf);
}

Test(store_beside, damaged_figures_are_passed_over)
{
	static const char *const columns[] = { "connections", "bytes_in",    "bytes_out",
					       "packets_in",  "packets_out", "checksum" };

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		char sql[128];

		put(1, 1);
		put(2, 2);
		put(3, 3);
		cr_assert_eq(store_save(shelf.store), 0);
		snprintf(sql, sizeof(sql), "UPDATE traffic SET %s = %s + 1 WHERE id = 2",
			 columns[i], columns[i]);
		shelf_sql(&shelf, sql);
		cr_expect_str_eq(told(-EUCLEAN), "1: 1 0 0 0 0\n3: 3 0 0 0 0\n");
		/* they are no mappings: natd starts */
		open_again();
	}
	put(2, 4);
	cr_assert_eq(store_save(shelf.store), 0);
	cr_expect_str_eq(told(0), "1: 1 0 0 0 0\n2: 4 0 0 0 0\n3: 3 0 0 0 0\n");
}

/* ------------------------------------------------------------ what stands in the way */

Test(store_beside, a_locked_store_says_busy)
{
	sqlite3 *db = NULL;

	store_set_anchor(shelf.store, &some_anchor);
	cr_assert_eq(sqlite3_open(shelf_path(&shelf, "natd.db"), &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_eq(store_save(shelf.store), -EBUSY);
	sqlite3_close(db);
	cr_expect_eq(store_save(shelf.store), 0);
	open_again();
	cr_expect(has_anchor(&some_anchor));
}

Test(store_beside, a_store_that_is_gone_is_said)
{
	store_set_anchor(shelf.store, &some_anchor);
	unlink(shelf_path(&shelf, "natd.db"));
	cr_expect_eq(store_save(shelf.store), -ENOENT);
	cr_expect_eq(store_reopen(shelf.store), -ENOENT);
	cr_expect_eq(store_save(shelf.store), -EIO);
}

Test(store_beside, the_disk_says_what_is_wrong_with_it)
{
	static const struct {
		int system_errno, r;
	} cases[] = { { ENOSPC, -ENOSPC }, { EROFS, -EROFS }, { EIO, -EIO } };

	shelf_close(&shelf);
	fault_vfs_install();
	shelf_open(&shelf);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		store_set_anchor(shelf.store, &some_anchor);
		fault_vfs_arm(1, true, false);
		fault_vfs.system_errno = cases[i].system_errno;
		cr_expect_eq(store_save(shelf.store), cases[i].r, "%s",
			     strerror(cases[i].system_errno));
		fault_vfs_arm(0, false, false);
	}
}

/* Return: was there a step to fail? */
static bool save_with_fault(unsigned int step, bool lasts, bool happens)
{
	unsigned int failed;
	int r;

	store_set_anchor(shelf.store, &some_anchor);
	put(1, step);
	put(2, step);
	fault_vfs_arm(step, lasts, happens);
	r = store_save(shelf.store);
	failed = fault_vfs.failed;
	fault_vfs_arm(0, false, false);
	/* an error of what tidies up after the commit is none of it */
	cr_expect(r == -EIO || r == 0, "step %u: %d", step, r);
	cr_expect(has_anchor(&some_anchor));

	/* nothing else has come to harm, and they are kept with the next change */
	cr_assert_eq(shelf_ask(&shelf, "+udp 99 10.0.0.1:99\n-udp 99"), 0, "step %u",
		     step);
	shelf_expect(&shelf);
	cr_expect(has_anchor(&some_anchor), "step %u", step);
	cr_expect_eq(strlen(told(0)), 2 * strlen("1: 1 0 0 0 0\n") + 2 * (step > 9));
	return failed > 0;
}

Test(store_beside, every_step_of_saving_can_fail)
{
	shelf_close(&shelf);
	fault_vfs_install();
	shelf_open(&shelf);
	for (int way = 0; way < 4; way++) {
		unsigned int step = 1;

		while (save_with_fault(step, way & 1, way & 2))
			cr_assert_lt(++step, 100);
		cr_expect_gt(step, 3);
	}
}

/* ------------------------------------------------------------ natd --recover */

static void ignore(void *userdata, const struct mapping *m)
{
}

Test(store_beside, both_outlive_the_store_they_were_in)
{
	struct table *table = make_loaded("tcp 80 10.0.0.1:80 web\nudp 53 10.0.0.1:53");
	struct store_remains remains;
	struct store_fault why = { "" };
	struct store *store = NULL;

	store_set_anchor(shelf.store, &some_anchor);
	put(2, 2);
	put(3, 3);
	cr_assert_eq(store_save(shelf.store), 0);
	shelf_close(&shelf);
	shelf_sql(&shelf, "UPDATE mapping SET name = 'wob' WHERE id = 1");
	cr_assert_eq(store_salvage(shelf.dir, ignore, NULL, &remains, &store, &why), 0,
		     "%s", why.text);
	cr_assert_eq(store_replace(store, table, 99, &why), 0, "%s", why.text);
	store_close(store);
	table_free(table);
	shelf_open(&shelf);
	cr_expect(has_anchor(&some_anchor));
	cr_expect_str_eq(told(0), "2: 2 0 0 0 0\n", "mapping 3 is lost");
}
