/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a mapping at a given external address leads to leaves under that address while it
 * is ours, and as if there were no such mapping while it is not.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/ruleset_private.h"
#include "tests/fake/alloc.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"
#include "tests/kernel/packets_fixture.h"

static struct ruleset_fault why;
static struct prefix ula;

static void enter(void)
{
	packets_enter();
	in(inside, "ip addr add fd00:1::10/64 dev eth0 nodad");
	netns_run("ip addr add fd00:1::1/64 dev lan0 nodad;" UNTIL_PING "fd00:1::10");
	cr_assert_eq(prefix_parse("fd00:1::/64", &ula), 0);
	addresses.masquerade6 = &ula;
	addresses.n_masquerade6 = 1;
}

TestSuite(ruleset_given, .init = enter, .fini = fixture_leave);

/* Beside those that are always ours. */
static void ours(const char *more)
{
	static struct in6_addr wan[8];
	char text[256], *save = NULL;

	snprintf(text, sizeof(text), "203.0.113.5 2001:db8:f::5 %s", more);
	addresses.wan = (struct address_list){ wan, 0 };
	for (char *word = strtok_r(text, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		cr_assert_eq(address_parse(word, &wan[addresses.wan.n++]), 0, "%s", word);
}

static void ours_become(const char *more)
{
	ours(more);
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s: %s", more,
		     why.text);
	packets_forget();
}

static void change(const char *lines)
{
	cr_assert_eq(fixture_change(lines, &why), 0, "%s: %s", lines, why.text);
	packets_forget();
}

static void assert_no_elements(const char *map)
{
	netns_run("! nft list map inet natd %s | grep -q elements", map);
	netns_run("! nft list table inet natd | grep -q 'map @%s'", map);
}

/* ---------------------------------------------------------------- coming and going */

TEST_IN_BOTH(ruleset_given, it_comes_and_goes_with_the_address)
{
	int client, host;

	fixture_load("udp 7000 192.168.1.10:70 at=203.0.113.6\n"
		     "udp 7000 [fd00:1::10]:70 at=2001:db8:f::6");
	fixture_sync();
	assert_no_elements("back4_at");
	assert_no_elements("back6_at");
	assert_leaves("192.168.1.10:70", "203.0.113.5:70");
	assert_leaves("[fd00:1::10]:70", "[2001:db8:f::5]:70");
	assert_in_step();

	netns_run("ip addr add 203.0.113.6/24 dev wan0;"
		  "ip addr add 2001:db8:f::6/64 dev wan0 nodad preferred_lft 0");
	ours_become("203.0.113.6");
	assert_leaves("192.168.1.10:70", "203.0.113.6:7000");
	assert_leaves("[fd00:1::10]:70", "[2001:db8:f::5]:70");
	ours_become("203.0.113.6 2001:db8:f::6");
	assert_leaves("[fd00:1::10]:70", "[2001:db8:f::6]:7000");
	assert_in_step();
	client = udp(outside, 4000);
	host = udp_at(inside, "192.168.1.10:70");
	assert_talk(host, client, "203.0.113.9:4000", "203.0.113.6:7000");
	assert_talk(client, host, "203.0.113.6:7000", "203.0.113.9:4000");
	close(host);

	ours_become("");
	assert_no_elements("back4_at");
	assert_no_elements("back6_at");
	assert_leaves("192.168.1.10:70", "203.0.113.5:70");
	assert_leaves("[fd00:1::10]:70", "[2001:db8:f::5]:70");
	assert_in_step();
}

/* It is one transaction: there is no moment between. */
TEST_IN_BOTH(ruleset_given, it_is_in_the_transaction_of_the_address)
{
	fixture_load("udp 7000 192.168.1.10:70 at=203.0.113.6");
	fixture_sync();
	fixture_monitor();
	ours_become("203.0.113.6");
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWGEN), 1);
	fixture_monitor();
	ours_become("");
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWGEN), 1);
	cr_assert_eq(fixture_monitored(NFT_MSG_DELSETELEM), 2);
}

TEST_IN_BOTH(ruleset_given, what_comes_while_the_address_is_away_waits)
{
	fixture_sync();
	change("+udp 7000 192.168.1.10:70 at=203.0.113.6");
	assert_leaves("192.168.1.10:70", "203.0.113.5:70");
	assert_in_step();
	change("-#1");
	change("+udp 7001 192.168.1.10:70 at=203.0.113.6");
	assert_in_step();
	ours_become("203.0.113.6");
	assert_leaves("192.168.1.10:70", "203.0.113.6:7001");
	change("+udp 7002 192.168.1.10:71 at=203.0.113.6");
	assert_leaves("192.168.1.10:71", "203.0.113.6:7002");
	assert_in_step();
	ours_become("");
	assert_in_step();
	change("-#2\n-#3");
	ours_become("203.0.113.6");
	assert_no_elements("back4_at");
	assert_in_step();
}

TEST_IN_BOTH(ruleset_given, a_sync_sees_other_addresses_too)
{
	fixture_load("udp 7000 192.168.1.10:70 at=203.0.113.6\nudp 7 192.168.1.10:70");
	fixture_sync();
	ours("203.0.113.6");
	cr_assert_eq(fixture_sync().other, 3, "the address, and one element for another");
	packets_forget();
	assert_leaves("192.168.1.10:70", "203.0.113.6:7000");
	assert_in_step();
	fixture_reopen();
	assert_in_step();
	ours("");
	cr_assert_eq(fixture_sync().other, 3);
	packets_forget();
	assert_leaves("192.168.1.10:70", "203.0.113.5:7");
	assert_in_step();
}

/* ---------------------------------------------------------------- precedence */

static const struct turn {
	const char *ours, *leaves;
} turns[] = {
	{ "", "203.0.113.5:8000" },
	{ "203.0.113.7", "203.0.113.5:8000" },
	{ "203.0.113.6", "203.0.113.6:7000" },
	{ "203.0.113.6 203.0.113.7", "203.0.113.6:7000" },
	{ "203.0.113.7 203.0.113.8", "203.0.113.5:8000" },
	{ "203.0.113.8 203.0.113.6", "203.0.113.6:7000" },
	{ "203.0.113.7", "203.0.113.5:8000" },
}, turns_of_given[] = {
	{ "203.0.113.7 203.0.113.8", "203.0.113.7:7001" },
	{ "203.0.113.6 203.0.113.8", "203.0.113.6:7000" },
	{ "203.0.113.8", "203.0.113.8:7002" },
	{ "203.0.113.7", "203.0.113.7:7001" },
	{ "203.0.113.8 203.0.113.7 203.0.113.6", "203.0.113.6:7000" },
	{ "", "203.0.113.5:70" },
};

static void take_turns(const struct turn *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ours_become(all[i].ours);
		assert_leaves("192.168.1.10:70", all[i].leaves);
		assert_in_step();
	}
}

Test(ruleset_given, the_next_mapping_of_the_place_decides_meanwhile)
{
	fixture_load("udp 7000 192.168.1.10:70 at=203.0.113.6\n"
		     "udp 8000 192.168.1.10:70\n"
		     "udp 7001 192.168.1.10:70 at=203.0.113.7\n"
		     "udp 7002 192.168.1.10:70 at=203.0.113.8");
	fixture_sync();
	take_turns(turns, sizeof(turns) / sizeof(turns[0]));
	change("-udp 8000");
	take_turns(turns_of_given, sizeof(turns_of_given) / sizeof(turns_of_given[0]));
}

/* One that keeps its port comes first, whichever addresses are ours. */
Test(ruleset_given, an_equal_port_decides_before_it)
{
	fixture_load("udp 7000 192.168.1.10:70 at=203.0.113.6\nudp 70 192.168.1.10:70");
	fixture_sync();
	assert_leaves("192.168.1.10:70", "203.0.113.5:70");
	ours_become("203.0.113.6");
	assert_leaves("192.168.1.10:70", "203.0.113.5:70");
	change("-udp 70");
	assert_leaves("192.168.1.10:70", "203.0.113.6:7000");
	assert_in_step();
}

/* ---------------------------------------------------------------- many */

static void change_somewhere(void)
{
	unsigned port = 1000 + (unsigned)rand() % 40;
	const struct endpoint external = { address_any4, (uint16_t)port };
	char line[96];

	if (rand() % 3 == 0 && table_size(table))
		snprintf(line, sizeof(line), "-#%llu",
			 (unsigned long long)table_next(table, NULL)->id);
	else if (table_find(table, MAPPING_FORWARD4, IPPROTO_UDP, &external))
		snprintf(line, sizeof(line), "-udp %u", port);
	else if (rand() % 3 == 0)
		snprintf(line, sizeof(line), "+udp %u 192.168.1.10:%u", port,
			 1000 + (unsigned)rand() % 3);
	else
		/* no two at one port, and so no conflicts */
		snprintf(line, sizeof(line), "+udp %u 192.168.1.10:%u at=203.0.113.%u",
			 2000 + (unsigned)table_next_id(table),
			 1000 + (unsigned)rand() % 3, 6 + (unsigned)rand() % 4);
	cr_assert_eq(fixture_change(line, &why), 0, "%s: %s", line, why.text);
}

Test(ruleset_given, after_any_changes_it_is_as_if_made_so)
{
	char text[128];

	fixture_sync();
	srand(1);
	for (int i = 0; i < 400; i++) {
		change_somewhere();
		if (i % 4)
			continue;
		text[0] = '\0';
		for (int last = 6; last < 10; last++)
			if (rand() % 2)
				sprintf(text + strlen(text), "203.0.113.%d ", last);
		ours(text);
		cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s: %s",
			     text, why.text);
		if (i % 8 == 0)
			assert_in_step();
	}
	cr_assert_gt(table_size(table), 20);
}

static void load_many(unsigned n, bool one_place)
{
	char line[96];

	for (unsigned i = 1; i <= n; i++) {
		snprintf(line, sizeof(line), "udp %u 192.168.1.10:%u at=203.0.113.6", i,
			 one_place ? 70 : i);
		fixture_load(line);
	}
}

/* After a sync. */
static void add_many(unsigned n)
{
	char lines[4096], *at = lines;

	for (unsigned i = 1; i <= n; i++) {
		at += sprintf(at, "+udp %u 192.168.1.10:%u at=203.0.113.6\n", i, i);
		if (i % 50 && i < n)
			continue;
		at[-1] = '\0';
		cr_assert_eq(fixture_change(lines, &why), 0, "%u: %s", i, why.text);
		at = lines;
	}
}

Test(ruleset_given, the_map_grows_with_an_address)
{
	fixture_sync();
	add_many(5000);
	netns_run("nft -t list map inet natd back4_at | grep -q 'size 4096'");
	ours_become("203.0.113.6");
	netns_run("nft -t list map inet natd back4_at | grep -q 'size 8192'");
	assert_leaves("192.168.1.10:4999", "203.0.113.6:4999");
	assert_in_step();
	ours_become("");
	assert_no_elements("back4_at");
	assert_in_step();
}

/* There a size cannot be changed, so the map has room for all from the start. */
Test(ruleset_given, where_it_cannot_grow_it_is_large_enough)
{
	rs->can_own = false;
	load_many(17000, false);
	fixture_sync();
	netns_run("nft -t list map inet natd back4_at | grep -q 'size 32768'");
	ours_become("203.0.113.6");
	assert_leaves("192.168.1.10:17000", "203.0.113.6:17000");
	assert_in_step();
}

/* Who has not the element costs no step, neither coming nor going. */
Test(ruleset_given, of_many_at_one_place_one_has_the_element)
{
	load_many(5000, true);
	fixture_sync();
	fixture_monitor();
	ours_become("203.0.113.6");
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWSETELEM), 2, "and the address");
	assert_leaves("192.168.1.10:70", "203.0.113.6:1");
	ours_become("");
	cr_assert_eq(fixture_monitored(NFT_MSG_DELSETELEM), 2);
	assert_in_step();
}

/* ---------------------------------------------------------------- faults */

/* What was derived steps back with the kernel. */
TEST_IN_BOTH(ruleset_given, a_fault_changes_nothing)
{
	fixture_load("udp 7000 192.168.1.10:70 at=203.0.113.6\nudp 7 192.168.1.10:70");
	fixture_sync();
	for (int i = 0; i < 2; i++) {
		ours(i ? "" : "203.0.113.6");
		faulty_send_refused(1, ENOENT);
		cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), -ESTALE);
		cr_assert(faulty_met());
		assert_leaves("192.168.1.10:70",
			      i ? "203.0.113.6:7000" : "203.0.113.5:7");
		ours_become(i ? "" : "203.0.113.6");
		assert_leaves("192.168.1.10:70",
			      i ? "203.0.113.5:7" : "203.0.113.6:7000");
		assert_in_step();
	}
}

static bool starve(unsigned nth, bool lasts)
{
	bool failed;
	int r;

	ours(addresses.wan.n == 2 ? "203.0.113.6" : "");
	alloc_fail_at(nth, lasts);
	r = ruleset_set_addresses(rs, &addresses, &why);
	failed = alloc_fail_at(0, false) > 0;
	cr_assert_eq(r, failed ? -ENOMEM : 0, "allocation %u: %d", nth, r);
	/* what is derived may be lost with it, and then this says so */
	r = ruleset_set_addresses(rs, &addresses, &why);
	cr_assert(r == 0 || (failed && r == -ESTALE), "allocation %u: %d", nth, r);
	if (r < 0)
		fixture_sync();
	assert_in_step();
	return failed;
}

Test(ruleset_given, without_memory_nothing_is_half_done)
{
	fixture_load("udp 7000 192.168.1.10:70 at=203.0.113.6\nudp 7 192.168.1.10:70");
	fixture_sync();
	for (int lasts = 0; lasts < 2; lasts++) {
		unsigned nth = 1;

		while (starve(nth, lasts))
			cr_assert_lt(++nth, 100);
		cr_assert_gt(nth, 5, "only %u allocations", nth);
	}
}

/* ---------------------------------------------------------------- of no mapping */

/* The configuration asks for these by name: they are given all the same. */
Test(ruleset_given, what_the_configuration_gives_needs_no_address_of_ours)
{
	static struct snat snats[2];
	int client = udp(outside, 4000), host;

	in(inside, "ip addr add 192.168.1.11/24 dev eth0");
	host = udp_at(inside, "192.168.1.11:6060");
	addresses.snat.snats = snats;
	addresses.snat.n = 2;
	cr_assert_eq(prefix_parse("192.168.1.10", &snats[0].source), 0);
	cr_assert_eq(prefix_parse("192.168.1.11", &snats[1].source), 0);
	cr_assert_eq(address_parse("203.0.113.6", &snats[0].to), 0);
	cr_assert_eq(address_parse("203.0.113.7", &snats[1].to), 0);
	snats[1].one_to_one = true;
	fixture_sync();
	assert_leaves("192.168.1.10:4000", "203.0.113.6:4000");
	assert_leaves("192.168.1.11:4000", "203.0.113.7:4000");
	in(outside, "ip route add 203.0.113.7/32 via 203.0.113.5");
	say(client, "203.0.113.7:6060");
	assert_silent(host);
}
