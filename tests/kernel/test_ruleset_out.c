/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Under which address and from which port packets leave.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/packets_fixture.h"

static struct ruleset_fault why;
static struct in6_addr wan[5];
static struct snat snats[4];
static struct prefix untranslated[2];

static void enter(void)
{
	static const char *const addresses_text[] = { "203.0.113.5", "2001:db8:f::5",
						      "203.0.113.6", "203.0.113.7",
						      "2001:db8:f::6" };

	packets_enter();
	in(inside, "ip addr add 192.168.1.11/24 dev eth0;"
		   "ip addr add 192.168.1.12/24 dev eth0;"
		   "ip addr add fd00:1::10/64 dev eth0 nodad;"
		   "ip addr add fd00:1::11/64 dev eth0 nodad");
	in(outside, "ip addr add 198.51.100.7/32 dev eth0;"
		    "ip addr add 2001:db8:c::7/128 dev eth0 nodad");
	netns_run("ip addr add fd00:1::1/64 dev lan0 nodad;"
		  "ip addr add 203.0.113.6/24 dev wan0;"
		  "ip addr add 203.0.113.7/24 dev wan0;"
		  "ip addr add 2001:db8:f::6/64 dev wan0 nodad preferred_lft 0;"
		  "ip route add 198.51.100.0/24 via 203.0.113.9;"
		  "ip route add 2001:db8:c::/48 via 2001:db8:f::9");
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(address_parse(addresses_text[i], &wan[i]), 0);
	addresses.wan.addrs = wan;
	addresses.wan.n = 5;
	addresses.snat.snats = snats;
	addresses.snat.untranslated = untranslated;
	options.symmetry = SYMMETRY_UDP;
	netns_run(UNTIL_PING "fd00:1::10");
	netns_run(UNTIL_PING "fd00:1::11");
	netns_run("conntrack -F 2>/dev/null");
}

TestSuite(ruleset_out, .init = enter, .fini = fixture_leave);

static void serve(const char *lines)
{
	fixture_load(lines);
	fixture_sync();
}

static void change(const char *lines)
{
	cr_assert_eq(fixture_change(lines, &why), 0, "%s: %s", lines, why.text);
	packets_forget();
}

static void snat(const char *source, const char *to, bool one_to_one)
{
	struct snat *s = &snats[addresses.snat.n++];

	cr_assert_eq(prefix_parse(source, &s->source), 0);
	cr_assert_eq(address_parse(to, &s->to), 0);
	s->one_to_one = one_to_one;
}

/* As assert_leaves(), from another port; Return: which */
static uint16_t leaves_elsewhere(const char *from, const char * not)
{
	int client = udp_at(inside, from), server = udp(outside, 7);
	char text[ENDPOINT_STRLEN];
	struct endpoint seen;

	say(client, "203.0.113.9:7");
	cr_assert(hears(server, 2000, &seen), "%s is not heard", from);
	cr_assert_str_neq(endpoint_format(&seen, text), not, "%s", from);
	close(client);
	close(server);
	return seen.port;
}

/* ---------------------------------------------------------------- symmetry */

Test(ruleset_out, where_a_mapping_leads_that_leaves_from_its_port)
{
	serve("udp 5060 192.168.1.10:5060\n"
	      "udp 8080 192.168.1.10:80\n"
	      "udp 9000-9003 192.168.1.10:8000\n"
	      "udp 6000-6010 192.168.1.10:6000\n"
	      "udp 7000 192.168.1.10:70 at=203.0.113.6\n"
	      "udp 7070 192.168.1.10:7070 from=198.51.100.0/24\n"
	      "tcp 443 192.168.1.10:4443");
	assert_leaves("192.168.1.10:5060", "203.0.113.5:5060");
	assert_leaves("192.168.1.10:80", "203.0.113.5:8080");
	assert_leaves("192.168.1.10:8002", "203.0.113.5:9002");
	assert_leaves("192.168.1.10:6005", "203.0.113.5:6005");
	assert_leaves("192.168.1.10:70", "203.0.113.6:7000");
	assert_leaves("192.168.1.10:7070", "203.0.113.5:7070");
	assert_leaves("192.168.1.10:4443", "203.0.113.5:4443");
	assert_leaves("192.168.1.11:80", "203.0.113.5:80");
	assert_in_step();
}

Test(ruleset_out, without_symmetry_it_does_not)
{
	options.symmetry = SYMMETRY_NONE;
	serve("udp 8080 192.168.1.10:80");
	assert_leaves("192.168.1.10:80", "203.0.113.5:80");
	options.symmetry = SYMMETRY_ALL;
	cr_assert(fixture_sync().rewritten);
	packets_forget();
	assert_leaves("192.168.1.10:80", "203.0.113.5:8080");
	assert_in_step();
}

/* Of several ports that lead to one place the same number comes first, then age. */
Test(ruleset_out, one_of_several_mappings_decides_and_then_the_next)
{
	serve("udp 8080 192.168.1.10:80\nudp 8081 192.168.1.10:80\n"
	      "udp 80 192.168.1.10:80");
	assert_leaves("192.168.1.10:80", "203.0.113.5:80");
	change("-udp 80");
	assert_leaves("192.168.1.10:80", "203.0.113.5:8080");
	change("-udp 8080");
	assert_leaves("192.168.1.10:80", "203.0.113.5:8081");
	change("+udp 80 192.168.1.10:80\n-udp 8081\n+udp 8082 192.168.1.10:80");
	assert_leaves("192.168.1.10:80", "203.0.113.5:80");
	assert_in_step();
	change("-udp 80\n-udp 8082");
	netns_run("! nft list set inet natd same4 | grep -q elements");
	netns_run("! nft list map inet natd back4 | grep -q elements");
	assert_in_step();
}

Test(ruleset_out, of_ipv6_what_is_translated_has_the_same)
{
	struct prefix lan;

	cr_assert_eq(prefix_parse("fd00:1::/64", &lan), 0);
	addresses.masquerade6 = &lan;
	addresses.n_masquerade6 = 1;
	serve("udp 5060 [fd00:1::10]:5060\n"
	      "udp 8080 [fd00:1::10]:80\n"
	      "udp 7000 [fd00:1::10]:70 at=2001:db8:f::6\n"
	      "udp 6000-6010 [fd00:1::10]:6000");
	assert_leaves("[fd00:1::10]:5060", "[2001:db8:f::5]:5060");
	assert_leaves("[fd00:1::10]:80", "[2001:db8:f::5]:8080");
	assert_leaves("[fd00:1::10]:70", "[2001:db8:f::6]:7000");
	assert_leaves("[fd00:1::10]:6005", "[2001:db8:f::5]:6005");
	assert_leaves("[2001:db8:1::10]:5060", "[2001:db8:1::10]:5060");
	assert_in_step();
}

/* An old flow of somebody else has the number towards that server. */
Test(ruleset_out, a_port_that_is_taken_is_not_had_where_it_is_the_same)
{
	fixture_sync();
	assert_leaves("192.168.1.11:5060", "203.0.113.5:5060");
	cr_assert_eq(fixture_change("+udp 5060 192.168.1.10:5060", &why), 0);
	leaves_elsewhere("192.168.1.10:5060", "203.0.113.5:5060");
}

/* The kernel takes one number or none: documented, and gone with the old flow. */
Test(ruleset_out, a_port_that_is_taken_is_waited_for_where_it_is_another)
{
	int client, server;

	fixture_sync();
	assert_leaves("192.168.1.11:8080", "203.0.113.5:8080");
	cr_assert_eq(fixture_change("+udp 8080 192.168.1.10:80", &why), 0);
	client = udp_at(inside, "192.168.1.10:80");
	server = udp(outside, 7);
	say(client, "203.0.113.9:7");
	assert_silent(server);
	netns_run("conntrack -D -p udp -s 192.168.1.11 >/dev/null 2>&1");
	say(client, "203.0.113.9:7");
	assert_heard_from(server, "203.0.113.5:8080");
}

/* ---------------------------------------------------------------- forwarded ports */

Test(ruleset_out, nobody_else_leaves_from_a_forwarded_port)
{
	static const char *const lines[] = { "+udp 5060 192.168.1.10:5060",
					     "+udp 8080 192.168.1.10:80",
					     "+udp 500 192.168.1.10:500",
					     "+udp 6000-6010 192.168.1.10:6000",
					     "+udp 7000 192.168.1.10:70 at=203.0.113.6" };

	fixture_sync();
	for (size_t i = 0; i < 5; i++)
		change(lines[i]);
	leaves_elsewhere("192.168.1.11:5060", "203.0.113.5:5060");
	leaves_elsewhere("192.168.1.10:8080", "203.0.113.5:8080");
	leaves_elsewhere("192.168.1.11:6005", "203.0.113.5:6005");
	leaves_elsewhere("192.168.1.11:7000", "203.0.113.5:7000");
	cr_assert_lt(leaves_elsewhere("192.168.1.11:500", "203.0.113.5:500"), 512,
		     "RFC 4787 REQ-3a");
	assert_leaves("192.168.1.11:5061", "203.0.113.5:5061");
	assert_leaves("192.168.1.11:400", "203.0.113.5:400");
	assert_leaves("192.168.1.11:40000", "203.0.113.5:40000");
	assert_in_step();
	change("-udp 5060");
	assert_leaves("192.168.1.11:5060", "203.0.113.5:5060");
	assert_in_step();
}

/* The same host keeps the port that it was given: RFC 4787 REQ-1 */
Test(ruleset_out, who_is_moved_is_moved_to_one_port_for_all_destinations)
{
	int client = udp_at(inside, "192.168.1.11:5060"), one = udp(outside, 7),
	    two = udp(outside, 8);
	struct endpoint first, second;

	serve("udp 5060 192.168.1.10:5060");
	say(client, "203.0.113.9:7");
	cr_assert(hears(one, 2000, &first));
	say(client, "203.0.113.9:8");
	cr_assert(hears(two, 2000, &second));
	cr_assert_eq(first.port, second.port);
	cr_assert_neq(first.port, 5060);
}

/* Nor when the kernel has to choose, because two hosts chose the same number. */
Test(ruleset_out, nor_is_given_one_when_numbers_collide)
{
	int server = udp(outside, 7);
	struct endpoint seen;
	char from[32];

	serve("udp 1024-39999 192.168.1.10:1024\nudp 42000-65535 192.168.1.10:42000");
	for (unsigned port = 41000; port < 41060; port++) {
		snprintf(from, sizeof(from), "192.168.1.11:%u", port);
		int first = udp_at(inside, from);

		snprintf(from, sizeof(from), "192.168.1.12:%u", port);
		int second = udp_at(inside, from);

		say(first, "203.0.113.9:7");
		cr_assert(hears(server, 2000, &seen));
		cr_assert(seen.port >= 40000 && seen.port < 42000, "%u", seen.port);
		say(second, "203.0.113.9:7");
		cr_assert(hears(server, 2000, &seen));
		cr_assert(seen.port >= 40000 && seen.port < 42000, "%u", seen.port);
		close(first);
		close(second);
	}
}

/* Where all ports are one host's, others leave from them: there are no others. */
Test(ruleset_out, a_host_with_all_ports_leaves_the_others_theirs)
{
	serve("tcp 1-65535 192.168.1.10:1");
	change("+udp 1-65535 192.168.1.10:1\n+udp 8080 192.168.1.12:80");
	assert_leaves("192.168.1.11:5060", "203.0.113.5:5060");
	assert_leaves("192.168.1.10:5061", "203.0.113.5:5061");
	leaves_elsewhere("192.168.1.11:8080", "203.0.113.5:8080");
	assert_leaves("192.168.1.12:80", "203.0.113.5:8080");
	assert_in_step();
}

/* Nor from the port of one whose address has yet to come: it may at any moment. */
Test(ruleset_out, nobody_leaves_from_the_port_of_a_mapping_that_waits)
{
	serve("udp 7000 192.168.1.10:7000 at=203.0.113.99");
	leaves_elsewhere("192.168.1.11:7000", "203.0.113.5:7000");
	leaves_elsewhere("192.168.1.10:7000", "203.0.113.99:7000");
	packets_forget();
	leaves_elsewhere("192.168.1.10:7000", "203.0.113.5:7000");
	assert_in_step();
}

/* The division of the ports follows from the mappings, however they came to be. */
Test(ruleset_out, ports_are_divided_alike_after_any_changes)
{
	char line[64];

	fixture_sync();
	srand(1);
	for (int i = 0; i < 300; i++) {
		unsigned port = (unsigned)rand() % 65535 + 1;

		snprintf(line, sizeof(line), "+udp %u 192.168.1.10:%u", port,
			 port % 7 + 1);
		if (table_find(table, MAPPING_FORWARD4, IPPROTO_UDP,
			       &(struct endpoint){ address_any4, (uint16_t)port }))
			snprintf(line, sizeof(line), "-udp %u", port);
		cr_assert_eq(fixture_change(line, &why), 0, "%s: %s", line, why.text);
		if (i % 50 == 49)
			assert_in_step();
	}
	while (table_size(table)) {
		snprintf(line, sizeof(line), "-#%llu",
			 (unsigned long long)table_next(table, NULL)->id);
		cr_assert_eq(fixture_change(line, &why), 0, "%s: %s", line, why.text);
	}
	netns_run("! nft list table inet natd | grep -qE 'chain (spare|moved)_'");
	assert_in_step();
}

/* ---------------------------------------------------------------- other addresses */

Test(ruleset_out, a_lan_or_a_host_may_have_a_fixed_address)
{
	snat("192.168.1.0/24", "203.0.113.6", false);
	snat("192.168.1.11/32", "203.0.113.7", false);
	serve("udp 5060 192.168.1.10:5060\nudp 8080 192.168.1.10:80");
	assert_leaves("192.168.1.12:4000", "203.0.113.6:4000");
	assert_leaves("192.168.1.11:4000", "203.0.113.7:4000");
	leaves_elsewhere("192.168.1.12:5060", "203.0.113.6:5060");
	/* what a mapping says comes first */
	assert_leaves("192.168.1.10:80", "203.0.113.5:8080");
	assert_in_step();
	addresses.snat.n = 1;
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	packets_forget();
	assert_leaves("192.168.1.11:4000", "203.0.113.6:4000");
	addresses.snat.n = 0;
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	packets_forget();
	assert_leaves("192.168.1.11:4000", "203.0.113.5:4000");
	assert_in_step();
}

static const struct flattened {
	const char *sources[4];
	const char *listed;
} flattened[] = {
	{ { "192.168.0.0/16", "192.168.1.0/24", "192.168.1.128/25", "192.168.1.7/32" },
	  "192.168.0.0/24:203.0.113.0,192.168.1.0-192.168.1.6:203.0.113.1,"
	  "192.168.1.7:203.0.113.3,192.168.1.8-192.168.1.127:203.0.113.1,"
	  "192.168.1.128/25:203.0.113.2,192.168.2.0-192.168.255.255:203.0.113.0" },
	{ { "0.0.0.0/0", "255.255.255.255/32" },
	  "0.0.0.0-255.255.255.254:203.0.113.0,255.255.255.255:203.0.113.1" },
	{ { "10.0.0.0/8" }, "10.0.0.0/8:203.0.113.0" },
};

Test(ruleset_out, the_longer_source_comes_first)
{
	char to[32], *listed;

	fixture_sync();
	for (size_t i = 0; i < sizeof(flattened) / sizeof(flattened[0]); i++) {
		addresses.snat.n = 0;
		for (size_t j = 0; j < 4 && flattened[i].sources[j]; j++) {
			snprintf(to, sizeof(to), "203.0.113.%zu", j);
			snat(flattened[i].sources[j], to, false);
		}
		cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s",
			     why.text);
		listed =
			fixture_listing("nft list map inet natd snat4 | tr -d ' \\t\\n' |"
					"sed 's/.*elements={\\(.*\\)}}}/\\1/'");
		cr_assert_str_eq(listed, flattened[i].listed);
		free(listed);
		assert_in_step();
	}
}

Test(ruleset_out, a_host_may_have_an_address_to_itself)
{
	int client = udp(outside, 4000), other = udp(outside, 4001),
	    host = udp_at(inside, "192.168.1.11:6060"),
	    mapped = udp_at(inside, "192.168.1.10:80"), local = udp(gateway, 4002),
	    neighbour = udp_at(inside, "192.168.1.12:4000");

	snat("192.168.1.11/32", "203.0.113.7", true);
	serve("udp 5050 192.168.1.10:80\nudp 7070 192.168.1.10:80 at=203.0.113.7");
	assert_leaves("192.168.1.11:4000", "203.0.113.7:4000");
	assert_leaves("192.168.1.11:7070", "203.0.113.7:7070");
	packets_forget();
	assert_talk(client, host, "203.0.113.7:6060", "203.0.113.9:4000");
	assert_talk(client, mapped, "203.0.113.7:7070", "203.0.113.9:4000");
	/* any address is this one as well: what a mapping says comes first */
	assert_talk(other, mapped, "203.0.113.7:5050", "203.0.113.9:4001");
	say(local, "203.0.113.7:6060");
	assert_heard_from(host, "203.0.113.7:4002");
	say(neighbour, "203.0.113.7:6060");
	assert_heard_from(host, "203.0.113.7:4000");
	/* whatever the protocol */
	in(inside, "ip addr del 192.168.1.11/24 dev eth0");
	in(outside, NO_PING "203.0.113.7");
	in(inside, "ip addr add 192.168.1.11/24 dev eth0");
	netns_run("conntrack -F 2>/dev/null");
	in(outside, PING "203.0.113.7");
	assert_in_step();
}

Test(ruleset_out, towards_some_destinations_nothing_is_translated)
{
	int far = udp_at(outside, "198.51.100.7:7"),
	    far6 = udp_at(outside, "[2001:db8:c::7]:7"),
	    client = udp_at(inside, "192.168.1.10:80"),
	    client6 = udp_at(inside, "[fd00:1::10]:80");
	struct prefix lan;

	cr_assert_eq(prefix_parse("fd00:1::/64", &lan), 0);
	addresses.masquerade6 = &lan;
	addresses.n_masquerade6 = 1;
	cr_assert_eq(prefix_parse("198.51.100.0/24", &untranslated[0]), 0);
	cr_assert_eq(prefix_parse("2001:db8:c::/48", &untranslated[1]), 0);
	addresses.snat.n_untranslated = 2;
	options.ula_may_leave = true;
	serve("udp 8080 192.168.1.10:80");
	say(client, "198.51.100.7:7");
	assert_heard_from(far, "192.168.1.10:80");
	say(client6, "[2001:db8:c::7]:7");
	assert_heard_from(far6, "[fd00:1::10]:80");
	close(far);
	close(far6);
	assert_leaves("192.168.1.11:4000", "203.0.113.5:4000");
	assert_in_step();
}

Test(ruleset_out, of_ipv6_a_fixed_address_and_one_to_one_are_the_same)
{
	int client = udp(outside, 4000), host = udp_at(inside, "[fd00:1::11]:6060");

	snat("fd00:1::/64", "2001:db8:f::6", false);
	serve("");
	assert_leaves("[fd00:1::10]:4000", "[2001:db8:f::6]:4000");
	assert_leaves("[2001:db8:1::10]:4000", "[2001:db8:1::10]:4000");
	addresses.snat.n = 0;
	snat("fd00:1::11/128", "2001:db8:f::6", true);
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	packets_forget();
	assert_leaves("[fd00:1::11]:4000", "[2001:db8:f::6]:4000");
	packets_forget();
	assert_talk(client, host, "[2001:db8:f::6]:6060", "[2001:db8:f::9]:4000");
	assert_in_step();
}
