/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "core/address_kind.h"
#include "core/cleanup.h"
#include "tests/unit/core/said.h"

/* The first and the last address of each network, and their neighbours. */
static const struct {
	const char *text;
	enum address_kind kind;
} cases[] = {
	{ "0.0.0.0", ADDRESS_UNSPECIFIED },
	{ "0.0.0.1", ADDRESS_RESERVED },
	{ "0.255.255.255", ADDRESS_RESERVED },
	{ "1.0.0.0", ADDRESS_GLOBAL },
	{ "9.255.255.255", ADDRESS_GLOBAL },
	{ "10.0.0.0", ADDRESS_PRIVATE },
	{ "10.255.255.255", ADDRESS_PRIVATE },
	{ "11.0.0.0", ADDRESS_GLOBAL },
	{ "100.63.255.255", ADDRESS_GLOBAL },
	{ "100.64.0.0", ADDRESS_CGN },
	{ "100.127.255.255", ADDRESS_CGN },
	{ "100.128.0.0", ADDRESS_GLOBAL },
	{ "126.255.255.255", ADDRESS_GLOBAL },
	{ "127.0.0.1", ADDRESS_LOOPBACK },
	{ "127.255.255.255", ADDRESS_LOOPBACK },
	{ "128.0.0.0", ADDRESS_GLOBAL },
	{ "169.253.255.255", ADDRESS_GLOBAL },
	{ "169.254.0.1", ADDRESS_LINK_LOCAL },
	{ "169.254.255.255", ADDRESS_LINK_LOCAL },
	{ "172.15.255.255", ADDRESS_GLOBAL },
	{ "172.16.0.0", ADDRESS_PRIVATE },
	{ "172.31.255.255", ADDRESS_PRIVATE },
	{ "172.32.0.0", ADDRESS_GLOBAL },
	{ "192.0.0.0", ADDRESS_RESERVED },
	{ "192.0.0.8", ADDRESS_RESERVED },
	{ "192.0.0.9", ADDRESS_GLOBAL },
	{ "192.0.0.10", ADDRESS_GLOBAL },
	{ "192.0.0.11", ADDRESS_RESERVED },
	{ "192.0.0.255", ADDRESS_RESERVED },
	{ "192.0.1.0", ADDRESS_GLOBAL },
	{ "192.0.2.0", ADDRESS_DOCUMENTATION },
	{ "192.0.2.255", ADDRESS_DOCUMENTATION },
	{ "192.0.3.0", ADDRESS_GLOBAL },
	{ "192.31.196.1", ADDRESS_GLOBAL },
	{ "192.52.193.1", ADDRESS_GLOBAL },
	{ "192.88.99.1", ADDRESS_TUNNEL },
	{ "192.88.98.255", ADDRESS_GLOBAL },
	{ "192.88.100.0", ADDRESS_GLOBAL },
	{ "192.167.255.255", ADDRESS_GLOBAL },
	{ "192.168.0.0", ADDRESS_PRIVATE },
	{ "192.168.255.255", ADDRESS_PRIVATE },
	{ "192.169.0.0", ADDRESS_GLOBAL },
	{ "192.175.48.1", ADDRESS_GLOBAL },
	{ "198.17.255.255", ADDRESS_GLOBAL },
	{ "198.18.0.0", ADDRESS_BENCHMARK },
	{ "198.19.255.255", ADDRESS_BENCHMARK },
	{ "198.20.0.0", ADDRESS_GLOBAL },
	{ "198.51.99.255", ADDRESS_GLOBAL },
	{ "198.51.100.0", ADDRESS_DOCUMENTATION },
	{ "198.51.100.255", ADDRESS_DOCUMENTATION },
	{ "198.51.101.0", ADDRESS_GLOBAL },
	{ "203.0.112.255", ADDRESS_GLOBAL },
	{ "203.0.113.0", ADDRESS_DOCUMENTATION },
	{ "203.0.113.255", ADDRESS_DOCUMENTATION },
	{ "203.0.114.0", ADDRESS_GLOBAL },
	{ "223.255.255.255", ADDRESS_GLOBAL },
	{ "224.0.0.1", ADDRESS_MULTICAST },
	{ "239.255.255.250", ADDRESS_MULTICAST },
	{ "240.0.0.0", ADDRESS_RESERVED },
	{ "255.255.255.255", ADDRESS_RESERVED },

	{ "::", ADDRESS_UNSPECIFIED },
	{ "::1", ADDRESS_LOOPBACK },
	{ "::2", ADDRESS_RESERVED },
	{ "::cb00:7105", ADDRESS_RESERVED },
	{ "64:ff9a:ffff::", ADDRESS_RESERVED },
	{ "64:ff9b::cb00:7105", ADDRESS_TRANSLATION },
	{ "64:ff9b::1:0:0", ADDRESS_RESERVED },
	{ "64:ff9b:1::1", ADDRESS_TRANSLATION },
	{ "64:ff9b:2::", ADDRESS_RESERVED },
	{ "100::1", ADDRESS_RESERVED },
	{ "1fff:ffff::", ADDRESS_RESERVED },
	{ "2000::", ADDRESS_GLOBAL },
	{ "2001::1", ADDRESS_TUNNEL },
	{ "2001:0:ffff::", ADDRESS_TUNNEL },
	{ "2001:1::1", ADDRESS_GLOBAL },
	{ "2001:1::2", ADDRESS_GLOBAL },
	{ "2001:1::3", ADDRESS_GLOBAL },
	{ "2001:1::4", ADDRESS_RESERVED },
	{ "2001:2::1", ADDRESS_BENCHMARK },
	{ "2001:2:1::1", ADDRESS_RESERVED },
	{ "2001:3::1", ADDRESS_GLOBAL },
	{ "2001:4:112::1", ADDRESS_GLOBAL },
	{ "2001:4:113::1", ADDRESS_RESERVED },
	{ "2001:10::1", ADDRESS_RESERVED },
	{ "2001:20::1", ADDRESS_GLOBAL },
	{ "2001:2f:ffff::1", ADDRESS_GLOBAL },
	{ "2001:30::1", ADDRESS_GLOBAL },
	{ "2001:3f:ffff::1", ADDRESS_GLOBAL },
	{ "2001:40::1", ADDRESS_RESERVED },
	{ "2001:1ff:ffff::1", ADDRESS_RESERVED },
	{ "2001:200::1", ADDRESS_GLOBAL },
	{ "2001:db7:ffff::1", ADDRESS_GLOBAL },
	{ "2001:db8::1", ADDRESS_DOCUMENTATION },
	{ "2001:db8:ffff:ffff::1", ADDRESS_DOCUMENTATION },
	{ "2001:db9::1", ADDRESS_GLOBAL },
	{ "2002::1", ADDRESS_TUNNEL },
	{ "2002:cb00:7105::1", ADDRESS_TUNNEL },
	{ "2003::1", ADDRESS_GLOBAL },
	{ "2620:4f:8000::1", ADDRESS_GLOBAL },
	{ "3ffe:ffff::1", ADDRESS_GLOBAL },
	{ "3fff::1", ADDRESS_DOCUMENTATION },
	{ "3fff:fff:ffff::1", ADDRESS_DOCUMENTATION },
	{ "3fff:1000::1", ADDRESS_GLOBAL },
	{ "4000::1", ADDRESS_RESERVED },
	{ "5f00::1", ADDRESS_RESERVED },
	{ "fbff::1", ADDRESS_RESERVED },
	{ "fc00::1", ADDRESS_ULA },
	{ "fdff:ffff::1", ADDRESS_ULA },
	{ "fe00::1", ADDRESS_RESERVED },
	{ "fe80::1", ADDRESS_LINK_LOCAL },
	{ "febf::1", ADDRESS_LINK_LOCAL },
	{ "fec0::1", ADDRESS_RESERVED },
	{ "ff02::c", ADDRESS_MULTICAST },
};

Test(address_kind, is_what_the_registries_say)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct in6_addr addr = said_address(cases[i].text);

		cr_expect_eq(address_kind(&addr), cases[i].kind, "%s is %s",
			     cases[i].text, address_kind_text(address_kind(&addr)));
	}
}

Test(address_kind, is_told_in_words)
{
	for (unsigned int i = 0; i < ADDRESS_KINDS; i++) {
		const char *text = address_kind_text(i);

		cr_assert_not_null(text, "%u", i);
		for (unsigned int j = 0; j < i; j++)
			cr_expect_str_neq(text, address_kind_text(j), "%u %u", i, j);
	}
	cr_expect_str_eq(address_kind_text(ADDRESS_PRIVATE),
			 "a private address (RFC 1918)");
	cr_expect_str_eq(address_kind_text(ADDRESS_CGN),
			 "an address of a provider's own NAT (RFC 6598)");
}
