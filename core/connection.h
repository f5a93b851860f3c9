/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * connection - judges entries of the connection tracker against the table
 *
 * Pure: it is given an entry and says which mapping it belongs to and whether it may go
 * on. Reading and ending entries is rules/conntrack.h.
 */

#include "core/table.h"

/**
 * struct connection - one entry of the connection tracker
 * @protocol:  IPPROTO_TCP, IPPROTO_UDP
 * @orig_src, @orig_dst:   the first packet's, as it arrived: remote, external
 * @reply_src, @reply_dst: of answers as they arrive: internal, and whom they go to
 * @status:    IPS_* bits (linux/netfilter/nf_conntrack_common.h)
 * @timeout:   seconds left
 * @id:        the kernel's id of the entry
 */
struct connection {
	struct endpoint orig_src, orig_dst;
	struct endpoint reply_src, reply_dst;
	uint32_t status;
	uint32_t timeout;
	uint32_t id;
	uint16_t zone;
	uint8_t protocol;
};

/** struct address_list - addresses of our WANs, borrowed */
struct address_list {
	const struct in6_addr *addrs;
	size_t n;
};

bool address_list_has(const struct address_list *list, const struct in6_addr *addr);

/**
 * connection_mapping() - the mapping whose external endpoint @c dialled
 * @wan: our WAN addresses
 *
 * The dialled address must be one of @wan (forwards) or the very host (pinholes).
 * Disabled mappings are not found. Return: borrowed from @table, or NULL.
 */
const struct mapping *connection_mapping(const struct table *table,
					 const struct address_list *wan,
					 const struct connection *c);

/** connection_follows() - is @c translated (or, through a pinhole, left alone) the way
 * @m says? */
bool connection_follows(const struct connection *c, const struct mapping *m);
