/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "core/cleanup.h"
#include "make.h"

Test(mapping, the_internal_address_decides_the_kind)
{
	static const struct {
		const char *text;
		enum mapping_kind kind;
		const char *external;
	} cases[] = {
		{ "tcp 8080 192.168.1.10:80", MAPPING_FORWARD4, "0.0.0.0:8080" },
		{ "tcp 80 192.168.1.10:80", MAPPING_FORWARD4, "0.0.0.0:80" },
		{ "tcp 443 [2001:db8::10]:443", MAPPING_PINHOLE6, "[2001:db8::10]:443" },
		{ "tcp 8443 [2001:db8::10]:443", MAPPING_FORWARD6, "[::]:8443" },
		{ "tcp 443 [fd00::10]:443", MAPPING_FORWARD6, "[::]:443" },
		{ "tcp 443 [fcff::10]:443", MAPPING_FORWARD6, "[::]:443" },
	};
	char buf[ENDPOINT_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping m = make_mapping(cases[i].text);

		cr_expect_eq(mapping_kind(&m), cases[i].kind, "%s", cases[i].text);
		cr_expect_str_eq(endpoint_format(&m.external, buf), cases[i].external);
	}
}

Test(mapping, resolving_twice_changes_nothing)
{
	static const char *const texts[] = { "tcp 8080 192.168.1.10:80",
					     "tcp 443 [2001:db8::10]:443",
					     "tcp 8443 [2001:db8::10]:443" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mapping m = make_mapping(texts[i]), again = m;

		mapping_resolve(&again);
		cr_expect(endpoint_equal(&m.external, &again.external), "%s", texts[i]);
	}
}

Test(mapping, either_any_address_stands_for_the_right_family)
{
	struct mapping m = make_mapping("tcp 8080 192.168.1.10:80");

	m.external.addr = address_any6;
	mapping_resolve(&m);
	cr_expect(address_equal(&m.external.addr, &address_any4));

	m = make_mapping("tcp 8443 [2001:db8::10]:443");
	m.external.addr = address_any4;
	mapping_resolve(&m);
	cr_expect(address_equal(&m.external.addr, &address_any6));
}

Test(mapping, a_flaw_in_a_name_is_told)
{
	char longest[MAPPING_NAME_MAX + 2];
	static const struct {
		const char *name, *flaw;
	} cases[] = {
		{ "web", NULL },
		{ "W", NULL },
		{ "a-b_c.9", NULL },
		{ "", "A name starts with a letter." },
		{ "9a", "A name starts with a letter." },
		{ "-a", "A name starts with a letter." },
		{ "\xc3\xa4", "A name starts with a letter." },
		{ "a b", "A name has letters, digits, '-', '_' and '.' only." },
		{ "a\n", "A name has letters, digits, '-', '_' and '.' only." },
		{ "a\x7f", "A name has letters, digits, '-', '_' and '.' only." },
		{ "a,b", "A name has letters, digits, '-', '_' and '.' only." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *flaw = mapping_name_flaw(cases[i].name);

		cr_expect_str_eq(flaw ? flaw : "none",
				 cases[i].flaw ? cases[i].flaw : "none", "%s", flaw);
	}
	memset(longest, 'a', sizeof(longest));
	longest[MAPPING_NAME_MAX + 1] = '\0';
	cr_expect_str_eq(mapping_name_flaw(longest), "A name has at most 63 characters.");
	longest[MAPPING_NAME_MAX] = '\0';
	cr_expect_null(mapping_name_flaw(longest));
}

Test(mapping, protocols_read_as_written)
{
	static const struct {
		const char *text;
		int r;
		uint8_t bits;
	} cases[] = {
		{ "tcp", 0, PROTOCOL_BIT_TCP },
		{ "udp", 0, PROTOCOL_BIT_UDP },
		{ "tcp,udp", 0, PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP },
		{ "udp,tcp", 0, PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP },
		{ "", -EINVAL, 0 },
		{ "TCP", -EINVAL, 0 },
		{ "tcp,tcp", -EINVAL, 0 },
		{ "tcp, udp", -EINVAL, 0 },
		{ "tcp,", -EINVAL, 0 },
		{ "sctp", -EINVAL, 0 },
	};
	uint8_t bits, protocol;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bits = 0;
		cr_expect_eq(protocols_parse(cases[i].text, &bits), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(bits, cases[i].bits, "%s", cases[i].text);
	}
	cr_expect(protocol_parse("tcp", &protocol) == 0 && protocol == IPPROTO_TCP);
	cr_expect(protocol_parse("udp", &protocol) == 0 && protocol == IPPROTO_UDP);
	cr_expect_eq(protocol_parse("tcp,udp", &protocol), -EINVAL);
	cr_expect_str_eq(protocol_name(IPPROTO_TCP), "tcp");
	cr_expect_str_eq(protocol_name(IPPROTO_UDP), "udp");
	cr_expect_str_eq(protocol_name(IPPROTO_SCTP), "?");
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
	static const struct {
		const char *text, *described;
	} cases[] = {
		{ "tcp 8080 192.168.1.10:80 web", "tcp 8080 \"web\" -> 192.168.1.10:80" },
		{ "udp 53 192.168.1.10:53", "udp 53 -> 192.168.1.10:53" },
		{ "tcp 443 [2001:db8::10]:443", "tcp 443 -> [2001:db8::10]:443" },
	};
	struct mapping longest = make_mapping("tcp 65535 [2001:1111:2222:3333:4444:5555:"
					      "6666:7777]:65535");
	char buf[MAPPING_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping m = make_mapping(cases[i].text);

		cr_expect_str_eq(mapping_describe(&m, buf), cases[i].described);
	}
	memset(longest.name, 'a', MAPPING_NAME_MAX);
	mapping_describe(&longest, buf);
	cr_expect_eq(strlen(buf),
		     strlen("tcp 65535 \"\" -> ") + MAPPING_NAME_MAX +
			     strlen("[2001:1111:2222:3333:4444:5555:6666:7777]:65535"));
}
