/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "shelf.h"

static struct shelf shelf;

static void fresh(void)
{
	shelf_fresh(&shelf);
}

static void done(void)
{
	shelf_done(&shelf);
}

TestSuite(store, .init = fresh, .fini = done);

Test(store, a_new_one_is_empty_and_starts_at_zero)
{
	cr_expect_eq(store_sequence(shelf.store), 0);
	cr_expect_eq(table_size(shelf.table), 0);
	cr_expect_eq(table_next_id(shelf.table), 1);
	shelf_expect(&shelf);
}

Test(store, every_field_comes_back)
{
	struct change_list list = make_list("+tcp 8080 192.168.1.10:80 web\n"
					    "+tcp,udp 53 192.168.1.11:5353 dns\n"
					    "+tcp 443 [2001:db8::10]:443\n"
					    "+tcp 8443 [2001:db8::10]:443 v6\n"
					    "+udp 65535 [fd00::10]:65535\n"
					    "cudp 1 10.0.0.1:1 file");
	struct plan *plan = NULL;

	list.changes[0].mapping.owner_uid = UINT32_MAX;
	list.changes[1].mapping.created = 1738324800;
	list.changes[2].mapping.enabled = false;
	cr_assert_eq(table_stage(shelf.table, &list, 1, &shelf_world, &plan), 0);
	cr_assert(!plan_refused(plan, 0));
	cr_assert_eq(store_begin(shelf.store, plan, table_next_id(shelf.table)), 0);
	cr_assert_eq(store_commit(shelf.store), 0);
	table_commit(shelf.table, plan);
	plan_free(plan);
	change_list_done(&list);

	cr_expect_eq(store_sequence(shelf.store), 1);
	cr_expect_eq(table_size(shelf.table), 7);
	shelf_expect(&shelf);
	cr_expect_eq(table_find_id(shelf.table, 1)->owner_uid, UINT32_MAX);
	cr_expect_not(table_find_name(shelf.table, "file", IPPROTO_UDP)->enabled ==
		      false);
}

Test(store, a_removed_id_is_not_given_again_after_a_restart)
{
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80\n+tcp 81 10.0.0.1:81"), 0);
	cr_assert_eq(shelf_ask(&shelf, "-tcp 81"), 0);
	shelf_expect(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 82 10.0.0.1:82"), 0);
	cr_expect_not_null(table_find_id(shelf.table, 3));
	shelf_expect(&shelf);
}

Test(store, effects_are_taken_in_order)
{
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web"), 0);
	cr_assert_eq(shelf_ask(&shelf, "-web\n+tcp 80 10.0.0.2:80 web"), 0);
	cr_assert_eq(
		shelf_ask(&shelf, "+tcp 81 10.0.0.1:81 a\n-a\n+tcp 81 10.0.0.2:81 a"), 0);
	cr_expect_eq(table_size(shelf.table), 2);
	cr_expect_eq(store_sequence(shelf.store), 3);
	shelf_expect(&shelf);
}

/* "+tcp PORT 10.0.0.1:PORT namePORT", @n times from @port on; returns its end */
static char *put_additions(char *at, unsigned int port, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, port++)
		at += sprintf(at, "%s+tcp %u 10.0.0.1:%u name%u", i ? "\n" : "", port,
			      port, port);
	return at;
}

Test(store, lists_of_every_length_are_written_whole)
{
	static const unsigned int lengths[] = { 1, 15, 16, 17, 31, 32, 33, 48, 100 };
	unsigned int port = 1;
	char text[8192];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); port += lengths[i++]) {
		put_additions(text, port, lengths[i]);
		cr_assert_eq(shelf_ask(&shelf, text), 0);
		shelf_expect(&shelf);
	}
	cr_expect_eq(table_size(shelf.table), port - 1);
}

Test(store, additions_between_removals_keep_their_order)
{
	char text[8192], *at = text;

	put_additions(text, 1, 20);
	cr_assert_eq(shelf_ask(&shelf, text), 0);
	at = put_additions(at, 100, 15);
	at += sprintf(at, "\n-tcp 3\n+tcp 3 10.0.0.2:3\n-tcp 100\n");
	at = put_additions(at, 200, 40);
	sprintf(at, "\n-tcp 201\n+tcp 201 10.0.0.3:201");
	cr_assert_eq(shelf_ask(&shelf, text), 0);
	cr_expect_eq(table_size(shelf.table), 20 + 15 - 1 + 40);
	shelf_expect(&shelf);
}

/* The row in the way, which somebody wrote, is within one statement of many. */
Test(store, a_list_with_one_row_in_the_way_is_not_written_at_all)
{
	char text[8192];

	shelf_sql(&shelf,
		  "INSERT INTO mapping VALUES (7, '', 'tcp', '*4', 999, "
		  "'10.0.0.1', 999, 'admin', 0, 1, 1, 1, 0, 1, 0, 0, 0, '', '', '', 1, "
		  "'')");
	put_additions(text, 1, 32);
	cr_expect_eq(shelf_ask(&shelf, text), -EUCLEAN);
	shelf_sql(&shelf, "DELETE FROM mapping WHERE id = 7");
	shelf_expect(&shelf);
	cr_expect_eq(shelf_ask(&shelf, text), 0);
}

Test(store, what_was_rolled_back_never_was)
{
	struct plan *plan = NULL;

	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web"), 0);
	cr_assert_eq(shelf_begin(&shelf, "-web\n+udp 53 10.0.0.2:53", &plan), 0);
	store_rollback(shelf.store);
	plan_free(plan);
	cr_expect_eq(store_sequence(shelf.store), 1);
	shelf_expect(&shelf);
}

Test(store, what_was_open_when_it_closes_never_was)
{
	struct plan *plan = NULL;

	cr_assert_eq(shelf_begin(&shelf, "+udp 53 10.0.0.2:53", &plan), 0);
	plan_free(plan);
	shelf_expect(&shelf);
}

/* A process of its own begins, perhaps commits, and is killed. */
static void die_after(bool commit)
{
	struct plan *plan = NULL;
	int status;
	pid_t pid;

	shelf_close(&shelf);
	pid = fork();
	if (pid == 0) {
		if (shelf_try(&shelf) == 0 &&
		    shelf_begin(&shelf, "+udp 53 10.0.0.2:53", &plan) == 0 &&
		    (!commit || store_commit(shelf.store) == 0))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	shelf_open(&shelf);
}

Test(store, killed_before_the_commit_nothing_is_there)
{
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web"), 0);
	die_after(false);
	cr_expect_eq(table_size(shelf.table), 1);
	cr_expect_eq(store_sequence(shelf.store), 1);
}

Test(store, killed_after_the_commit_all_is_there)
{
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80 web"), 0);
	die_after(true);
	cr_expect_eq(table_size(shelf.table), 2);
	cr_expect_eq(store_sequence(shelf.store), 2);
	cr_expect_eq(table_next_id(shelf.table), 3);
}

/* ------------------------------------------------------------ a thousand random plans */

static size_t random_below(size_t n)
{
	return (size_t)rand() % n;
}

static void add_random(struct change_list *list)
{
	static const char *const hosts[] = { "10.0.0.1:80", "10.0.0.2:81", "[fd00::1]:80",
					     "[2001:db8::1]:80" };
	static const char *const protocols[] = { "tcp", "udp", "tcp,udp" };
	struct change change;
	char text[128];

	if (random_below(3) == 0)
		snprintf(text, sizeof(text), "#%zu", 1 + random_below(400));
	else if (random_below(4) == 0)
		snprintf(text, sizeof(text), "n%zu", random_below(40));
	else
		text[0] = '\0';
	if (text[0]) {
		change = make_remove(text);
	} else {
		snprintf(text, sizeof(text), "%s %zu %s", protocols[random_below(3)],
			 80 + random_below(20), hosts[random_below(4)]);
		if (random_below(2))
			snprintf(text + strlen(text), 16, " n%zu", random_below(40));
		change = make_add(text);
	}
	cr_assert_eq(change_list_add(list, &change), 0);
}

static void random_turn(void)
{
	struct change_list lists[4] = { 0 };
	struct plan *plan = NULL;
	bool takes = random_below(5) > 0;
	size_t n = 1 + random_below(4);

	for (size_t i = 0; i < n; i++) {
		for (size_t c = 1 + random_below(3); c > 0; c--)
			add_random(&lists[i]);
	}
	cr_assert_eq(table_stage(shelf.table, lists, n, &shelf_world, &plan), 0);
	cr_assert_eq(store_begin(shelf.store, plan, table_next_id(shelf.table)), 0);
	if (takes) {
		cr_assert_eq(store_commit(shelf.store), 0);
		table_commit(shelf.table, plan);
	} else {
		store_rollback(shelf.store);
	}
	plan_free(plan);
	for (size_t i = 0; i < n; i++)
		change_list_done(&lists[i]);
}

Test(store, agrees_with_the_table_through_a_thousand_random_plans, .timeout = 120)
{
	unsigned int seed = (unsigned int)time(NULL);

	fprintf(stderr, "seed %u\n", seed);
	srand(seed);
	for (int i = 1; i <= 1000; i++) {
		random_turn();
		if (i % 50 == 0)
			cr_assert(shelf_agrees(&shelf), "turn %d, seed %u", i, seed);
	}
	cr_expect_gt(table_next_id(shelf.table), 100, "seed %u", seed);
}

/* ------------------------------------------------------------ many */

static void add_many(unsigned int n)
{
	struct change_list list = { 0 };
	struct plan *plan = NULL;
	char text[64];

	for (unsigned int i = 1; i <= n; i++) {
		struct change change;

		snprintf(text, sizeof(text), "tcp %u 192.168.%u.%u:80 name-%u", i,
			 i >> 8 & 255, 1 + i % 250, i);
		change = make_add(text);
		cr_assert_eq(change_list_add(&list, &change), 0);
	}
	cr_assert_eq(table_stage(shelf.table, &list, 1, &shelf_world, &plan), 0);
	change_list_done(&list);
	cr_assert_eq(store_begin(shelf.store, plan, table_next_id(shelf.table)), 0);
	cr_assert_eq(store_commit(shelf.store), 0);
	table_commit(shelf.table, plan);
	plan_free(plan);
}

Test(store, the_log_of_60000_mappings_does_not_stay, .timeout = 60)
{
	struct stat st;

	add_many(60000);
	cr_assert_eq(shelf_ask(&shelf, "+udp 1 10.0.0.1:1"), 0);
	cr_assert_eq(stat(shelf_path(&shelf, "natd.db-wal"), &st), 0);
	cr_expect_leq(st.st_size, 1024 * 1024 + 65536, "%lld bytes",
		      (long long)st.st_size);
	shelf_expect(&shelf);
	cr_expect_eq(table_size(shelf.table), 60001);
}

Test(store, a_table_that_is_too_small_is_said)
{
	struct table *small = make_table(9);
	struct store_fault why = { "" };

	add_many(10);
	cr_expect_eq(store_load(shelf.store, small, &why), -ENOSPC);
	cr_expect_not_null(strstr(why.text, "more than 9 mappings"), "%s", why.text);
	table_free(small);
}

/* ------------------------------------------------------------ others at the same file */

Test(store, a_second_natd_is_kept_out_and_told_by_whom)
{
	struct store_fault why = { "" };
	struct store *second = NULL;
	char pid[32];

	snprintf(pid, sizeof(pid), "pid %d,", getpid());
	cr_expect_eq(store_open(shelf.dir, &second, &why), -EBUSY);
	cr_expect_null(second);
	cr_expect_not_null(strstr(why.text, "another natd"), "%s", why.text);
	cr_expect_not_null(strstr(why.text, pid), "%s", why.text);
	/* and the first goes on */
	cr_expect_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80"), 0);
}

static int read_text(void *userdata, int n, char **values, char **names)
{
	char *text = userdata;

	for (int i = 0; i < n; i++)
		snprintf(text + strlen(text), 64, "%s ", values[i] ? values[i] : "-");
	return 0;
}

Test(store, an_administrator_reads_it_while_natd_runs)
{
	char text[512] = "";
	sqlite3 *db = NULL;

	cr_assert_eq(
		shelf_ask(&shelf, "+tcp 8080 192.168.1.10:80 web\n+udp 53 [fd00::1]:53"),
		0);
	cr_assert_eq(sqlite3_open_v2(shelf_path(&shelf, "natd.db"), &db,
				     SQLITE_OPEN_READONLY, NULL),
		     SQLITE_OK);
	cr_assert_eq(
		sqlite3_exec(
			db,
			"SELECT id, name, protocol, external_address, external_port, "
			"internal_address, internal_port, origin FROM mapping",
			read_text, text, NULL),
		SQLITE_OK);
	cr_expect_str_eq(text, "1 web tcp *4 8080 192.168.1.10 80 admin "
			       "2  udp *6 53 fd00::1 53 admin ");
	/* an open reader keeps nobody from writing */
	cr_assert_eq(sqlite3_exec(db, "BEGIN; SELECT * FROM meta", NULL, NULL, NULL),
		     SQLITE_OK);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	sqlite3_close(db);
	shelf_expect(&shelf);
}

Test(store, locked_by_another_program_it_says_busy_and_recovers)
{
	sqlite3 *db = NULL;

	cr_assert_eq(sqlite3_open(shelf_path(&shelf, "natd.db"), &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), -EBUSY);
	cr_assert_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	shelf_expect(&shelf);
}

/* ------------------------------------------------------------ files */

Test(store, its_files_are_for_its_user_and_group_only)
{
	static const char *const names[] = { "natd.db", "natd.lock", "natd.db-wal" };
	struct stat st;

	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_assert_eq(stat(shelf_path(&shelf, names[i]), &st), 0, "%s", names[i]);
		cr_expect_eq(st.st_mode & 07137, 0, "%s: %o", names[i], st.st_mode);
	}
}

/* natd --teardown is run by root, in a directory that is natd's. */
Test(store, what_root_makes_belongs_to_the_owner_of_the_directory)
{
	static const char *const names[] = { "natd.db", "natd.lock", "natd.db-wal" };
	struct stat st;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	shelf_done(&shelf);
	shelf_make(&shelf);
	if (chown(shelf.dir, 65534, 65534) < 0)
		cr_skip_test("needs root that may give files away");
	shelf_open(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_assert_eq(stat(shelf_path(&shelf, names[i]), &st), 0, "%s", names[i]);
		cr_expect_eq(st.st_uid, 65534, "%s", names[i]);
	}
}

Test(store, a_file_that_was_moved_away_takes_no_changes)
{
	char aside[512];

	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80"), 0);
	snprintf(aside, sizeof(aside), "%s", shelf_path(&shelf, "aside"));
	cr_assert_eq(rename(shelf_path(&shelf, "natd.db"), aside), 0);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), -ENOENT);
	cr_assert_eq(rename(aside, shelf_path(&shelf, "natd.db")), 0);
	cr_expect_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	shelf_expect(&shelf);
}
