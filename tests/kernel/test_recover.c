/* SPDX-License-Identifier: GPL-2.0-or-later */

/* natd --recover, where the topology test does not reach: see tests/netns/recover. */

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/recover.h"
#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

static char dir[64] = "/tmp/natd-recover-XXXXXX";
static char said[4096];

static void set_up(void)
{
	fixture_enter();
	cr_assert_not_null(mkdtemp(dir));
}

static void tear_down(void)
{
	fixture_leave();
	netns_run("rm -r %s", dir);
}

TestSuite(recover, .init = set_up, .fini = tear_down, .timeout = 60);

/* ------------------------------------------------------------ the kernel's elements */

static void note(void *userdata, uint8_t protocol, const struct endpoint *external,
		 const struct endpoint *internal)
{
	const struct mapping *m = table_find(table, protocol, external);

	++*(int *)userdata;
	cr_expect(m && endpoint_equal(&m->internal, internal), "%s %u",
		  protocol_name(protocol), external->port);
}

TEST_IN_BOTH(recover, every_kind_of_mapping_is_told_as_it_is)
{
	int n = 0;

	fixture_load("tcp 80 192.168.1.10:8080\nudp 80 192.168.1.11:53\n"
		     "tcp 80 [fd00:1::10]:80\ntcp 443 [2001:db8:1::10]:443\n"
		     "tcp 8443 [2001:db8:1::10]:443");
	cr_expect_eq(ruleset_elements(rs, note, &n), -ENOENT);
	fixture_sync();
	cr_expect_eq(ruleset_elements(rs, note, &n), 0);
	cr_expect_eq(n, 5);
	fixture_reopen();
	n = 0;
	cr_expect_eq(ruleset_elements(rs, note, &n), 0);
	cr_expect_eq(n, 5, "of a table whose owner is gone");
}

/* ------------------------------------------------------------ a new store */

/* A store of its own, with these rows and that number. */
static void lay_in(const char *lines, uint64_t number, bool last_is_disabled)
{
	struct table *rows = make_loaded(lines);
	struct store_remains remains;
	struct store_fault why = { "" };
	struct store *store = NULL;
	struct mapping m = make_mapping("udp 9 192.168.1.10:9 off");

	m.id = table_next_id(rows);
	m.enabled = false;
	if (last_is_disabled)
		cr_assert_eq(table_load(rows, &m), 0);
	cr_assert_eq(store_salvage(dir, NULL, NULL, &remains, &store, &why), 0, "%s",
		     why.text);
	cr_assert_eq(store_replace(store, rows, number, &why), 0, "%s", why.text);
	store_close(store);
	table_free(rows);
}

static void sql(const char *text)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/natd.db", dir);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s", text);
	sqlite3_close(db);
}

/* The new store's table, and its number in @ret_number; what was said is in said. */
static struct table *recover(uint64_t *ret_number)
{
	const struct config config = { .n_forwards = 0 };
	struct table *found = make_table(100);
	struct recover_fault fault = { "" };
	struct store_fault why = { "" };
	struct store *store = NULL;
	FILE *out = fmemopen(said, sizeof(said), "w");

	/* as when natd is gone */
	ruleset_close(TAKE(rs));
	cr_assert_eq(recover_store(&config, dir, 1738324800, out, &fault), 0, "%s",
		     fault.text);
	fclose(out);
	cr_assert_eq(store_open(dir, &store, &why), 0, "%s", why.text);
	cr_assert_eq(store_load(store, found, &why), 0, "%s", why.text);
	*ret_number = store_sequence(store);
	store_close(store);
	return found;
}

static const struct mapping *at(const struct table *found, uint8_t protocol,
				uint16_t port)
{
	return table_find(found, protocol, &(struct endpoint){ address_any4, port });
}

static void says(const char *words)
{
	cr_expect_not_null(strstr(said, words), "\"%s\" is not in: %s", words, said);
}

Test(recover, the_kernel_is_believed_and_what_was_switched_off_is_kept)
{
	struct table *found;
	uint64_t number;

	fixture_load("tcp 80 192.168.1.10:80\ntcp 81 192.168.1.99:81");
	sequence = 9;
	fixture_sync();
	lay_in("tcp 80 192.168.1.10:80 web\ntcp 81 192.168.1.10:81 other\n"
	       "tcp 82 192.168.1.10:82 gone\ntcp 83 192.168.1.10:83 rotten",
	       8, true);
	sql("UPDATE mapping SET created = 5 WHERE name = 'rotten'");
	found = recover(&number);
	cr_expect_eq(number, 10);
	cr_expect_eq(table_size(found), 3);
	cr_expect_str_eq(at(found, IPPROTO_TCP, 80)->name, "web");
	cr_expect_eq(at(found, IPPROTO_TCP, 80)->id, 1, "it keeps its id");
	cr_expect_eq(at(found, IPPROTO_TCP, 80)->created, 1000);
	cr_expect_str_eq(at(found, IPPROTO_TCP, 81)->name, "");
	cr_expect_gt(at(found, IPPROTO_TCP, 81)->id, 5, "an id that nobody had");
	cr_expect_not(at(found, IPPROTO_UDP, 9)->enabled);
	says("lost: tcp 81 \"other\" -> 192.168.1.10:81: the kernel's table leads that "
	     "port elsewhere");
	says("lost: tcp 82 \"gone\" -> 192.168.1.10:82: natd.db has it, and the kernel's "
	     "table does not");
	says("1 of 5 rows could not be read");
	table_free(found);
}

/* Somebody loaded a ruleset that he had saved. */
Test(recover, a_table_older_than_the_store_is_believed_last)
{
	struct table *found;
	uint64_t number;

	fixture_load("tcp 80 192.168.1.99:80\ntcp 83 192.168.1.10:83");
	sequence = 2;
	fixture_sync();
	lay_in("tcp 80 192.168.1.10:80 web\ntcp 82 192.168.1.10:82 new\n"
	       "tcp 83 192.168.1.10:83 rotten",
	       20, false);
	sql("UPDATE mapping SET created = 5 WHERE name = 'rotten'");
	found = recover(&number);
	cr_expect_eq(number, 21);
	cr_expect_eq(table_size(found), 3);
	cr_expect_eq(at(found, IPPROTO_TCP, 80)->internal.addr.s6_addr[15], 10);
	cr_expect_str_eq(at(found, IPPROTO_TCP, 82)->name, "new");
	cr_expect_not_null(at(found, IPPROTO_TCP, 83), "only the kernel knows it");
	says("older than natd.db");
	table_free(found);
}

Test(recover, what_is_right_is_left_alone)
{
	struct table *found;
	uint64_t number;

	fixture_load("tcp 80 192.168.1.10:80");
	sequence = 3;
	fixture_sync();
	lay_in("tcp 80 192.168.1.10:80 web", 2, false);
	found = recover(&number);
	cr_expect_eq(number, 2);
	says("Nothing to recover");
	table_free(found);
}
