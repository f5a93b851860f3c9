/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * usage - which external ports are forwarded, and which are left for everybody else
 *
 * A flow that leaves may not be given a forwarded port, neither because its host chose
 * that number nor because the kernel did, when the number was taken. So all ports are
 * divided into intervals. In a free one a flow keeps its port, or gets another of the
 * same interval. From all else it is moved into the largest free interval of its class
 * (RFC 4787 REQ-3a: below 512, below 1024, the rest).
 *
 * The division follows from the mappings alone, not from how they came to be.
 */

#include "rules/keylist.h"

#define PORT_WORDS (65536 / 64)

/** struct port_counts - how many mappings have each port, and whether any has */
struct port_counts {
	uint32_t n[65536];
	uint64_t used[PORT_WORDS];
};

/**
 * struct usage - zero-initialised nothing is used
 * @single, @range: by protocol, protocol_at(); NULL as long as none is used
 */
struct usage {
	struct port_counts *single[PROTOCOL_COUNT];
	struct port_counts *range[PROTOCOL_COUNT];
};

void usage_done(struct usage *usage);
/** usage_add() - the external ports of a live mapping. Return: 0 or -ENOMEM */
int usage_add(struct usage *usage, const struct mapping *m);
void usage_remove(struct usage *usage, const struct mapping *m);

/** set_of_spare() - the map of protocol_at(@i) */
enum set_id set_of_spare(unsigned i);
/**
 * usage_spare() - what the map of protocol_at(@i) should hold, sorted
 *
 * Nothing for a protocol with no forwards, or with so many that no block of ports is
 * left. Ranges do not count where they leave no block. Return: 0 or -ENOMEM.
 */
int usage_spare(const struct usage *usage, unsigned i, struct keys *ret);

/** keys_lead_to() - does one of the first @n lead to that chain? */
bool keys_lead_to(const struct keys *keys, size_t n, const char *chain);

/* The chains that these maps lead to: "spare_udp_1024_8079" keeps a flow's
 * port among these, "moved_udp_8081_65535" gives it one of these. */
struct spare_chain {
	uint8_t protocol;
	bool moved;
	struct port_range ports;
};
void spare_chain_name(const struct spare_chain *c, char name[static CHAIN_ROOM]);
/** spare_chain_parse() - false: it is no such name */
bool spare_chain_parse(const char *name, struct spare_chain *ret);
