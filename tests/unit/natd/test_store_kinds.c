/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "kinds.h"
#include "shelf.h"

/* Mappings that are more than one port to one host, and what alters them. */

static struct shelf shelf;

static void fresh(void)
{
	struct change_list list = kinds_list();

	shelf_fresh(&shelf);
	cr_assert_eq(shelf_ask_list(&shelf, &list), 0);
}

static void done(void)
{
	shelf_done(&shelf);
}

TestSuite(store_kinds, .init = fresh, .fini = done, .timeout = 60);

static const struct mapping *named(const char *name)
{
	const struct mapping *m = NULL;

	for (unsigned int i = 0; i < PROTOCOL_COUNT && !m; i++)
		m = table_find_name(shelf.table, name, protocol_at(i));
	cr_assert_not_null(m, "%s", name);
	return m;
}

static void ask(struct change_list list)
{
	cr_assert_eq(shelf_ask_list(&shelf, &list), 0);
}

static void patch(const char *name, const struct patch *patch)
{
	ask(kinds_patch(name, patch));
}

/* The column @what of the mapping @name, as text. */
static const char *column(const char *what, const char *name)
{
	static char text[512];
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;
	char sql[256];

	snprintf(sql, sizeof(sql), "SELECT %s FROM mapping WHERE name = '%s'", what,
		 name);
	cr_assert_eq(sqlite3_open(shelf_path(&shelf, "natd.db"), &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s", sql);
	cr_assert_eq(sqlite3_step(s), SQLITE_ROW, "%s", sql);
	snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	sqlite3_close(db);
	return text;
}

/* ------------------------------------------------------------ they come back */

Test(store_kinds, all_of_every_kind_comes_back)
{
	bool seen[MAPPING_KINDS] = { false };
	const struct mapping *m;

	table_for_each (shelf.table, m)
		seen[mapping_kind(m)] = true;
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		cr_expect(seen[i], "none of kind %zu", i);
	shelf_expect(&shelf);
	cr_expect_eq(table_size(shelf.table), 33);
	cr_expect_eq(named("lease")->expires, shelf_world.lease_now + 3600 * 1000);
	cr_expect_str_eq(mapping_comment(named("lease")), "until tonight");
}

/* They are plain, and written many at a time. */
Test(store_kinds, many_whose_port_natd_chose_come_back)
{
	char text[4096] = "";

	for (unsigned int i = 0; i < 40; i++)
		snprintf(text + strlen(text), 64, "%s+udp %s 10.0.0.%u:80", i ? "\n" : "",
			 i ? "auto" : "12000", i + 1);
	cr_assert_eq(shelf_ask(&shelf, text), 0);
	cr_expect_eq(table_size(shelf.table), 73);
	shelf_expect(&shelf);
}

Test(store_kinds, an_administrator_can_read_them)
{
	cr_expect_str_eq(column("remotes", "mail"), "198.51.100.0/24 203.0.113.64/26");
	cr_expect_str_eq(column("external_address", "at"), "203.0.113.7");
	cr_expect_str_eq(column("external_address", "host"), "host");
	cr_expect_str_eq(column("internal_address", "host"), "::10");
	cr_expect_str_eq(column("lan", "host"), "lan0");
	cr_expect_str_eq(column("external_address", "host-dnat"), "*6");
	cr_expect_str_eq(column("external_address", "pinhole"), "host");
	cr_expect_str_eq(column("n_ports", "dmz"), "65535");
	cr_expect_str_eq(column("protocol", "ula"), "udplite");
	cr_expect_str_eq(column("lifetime", "lease"), "3600");
	cr_expect_str_eq(column("upstream", "must"), "required");
	cr_expect_str_eq(column("upstream", "web"), "");
	cr_expect_str_eq(column("upstream", "any-port"), "auto-port");
}

/* What is kept of a suffix is right in whatever prefix its LAN has tomorrow. */
Test(store_kinds, a_suffix_does_not_depend_on_todays_prefix)
{
	static const struct lan_prefix other[] = {
		{ "lan0", { { { 0x20, 0x01, 0x0d, 0xb8, 7, 7 } } } },
		{ "lan1", { { { 0 } } } },
	};
	struct in6_addr host = named("host")->host;
	size_t moved;

	shelf_world.lans = (struct lan_prefix_list){ other, ARRAY_SIZE(other) };
	table_settle_hosts(shelf.table, &shelf_world.lans, &moved);
	cr_expect_eq(moved, 5);
	cr_expect_not(address_equal(&named("host")->host, &host));
	cr_expect_eq(named("host")->host.s6_addr[5], 7);
	cr_expect_not(mapping_is_live(named("host-too")));
	shelf_expect(&shelf);
	/* and rows can be altered and removed under the new one */
	patch("host-too", &(struct patch){ .set = PATCH_ENABLED });
	patch("host", &(struct patch){ .set = PATCH_LIFETIME, .lifetime = 60 });
	shelf_expect(&shelf);
	cr_assert_eq(shelf_ask(&shelf, "-host\n-host-too\n-host-range\n-host-dnat"), 0);
	shelf_expect(&shelf);
}

/* ------------------------------------------------------------ they are altered */

Test(store_kinds, what_is_altered_is_altered_on_disk)
{
	struct details *comment = NULL;
	struct patch all = {
		.set = PATCH_NAME | PATCH_ENABLED | PATCH_LIFETIME | PATCH_COMMENT |
		       PATCH_INTERNAL,
		.name = "renamed",
		.lifetime = 7200,
		.internal = { .port = 8100 },
	};

	cr_assert_eq(details_new("", "another", NULL, 0, &comment), 0);
	cr_assert_eq(address_parse("192.168.1.50", &all.internal.addr), 0);
	all.details = comment;
	shelf_world.now = 2000;
	patch("shifted", &all);
	details_unref(comment);
	cr_expect_eq(named("renamed")->changed, 2000);
	cr_expect_eq(named("renamed")->created, 1000);
	cr_expect_eq(named("renamed")->id, 2);
	shelf_expect(&shelf);
	cr_expect_eq(store_sequence(shelf.store), 2);
	cr_expect_str_eq(column("comment", "renamed"), "another");
	cr_expect_str_eq(column("internal_address", "renamed"), "192.168.1.50");
	/* back to what needs nothing of it */
	patch("renamed", &(struct patch){ .set = PATCH_LIFETIME | PATCH_COMMENT });
	shelf_expect(&shelf);
	cr_expect_str_eq(column("expires", "renamed"), "0");
	cr_assert_eq(shelf_ask(&shelf, "-renamed"), 0);
	shelf_expect(&shelf);
}

Test(store_kinds, a_pinhole_goes_with_its_host)
{
	struct patch patched = { .set = PATCH_INTERNAL, .internal = { .port = 22 } };

	cr_assert_eq(address_parse("2001:db8:5::33", &patched.internal.addr), 0);
	patch("pinhole", &patched);
	cr_expect(mapping_is_pinhole(named("pinhole")));
	shelf_expect(&shelf);
}

Test(store_kinds, a_host_becomes_a_suffix)
{
	struct patch patched = { .set = PATCH_INTERNAL, .suffix = true };

	cr_assert_eq(address_parse("::33", &patched.internal.addr), 0);
	cr_assert_eq(details_new("lan0", "", NULL, 0, &patched.details), 0);
	patch("pinhole", &patched);
	details_unref(patched.details);
	cr_expect(named("pinhole")->suffix);
	cr_expect_str_eq(column("lan", "pinhole"), "lan0");
	shelf_expect(&shelf);
}

Test(store_kinds, alterations_of_one_turn_are_taken_in_order)
{
	struct change_list list = kinds_list(), lists[1] = { { 0 } };
	struct change change = { .kind = CHANGE_UPDATE, .selector.name = "web" };
	struct plan *plan = NULL;

	change.patch.set = PATCH_NAME;
	snprintf(change.patch.name, sizeof(change.patch.name), "other");
	cr_assert_eq(change_list_add(lists, &change), 0);
	snprintf(change.selector.name, sizeof(change.selector.name), "at");
	snprintf(change.patch.name, sizeof(change.patch.name), "web");
	cr_assert_eq(change_list_add(lists, &change), 0);
	change = make_remove("other");
	cr_assert_eq(change_list_add(lists, &change), 0);
	list.changes[0].mapping.name[0] = '\0';
	cr_assert_eq(change_list_add(lists, &list.changes[0]), 0);
	change_list_done(&list);
	cr_assert_eq(shelf_begin_list(&shelf, lists, &plan), 0);
	store_rollback(shelf.store);
	plan_free(plan);
	shelf_expect(&shelf);
	cr_expect_eq(named("web")->external.port, 8080);

	list = make_list("-web\n+tcp 8080 192.168.1.10:80 web\n-web");
	cr_assert_eq(shelf_ask_list(&shelf, &list), 0);
	shelf_expect(&shelf);
}

Test(store_kinds, a_row_that_others_changed_is_no_row_to_alter)
{
	struct change_list list =
		kinds_patch("web", &(struct patch){ .set = PATCH_ENABLED });

	shelf_sql(&shelf, "UPDATE mapping SET checksum = 1 WHERE name = 'web'");
	cr_expect_eq(shelf_ask_list(&shelf, &list), -EUCLEAN);
	cr_expect(named("web")->enabled);
}

/* ------------------------------------------------------------ one of each */

static int insert_again(const char *name, const char *internal)
{
	char sql[512];
	sqlite3 *db = NULL;
	int r;

	snprintf(sql, sizeof(sql),
		 "INSERT INTO mapping SELECT id + 1000, '', protocol, external_address, "
		 "external_port, %s, internal_port, origin, owner_uid, enabled, created, "
		 "changed, changed_by, n_ports, lifetime, expires, suffix, lan, comment, "
		 "remotes, checksum, upstream FROM mapping "
		 "WHERE name = '%s'",
		 internal, name);
	cr_assert_eq(sqlite3_open(shelf_path(&shelf, "natd.db"), &db), SQLITE_OK);
	r = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return r;
}

Test(store_kinds, no_row_stands_there_twice)
{
	static const char *const names[] = { "web",  "shifted", "even", "at",
					     "mail", "host",	"dmz",	"pinhole" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_eq(insert_again(names[i], "internal_address"),
			     SQLITE_CONSTRAINT, "%s", names[i]);
	/* nor another host at the same place */
	cr_expect_eq(insert_again("web", "'192.168.1.77'"), SQLITE_CONSTRAINT);
	cr_expect_eq(insert_again("mail", "'192.168.1.77'"), SQLITE_CONSTRAINT);
}

/* ------------------------------------------------------------ endings */

static void note_ending(void *userdata, uint8_t protocol, const struct endpoint *external,
			uint16_t last_port)
{
	char *text = userdata, endpoint[ENDPOINT_STRLEN];

	snprintf(text + strlen(text), 96, "%s %s-%u\n", protocol_name(protocol),
		 endpoint_format(external, endpoint), last_port);
}

static const char *endings(void)
{
	static char text[2048];

	text[0] = '\0';
	cr_assert_eq(store_endings(shelf.store, note_ending, text), 0);
	return text;
}

Test(store_kinds, all_ports_of_what_is_removed_are_kept)
{
	cr_assert_eq(shelf_ask(&shelf, "-even\n-mail\n-mail-one\n-at\n-host\n-ula"), 0);
	shelf_expect(&shelf);
	cr_expect_str_eq(endings(), "sctp 0.0.0.0:20000-29999\n"
				    "tcp 0.0.0.0:25-25\n"
				    "tcp [2001:db8:1::10]:443-443\n"
				    "tcp 203.0.113.7:443-443\n"
				    "udplite [::]:5060-5060\n");
}

/* Its prefix is gone, and so are its connections. */
Test(store_kinds, of_a_host_that_nobody_knows_there_is_nothing_to_end)
{
	size_t moved;

	shelf_world.lans = (struct lan_prefix_list){ NULL, 0 };
	table_settle_hosts(shelf.table, &shelf_world.lans, &moved);
	cr_assert_eq(shelf_ask(&shelf, "-host"), 0);
	cr_expect_str_eq(endings(), "");
	shelf_expect(&shelf);
}

Test(store_kinds, what_is_switched_off_or_leads_elsewhere_ends_too)
{
	struct patch elsewhere = { .set = PATCH_INTERNAL, .internal = { .port = 443 } };

	patch("web", &(struct patch){ .set = PATCH_ENABLED });
	cr_expect_str_eq(endings(), "tcp 0.0.0.0:8080-8080\n");
	cr_assert_eq(address_parse("192.168.1.11", &elsewhere.internal.addr), 0);
	patch("at", &elsewhere);
	cr_expect_str_eq(endings(), "tcp 0.0.0.0:8080-8080\ntcp 203.0.113.7:443-443\n");
	/* connections do not mind */
	store_endings_done(shelf.store);
	patch("web", &(struct patch){ .set = PATCH_ENABLED, .enabled = true });
	patch("mail", &(struct patch){ .set = PATCH_LIFETIME, .lifetime = 9 });
	cr_expect_str_eq(endings(), "");
}

Test(store_kinds, what_is_drained_goes_on)
{
	struct change change = make_remove("web");
	struct change_list list = { 0 };

	change.drain = true;
	cr_assert_eq(change_list_add(&list, &change), 0);
	ask(list);
	list = kinds_patch("at", &(struct patch){ .set = PATCH_ENABLED });
	list.changes[0].drain = true;
	ask(list);
	cr_expect_str_eq(endings(), "");
	shelf_expect(&shelf);
}

Test(store_kinds, what_the_router_above_us_holds_no_more_ends_too)
{
	const struct patch held = { .set = PATCH_HELD, .held = true };
	const struct patch lost = { .set = PATCH_HELD };
	uint64_t changed = named("must")->changed;

	patch("must", &lost);
	patch("must", &held);
	cr_expect(named("must")->held);
	shelf_expect(&shelf);
	cr_expect_str_eq(column("upstream", "must"), "required held");
	cr_expect_str_eq(endings(), "");
	patch("must", &lost);
	cr_expect_str_eq(endings(), "udp 0.0.0.0:6001-6002\n");
	cr_expect_eq(named("must")->changed, changed);
	shelf_expect(&shelf);
	store_endings_done(shelf.store);
	patch("asked",
	      &(struct patch){ .set = PATCH_UPSTREAM, .upstream = UPSTREAM_REQUIRED });
	cr_expect_str_eq(endings(), "tcp 0.0.0.0:6000-6000\n");
	shelf_expect(&shelf);
}

/* ------------------------------------------------------------ leases */

Test(store_kinds, leases_that_ended_are_gone_in_one_transaction)
{
	struct change_list list = { 0 };
	uint64_t first = table_next_expiry(shelf.table);

	cr_expect_eq(first, shelf_world.lease_now + 90 * 1000);
	shelf_world.lease_now += 3600 * 1000;
	cr_assert_eq(table_expired(shelf.table, shelf_world.lease_now, 100, &list), 0);
	cr_expect_eq(list.n, 2);
	ask(list);
	cr_expect_eq(store_sequence(shelf.store), 2);
	cr_expect_eq(table_next_expiry(shelf.table), shelf_world.lease_now + 3600 * 1000);
	shelf_expect(&shelf);
}

/* ------------------------------------------------------------ random ones */

static unsigned int below(unsigned int n)
{
	return (unsigned int)rand() % n;
}

static void random_patch(struct change_list *list)
{
	struct change_list one;
	struct patch patched = {
		.set = 1 + below(PATCH_HELD * 2 - 1),
		.lifetime = below(2) * below(10000),
		.enabled = below(2),
		.held = below(2),
		.upstream = (uint8_t)below(4),
	};
	static const char *const names[] = {
		"web", "shifted", "even",  "at",   "mail",
		"dmz", "some",	  "lease", "must", "any-port"
	};
	const char *name = names[below(ARRAY_SIZE(names))];

	if (patched.set & PATCH_NAME)
		snprintf(patched.name, sizeof(patched.name), "%s",
			 names[below(ARRAY_SIZE(names))]);
	address_parse(below(2) ? "192.168.1.10" : "192.168.1.20", &patched.internal.addr);
	patched.internal.port = (uint16_t)(8000 + below(4));
	one = kinds_patch(name, &patched);
	cr_assert_eq(change_list_add(list, &one.changes[0]), 0);
	change_list_done(&one);
}

Test(store_kinds, agrees_with_the_table_through_five_hundred_random_alterations)
{
	unsigned int seed =
		(unsigned int)shelf.dir[16] * 251 + (unsigned char)shelf.dir[15];
	size_t taken = 0;

	srand(seed);
	for (int i = 1; i <= 500; i++) {
		struct change_list list = { 0 };
		struct plan *plan = NULL;
		int r;

		for (unsigned int n = 1 + below(3); n > 0; n--)
			random_patch(&list);
		r = shelf_begin_list(&shelf, &list, &plan);
		cr_assert(r == 0 || r == -EINVAL, "%d, seed %u", r, seed);
		if (r == 0 && below(4)) {
			cr_assert_eq(store_commit(shelf.store), 0);
			table_commit(shelf.table, plan);
			taken++;
		} else if (r == 0) {
			store_rollback(shelf.store);
		}
		plan_free(plan);
		if (i % 50 == 0)
			cr_assert(shelf_agrees(&shelf), "turn %d, seed %u", i, seed);
	}
	cr_expect_gt(taken, 50, "seed %u", seed);
}
