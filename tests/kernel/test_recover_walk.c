/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * natd --recover, and the first, second, ... allocation fails, once SQLite's included,
 * until none is left to fail. Either the new store is what it is with all the memory
 * there is, nothing lost for want of any, or the old one is as it was and the next try
 * goes well. Nothing crashes, nothing leaks (the address sanitizer sees).
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/gateway/recover.h"
#include "tests/fake/alloc.h"
#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

#define NOW	  1738324800
#define WORDS_MAX 2048

/* kept holds the damaged store as it was before the first try; in memory, where a sync
 * costs nothing */
static char dir[64] = "/dev/shm/natd-recover-XXXXXX", state[80], kept[80];

static void set_up(void)
{
	fixture_enter();
	cr_assert_not_null(mkdtemp(dir));
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(kept, sizeof(kept), "%s/kept", dir);
	netns_run("mkdir %s", state);
}

static void tear_down(void)
{
	fixture_leave();
	netns_run("rm -r %s", dir);
}

TestSuite(recover_walk, .init = set_up, .fini = tear_down, .timeout = 200);

/* ------------------------------------------------------------ a damaged store */

static void sql(const char *text)
{
	char file[128];
	sqlite3 *db;

	snprintf(file, sizeof(file), "%s/natd.db", state);
	cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s", text);
	sqlite3_close(db);
}

/* A store of these mappings, of which "rotten" cannot be read any more. */
static void damage(const char *lines)
{
	struct table *rows = make_loaded(lines);
	struct store_remains remains;
	struct store_fault why = { "" };
	struct store *store = NULL;

	cr_assert_eq(store_salvage(state, NULL, NULL, &remains, &store, &why), 0, "%s",
		     why.text);
	cr_assert_eq(store_replace(store, rows, 8, &why), 0, "%s", why.text);
	store_close(store);
	table_free(rows);
	sql("UPDATE mapping SET created = 5 WHERE name = 'rotten'");
	netns_run("cp -r %s %s", state, kept);
}

static void restore(void)
{
	netns_run("rm -r %s", state);
	netns_run("cp -r %s %s", kept, state);
}

static size_t read_db(const char *of, char *buf, size_t room)
{
	char file[128];
	ssize_t n;
	int fd;

	snprintf(file, sizeof(file), "%s/natd.db", of);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	n = read(fd, buf, room);
	close(fd);
	cr_assert(n > 0 && (size_t)n < room);
	return (size_t)n;
}

static bool is_as_it_was(void)
{
	static char before[1 << 20], after[1 << 20];
	size_t n = read_db(kept, before, sizeof(before));
	char half[128];

	snprintf(half, sizeof(half), "%s/natd.db.recovered", state);
	return read_db(state, after, sizeof(after)) == n && !memcmp(before, after, n) &&
	       access(half, F_OK) < 0;
}

/* ------------------------------------------------------------ what became of it */

/* The store as words, and its number. */
static void describe(char ret[static WORDS_MAX])
{
	struct table *found = make_table(100);
	struct store_fault why = { "" };
	struct store *store = NULL;
	const struct mapping *m;
	int len;

	cr_assert_eq(store_open(state, &store, &why), 0, "%s", why.text);
	cr_assert_eq(store_load(store, found, &why), 0, "%s", why.text);
	len = snprintf(ret, WORDS_MAX, "number %" PRIu64 ", next id %" PRIu64 "\n",
		       store_sequence(store), table_next_id(found));
	table_for_each (found, m) {
		char text[MAPPING_STRLEN];

		len += snprintf(ret + len, WORDS_MAX - (size_t)len,
				"%" PRIu64 " %s %d %" PRIu64 "\n", m->id,
				mapping_describe(m, text), m->enabled, m->created);
		cr_assert_lt(len, WORDS_MAX);
	}
	store_close(store);
	table_free(found);
}

static int recover(unsigned int nth, bool *ret_failed)
{
	const struct config config = { .n_forwards = 0 };
	struct recover_fault why = { "" };
	FILE *out = fopen("/dev/null", "w");
	int r;

	cr_assert_not_null(out);
	alloc_fail_at(nth, false);
	r = recover_store(&config, state, NOW, out, &why);
	*ret_failed = alloc_fail_at(0, false) > 0;
	fclose(out);
	cr_expect(r == 0 || why.text[0], "allocation %u: %d without a word", nth, r);
	return r;
}

static void became(const char *wanted, unsigned int nth)
{
	char words[WORDS_MAX];

	describe(words);
	cr_expect_str_eq(words, wanted, "allocation %u: %s", nth, words);
	restore();
}

/* What is as it was needs no second try each time. */
#define TRY_AGAIN 16

/* Return: was there such an allocation? */
static bool starve(unsigned int nth, const char *wanted)
{
	bool failed, again;
	int r;

	r = recover(nth, &failed);
	if (r == 0) {
		became(wanted, nth);
		return failed;
	}
	cr_expect(failed && r == -ENOMEM, "allocation %u: %d", nth, r);
	cr_assert(is_as_it_was(), "allocation %u: natd.db was touched", nth);
	if (nth % TRY_AGAIN == 1) {
		cr_assert_eq(recover(0, &again), 0, "allocation %u: not again", nth);
		became(wanted, nth);
	}
	return failed;
}

/* Opening and closing nftables takes the kernel 20 ms: every @step-th. Return: how many
 * allocations there are */
static unsigned int walk(unsigned int step)
{
	char wanted[WORDS_MAX];
	unsigned int nth = 1;
	bool failed;

	/* as when natd is gone */
	ruleset_close(TAKE(rs));
	cr_assert_eq(recover(0, &failed), 0);
	describe(wanted);
	cr_assert_not_null(strstr(wanted, "\"web\""), "%s", wanted);
	restore();
	while (starve(nth, wanted))
		cr_assert_lt(nth += step, 50000);
	return nth;
}

#define ROWS                                                                             \
	"tcp 80 192.168.1.10:80 web\ntcp 81 192.168.1.10:81 other\n"                     \
	"udp 82 192.168.1.10:82 gone\ntcp 83 192.168.1.10:83 rotten"

Test(recover_walk, of_the_kernel_and_the_rows)
{
	fixture_load("tcp 80 192.168.1.10:80\ntcp 81 192.168.1.99:81\n"
		     "tcp 83 192.168.1.10:83");
	sequence = 9;
	fixture_sync();
	damage(ROWS);
	cr_expect_gt(walk(1), 20);
}

Test(recover_walk, of_the_rows_alone_with_sqlites_allocations)
{
	cr_assert_eq(alloc_for_sqlite(), SQLITE_OK);
	damage(ROWS);
	cr_expect_gt(walk(getenv("NATD_TEST_LONG") ? 1 : 31), 1000);
}
