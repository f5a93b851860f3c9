/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * counts_private - what was read at one moment
 */

#include "natd/gateway/gateway_private.h"

/** struct count - of one mapping; -1 = not known */
struct count {
	uint64_t id;
	int64_t connections;
	int64_t total;
	uint64_t bytes_in, bytes_out; /* of connections that are under way */
};

/** struct slot_count - of one of several elements of a mapping, or of one that is limited
 * to remote prefixes; sorted by what stands before @of */
struct slot_count {
	struct in6_addr addr;
	struct prefix remote;
	uint16_t port;
	uint8_t kind, protocol;
	uint32_t of; /* index into counts->of */
	bool told;
	uint64_t packets;
};

/* Chains in the way of one family's mappings, to a host behind us or to ourselves. */
struct blocking {
	const char *texts[GATEWAY_FOREIGN_MAX];
	size_t n;
};

/* kinds of the same packets: forwards of IPv4, of IPv6, pinholes */
#define KIND_GROUPS 3

/**
 * struct counts
 * @of:        in order of id
 * @wan:       our addresses, owned
 * @listeners: owned
 * @foremost:  for each protocol the first kind that has a mapping in force: what is of
 *             that kind, and for anybody, has nothing that could take a part of it
 */
struct counts {
	const struct gateway *gw;
	struct address_list wan;
	struct in6_addr *wan_addresses;
	struct count *of;
	size_t n;
	struct slot_count *slots;
	size_t n_slots;
	bool accounting;
	uint64_t now_ms, lease_now;
	struct listener *listeners;
	struct listener_list listener_list;
	bool listeners_known;
	uint8_t foremost[PROTOCOL_COUNT * KIND_GROUPS];
	char texts[GATEWAY_FOREIGN_MAX][FOREIGN_CHAIN_STRLEN];
	struct blocking blocking[2][2]; /* [IPv6][to ourselves] */
	struct in6_addr local[256];
	size_t n_local;
};

/** counts_group() - of @m's protocol and packets, an index into @foremost */
unsigned int counts_group(const struct mapping *m);
struct count *counts_of(const struct counts *counts, uint64_t id); /* or NULL */

/** counts_read_elements() - how many first packets elements have seen. Return: 0,
 * -ENOMEM; what cannot be read is "not known" */
int counts_read_elements(struct counts *counts, struct gateway *gw);
