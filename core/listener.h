/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * listener - programs of the gateway that wait for connections on a port
 *
 * A mapping takes the packets that the WAN sends to such a port away from them. Pure:
 * reading them from the kernel is natd/kernel/sockets.h.
 */

#include "core/endpoint.h"

/**
 * struct listener - one socket: TCP and SCTP that listen, UDP and UDP-Lite that are bound
 *                   and not connected
 * @local:    address (address_any4 for 0.0.0.0, address_any6 for ::) and port
 * @uid:      who owns the socket
 * @inode:    of the socket, by which a program with the right to look finds the process;
 *            0 = not known
 * @protocol: IPPROTO_*
 * @v6only:   :: takes IPv6 only
 * @ifindex:  bound to that interface; 0 = to none
 */
struct listener {
	struct endpoint local;
	uint32_t uid;
	uint32_t inode;
	uint32_t ifindex;
	uint8_t protocol;
	bool v6only;
};

/** struct listener_list - sorted by listener_compare(), borrowed */
struct listener_list {
	const struct listener *listeners;
	size_t n;
};

/** listener_compare() - for qsort(): by protocol, port, then the rest */
int listener_compare(const void *a, const void *b);

/**
 * listener_takes() - would @listener get a packet for @addr, one of our WAN addresses?
 *
 * :: takes IPv4 as well unless v6only. address_any4 or address_any6 as @addr stands for
 * any WAN address of that family: then a socket bound to one of @wan takes some, and one
 * bound to another address (a LAN's, loopback) none.
 */
bool listener_takes(const struct listener *listener, const struct in6_addr *addr,
		    const struct in6_addr *wan, size_t n_wan);

/**
 * listener_find() - listeners that a mapping at these ports would shadow
 * @ret: borrowed pointers, at most @max written
 *
 * Return: their number, which may be above @max.
 */
size_t listener_find(const struct listener_list *list, uint8_t protocol,
		     const struct in6_addr *addr, const struct port_range *ports,
		     const struct in6_addr *wan, size_t n_wan,
		     const struct listener **ret, size_t max);

/* 'tcp [2001:db8:...]:65535, uid 4294967295' and NUL */
#define LISTENER_STRLEN 96
/** listener_describe() - "0.0.0.0:22 (uid 0)"; returns @buf */
const char *listener_describe(const struct listener *listener,
			      char buf[static LISTENER_STRLEN]);
