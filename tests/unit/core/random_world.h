/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * random_world - requests and conditions by chance, out of so few ports, hosts, names and
 * prefixes that they meet
 */

#include "model.h"

#define WORLD_PORTS 8

/** check() - --tap swallows what a test prints: a failure itself must tell how to repeat
 * it */
#define check(condition)                                                                 \
	cr_assert(condition, "%s, with NATD_TEST_SEED=%" PRIu64, #condition, world_seed)

extern uint64_t world_seed;

/** world_set_up() - NATD_TEST_SEED repeats a run */
void world_set_up(void);
void world_tear_down(void);
unsigned int below(unsigned int n);

/** world_conditions() - how it is now; time goes on with each call. Borrowed until the
 * next one; the LANs stay as they are */
const struct conditions *world_conditions(void);
/** world_soon() - a time of the lease clock, up to 20 seconds from now */
uint64_t world_soon(void);
/** world_change_lans() - Return: as they are now */
const struct lan_prefix_list *world_change_lans(void);

/** world_list() - a request; the caller's */
struct change_list world_list(const struct model *model);

/* dialled addresses, WANs first; remotes, at least one in each difference of prefixes */
#define WORLD_WANS    4
#define WORLD_DIALLED 9
#define WORLD_REMOTES 8
extern struct in6_addr world_dialled[WORLD_DIALLED];
extern struct in6_addr world_remotes[WORLD_REMOTES];
