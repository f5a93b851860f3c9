/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * connection - judges entries of the connection tracker against the table
 *
 * Pure: it is given an entry and says which mapping it belongs to and whether it may go
 * on. Reading and ending entries is rules/conntrack.h.
 */

#include "core/table.h"

/** struct traffic - what went through in one direction */
struct traffic {
	uint64_t packets;
	uint64_t bytes;
};

/**
 * struct connection - one entry of the connection tracker
 * @protocol:  IPPROTO_TCP, _UDP, _SCTP, _UDPLITE
 * @orig_src, @orig_dst:   the first packet's, as it arrived: remote, external
 * @reply_src, @reply_dst: of answers as they arrive: internal, and whom they go to
 * @status:    IPS_* bits (linux/netfilter/nf_conntrack_common.h)
 * @timeout:   seconds left
 * @id:        the kernel's id of the entry
 */
struct connection {
	struct endpoint orig_src, orig_dst;
	struct endpoint reply_src, reply_dst;
	struct traffic in, out; /* the original direction, and the other */
	uint64_t start;		/* nanoseconds since 1970; 0 = not known */
	uint32_t status;
	uint32_t timeout;
	uint32_t id;
	uint8_t state; /* of the protocol's own, TCP_CONNTRACK_*, SCTP_CONNTRACK_* */
	bool counted;  /* @in and @out are known (net.netfilter.nf_conntrack_acct) */
	uint16_t zone;
	uint8_t protocol;
};

/**
 * connection_mapping() - the mapping that would serve the first packet of @c now
 * @wan: our WAN addresses
 *
 * The dialled address must be one of @wan (forwards) or the very host (pinholes).
 * Precedence as of table_match(). Return: borrowed from @table, or NULL.
 */
const struct mapping *connection_mapping(const struct table *table,
					 const struct address_list *wan,
					 const struct connection *c);

/** connection_follows() - is @c translated (or, through a pinhole, left alone) the way
 * @m says? */
bool connection_follows(const struct connection *c, const struct mapping *m);
