/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../fake/fault_vfs.h"
#include "box.h"
#include "core/cleanup.h"
#include "shelf.h"

/* What natd --recover asks of the store. */

static struct shelf shelf;
static struct table *read_back;
static struct store_remains remains;

static void fresh(void)
{
	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web\n+udp 53 [fd00::1]:53"),
		     0);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	read_back = make_table(70000);
}

static void done(void)
{
	fault_vfs_arm(0, false, false);
	table_free(read_back);
	shelf_done(&shelf);
}

TestSuite(store_recover, .init = fresh, .fini = done, .timeout = 120);

static void on_row(void *userdata, const struct mapping *m)
{
	table_load(read_back, m);
}

static struct store *salvage(void)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	shelf_close(&shelf);
	cr_assert_eq(store_salvage(shelf.dir, on_row, NULL, &remains, &store, &why), 0,
		     "%s", why.text);
	return store;
}

static size_t copies(void)
{
	DIR *dir = opendir(shelf.dir);
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(dir)))
		n += !strncmp(entry->d_name, "natd.db.damaged-", 16) &&
		     !strstr(entry->d_name, "-wal");
	closedir(dir);
	return n;
}

Test(store_recover, a_damaged_store_is_copied_aside_once)
{
	struct stat original, copy;

	shelf_close(&shelf);
	shelf_sql(&shelf, "UPDATE mapping SET name = 'wob' WHERE id = 1");
	cr_assert_eq(stat(shelf_path(&shelf, "natd.db"), &original), 0);
	cr_expect_eq(shelf_try(&shelf), -EUCLEAN);
	shelf_close(&shelf);
	cr_expect_eq(shelf_try(&shelf), -EUCLEAN);
	cr_expect_eq(copies(), 1, "%zu", copies());
	store_close(salvage());
	cr_expect_eq(copies(), 1, "%zu", copies());
	cr_assert_eq(stat(shelf_path(&shelf, remains.aside), &copy), 0);
	cr_expect_eq(copy.st_size, original.st_size);
	cr_assert_eq(stat(shelf_path(&shelf, "natd.db"), &copy), 0);
	cr_expect_eq(copy.st_mtime, original.st_mtime, "it stays as it was");
}

Test(store_recover, what_cannot_be_copied_aside_is_said)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	/* a directory has the name of the copy that is being written */
	shelf_close(&shelf);
	cr_assert_eq(mkdir(shelf_path(&shelf, "natd.db.copying"), 0700), 0);
	cr_expect_lt(store_salvage(shelf.dir, on_row, NULL, &remains, &store, &why), 0);
	cr_expect_not_null(strstr(why.text, "copying it aside"), "%s", why.text);
	cr_expect_null(store);
	shelf_sql(&shelf, "UPDATE mapping SET name = 'wob' WHERE id = 1");
	cr_expect_eq(store_open(shelf.dir, &store, &why), 0);
	cr_expect_eq(store_load(store, read_back, &why), -EUCLEAN);
	cr_expect_not_null(strstr(why.text, "could not be copied aside"), "%s", why.text);
	store_close(store);
	rmdir(shelf_path(&shelf, "natd.db.copying"));
}

Test(store_recover, rows_beside_a_damaged_one_are_read)
{
	shelf_close(&shelf);
	shelf_sql(&shelf, "UPDATE mapping SET name = 'wob' WHERE id = 1");
	store_close(salvage());
	cr_expect_eq(table_size(read_back), 2);
	cr_expect_null(table_find_id(read_back, 1));
	cr_expect_not_null(table_find_id(read_back, 3));
	cr_expect_eq(remains.sequence, 2);
	cr_expect_eq(remains.next_id, 4);
	cr_expect_eq(remains.rows, 3);
}

/* @n, a multiple of 25 */
static void fill(unsigned int n)
{
	char text[2048];

	for (unsigned int port = 1000; port < 1000 + n; port++) {
		if (port % 25 == 0)
			text[0] = '\0';
		snprintf(text + strlen(text), 64, "%s+tcp %u 10.0.0.1:80 name-%u",
			 text[0] ? "\n" : "", port, port);
		if (port % 25 == 24)
			cr_assert_eq(shelf_ask(&shelf, text), 0);
	}
}

/* The page of natd.db that the row with that name stands in: an index has no '*4'. */
static void rot_page_of(const char *name)
{
	static char bytes[1 << 20];
	char wanted[80], *found;
	FILE *file = fopen(shelf_path(&shelf, "natd.db"), "r+");
	size_t n = fread(bytes, 1, sizeof(bytes), file);

	snprintf(wanted, sizeof(wanted), "%stcp*4", name);
	found = memmem(bytes, n, wanted, strlen(wanted));
	cr_assert_not_null(found);
	cr_assert_eq(fseek(file, (found - bytes) / 4096 * 4096, SEEK_SET), 0);
	memset(bytes, 'r', 4096);
	cr_assert_eq(fwrite(bytes, 1, 4096, file), 4096);
	cr_assert_eq(fclose(file), 0);
}

Test(store_recover, rows_on_both_sides_of_a_damaged_page_are_read)
{
	fill(200);
	shelf_close(&shelf);
	rot_page_of("name-1100");
	cr_expect_eq(shelf_try(&shelf), -EUCLEAN);
	store_close(salvage());
	cr_expect_eq(remains.rows, 203);
	cr_expect_gt(table_size(read_back), 100, "%zu", table_size(read_back));
	cr_expect_lt(table_size(read_back), 203, "%zu", table_size(read_back));
	cr_expect_null(table_find_name(read_back, "name-1100", IPPROTO_TCP));
	cr_expect_not_null(table_find_id(read_back, 1));
	cr_expect_not_null(table_find_id(read_back, 203), "from its end");
}

Test(store_recover, nothing_is_read_of_what_is_no_database)
{
	shelf_close(&shelf);
	cr_assert_eq(truncate(shelf_path(&shelf, "natd.db"), 100), 0);
	store_close(salvage());
	cr_expect_eq(table_size(read_back), 0);
	cr_expect_eq(remains.sequence, 0);
	cr_expect_eq(remains.rows, -1);
	cr_expect_neq(remains.aside[0], 0);
}

Test(store_recover, a_store_that_is_not_there_has_no_remains)
{
	shelf_close(&shelf);
	unlink(shelf_path(&shelf, "natd.db"));
	store_close(salvage());
	cr_expect_eq(remains.aside[0], 0);
	cr_expect_eq(copies(), 0);
}

Test(store_recover, a_natd_that_runs_is_left_alone)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	cr_expect_eq(store_salvage(shelf.dir, on_row, NULL, &remains, &store, &why),
		     -EBUSY);
	cr_expect_null(store);
}

/* The log of the old one, which is full of it, does not come back. */
Test(store_recover, the_new_store_holds_what_it_was_given_and_nothing_else)
{
	struct table *table = make_loaded("udp 7 10.0.0.7:7 seven\ntcp 9 10.0.0.9:9");
	struct store_fault why = { "" };
	struct store *store;

	fill(50);
	store = salvage();
	table_set_next_id(table, 77);
	cr_assert_eq(store_replace(store, table, 99, &why), 0, "%s", why.text);
	store_close(store);
	shelf_open(&shelf);
	cr_expect(shelf_same(shelf.table, table));
	cr_expect_eq(store_sequence(shelf.store), 99);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web"), 0);
	shelf_expect(&shelf);
	table_free(table);
}

/* Whatever fails, the next start finds the old store or the new one, whole. */
static bool replace_with_fault(unsigned int step, bool lasts)
{
	struct table *table = make_loaded("udp 7 10.0.0.7:7 seven");
	struct store_fault why = { "" };
	struct store *store;
	unsigned int failed;
	int r;

	store = salvage();
	fault_vfs_arm(step, lasts, false);
	r = store_replace(store, table, 99, &why);
	failed = fault_vfs.failed;
	fault_vfs_arm(0, false, false);
	store_close(store);
	shelf_open(&shelf);
	cr_expect_eq(table_size(shelf.table), r < 0 ? 3 : 1, "step %u: %d", step, r);
	cr_expect_eq(store_sequence(shelf.store), r < 0 ? 2 : 99);
	table_free(table);
	return failed > 0;
}

Test(store_recover, a_disk_that_fails_leaves_the_old_one_or_the_new_one)
{
	unsigned int step = 1;

	fault_vfs_install();
	for (bool lasts = false;; lasts = true) {
		while (replace_with_fault(step, lasts)) {
			shelf_done(&shelf);
			table_free(read_back);
			fresh();
			cr_assert_lt(++step, 200);
		}
		cr_expect_gt(step, 5);
		if (lasts)
			break;
		shelf_done(&shelf);
		table_free(read_back);
		fresh();
		step = 1;
	}
}

/* natd --recover was killed when the new one was complete, and its place not taken yet;
 * the log of the old one is there. */
Test(store_recover, what_was_cut_off_is_gone_on_with)
{
	struct table *table = make_loaded("udp 7 10.0.0.7:7 seven");
	struct store_fault why = { "" };
	char command[512];
	struct store *store;

	snprintf(command, sizeof(command), "mkdir %s/old && cp %s/natd.db* %s/old",
		 shelf.dir, shelf.dir, shelf.dir);
	cr_assert_eq(system(command), 0);
	store = salvage();
	cr_assert_eq(store_replace(store, table, 99, &why), 0, "%s", why.text);
	store_close(store);
	snprintf(command, sizeof(command),
		 "cd %s && mv natd.db natd.db.recovered && mv old/* . && rmdir old && "
		 "test -s natd.db-wal",
		 shelf.dir);
	cr_assert_eq(system(command), 0);
	shelf_open(&shelf);
	cr_expect(shelf_same(shelf.table, table));
	cr_expect_eq(store_sequence(shelf.store), 99);
	shelf_expect(&shelf);
	table_free(table);
}
