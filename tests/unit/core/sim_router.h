/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sim_router - a router that does not exist: what it would answer to a job
 *
 * Pure: time is told. It has one table, whichever protocol it is asked in, as real ones
 * have, and any of the bad habits below.
 */

#include "core/upstream/upstream.h"

#define SIM_ENTRIES_MAX 512

#define SIM_PCP	    (1u << 0)
#define SIM_NATPMP  (1u << 1)
#define SIM_IGD	    (1u << 2)
#define SIM_IGD2    (1u << 3)
#define SIM_PINHOLE (1u << 4) /* an IGD that opens its firewall for IPv6 */

/** struct sim_entry - @protocol 0: none; @foreign: another client's */
struct sim_entry {
	uint64_t expires; /* 0 = never */
	struct in6_addr internal;
	uint8_t nonce[WORKER_NONCE_LEN];
	uint16_t internal_port;
	uint16_t external_port;
	uint16_t unique; /* of a pinhole */
	uint8_t protocol;
	bool has_nonce;
	bool foreign;
};

/**
 * struct sim_router
 * @up:        its port is there; @refusing: who asks where nothing is, is told so
 * @pcp_error: of every MAP, with @error_lifetime; @natpmp_error, @igd_error: the same
 * @pcp_maps:  false: MAP is UNSUPP_OPCODE
 * @quota:     entries of ours at most
 * @lease_max: longest that it grants, in seconds; 0 = as asked
 * @only_permanent: 725; @no_lease: an old one that answers 402 to a lease
 * @unreadable: entries cannot be read back (501)
 * @lie_*:     what it says and does not do, in answers to mappings
 * @wronged:   an entry of another client was overwritten or deleted
 */
struct sim_router {
	struct in6_addr addr;
	struct in6_addr external;
	uint32_t ifindex;
	unsigned int speaks;
	bool up, refusing, disconnected;
	bool pcp_maps, only_permanent, no_lease, unreadable;
	unsigned int pcp_error, natpmp_error, igd_error;
	uint32_t error_lifetime, lease_max;
	size_t quota;
	bool lie_port_0, lie_internal, lie_address, lie_other_port;
	uint64_t booted;
	uint32_t boot_id;
	uint16_t next_unique;
	char url[WORKER_URL_MAX + 1];
	struct sim_entry entries[SIM_ENTRIES_MAX];
	unsigned int wronged;
};

void sim_init(struct sim_router *router, const char *addr, const char *external,
	      unsigned int speaks);
/** sim_answer() - carry out @job. Return: false: it says nothing */
bool sim_answer(struct sim_router *router, const struct worker_job *job, uint64_t now,
		struct worker_answer *ret);
/** sim_restart() - its table is empty, but for what others have */
void sim_restart(struct sim_router *router, uint64_t now);
void sim_expire(struct sim_router *router, uint64_t now);
/** sim_foreign() - another client takes a port */
void sim_foreign(struct sim_router *router, uint8_t protocol, uint16_t port);
/** sim_ours() - entries of ours */
size_t sim_ours(const struct sim_router *router);
const struct sim_entry *sim_find(const struct sim_router *router, uint8_t protocol,
				 const struct in6_addr *internal, uint16_t internal_port);
uint32_t sim_epoch(const struct sim_router *router, uint64_t now);
