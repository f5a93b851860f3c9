/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * links - the interfaces and addresses the configuration speaks of, kept from rtnetlink
 *
 * Interfaces may come, go and change at any time, and need not exist at start.
 */

#include <systemd/sd-event.h>

#include "natd/config/config.h"

struct links;

/** struct link_gateway - next hop of a default route, and our address towards it; both
 * :: where there is none, or it has no address of that family */
struct link_gateway {
	struct in6_addr gateway, source;
};

/** struct link - what is known of one configured interface
 * @gateways: of a WAN, IPv4 and IPv6; told once a configuration had routers asked, or
 *            links_follow_gateways() was called
 */
struct link {
	char name[IFNAMSIZ];
	bool wan; /* else a LAN */
	bool present;
	bool up; /* IFF_UP and carrier */
	unsigned int index, mtu;
	struct link_gateway gateways[2];
};

/** links_changed - something that struct links tells has changed; called from the loop,
 * once for all messages that waited */
typedef void (*links_changed)(void *userdata);

/**
 * links_open() - read the present state, then follow changes
 * @event: borrowed until links_close(); NULL: do not follow (tests)
 * @config: interface names are copied
 *
 * Return: 0; -ENOMEM, -EMFILE, netlink errno.
 */
int links_open(sd_event *event, const struct config *config, links_changed changed,
	       void *userdata, struct links **ret);
void links_close(struct links *links); /* NULL is fine */

/** links_configure() - other interface names; re-reads. Return: as links_open() */
int links_configure(struct links *links, const struct config *config);

/** links_follow_gateways() - tell the gateways of the WANs as well, whatever the
 * configuration says; takes messages about every route of the machine. Re-reads.
 * Return: as links_open() */
int links_follow_gateways(struct links *links);

/** links_list() - borrowed until the next change; WANs first, in configuration order */
const struct link *links_list(const struct links *links, size_t *ret_n);

/** links_wan_addresses() - every global address of every WAN (never link-local, never
 * tentative or failed DAD), sorted; borrowed until the next change */
struct address_list links_wan_addresses(const struct links *links);
/** the same of one link, for status */
size_t links_addresses(const struct links *links, const char *name, struct in6_addr *ret,
		       size_t max);

/**
 * links_masquerade6() - which IPv6 sources to masquerade
 *
 * MASQUERADE6_NO: none. MASQUERADE6_YES: ::/0. MASQUERADE6_AUTO: the ULA prefixes of
 * every LAN interface that has a ULA and no global unicast (2000::/3) address.
 * Borrowed until the next change.
 */
const struct prefix *links_masquerade6(const struct links *links, size_t *ret_n);

/**
 * links_lan_prefixes() - for every LAN the /64 of its hosts' global addresses
 *
 * Of several one that is not deprecated, then the one whose address came last, so that a
 * prefix that nobody revoked gives way to its successor; never a ULA. :: where there is
 * none. Borrowed until the next change.
 */
struct lan_prefix_list links_lan_prefixes(const struct links *links);

/** links_mtu_differs() - is the MTU of a present WAN below that of a present LAN? */
bool links_mtu_differs(const struct links *links);

/** links_route_is_wan() - would a packet to @addr leave by a WAN? Asked of the kernel.
 * Return: 1, 0, or a netlink errno (-ENETUNREACH counts as 0) */
int links_route_is_wan(struct links *links, const struct in6_addr *addr);

/**
 * links_stray_route() - does the default route leave by an interface that is no WAN?
 * @family: AF_INET or AF_INET6
 * @ret: its name; written for 1 only
 *
 * Asked of the kernel. Return: 1, 0 (there is none, or it leaves by a WAN), or a netlink
 * errno.
 */
int links_stray_route(struct links *links, int family, char ret[static IFNAMSIZ]);

/** links_is_local() - is @addr an address of this machine? Asked of the kernel; as above
 */
int links_is_local(struct links *links, const struct in6_addr *addr);
