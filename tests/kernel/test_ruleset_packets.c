/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the rules do to packets where it is easily got wrong. Whole gateways are tested
 * with natd in tests/netns/.
 */

#include <errno.h>
#include <string.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/packets_fixture.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

TestSuite(ruleset_packets, .init = packets_enter, .fini = fixture_leave);

static struct ruleset_figures figures(void)
{
	struct ruleset_figures f;

	cr_assert_eq(ruleset_figures(rs, &f), 0);
	return f;
}

Test(ruleset_packets, neighbours_of_the_wan_with_link_local_addresses_are_heard)
{
	fixture_sync();
	in(outside, PING "-I eth0 fe80::5");
	cr_assert_eq(figures().spoofed, 0);
	options.input_drop = true;
	fixture_sync();
	netns_run("conntrack -F 2>/dev/null");
	in(outside, "ip neigh flush dev eth0; " PING "-I eth0 fe80::5");
	in(outside, "ip neigh flush dev eth0; " PING "2001:db8:f::5");
	in(outside, PING "203.0.113.5");
	cr_assert_eq(figures().spoofed, 0);
}

Test(ruleset_packets, sources_of_the_lan_do_not_come_from_the_wan)
{
	fixture_sync();
	in(outside, "ip addr add 192.168.1.77/32 dev eth0;"
		    "ip addr add 2001:db8:1::77/128 dev eth0 nodad");
	in(outside, NO_PING "-I 192.168.1.77 203.0.113.5");
	cr_assert_eq(figures().spoofed, 1);
	in(outside, NO_PING "-I 2001:db8:1::77 2001:db8:f::5");
	cr_assert_eq(figures().spoofed, 2);
}

Test(ruleset_packets, what_enters_by_the_wan_unasked_is_dropped_and_counted)
{
	fixture_sync();
	in(outside, NO_PING "192.168.1.10");
	in(outside, NO_PING "2001:db8:1::10");
	cr_assert_eq(figures().refused, 2);
	in(inside, PING "203.0.113.9");
	in(inside, PING "2001:db8:f::9");
	cr_assert_eq(figures().refused, 2);
}

/* RFC 5508 REQ-2, by the object that nft has no words for */
Test(ruleset_packets, queries_of_icmp_live_a_minute)
{
	fixture_sync();
	in(inside, PING "203.0.113.9");
	in(inside, PING "2001:db8:f::9");
	netns_run("conntrack -L -p icmp 2>/dev/null | "
		  "awk '$3 > 50 && $3 <= 60 { n++ } END { exit n != 1 }'");
	netns_run(
		"conntrack -L -f ipv6 -p icmpv6 2>/dev/null | "
		"awk '/2001:db8:1::10/ && $3 > 50 && $3 <= 60 { n++ } END { exit n != 1 }'");
}

/* ---------------------------------------------------------------- datagrams */

static void serve_mappings(void)
{
	fixture_load("udp 8080 192.168.1.10:80\n"
		     "udp 8080 [2001:db8:1::10]:80\n"
		     "udp 53 [2001:db8:1::10]:53\n");
	fixture_sync();
}

Test(ruleset_packets, forwards_and_pinholes_let_in_and_translate)
{
	int client = udp(outside, 4000), web = udp(inside, 80), dns = udp(inside, 53);

	serve_mappings();
	assert_talk(client, web, "203.0.113.5:8080", "203.0.113.9:4000");
	assert_talk(client, web, "[2001:db8:f::5]:8080", "[2001:db8:f::9]:4000");
	assert_talk(client, dns, "[2001:db8:1::10]:53", "[2001:db8:f::9]:4000");
	say(client, "203.0.113.5:53");
	say(client, "[2001:db8:1::10]:80");
	assert_silent(web);
	assert_silent(dns);
}

/* A camera or syslog: nobody ever answers. */
Test(ruleset_packets, a_stream_in_one_direction_keeps_coming)
{
	int client = udp(outside, 4000), web = udp(inside, 80), dns = udp(inside, 53);

	serve_mappings();
	for (int i = 0; i < 3; i++) {
		say(client, "203.0.113.5:8080");
		assert_heard_from(web, "203.0.113.9:4000");
		say(client, "[2001:db8:1::10]:53");
		assert_heard_from(dns, "[2001:db8:f::9]:4000");
	}
}

Test(ruleset_packets, a_host_of_the_lan_gets_what_the_world_gets)
{
	int client = udp(inside, 4000), web = udp(inside, 80);

	serve_mappings();
	say(client, "203.0.113.5:8080");
	assert_heard_from(web, "203.0.113.5:4000");
	say(client, "[2001:db8:f::5]:8080");
	assert_heard_from(web, "[2001:db8:f::5]:4000");
	say(client, "192.168.1.1:8080");
	assert_silent(web);
}

Test(ruleset_packets, the_gateway_itself_gets_what_the_world_gets)
{
	int client = udp(gateway, 4000), web = udp(inside, 80);

	serve_mappings();
	say(client, "203.0.113.5:8080");
	assert_heard_from(web, "203.0.113.5:4000");
	say(client, "192.168.1.1:8080");
	assert_silent(web);
}

Test(ruleset_packets, ipv6_is_routed_and_masqueraded_only_when_asked_for)
{
	int client = udp(inside, 4000), server = udp(outside, 7);
	struct prefix lan = { packets_at("[2001:db8:1::]:1").sin6_addr, 64 };
	struct ruleset_fault why;

	fixture_sync();
	say(client, "203.0.113.9:7");
	assert_heard_from(server, "203.0.113.5:4000");
	say(client, "[2001:db8:f::9]:7");
	assert_heard_from(server, "[2001:db8:1::10]:4000");
	addresses.masquerade6 = &lan;
	addresses.n_masquerade6 = 1;
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	netns_run("conntrack -F 2>/dev/null");
	say(client, "[2001:db8:f::9]:7");
	assert_heard_from(server, "[2001:db8:f::5]:4000");
}

static void end(const char *inner, const char *outer)
{
	struct connection c = { .protocol = IPPROTO_UDP };
	struct ruleset_fault why;

	cr_assert_eq(endpoint_parse(inner, &c.reply_src), 0);
	cr_assert_eq(endpoint_parse(outer, &c.orig_src), 0);
	cr_assert_eq(ruleset_end(rs, &c, 1, &why), 0, "%s", why.text);
	netns_run("conntrack -F 2>/dev/null; conntrack -F -f ipv6 2>/dev/null");
}

Test(ruleset_packets, a_connection_that_was_ended_is_not_made_again_from_inside)
{
	int client = udp(outside, 4000), web = udp(inside, 80), dns = udp(inside, 53);

	serve_mappings();
	assert_talk(client, web, "203.0.113.5:8080", "203.0.113.9:4000");
	assert_talk(client, dns, "[2001:db8:1::10]:53", "[2001:db8:f::9]:4000");
	end("192.168.1.10:80", "203.0.113.9:4000");
	end("[2001:db8:1::10]:53", "[2001:db8:f::9]:4000");
	say(web, "203.0.113.9:4000");
	say(dns, "[2001:db8:f::9]:4000");
	assert_silent(client);
	say(web, "203.0.113.9:4001");
	say(client, "203.0.113.5:8080");
	assert_heard_from(web, "203.0.113.9:4000");
}

/* As natd does it: apply, then lift. */
static void change_and_lift(const char *lines)
{
	struct change_list list = make_list(lines);
	struct ruleset_fault why;
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	cr_assert_not(plan_refused(plan, 0));
	cr_assert_eq(ruleset_apply(rs, plan, ++sequence, &why), 0, "%s", why.text);
	cr_assert_eq(ruleset_lift(rs, plan, &why), 0, "%s", why.text);
	table_commit(table, plan);
	plan_free(plan);
	change_list_done(&list);
}

/* A telephone whose mapping was switched off and on registers again. */
Test(ruleset_packets, a_mapping_that_comes_back_lets_its_host_send)
{
	int client = udp(outside, 4000), web = udp(inside, 80), dns = udp(inside, 53),
	    phone = udp(inside, 5062);

	serve_mappings();
	change_and_lift("+udp 5060-5064 192.168.1.10:5060");
	end("192.168.1.10:80", "203.0.113.9:4000");
	end("192.168.1.10:5062", "203.0.113.9:4000");
	end("[2001:db8:1::10]:53", "[2001:db8:f::9]:4000");
	change_and_lift("-udp 5060");
	change_and_lift("+udp 5070 192.168.1.10:5063\n+udp 90 192.168.1.11:80\n"
			"+tcp 80 192.168.1.10:80\n~udp 53: name=dns");
	say(web, "203.0.113.9:4000");
	say(phone, "203.0.113.9:4000");
	say(dns, "[2001:db8:f::9]:4000");
	assert_silent(client);
	change_and_lift("~udp 53: off\n+udp 5060-5064 192.168.1.10:5060");
	change_and_lift("~udp 53: on");
	say(phone, "203.0.113.9:4000");
	assert_heard_from(client, "203.0.113.5:5062");
	say(dns, "[2001:db8:f::9]:4000");
	assert_heard_from(client, "[2001:db8:1::10]:53");
	say(web, "203.0.113.9:4000");
	assert_silent(client);
	netns_run("nft list set inet natd ended4 | grep -q 'udp . 192.168.1.10 . 80 '");
}

static void count(void *userdata, const struct ruleset_slot *slot)
{
	*(uint64_t *)userdata += slot->packets;
}

Test(ruleset_packets, elements_count_connections)
{
	int client = udp(outside, 4000), other = udp(outside, 4001),
	    web = udp(inside, 80);
	uint64_t connections = 0;

	serve_mappings();
	assert_talk(client, web, "203.0.113.5:8080", "203.0.113.9:4000");
	assert_talk(client, web, "203.0.113.5:8080", "203.0.113.9:4000");
	assert_talk(other, web, "203.0.113.5:8080", "203.0.113.9:4001");
	cr_assert_eq(ruleset_counters(rs, count, &connections), 0);
	cr_assert_eq(connections, 2);
}

Test(ruleset_packets, what_is_opened_reaches_the_gateway_when_all_else_is_shut)
{
	int client = udp(outside, 4000), open = udp(gateway, 500),
	    shut = udp(gateway, 501);

	options.input_drop = true;
	options.open[options.n_open++] = (struct open_port){ IPPROTO_UDP, 500 };
	fixture_sync();
	say(client, "203.0.113.5:500");
	assert_heard_from(open, "203.0.113.9:4000");
	say(client, "203.0.113.5:501");
	say(client, "[2001:db8:f::5]:501");
	assert_silent(shut);
	cr_assert_eq(figures().refused, 2);
	say(client, "[2001:db8:f::5]:500");
	assert_heard_from(open, "[2001:db8:f::9]:4000");
}

static uint64_t missed(void)
{
	uint64_t n;

	cr_assert_eq(ruleset_missed(rs, &n), 0);
	return n;
}

Test(ruleset_packets, who_meets_no_mapping_is_counted_and_who_meets_one_is_not)
{
	int client = udp(outside, 4000), web = udp(inside, 80);
	uint64_t start;

	serve_mappings();
	start = missed();
	cr_assert_neq(start, 0);
	assert_talk(client, web, "203.0.113.5:8080", "203.0.113.9:4000");
	assert_talk(client, web, "[2001:db8:f::5]:8080", "[2001:db8:f::9]:4000");
	cr_assert_eq(missed(), start);
	say(client, "203.0.113.5:8081");
	cr_assert_eq(missed(), start + 1);
	say(client, "[2001:db8:f::5]:8081");
	cr_assert_eq(missed(), start + 2);
	say(web, "203.0.113.5:8082");
	cr_assert_eq(missed(), start + 3, "nor who comes from a LAN");
}

Test(ruleset_packets, a_counter_that_was_set_back_says_nothing)
{
	uint64_t n;

	fixture_protection(PROTECTION_WATCHED);
	cr_assert_eq(ruleset_missed(rs, &n), -ESTALE, "there is no table");
	fixture_sync();
	netns_run("nft reset counters table inet natd >/dev/null");
	cr_assert_eq(ruleset_missed(rs, &n), -ESTALE);
}

Test(ruleset_packets, the_second_wan_is_one_as_well)
{
	int client = udp(outside, 4000), web = udp(inside, 80);

	strcpy(options.wan[1], options.wan[0]);
	strcpy(options.wan[0], "wan7");
	options.n_wan = 2;
	serve_mappings();
	assert_talk(client, web, "203.0.113.5:8080", "203.0.113.9:4000");
	say(client, "192.168.1.10:80");
	assert_silent(web);
}
