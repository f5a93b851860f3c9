/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * address_kind - can an address be reached from the internet, and if not, what is it?
 *
 * By the registries of IANA: IPv4 and IPv6 Special-Purpose Address Registry (RFC 6890),
 * IPv6 address space: global unicast is what is assigned so far, 2000::/3.
 */

#include "core/endpoint.h"

/**
 * enum address_kind
 * @ADDRESS_GLOBAL:	   reachable from the internet, as far as the address tells
 * @ADDRESS_UNSPECIFIED:   0.0.0.0, ::
 * @ADDRESS_PRIVATE:	   10/8, 172.16/12, 192.168/16 (RFC 1918)
 * @ADDRESS_CGN:	   100.64/10, between a provider's NAT and us (RFC 6598)
 * @ADDRESS_LOOPBACK:	   127/8, ::1
 * @ADDRESS_LINK_LOCAL:	   169.254/16 (RFC 3927), fe80::/10
 * @ADDRESS_DOCUMENTATION: RFC 5737, RFC 3849, RFC 9637
 * @ADDRESS_BENCHMARK:	   198.18/15 (RFC 2544), 2001:2::/48 (RFC 5180)
 * @ADDRESS_MULTICAST:	   224/4, ff00::/8
 * @ADDRESS_ULA:	   fc00::/7 (RFC 4193)
 * @ADDRESS_TRANSLATION:   64:ff9b::/96 (RFC 6052), 64:ff9b:1::/48 (RFC 8215): IPv4 behind
 *			   a NAT64
 * @ADDRESS_TUNNEL:	   192.88.99/24, 2002::/16 (6to4), 2001::/32 (Teredo): deprecated,
 *			   reachable by relays that are gone
 * @ADDRESS_RESERVED:	   everything else that the registries do not call globally
 *			   reachable
 */
enum address_kind {
	ADDRESS_GLOBAL,
	ADDRESS_UNSPECIFIED,
	ADDRESS_PRIVATE,
	ADDRESS_CGN,
	ADDRESS_LOOPBACK,
	ADDRESS_LINK_LOCAL,
	ADDRESS_DOCUMENTATION,
	ADDRESS_BENCHMARK,
	ADDRESS_MULTICAST,
	ADDRESS_ULA,
	ADDRESS_TRANSLATION,
	ADDRESS_TUNNEL,
	ADDRESS_RESERVED,
};
#define ADDRESS_KINDS (ADDRESS_RESERVED + 1)

enum address_kind address_kind(const struct in6_addr *addr);

/** address_kind_text() - ends the sentence "100.64.0.7 is ...": "an address of a
 * provider's own NAT (RFC 6598)" */
const char *address_kind_text(enum address_kind kind);
