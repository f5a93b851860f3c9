/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What routers above us have to do with the table: mappings that are in it while they are
 * held there, and the way in for what routers say unasked.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/packets_fixture.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

TestSuite(ruleset_upstream, .init = fixture_enter, .fini = fixture_leave);
TestSuite(ruleset_routers, .init = packets_enter, .fini = fixture_leave);

static struct ruleset_fault why;

/* ---------------------------------------------------------------- held there */

TEST_IN_BOTH(ruleset_upstream, what_must_be_held_is_there_while_it_is_held)
{
	static const char *const elements[] = {
		"tcp . 8080 counter packets 0 bytes 0 : 192.168.1.10 . 80",
		"2001:db8:1::10 . tcp . 443",
		"9000-9003 . udp ",
		"ip saddr 198.51.100.0/24",
	};

	fixture_load("tcp 8080 192.168.1.10:80 a upstream=required\n"
		     "tcp 443 [2001:db8:1::10]:443 b upstream=required\n"
		     "udp 9000-9003 192.168.1.10:9000 c upstream=required\n"
		     "tcp 25 192.168.1.10:25 d from=198.51.100.0/24 upstream=required");
	cr_assert_eq(fixture_sync().added, 0);
	for (int turn = 0; turn < 2; turn++) {
		cr_assert_eq(
			fixture_change("~a: held\n~b: held\n~c: held\n~d: held", &why), 0,
			"%s", why.text);
		for (size_t i = 0; i < 4; i++)
			netns_run("nft list table inet natd | grep -qF '%s'",
				  elements[i]);
		assert_in_step();
		cr_assert_eq(
			fixture_change("~a: lost\n~b: lost\n~c: lost\n~d: lost", &why), 0,
			"%s", why.text);
		for (size_t i = 0; i < 4; i++)
			netns_run("! nft list table inet natd | grep -qF '%s'",
				  elements[i]);
		assert_in_step();
	}
}

TEST_IN_BOTH(ruleset_upstream, another_wish_puts_in_and_takes_away)
{
	fixture_load("tcp 8080 192.168.1.10:80 a\nudp 53 192.168.1.10:53 b upstream=yes");
	cr_assert_eq(fixture_sync().added, 2);
	cr_assert_eq(fixture_change("~a: upstream=required", &why), 0, "%s", why.text);
	netns_run("! nft list map inet natd forward4 | grep -q 'tcp . 8080'");
	assert_in_step();
	cr_assert_eq(fixture_change("~a: upstream=yes", &why), 0, "%s", why.text);
	netns_run("nft list map inet natd forward4 | grep -q 'tcp . 8080'");
	assert_in_step();
	/* what the kernel does not know of is no change there */
	fixture_monitor();
	cr_assert_eq(fixture_change("~b: upstream=no", &why), 0, "%s", why.text);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 2, "the number alone");
	assert_in_step();
}

/* ---------------------------------------------------------------- the way in */

static struct in6_addr routers[3];

static void know_router(const char *first, const char *second)
{
	cr_assert_eq(address_parse(first, &routers[0]), 0);
	cr_assert_eq(address_parse(second, &routers[1]), 0);
	addresses.routers = (struct address_list){ routers, 2 };
}

TEST_IN_BOTH(ruleset_upstream, only_a_closed_gateway_that_asks_routers_has_a_way_in)
{
	know_router("203.0.113.1", "fe80::1");
	for (int way = 0; way < 4; way++) {
		options.input_drop = way & 1;
		options.asks_routers = way & 2;
		fixture_sync();
		netns_run("%s nft list table inet natd | grep -q 'router[46]'",
			  way == 3 ? "" : "!");
		assert_in_step();
	}
	netns_run("nft list set inet natd router4 | grep -q '203.0.113.1 '");
	netns_run("nft list set inet natd router6 | grep -q 'fe80::1 '");
	options.asks_routers = false;
	cr_assert(fixture_sync().rewritten);
	netns_run("! nft list table inet natd | grep -q 'router[46]'");
}

TEST_IN_BOTH(ruleset_upstream, another_router_is_another_element_and_no_more)
{
	options.input_drop = options.asks_routers = true;
	fixture_sync();
	know_router("203.0.113.1", "fe80::1");
	fixture_monitor();
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWSETELEM), 2);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 2);
	assert_in_step();
	know_router("203.0.113.2", "fe80::1");
	fixture_monitor();
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWSETELEM), 1);
	cr_assert_eq(fixture_monitored(NFT_MSG_DELSETELEM), 1);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 2);
	assert_in_step();
	addresses.routers.n = 0;
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	netns_run("! nft list set inet natd router4 | grep -q elements");
	assert_in_step();
}

/* The sets are not there, and nothing is sent. */
TEST_IN_BOTH(ruleset_upstream, routers_of_an_open_gateway_are_remembered)
{
	fixture_sync();
	know_router("203.0.113.1", "fe80::1");
	fixture_monitor();
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 0);
	options.input_drop = options.asks_routers = true;
	fixture_sync();
	netns_run("nft list set inet natd router4 | grep -q '203.0.113.1 '");
	assert_in_step();
}

TEST_IN_BOTH(ruleset_upstream, elements_that_others_put_in_or_take_away_are_mended)
{
	options.input_drop = options.asks_routers = true;
	know_router("203.0.113.1", "fe80::1");
	fixture_sync();
	fixture_while_away("nft delete element inet natd router4 { 203.0.113.1 };"
			   "nft add element inet natd router6 { 2001:db8:f::77 }");
	cr_assert_eq(fixture_sync().other, 2);
	netns_run("nft list set inet natd router4 | grep -q 203.0.113.1");
	netns_run("! nft list set inet natd router6 | grep -q ::77");
}

/* ---------------------------------------------------------------- datagrams */

static void close_gateway(void)
{
	options.input_drop = options.asks_routers = true;
	know_router("203.0.113.9", "fe80::9");
	addresses.routers.n = 2;
	fixture_sync();
	netns_run("conntrack -F 2>/dev/null");
}

/* A service of the gateway's own has such a port as well. */
Test(ruleset_routers, a_router_reaches_only_who_has_asked_it)
{
	int pcp = udp(outside, 5351), ssdp = udp(outside, 1900);
	int asking = udp(gateway, 40000), service = udp(gateway, 40001);

	close_gateway();
	say(pcp, "203.0.113.5:40000");
	say(ssdp, "203.0.113.5:40000");
	assert_silent(asking);
	say(asking, "203.0.113.9:1900");
	say(ssdp, "203.0.113.5:40000");
	assert_heard_from(asking, "203.0.113.9:1900");
	say(pcp, "203.0.113.5:40000");
	assert_silent(asking);
	say(ssdp, "203.0.113.5:40001");
	assert_silent(service);
}

/* Into a group on wan0. */
static void join(int fd, const char *group)
{
	struct ip_mreqn request = { 0 };

	inet_pton(AF_INET, group, &request.imr_multiaddr);
	inet_pton(AF_INET, "203.0.113.5", &request.imr_address);
	cr_assert_eq(
		setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)),
		0, "%s", strerror(errno));
}

Test(ruleset_routers, what_a_router_announces_is_heard)
{
	int router = udp(outside, 4000);
	int pcp = udp(gateway, 5350), ssdp = udp(gateway, 1900),
	    other = udp(gateway, 5349);

	join(pcp, "224.0.0.1");
	join(ssdp, "239.255.255.250");
	in(outside, "ip route add 224.0.0.0/4 dev eth0");
	close_gateway();
	say(router, "203.0.113.5:5350");
	assert_heard_from(pcp, "203.0.113.9:4000");
	say(router, "224.0.0.1:5350");
	assert_heard_from(pcp, "203.0.113.9:4000");
	say(router, "239.255.255.250:1900");
	assert_heard_from(ssdp, "203.0.113.9:4000");
	say(router, "203.0.113.5:5349");
	assert_silent(other);
}

static void leave_by_eth0(int fd, int netns)
{
	int back = netns_switch(netns);
	unsigned int index = if_nametoindex("eth0");

	cr_assert_neq(index, 0);
	cr_assert_eq(
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)),
		0);
	netns_switch(back);
	close(back);
}

Test(ruleset_routers, so_it_is_from_a_link_local_address)
{
	int router = udp(outside, 5351), pcp = udp(gateway, 5350);
	int other = udp(gateway, 40000);

	leave_by_eth0(router, outside);
	close_gateway();
	/* the source is the link's own, for a destination on the link */
	in(outside, "ip addr del 2001:db8:f::9/64 dev eth0");
	in(outside, "for a in $(ip -6 -o addr show dev eth0 scope link | "
		    "awk '$4 != \"fe80::9/64\" { print $4 }'); do "
		    "ip addr del $a dev eth0; done");
	say(router, "[ff02::1]:5350");
	assert_heard_from(pcp, "[fe80::9]:5351");
	say(router, "[ff02::1]:40000");
	assert_silent(other);
}

Test(ruleset_routers, neighbours_that_are_no_routers_stay_outside)
{
	int neighbour, pcp = udp(gateway, 5350);

	in(outside, "ip addr add 203.0.113.10/24 dev eth0");
	neighbour = udp_at(outside, "203.0.113.10:5351");
	close_gateway();
	say(neighbour, "203.0.113.5:5350");
	assert_silent(pcp);
	/* once it is one */
	know_router("203.0.113.10", "fe80::9");
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	say(neighbour, "203.0.113.5:5350");
	assert_heard_from(pcp, "203.0.113.10:5351");
}

Test(ruleset_routers, without_asking_a_closed_gateway_hears_nothing_of_it)
{
	int router = udp(outside, 5351);
	int pcp = udp(gateway, 5350), ssdp = udp(gateway, 1900),
	    asking = udp(gateway, 40000);

	close_gateway();
	options.asks_routers = false;
	fixture_sync();
	say(router, "203.0.113.5:5350");
	say(router, "203.0.113.5:1900");
	say(router, "203.0.113.5:40000");
	assert_silent(pcp);
	assert_silent(ssdp);
	assert_silent(asking);
}
