/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "said.h"

static void settle(struct mapping *m, const char *prefix)
{
	struct in6_addr addr;

	if (prefix)
		addr = said_address(prefix);
	mapping_settle_host(m, prefix ? &addr : NULL);
}

static void expect_address(const struct in6_addr *addr, const char *text)
{
	char buf[INET6_ADDRSTRLEN];

	cr_expect_str_eq(address_format(addr, buf), text);
}

Test(mapping, its_fields_decide_the_kind)
{
	static const struct {
		const char *text;
		enum mapping_kind kind;
		const char *external;
		size_t slots;
		bool range;
	} cases[] = {
		{ "tcp 8080 -> 192.168.1.10:80", MAPPING_FORWARD4, "0.0.0.0", 1, false },
		{ "tcp 80 -> 192.168.1.10:80", MAPPING_FORWARD4, "0.0.0.0", 1, false },
		{ "tcp 203.0.113.7:80 -> 192.168.1.10:80", MAPPING_FORWARD4_AT,
		  "203.0.113.7", 1, false },
		{ "tcp 203.0.113.7:80-89 -> 192.168.1.10:80", MAPPING_FORWARD4_AT,
		  "203.0.113.7", 10, false },
		{ "tcp 80-89 -> 192.168.1.10:80", MAPPING_RANGE4, "0.0.0.0", 1, true },
		{ "tcp 1-65535 -> 192.168.1.10:1", MAPPING_RANGE4, "0.0.0.0", 1, true },
		{ "tcp 80-89 -> 192.168.1.10:8080", MAPPING_FORWARD4, "0.0.0.0", 10,
		  false },
		{ "tcp 80-89 -> 192.168.1.10:80 from 10.0.0.0/8,11.0.0.0/8",
		  MAPPING_FORWARD4_FROM, "0.0.0.0", 20, false },
		{ "tcp 203.0.113.7:80 -> 192.168.1.10:80 from 10.0.0.0/8",
		  MAPPING_FORWARD4_FROM, "203.0.113.7", 1, false },
		{ "tcp 443 -> [2001:db8::10]:443", MAPPING_PINHOLE6, "2001:db8::10", 1,
		  false },
		{ "tcp [2001:db8::10]:443 -> [2001:db8::10]:443", MAPPING_PINHOLE6,
		  "2001:db8::10", 1, false },
		{ "tcp 443-449 -> [2001:db8::10]:443", MAPPING_PINRANGE6, "2001:db8::10",
		  1, true },
		{ "tcp 443-449 -> [2001:db8::10]:443 from 2001:db8:9::/48",
		  MAPPING_PINHOLE6_FROM, "2001:db8::10", 7, false },
		{ "tcp 8443 -> [2001:db8::10]:443", MAPPING_FORWARD6, "::", 1, false },
		{ "tcp 443 -> [fd00::10]:443", MAPPING_FORWARD6, "::", 1, false },
		{ "tcp 443 -> [fcff::10]:443", MAPPING_FORWARD6, "::", 1, false },
		{ "tcp 443-449 -> [fd00::10]:443", MAPPING_RANGE6, "::", 1, true },
		{ "tcp 443-449 -> [2001:db8::10]:444", MAPPING_FORWARD6, "::", 7, false },
		{ "tcp [2001:db8::5]:443 -> [2001:db8::10]:443", MAPPING_FORWARD6_AT,
		  "2001:db8::5", 1, false },
		{ "tcp 8443 -> [2001:db8::10]:443 from ::/0", MAPPING_FORWARD6_FROM,
		  "::", 1, false },
		{ "tcp 443 -> [::10]:443", MAPPING_PINHOLE6, "::", 1, false },
		{ "tcp 443-449 -> [::10]:443", MAPPING_PINRANGE6, "::", 1, true },
		{ "tcp 8443 -> [::10]:443", MAPPING_FORWARD6, "::", 1, false },
		{ "tcp [2001:db8::5]:443 -> [::10]:443", MAPPING_FORWARD6_AT,
		  "2001:db8::5", 1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping m = said(cases[i].text);
		const bool pinhole = cases[i].kind >= MAPPING_PINHOLE6_FROM;

		cr_expect_eq(mapping_kind(&m), cases[i].kind, "%s: %d", cases[i].text,
			     mapping_kind(&m));
		expect_address(&m.external.addr, cases[i].external);
		cr_expect_eq(mapping_slots(&m), cases[i].slots, "%s: %zu", cases[i].text,
			     mapping_slots(&m));
		cr_expect_eq(mapping_is_range(&m), cases[i].range, "%s", cases[i].text);
		cr_expect_eq(mapping_is_pinhole(&m), pinhole, "%s", cases[i].text);
		cr_expect_eq(mapping_is_ipv4(&m), cases[i].kind <= MAPPING_RANGE4, "%s",
			     cases[i].text);
		cr_expect_null(mapping_flaw(&m), "%s: %s", cases[i].text,
			       mapping_flaw(&m));
	}
}

Test(mapping, resolving_twice_changes_nothing)
{
	static const char *const texts[] = {
		"tcp 8080 -> 192.168.1.10:80",
		"tcp 203.0.113.7:8080 -> 192.168.1.10:80",
		"tcp 443 -> [2001:db8::10]:443",
		"tcp 8443 -> [2001:db8::10]:443",
		"tcp 443 -> [fd00::10]:443",
		"tcp 443 -> [::10]:443",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mapping m = said(texts[i]), again;

		settle(&m, "2001:db8::");
		again = m;
		mapping_resolve(&again);
		cr_expect(endpoint_equal(&m.external, &again.external), "%s", texts[i]);
		cr_expect(address_equal(&m.host, &again.host), "%s", texts[i]);
		cr_expect_eq(mapping_kind(&m), mapping_kind(&again), "%s", texts[i]);
	}
}

Test(mapping, either_any_address_stands_for_the_right_family)
{
	struct mapping m = said("tcp 8080 -> 192.168.1.10:80");

	m.external.addr = address_any6;
	mapping_resolve(&m);
	cr_expect(address_equal(&m.external.addr, &address_any4));

	m = said("tcp 8443 -> [2001:db8::10]:443");
	m.external.addr = address_any4;
	mapping_resolve(&m);
	cr_expect(address_equal(&m.external.addr, &address_any6));

	m = said("tcp 443 -> [::10]:443");
	m.external.addr = address_any4;
	mapping_resolve(&m);
	cr_expect(address_equal(&m.external.addr, &address_any6));
	cr_expect(mapping_is_pinhole(&m));
}

Test(mapping, resolving_settles_number_of_ports_and_host)
{
	struct mapping m = said("tcp 8080 -> 192.168.1.10:80");

	m.n_ports = 0;
	m.host = address_any6;
	mapping_resolve(&m);
	cr_expect_eq(m.n_ports, 1);
	cr_expect(address_equal(&m.host, &m.internal.addr));
}

Test(mapping, one_whose_port_is_chosen_later_becomes_a_pinhole_then)
{
	struct mapping m = said("tcp auto -> [2001:db8::10]:443");

	cr_expect_not(mapping_is_pinhole(&m));
	m.external.port = 443;
	mapping_resolve(&m);
	cr_expect(mapping_is_pinhole(&m));
	expect_address(&m.external.addr, "2001:db8::10");
}

Test(mapping, a_suffix_follows_the_prefix_of_its_lan)
{
	struct mapping pinhole = said("tcp 443 -> [::1:0:0:10]:443");
	struct mapping dnat = said("tcp 8443 -> [::10%lan0]:443");
	static const char *const none[] = { NULL, "::" };

	settle(&pinhole, "2001:db8:0:1::");
	expect_address(&pinhole.host, "2001:db8:0:1:1::10");
	expect_address(&pinhole.external.addr, "2001:db8:0:1:1::10");
	settle(&dnat, "2001:db8:0:1::");
	expect_address(&dnat.host, "2001:db8:0:1::10");
	expect_address(&dnat.external.addr, "::");
	cr_expect(mapping_is_live(&dnat));

	settle(&pinhole, "2001:db8:0:2::");
	expect_address(&pinhole.host, "2001:db8:0:2:1::10");
	expect_address(&pinhole.external.addr, "2001:db8:0:2:1::10");
	expect_address(&pinhole.internal.addr, "::1:0:0:10");
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		settle(&pinhole, none[i]);
		expect_address(&pinhole.host, "::");
		expect_address(&pinhole.external.addr, "::");
		cr_expect(mapping_is_pinhole(&pinhole));
		cr_expect_not(mapping_is_live(&pinhole));
		settle(&pinhole, "2001:db8:0:3::");
		cr_expect(mapping_is_live(&pinhole));
	}
	cr_expect_null(mapping_flaw(&pinhole));
	cr_expect_null(mapping_flaw(&dnat));
}

Test(mapping, a_full_address_follows_no_prefix)
{
	struct mapping m = said("tcp 443 -> [2001:db8::10]:443");

	settle(&m, "2001:db8:0:1::");
	expect_address(&m.host, "2001:db8::10");
	settle(&m, NULL);
	expect_address(&m.host, "2001:db8::10");
	expect_address(&m.external.addr, "2001:db8::10");
}

/* Else the next prefix would take the address with it that somebody gave. */
Test(mapping, a_host_that_meets_a_given_external_address_makes_no_pinhole)
{
	struct mapping m = said("tcp [2001:db8:0:1::10]:443 -> [::10]:443");

	settle(&m, "2001:db8:0:1::");
	cr_expect_not(mapping_is_live(&m));
	cr_expect_eq(mapping_kind(&m), MAPPING_FORWARD6_AT);
	settle(&m, "2001:db8:0:2::");
	expect_address(&m.host, "2001:db8:0:2::10");
	expect_address(&m.external.addr, "2001:db8:0:1::10");
	cr_expect(mapping_is_live(&m));
}

Test(mapping, is_live_when_enabled_with_a_host)
{
	struct mapping m = said("tcp 8080 -> 192.168.1.10:80");

	cr_expect(mapping_is_live(&m));
	m.enabled = false;
	cr_expect_not(mapping_is_live(&m));
	m = said("tcp 8443 -> [::10]:443");
	cr_expect_not(mapping_is_live(&m));
	settle(&m, "2001:db8::");
	cr_expect(mapping_is_live(&m));
}

Test(mapping, is_live_only_while_it_is_held_where_it_must_be)
{
	struct mapping m = said("tcp 8080 -> 192.168.1.10:80");

	for (int wish = UPSTREAM_DEFAULT; wish <= UPSTREAM_REQUIRED; wish++) {
		m.upstream = (uint8_t)wish;
		cr_expect_eq(mapping_is_live(&m), wish != UPSTREAM_REQUIRED);
		cr_expect_eq(mapping_asks_upstream(&m),
			     wish == UPSTREAM_YES || wish == UPSTREAM_REQUIRED);
	}
	m.held = true;
	cr_expect(mapping_is_live(&m));
	m.enabled = false;
	cr_expect_not(mapping_is_live(&m));
}

Test(mapping, a_wish_has_a_word)
{
	static const char *const words[] = { "default", "yes", "no", "required" };
	enum upstream_wish wish = UPSTREAM_NO;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		cr_expect_str_eq(upstream_wish_name((enum upstream_wish)i), words[i]);
		cr_expect_eq(upstream_wish_parse(words[i], &wish), 0);
		cr_expect_eq((size_t)wish, i);
	}
	wish = UPSTREAM_NO;
	cr_expect_eq(upstream_wish_parse("", &wish), -EINVAL);
	cr_expect_eq(upstream_wish_parse("YES", &wish), -EINVAL);
	cr_expect_eq(upstream_wish_parse("require", &wish), -EINVAL);
	cr_expect_eq(wish, UPSTREAM_NO);
}

/* Most have nothing to do with routers above us, and pay nothing for them. */
Test(mapping, is_no_larger_than_it_has_to_be)
{
	cr_expect_leq(sizeof(struct mapping), 184);
}

Test(mapping, the_last_port_is_the_external_one)
{
	struct mapping m = said("tcp 65000-65535 -> 192.168.1.10:80");

	cr_expect_eq(mapping_last_port(&m), 65535);
	m = said("tcp 8080 -> 192.168.1.10:80");
	cr_expect_eq(mapping_last_port(&m), 8080);
}

Test(mapping, what_few_have_reads_as_empty_in_others)
{
	struct mapping plain = said("tcp 8080 -> 192.168.1.10:80");
	struct mapping rich = said("tcp 443 -> [::10%lan0]:443 from 2001:db8:9::/48");
	size_t n = 7;

	mapping_remotes(&plain, &n);
	cr_expect_eq(n, 0);
	cr_expect_str_eq(mapping_comment(&plain), "");
	cr_expect_str_eq(mapping_lan(&plain), "");
	cr_expect_eq(mapping_remotes(&rich, &n)->len, 48);
	cr_expect_eq(n, 1);
	cr_expect_str_eq(mapping_lan(&rich), "lan0");
	cr_expect_str_eq(mapping_comment(&rich), "");
}

Test(mapping, protocols_read_as_written)
{
	static const struct {
		const char *text;
		int r;
		uint8_t bits;
		const char *sorted;
	} cases[] = {
		{ "tcp", 0, PROTOCOL_BIT_TCP, "tcp" },
		{ "udp", 0, PROTOCOL_BIT_UDP, "udp" },
		{ "sctp", 0, PROTOCOL_BIT_SCTP, "sctp" },
		{ "udplite", 0, PROTOCOL_BIT_UDPLITE, "udplite" },
		{ "tcp,udp", 0, PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP, "tcp,udp" },
		{ "udp,tcp", 0, PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP, "tcp,udp" },
		{ "udplite,sctp,udp,tcp", 0, 15, "tcp,udp,sctp,udplite" },
		{ "", -EINVAL, 0, "" },
		{ ",", -EINVAL, 0, "" },
		{ ",tcp", -EINVAL, 0, "" },
		{ "TCP", -EINVAL, 0, "" },
		{ "tcp,tcp", -EINVAL, 0, "" },
		{ "tcp,udp,tcp", -EINVAL, 0, "" },
		{ "tcp, udp", -EINVAL, 0, "" },
		{ "tcp,", -EINVAL, 0, "" },
		{ "tcp,,udp", -EINVAL, 0, "" },
		{ "udplit", -EINVAL, 0, "" },
		{ "udpl", -EINVAL, 0, "" },
		{ "udplites", -EINVAL, 0, "" },
		{ "dccp", -EINVAL, 0, "" },
		{ "6", -EINVAL, 0, "" },
	};
	char buf[PROTOCOLS_STRLEN];
	uint8_t bits;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bits = 0;
		cr_expect_eq(protocols_parse(cases[i].text, &bits), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(bits, cases[i].bits, "%s", cases[i].text);
		cr_expect_str_eq(protocols_format(bits, buf), cases[i].sorted);
	}
}

Test(mapping, each_protocol_has_name_bit_and_place)
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} cases[] = {
		{ IPPROTO_TCP, "tcp" },
		{ IPPROTO_UDP, "udp" },
		{ IPPROTO_SCTP, "sctp" },
		{ IPPROTO_UDPLITE, "udplite" },
	};
	uint8_t protocol;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(protocol_at(i), cases[i].protocol);
		cr_expect_eq(protocol_bit(cases[i].protocol), 1u << i);
		cr_expect_str_eq(protocol_name(cases[i].protocol), cases[i].name);
		cr_expect_eq(protocol_parse(cases[i].name, &protocol), 0);
		cr_expect_eq(protocol, cases[i].protocol);
	}
	protocol = 7;
	cr_expect_eq(protocol_parse("tcp,udp", &protocol), -EINVAL);
	cr_expect_eq(protocol_parse("", &protocol), -EINVAL);
	cr_expect_eq(protocol, 7);
	cr_expect_eq(protocol_bit(IPPROTO_DCCP), 0);
	cr_expect_eq(protocol_bit(0), 0);
	cr_expect_str_eq(protocol_name(IPPROTO_DCCP), "?");
}

Test(mapping, origins_read_as_written)
{
	enum origin origin;

	cr_expect(origin_parse("config", &origin) == 0 && origin == ORIGIN_CONFIG);
	cr_expect(origin_parse("admin", &origin) == 0 && origin == ORIGIN_ADMIN);
	cr_expect_eq(origin_parse("upnp", &origin), -EINVAL);
	cr_expect_str_eq(origin_name(ORIGIN_CONFIG), "config");
	cr_expect_str_eq(origin_name(ORIGIN_ADMIN), "admin");
}

Test(mapping, the_owner_is_the_file_or_a_uid)
{
	struct mapping m = { .origin = ORIGIN_ADMIN, .owner_uid = UINT32_MAX };
	char buf[OWNER_STRLEN];

	cr_expect_str_eq(mapping_owner(&m, buf), "uid:4294967295");
	m.origin = ORIGIN_CONFIG;
	cr_expect_str_eq(mapping_owner(&m, buf), "config");
}

Test(mapping, a_description_has_all_a_person_needs)
{
	/* said() reads the same, but for the last port inside and the number of remotes
	 */
	static const struct {
		const char *text, *described;
	} cases[] = {
		{ "tcp 8080 \"web\" -> 192.168.1.10:80", NULL },
		{ "udp 53 -> 192.168.1.10:53", NULL },
		{ "tcp 443 -> [2001:db8::10]:443", NULL },
		{ "tcp auto -> 192.168.1.10:80", NULL },
		{ "tcp 203.0.113.7:8080 -> 192.168.1.10:80", NULL },
		{ "tcp [2001:db8::5]:443 -> [2001:db8::10]:443", NULL },
		{ "tcp 22 -> [::10%lan0]:22", NULL },
		{ "tcp 22 -> [::10]:22", NULL },
		{ "tcp 22 -> [::beef:10]:22", NULL },
		{ "sctp 22 -> 192.168.1.10:22 from 198.51.100.0/24", NULL },
		{ "udp 203.0.113.7:9000-9003 -> 192.168.1.10:8000",
		  "udp 203.0.113.7:9000-9003 -> 192.168.1.10:8000-8003" },
		{ "udplite 9000-9003 \"g\" -> [::10%lan0]:9000",
		  "udplite 9000-9003 \"g\" -> [::10%lan0]:9000-9003" },
		{ "tcp 22 -> 192.168.1.10:22 from 10.0.0.0/8,9.0.0.0/8",
		  "tcp 22 -> 192.168.1.10:22 from 9.0.0.0/8 and 1 other" },
		{ "tcp 22 -> 192.168.1.10:22 from 10.0.0.0/8,9.0.0.0/8,11.0.0.0/8",
		  "tcp 22 -> 192.168.1.10:22 from 9.0.0.0/8 and 2 others" },
	};
	char buf[MAPPING_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping m = said(cases[i].text);
		const char *described =
			cases[i].described ? cases[i].described : cases[i].text;

		cr_expect_str_eq(mapping_describe(&m, buf), described);
		settle(&m, "2001:db8:7::");
		cr_expect_str_eq(mapping_describe(&m, buf), described);
	}
}

Test(mapping, the_longest_description_fits)
{
	static const char address[] = "2001:1111:2222:3333:4444:5555:6666:7777";
	char text[4096], buf[MAPPING_STRLEN], name[MAPPING_NAME_MAX + 1], expected[512];
	struct mapping m;

	memset(name, 'a', MAPPING_NAME_MAX);
	name[MAPPING_NAME_MAX] = '\0';
	snprintf(text, sizeof(text),
		 "udplite [%s]:10000-10009 \"%s\" -> [%s]:20000 from ", address, name,
		 address);
	for (unsigned int i = 0; i < 10; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s2001:1111:2222:3333:4444:5555:6666:%x", i ? "," : "",
			 0x7700 + i);
	m = said(text);
	snprintf(expected, sizeof(expected),
		 "udplite [%s]:10000-10009 \"%s\" -> [%s]:20000-20009 from "
		 "2001:1111:2222:3333:4444:5555:6666:7700/128 and 9 others",
		 address, name, address);
	cr_expect_str_eq(mapping_describe(&m, buf), expected);
	cr_expect_lt(strlen(expected) + 1, sizeof(buf));
}

/* It is described in the sentence that refuses it. */
Test(mapping, a_range_that_runs_over_the_end_is_described_as_asked_for)
{
	struct mapping m = said("tcp 65000-65009 -> 192.168.1.10:65000");
	char buf[MAPPING_STRLEN];

	m.n_ports = 1000;
	cr_expect_str_eq(mapping_describe(&m, buf),
			 "tcp 65000-65999 -> 192.168.1.10:65000-65999");
	m.external.port = 0;
	cr_expect_str_eq(mapping_describe(&m, buf),
			 "tcp auto -> 192.168.1.10:65000-65999");
}
