/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_stun - what a server in the internet sees of us
 */

#include "core/upstream/upstream_private.h"

#define MISSES_MAX 3

bool stun_is_wanted(const struct upstream *up, const struct router *router)
{
	return up->begun && up->options.enable && up->options.stun.port &&
	       router->current &&
	       address_is_ipv4(&up->options.stun.addr) == router_is_ipv4(router);
}

static bool can_be_asked(const struct upstream *up, const struct router *router)
{
	return stun_is_wanted(up, router) && resolve_address(up, router);
}

void stun_stop(struct router *router)
{
	router->stun = (struct probe){ .due = 0 };
	router->stun_misses = 0;
	router->stun_at = 0;
	router->stun_address = *any_like(&router->addr);
}

/* The next time it is another address of the server's, where that has more than one. */
static void missed(struct upstream *up, struct router *router, uint64_t now)
{
	router->stun = (struct probe){ .due = now + up->options.check };
	router->stun_at++;
	if (router->stun_misses < MISSES_MAX)
		router->stun_misses++;
	if (router->stun_misses < MISSES_MAX)
		return;
	router->stun_address = *any_like(&router->addr);
	resolve_silent(up, now);
}

void stun_tick(struct upstream *up, struct router *router, uint64_t now)
{
	struct probe *stun = &router->stun;

	if (!can_be_asked(up, router) || stun->due > now)
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
	if (router->stun_misses)
		resolve_heard(up);
	router->stun_misses = 0;
	router->stun = (struct probe){ .due = now + up->options.check };
}

uint64_t stun_due(const struct upstream *up, const struct router *router)
{
	return can_be_asked(up, router) ? router->stun.due : NEVER;
}
