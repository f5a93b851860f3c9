/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the rules do to packets where it is easily got wrong. Whole gateways are tested
 * with natd in tests/netns/.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"

#define PING	   "ping -q -c1 -W2 >/dev/null "
#define NO_PING	   "! ping -q -c1 -W1 >/dev/null "
#define UNTIL_PING "timeout 20 sh -c 'until ping -q -c1 -W1 $0 >/dev/null; do :; done' "

static int gateway, outside, inside;

static int neighbour(const char *link, const char *peer)
{
	int there = netns_new();

	netns_run("ip link add %s type veth peer name %s netns /proc/self/fd/%d", link,
		  peer, there);
	netns_run("ip link set %s up", link);
	return there;
}

static void in(int netns, const char *command)
{
	int back = netns_switch(netns);

	netns_run("%s", command);
	netns_switch(back);
	close(back);
}

/* outside wan0 gateway lan0 inside. The LAN's link-local prefix comes first in the
 * routing table, which is what makes a careless spoof check drop the WAN's neighbours. */
static void enter(void)
{
	fixture_enter();
	gateway = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(gateway, 0);
	inside = neighbour("lan0", "eth0");
	netns_run("ip addr add 192.168.1.1/24 dev lan0");
	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	in(inside, "ip link set eth0 up; ip addr add 192.168.1.10/24 dev eth0;"
		   "ip addr add 2001:db8:1::10/64 dev eth0 nodad;"
		   "ip route add default via 192.168.1.1;"
		   "ip route add default via 2001:db8:1::1");
	outside = neighbour("wan0", "eth0");
	netns_run("ip addr add 203.0.113.5/24 dev wan0");
	netns_run("ip addr add 2001:db8:f::5/64 dev wan0 nodad");
	netns_run("ip link set wan0 address 02:00:00:00:00:05; "
		  "ip addr add fe80::5/64 dev wan0 nodad");
	in(outside, "ip link set eth0 up; ip addr add 203.0.113.9/24 dev eth0;"
		    "ip addr add 2001:db8:f::9/64 dev eth0 nodad;"
		    "ip addr add fe80::9/64 dev eth0 nodad;"
		    "ip route add 192.168.1.0/24 via 203.0.113.5;"
		    "ip route add 2001:db8:1::/64 via 2001:db8:f::5");
	netns_run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
		  "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan0.rp_filter=0");
	/* A new link takes its time until neighbours are found over it. */
	in(inside, UNTIL_PING "2001:db8:1::1");
	in(outside, UNTIL_PING "2001:db8:f::5");
	netns_run(UNTIL_PING "2001:db8:1::10");
	netns_run(UNTIL_PING "2001:db8:f::9");
	netns_run("conntrack -F 2>/dev/null");
}

TestSuite(ruleset_packets, .init = enter, .fini = fixture_leave);

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

static struct sockaddr_in6 at(const char *text)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	struct endpoint e;

	cr_assert_eq(endpoint_parse(text, &e), 0, "%s", text);
	a.sin6_addr = e.addr;
	a.sin6_port = htons(e.port);
	return a;
}

/* A UDP socket of that network, for both families, bound to a port. */
static int udp(int netns, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int back = netns_switch(netns);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), no = 0;

	cr_assert_geq(fd, 0);
	cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	netns_switch(back);
	close(back);
	return fd;
}

static void say(int fd, const char *to)
{
	struct sockaddr_in6 a = at(to);

	cr_assert_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), 1, "%s: %s",
		     to, strerror(errno));
}

static bool hears(int fd, int milliseconds, struct endpoint *from)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	char c;

	if (poll(&p, 1, milliseconds) != 1)
		return false;
	cr_assert_eq(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&a, &len), 1);
	from->addr = a.sin6_addr;
	from->port = ntohs(a.sin6_port);
	return true;
}

static void assert_heard_from(int fd, const char *who)
{
	struct endpoint from;
	char text[ENDPOINT_STRLEN];

	cr_assert(hears(fd, 2000, &from), "nothing from %s", who);
	cr_assert_str_eq(endpoint_format(&from, text), who);
}

static void assert_silent(int fd)
{
	struct endpoint from;
	char text[ENDPOINT_STRLEN];

	if (hears(fd, 300, &from))
		cr_assert_fail("heard %s", endpoint_format(&from, text));
}

/* @client dials @external, @server answers */
static void assert_talk(int client, int server, const char *external, const char *seen)
{
	say(client, external);
	assert_heard_from(server, seen);
	say(server, seen);
	assert_heard_from(client, external);
}

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
	struct prefix lan = { at("[2001:db8:1::]:1").sin6_addr, 64 };
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

static void count(void *userdata, uint8_t protocol, const struct endpoint *external,
		  uint64_t packets)
{
	*(uint64_t *)userdata += packets;
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
