/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <string.h>

#include "core/cleanup.h"
#include "said.h"

Test(mapping, a_flaw_in_a_name_is_told)
{
	char longest[MAPPING_NAME_MAX + 2];
	static const struct {
		const char *name, *flaw;
	} cases[] = {
		{ "web", NULL },
		{ "W", NULL },
		{ "a-b_c.9", NULL },
		{ "zZ0a", NULL },
		{ "ZzA", NULL },
		{ "a@", "A name has letters, digits, '-', '_' and '.' only." },
		{ "a[", "A name has letters, digits, '-', '_' and '.' only." },
		{ "{", "A name starts with a letter." },
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

Test(mapping, a_flaw_in_a_comment_is_told)
{
#define CONTROL "A comment has no control characters."
#define NO_UTF8 "A comment is text in UTF-8."
	static const struct {
		const char *comment, *flaw;
	} cases[] = {
		{ "", NULL },
		{ "the children's server", NULL },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", NULL },
		{ "\xf4\x8f\xbf\xbd", NULL },
		{ "a\nb", CONTROL },
		{ "a\x1b[2J", CONTROL },
		{ "\x7f", CONTROL },
		{ "\xc2\x80", CONTROL },     /* C1 */
		{ "\xe2\x80\xa8", CONTROL }, /* line separator */
		{ "\xe2\x80\xae", CONTROL }, /* turns the text round */
		{ "\xe2\x81\xa6", CONTROL }, /* the same */
		{ "\xef\xbb\xbf", CONTROL }, /* byte order mark */
		{ "\x80", NO_UTF8 },	     /* no beginning */
		{ "\xc3", NO_UTF8 },	     /* no end */
		{ "\xe2\x82", NO_UTF8 },
		{ "\xc3(", NO_UTF8 },
		{ "\xc0\xaf", NO_UTF8 }, /* longer than needed */
		{ "\xe0\x80\xaf", NO_UTF8 },
		{ "\xf0\x80\x80\xaf", NO_UTF8 },
		{ "\xed\xa0\x80", NO_UTF8 },	 /* half of a pair */
		{ "\xf4\x90\x80\x80", NO_UTF8 }, /* beyond the last */
		{ "\xf8\x88\x80\x80\x80", NO_UTF8 },
		{ "\xed\xbf\xbf", NO_UTF8 },	      /* the other half */
		{ "\xed\x9f\xbf\xee\x80\x80", NULL }, /* around them */
		{ "\xff", NO_UTF8 },
	};
	char longest[MAPPING_COMMENT_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *flaw = mapping_comment_flaw(cases[i].comment);

		cr_expect_str_eq(flaw ? flaw : "none",
				 cases[i].flaw ? cases[i].flaw : "none", "case %zu: %s",
				 i, flaw);
	}
	memset(longest, 'a', sizeof(longest));
	longest[MAPPING_COMMENT_MAX + 1] = '\0';
	cr_expect_str_eq(mapping_comment_flaw(longest),
			 "A comment has at most 127 bytes.");
	longest[MAPPING_COMMENT_MAX] = '\0';
	cr_expect_null(mapping_comment_flaw(longest));
}

static void expect_flaw(const struct mapping *m, const char *start)
{
	const char *flaw = mapping_flaw(m);

	cr_assert_not_null(flaw, "no flaw, but: %s", start);
	cr_expect_eq(strncmp(flaw, start, strlen(start)), 0, "%s, not: %s", flaw, start);
}

Test(mapping, what_was_asked_for_has_no_flaw_or_one_that_is_told)
{
	static const struct {
		const char *text, *flaw;
	} cases[] = {
		{ "tcp 8080 -> 192.168.1.10:80", NULL },
		{ "udplite 65535 -> 192.168.1.10:65535", NULL },
		{ "tcp 1-65535 -> 192.168.1.10:1", NULL },
		{ "tcp 443 -> [::10%lan0]:443 from 2001:db8:9::/48", NULL },
		{ "tcp 1-4096 -> 192.168.1.10:1001", NULL },
		{ "tcp 203.0.113.7:1-4096 -> 192.168.1.10:1", NULL },
		{ "tcp 1-2048 -> 192.168.1.10:1 from 10.0.0.0/8,11.0.0.0/8", NULL },
		{ "tcp 65530-65535 -> 192.168.1.10:65530", NULL },
		{ "tcp auto -> 192.168.1.10:80", "Ports are from 1 to 65535." },
		{ "tcp 9000-9009 -> 192.168.1.10:65526", NULL },
		{ "tcp 9000-9009 -> 192.168.1.10:65527",
		  "The internal ports run over 65535." },
		{ "tcp 80 -> 224.0.0.1:80",
		  "The internal address is none that packets can be sent on to." },
		{ "tcp 80 -> 127.0.0.1:80", "The internal address is none" },
		{ "tcp 80 -> [fe80::10]:80", "The internal address is none" },
		{ "tcp [2001:db8::5]:80 -> 192.168.1.10:80",
		  "The external address is of another family than the internal one." },
		{ "tcp 203.0.113.7:80 -> [2001:db8::10]:80",
		  "The external address is of another family" },
		{ "tcp 203.0.113.7:80 -> [::10]:80",
		  "The external address is of another family" },
		{ "tcp 224.0.0.1:80 -> 192.168.1.10:80",
		  "The external address is none that packets can be sent to." },
		{ "tcp 192.168.1.10:8080 -> 192.168.1.10:80",
		  "The external address is the internal host itself." },
		{ "tcp 192.168.1.10:80 -> 192.168.1.10:80",
		  "The external address is the internal host itself." },
		{ "tcp [2001:db8::10]:8443 -> [2001:db8::10]:443",
		  "The external address is the internal host itself." },
		{ "tcp [fd00::10]:443 -> [fd00::10]:443",
		  "The external address is the internal host itself." },
		{ "tcp 80 -> 192.168.1.10:80 from 10.0.0.0/8,2001:db8::/32",
		  "A remote prefix is of another family than the mapping." },
		{ "tcp 80 -> 192.168.1.10:80 from ::/0",
		  "A remote prefix is of another family" },
		{ "tcp 80 -> [2001:db8::10]:80 from 0.0.0.0/0",
		  "A remote prefix is of another family" },
		{ "tcp 1000-5096 -> 192.168.1.10:2000",
		  "A range with other ports inside than outside has at most 4,096 "
		  "ports. Only one with the same ports inside, on any WAN address and "
		  "for anybody, may be larger." },
		{ "tcp 203.0.113.7:1-4097 -> 192.168.1.10:1",
		  "A range on a given external address has at most 4,096 ports. " },
		{ "tcp 1-4097 -> 192.168.1.10:1 from 10.0.0.0/8",
		  "A range for some remote prefixes has at most 4,096 ports. " },
		{ "tcp 443-5000 -> [2001:db8::10]:443 from ::/0",
		  "A range for some remote prefixes has at most 4,096 ports. " },
		{ "tcp 1-2049 -> 192.168.1.10:1 from 10.0.0.0/8,11.0.0.0/8",
		  "A mapping has at most 4,096 ports times remote prefixes. " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping m = said(cases[i].text);

		if (cases[i].flaw)
			expect_flaw(&m, cases[i].flaw);
		else
			cr_expect_null(mapping_flaw(&m), "%s: %s", cases[i].text,
				       mapping_flaw(&m));
	}
}

/* What no parser lets through, and a damaged store may hold. */
Test(mapping, fields_that_do_not_fit_each_other_are_a_flaw)
{
	const struct mapping good = said("tcp 8080 -> 192.168.1.10:80");
	struct mapping m;

#define EXPECT_FLAW_AFTER(what, flaw)                                                    \
	do {                                                                             \
		m = good;                                                                \
		what;                                                                    \
		expect_flaw(&m, flaw);                                                   \
	} while (0)

	EXPECT_FLAW_AFTER(m.protocol = IPPROTO_DCCP,
			  "The protocol of a mapping is tcp, ");
	EXPECT_FLAW_AFTER(m.n_ports = 0, "Ports are from 1 to 65535.");
	EXPECT_FLAW_AFTER(m.internal.port = 0, "Ports are from 1 to 65535.");
	EXPECT_FLAW_AFTER(m.n_ports = UINT16_MAX, "The external ports run over 65535.");
	EXPECT_FLAW_AFTER(m.n_ports = UINT16_MAX - 8080 + 2,
			  "The external ports run over 65535.");
	EXPECT_FLAW_AFTER(m.host = address_any6, "The host is not the internal address.");
	EXPECT_FLAW_AFTER(m.external.addr = address_any6,
			  "The external address is not settled.");
	EXPECT_FLAW_AFTER(strcpy(m.name, "9"), "A name starts with a letter.");
	EXPECT_FLAW_AFTER(memset(m.name, 'a', sizeof(m.name)),
			  "A name has at most 63 characters.");
	EXPECT_FLAW_AFTER(m.lifetime = MAPPING_LIFETIME_MAX + 1,
			  "A lease is of at most 315,360,000 seconds (10 years).");
	EXPECT_FLAW_AFTER(m.origin = 9, "The origin is not known.");
	EXPECT_FLAW_AFTER(m.details = said("tcp 22 -> [::10%lan0]:22").details,
			  "Only a host suffix (::10) has a LAN named with it.");
	EXPECT_FLAW_AFTER(m.upstream = UPSTREAM_REQUIRED + 1,
			  "What is wished of the router above us is not known.");
	EXPECT_FLAW_AFTER(m.held = true, "Only what the router above us must hold waits");
	m = good;
	m.lifetime = MAPPING_LIFETIME_MAX;
	cr_expect_null(mapping_flaw(&m));
}

Test(mapping, a_router_above_us_is_asked_for_few_ports)
{
	struct mapping m = said("tcp 9000-9064 -> 192.168.1.10:9000");

	for (int wish = UPSTREAM_DEFAULT; wish <= UPSTREAM_REQUIRED; wish++) {
		m.upstream = (uint8_t)wish;
		if (wish == UPSTREAM_YES || wish == UPSTREAM_REQUIRED)
			expect_flaw(&m, "The router above us is asked for at most 64 ");
		else
			cr_expect_null(mapping_flaw(&m));
	}
	m.n_ports = 64;
	cr_expect_null(mapping_flaw(&m));
	m.held = true;
	cr_expect_null(mapping_flaw(&m));
}

Test(mapping, a_suffix_is_the_end_of_an_ipv6_address)
{
	struct mapping m = said("tcp 443 -> [::10]:443");

	m.internal.addr = said_address("192.168.1.10");
	expect_flaw(&m, "A host suffix is one of an IPv6 address.");
	m.internal.addr = said_address("2001:db8::10");
	expect_flaw(&m, "A host suffix has the last 64 bits of an address only.");
	m.internal.addr = said_address("0:0:0:1::10");
	expect_flaw(&m, "A host suffix has the last 64 bits of an address only.");
	m.internal.addr = said_address("::");
	expect_flaw(&m, "A host suffix of zeros is the router's own address.");
	m.internal.addr = said_address("::10");
	m.host = m.external.addr = said_address("2001:db8::11");
	expect_flaw(&m, "The host does not end in its suffix.");
	m.host = m.external.addr = said_address("2001:db8::10");
	cr_expect_null(mapping_flaw(&m));
}

Test(mapping, a_flaw_in_the_comment_is_one_of_the_mapping)
{
	struct mapping m = said("tcp 8080 -> 192.168.1.10:80");

	cr_assert_eq(details_new("", "a\nb", NULL, 0, &m.details), 0);
	expect_flaw(&m, CONTROL);
	details_unref(m.details);
}
