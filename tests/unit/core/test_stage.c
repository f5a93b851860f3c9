/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "story.h"

#define WEB  "tcp 8080 192.168.1.10:80 web"
#define BARE "tcp 8080 192.168.1.10:80"

/* A client that asks again was never told that its request went through: RFC 6887 11.2.1.
 */
Test(stage, asking_again_is_no_conflict)
{
	static const struct story stories[] = {
		{ WEB, "+" WEB, "0:unchanged:1", "" },
		{ WEB, "+" BARE, "0:unchanged:1", "" },
		{ BARE, "+" BARE, "0:unchanged:1", "" },
		{ WEB, "+tcp,udp 8080 192.168.1.10:80 web", "0:unchanged:1 0:added:2",
		  "+2" },
		{ "", "+" WEB "\n+" WEB, "0:added:1 1:unchanged:1", "+1" },
		/* the file over a person's: stays the person's, whatever its name */
		{ WEB, "c" WEB, "0:unchanged:1", "" },
		{ BARE, "c" WEB, "0:unchanged:1", "" },
		{ WEB, "ctcp 8080 192.168.1.10:80 other", "0:unchanged:1", "" },
	};

	expect_stories(stories);
}

Test(stage, an_endpoint_serves_one_host)
{
	static const struct story stories[] = {
		{ WEB, "+tcp 8080 192.168.1.66:80", "0:conflict:1", "" },
		{ WEB, "+tcp 8080 192.168.1.10:81", "0:conflict:1", "" },
		{ WEB, "+tcp 8080 192.168.1.66:80 web", "0:conflict:1", "" },
		{ WEB, "ctcp 8080 192.168.1.66:80 web", "0:conflict:1", "" },
		{ WEB, "+tcp 8080 192.168.1.10:80 other", "0:conflict:1", "" },
		{ BARE, "+tcp 8080 192.168.1.10:80 other", "0:conflict:1", "" },
		{ WEB, "+tcp,udp 8080 192.168.1.66:80", "0:conflict:1", "" },
		{ WEB, "+udp 8080 192.168.1.66:80", "0:added:2", "+2" },
		{ WEB, "+tcp 8081 192.168.1.10:80", "0:added:2", "+2" },
	};

	expect_stories(stories);
}

Test(stage, families_and_pinholes_do_not_share_endpoints)
{
	static const struct story stories[] = {
		{ "tcp 443 192.168.1.10:443",
		  "+tcp 443 [fd00::1]:443\n+tcp 443 [2001:db8::1]:443\n"
		  "+tcp 443 [2001:db8::2]:443\n+tcp 443 [2001:db8::1]:443",
		  "0:added:2 1:added:3 2:added:4 3:unchanged:3", "+2 +3 +4" },
		{ "tcp 443 [fd00::1]:443", "+tcp 443 [fd00::2]:443", "0:conflict:1", "" },
		{ "tcp 443 [fd00::1]:443", "+tcp 443 [2001:db8::1]:80", "0:conflict:1",
		  "" },
	};

	expect_stories(stories);
}

Test(stage, a_name_stands_for_one_mapping_of_each_protocol)
{
	static const struct story stories[] = {
		{ WEB, "+tcp 9090 192.168.1.10:80 web", "0:name-taken:1", "" },
		{ WEB, "ctcp 9090 192.168.1.10:80 web", "0:name-taken:1", "" },
		{ WEB, "+udp 9090 192.168.1.10:80 web", "0:added:2", "+2" },
		{ WEB, "+tcp,udp 9090 192.168.1.10:80 web", "0:name-taken:1", "" },
		{ WEB, "-web\n+tcp 9090 192.168.1.10:80 web", "0:removed:1 1:added:2",
		  "-1 +2" },
		{ BARE, "+tcp 9090 192.168.1.10:80\n+tcp 9091 192.168.1.10:80",
		  "0:added:2 1:added:3", "+2 +3" },
	};

	expect_stories(stories);
}

Test(stage, a_list_is_all_or_nothing)
{
	static const struct story stories[] = {
		/* two hosts for one port: neither gets it; the first is a holder without
		   id */
		{ "", "+" BARE "\n+tcp 8080 192.168.1.66:80", "1:conflict:0", "" },
		{ WEB, "-web\n+" BARE "\n-#77\n+tcp 9 192.168.1.10:80", "2:not-found:-1",
		  "" },
		{ WEB, "-web\n+tcp 8080 192.168.1.66:80", "0:removed:1 1:added:2",
		  "-1 +2" },
		{ WEB, "+tcp 8080 192.168.1.66:80\n-web", "0:conflict:1", "" },
		{ WEB, "-web\n-web", "1:not-found:-1", "" },
		{ "", "+" WEB "\n-web\n+" WEB, "0:added:1 1:removed:1 2:added:2",
		  "+1 -1 +2" },
	};

	expect_stories(stories);
}

#define THREE                                                                            \
	"tcp 443 192.168.1.10:443\n"                                                     \
	"tcp 443 [2001:db8::10]:443 a\n"                                                 \
	"tcp 443 [2001:db8::11]:443 b\n"                                                 \
	"udp 443 [2001:db8::10]:443 a"

Test(stage, a_selector_means_all_that_fit_or_exactly_one)
{
	static const struct story stories[] = {
		{ THREE, "-tcp 443", "0:ambiguous:1 0:ambiguous:2 0:ambiguous:3", "" },
		{ THREE, "-443",
		  "0:ambiguous:1 0:ambiguous:2 0:ambiguous:3 0:ambiguous:4", "" },
		{ THREE, "-tcp", "0:ambiguous:1 0:ambiguous:2 0:ambiguous:3", "" },
		{ THREE, "-udp", "0:removed:4", "-4" },
		{ THREE, "-udp 443", "0:removed:4", "-4" },
		{ THREE, "-a", "0:removed:2 0:removed:4", "-2 -4" },
		{ THREE, "-a tcp", "0:removed:2", "-2" },
		{ THREE, "-a 443 udp", "0:removed:4", "-4" },
		{ THREE, "-a 444", "0:not-found:-1", "" },
		{ THREE, "-#3", "0:removed:3", "-3" },
		{ THREE, "-#3 tcp 443 b", "0:removed:3", "-3" },
		{ THREE, "-#3 udp", "0:not-found:-1", "" },
		{ THREE, "-#3 a", "0:not-found:-1", "" },
		{ THREE, "-#5", "0:not-found:-1", "" },
		{ THREE, "-tcp 444", "0:not-found:-1", "" },
		{ THREE, "-c", "0:not-found:-1", "" },
		/* what the list itself has changed counts */
		{ THREE, "-#1\n-b\n-tcp 443", "0:removed:1 1:removed:3 2:removed:2",
		  "-1 -3 -2" },
		{ THREE, "-a udp\n+udp 443 192.168.1.10:443\n-udp",
		  "0:removed:4 1:added:5 2:removed:5", "-4 +5 -5" },
		{ "", "+tcp 443 [2001:db8::1]:443\n+tcp 443 [2001:db8::2]:443\n-tcp 443",
		  "2:ambiguous:0 2:ambiguous:0", "" },
	};

	expect_stories(stories);
}

Test(stage, the_files_mappings_are_removed_with_config_too_only)
{
	struct table *table = make_table(10);
	struct change_list setup = make_list("c" WEB "\n+udp 8080 192.168.1.10:80 web");
	struct change_list lists[] = { make_list("-web"), make_list("-tcp 8080"),
				       make_list("-#1"), make_list("-web udp"),
				       make_list("!web") };
	static const char *const expected[] = { "0:of-config:1", "0:of-config:1",
						"0:of-config:1", "0:removed:2",
						"0:removed:1" };
	struct plan *plan;
	char told[256];

	cr_assert_eq(table_stage(table, &setup, 1, &ordinary, &plan), 0);
	table_commit(table, plan);
	plan_free(plan);
	cr_assert_eq(table_stage(table, lists, ARRAY_SIZE(lists), &ordinary, &plan), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		tell_results(plan, i, told, sizeof(told));
		cr_expect_str_eq(told, expected[i], "request %zu", i);
		change_list_done(&lists[i]);
	}
	plan_free(plan);
	change_list_done(&setup);
	table_free(table);
}

Test(stage, a_full_table_takes_what_comes_after_a_removal)
{
	struct table *table = make_table(2);
	struct change_list lists[] = {
		make_list("+tcp 1 192.168.1.10:1\n+tcp 2 192.168.1.10:2"),
		make_list("+tcp 3 192.168.1.10:3"),
		make_list("+tcp,udp 2 192.168.1.10:2"),
		make_list("-tcp 1\n+tcp 3 192.168.1.10:3"),
		make_list("+tcp 2 192.168.1.10:2"),
	};
	static const char *const expected[] = { "0:added:1 1:added:2", "0:table-full:-1",
						"0:table-full:-1",
						"0:removed:1 1:added:3",
						"0:unchanged:2" };
	struct plan *plan;
	char told[256];

	cr_assert_eq(table_stage(table, lists, ARRAY_SIZE(lists), &ordinary, &plan), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		tell_results(plan, i, told, sizeof(told));
		cr_expect_str_eq(told, expected[i], "request %zu", i);
		change_list_done(&lists[i]);
	}
	table_commit(table, plan);
	plan_free(plan);
	cr_expect_eq(table_size(table), 2);
	cr_expect_eq(table_next_id(table), 4);
	table_free(table);
}

Test(stage, one_requests_refusal_does_not_touch_anothers)
{
	struct table *table = make_loaded(WEB);
	struct change_list lists[] = {
		make_list("+tcp 1 192.168.1.10:1"),
		make_list("+tcp 2 192.168.1.10:2\n+tcp 8080 192.168.1.66:80"),
		make_list("+tcp 2 192.168.1.11:2"),
		make_list("+tcp 1 192.168.1.11:1"),
	};
	struct plan *plan;
	char told[256];

	cr_assert_eq(table_stage(table, lists, ARRAY_SIZE(lists), &ordinary, &plan), 0);
	cr_expect_not(plan_refused(plan, 0));
	cr_expect(plan_refused(plan, 1));
	cr_expect_not(plan_refused(plan, 2));
	cr_expect(plan_refused(plan, 3));
	tell_effects(plan, told, sizeof(told));
	cr_expect_str_eq(told, "+2 +3", "%s", told);
	cr_expect_eq(plan_effect_at(plan, 0)->request, 0);
	cr_expect_eq(plan_effect(plan, 1)->request, 2);
	/* the holder is the first request's, though not committed yet */
	tell_results(plan, 3, told, sizeof(told));
	cr_expect_str_eq(told, "0:conflict:2");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		change_list_done(&lists[i]);
	plan_free(plan);
	table_free(table);
}

Test(stage, nothing_is_seen_before_the_commit)
{
	struct table *table = make_loaded(WEB);
	struct change_list list = make_list("-web\n+tcp 8080 192.168.1.66:80 web\n"
					    "+udp 1 192.168.1.10:1");
	struct mapping web = make_mapping(WEB);
	const struct mapping *m;
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	m = table_find(table, MAPPING_FORWARD4, IPPROTO_TCP, &web.external);
	cr_expect_eq(m->id, 1);
	cr_expect_eq(table_find_name(table, "web", IPPROTO_TCP), m);
	cr_expect_eq(table_next(table, NULL), m);
	cr_expect_null(table_next(table, m));
	cr_expect_eq(table_size(table), 1);
	cr_expect_null(table_find_id(table, 2));

	table_commit(table, plan);
	cr_expect_eq(table_find(table, MAPPING_FORWARD4, IPPROTO_TCP, &web.external)->id,
		     2);
	cr_expect_eq(table_find_name(table, "web", IPPROTO_TCP)->id, 2);
	cr_expect_null(table_find_id(table, 1));
	cr_expect_eq(table_size(table), 2);
	/* readable on, though it is gone from the table */
	cr_expect_eq(plan_effect_at(plan, 0)->mapping->id, 1);
	cr_expect_str_eq(plan_effect_at(plan, 0)->mapping->name, "web");
	plan_free(plan);
	change_list_done(&list);
	table_free(table);
}

Test(stage, a_dropped_plan_never_happened)
{
	struct table *table = make_loaded(WEB);
	struct change_list list = make_list("-web\n+tcp 8080 192.168.1.66:80 web\n-#2\n"
					    "+" WEB);
	struct mapping web = make_mapping(WEB);
	struct plan *plan;

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
		cr_expect_not(plan_refused(plan, 0));
		plan_free(plan);
		cr_expect_eq(table_size(table), 1);
		cr_expect_eq(table_next_id(table), 2);
		cr_expect_eq(
			table_find(table, MAPPING_FORWARD4, IPPROTO_TCP, &web.external)
				->id,
			1);
		cr_expect_null(table_next(table, table_find_id(table, 1)));
	}
	plan_free(NULL);
	change_list_done(&list);
	table_free(table);
}

Test(stage, what_was_asked_is_what_is_added)
{
	struct table *table = make_table(10);
	struct change_list list = make_list("+tcp,udp 8443 [2001:db8::10]:443 web");
	const struct mapping *m;
	struct plan *plan;

	/* not resolved, with an id and protocol that are not looked at */
	list.changes[0].mapping.external.addr = address_any4;
	list.changes[0].mapping.id = 99;
	list.changes[0].mapping.owner_uid = 1000;
	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	table_commit(table, plan);
	plan_free(plan);
	m = table_find_id(table, 1);
	cr_assert_not_null(m);
	cr_expect_eq(m->protocol, IPPROTO_TCP);
	cr_expect_eq(m->created, 1000);
	cr_expect_eq(m->owner_uid, 1000);
	cr_expect_eq(m->origin, ORIGIN_ADMIN);
	cr_expect(m->enabled);
	cr_expect_str_eq(m->name, "web");
	cr_expect(address_equal(&m->external.addr, &address_any6));
	cr_expect_eq(table_find_id(table, 2)->protocol, IPPROTO_UDP);
	change_list_done(&list);
	table_free(table);
}

Test(stage, no_request_and_an_empty_one_change_nothing)
{
	struct table *table = make_loaded(WEB);
	struct change_list empty = { 0 };
	struct plan *plan;
	size_t n = 7;

	cr_assert_eq(table_stage(table, NULL, 0, &ordinary, &plan), 0);
	cr_expect_eq(plan_size(plan), 0);
	plan_free(plan);
	cr_assert_eq(table_stage(table, &empty, 1, &ordinary, &plan), 0);
	cr_expect_not(plan_refused(plan, 0));
	plan_results(plan, 0, &n);
	cr_expect_eq(n, 0);
	table_commit(table, plan);
	plan_free(plan);
	cr_expect_eq(table_size(table), 1);
	table_free(table);
}

/* For who has to put it all into one transaction. */
Test(stage, what_a_plan_adds_is_counted_in_elements)
{
	static const struct {
		const char *there, *asked;
		size_t slots;
	} cases[] = {
		{ "", "+tcp,udp 8080 192.168.1.10:80", 2 },
		{ "", "+tcp 9000-9003 192.168.1.10:8000", 4 },
		{ "", "+tcp 1-65535 192.168.1.10:1", 1 },
		{ "", "+tcp 80 192.168.1.10:80 from=10.0.0.0/8,10.1.0.0/16", 2 },
		{ "tcp 9000-9003 192.168.1.10:8000 web", "-web", 0 },
		{ "tcp 9000-9003 192.168.1.10:8000 web", "~web: name=www", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct table *table =
			cases[i].there[0] ? make_loaded(cases[i].there) : make_table(10);
		struct change_list list = make_list(cases[i].asked);
		struct plan *plan;

		cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
		cr_expect_not(plan_refused(plan, 0), "%s", cases[i].asked);
		cr_expect_eq(plan_slots(plan), cases[i].slots, "%s", cases[i].asked);
		plan_free(plan);
		change_list_done(&list);
		table_free(table);
	}
}
