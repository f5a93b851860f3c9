/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../../fake/fault_vfs.h"
#include "box.h"
#include "core/cleanup.h"
#include "shelf.h"

/* What routers above us were asked for. */

static struct shelf shelf;

static void fresh(void)
{
	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web\n+udp 53 10.0.0.1:53"),
		     0);
}

static void done(void)
{
	fault_vfs_arm(0, false, false);
	shelf_done(&shelf);
}

TestSuite(store_upstream, .init = fresh, .fini = done, .timeout = 120);

static struct in6_addr address(const char *text)
{
	struct in6_addr addr;

	cr_assert_eq(address_parse(text, &addr), 0, "%s", text);
	return addr;
}

static struct upstream_row make_row(uint64_t id)
{
	return (struct upstream_row){
		.id = id,
		.expires = 1000 * id,
		.epoch = (uint32_t)(100 + id),
		.epoch_at = 900 * id,
		.wan = "wan0",
		.router = address("192.168.0.1"),
		.internal = address("192.168.0.2"),
		.external = address("51.15.0.9"),
		.internal_port = (uint16_t)(8000 + id),
		.external_port = (uint16_t)(9000 + id),
		.protocol = IPPROTO_TCP,
		.speech = UPSTREAM_PCP,
		.nonce = { 0xde, 0xad, [WORKER_NONCE_LEN - 1] = 0xef },
	};
}

/* As long as it may be. */
static void make_long(struct upstream_row *row)
{
	row->speech = UPSTREAM_IGD;
	row->epoch_at = row->epoch = 0;
	memset(row->url, 'x', sizeof(row->url) - 1);
	memcpy(row->url, "http://192.168.0.1/", 19);
}

static bool same_row(const struct upstream_row *a, const struct upstream_row *b)
{
	return a->id == b->id && a->expires == b->expires && a->epoch == b->epoch &&
	       a->epoch_at == b->epoch_at && !strcmp(a->wan, b->wan) &&
	       address_equal(&a->router, &b->router) &&
	       address_equal(&a->internal, &b->internal) &&
	       address_equal(&a->external, &b->external) &&
	       a->internal_port == b->internal_port &&
	       a->external_port == b->external_port && a->unique == b->unique &&
	       a->protocol == b->protocol && a->speech == b->speech &&
	       !memcmp(a->nonce, b->nonce, sizeof(a->nonce)) && !strcmp(a->url, b->url);
}

#define ROWS_MAX 64
static struct upstream_row rows[ROWS_MAX];
static size_t n_rows;

static void note(void *userdata, const struct upstream_row *row)
{
	cr_assert_lt(n_rows, ROWS_MAX);
	rows[n_rows++] = *row;
}

/* The ids that the store tells of, "1 2 3". */
static const char *ids(int expected)
{
	static char text[1024];

	text[0] = '\0';
	n_rows = 0;
	cr_expect_eq(store_upstream(shelf.store, note, NULL), expected);
	for (size_t i = 0; i < n_rows; i++)
		snprintf(text + strlen(text), 24, "%s%" PRIu64, i ? " " : "", rows[i].id);
	return text;
}

static int put(uint64_t id)
{
	const struct store_upstream_change change = { .row = make_row(id) };

	return store_put_upstream(shelf.store, &change, 1);
}

static int drop(uint64_t id)
{
	const struct store_upstream_change change = { .row.id = id, .gone = true };

	return store_put_upstream(shelf.store, &change, 1);
}

static void open_again(void)
{
	shelf_close(&shelf);
	shelf_open(&shelf);
}

/* ------------------------------------------------------------ they come back */

Test(store_upstream, a_new_store_has_none)
{
	cr_expect_str_eq(ids(0), "");
	cr_expect_eq(store_put_upstream(shelf.store, NULL, 0), 0);
	cr_expect_eq(drop(7), 0, "what is not there is gone");
	cr_expect_str_eq(ids(0), "");
}

Test(store_upstream, every_field_comes_back)
{
	struct store_upstream_change changes[3] = {
		{ .row = make_row(3) },
		{ .row = make_row(1) },
		{ .row = make_row(INT64_MAX) },
	};

	changes[1].row.speech = UPSTREAM_IGD;
	changes[1].row.protocol = IPPROTO_UDP;
	changes[1].row.unique = UINT16_MAX;
	changes[1].row.router = address("2001:db8:f::1");
	changes[1].row.internal = address("2001:db8:f::2");
	changes[1].row.external = address_any6;
	changes[1].row.external_port = 0;
	changes[1].row.epoch_at = changes[1].row.epoch = 0;
	strcpy(changes[1].row.url, "http://[2001:db8:f::1]:5000/rootDesc.xml");
	changes[2].row.speech = UPSTREAM_NATPMP;
	changes[2].row.expires = 0;
	changes[2].row.epoch = UINT32_MAX;
	changes[2].row.epoch_at = INT64_MAX;
	strcpy(changes[2].row.wan, "abcdefghijklmno");
	cr_assert_eq(store_put_upstream(shelf.store, changes, ARRAY_SIZE(changes)), 0);
	cr_expect_eq(store_sequence(shelf.store), 1, "that is no change");
	open_again();
	cr_expect_str_eq(ids(0), "1 3 9223372036854775807");
	cr_expect(same_row(&rows[0], &changes[1].row));
	cr_expect(same_row(&rows[1], &changes[0].row));
	cr_expect(same_row(&rows[2], &changes[2].row));
	shelf_expect(&shelf);
}

Test(store_upstream, a_row_takes_the_place_of_its_older_self_and_goes)
{
	struct store_upstream_change changes[] = {
		{ .row = make_row(2) },
		{ .row.id = 1, .gone = true },
	};

	cr_assert_eq(put(1), 0);
	cr_assert_eq(put(2), 0);
	changes[0].row.external_port = 1;
	cr_assert_eq(store_put_upstream(shelf.store, changes, ARRAY_SIZE(changes)), 0);
	open_again();
	cr_expect_str_eq(ids(0), "2");
	cr_expect(same_row(&rows[0], &changes[0].row));
	cr_assert_eq(drop(2), 0);
	open_again();
	cr_expect_str_eq(ids(0), "");
}

/* Their times are those of the lease clock, whose anchor goes with them. */
Test(store_upstream, what_waits_beside_is_written_with_them)
{
	const struct lease_anchor anchor = { .lease = 77 };
	struct lease_anchor read;

	store_set_anchor(shelf.store, &anchor);
	cr_assert_eq(put(1), 0);
	open_again();
	store_anchor(shelf.store, &read);
	cr_expect_eq(read.lease, 77);
}

/* ------------------------------------------------------------ damage */

Test(store_upstream, damaged_and_flawed_rows_are_passed_over)
{
	static const char *const wrong[] = {
		"expires = expires + 1",
		"epoch = epoch + 1",
		"epoch = 4294967296 + epoch",
		"epoch_at = epoch_at + 1",
		"epoch_at = 0",
		"wan = 'wan1'",
		"wan = 'an interface with a long name'",
		"router = '192.168.0.3'",
		"router = 'fritz.box'",
		"speech = 'nat-pmp'",
		"speech = 'telnet'",
		"protocol = 'udp'",
		"protocol = 'dccp'",
		"internal_address = '192.168.0.9'",
		"internal_address = ''",
		"internal_port = 1",
		"internal_port = 65536 + internal_port",
		"external_address = '51.15.0.8'",
		"external_address = 'x'",
		"external_port = 0",
		"external_port = -1",
		"pinhole = 7",
		"pinhole = 65536",
		"nonce = replace(nonce, 'dead', 'beef')",
		"nonce = 'dead'",
		"nonce = upper(nonce)",
		"url = 'http://192.168.0.1/'",
		"url = printf('%.256c', 'x')",
		"checksum = checksum + 1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char sql[128];

		cr_assert_eq(put(1), 0);
		cr_assert_eq(put(2), 0);
		cr_assert_eq(put(3), 0);
		snprintf(sql, sizeof(sql), "UPDATE upstream SET %s WHERE id = 2",
			 wrong[i]);
		shelf_sql(&shelf, sql);
		cr_expect_str_eq(ids(-EUCLEAN), "1 3", "%s", wrong[i]);
		/* they are no mappings: natd starts */
		open_again();
	}
	cr_assert_eq(put(2), 0);
	cr_expect_str_eq(ids(0), "1 2 3");
}

/* Its checksum is right, and it makes no sense. */
Test(store_upstream, a_row_that_makes_no_sense_is_none)
{
	struct store_upstream_change change = { .row = make_row(1) };

	change.row.internal_port = 0;
	cr_assert_eq(store_put_upstream(shelf.store, &change, 1), 0);
	cr_expect_str_eq(ids(-EUCLEAN), "");
	change.row = make_row(1);
	change.row.epoch_at = 0;
	cr_assert_eq(store_put_upstream(shelf.store, &change, 1), 0);
	cr_expect_str_eq(ids(-EUCLEAN), "");
}

Test(store_upstream, a_row_without_an_id_is_not_taken)
{
	cr_expect_eq(put(0), -EUCLEAN);
	cr_expect_eq(put(UINT64_MAX), -EUCLEAN);
	cr_expect_eq(put(1), 0);
	cr_expect_str_eq(ids(0), "1");
}

Test(store_upstream, a_missing_table_is_damage)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	shelf_close(&shelf);
	shelf_sql(&shelf, "DROP TABLE upstream");
	cr_expect_eq(store_open(shelf.dir, &store, &why), -EUCLEAN);
	cr_expect_not_null(strstr(why.text, "no such table: upstream"), "%s", why.text);
}

/* ------------------------------------------------------------ what stands in the way */

Test(store_upstream, a_change_that_is_being_written_is_not_disturbed)
{
	struct plan *plan = NULL;

	cr_assert_eq(shelf_begin(&shelf, "+tcp 81 10.0.0.1:81", &plan), 0);
	cr_expect_eq(put(1), -EBUSY);
	cr_assert_eq(store_commit(shelf.store), 0);
	table_commit(shelf.table, plan);
	plan_free(plan);
	cr_expect_eq(put(1), 0);
	shelf_expect(&shelf);
	cr_expect_str_eq(ids(0), "1");
}

Test(store_upstream, a_locked_store_says_busy)
{
	sqlite3 *db = NULL;

	cr_assert_eq(sqlite3_open(shelf_path(&shelf, "natd.db"), &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_eq(put(1), -EBUSY);
	sqlite3_close(db);
	cr_expect_eq(put(1), 0);
}

Test(store_upstream, a_store_that_is_gone_is_said)
{
	unlink(shelf_path(&shelf, "natd.db"));
	cr_expect_eq(put(1), -ENOENT);
	cr_expect_eq(store_reopen(shelf.store), -ENOENT);
	cr_expect_eq(put(1), -EIO);
}

Test(store_upstream, the_disk_says_what_is_wrong_with_it)
{
	static const struct {
		int system_errno, r;
	} cases[] = { { ENOSPC, -ENOSPC }, { EROFS, -EROFS }, { EIO, -EIO } };

	shelf_close(&shelf);
	fault_vfs_install();
	shelf_open(&shelf);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fault_vfs_arm(1, true, false);
		fault_vfs.system_errno = cases[i].system_errno;
		cr_expect_eq(put(1), cases[i].r, "%s", strerror(cases[i].system_errno));
		fault_vfs_arm(0, false, false);
		cr_expect_str_eq(ids(0), "");
	}
	cr_expect_eq(put(1), 0);
}

/* Return: was there a step to fail? */
static bool put_with_fault(unsigned int step, bool lasts, bool happens)
{
	const struct store_upstream_change changes[] = {
		{ .row = make_row(step + 1) },
		{ .row.id = step, .gone = true },
	};
	char before[24], after[24];
	unsigned int failed;
	int r;

	snprintf(before, sizeof(before), "%u", step);
	snprintf(after, sizeof(after), "%u", step + 1);
	fault_vfs_arm(step, lasts, happens);
	r = store_put_upstream(shelf.store, changes, ARRAY_SIZE(changes));
	failed = fault_vfs.failed;
	fault_vfs_arm(0, false, false);
	cr_expect(r == 0 || r == -EIO, "step %u: %d", step, r);
	/* a commit that failed may have happened: all of it or nothing */
	if (strcmp(ids(0), before) != 0)
		cr_expect_str_eq(ids(0), after, "step %u", step);
	/* nothing else has come to harm, and it can be asked for again */
	cr_assert_eq(shelf_ask(&shelf, "+udp 99 10.0.0.1:99\n-udp 99"), 0, "step %u",
		     step);
	cr_assert_eq(store_put_upstream(shelf.store, changes, ARRAY_SIZE(changes)), 0);
	shelf_expect(&shelf);
	cr_expect_str_eq(ids(0), after);
	return failed > 0;
}

Test(store_upstream, every_step_of_writing_can_fail)
{
	shelf_close(&shelf);
	fault_vfs_install();
	shelf_open(&shelf);
	for (int way = 0; way < 4; way++) {
		unsigned int step = 1;

		cr_assert_eq(put(1), 0);
		while (put_with_fault(step, way & 1, way & 2))
			cr_assert_lt(++step, 100);
		cr_expect_gt(step, 3);
		cr_assert_eq(drop(step + 1), 0);
	}
}

static int fill_up(void *userdata)
{
	struct store_upstream_change change = { .row = { .id = 0 } };
	uint64_t id = 1;
	int r = 0;

	BOX_CHECK(mount("tmpfs", shelf.dir, "tmpfs", 0, "size=160k") == 0, "%m");
	BOX_CHECK(shelf_try(&shelf) == 0);
	for (; r == 0 && id < 5000; id++) {
		change.row = *(const struct upstream_row *)userdata;
		change.row.id = id;
		r = store_put_upstream(shelf.store, &change, 1);
	}
	BOX_CHECK(r == -ENOSPC, "%d", r);
	BOX_CHECK(id > 3, "%d", (int)id);
	BOX_CHECK(mount(NULL, shelf.dir, NULL, MS_REMOUNT, "size=4m") == 0, "%m");
	BOX_CHECK(store_put_upstream(shelf.store, &change, 1) == 0);
	BOX_CHECK(shelf_agrees(&shelf));
	shelf_close(&shelf);
	return 0;
}

Test(store_upstream, a_full_disk_refuses_and_loses_nothing)
{
	struct upstream_row row = make_row(1);

	make_long(&row);
	shelf_close(&shelf);
	box_run_alone(CLONE_NEWNS, fill_up, &row);
}

/* ------------------------------------------------------------ natd --recover */

static void ignore(void *userdata, const struct mapping *m)
{
}

static void recover(const char *damage)
{
	struct table *table = make_loaded("tcp 80 10.0.0.1:80 web");
	struct store_remains remains;
	struct store_fault why = { "" };
	struct store *store = NULL;

	shelf_close(&shelf);
	if (damage)
		shelf_sql(&shelf, damage);
	cr_assert_eq(store_salvage(shelf.dir, ignore, NULL, &remains, &store, &why), 0,
		     "%s", why.text);
	cr_assert_eq(store_replace(store, table, 99, &why), 0, "%s", why.text);
	store_close(store);
	table_free(table);
	shelf_open(&shelf);
}

/* So nothing stays behind at a router, whatever happens to the store here. */
Test(store_upstream, they_outlive_the_store_they_were_in)
{
	static const struct {
		const char *damage, *ids;
	} cases[] = {
		{ "UPDATE mapping SET name = 'wob' WHERE id = 1", "1 2 3" },
		{ "UPDATE upstream SET expires = 1 WHERE id = 2", "1 3" },
		{ "DROP TABLE upstream", "" },
		{ "DROP TABLE meta", "1 2 3" },
	};
	const struct upstream_row last = make_row(3);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (uint64_t id = 1; id <= 3; id++)
			cr_assert_eq(put(id), 0);
		recover(cases[i].damage);
		cr_expect_str_eq(ids(0), cases[i].ids, "%s", cases[i].damage);
		cr_expect(!n_rows || same_row(&rows[n_rows - 1], &last));
		shelf_done(&shelf);
		fresh();
	}
}

/* The page of natd.db that row @id stands in, by its nonce. */
static void rot_page_of(const char *nonce)
{
	static char bytes[1 << 20];
	FILE *file = fopen(shelf_path(&shelf, "natd.db"), "r+");
	size_t n = fread(bytes, 1, sizeof(bytes), file);
	char *found = memmem(bytes, n, nonce, strlen(nonce));

	cr_assert_not_null(found);
	cr_assert_eq(fseek(file, (found - bytes) / 4096 * 4096, SEEK_SET), 0);
	memset(bytes, 'r', 4096);
	cr_assert_eq(fwrite(bytes, 1, 4096, file), 4096);
	cr_assert_eq(fclose(file), 0);
}

Test(store_upstream, rows_on_both_sides_of_a_damaged_page_are_kept)
{
	for (uint64_t id = 1; id <= 40; id++) {
		struct store_upstream_change change = { .row = make_row(id) };

		change.row.nonce[0] = (uint8_t)id;
		make_long(&change.row);
		cr_assert_eq(store_put_upstream(shelf.store, &change, 1), 0);
	}
	shelf_close(&shelf);
	rot_page_of("14ad000000000000000000ef");
	recover(NULL);
	cr_expect_eq(strncmp(ids(0), "1 2 ", 4), 0, "%s", ids(0));
	cr_expect_lt(n_rows, 40);
	cr_expect_gt(n_rows, 10, "%zu", n_rows);
	cr_expect_eq(rows[n_rows - 1].id, 40, "from its end");
}
