/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
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

static struct shelf shelf;

static void fresh(void)
{
	fault_vfs_install();
	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web\n+udp 53 [fd00::1]:53"),
		     0);
}

static void done(void)
{
	fault_vfs_arm(0, false, false);
	shelf_done(&shelf);
}

TestSuite(store_faults, .init = fresh, .fini = done, .timeout = 120);

/* ------------------------------------------------------------ every step fails once */

/* How often a step that failed led to which end. */
static struct {
	unsigned int refused, unknown, yes, no;
} ends;

/* What the engine does about a commit that failed. */
static void find_out(struct plan *plan, uint64_t before)
{
	struct stat st;

	ends.unknown++;
	if (store_reopen(shelf.store) < 0) {
		/* as long as nobody knows, nothing is taken */
		cr_expect_eq(store_begin(shelf.store, plan, 9), -EIO);
		fault_vfs.fail_at = 0;
		cr_assert_eq(store_reopen(shelf.store), 0);
	}
	/* what is read is in natd.db, and not in a log that may be gone tomorrow */
	cr_expect_eq(stat(shelf_path(&shelf, "natd.db-wal"), &st), 0);
	cr_expect_eq(st.st_size, 0);
	if (store_sequence(shelf.store) == before) {
		ends.no++;
		return;
	}
	cr_expect_eq(store_sequence(shelf.store), before + 1);
	ends.yes++;
	table_commit(shelf.table, plan);
}

/* Every statement that there is. */
static struct change_list everything(void)
{
	const struct lease_anchor anchor = { .lease = 77 };
	const struct store_traffic traffic = { .connections = 7 };
	struct change_list list =
		make_list("-web\n+tcp 80 10.0.0.2:80 web\n+tcp 81 10.0.0.1:81");
	struct change update = {
		.kind = CHANGE_UPDATE,
		.selector.id = 2,
		.patch.set = PATCH_ENABLED,
	};

	cr_assert_eq(change_list_add(&list, &update), 0);
	store_set_anchor(shelf.store, &anchor);
	cr_assert_eq(store_put_traffic(shelf.store, 1, &traffic), 0);
	cr_assert_eq(store_put_traffic(shelf.store, 2, &traffic), 0);
	return list;
}

/* One request, with the disk as it is armed. */
static void ask_on_a_bad_disk(void)
{
	uint64_t before = store_sequence(shelf.store);
	struct change_list list = everything();
	struct plan *plan = NULL;
	int r;

	r = shelf_begin_list(&shelf, &list, &plan);
	if (r < 0) {
		ends.refused++;
		cr_expect_eq(r, -EIO);
		cr_expect_eq(store_sequence(shelf.store), before);
	} else {
		r = store_commit(shelf.store);
		if (r == 0)
			table_commit(shelf.table, plan);
		else
			find_out(plan, before);
	}
	plan_free(plan);
}

/* Return: was there a step to fail? */
static bool fail_step(unsigned int step, bool lasts, bool happens)
{
	unsigned int failed;

	fault_vfs_arm(step, lasts, happens);
	ask_on_a_bad_disk();
	failed = fault_vfs.failed;
	fault_vfs_arm(0, false, false);

	/* whatever it was, the next request is taken, and all agree */
	cr_assert_eq(shelf_ask(&shelf, "+udp 99 10.0.0.1:99\n-udp 99"), 0, "step %u",
		     step);
	shelf_expect(&shelf);
	shelf_done(&shelf);
	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web\n+udp 53 [fd00::1]:53"),
		     0);
	return failed > 0;
}

static unsigned int fail_every_step(bool lasts, bool happens)
{
	unsigned int step = 1;

	ends = (typeof(ends)){ 0 };
	while (fail_step(step, lasts, happens)) {
		step++;
		cr_assert_lt(step, 200);
	}
	cr_expect_gt(ends.refused, 0);
	cr_expect_gt(ends.unknown, 0);
	cr_expect_eq(ends.yes + ends.no, ends.unknown);
	return step;
}

Test(store_faults, a_step_that_fails_once_leaves_all_or_nothing)
{
	cr_expect_gt(fail_every_step(false, false), 5);
	cr_expect_gt(ends.no, 0);
}

Test(store_faults, a_disk_that_goes_bad_leaves_all_or_nothing)
{
	cr_expect_gt(fail_every_step(true, false), 5);
	cr_expect_gt(ends.no, 0);
}

/* The disk did it, and said that it did not. */
Test(store_faults, a_commit_that_failed_and_happened_is_a_yes)
{
	fail_every_step(false, true);
	fail_every_step(true, true);
	cr_expect_gt(ends.yes, 0);
}

/* ------------------------------------------------------------ which fault it was */

static int begin_with(int system_errno)
{
	struct plan *plan = NULL;
	int r;

	fault_vfs_arm(1, true, false);
	fault_vfs.system_errno = system_errno;
	r = shelf_begin(&shelf, "+tcp 81 10.0.0.1:81", &plan);
	fault_vfs_arm(0, false, false);
	plan_free(plan);
	return r;
}

Test(store_faults, the_disk_refuses_in_begin_already_and_by_its_own_name)
{
	static const struct {
		int system_errno, r;
	} cases[] = {
		{ ENOSPC, -ENOSPC }, { EDQUOT, -ENOSPC }, { EROFS, -EROFS },
		{ EIO, -EIO },	     { ENOMEM, -ENOMEM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(begin_with(cases[i].system_errno), cases[i].r, "%s",
			     strerror(cases[i].system_errno));
	cr_expect_eq(store_sequence(shelf.store), 1);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	shelf_expect(&shelf);
}

/* Somebody wrote to natd.db while natd had it open. */
Test(store_faults, a_row_that_others_changed_is_no_row_to_remove)
{
	shelf_sql(&shelf, "UPDATE mapping SET checksum = 1 WHERE id = 1");
	cr_expect_eq(shelf_ask(&shelf, "-web"), -EUCLEAN);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
}

Test(store_faults, a_row_that_others_added_is_in_the_way)
{
	shelf_sql(
		&shelf,
		"INSERT INTO mapping SELECT 77, 'x', protocol, external_address, 81, "
		"internal_address, 81, origin, owner_uid, enabled, created, changed, "
		"changed_by, n_ports, lifetime, expires, suffix, lan, comment, remotes, 0, "
		"upstream FROM mapping WHERE id = 1");
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), -EUCLEAN);
	cr_expect_eq(store_sequence(shelf.store), 1);
}

Test(store_faults, a_meta_row_that_others_changed_stops_everything)
{
	shelf_sql(&shelf, "UPDATE meta SET sequence = 9, checksum = 1");
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), -EUCLEAN);
	cr_expect_eq(store_reopen(shelf.store), -EUCLEAN);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), -EIO);
}

Test(store_faults, a_store_that_is_gone_is_not_made_anew)
{
	unlink(shelf_path(&shelf, "natd.db"));
	unlink(shelf_path(&shelf, "natd.db-wal"));
	unlink(shelf_path(&shelf, "natd.db-shm"));
	cr_expect_eq(store_reopen(shelf.store), -ENOENT);
	cr_expect_lt(access(shelf_path(&shelf, "natd.db"), F_OK), 0);
}

Test(store_faults, a_store_that_was_emptied_is_damaged)
{
	int r;

	shelf_sql(&shelf, "PRAGMA wal_checkpoint(TRUNCATE)");
	cr_assert_eq(truncate(shelf_path(&shelf, "natd.db"), 0), 0);
	r = store_reopen(shelf.store);
	cr_expect_eq(r, -EUCLEAN, "%d", r);
}

/* The lock goes on through a reopen: nobody slips in between. */
Test(store_faults, reopening_keeps_others_out)
{
	struct store_fault why = { "" };
	struct store *second = NULL;

	cr_assert_eq(store_reopen(shelf.store), 0);
	cr_expect_eq(store_open(shelf.dir, &second, &why), -EBUSY);
	cr_expect_eq(store_sequence(shelf.store), 1);
	shelf_expect(&shelf);
}

/* ------------------------------------------------------------ a disk that is really full
 */

static int ask_many(unsigned int first)
{
	char text[2048] = "";

	for (unsigned int port = first; port < first + 25; port++)
		snprintf(text + strlen(text), 64, "%s+tcp %u 10.0.0.1:%u name-%u",
			 port == first ? "" : "\n", port, port, port);
	return shelf_ask(&shelf, text);
}

static int fill_up(void *userdata)
{
	size_t before = 0;
	int r = 0;

	BOX_CHECK(mount("tmpfs", shelf.dir, "tmpfs", 0, "size=200k") == 0, "%m");
	BOX_CHECK(shelf_try(&shelf) == 0);
	for (unsigned int port = 1; r == 0 && port < 5000; port += 25) {
		before = table_size(shelf.table);
		r = ask_many(port);
	}
	BOX_CHECK(r == -ENOSPC, "%d", r);
	BOX_CHECK(before > 25 && table_size(shelf.table) == before);
	BOX_CHECK(store_sequence(shelf.store) == before / 25);

	/* it can be asked again, and says the same; with room it goes on */
	BOX_CHECK(ask_many(10000) == -ENOSPC);
	BOX_CHECK(mount(NULL, shelf.dir, NULL, MS_REMOUNT, "size=4m") == 0, "%m");
	BOX_CHECK(ask_many(10000) == 0);
	BOX_CHECK(table_size(shelf.table) == before + 25);
	BOX_CHECK(shelf_agrees(&shelf));
	BOX_CHECK(table_size(shelf.table) == before + 25);
	shelf_close(&shelf);
	return 0;
}

Test(store_faults, a_full_disk_refuses_and_loses_nothing)
{
	shelf_close(&shelf);
	box_run_alone(CLONE_NEWNS, fill_up, NULL);
}

static int open_on_full(void *userdata)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	BOX_CHECK(mount("tmpfs", shelf.dir, "tmpfs", 0, "size=4k") == 0, "%m");
	BOX_CHECK(store_open(shelf.dir, &store, &why) == -ENOSPC, "%s", why.text);
	BOX_CHECK(strstr(why.text, "make room on the disk"), "%s", why.text);
	BOX_CHECK(mount(NULL, shelf.dir, NULL, MS_REMOUNT, "size=4m") == 0, "%m");
	BOX_CHECK(store_open(shelf.dir, &store, &why) == 0, "%s", why.text);
	store_close(store);
	return 0;
}

Test(store_faults, a_first_start_on_a_full_disk_is_refused_and_can_be_repeated)
{
	shelf_close(&shelf);
	box_run_alone(CLONE_NEWNS, open_on_full, NULL);
}
