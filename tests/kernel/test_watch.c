/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "rules/ruleset_private.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

static struct ruleset *rs;
static struct table *table;
static struct ruleset_options options = { .protection = PROTECTION_WATCHED };
static struct ruleset_addresses addresses;

static void enter(void)
{
	static const uint8_t seed[16] = { 1 };

	netns_enter();
	strcpy(options.wan[options.n_wan++], "wan0");
	strcpy(options.lan[options.n_lan++], "lan0");
	table = table_new(70000, seed);
	cr_assert_not_null(table);
	cr_assert_eq(ruleset_open(&rs), 0);
}

static void leave(void)
{
	ruleset_close(rs);
	table_free(table);
}

TestSuite(watch, .init = enter, .fini = leave);

static struct ruleset_report sync_ruleset(void)
{
	struct ruleset_fault why = { "" };
	struct ruleset_report report;
	int r;

	r = ruleset_sync(rs, &options, &addresses, table, 1, NULL, NULL, &report, &why);
	cr_assert_eq(r, 0, "%s: %s", strerror(-r), why.text);
	return report;
}

static struct ruleset_news news(void)
{
	struct ruleset_news n;

	cr_assert_eq(ruleset_watch(rs, &n), 0);
	return n;
}

static bool is_readable(void)
{
	struct pollfd p = { .fd = ruleset_fd(rs), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void assert_quiet(const char *after)
{
	struct ruleset_news n = news();

	cr_assert_not(n.touched || n.foreign || n.overrun,
		      "%s: touched %d foreign %d overrun %d", after, n.touched, n.foreign,
		      n.overrun);
	cr_assert_eq(n.by.pid, 0);
	cr_assert_str_eq(n.by.name, "");
}

/* ---------------------------------------------------------------- ours, theirs */

Test(watch, without_news_there_is_nothing)
{
	cr_assert_not(is_readable());
	assert_quiet("nothing");
}

Test(watch, our_own_transactions_are_not_told)
{
	sync_ruleset();
	cr_assert_not(is_readable(), "not even read");
	assert_quiet("own sync");
}

/* ---------------------------------------------------------------- a long one of ours */

Test(watch, a_pause_without_others_leaves_no_trace)
{
	uint32_t generation;

	sync_ruleset();
	cr_assert(watch_pause(rs, &generation));
	watch_resume(rs, generation, false);
	cr_assert_not(is_readable());
	assert_quiet("a pause");
	netns_run("nft add set inet natd more '{ type ipv4_addr; }'");
	cr_assert(news().touched, "it listens again");
}

Test(watch, what_others_did_during_a_pause_is_an_overrun)
{
	uint32_t generation;

	sync_ruleset();
	cr_assert(watch_pause(rs, &generation));
	netns_run("nft add set inet natd more '{ type ipv4_addr; }'");
	cr_assert_not(is_readable(), "nobody listens");
	watch_resume(rs, generation, false);
	cr_assert(is_readable(), "who polls is woken");
	cr_assert(news().overrun);
	assert_quiet("told once");
	cr_assert(watch_pause(rs, &generation));
	watch_resume(rs, generation, true);
	cr_assert(news().overrun, "a commit of ours that is not there");
}

Test(watch, whatever_touches_our_table_is_told_with_who_did_it)
{
	static const char *const commands[] = {
		"nft add set inet natd more \"{ type ipv4_addr; }\"",
		"nft add element inet natd more \"{ 192.0.2.1 }\"",
		"nft delete element inet natd more \"{ 192.0.2.1 }\"",
		"nft delete set inet natd more",
		"nft add chain inet natd more",
		"nft add rule inet natd more accept",
		"nft flush chain inet natd more",
		"nft delete chain inet natd more",
		"nft add counter inet natd more",
		"nft delete counter inet natd more",
		"nft add element inet natd lan_if \"{ eth7 }\"",
		"nft flush set inet natd lan_if",
		"nft delete table inet natd",
		"nft add table inet natd",
		"nft flush ruleset",
	};

	sync_ruleset();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct ruleset_news n;

		netns_run("%s", commands[i]);
		cr_assert(is_readable());
		n = news();
		cr_assert(n.touched, "%s", commands[i]);
		cr_assert_not(n.overrun);
		cr_assert_str_eq(n.by.name, "nft", "%s by \"%s\"", commands[i],
				 n.by.name);
		cr_assert_neq(n.by.pid, 0);
		cr_assert_not(is_readable());
	}
}

Test(watch, a_process_may_call_itself_what_it_likes)
{
	struct ruleset_news n;

	sync_ruleset();
	netns_run(
		"d=$(mktemp -d) && f=$(printf '%%s/a\\033[1m\\377\"' $d) && "
		"cp $(command -v nft) \"$f\" && \"$f\" flush ruleset; r=$?; rm -r $d; exit $r");
	n = news();
	cr_assert(n.touched);
	cr_assert_str_eq(n.by.name, "a?[1m?\"", "by \"%s\"", n.by.name);
}

Test(watch, other_tables_are_told_as_foreign_and_touch_nothing)
{
	static const struct {
		const char *command;
		bool foreign;
	} cases[] = {
		{ "nft add table ip t", true },
		{ "nft add chain ip t c \"{ type filter hook forward priority 0; }\"",
		  true },
		{ "nft chain ip t c \"{ policy drop; }\"", true },
		{ "nft add rule ip t c accept", false },
		{ "nft add set ip t s \"{ type ipv4_addr; }\"", false },
		{ "nft add element ip t s \"{ 192.0.2.1 }\"", false },
		{ "nft delete element ip t s \"{ 192.0.2.1 }\"", false },
		{ "nft add table ip t \"{ flags dormant; }\"", true },
		{ "nft flush chain ip t c", false },
		{ "nft delete chain ip t c", true },
		{ "nft delete table ip t", true },
		{ "nft add table ip natd", true },
		{ "nft add table ip6 natd", true },
		{ "iptables-nft -P FORWARD DROP", true },
	};

	sync_ruleset();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ruleset_news n;

		netns_run("%s", cases[i].command);
		n = news();
		cr_assert_not(n.touched, "%s", cases[i].command);
		cr_assert_eq(n.foreign, cases[i].foreign, "%s", cases[i].command);
		cr_assert_not(n.overrun);
		cr_assert_str_eq(n.by.name, "", "%s", cases[i].command);
	}
}

Test(watch, one_transaction_may_be_both)
{
	struct ruleset_news n;

	sync_ruleset();
	netns_run("nft 'add table ip t; add set inet natd more { type ipv4_addr; }'");
	n = news();
	cr_assert(n.touched);
	cr_assert(n.foreign);
	cr_assert_str_eq(n.by.name, "nft");
}

Test(watch, the_culprit_is_the_one_who_touched_ours_and_not_who_came_after)
{
	struct ruleset_news n;

	sync_ruleset();
	netns_run("nft add set inet natd more '{ type ipv4_addr; }'");
	netns_run("iptables-nft -P FORWARD DROP");
	n = news();
	cr_assert(n.touched);
	cr_assert(n.foreign);
	cr_assert_str_eq(n.by.name, "nft");
}

/* The kernel tells what was altered first, and then by whom. */
Test(watch, a_transaction_read_in_part_is_told_when_it_is_whole)
{
	struct ruleset_news n;

	sync_ruleset();
	netns_run("nft add chain inet natd more");
	faulty_receive_dry_at(2);
	assert_quiet("the first half");
	cr_assert(is_readable());
	n = news();
	cr_assert(n.touched);
	cr_assert_str_eq(n.by.name, "nft");
}

Test(watch, reading_the_ruleset_or_its_counters_is_no_news)
{
	sync_ruleset();
	netns_run("nft list ruleset >/dev/null; nft reset counters >/dev/null");
	assert_quiet("listing");
}

Test(watch, a_refused_transaction_is_no_news)
{
	sync_ruleset();
	cr_assert_neq(netns_try("nft 'add set inet natd more { type ipv4_addr; }; "
				"delete table ip nowhere' 2>/dev/null"),
		      0);
	assert_quiet("a refused transaction");
}

/* natd's elements of ended connections expire; filling sets is what packets do. */
Test(watch, elements_that_expire_or_that_packets_add_are_no_news)
{
	long end = netns_milliseconds() + 10000;

	netns_run(
		"nft 'table inet natd { set gone { type inet_service; size 9; timeout 100ms; "
		"flags timeout; }; set seen { type inet_service; size 9; flags dynamic; }; "
		"chain o { type filter hook output priority 0; udp dport 9 add @seen { udp "
		"dport }; }; }'");
	netns_run("nft add element inet natd gone '{ 80 }'");
	cr_assert(news().touched);
	netns_run("bash -c 'echo > /dev/udp/127.0.0.1/9'");
	netns_run("nft list set inet natd seen | grep -q elements");
	while (netns_try("nft list set inet natd gone | grep -q elements") == 0)
		cr_assert_lt(netns_milliseconds(), end);
	/* collecting the expired ones is done when elements are added */
	netns_run("nft add table ip t");
	cr_assert_not(news().touched);
}

Test(watch, in_the_owned_protection_others_cannot_touch_and_it_is_quiet)
{
	if (!ruleset_can_own(rs))
		cr_skip_test("this kernel has no tables with an owner that persist");
	options.protection = PROTECTION_OWNED;
	sync_ruleset();
	netns_run("nft flush ruleset");
	cr_assert_neq(netns_try("nft delete table inet natd 2>/dev/null"), 0);
	assert_quiet("flush ruleset");
	netns_run("nft list table inet natd >/dev/null");
}

/* ----------------------------------------------------------------------- many */

static void load_many(size_t n)
{
	for (size_t i = 1; i <= n; i++) {
		struct mapping m = {
			.id = i,
			.protocol = IPPROTO_TCP,
			.origin = ORIGIN_ADMIN,
			.enabled = true,
			.external = { .addr = address_any4, .port = (uint16_t)i },
			.internal = { .port = (uint16_t)i },
		};

		cr_assert_eq(address_parse("192.168.1.10", &m.internal.addr), 0);
		mapping_resolve(&m);
		cr_assert_eq(table_load(table, &m), 0);
	}
}

Test(watch, our_own_long_transaction_does_not_overrun_the_watch)
{
	load_many(60000);
	sync_ruleset();
	cr_assert_not(is_readable());
	assert_quiet("60,000 elements");
}

Test(watch, when_notifications_are_lost_it_is_said_and_the_next_ones_are_heard)
{
	static const int small = 4096;
	struct ruleset_news n;

	sync_ruleset();
	cr_assert_eq(
		setsockopt(ruleset_fd(rs), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
		0);
	netns_run(
		"(echo add table ip t; for i in $(seq 1 500); do echo add chain ip t c$i; "
		"done) | nft -f -");
	n = news();
	cr_assert(n.overrun);
	netns_run("nft add chain inet natd more");
	n = news();
	cr_assert(n.touched);
	cr_assert_not(n.overrun);
}

Test(watch, a_signal_does_not_end_the_reading)
{
	sync_ruleset();
	netns_run("nft add chain inet natd more");
	faulty_receive_interrupted(2);
	cr_assert(news().touched);
}

Test(watch, another_fault_of_the_socket_is_an_error)
{
	struct ruleset_news n = { .touched = true };

	faulty_receive_fails(1, ENOMEM);
	cr_assert_eq(ruleset_watch(rs, &n), -ENOMEM);
	cr_assert(n.touched, "left alone");
}

Test(watch, repaired_is_repaired_and_own_repair_is_quiet)
{
	sync_ruleset();
	netns_run("nft flush ruleset");
	cr_assert(news().touched);
	cr_assert(sync_ruleset().created);
	assert_quiet("own repair");
	netns_run("nft list table inet natd >/dev/null");
}
