/* SPDX-License-Identifier: GPL-2.0-or-later */

/* natd --recover, where the topology test does not reach: see tests/netns/recover. */

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/gateway/recover.h"
#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"
#include "tests/unit/natd/kinds.h"

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

static void note(void *userdata, const struct ruleset_slot *slot)
{
	const struct mapping *m =
		table_find(table, slot->kind, slot->protocol, &slot->external);

	++*(int *)userdata;
	cr_expect(m && endpoint_equal(&m->internal, &slot->internal), "%s %u",
		  protocol_name(slot->protocol), slot->external.port);
}

TEST_IN_BOTH(recover, every_mapping_is_told_as_it_is)
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

static void ignore(void *userdata, const struct mapping *m)
{
}

static void lay_in_table(const struct table *rows, uint64_t number)
{
	struct store_remains remains;
	struct store_fault why = { "" };
	struct store *store = NULL;

	cr_assert_eq(store_salvage(dir, ignore, NULL, &remains, &store, &why), 0, "%s",
		     why.text);
	cr_assert_eq(store_replace(store, rows, number, &why), 0, "%s", why.text);
	store_close(store);
	/* it is named by the second, and the next one may come in the same */
	netns_run("rm -f %s/natd.db.damaged-*", dir);
}

/* A store of its own, with these rows and that number. */
static void lay_in(const char *lines, uint64_t number, bool last_is_disabled)
{
	struct table *rows = make_loaded(lines);
	struct mapping m = make_mapping("udp 9 192.168.1.10:9 asleep");

	m.id = table_next_id(rows);
	m.enabled = false;
	if (last_is_disabled)
		cr_assert_eq(table_load(rows, &m), 0);
	lay_in_table(rows, number);
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
	return table_find(found, MAPPING_FORWARD4, protocol,
			  &(struct endpoint){ address_any4, port });
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

/* ------------------------------------------------------------ every kind */

/* Table and kernel have every kind of mapping. */
static void sync_every_kind(void)
{
	static const struct lan_prefix lans[] = {
		{ "lan0", { { { 0x20, 0x01, 0x0d, 0xb8, 0, 1 } } } },
		{ "lan1", { { { 0x20, 0x01, 0x0d, 0xb8, 0, 2 } } } },
	};
	struct conditions at = ordinary;
	struct change_list list = kinds_list();
	struct plan *plan = NULL;

	at.lans = (struct lan_prefix_list){ lans, ARRAY_SIZE(lans) };
	cr_assert_eq(table_stage(table, &list, 1, &at, &plan), 0);
	cr_assert_not(plan_refused(plan, 0));
	table_commit(table, plan);
	plan_free(plan);
	change_list_done(&list);
	sequence = 9;
	fixture_sync();
}

static bool same_remotes(const struct mapping *a, const struct mapping *b)
{
	size_t n, m;
	const struct prefix *left = mapping_remotes(a, &n);
	const struct prefix *right = mapping_remotes(b, &m);

	for (size_t i = 0; i < n && n == m; i++)
		if (!prefix_equal(&left[i], &right[i]))
			return false;
	return n == m;
}

/* Of what is the same to the kernel. */
static const struct mapping *find_same(const struct table *found, const struct mapping *m)
{
	const struct mapping *f;

	table_for_each (found, f)
		if (f->protocol == m->protocol && f->n_ports == m->n_ports &&
		    f->internal.port == m->internal.port && f->enabled == m->enabled &&
		    endpoint_equal(&f->external, &m->external) &&
		    address_equal(&f->host, &m->host) && same_remotes(f, m))
			return f;
	return NULL;
}

Test(recover, every_kind_comes_of_the_kernel_alone)
{
	struct table *found;
	const struct mapping *m;
	uint64_t number;

	sync_every_kind();
	found = recover(&number);
	cr_expect_eq(number, 10);
	cr_expect_eq(table_size(found), table_size(table) - 2,
		     "the disabled one, and the one that waits");
	table_for_each (table, m) {
		if (mapping_is_live(m))
			cr_expect_not_null(find_same(found, m), "%s", m->name);
	}
	table_free(found);
}

Test(recover, every_kind_gets_back_what_its_row_says)
{
	const struct mapping *m, *f;
	struct table *found;
	uint64_t number;
	size_t lost = 0;

	sync_every_kind();
	lay_in_table(table, 8);
	sql("UPDATE mapping SET comment = 'rot' WHERE name IN ('mail', 'host')");
	found = recover(&number);
	cr_expect_eq(number, 10);
	cr_expect_eq(table_size(found), table_size(table));
	table_for_each (table, m) {
		f = table_find_id(found, m->id);
		lost += !f;
		if (!f)
			continue;
		cr_expect_str_eq(f->name, m->name);
		cr_expect_eq(f->suffix, m->suffix, "%s", m->name);
		cr_expect_eq(f->expires, m->expires, "%s", m->name);
		cr_expect_eq(f->upstream, m->upstream, "%s", m->name);
		cr_expect_eq(f->held, m->held, "%s", m->name);
		cr_expect_eq(f->auto_port, m->auto_port, "%s", m->name);
		cr_expect(details_equal(f->details, m->details), "%s", m->name);
	}
	cr_expect_eq(lost, 2);
	f = find_same(found, table_find_name(table, "mail", IPPROTO_TCP));
	cr_expect(f && !f->name[0] && f->id > table_next_id(table) - 1);
	says("2 of 33 rows could not be read");
	table_free(found);
}

/* Switched on since, which only the kernel knows. */
Test(recover, what_the_kernel_has_is_switched_on)
{
	struct table *found;
	uint64_t number;

	fixture_load("udp 9 192.168.1.10:9\ntcp 80 192.168.1.10:80");
	sequence = 9;
	fixture_sync();
	lay_in("tcp 80 192.168.1.10:80 web", 5, true);
	found = recover(&number);
	cr_expect_eq(table_size(found), 2);
	cr_expect_str_eq(at(found, IPPROTO_UDP, 9)->name, "asleep");
	cr_expect(at(found, IPPROTO_UDP, 9)->enabled);
	table_free(found);
}

/* The row is of when the router above us did not hold it, or of when it did. */
Test(recover, what_the_kernel_has_is_held_and_what_it_has_not_may_not_be)
{
	struct table *found;
	const struct mapping *m;
	uint64_t number;

	fixture_load("tcp 80 192.168.1.10:80 a upstream=required held");
	sequence = 9;
	fixture_sync();
	lay_in("tcp 80 192.168.1.10:80 a upstream=required\n"
	       "tcp 81 192.168.1.10:81 b upstream=required\n"
	       "tcp 82 192.168.1.10:82 c upstream=required held\n"
	       "tcp 83 192.168.1.10:83 d upstream=yes",
	       5, false);
	found = recover(&number);
	cr_expect_eq(table_size(found), 2);
	m = table_find_name(found, "a", IPPROTO_TCP);
	cr_expect(m && m->held && m->upstream == UPSTREAM_REQUIRED);
	m = table_find_name(found, "b", IPPROTO_TCP);
	cr_expect(m && !m->held && m->upstream == UPSTREAM_REQUIRED);
	says("lost: tcp 82 \"c\"");
	says("lost: tcp 83 \"d\"");
	table_free(found);
}

/* Its LAN has no prefix at the moment: it is in the store, and not in the kernel. */
Test(recover, a_suffix_that_waits_is_kept_if_nothing_was_changed_since)
{
	for (uint64_t kernel = 9; kernel <= 11; kernel++) {
		struct table *rows = make_loaded("tcp 80 192.168.1.10:80 web");
		struct table *found;
		struct mapping m = make_mapping("tcp 443 [::10]:443 host");
		uint64_t number;

		m.suffix = true;
		m.id = 2;
		m.host = m.external.addr = address_any6;
		cr_assert_eq(table_load(rows, &m), 0);
		if (kernel > 9)
			fixture_reopen();
		else
			fixture_load("tcp 80 192.168.1.10:80");
		sequence = kernel;
		fixture_sync();
		lay_in_table(rows, 9);
		sql("UPDATE mapping SET created = 5 WHERE name = 'web'");
		found = recover(&number);
		cr_expect_eq(table_find_name(found, "host", IPPROTO_TCP) != NULL,
			     kernel <= 10, "%d", (int)kernel);
		cr_expect_eq(table_size(found), kernel <= 10 ? 2 : 1);
		table_free(found);
		table_free(rows);
	}
}
