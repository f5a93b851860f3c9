/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gateway_upstream - what the gateway tells of itself to the routers above it, and what
 * it tells of them
 */

#include <jansson.h>

#include "natd/gateway/uplink.h"

struct gateway;
struct plan;
struct gateway_upstream;
struct upstream_held;

/** gateway_start_upstream() - begin with what the store and the table have. Called with
 * engine and interfaces there; without a nursery nothing is begun. Return: 0, -ENOMEM,
 * what sd-event and the store said */
int gateway_start_upstream(struct gateway *gw);
void gateway_stop_upstream(struct gateway *gw); /* nothing is withdrawn */
/** NULL: it was never started */
struct uplink *gateway_uplink(const struct gateway *gw);

/** gateway_upstream_configure() - another configuration is in force */
void gateway_upstream_configure(struct gateway *gw);
/** gateway_upstream_links() - addresses or gateways of the WANs have changed */
void gateway_upstream_links(struct gateway *gw);
/** gateway_upstream_hosts() - hosts of suffixes have changed */
void gateway_upstream_hosts(struct gateway *gw);
/** gateway_upstream_committed() - see struct engine_parts */
void gateway_upstream_committed(struct gateway *gw, const struct plan *plan);

/** gateway_upstream_decided() - see struct engine_parts */
void gateway_upstream_decided(struct gateway *gw);

/** gateway_upstream_routers() - who may send us answers and announcements; sorted by
 * nothing, none twice. Return: how many, at most @max */
size_t gateway_upstream_routers(const struct gateway *gw, struct in6_addr *ret,
				size_t max);
/** gateway_upstream_view() - how the mapping stands; times in seconds since 1970 */
void gateway_upstream_view(const struct gateway *gw, uint64_t id,
			   struct upstream_view *ret);
/** gateway_encode_address() - null where it is any; new reference, or NULL */
json_t *gateway_encode_address(const struct in6_addr *addr);
/** gateway_encode_upstream() - of status; new reference, or NULL */
json_t *gateway_encode_upstream(const struct gateway *gw);
/** gateway_say_upstream() - what is wrong with it, or with mappings that want it */
void gateway_say_upstream(const struct gateway *gw, json_t *list);
/** gateway_upstream_wall() - a moment of the lease clock in seconds since 1970; 0 stays 0
 */
uint64_t gateway_upstream_wall(const struct gateway *gw, uint64_t lease_ms);

/* ------------------------------------------------------------ among its own files */

void gateway_upstream_follow(struct gateway *gw, const struct mapping *m);
void gateway_upstream_follow_required(struct gateway *gw);

/** held_new() - Return: 0, -ENOMEM, what sd-event said */
int held_new(struct gateway *gw, struct upstream_held **ret);
void held_free(struct upstream_held *held); /* NULL is fine; changes may be under way */
/** held_submit() - the table is to say of @id whether it is held; tried again, each
 * second, until it does or the mapping is gone */
void held_submit(struct upstream_held *held, uint64_t id, bool is_held);
