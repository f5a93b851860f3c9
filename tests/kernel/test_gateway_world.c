/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A gateway and the world around it: what it makes of addresses, prefixes, programs that
 * listen.
 */

#include "tests/kernel/gateway_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"
#include "tests/unit/core/make.h"

TestSuite(gateway_world, .init = gateway_enter, .fini = gateway_leave, .timeout = 60);

/* ------------------------------------------------------------ addresses, prefixes */

Test(gateway_world, a_given_address_is_waited_for)
{
	open_gateway("forward at { protocol = tcp port = 80 to = 192.168.1.10 "
		     "at = 203.0.113.9 }\n"
		     "forward off { protocol = tcp port = 81 to = 192.168.1.10 "
		     "at = 203.0.113.9 enabled = no }\n"
		     "forward any { protocol = tcp port = 82 to = 192.168.1.10 }\n");
	told_events();
	cr_expect(has_problem("203.0.113.9:80 \\\"at\\\" -> 192.168.1.10:80 waits for "
			      "203.0.113.9, which no WAN has."));
	cr_expect_not(has_problem("\\\"off\\\""), "%s", status("problems"));
	netns_run("ip addr add 203.0.113.9/24 dev wan0");
	settle();
	cr_expect_str_eq(told_events(), "wan-address, active at");
	cr_expect_not(has_problem("waits"), "%s", status("problems"));
	netns_run("ip addr del 203.0.113.9/24 dev wan0");
	settle();
	cr_expect_str_eq(told_events(), "wan-address, waiting at");
	netns_run("ip addr flush dev wan0");
	settle();
	cr_expect_str_eq(told_events(), "wan-address");
}

/* natd's own word that the router above us holds it, or does no longer. */
static void router_says(const char *changes)
{
	struct change_list list = make_list(changes);

	for (size_t i = 0; i < list.n; i++)
		list.changes[i].config_too = true;
	cr_assert_eq(ask_list(&list), VERDICT_CHANGED);
}

#define MUST(name, words)                                                                \
	"forward " name " { protocol = tcp to = 192.168.1.10 upstream = required " words \
	" }\n"
#define ASKS "upstream { enable = yes }\n"

Test(gateway_world, the_router_above_us_is_waited_for)
{
	open_gateway(ASKS MUST("must", "port = 80") MUST("off", "port = 81 enabled = no")
			     MUST("at", "port = 82 at = 203.0.113.9"));
	told_events();
	cr_expect_not(kernel_has("tcp . 80 "));
	router_says("~must: held\n~off: held\n~at: held");
	cr_expect_str_eq(told_events(), "active must");
	cr_expect(kernel_has("tcp . 80 "));
	cr_expect(kernel_has("tcp . 82 "), "it may come any time");
	netns_run("ip addr add 203.0.113.9/24 dev wan0");
	settle();
	cr_expect_str_eq(told_events(), "wan-address, active at");
	router_says("~must: lost\n~at: lost");
	cr_expect_str_eq(told_events(), "waiting must, waiting at");
	cr_expect_not(kernel_has("tcp . 80 "));
	netns_run("ip addr del 203.0.113.9/24 dev wan0");
	settle();
	cr_expect_str_eq(told_events(), "wan-address");
	/* and over a restart */
	router_says("~must: held");
	told_events();
	close_gateway();
	open_gateway(ASKS MUST("must", "port = 80"));
	cr_expect(named("must")->held);
	cr_expect(kernel_has("tcp . 80 "));
}

Test(gateway_world, a_router_is_wished_for_where_the_configuration_asks_one)
{
	open_gateway("upstream { enable = yes policy = none }\n");
	cr_expect_eq(ask("+tcp 80 192.168.1.10:80 web upstream=yes"),
		     VERDICT_NO_UPSTREAM);
	reload("");
	cr_expect_eq(ask("+tcp 80 192.168.1.10:80 web upstream=yes"),
		     VERDICT_NO_UPSTREAM);
	cr_expect_eq(ask("+tcp 80 192.168.1.10:80 web"), VERDICT_ADDED);
	reload("upstream { enable = yes policy = chosen }\n");
	cr_expect_eq(ask("~web: upstream=required"), VERDICT_CHANGED);
	cr_expect_not(kernel_has("tcp . 80 "));
}

/* What was asked for before stays, and waits. */
Test(gateway_world, a_router_can_be_asked_no_more)
{
	open_gateway(ASKS);
	cr_assert_eq(ask("+tcp 80 192.168.1.10:80 web upstream=required"), VERDICT_ADDED);
	router_says("~web: held");
	cr_expect(kernel_has("tcp . 80 "));
	reload("upstream { enable = no }\n");
	cr_expect_str_eq(told.why.detail, "");
	cr_expect_eq(named("web")->upstream, UPSTREAM_REQUIRED);
	router_says("~web: lost");
	cr_expect_not(kernel_has("tcp . 80 "));
	cr_expect_eq(ask("~web: upstream=default"), VERDICT_CHANGED);
	cr_expect(kernel_has("tcp . 80 "));
}

/* The kernel tells of an IPv6 address a moment after the command that made it. */
static void await_host(const char *name, const char *host)
{
	long end = netns_milliseconds() + 5000;

	while (strcmp(host_of(name), host) != 0) {
		cr_assert_lt(netns_milliseconds(), end, "%s: %s", host, host_of(name));
		cr_assert_geq(sd_event_run(event, 100000), 0);
	}
	settle();
}

Test(gateway_world, the_host_of_a_suffix_follows_the_prefix_of_its_lan)
{
	open_gateway("forward pin { protocol = tcp port = 80 to = \"::10\" }\n"
		     "forward dnat { protocol = tcp port = 81 to = \"[::11]:80\" }\n");
	told_events();
	cr_expect_str_eq(host_of("pin"), "::");
	cr_expect(has_problem("\\\"pin\\\" -> [::10]:80 waits for a global IPv6 prefix"));
	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	await_host("pin", "2001:db8:1::10");
	cr_expect_str_eq(host_of("dnat"), "2001:db8:1::11");
	cr_expect(kernel_has("2001:db8:1::10"));
	cr_expect(kernel_has("2001:db8:1::11"));
	cr_expect_str_eq(told_events(), "active pin, active dnat");
	cr_expect_not(has_problem("waits"), "%s", status("problems"));
	netns_run("ip addr add 2001:db8:2::1/64 dev lan0 nodad;"
		  "ip addr del 2001:db8:1::1/64 dev lan0");
	await_host("pin", "2001:db8:2::10");
	cr_expect(kernel_has("2001:db8:2::10"));
	cr_expect_not(kernel_has("2001:db8:1::1"));
	cr_expect_str_eq(told_events(), "active pin, active dnat");
	netns_run("ip addr del 2001:db8:2::1/64 dev lan0");
	settle();
	cr_expect_str_eq(host_of("pin"), "::");
	cr_expect_not(kernel_has("2001:db8:2::1"));
	cr_expect_str_eq(told_events(), "waiting pin, waiting dnat");
}

Test(gateway_world, the_prefix_that_is_there_at_the_start_counts)
{
	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	open_gateway("forward pin { protocol = tcp port = 80 to = \"::10\" }\n");
	cr_expect_str_eq(host_of("pin"), "2001:db8:1::10");
	close_gateway();
	netns_run("ip addr add 2001:db8:2::1/64 dev lan0 nodad;"
		  "ip addr del 2001:db8:1::1/64 dev lan0");
	open_gateway("forward pin { protocol = tcp port = 80 to = \"::10\" }\n");
	cr_expect_str_eq(host_of("pin"), "2001:db8:2::10");
	cr_expect(kernel_has("2001:db8:2::10"));
	cr_expect_not(kernel_has("2001:db8:1::10"));
}

Test(gateway_world, a_resync_that_sees_an_address_first_tells_it)
{
	struct ruleset_report report;
	struct problem why;

	open_gateway("forward at { protocol = tcp port = 80 to = 192.168.1.10 "
		     "at = 203.0.113.9 }\n"
		     "forward pin { protocol = tcp port = 80 to = \"::10\" }\n");
	told_events();
	netns_run("ip addr add 203.0.113.9/24 dev wan0;"
		  "ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	cr_assert_eq(gateway_resync(gateway, &report, &why), 0);
	cr_expect_str_eq(told_events(), "repaired, wan-address, active at, active pin");
	settle();
	cr_expect_str_eq(told_events(), "");
	cr_expect_str_eq(host_of("pin"), "2001:db8:1::10");
}

static void await_prefix(void)
{
	long end = netns_milliseconds() + 5000;

	while (address_is_any(&links_lan_prefixes(gateway->links).lans[0].prefix)) {
		cr_assert_lt(netns_milliseconds(), end);
		cr_assert_geq(sd_event_run(event, 100000), 0);
	}
}

/* A plan that is open may have the hosts as they were. */
Test(gateway_world, hosts_follow_when_a_plan_is_decided)
{
	struct change_list list = make_list("+tcp 90 192.168.1.10:80");
	struct plan *plan = NULL;

	open_gateway("forward pin { protocol = tcp port = 80 to = \"::10\" }\n");
	cr_assert_eq(table_stage(gateway_table(gateway), &list, 1, &ordinary, &plan), 0);
	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	await_prefix();
	cr_expect_str_eq(host_of("pin"), "::");
	plan_free(plan);
	change_list_done(&list);
	await_host("pin", "2001:db8:1::10");
	cr_expect(kernel_has("2001:db8:1::10"));
}

Test(gateway_world, where_somebody_is_to_leave_as_an_address_of_nobodys_it_is_said)
{
	open_gateway(
		"snat office { source = \"192.168.2.0/24\" to = \"203.0.113.7\" }\n");
	cr_expect(has_problem("192.168.2.0/24 is to leave as 203.0.113.7, which no WAN "
			      "has"));
	cr_expect_str_eq(status("snat"), "[{\"source\":\"192.168.2.0/24\",\"to\":"
					 "\"203.0.113.7\",\"one_to_one\":false}]");
	netns_run("ip addr add 203.0.113.7/24 dev wan0");
	settle();
	cr_expect_not(has_problem("is to leave"));
}

Test(gateway_world, of_many_that_wait_some_are_named_and_the_others_counted)
{
	open_gateway("");
	for (int i = 1; i <= 20; i++) {
		char change[80];

		snprintf(change, sizeof(change), "+tcp %d 192.168.1.10:80 at=203.0.113.9",
			 i);
		cr_assert_eq(ask(change), VERDICT_ADDED);
	}
	cr_expect(has_problem("203.0.113.9:8 "));
	cr_expect_not(has_problem("203.0.113.9:9 "));
	cr_expect(has_problem("There are more: 12 mappings waiting for an address"));
}

/* ------------------------------------------------------------ programs that listen */

Test(gateway_world, a_port_on_which_a_program_listens_is_refused)
{
	int fd = listen_on(22);

	open_gateway("");
	cr_expect_eq(ask("+tcp 22 192.168.1.10:22"), VERDICT_PORT_IN_USE);
	cr_expect_eq(ask("+udp 22 192.168.1.10:22"), VERDICT_ADDED);
	cr_expect_eq(ask("^tcp 22 192.168.1.10:22 ssh"), VERDICT_ADDED);
	cr_expect(has_problem("listens on 0.0.0.0:22 (uid 0), and tcp 22 \\\"ssh\\\" -> "
			      "192.168.1.10:22 takes what the WAN sends there."));
	close(fd);
	cr_expect_not(has_problem("listens"));
}

Test(gateway_world, a_program_that_comes_later_is_told)
{
	int fds[2];

	open_gateway(
		"forward web { protocol = tcp port = \"80-89\" to = 192.168.1.10 }\n"
		"forward off { protocol = tcp port = 90 to = 192.168.1.10 "
		"enabled = no }\n"
		"forward at { protocol = tcp port = 91 to = 192.168.1.10 "
		"at = 203.0.113.9 }\n"
		"forward pin { protocol = tcp port = 92 to = \"2001:db8:1::10\" }\n");
	fds[0] = listen_on(85);
	for (uint16_t port = 90; port <= 92; port++)
		fds[1] = listen_on(port);
	cr_expect(has_problem("0.0.0.0:85 (uid 0), and tcp 80-89 \\\"web\\\""));
	for (int port = 90; port <= 92; port++) {
		char words[32];

		snprintf(words, sizeof(words), "0.0.0.0:%d", port);
		cr_expect_not(has_problem(words), "%s", status("problems"));
	}
	close(fds[0]);
	close(fds[1]);
}

Test(gateway_world, listeners_that_cannot_be_read_are_said_until_they_can)
{
	struct listener_list list = { .n = 4711 };
	struct conditions at;

	open_gateway("");
	gateway_conditions(gateway, 0, &at);
	cr_expect_not(at.listeners_known, "nobody asked");
	gateway_conditions(gateway, PROTOCOL_BITS, &at);
	cr_expect(at.listeners_known);
	faulty_answer(-ENOMEM);
	gateway_conditions(gateway, PROTOCOL_BITS, &at);
	cr_expect_not(at.listeners_known);
	cr_expect(strstr(gateway->sockets_problem, "Cannot allocate memory"), "%s",
		  gateway->sockets_problem);
	faulty_answer(-ENOMEM);
	cr_expect_not(gateway_listeners(gateway, PROTOCOL_BITS, &list));
	cr_expect_eq(list.n, 4711);
	cr_expect_not(has_problem("which ports programs"), "it can again");
	cr_expect_str_eq(gateway->sockets_problem, "");
}

/* ------------------------------------------------------------ what can be mapped */

Test(gateway_world, the_conditions_are_those_of_the_configuration_and_the_interfaces)
{
	struct conditions at;
	char text[INET6_ADDRSTRLEN];

	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	open_gateway(
		"ports { pool = {\"5000-5009\", \"6000\"} reserved = {\"5001\"} }\n");
	gateway_conditions(gateway, 0, &at);
	cr_expect_eq(at.pool.n, 2);
	cr_expect_eq(at.pool.ranges[0].last, 5009);
	cr_expect_eq(at.reserved.n, 1);
	cr_expect_eq(at.wan.n, 1);
	cr_expect_eq(at.lans.n, 1);
	cr_expect_str_eq(address_format(&at.lans.lans[0].prefix, text), "2001:db8:1::");
	cr_expect_eq(at.protocols & (PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP),
		     PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP);
	cr_expect_geq(at.now, gateway->started);
	cr_expect_gt(at.lease_now, 0);
}

Test(gateway_world, udplite_is_mapped_only_where_checksums_are_ignored)
{
	open_gateway("");
	if (!(ruleset_protocols(gateway->ruleset) & PROTOCOL_BIT_UDPLITE))
		cr_skip_test("this kernel does not translate it");
	netns_run("echo 1 > /proc/sys/net/netfilter/nf_conntrack_checksum");
	cr_expect_eq(ask("+udplite 80 192.168.1.10:80"), VERDICT_NO_PROTOCOL);
	cr_expect(strstr(status("protocols"), "\"udplite\":false"));
	netns_run("echo 0 > /proc/sys/net/netfilter/nf_conntrack_checksum");
	cr_expect_eq(ask("+udplite 80 192.168.1.10:80"), VERDICT_ADDED);
	cr_expect(strstr(status("protocols"), "\"udplite\":true"));
}

Test(gateway_world, status_counts_the_ports_of_the_pool)
{
	static const char pool[] =
		"[{\"ports\":\"5000-5009\",\"size\":8,\"used\":{\"tcp\":4,\"udp\":1";

	open_gateway("ports { pool = {\"5000-5009\", \"6000\"} "
		     "reserved = {\"5001\", \"5009-5010\"} }\n");
	ask("+tcp 4990-5003 192.168.1.10:4990");
	ask("+tcp 5005 192.168.1.10:80 at=203.0.113.9\n"
	    "+tcp 5005 192.168.1.11:80 from=198.51.100.0/24\n"
	    "+tcp 5006 [2001:db8:1::10]:5006\n"
	    "+udp 5009 192.168.1.10:80\n+udp 5008 [2001:db8:1::10]:80");
	cr_expect(strstr(status("pool"), pool), "%s", status("pool"));
	cr_expect(strstr(status("pool"), "{\"ports\":\"6000-6000\",\"size\":1,\"used\":"
					 "{\"tcp\":0,\"udp\":0"),
		  "%s", status("pool"));
}
