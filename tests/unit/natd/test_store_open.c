/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../fake/fault_vfs.h"
#include "box.h"
#include "core/cleanup.h"
#include "shelf.h"

/* private: to give a wrong row its right checksum */
#include "natd/store/store_private.h"

static struct shelf shelf;

static void made(void)
{
	shelf_make(&shelf);
}

static void fresh(void)
{
	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web\n+udp 53 [fd00::1]:53"),
		     0);
}

static void done(void)
{
	fault_vfs_arm(0, false, false);
	shelf_done(&shelf);
}

/* Opening @dir fails with @error, and the sentence has @words in it. */
static void refused(const char *dir, int error, const char *words)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	cr_expect_eq(store_open(dir, &store, &why), error, "%s: %s", words, why.text);
	cr_expect_null(store);
	cr_expect_not_null(strstr(why.text, words), "%s: %s", words, why.text);
	store_close(store);
}

/* ------------------------------------------------------------ what it opens */

TestSuite(store_open, .init = made, .fini = done);

Test(store_open, a_missing_directory_is_named)
{
	refused("/nonexistent/natd", -ENOENT, "/nonexistent/natd: No such file");
	refused("/etc/passwd", -ENOENT, "/etc/passwd: No such file");
}

static int open_as_nobody(void *userdata)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	if (geteuid() == 0 && seteuid(65534) < 0)
		return BOX_SKIP;
	BOX_CHECK(store_open(userdata, &store, &why) == -EACCES, "%s", why.text);
	BOX_CHECK(strstr(why.text, "must belong to the user natd runs as"), "%s",
		  why.text);
	return 0;
}

Test(store_open, a_directory_that_is_not_ours_is_named)
{
	cr_assert_eq(chmod(shelf.dir, geteuid() == 0 ? 0755 : 0555), 0);
	box_run(open_as_nobody, shelf.dir);
	cr_assert_eq(chmod(shelf.dir, 0755), 0);
}

Test(store_open, a_symbolic_link_is_not_followed)
{
	struct stat st;
	char target[512];

	snprintf(target, sizeof(target), "%s", shelf_path(&shelf, "target"));
	cr_assert_eq(symlink(target, shelf_path(&shelf, "natd.lock")), 0);
	refused(shelf.dir, -EACCES, "natd.lock");
	cr_expect_lt(stat(target, &st), 0);
}

static int on_read_only(void *userdata)
{
	struct store_fault why = { "" };
	struct store *store = NULL;
	const char *dir = userdata;

	BOX_CHECK(store_open(dir, &store, &why) == 0, "%s", why.text);
	store_close(store);
	BOX_CHECK(mount(dir, dir, NULL, MS_BIND, NULL) == 0, "%m");
	BOX_CHECK(mount(NULL, dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0,
		  "%m");
	BOX_CHECK(store_open(dir, &store, &why) == -EROFS, "%s", why.text);
	BOX_CHECK(strstr(why.text, "Read-only file system"), "%s", why.text);
	return 0;
}

Test(store_open, a_read_only_file_system_is_named)
{
	box_run_alone(CLONE_NEWNS, on_read_only, shelf.dir);
}

static void put(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

Test(store_open, what_is_no_database_is_damaged_and_stays_as_it_is)
{
	static const char garbage[5000] =
		"this is no database, and long enough for a page";

	put(shelf_path(&shelf, "natd.db"), garbage, sizeof(garbage));
	refused(shelf.dir, -EUCLEAN, "damaged");
	refused(shelf.dir, -EUCLEAN, "natd changes nothing in it");
	cr_expect_eq(size_of(shelf_path(&shelf, "natd.db")), (off_t)sizeof(garbage));
}

Test(store_open, a_database_of_somebody_else_is_refused)
{
	shelf_sql(&shelf, "CREATE TABLE songs (title TEXT)");
	refused(shelf.dir, -EUCLEAN, "it is not natd's");
	shelf_sql(&shelf, "PRAGMA user_version = 1");
	refused(shelf.dir, -EUCLEAN, "it is not natd's");
}

/* Never a new one: a natd.db is complete when it gets its name. */
Test(store_open, an_empty_file_is_a_store_that_was_emptied)
{
	put(shelf_path(&shelf, "natd.db"), "", 0);
	refused(shelf.dir, -EUCLEAN, "natd --recover");
	cr_expect_eq(size_of(shelf_path(&shelf, "natd.db")), 0);
}

Test(store_open, a_store_that_is_gone_and_left_its_log_is_damaged)
{
	put(shelf_path(&shelf, "natd.db-wal"), "frames", 6);
	refused(shelf.dir, -EUCLEAN, "it is gone, and its log is there");
}

Test(store_open, a_newer_format_is_named_with_both_numbers)
{
	shelf_open(&shelf);
	shelf_close(&shelf);
	shelf_sql(&shelf, "PRAGMA user_version = 7");
	refused(shelf.dir, -EPROTO, "format 7, this natd knows up to 3");
	/* and it was left alone */
	shelf_sql(&shelf, "PRAGMA user_version = 3");
	shelf_open(&shelf);
}

Test(store_open, a_directory_for_a_file_is_refused)
{
	cr_assert_eq(mkdir(shelf_path(&shelf, "natd.db"), 0700), 0);
	refused(shelf.dir, -EUCLEAN, "natd.db");
	rmdir(shelf_path(&shelf, "natd.db"));
}

/* The first start, cut off at each of its steps, is followed by one that works. */
Test(store_open, a_first_start_that_fails_at_any_step_can_be_repeated, .timeout = 60)
{
	unsigned int step = 1;

	fault_vfs_install();
	for (;; step++) {
		struct store_fault why = { "" };
		struct store *store = NULL;
		int r;

		cr_assert_lt(step, 200);
		fault_vfs_arm(step, true, false);
		r = store_open(shelf.dir, &store, &why);
		store_close(store);
		if (r == 0 && !fault_vfs.failed)
			break;
		cr_assert(r == 0 || r == -EIO, "step %u: %d, %s", step, r, why.text);
		fault_vfs_arm(0, false, false);
		shelf_open(&shelf);
		cr_assert_eq(store_sequence(shelf.store), 0, "step %u", step);
		shelf_done(&shelf);
		shelf_make(&shelf);
	}
	cr_expect_gt(step, 5);
}

/* ------------------------------------------------------------ rot */

TestSuite(store_rot, .init = fresh, .fini = done);

/* What store_load() says after @sql was run on the closed file. */
static void loads_as(const char *sql, int error, const char *words)
{
	struct store_fault why = { "" };
	struct table *table = make_table(100);
	struct store *store = NULL;
	int r;

	shelf_close(&shelf);
	shelf_sql(&shelf, sql);
	r = store_open(shelf.dir, &store, &why);
	if (r == 0)
		r = store_load(store, table, &why);
	cr_expect_eq(r, error, "%s: %d %s", sql, r, why.text);
	cr_expect_not_null(strstr(why.text, words), "%s: %s", sql, why.text);
	cr_expect_not_null(strstr(why.text, shelf.dir), "%s", why.text);
	store_close(store);
	table_free(table);
}

Test(store_rot, a_wrong_value_in_any_column_is_found)
{
	static const char *const wrong[] = {
		"name = 'wef'",
		"name = ''",
		"protocol = 'udp'",
		"protocol = 'tcq'",
		"external_address = '*6'",
		"external_address = '10.0.0.9'",
		"external_address = 'x'",
		"external_port = 81",
		"external_port = 0",
		"external_port = 65616",
		"internal_address = '10.0.0.3'",
		"internal_address = ''",
		"internal_port = 208",
		"internal_port = -1",
		"origin = 'config'",
		"origin = 'Admin'",
		"owner_uid = 1",
		"enabled = 0",
		"created = 1001",
		"changed = 1001",
		"changed_by = 1",
		"n_ports = 2",
		"n_ports = 0",
		"n_ports = 65537",
		"lifetime = 1",
		"expires = 1",
		"suffix = 1",
		"lan = 'lan0'",
		"lan = 'an interface with a long name'",
		"comment = 'no'",
		"comment = printf('%.128c', 'a')",
		"remotes = '10.0.0.0/8'",
		"remotes = '10.0.0.0/8  11.0.0.0/8'",
		"remotes = '10.0.0.0'",
		"remotes = 'anybody'",
		"remotes = printf('%.80c', '1')",
		"remotes = replace(printf('%.65c', 'x'), 'x', '10.0.0.0/8 ')",
		"upstream = 'no'",
		"upstream = 'default'",
		"upstream = 'perhaps'",
		"upstream = 'held'",
		"upstream = 'auto-port'",
		"upstream = 'auto-port held'",
		"upstream = ' '",
		"checksum = checksum + 1",
		"id = 3",
	};
	char sql[128], copy[512];

	shelf_close(&shelf);
	snprintf(copy, sizeof(copy), "cp %s/natd.db %s/whole", shelf.dir, shelf.dir);
	cr_assert_eq(system(copy), 0);
	snprintf(copy, sizeof(copy), "cp %s/whole %s/natd.db", shelf.dir, shelf.dir);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(sql, sizeof(sql), "UPDATE mapping SET %s WHERE id = 1",
			 wrong[i]);
		loads_as(sql, -EUCLEAN, "does not fit its checksum");
		cr_assert_eq(system(copy), 0);
	}
	shelf_open(&shelf);
	cr_expect_eq(table_size(shelf.table), 2);
}

Test(store_rot, a_lost_row_is_missed)
{
	loads_as("DELETE FROM mapping WHERE id = 2", -EUCLEAN,
		 "1 mapping in it, not the 2 that were written");
}

Test(store_rot, a_row_that_took_the_place_of_another_is_found)
{
	loads_as(
		"DELETE FROM mapping WHERE id = 2;"
		"INSERT INTO mapping SELECT id + 1, 'twin', 'udp', external_address, "
		"external_port, internal_address, internal_port, origin, owner_uid, enabled, "
		"created, changed, changed_by, n_ports, lifetime, expires, suffix, lan, "
		"comment, remotes, checksum, upstream FROM mapping "
		"WHERE id = 1",
		-EUCLEAN, "mapping 2 does not fit its checksum");
}

Test(store_rot, the_meta_row_is_guarded_too)
{
	static const char *const wrong[] = {
		"UPDATE meta SET sequence = sequence + 1",
		"UPDATE meta SET next_id = 1",
		"UPDATE meta SET rows = 1",
		"UPDATE meta SET digest = 0",
		"UPDATE meta SET checksum = 0",
		"DELETE FROM meta",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		loads_as(wrong[i], -EUCLEAN, "its table meta");
		shelf_done(&shelf);
		fresh();
	}
}

Test(store_rot, a_missing_table_is_damage)
{
	loads_as("DROP TABLE ending", -EUCLEAN, "no such table: ending");
	shelf_done(&shelf);
	fresh();
	loads_as("DROP TABLE mapping", -EUCLEAN, "no such table: mapping");
	shelf_done(&shelf);
	fresh();
	loads_as("DROP TABLE traffic", -EUCLEAN, "no such table: traffic");
}

/* The row has its right checksum: what is wrong is that it is there. */
static void row_is_found(uint64_t id, const char *name, const char *words)
{
	struct mapping m = make_mapping("tcp 81 10.0.0.9:81");
	char sql[512];

	/* 3 becomes an id that was given */
	cr_assert_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	cr_assert_eq(shelf_ask(&shelf, "-tcp 81"), 0);
	m.id = id;
	m.changed = m.created;
	snprintf(m.name, sizeof(m.name), "%s", name);
	snprintf(
		sql, sizeof(sql),
		"DROP INDEX mapping_name; INSERT INTO mapping VALUES (%llu, '%s', 'tcp', '*4', "
		"81, '10.0.0.9', 81, 'admin', 0, 1, 1000, 1000, 0, 1, 0, 0, 0, '', '', '', "
		"%lld, '')",
		(unsigned long long)id, name, (long long)store_checksum_mapping(&m));
	loads_as(sql, -EUCLEAN, words);
}

Test(store_rot, two_rows_of_one_name_quarrel)
{
	row_is_found(3, "web", "mapping 3 quarrels with another");
}

Test(store_rot, an_id_that_was_never_given_is_found)
{
	row_is_found(9, "other", "mapping 9 has an id that was never given");
}

Test(store_rot, a_row_that_is_no_mapping_is_found)
{
	row_is_found(3, "1-digit-first", "mapping 3 is no valid mapping");
}

Test(store_rot, a_wrong_ending_is_found)
{
	cr_assert_eq(shelf_ask(&shelf, "-web"), 0);
	shelf_sql(&shelf, "UPDATE ending SET external_port = 81");
	cr_expect_eq(store_endings(shelf.store, NULL, NULL), -EUCLEAN);
	shelf_sql(&shelf, "UPDATE ending SET external_port = 80, last_port = 81");
	cr_expect_eq(store_endings(shelf.store, NULL, NULL), -EUCLEAN);
	shelf_sql(&shelf, "UPDATE ending SET last_port = 0");
	cr_expect_eq(store_endings(shelf.store, NULL, NULL), -EUCLEAN);
}
