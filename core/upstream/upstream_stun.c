/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_stun - what a server in the internet sees of us
 */

#include "core/upstream/upstream_private.h"

#define MISSES_MAX 3

static bool is_wanted(const struct upstream *up, const struct router *router)
{
	return up->begun && up->options.enable && up->options.stun.port &&
	       router->current &&
	       address_is_ipv4(&up->options.stun.addr) == router_is_ipv4(router);
}

void stun_stop(struct router *router)
{
	router->stun = (struct probe){ .due = 0 };
	router->stun_misses = 0;
	router->stun_address = *any_like(&router->addr);
}

static void missed(struct upstream *up, struct router *router, uint64_t now)
{
	router->stun = (struct probe){ .due = now + up->options.check };
	if (++router->stun_misses >= MISSES_MAX)
		router->stun_address = *any_like(&router->addr);
}

void stun_tick(struct upstream *up, struct router *router, uint64_t now)
{
	struct probe *stun = &router->stun;

	if (!is_wanted(up, router) || stun->due > now)
		return;
	if (stun->active && probe_wait(JOB_STUN_BIND, stun->tries + 1u) == 0) {
		missed(up, router, now);
	} else if (!stun->active) {
		*stun = (struct probe){ .active = true,
					.kind = JOB_STUN_BIND,
					.serial = serial_next(up),
					.due = now };
		up->random(router->stun_nonce, sizeof(router->stun_nonce));
	}
}

void stun_answer(struct upstream *up, struct router *router,
		 const struct worker_answer *answer, uint64_t now)
{
	if (answer->result != 0 ||
	    address_is_ipv4(&answer->external) != router_is_ipv4(router)) {
		missed(up, router, now);
		return;
	}
	router->stun_address = answer->external;
	router->stun_misses = 0;
	router->stun = (struct probe){ .due = now + up->options.check };
}

uint64_t stun_due(const struct upstream *up, const struct router *router)
{
	return is_wanted(up, router) ? router->stun.due : NEVER;
}
