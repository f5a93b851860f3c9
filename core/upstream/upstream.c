/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A router is the next hop of a WAN, in one family. While it is not found it is asked in
 * one speech after the other:
 *
 *	          +--> PCP ------> NAT-PMP --> SSDP --> IGD: open --+ nobody
 *	  look    |     | answers     |                  |          v
 *	 --------->     +-------------+----> FOUND <-----+         REST --> look (30 s,
 *	  ^  ^                                | ^ |                         doubling to
 *	  |  |  3 checks without an answer    | +-+ check                   15 min)
 *	  |  +--------------------------------+
 *	  +- announcement, another link, other options: at once, but once a second
 *
 * One that is lost within a minute of being found is looked for later each time,
 * whatever is announced. "It speaks NAT-PMP only" goes there at once. What is checked:
 * PCP ANNOUNCE, NAT-PMP's address, IGD's address and one entry. Each answer tells the
 * epoch (the first is held against what rows say): a router that has lost its table is
 * asked for everything again, as is one whose address has changed; the first time at
 * once, then with growing distance, so that one which contradicts itself costs little.
 *
 * A slot is one port at one router. Several mappings use it; without a user it leaves:
 *
 *	                     +--------------- lapsed, lost, gone ----------+
 *	                     v                                             |
 *	 row saved --> ASKING ---- granted -----------------------> MAPPED +--> renewed
 *	                 |  ^ |                                            |
 *	        refused  |  | | no answer                                  | no user
 *	                 v  | v                                            v
 *	            REFUSED | UNANSWERED                               LEAVING --> gone
 *	      (in a while)--+--(with the next check)        (asked to forget, until it
 *says yes or its lifetime is over)
 *
 * MAPPED stays while a renewal is not answered, until the lifetime is over. What the
 * router may hold is known by @asked (a question was sent) and @granted (one that was
 *sent before may have been granted): what was never granted needs no withdrawal. Beside
 *LEAVING there are two ways back: @give_back, a port that is not wanted, and @moving,
 *from one speech (or port) to another: in both the router forgets first, then it is asked
 *anew.
 *
 * Order on disk: a new slot, another speech and another port of an IGD are saved before
 * the router hears of them (@saved), so the rows of a natd that was killed name
 *everything that a router may hold.
 *
 * Who asks when: each router has a heap of slots by time for each worker. At most
 * FLIGHTS_MAX datagrams are under way, PACE apart; the igd worker does one thing at a
 * time, for all routers in turn. Nothing here walks all mappings or slots but what
 * happens seldom: another link, another configuration, a router found or lost, its table
 * lost, a check.
 *
 * Mappings whose state may have changed are in a list (mapping_dirty()); events come of
 * comparing how they are with what was told.
 */

#include "core/upstream/upstream.h"

#include <errno.h>
#include <stdlib.h>

#include "core/cleanup.h"
#include "core/upstream/upstream_private.h"

DEFINE_CLEANUP(upstream_free, struct upstream *)

void upstream_options_default(struct upstream_options *ret)
{
	*ret = (struct upstream_options){
		.policy = UPSTREAM_ALL,
		.order = { UPSTREAM_PCP, UPSTREAM_NATPMP, UPSTREAM_IGD },
		.n_order = UPSTREAM_SPEECHES,
		.lifetime = 7200, /* RFC 6886 3.3 */
		.check = MINUTES(1),
		.stun.addr = address_any4,
	};
}

int upstream_new(const struct upstream_options *options, upstream_random random,
		 struct upstream **ret)
{
	CLEANUP(upstream_free) struct upstream *up = calloc(1, sizeof(*up));

	if (!up)
		return -ENOMEM;
	up->options = *options;
	up->random = random;
	up->random(up->seed, sizeof(up->seed));
	up->next_id = 1 + chance_below(up, INT64_MAX);
	up->stale_at = NEVER;
	resolve_reset(up);
	up->dirty_end = &up->dirty;
	if (index_init(&up->by_key) < 0 || index_init(&up->by_slot) < 0 ||
	    index_init(&up->by_serial) < 0 || index_init(&up->by_mapping) < 0)
		return -ENOMEM;
	*ret = TAKE(up);
	return 0;
}

void upstream_free(struct upstream *up)
{
	if (!up)
		return;
	followed_free_all(up);
	routers_free(up);
	rows_free(up);
	index_done(&up->by_key);
	index_done(&up->by_slot);
	index_done(&up->by_serial);
	index_done(&up->by_mapping);
	free(up);
}

/* ------------------------------------------------------------ the beginning */

int upstream_restore(struct upstream *up, const struct upstream_row *row)
{
	struct router *router;
	int r;

	if (upstream_row_flaw(row) || slot_by_id(up, row->id))
		return -EINVAL;
	router = router_get(up, row->wan, &row->router);
	if (!router)
		return -ENOMEM;
	r = slot_find(up, router, row->protocol, &row->internal, row->internal_port)
		    ? -EINVAL
		    : slot_take_over(up, router, row);
	routers_tidy(up);
	return r;
}

void upstream_begin(struct upstream *up, uint64_t now)
{
	struct slot *next;

	up->begun = true;
	for (struct router *router = up->routers; router; router = router->next) {
		router->listen_at = now;
		router_look(up, router, now);
		for (struct slot *slot = router->slots; slot; slot = next) {
			next = slot->next;
			if (slot->uses)
				slot_adopt(up, slot, now);
			else
				slot_leave(up, slot, now);
		}
	}
	routers_tidy(up);
}

/* ------------------------------------------------------------ other options */

static bool looks_otherwise(const struct upstream_options *a,
			    const struct upstream_options *b)
{
	return a->enable != b->enable || a->n_order != b->n_order ||
	       memcmp(a->order, b->order, a->n_order) != 0 || strcmp(a->url, b->url) != 0;
}

static void start_over(struct upstream *up, struct router *router, bool look,
		       uint64_t now)
{
	router->listen_at = now;
	stun_stop(router);
	if (!up->options.enable) {
		router_stop(up, router);
	} else if (look) {
		router->no_pcp = 0;
		router->backoff = 0;
		router_lost(up, router, now);
		router->flap_wait = router->look_least = 0;
		router_look(up, router, now);
	} else if (router->found) {
		router->check_at = earlier(router->check_at, now + up->options.check);
	}
}

int upstream_configure(struct upstream *up, const struct upstream_options *options,
		       uint64_t now)
{
	const bool look = looks_otherwise(&up->options, options);
	const bool renamed = strcmp(up->options.stun_name, options->stun_name) != 0;

	up->options = *options;
	if (renamed)
		resolve_reset(up);
	else
		resolve_again(up, now);
	for (struct router *router = up->routers; router; router = router->next) {
		if (router->current)
			start_over(up, router, look, now);
	}
	return follow_all_anew(up, now);
}

void upstream_withdraw(struct upstream *up, uint64_t now)
{
	up->withdrawing = true;
	follow_all_anew(up, now);
}

static bool is_stranded(const struct slot *slot)
{
	const bool put_off = slot->ask_at == NEVER && !slot->serial;

	return slot->leaving && (!slot->router->current || put_off || slot->retry);
}

size_t upstream_stranded(const struct upstream *up, struct in6_addr *ret_router,
			 char ret_wan[static IFNAMSIZ])
{
	size_t n = 0;

	for (const struct router *router = up->routers; up->begun && router;
	     router = router->next) {
		for (const struct slot *slot = router->slots; slot; slot = slot->next) {
			if (!is_stranded(slot) || n++ > 0)
				continue;
			*ret_router = router->addr;
			memcpy(ret_wan, router->wan, IFNAMSIZ);
		}
	}
	return n;
}

/* Those of a router that no link leads to can only lapse; before the beginning nothing is
 * known of links. */
size_t upstream_pending(const struct upstream *up)
{
	size_t n = 0;

	for (const struct router *router = up->routers; router; router = router->next) {
		for (const struct slot *slot = router->slots; slot; slot = slot->next)
			n += !up->begun || (router->current && slot->leaving);
	}
	return n;
}
