/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Hosts that are known by the last 64 bits of their address.
 */

#include <criterion/criterion.h>
#include <string.h>

#include "story.h"

static struct lan_prefix lans[2] = { { .lan = "lan0" }, { .lan = "lan1" } };
static struct lan_prefix_list list = { lans, 2 };

static struct conditions with_prefixes(const char *lan0, const char *lan1)
{
	struct conditions at = ordinary;

	cr_assert_eq(address_parse(lan0, &lans[0].prefix), 0);
	cr_assert_eq(address_parse(lan1, &lans[1].prefix), 0);
	at.lans = list;
	return at;
}

static void expect_host(const struct table *table, uint64_t id, const char *host)
{
	const struct mapping *m = table_find_id(table, id);
	char buf[INET6_ADDRSTRLEN];

	cr_expect_str_eq(address_format(&m->host, buf), host, "%d: %s", (int)id, buf);
}

static size_t settle(struct table *table, const char *lan0, const char *lan1)
{
	struct conditions at = with_prefixes(lan0, lan1);
	size_t changed = 77;

	table_settle_hosts(table, &at.lans, &changed);
	return changed;
}

Test(hosts, follow_the_prefix_of_their_lan)
{
	struct conditions at = with_prefixes("2001:db8:1::", "2001:db8:2::");
	const struct endpoint first = { { .s6_addr = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0,
						       0, 0, 0, 0, 0, 0, 0, 0x10 } },
					443 };
	struct endpoint then = first;
	struct table *table = make_table(10);
	const struct mapping *m;

	then.addr.s6_addr[5] = 9;
	change_table(table,
		     "+tcp 443 [::10]:443 lan=lan0\n+tcp 8000-8009 [::10]:8000 lan=lan1\n"
		     "+tcp 444 [::10]:443 lan=lan0\n"
		     "+tcp 443 [::10]:443 lan=lan0 from=2001:db8:a::/48",
		     &at);
	expect_host(table, 1, "2001:db8:1::10");
	expect_host(table, 2, "2001:db8:2::10");
	m = table_find(table, MAPPING_PINHOLE6, IPPROTO_TCP, &first);
	cr_expect_eq(m->id, 1);
	cr_expect_eq(settle(table, "2001:db8:1::", "2001:db8:2::"), 0);
	cr_expect_eq(settle(table, "2001:db8:9::", "2001:db8:2::"), 3);
	cr_expect_null(table_find(table, MAPPING_PINHOLE6, IPPROTO_TCP, &first));
	cr_expect_eq(table_find(table, MAPPING_PINHOLE6, IPPROTO_TCP, &then), m);
	expect_host(table, 3, "2001:db8:9::10");
	cr_expect_eq(table_restricted(table, PRESENT, MAPPING_PINHOLE6_FROM, IPPROTO_TCP,
				      &then, NULL)
			     ->id,
		     4);
	cr_expect_eq(settle(table, "::", "::"), 4);
	cr_expect_not(mapping_is_live(m));
	cr_expect_null(table_match(table, IPPROTO_TCP, &then, false, &first.addr));
	cr_expect_eq(settle(table, "::", "2001:db8:3::"), 1);
	expect_host(table, 2, "2001:db8:3::10");
	table_free(table);
}

Test(hosts, the_lan_has_to_be_said)
{
	struct conditions at = with_prefixes("2001:db8:1::", "2001:db8:2::");
	static const struct story stories[] = {
		{ "", "+tcp 443 [::10]:443", "0:bad-request:-1", "" },
		{ "", "+tcp 443 [::10]:443 lan=lan2", "0:bad-request:-1", "" },
		{ "", "+tcp 443 [::10]:443 lan=lan0", "0:added:1", "+1" },
		{ "", "+tcp 443 [::10]:443 lan=lan0\n~#1: to=[::11]:443",
		  "0:added:1 1:changed:1", "+1 ~1" },
		{ "", "+tcp 443 [::10]:443 lan=lan0\n~#1: to=[2001:db8:1::11]:443",
		  "0:added:1 1:changed:1", "+1 ~1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(stories); i++)
		expect_story(&stories[i], &at, NULL);
}

Test(hosts, a_suffix_and_the_address_that_it_means_conflict)
{
	struct conditions at = with_prefixes("2001:db8:1::", "::");
	static const struct story stories[] = {
		{ "tcp 443 [2001:db8:1::10]:443", "+tcp 443 [::10]:443 lan=lan0",
		  "0:conflict:1", "" },
		{ "", "+tcp 443 [::10]:443 lan=lan0\n+tcp 443 [2001:db8:1::10]:443",
		  "1:conflict:0", "" },
		{ "", "+tcp 443 [::10]:443 lan=lan0\n+tcp 443 [::10]:443 lan=lan0",
		  "0:added:1 1:unchanged:1", "+1" },
		{ "", "+tcp 443 [::10]:443 lan=lan1\n+tcp 443 [::10]:443 lan=lan1",
		  "0:added:1 1:unchanged:1", "+1" },
		{ "",
		  "+tcp 443 [::10]:443 lan=lan1\n+tcp 443 [::10]:443 lan=lan0\n"
		  "+tcp 443 [::11]:443 lan=lan1",
		  "0:added:1 1:added:2 2:added:3", "+1 +2 +3" },
		{ "", "+tcp 443 [::10]:443 lan=lan1 a\n+tcp 443 [::10]:443 lan=lan1 b",
		  "1:conflict:0", "" },
		{ "", "+tcp 1-9 [::10]:1 lan=lan1\n+tcp 5-20 [::10]:5 lan=lan1",
		  "1:conflict:0", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(stories); i++)
		expect_story(&stories[i], &at, NULL);
}

Test(hosts, who_meets_an_address_waits_until_it_is_free)
{
	struct conditions at = with_prefixes("2001:db8:1::", "::");
	struct table *table = make_table(10);

	change_table(table,
		     "+tcp 443 [::10]:443 lan=lan0\n+tcp 443 [2001:db8:7::10]:443\n"
		     "+tcp 1-9 [::10]:1 lan=lan0\n+tcp 5-20 [2001:db8:7::10]:5",
		     &at);
	cr_expect_eq(settle(table, "2001:db8:7::", "::"), 2);
	expect_host(table, 1, "::");
	expect_host(table, 3, "::");
	cr_expect_eq(settle(table, "2001:db8:7::", "::"), 0);
	at = with_prefixes("2001:db8:7::", "::");
	/* it is still there, and asking for it again changes nothing */
	cr_expect_eq(change_table(table, "+tcp 443 [::10]:443 lan=lan0", &at),
		     VERDICT_UNCHANGED);
	cr_expect_eq(change_table(table, "+tcp 443 [::10]:443 lan=lan0 name", &at),
		     VERDICT_CONFLICT);
	cr_expect_eq(change_table(table, "-#2", &at), VERDICT_REMOVED);
	cr_expect_eq(change_table(table, "+tcp 443 [::10]:443 lan=lan0", &at),
		     VERDICT_UNCHANGED);
	cr_expect_eq(settle(table, "2001:db8:7::", "::"), 1);
	expect_host(table, 1, "2001:db8:7::10");
	table_free(table);
}

/* Two that change places: neither stands in the other's way. */
Test(hosts, may_take_each_others_places)
{
	struct conditions at = with_prefixes("2001:db8:1::", "2001:db8:2::");
	struct table *table = make_table(10);

	change_table(table, "+tcp 443 [::10]:443 lan=lan0\n+tcp 443 [::10]:443 lan=lan1",
		     &at);
	cr_expect_eq(settle(table, "2001:db8:2::", "2001:db8:1::"), 2);
	expect_host(table, 1, "2001:db8:2::10");
	expect_host(table, 2, "2001:db8:1::10");
	table_free(table);
}
