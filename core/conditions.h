/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * conditions - what the table has to know of the world to judge a request
 *
 * The table asks nobody; whoever stages a plan says how things are at that moment.
 */

#include "core/connection.h"
#include "core/listener.h"
#include "core/rights.h"

/** struct lan_prefix - the /64 in which a LAN's hosts have their global addresses now */
struct lan_prefix {
	char lan[IFNAMSIZ];
	struct in6_addr prefix; /* :: = none now */
};

/** struct lan_prefix_list - one for every LAN of the configuration, borrowed */
struct lan_prefix_list {
	const struct lan_prefix *lans;
	size_t n;
};

/** lan_prefix_find() - @lan "" is the only LAN; NULL: no such LAN, or which one is not
 * said */
const struct lan_prefix *lan_prefix_find(const struct lan_prefix_list *list,
					 const char *lan);

/** struct port_list - ranges, borrowed */
struct port_list {
	const struct port_range *ranges;
	size_t n;
};

/**
 * struct conditions
 * @now:        seconds since 1970
 * @lease_now:  milliseconds of the lease clock
 * @protocols:  PROTOCOL_BIT_* that the running kernel translates
 * @pool:       where automatic ports are taken from when the internal one is not free;
 *              none listed: 49152-65535
 * @reserved:   ports that are never chosen automatically
 * @listeners:  of the gateway, of the protocols that are added at least;
 *              @listeners_known false: they could not be read, and are not looked at
 * @wan:        our WAN addresses
 * @lans:       for host suffixes
 * @upstream:   mappings may be asked of the router above us: else UPSTREAM_YES and
 *              _REQUIRED are VERDICT_NO_UPSTREAM
 * @random:     where the search for a free port begins
 */
struct conditions {
	uint64_t now;
	uint64_t lease_now;
	uint8_t protocols;
	struct port_list pool;
	struct port_list reserved;
	bool listeners_known;
	struct listener_list listeners;
	struct address_list wan;
	struct lan_prefix_list lans;
	bool upstream;
	uint32_t random;
};
