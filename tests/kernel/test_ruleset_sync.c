/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

TestSuite(ruleset_sync, .init = fixture_enter, .fini = fixture_leave);

static const char mappings[] = "tcp 8080 192.168.1.10:80 web\n"
			       "udp 5000 192.168.1.11:5000\n"
			       "tcp 8443 [fd00::10]:443\n"
			       "tcp 443 [2001:db8:1::10]:443\n";

static void assert_unchanged(const struct ruleset_report *r)
{
	cr_assert_not(
		r->created || r->replaced || r->rewritten || r->added || r->removed ||
			r->other,
		"created %d replaced %d rewritten %d added %zu removed %zu other %zu",
		r->created, r->replaced, r->rewritten, r->added, r->removed, r->other);
}

/* ---------------------------------------------------------------- making it */

TEST_IN_BOTH(ruleset_sync, what_is_not_there_is_made)
{
	struct ruleset_report report;

	fixture_load(mappings);
	report = fixture_sync();
	cr_assert(report.created);
	cr_assert_not(report.replaced);
	cr_assert_eq(report.added, 4);
	cr_assert_eq(report.removed, 0);
	cr_assert_eq(ruleset_protection(rs), options.protection);
	netns_run("nft list map inet natd forward4 | "
		  "grep -q 'tcp . 8080 .*: 192.168.1.10 . 80'");
	netns_run("nft list map inet natd forward4 | "
		  "grep -q 'udp . 5000 .*: 192.168.1.11 . 5000'");
	netns_run(
		"nft list map inet natd forward6 | grep -q 'tcp . 8443 .*: fd00::10 . 443'");
	netns_run(
		"nft list set inet natd pinhole6 | grep -q '2001:db8:1::10 . tcp . 443'");
	netns_run("nft list set inet natd wan_addr4 | grep -q 203.0.113.5");
	netns_run("nft list set inet natd wan_addr6 | grep -q 2001:db8:f::5");
}

Test(ruleset_sync, automatic_protection_is_the_best_there_is)
{
	options.protection = PROTECTION_AUTO;
	fixture_sync();
	cr_assert_eq(ruleset_protection(rs),
		     ruleset_can_own(rs) ? PROTECTION_OWNED : PROTECTION_WATCHED);
}

Test(ruleset_sync, disabled_mappings_have_no_element)
{
	struct mapping m = make_mapping("tcp 80 192.168.1.10:80");

	m.id = 1;
	m.enabled = false;
	cr_assert_eq(table_load(table, &m), 0);
	cr_assert_eq(fixture_sync().added, 0);
	netns_run("! nft list map inet natd forward4 | grep -q elements");
}

Test(ruleset_sync, without_lans_and_without_addresses_there_is_a_table)
{
	options.n_lan = 0;
	addresses = (struct ruleset_addresses){ 0 };
	cr_assert(fixture_sync().created);
	struct ruleset_report again = fixture_sync();

	assert_unchanged(&again);
}

Test(ruleset_sync, without_wans_nothing_is_matched_as_one)
{
	struct ruleset_report again;

	options.n_wan = 0;
	fixture_sync();
	again = fixture_sync();
	assert_unchanged(&again);
	netns_run("! nft list table inet natd | grep -q 'goto forward_wan'");
	netns_run("nft list chain inet natd postrouting | grep -q 'oifname @lan_if'");
}

/* ---------------------------------------------------------------- nothing to do */

TEST_IN_BOTH(ruleset_sync, a_second_sync_sends_nothing)
{
	struct ruleset_report report;

	fixture_load(mappings);
	fixture_sync();
	fixture_monitor();
	report = fixture_sync();
	assert_unchanged(&report);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 0);
}

static void options_of_every_kind(void)
{
	options.input_drop = options.asks_routers = true;
	options.open[options.n_open++] = (struct open_port){ IPPROTO_TCP, 22 };
	options.mss_mode = MSS_ROUTE;
	strcpy(options.wan[options.n_wan++], "wan1");
	strcpy(options.lan[options.n_lan++], "lan1");
}

TEST_IN_BOTH(ruleset_sync, nor_with_every_option)
{
	struct ruleset_report report;

	options_of_every_kind();
	fixture_sync();
	fixture_monitor();
	report = fixture_sync();
	assert_unchanged(&report);
	options.mss_mode = MSS_FIXED;
	options.mss = 1400;
	cr_assert(fixture_sync().rewritten);
	report = fixture_sync();
	assert_unchanged(&report);
}

/* Debian's nftables.conf has a table of this family, with chains named as some of ours.
 */
TEST_IN_BOTH(ruleset_sync, nor_with_tables_of_others_beside_it)
{
	struct ruleset_report report;

	netns_run(
		"nft 'table inet filter { set lan_if { type ifname; }; counter refused { };"
		" chain input { type filter hook input priority 0; };"
		" chain forward { type filter hook forward priority 0; ct state new counter; };"
		" chain mine { accept; }; }'");
	fixture_load(mappings);
	fixture_sync();
	fixture_monitor();
	report = fixture_sync();
	assert_unchanged(&report);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 0);
	fixture_while_away("nft flush chain inet natd forward_wan");
	report = fixture_sync();
	cr_assert(report.rewritten);
	cr_assert_not(report.replaced);
	report = fixture_sync();
	assert_unchanged(&report);
}

/* A process that takes over sends one thing at most: that the table is its own now. */
TEST_IN_BOTH(ruleset_sync, who_takes_over_sends_only_the_adoption)
{
	bool owned = options.protection == PROTECTION_OWNED;
	struct ruleset_report report;

	fixture_load(mappings);
	fixture_sync();
	fixture_reopen();
	fixture_monitor();
	report = fixture_sync();
	assert_unchanged(&report);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), owned ? 1 : 0);
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWTABLE), owned ? 1 : 0);
	report = fixture_sync();
	assert_unchanged(&report);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), owned ? 1 : 0);
}

struct counted {
	unsigned times;
	uint64_t packets;
};

static void count(void *userdata, const struct ruleset_slot *slot)
{
	struct counted *c = userdata;

	if (slot->protocol != IPPROTO_TCP || slot->external.port != 8080)
		return;
	c->times++;
	c->packets = slot->packets;
}

TEST_IN_BOTH(ruleset_sync, counters_go_on_under_a_new_process)
{
	struct counted c = { 0 };

	fixture_load(mappings);
	fixture_sync();
	ruleset_close(rs);
	rs = NULL;
	fixture_count_element("forward4", "tcp . 8080", "192.168.1.10 . 80", 41);
	cr_assert_eq(ruleset_open(&rs), 0);
	fixture_sync();
	cr_assert_eq(ruleset_counters(rs, count, &c), 0);
	cr_assert_eq(c.times, 1);
	cr_assert_eq(c.packets, 41);
}

/* ---------------------------------------------------------------- options */

TEST_IN_BOTH(ruleset_sync, new_options_rewrite_the_chains_and_keep_the_elements)
{
	struct ruleset_report report;
	struct counted c = { 0 };

	fixture_load(mappings);
	fixture_sync();
	ruleset_close(rs);
	rs = NULL;
	fixture_count_element("forward4", "tcp . 8080", "192.168.1.10 . 80", 7);
	cr_assert_eq(ruleset_open(&rs), 0);
	fixture_sync();
	options_of_every_kind();
	fixture_monitor();
	report = fixture_sync();
	cr_assert(report.rewritten);
	cr_assert_eq(report.added + report.removed, 0);
	cr_assert_eq(report.other, 3, "lan1 twice, the open port");
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWTABLE), 0);
	cr_assert_eq(ruleset_counters(rs, count, &c), 0);
	cr_assert_eq(c.packets, 7);
	netns_run("nft list chain inet natd input_wan | grep -q @open");
	netns_run("nft list chain inet natd clamp | grep -q 'rt mtu'");
	netns_run("nft list chain inet natd forward | grep -q '\"wan0\", \"wan1\"'");
	options.input_drop = false;
	options.mss_mode = MSS_OFF;
	options.n_wan = 1;
	cr_assert(fixture_sync().rewritten);
	netns_run("! nft list table inet natd | grep -q input_wan");
	netns_run("! nft list table inet natd | grep -q clamp");
	netns_run("! nft list table inet natd | grep -q 'set open'");
}

Test(ruleset_sync, another_protection_replaces_the_table_with_all_that_is_in_it)
{
	static const enum protection order[] = { PROTECTION_WATCHED, PROTECTION_OWNED,
						 PROTECTION_WATCHED };
	struct ruleset_report report;

	fixture_protection(PROTECTION_OWNED);
	fixture_load(mappings);
	fixture_sync();
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		options.protection = order[i];
		report = fixture_sync();
		cr_assert(report.replaced);
		cr_assert_not(report.created);
		cr_assert_eq(report.added + report.removed, 0);
		cr_assert_eq(ruleset_protection(rs), order[i]);
		report = fixture_sync();
		assert_unchanged(&report);
		netns_run("nft list map inet natd forward4 | grep -q 'tcp . 8080'");
	}
}

Test(ruleset_sync, an_orphan_of_the_other_protection_is_replaced)
{
	fixture_protection(PROTECTION_OWNED);
	fixture_sync();
	fixture_reopen();
	options.protection = PROTECTION_WATCHED;
	cr_assert(fixture_sync().replaced);
	fixture_reopen();
	options.protection = PROTECTION_OWNED;
	cr_assert(fixture_sync().replaced);
}

/* ---------------------------------------------------------------- two of us */

Test(ruleset_sync, a_table_that_another_owns_is_refused)
{
	struct ruleset_fault why;
	struct ruleset *owner;

	fixture_protection(PROTECTION_OWNED);
	fixture_sync();
	owner = rs;
	cr_assert_eq(ruleset_open(&rs), 0);
	why = fixture_sync_fails(-EPERM);
	cr_assert_str_eq(why.text, "table inet natd: Operation not permitted");
	options.protection = PROTECTION_WATCHED;
	fixture_sync_fails(-EPERM);
	cr_assert_eq(ruleset_delete(rs), -EPERM);
	ruleset_close(owner);
	options.protection = PROTECTION_OWNED;
	fixture_sync();
}

Test(ruleset_sync, what_is_deleted_is_gone_and_deleting_nothing_is_fine)
{
	cr_assert_eq(ruleset_delete(rs), 0);
	fixture_sync();
	cr_assert_eq(ruleset_delete(rs), 0);
	netns_run("! nft list table inet natd 2>/dev/null");
	cr_assert_eq(ruleset_delete(rs), 0);
	cr_assert(fixture_sync().created);
}
