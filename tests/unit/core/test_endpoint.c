/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>

#include "core/cleanup.h"
#include "core/endpoint.h"

static struct in6_addr address(const char *text)
{
	struct in6_addr addr;

	cr_assert_eq(address_parse(text, &addr), 0, "%s", text);
	return addr;
}

Test(endpoint, what_is_written_reads_back)
{
	static const char *const texts[] = {
		"192.168.1.10:80", "0.0.0.0:1",		"255.255.255.255:65535",
		"[::]:1",	   "[2001:db8::1]:443", "[2001:db8:0:1:1:1:1:1]:443",
		"[fe80::1]:22",
	};
	char buf[ENDPOINT_STRLEN];
	struct endpoint e;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cr_assert_eq(endpoint_parse(texts[i], &e), 0, "%s", texts[i]);
		cr_expect_str_eq(endpoint_format(&e, buf), texts[i]);
	}
}

Test(endpoint, ipv4_is_kept_v4_mapped_and_ports_in_host_order)
{
	struct endpoint e;

	cr_assert_eq(endpoint_parse("192.168.1.10:80", &e), 0);
	cr_expect(IN6_IS_ADDR_V4MAPPED(&e.addr));
	cr_expect_eq(ntohl(e.addr.s6_addr32[3]), 0xc0a8010a);
	cr_expect_eq(e.port, 80);
}

Test(endpoint, text_that_is_no_endpoint_is_refused_and_ret_untouched)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "", -EINVAL },
		{ "192.168.1.10", -EINVAL },
		{ "192.168.1.10:", -EINVAL },
		{ ":80", -EINVAL },
		{ "192.168.1.10:80x", -EINVAL },
		{ "192.168.1.10:80 ", -EINVAL },
		{ " 192.168.1.10:80", -EINVAL },
		{ "192.168.1.10: 80", -EINVAL },
		{ "192.168.1.10:+80", -EINVAL },
		{ "192.168.1.10:-1", -EINVAL },
		{ "192.168.01.10:80", -EINVAL },
		{ "192.168.1:80", -EINVAL },
		{ "[192.168.1.10]:80", -EINVAL },
		{ "2001:db8::1:80", -EINVAL },
		{ "[2001:db8::1]", -EINVAL },
		{ "[2001:db8::1]80", -EINVAL },
		{ "[2001:db8::1:80", -EINVAL },
		{ "[fe80::1%eth0]:80", -EINVAL },
		{ "[::ffff:192.168.1.10]:80", -EINVAL },
		{ "[2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999]:80", -EINVAL },
		{ "192.168.1.10:0", -ERANGE },
		{ "192.168.1.10:65536", -ERANGE },
		{ "[2001:db8::1]:99999999999999999999", -ERANGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct endpoint e = { .port = 7 };

		cr_expect_eq(endpoint_parse(cases[i].text, &e), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(e.port, 7, "%s", cases[i].text);
	}
}

Test(endpoint, ports_are_digits_from_1_to_65535)
{
	static const struct {
		const char *text;
		int r;
		uint16_t port;
	} cases[] = {
		{ "1", 0, 1 },		 { "65535", 0, 65535 },
		{ "0", -ERANGE, 9 },	 { "000", -ERANGE, 9 },
		{ "65536", -ERANGE, 9 }, { "", -EINVAL, 9 },
		{ "x", -EINVAL, 9 },	 { "8 ", -EINVAL, 9 },
		{ "0x50", -EINVAL, 9 },	 { "70000x", -EINVAL, 9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint16_t port = 9;

		cr_expect_eq(port_parse(cases[i].text, &port), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(port, cases[i].port, "%s", cases[i].text);
	}
}

Test(endpoint, addresses_are_written_as_rfc_5952_wants)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:0db8::0001", "2001:db8::1" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "::10", "::10" },
		{ "::beef:10", "::beef:10" },
		{ "::190.239.0.16", "::beef:10" },
		{ "::1:0", "::1:0" },
		{ "::1:beef:10", "::1:beef:10" },
		{ "10.0.0.1", "10.0.0.1" },
	};
	char buf[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct in6_addr addr = address(cases[i].text);

		cr_expect_str_eq(address_format(&addr, buf), cases[i].canonical);
	}
}

Test(endpoint, text_that_is_no_address_is_refused)
{
	static const char *const texts[] = {
		"",	 "1.2.3",	   "1.2.3.4.5", "1.2.3.256", "host",
		"[::1]", "::ffff:1.2.3.4", "1.2.3.4 ",	"::1%lo",    "1.2.3.04"
	};
	struct in6_addr addr;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_eq(address_parse(texts[i], &addr), -EINVAL, "%s", texts[i]);
}

Test(endpoint, equal_is_address_and_port)
{
	struct endpoint a = { address("192.168.1.10"), 80 }, b = a;

	cr_expect(endpoint_equal(&a, &b));
	b.port = 81;
	cr_expect_not(endpoint_equal(&a, &b));
	b = (struct endpoint){ address("192.168.1.11"), 80 };
	cr_expect_not(endpoint_equal(&a, &b));
}

Test(endpoint, an_address_knows_its_kind)
{
	static const struct {
		const char *text;
		bool ipv4, any, ula, link_local;
	} cases[] = {
		{ "0.0.0.0", true, true, false, false },
		{ "192.168.1.10", true, false, false, false },
		{ "169.254.9.9", true, false, false, true },
		{ "169.253.9.9", true, false, false, false },
		{ "::", false, true, false, false },
		{ "2001:db8::1", false, false, false, false },
		{ "fc00::1", false, false, true, false },
		{ "fdff::1", false, false, true, false },
		{ "fe00::1", false, false, false, false },
		{ "fe80::1", false, false, false, true },
		{ "febf::1", false, false, false, true },
		{ "fec0::1", false, false, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct in6_addr addr = address(cases[i].text);

		cr_expect_eq(address_is_ipv4(&addr), cases[i].ipv4, "%s", cases[i].text);
		cr_expect_eq(address_is_any(&addr), cases[i].any, "%s", cases[i].text);
		cr_expect_eq(address_is_ula(&addr), cases[i].ula, "%s", cases[i].text);
		cr_expect_eq(address_is_link_local(&addr), cases[i].link_local, "%s",
			     cases[i].text);
	}
}

Test(endpoint, a_prefix_holds_what_shares_its_bits)
{
	static const struct {
		const char *prefix;
		uint8_t len;
		const char *address;
		bool in;
	} cases[] = {
		{ "192.168.0.0", 96 + 16, "192.168.255.255", true },
		{ "192.168.0.0", 96 + 16, "192.169.0.0", false },
		{ "192.168.1.128", 96 + 25, "192.168.1.129", true },
		{ "192.168.1.128", 96 + 25, "192.168.1.127", false },
		{ "192.168.1.10", 128, "192.168.1.10", true },
		{ "192.168.1.10", 128, "192.168.1.11", false },
		{ "0.0.0.0", 96, "10.1.2.3", true },
		{ "0.0.0.0", 96, "2001:db8::1", false },
		{ "::", 0, "10.1.2.3", true },
		{ "2001:db8::", 33, "2001:db8:7fff::", true },
		{ "2001:db8::", 33, "2001:db8:8000::", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = { address(cases[i].prefix), cases[i].len };
		struct in6_addr addr = address(cases[i].address);

		cr_expect_eq(address_in_prefix(&addr, &prefix), cases[i].in,
			     "%s in %s/%u", cases[i].address, cases[i].prefix,
			     cases[i].len);
	}
}

Test(endpoint, what_no_host_can_have_is_unusable_and_named)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "192.168.1.10", NULL },
		{ "10.0.0.0", NULL },
		{ "2001:db8::10", NULL },
		{ "fd00::10", NULL },
		{ "223.255.255.255", NULL },
		{ "0.0.0.0", "the unspecified address" },
		{ "0.1.2.3", "a reserved address" },
		{ "127.9.9.9", "a loopback address" },
		{ "169.254.0.1", "a link-local address" },
		{ "224.0.0.1", "a multicast address" },
		{ "239.255.255.255", "a multicast address" },
		{ "240.0.0.1", "a reserved address" },
		{ "255.255.255.254", "a reserved address" },
		{ "255.255.255.255", "a broadcast address" },
		{ "::", "the unspecified address" },
		{ "::1", "a loopback address" },
		{ "::2", "a reserved address" },
		{ "::192.168.1.10", "a reserved address" },
		{ "fe80::1", "a link-local address" },
		{ "ff02::1", "a multicast address" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct in6_addr addr = address(cases[i].text);
		const char *why = address_unusable(&addr);

		if (cases[i].why)
			cr_expect_str_eq(why ? why : "usable", cases[i].why, "%s is %s",
					 cases[i].text, why);
		else
			cr_expect_null(why, "%s is %s", cases[i].text, why);
	}
}
