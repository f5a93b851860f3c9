/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>

#include "core/address_kind.h"
#include "core/cleanup.h"

#define V4(a, b, c, d, bits)                                                             \
	{ .addr = { .s6_addr = { [10] = 0xff, 0xff, a, b, c, d } }, .len = 96 + (bits) }
#define V6(bits, ...) { .addr = { .s6_addr = { __VA_ARGS__ } }, .len = (bits) }

/*
 * The first row that matches decides: what is inside of another row stands above it. IANA
 * IPv4 and IPv6 Special-Purpose Address Registry, as of 2024; the networks of AS112 (RFC
 * 7534, 7535) and AMT (RFC 7450) are globally reachable there.
 */
static const struct row {
	struct prefix prefix;
	enum address_kind kind;
} rows[] = {
	{ V4(0, 0, 0, 0, 32), ADDRESS_UNSPECIFIED },
	{ V4(0, 0, 0, 0, 8), ADDRESS_RESERVED },
	{ V4(10, 0, 0, 0, 8), ADDRESS_PRIVATE },
	{ V4(100, 64, 0, 0, 10), ADDRESS_CGN },
	{ V4(127, 0, 0, 0, 8), ADDRESS_LOOPBACK },
	{ V4(169, 254, 0, 0, 16), ADDRESS_LINK_LOCAL },
	{ V4(172, 16, 0, 0, 12), ADDRESS_PRIVATE },
	{ V4(192, 0, 0, 9, 32), ADDRESS_GLOBAL },  /* PCP anycast, RFC 7723 */
	{ V4(192, 0, 0, 10, 32), ADDRESS_GLOBAL }, /* TURN anycast, RFC 8155 */
	{ V4(192, 0, 0, 0, 24), ADDRESS_RESERVED },
	{ V4(192, 0, 2, 0, 24), ADDRESS_DOCUMENTATION },
	{ V4(192, 88, 99, 0, 24), ADDRESS_TUNNEL },
	{ V4(192, 168, 0, 0, 16), ADDRESS_PRIVATE },
	{ V4(198, 18, 0, 0, 15), ADDRESS_BENCHMARK },
	{ V4(198, 51, 100, 0, 24), ADDRESS_DOCUMENTATION },
	{ V4(203, 0, 113, 0, 24), ADDRESS_DOCUMENTATION },
	{ V4(224, 0, 0, 0, 4), ADDRESS_MULTICAST },
	{ V4(240, 0, 0, 0, 4), ADDRESS_RESERVED },
	{ V4(0, 0, 0, 0, 0), ADDRESS_GLOBAL },

	{ V6(128, 0), ADDRESS_UNSPECIFIED },
	{ V6(128, [15] = 1), ADDRESS_LOOPBACK },
	{ V6(96, 0x00, 0x64, 0xff, 0x9b), ADDRESS_TRANSLATION },
	{ V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), ADDRESS_TRANSLATION },
	{ V6(7, 0xfc), ADDRESS_ULA },
	{ V6(10, 0xfe, 0x80), ADDRESS_LINK_LOCAL },
	{ V6(8, 0xff), ADDRESS_MULTICAST },
	{ V6(32, 0x20, 0x01), ADDRESS_TUNNEL },
	/* out of 2001::/23, which is no global network but for these */
	{ V6(128, 0x20, 0x01, 0x00, 0x01, [15] = 1), ADDRESS_GLOBAL }, /* RFC 7723 */
	{ V6(128, 0x20, 0x01, 0x00, 0x01, [15] = 2), ADDRESS_GLOBAL }, /* RFC 8155 */
	{ V6(128, 0x20, 0x01, 0x00, 0x01, [15] = 3), ADDRESS_GLOBAL }, /* RFC 9665 */
	{ V6(48, 0x20, 0x01, 0x00, 0x02), ADDRESS_BENCHMARK },
	{ V6(32, 0x20, 0x01, 0x00, 0x03), ADDRESS_GLOBAL },		/* AMT */
	{ V6(48, 0x20, 0x01, 0x00, 0x04, 0x01, 0x12), ADDRESS_GLOBAL }, /* AS112 */
	{ V6(28, 0x20, 0x01, 0x00, 0x20), ADDRESS_GLOBAL },		/* ORCHIDv2 */
	{ V6(28, 0x20, 0x01, 0x00, 0x30), ADDRESS_GLOBAL },		/* RFC 9374 */
	{ V6(23, 0x20, 0x01), ADDRESS_RESERVED },
	{ V6(32, 0x20, 0x01, 0x0d, 0xb8), ADDRESS_DOCUMENTATION },
	{ V6(16, 0x20, 0x02), ADDRESS_TUNNEL },
	{ V6(20, 0x3f, 0xff), ADDRESS_DOCUMENTATION },
	{ V6(3, 0x20), ADDRESS_GLOBAL },
};

enum address_kind address_kind(const struct in6_addr *addr)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (address_in_prefix(addr, &rows[i].prefix))
			return rows[i].kind;
	}
	return ADDRESS_RESERVED;
}

const char *address_kind_text(enum address_kind kind)
{
	static const char *const texts[] = {
		[ADDRESS_GLOBAL] = "a public address",
		[ADDRESS_UNSPECIFIED] = "no address",
		[ADDRESS_PRIVATE] = "a private address (RFC 1918)",
		[ADDRESS_CGN] = "an address of a provider's own NAT (RFC 6598)",
		[ADDRESS_LOOPBACK] = "a loopback address",
		[ADDRESS_LINK_LOCAL] = "a link-local address",
		[ADDRESS_DOCUMENTATION] =
			"an address for examples (RFC 5737, 3849, 9637)",
		[ADDRESS_BENCHMARK] =
			"an address for tests in laboratories (RFC 2544, 5180)",
		[ADDRESS_MULTICAST] = "a multicast address",
		[ADDRESS_ULA] = "a unique local address (RFC 4193)",
		[ADDRESS_TRANSLATION] = "an IPv4 address behind a NAT64 (RFC 6052, 8215)",
		[ADDRESS_TUNNEL] = "an address of 6to4 or Teredo (RFC 7526, 4380)",
		[ADDRESS_RESERVED] = "a reserved address",
	};

	static_assert(ARRAY_SIZE(texts) == ADDRESS_KINDS, "a text for each");
	return texts[kind];
}
