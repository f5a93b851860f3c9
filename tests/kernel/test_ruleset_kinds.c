/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Every kind of mapping carries packets, and the more particular one comes first.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/packets_fixture.h"

static struct ruleset_fault why;
static struct in6_addr wan[4];

/* More hosts of the LAN, some with ULA only; a second WAN address; clients elsewhere. */
static void enter(void)
{
	static const char *const addresses_text[] = { "203.0.113.5", "2001:db8:f::5",
						      "203.0.113.6", "2001:db8:f::6" };

	packets_enter();
	in(inside, "ip addr add 192.168.1.11/24 dev eth0;"
		   "ip addr add 192.168.1.12/24 dev eth0;"
		   "ip addr add fd00:1::10/64 dev eth0 nodad;"
		   "ip addr add fd00:1::11/64 dev eth0 nodad;"
		   "ip addr add 2001:db8:1::11/64 dev eth0 nodad");
	in(outside, "ip addr add 198.51.100.7/32 dev eth0;"
		    "ip addr add 198.51.100.200/32 dev eth0;"
		    "ip addr add 2001:db8:c::7/128 dev eth0 nodad;"
		    "ip addr add 2001:db8:c:8000::7/128 dev eth0 nodad");
	netns_run("ip addr add fd00:1::1/64 dev lan0 nodad;"
		  "ip addr add 203.0.113.6/24 dev wan0;"
		  "ip addr add 2001:db8:f::6/64 dev wan0 nodad;"
		  "ip route add 198.51.100.0/24 via 203.0.113.9;"
		  "ip route add 2001:db8:c::/48 via 2001:db8:f::9");
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(address_parse(addresses_text[i], &wan[i]), 0);
	addresses.wan.addrs = wan;
	addresses.wan.n = 4;
	netns_run(UNTIL_PING "fd00:1::10");
	netns_run(UNTIL_PING "fd00:1::11");
	netns_run("conntrack -F 2>/dev/null");
}

TestSuite(ruleset_kinds, .init = enter, .fini = fixture_leave);

static void serve(const char *lines)
{
	fixture_load(lines);
	fixture_sync();
}

static void change(const char *lines)
{
	cr_assert_eq(fixture_change(lines, &why), 0, "%s: %s", lines, why.text);
	netns_run("conntrack -F 2>/dev/null; conntrack -F -f ipv6 2>/dev/null");
}

/* ---------------------------------------------------------------- ranges */

Test(ruleset_kinds, a_shifted_range_is_exact)
{
	int client = udp(outside, 4000);
	char to[32];

	serve("udp 9000-9003 192.168.1.10:8000");
	for (unsigned i = 0; i < 4; i++) {
		int server = udp(inside, (uint16_t)(8000 + i));

		snprintf(to, sizeof(to), "203.0.113.5:%u", 9000 + i);
		assert_talk(client, server, to, "203.0.113.9:4000");
		close(server);
	}
	int below = udp(inside, 7999), above = udp(inside, 8004);

	say(client, "203.0.113.5:8999");
	say(client, "203.0.113.5:9004");
	assert_silent(below);
	assert_silent(above);
}

Test(ruleset_kinds, an_equal_range_is_one_element_and_single_ports_come_first)
{
	int client = udp(outside, 4000);
	int first = udp_at(inside, "192.168.1.10:5000"),
	    last = udp_at(inside, "192.168.1.10:5100"),
	    middle = udp_at(inside, "192.168.1.10:5050"),
	    single = udp_at(inside, "192.168.1.11:50");

	serve("udp 5000-5100 192.168.1.10:5000\nudp 5050 192.168.1.11:50 one");
	netns_run("nft list map inet natd range4 | grep -q '{ 5000-5100 . udp'");
	assert_talk(client, first, "203.0.113.5:5000", "203.0.113.9:4000");
	assert_talk(client, last, "203.0.113.5:5100", "203.0.113.9:4000");
	assert_talk(client, single, "203.0.113.5:5050", "203.0.113.9:4000");
	say(client, "203.0.113.5:4999");
	say(client, "203.0.113.5:5101");
	assert_silent(first);
	assert_silent(last);
	change("-one");
	assert_talk(client, middle, "203.0.113.5:5050", "203.0.113.9:4000");
	assert_in_step();
}

Test(ruleset_kinds, a_host_may_have_all_ports_that_nobody_else_has)
{
	int client = udp(outside, 4000);
	int low = udp_at(inside, "192.168.1.10:1"),
	    high = udp_at(inside, "192.168.1.10:65535"),
	    single = udp_at(inside, "192.168.1.11:80");

	serve("tcp,udp 1-65535 192.168.1.10:1");
	change("+udp 1-65535 192.168.1.10:1\n+udp 8080 192.168.1.11:80 one");
	assert_talk(client, low, "203.0.113.5:1", "203.0.113.9:4000");
	assert_talk(client, high, "203.0.113.5:65535", "203.0.113.9:4000");
	assert_talk(client, single, "203.0.113.5:8080", "203.0.113.9:4000");
	assert_in_step();
	change("-udp 1");
	say(client, "203.0.113.5:65535");
	assert_silent(high);
	assert_in_step();
}

/* ---------------------------------------------------------------- given address */

Test(ruleset_kinds, a_given_address_comes_before_any)
{
	int client = udp(outside, 4000);
	int at = udp_at(inside, "192.168.1.10:7000"),
	    any = udp_at(inside, "192.168.1.11:70");

	serve("udp 7000 192.168.1.10:7000 at=203.0.113.6\nudp 7000 192.168.1.11:70");
	assert_talk(client, at, "203.0.113.6:7000", "203.0.113.9:4000");
	assert_talk(client, any, "203.0.113.5:7000", "203.0.113.9:4000");
}

/* ---------------------------------------------------------------- remote prefixes */

Test(ruleset_kinds, the_longest_prefix_wins_and_who_is_in_none_meets_the_others)
{
	int near = udp_at(outside, "198.51.100.7:4000"),
	    far = udp_at(outside, "198.51.100.200:4000"), other = udp(outside, 4001);
	int wide = udp_at(inside, "192.168.1.10:80"),
	    narrow = udp_at(inside, "192.168.1.11:80"),
	    all = udp_at(inside, "192.168.1.12:80"),
	    given = udp_at(inside, "192.168.1.10:81");

	serve("udp 8080 192.168.1.10:80 from=198.51.100.0/24\n"
	      "udp 8080 192.168.1.11:80 from=198.51.100.128/25\n"
	      "udp 8080 192.168.1.12:80");
	assert_talk(near, wide, "203.0.113.5:8080", "198.51.100.7:4000");
	assert_talk(far, narrow, "203.0.113.5:8080", "198.51.100.200:4000");
	assert_talk(other, all, "203.0.113.5:8080", "203.0.113.9:4001");
	change("+udp 8080 192.168.1.10:81 at=203.0.113.6 from=198.51.0.0/16");
	assert_talk(far, given, "203.0.113.6:8080", "198.51.100.200:4000");
	assert_talk(far, narrow, "203.0.113.5:8080", "198.51.100.200:4000");
	assert_talk(other, all, "203.0.113.6:8080", "203.0.113.9:4001");
	assert_in_step();
}

Test(ruleset_kinds, without_a_wider_mapping_others_meet_nobody)
{
	int near = udp_at(outside, "198.51.100.7:4000"), other = udp(outside, 4001);
	int web = udp(inside, 80);
	uint64_t start, now;

	serve("udp 8080 192.168.1.10:80 from=198.51.100.0/24,192.0.2.0/24");
	cr_assert_eq(ruleset_missed(rs, &start), 0);
	say(other, "203.0.113.5:8080");
	assert_silent(web);
	cr_assert_eq(ruleset_missed(rs, &now), 0);
	cr_assert_eq(now, start + 1);
	assert_talk(near, web, "203.0.113.5:8080", "198.51.100.7:4000");
	change("-udp 8080");
	say(near, "203.0.113.5:8080");
	assert_silent(web);
	netns_run("! nft list table inet natd | grep -q from4_");
	assert_in_step();
}

Test(ruleset_kinds, a_range_for_some_prefixes_is_exact_too)
{
	int near = udp_at(outside, "198.51.100.7:4000");
	int server = udp(inside, 8002);

	serve("udp 9000-9003 192.168.1.10:8000 from=198.51.100.7/32");
	assert_talk(near, server, "203.0.113.5:9002", "198.51.100.7:4000");
	netns_run("test $(nft list table inet natd | grep -c 'chain from4_udp_900') = 4");
}

/* ---------------------------------------------------------------- IPv6 */

Test(ruleset_kinds, ipv6_is_translated_by_all_of_them_too)
{
	int near = udp_at(outside, "[2001:db8:c::7]:4000"),
	    far = udp_at(outside, "[2001:db8:c:8000::7]:4000"),
	    other = udp_at(outside, "[2001:db8:f::9]:4001");
	int ten = udp_at(inside, "[fd00:1::10]:80"),
	    eleven = udp_at(inside, "[fd00:1::11]:80"),
	    range = udp_at(inside, "[fd00:1::10]:5050"),
	    shifted = udp_at(inside, "[fd00:1::10]:8001");

	serve("udp 8080 [fd00:1::10]:80 from=2001:db8:c::/48\n"
	      "udp 8080 [fd00:1::11]:80 from=2001:db8:c:8000::/49\n"
	      "udp 7000 [fd00:1::11]:80 at=2001:db8:f::6\n"
	      "udp 7000 [fd00:1::10]:80\n"
	      "udp 5000-5100 [fd00:1::10]:5000\n"
	      "udp 9000-9001 [fd00:1::10]:8000");
	assert_talk(near, ten, "[2001:db8:f::5]:8080", "[2001:db8:c::7]:4000");
	assert_talk(far, eleven, "[2001:db8:f::5]:8080", "[2001:db8:c:8000::7]:4000");
	assert_talk(other, eleven, "[2001:db8:f::6]:7000", "[2001:db8:f::9]:4001");
	assert_talk(other, ten, "[2001:db8:f::5]:7000", "[2001:db8:f::9]:4001");
	assert_talk(other, range, "[2001:db8:f::5]:5050", "[2001:db8:f::9]:4001");
	assert_talk(other, shifted, "[2001:db8:f::5]:9001", "[2001:db8:f::9]:4001");
	say(other, "[2001:db8:f::5]:8080");
	assert_silent(ten);
	assert_in_step();
}

Test(ruleset_kinds, pinholes_may_be_for_some_prefixes_or_a_range)
{
	int near = udp_at(outside, "[2001:db8:c::7]:4000"),
	    other = udp_at(outside, "[2001:db8:f::9]:4001");
	int some = udp_at(inside, "[2001:db8:1::10]:443"),
	    range = udp_at(inside, "[2001:db8:1::10]:5050"),
	    neighbour = udp_at(inside, "[2001:db8:1::11]:5050");

	serve("udp 443 [2001:db8:1::10]:443 from=2001:db8:c::/64\n"
	      "udp 5000-5100 [2001:db8:1::10]:5000");
	assert_talk(near, some, "[2001:db8:1::10]:443", "[2001:db8:c::7]:4000");
	assert_talk(other, range, "[2001:db8:1::10]:5050", "[2001:db8:f::9]:4001");
	say(other, "[2001:db8:1::10]:443");
	say(other, "[2001:db8:1::11]:5050");
	assert_silent(some);
	assert_silent(neighbour);
	change("-udp 443\n-udp 5000");
	say(near, "[2001:db8:1::10]:443");
	assert_silent(some);
	assert_in_step();
}

/* ---------------------------------------------------------------- from inside */

Test(ruleset_kinds, who_dials_from_inside_gets_what_the_world_gets)
{
	int client = udp_at(inside, "192.168.1.12:4000"), local = udp(gateway, 4001);
	int range = udp_at(inside, "192.168.1.10:5050"),
	    at = udp_at(inside, "192.168.1.10:70"),
	    some = udp_at(inside, "192.168.1.11:80");

	serve("udp 5000-5100 192.168.1.10:5000\n"
	      "udp 7000 192.168.1.10:70 at=203.0.113.6\n"
	      "udp 8080 192.168.1.11:80 from=192.168.1.12/32,203.0.113.5/32");
	say(client, "203.0.113.5:5050");
	assert_heard_from(range, "203.0.113.5:4000");
	say(client, "203.0.113.6:7000");
	assert_heard_from(at, "203.0.113.6:4000");
	say(client, "203.0.113.5:8080");
	assert_heard_from(some, "203.0.113.5:4000");
	say(local, "203.0.113.5:5051");
	say(local, "203.0.113.5:5050");
	assert_heard_from(range, "203.0.113.5:4001");
	say(local, "203.0.113.5:8080");
	assert_heard_from(some, "203.0.113.5:4001");
}

/* ---------------------------------------------------------------- changes */

Test(ruleset_kinds,
     a_mapping_that_changes_is_one_transaction_and_a_name_none_but_the_number)
{
	int client = udp(outside, 4000);
	int old = udp_at(inside, "192.168.1.10:80"),
	    new = udp_at(inside, "192.168.1.11:80");

	serve("udp 8080 192.168.1.10:80\n"
	      "udp 8081 192.168.1.10:80 from=198.51.100.0/24");
	assert_talk(client, old, "203.0.113.5:8080", "203.0.113.9:4000");
	fixture_monitor();
	change("~udp 8080: name=web\n~udp 8081: name=some");
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 2, "the number, away and back");
	change("~udp 8080: to=192.168.1.11:80");
	assert_talk(client, new, "203.0.113.5:8080", "203.0.113.9:4000");
	change("~udp 8080: off");
	say(client, "203.0.113.5:8080");
	assert_silent(new);
	change("~udp 8081: off");
	netns_run("! nft list table inet natd | grep -q from4_");
	assert_in_step();
	change("~udp 8080: on\n~udp 8081: on");
	assert_talk(client, new, "203.0.113.5:8080", "203.0.113.9:4000");
	assert_in_step();
}

struct seen {
	struct ruleset_slot slots[8];
	size_t n;
};

static void see(void *userdata, const struct ruleset_slot *slot)
{
	struct seen *s = userdata;

	cr_assert_lt(s->n, 8);
	s->slots[s->n++] = *slot;
}

static const struct ruleset_slot *find(const struct seen *s, enum mapping_kind kind,
				       const char *remote)
{
	struct prefix prefix = { .len = 0 };

	if (remote)
		cr_assert_eq(prefix_parse(remote, &prefix), 0);
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i].kind == kind &&
		    (!remote || prefix_equal(&s->slots[i].remote, &prefix)))
			return &s->slots[i];
	cr_assert_fail("no slot of kind %d, %s", kind, remote ? remote : "");
	return NULL;
}

static void assert_endpoint(const struct endpoint *e, const char *text)
{
	char buf[ENDPOINT_STRLEN];

	cr_assert_str_eq(endpoint_format(e, buf), text);
}

/* Who has another mapping at the same port goes on counting. */
Test(ruleset_kinds, every_slot_says_what_it_is_and_counts)
{
	int near = udp_at(outside, "198.51.100.7:4000"),
	    far = udp_at(outside, "198.51.100.200:4000");
	int web = udp_at(inside, "192.168.1.10:81");
	const struct ruleset_slot *slot;
	struct seen seen = { .n = 0 };

	serve("udp 8080-8081 192.168.1.10:80 from=198.51.100.0/25,198.51.100.200/32\n"
	      "udp 7000 192.168.1.10:70 at=203.0.113.6\n"
	      "udp 5000-5100 [2001:db8:1::10]:5000");
	assert_talk(near, web, "203.0.113.5:8081", "198.51.100.7:4000");
	change("+udp 8081 192.168.1.12:80 from=10.0.0.0/8 at=203.0.113.6");
	assert_talk(far, web, "203.0.113.5:8081", "198.51.100.200:4000");
	assert_talk(near, web, "203.0.113.5:8081", "198.51.100.7:4000");
	cr_assert_eq(ruleset_counters(rs, see, &seen), 0);
	cr_assert_eq(seen.n, 7);
	slot = find(&seen, MAPPING_FORWARD4_FROM, "10.0.0.0/8");
	assert_endpoint(&slot->external, "203.0.113.6:8081");
	assert_endpoint(&slot->internal, "192.168.1.12:80");
	cr_assert_eq(slot->packets, 0);
	slot = find(&seen, MAPPING_FORWARD4_AT, NULL);
	assert_endpoint(&slot->external, "203.0.113.6:7000");
	slot = find(&seen, MAPPING_PINRANGE6, NULL);
	assert_endpoint(&slot->external, "[2001:db8:1::10]:5000");
	cr_assert_eq(slot->last_port, 5100);
	for (size_t i = 0; i < seen.n; i++) {
		slot = &seen.slots[i];
		if (slot->external.port != 8081 || slot->remote.len == 96 + 8)
			continue;
		cr_assert(address_is_any(&slot->external.addr));
		assert_endpoint(&slot->internal, "192.168.1.10:81");
		cr_assert_eq(slot->packets, slot->remote.len == 128 ? 1 : 2);
	}
	seen.n = 0;
	cr_assert_eq(ruleset_elements(rs, see, &seen), 0);
	cr_assert_eq(seen.n, 7);
}

/* ---------------------------------------------------------------- other protocols */

static uint32_t crc32c(const uint8_t *data, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* An INIT to port 9999, RFC 9260 3.3.2: common header, chunk of 20 bytes */
static void make_init(uint8_t packet[static 32])
{
	static const uint8_t init[32] = { 0x0f, 0xa0, 0x27, 0x0f, 0,  0, 0, 0, 0, 0, 0,
					  0,	1,    0,    0,	  20, 0, 0, 0, 7, 0, 1,
					  0,	0,    0,    1,	  0,  1, 0, 0, 0, 7 };
	uint32_t crc;

	memcpy(packet, init, sizeof(init));
	crc = crc32c(packet, sizeof(init));
	memcpy(packet + 8, &crc, sizeof(crc)); /* little endian as it comes out */
}

static int raw(int netns, int protocol)
{
	int back = netns_switch(netns);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol);

	cr_assert_geq(fd, 0, "%s", strerror(errno));
	netns_switch(back);
	close(back);
	return fd;
}

Test(ruleset_kinds, sctp_is_translated_where_the_kernel_tracks_it)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct pollfd p = { .events = POLLIN };
	uint8_t packet[32], got[128];
	int client, server;

	if (!(ruleset_protocols(rs) & PROTOCOL_BIT_SCTP))
		cr_skip_test("this kernel does not track SCTP");
	client = raw(outside, IPPROTO_SCTP);
	server = p.fd = raw(inside, IPPROTO_SCTP);
	serve("sctp 9999 192.168.1.11:1234");
	inet_pton(AF_INET, "203.0.113.5", &to.sin_addr);
	make_init(packet);
	cr_assert_eq(sendto(client, packet, sizeof(packet), 0, (struct sockaddr *)&to,
			    sizeof(to)),
		     sizeof(packet));
	cr_assert_eq(poll(&p, 1, 2000), 1, "nothing arrives");
	cr_assert_eq(recv(server, got, sizeof(got), 0), 20 + (ssize_t)sizeof(packet));
	cr_assert_eq(memcmp(got + 16, (uint8_t[]){ 192, 168, 1, 11 }, 4), 0);
	cr_assert_eq(got[22] << 8 | got[23], 1234);
}

Test(ruleset_kinds, tcp_and_udp_are_always_among_the_protocols)
{
	uint8_t protocols = ruleset_protocols(rs);

	cr_assert_eq(protocols & (PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP),
		     PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP);
	/* these directories are there with the trackers */
	cr_assert_eq(!!(protocols & PROTOCOL_BIT_SCTP),
		     access("/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_closed",
			    F_OK) == 0);
	netns_run("! nft list tables | grep -q natd_probe");
}
