/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Every kind of mapping: what conflicts with what, and which serves a packet.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "story.h"

static struct in6_addr address_of(const char *text)
{
	struct in6_addr addr;

	cr_assert_eq(address_parse(text, &addr), 0, "%s", text);
	return addr;
}

Test(kinds, ranges_that_overlap_conflict_and_single_ports_do_not)
{
	static const struct story stories[] = {
		{ "tcp 9000-9003 192.168.1.10:9000", "+tcp 9003-9005 192.168.1.11:9003",
		  "0:conflict:1", "" },
		{ "tcp 9000-9003 192.168.1.10:9000", "+tcp 8000-9000 192.168.1.11:8000",
		  "0:conflict:1", "" },
		{ "tcp 9000-9003 192.168.1.10:9000", "+tcp 1-65535 192.168.1.11:1",
		  "0:conflict:1", "" },
		{ "tcp 9000-9003 192.168.1.10:9000",
		  "+tcp 9004-9005 192.168.1.11:9004\n+tcp 8990-8999 192.168.1.11:8990",
		  "0:added:2 1:added:3", "+2 +3" },
		{ "tcp 9000-9003 192.168.1.10:9000",
		  "+tcp 9001 192.168.1.11:80\n+udp 9000-9003 192.168.1.11:9000",
		  "0:added:2 1:added:3", "+2 +3" },
		{ "tcp 9000-9003 192.168.1.10:9000", "+tcp 9001-9002 192.168.1.11:80",
		  "0:added:2", "+2" },
		{ "tcp 9000-9003 192.168.1.10:8000", "+tcp 9003 192.168.1.11:80",
		  "0:conflict:1", "" },
		{ "tcp 9000-9003 192.168.1.10:8000", "+tcp 9003-9004 192.168.1.11:80",
		  "0:conflict:1", "" },
		{ "tcp 9000-9003 192.168.1.10:8000", "+tcp 9000-9003 192.168.1.10:8000",
		  "0:unchanged:1", "" },
		{ "tcp 9000-9003 192.168.1.10:8000", "+tcp 9000-9002 192.168.1.10:8000",
		  "0:conflict:1", "" },
		{ "tcp 9000-9003 192.168.1.10:9000", "+tcp 9000-9003 192.168.1.10:9000",
		  "0:unchanged:1", "" },
		{ "tcp 1-65535 192.168.1.10:1", "-tcp 77", "0:removed:1", "-1" },
		{ "tcp 9000-9003 192.168.1.10:8000", "-tcp 9002", "0:removed:1", "-1" },
		{ "tcp 9000-9003 192.168.1.10:9000",
		  "-tcp 9000\n+tcp 9003-9005 192.168.1.11:9003", "0:removed:1 1:added:2",
		  "-1 +2" },
		{ "tcp 8000-8001 [2001:db8::10]:8000",
		  "+tcp 8001-8002 [2001:db8::11]:8001\n+tcp 8001-8002 [2001:db8::10]:8001",
		  "1:conflict:1", "" },
	};

	expect_stories(stories);
}

Test(kinds, a_port_is_shared_by_prefixes_and_addresses)
{
	static const struct story stories[] = {
		{ "tcp 22 192.168.1.10:22 from=10.0.0.0/8",
		  "+tcp 22 192.168.1.11:22 from=10.1.0.0/16\n+tcp 22 192.168.1.12:22\n"
		  "+tcp 22 192.168.1.13:22 at=203.0.113.7\n"
		  "+tcp 22 192.168.1.14:22 at=203.0.113.8\n"
		  "+tcp 22 192.168.1.15:22 at=203.0.113.7 from=10.0.0.0/8",
		  "0:added:2 1:added:3 2:added:4 3:added:5 4:added:6", "+2 +3 +4 +5 +6" },
		{ "tcp 22 192.168.1.10:22 from=10.0.0.0/8,10.2.0.0/16",
		  "+tcp 22 192.168.1.11:22 from=10.1.0.0/16,10.2.0.0/16", "0:conflict:1",
		  "" },
		{ "tcp 22 192.168.1.10:22 from=10.0.0.0/8,10.2.0.0/16",
		  "+tcp 22 192.168.1.10:22 from=10.2.0.0/16,10.0.0.0/8", "0:unchanged:1",
		  "" },
		{ "tcp 22 192.168.1.10:22 from=10.0.0.0/8,10.2.0.0/16",
		  "+tcp 22 192.168.1.10:22 from=10.0.0.0/8", "0:conflict:1", "" },
		{ "tcp 20-29 192.168.1.10:20 from=10.0.0.0/8",
		  "+tcp 29-40 192.168.1.10:29 from=10.0.0.0/8", "0:conflict:1", "" },
		{ "tcp 22 192.168.1.10:22 at=203.0.113.7",
		  "+tcp 22 192.168.1.11:22 at=203.0.113.7", "0:conflict:1", "" },
		{ "tcp 22 [2001:db8::10]:22 from=2001:db8:a::/48",
		  "+tcp 22 [2001:db8::11]:22 from=2001:db8:a::/48\n"
		  "+tcp 22 [2001:db8::10]:22\n+tcp 22 [2001:db8::10]:22 from=2001:db8:a::/48",
		  "0:added:2 1:added:3 2:unchanged:1", "+2 +3" },
		{ "tcp 22 192.168.1.10:22 from=10.0.0.0/8\n"
		  "tcp 22 192.168.1.11:22 from=10.1.0.0/16",
		  "-tcp 22", "0:ambiguous:1 0:ambiguous:2", "" },
	};

	expect_stories(stories);
}

#define MANY                                                                             \
	"tcp 22 192.168.1.1:22 from=10.0.0.0/8 at=203.0.113.7\n"                         \
	"tcp 22 192.168.1.2:22 from=10.0.0.0/8,10.1.2.0/24\n"                            \
	"tcp 22 192.168.1.3:22 from=10.1.0.0/16\n"                                       \
	"tcp 22 192.168.1.4:22 at=203.0.113.7\n"                                         \
	"tcp 22 192.168.1.5:22\n"                                                        \
	"tcp 1-65535 192.168.1.6:1\n"                                                    \
	"tcp 23-24 192.168.1.7:1023\n"                                                   \
	"tcp 25 192.168.1.8:25 off\n"                                                    \
	"tcp 22 [2001:db8::10]:22 from=2001:db8:a::/48\n"                                \
	"tcp 22 [2001:db8::10]:22\n"                                                     \
	"tcp 20-30 [2001:db8::10]:20\n"                                                  \
	"udp 22 [fd00::10]:22\n"                                                         \
	"tcp 22 [::99]:22 lan=lan0"

Test(kinds, the_more_particular_serves)
{
	static const struct {
		const char *dialled;
		bool is_wan;
		const char *remote;
		uint64_t id;
	} cases[] = {
		{ "203.0.113.7:22", true, "10.1.2.3", 1 },
		{ "203.0.113.8:22", true, "10.1.2.3", 2 },
		{ "203.0.113.8:22", true, "10.1.9.9", 3 },
		{ "203.0.113.8:22", true, "10.9.9.9", 2 },
		{ "203.0.113.7:22", true, "8.8.8.8", 4 },
		{ "203.0.113.8:22", true, "8.8.8.8", 5 },
		{ "203.0.113.8:22", false, "8.8.8.8", 0 },
		{ "203.0.113.8:24", true, "8.8.8.8", 7 },
		{ "203.0.113.8:25", true, "8.8.8.8", 6 },
		{ "203.0.113.8:65535", true, "8.8.8.8", 6 },
		{ "[2001:db8::10]:22", false, "2001:db8:a::1", 9 },
		{ "[2001:db8::10]:22", false, "2001:db8:b::1", 10 },
		{ "[2001:db8::10]:30", false, "2001:db8:a::1", 11 },
		{ "[2001:db8::10]:31", false, "2001:db8:a::1", 0 },
		{ "[2001:db8::11]:22", false, "2001:db8:a::1", 0 },
		{ "[2001:db8:f::1]:22", true, "2001:db8:a::1", 0 },
		{ "[::99]:22", false, "2001:db8:a::1", 0 },
	};
	struct table *table = make_loaded(MANY);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct in6_addr remote = address_of(cases[i].remote);
		struct endpoint dialled;
		const struct mapping *m;

		cr_assert_eq(endpoint_parse(cases[i].dialled, &dialled), 0);
		m = table_match(table, IPPROTO_TCP, &dialled, cases[i].is_wan, &remote);
		cr_expect_eq(m ? m->id : 0, cases[i].id, "%s from %s: %d",
			     cases[i].dialled, cases[i].remote, m ? (int)m->id : 0);
	}
	table_free(table);
}

Test(kinds, a_mapping_is_shadowed_by_what_takes_a_part_of_it)
{
	static const struct {
		uint64_t id;
		size_t n;
		uint64_t first[3];
	} cases[] = {
		{ 1, 0, { 0 } },       { 2, 2, { 1, 3 } },    { 3, 2, { 1, 2 } },
		{ 4, 3, { 1, 2, 3 } }, { 5, 4, { 1, 2, 3 } }, { 6, 6, { 1, 2, 3 } },
		{ 7, 0, { 0 } },       { 9, 0, { 0 } },	      { 10, 1, { 9 } },
		{ 11, 2, { 9, 10 } },  { 12, 0, { 0 } },      { 13, 0, { 0 } },
	};
	struct table *table = make_loaded(MANY);
	const struct mapping *found[3];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const size_t n = table_shadowing(table, table_find_id(table, cases[i].id),
						 found, 3);

		cr_expect_eq(n, cases[i].n, "%d: %zu", (int)cases[i].id, n);
		for (size_t k = 0; k < n && k < 3; k++)
			cr_expect_eq(found[k]->id, cases[i].first[k], "%d: %d",
				     (int)cases[i].id, (int)found[k]->id);
	}
	table_free(table);
}

Test(kinds, what_is_restricted_is_walked_in_either_generation)
{
	struct table *table = make_loaded(MANY);
	struct change_list list =
		make_list("-#3\n+tcp 22 192.168.1.9:22 from=172.16.0.0/12");
	const struct endpoint ssh = { address_any4, 22 };
	const struct mapping *m = NULL;
	uint64_t present = 0, next = 0;
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	while ((m = table_restricted(table, PRESENT, MAPPING_FORWARD4_FROM, IPPROTO_TCP,
				     &ssh, m)))
		present |= 1u << m->id;
	while ((m = table_restricted(table, NEXT, MAPPING_FORWARD4_FROM, IPPROTO_TCP,
				     &ssh, m)))
		next |= 1u << m->id;
	cr_expect_eq(present, 1u << 1 | 1u << 2 | 1u << 3);
	cr_expect_eq(next, 1u << 1 | 1u << 2 | 1u << 14);
	plan_free(plan);
	change_list_done(&list);
	table_free(table);
}

#define RESTRICTED 5000

static void fill_restricted(struct change_list *list)
{
	char text[128];

	for (unsigned int i = 0; i < RESTRICTED; i++) {
		struct change change;

		snprintf(text, sizeof(text), "tcp 22 192.168.1.10:22 from=10.%u.%u.0/24",
			 i / 256, i % 256);
		change = make_add(text);
		cr_assert_eq(change_list_add(list, &change), 0);
		change_done(&change);
	}
}

/* Each looks for its own prefix only: were it to walk the port, this would take minutes
 * under the sanitizers. */
Test(kinds, five_thousand_share_a_port_and_do_not_wait_for_each_other, .timeout = 20)
{
	const struct endpoint dialled = { address_of("203.0.113.7"), 22 };
	const struct in6_addr remote = address_of("10.7.9.1");
	struct table *table = make_table(65535);
	struct change_list list = { 0 };
	struct plan *plan;
	size_t n;

	fill_restricted(&list);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
		cr_expect_not(plan_refused(plan, 0));
		plan_results(plan, 0, &n);
		cr_expect_eq(n, RESTRICTED);
		cr_expect_eq(plan_size(plan), i == 0 ? RESTRICTED : 0);
		table_commit(table, plan);
		plan_free(plan);
	}
	change_list_done(&list);
	cr_expect_eq(table_match(table, IPPROTO_TCP, &dialled, true, &remote)->id,
		     7 * 256 + 9 + 1);
	table_free(table);
}
