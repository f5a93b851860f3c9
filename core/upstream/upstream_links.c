/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_links - the routers that the WANs lead to
 */

#include <errno.h>
#include <stdlib.h>

#include "core/upstream/upstream_private.h"

struct router *router_find(const struct upstream *up, const char *wan,
			   const struct in6_addr *addr)
{
	for (struct router *router = up->routers; router; router = router->next) {
		if (strncmp(router->wan, wan, IFNAMSIZ) == 0 &&
		    address_equal(&router->addr, addr))
			return router;
	}
	return NULL;
}

struct router *router_get(struct upstream *up, const char *wan,
			  const struct in6_addr *addr)
{
	struct router *router = router_find(up, wan, addr);

	if (router)
		return router;
	router = calloc(1, sizeof(*router));
	if (!router)
		return NULL;
	strncpy(router->wan, wan, IFNAMSIZ - 1);
	router->addr = *addr;
	router->external = router->stun_address = router->told_external = *any_like(addr);
	router->source = *any_like(addr);
	router->look_at = router->check_at = router->again_at = NEVER;
	router->listen_at = NEVER;
	router->window = FLIGHTS_MAX;
	router->next = up->routers;
	up->routers = router;
	return router;
}

static void free_router(struct router *router)
{
	for (enum timer timer = 0; timer < TIMERS; timer++)
		free(router->heaps[timer].at);
	free(router);
}

/* What is still to be told of one that is gone holds it, too. */
static bool is_needed(const struct router *router)
{
	return router->current || router->slots || router->listening ||
	       router->told_found;
}

void routers_tidy(struct upstream *up)
{
	struct router **at = &up->routers;

	while (*at) {
		struct router *router = *at;

		if (is_needed(router)) {
			at = &router->next;
			continue;
		}
		for (enum worker_role role = 0; role < WORKER_ROLES; role++) {
			if (up->turn[role] == router)
				up->turn[role] = NULL;
		}
		*at = router->next;
		free_router(router);
	}
}

void routers_free(struct upstream *up)
{
	while (up->routers) {
		struct router *router = up->routers;

		up->routers = router->next;
		while (router->slots)
			slot_free(up, router->slots);
		free_router(router);
	}
}

/* ------------------------------------------------------------ links */

static bool is_same(const struct router *router, const struct upstream_link *link)
{
	return router->current && router->ifindex == link->ifindex &&
	       address_equal(&router->source, &link->source);
}

/* Another address of ours: what the server saw was the former one. */
static void lead_to(struct upstream *up, struct router *router,
		    const struct upstream_link *link, uint64_t now)
{
	const bool same = is_same(router, link);
	const bool moved = router->ifindex != link->ifindex;

	router->current = true;
	router->ifindex = link->ifindex;
	router->source = link->source;
	router->n_addresses = link->n_addresses < UPSTREAM_LINK_ADDRESSES_MAX
				      ? link->n_addresses
				      : UPSTREAM_LINK_ADDRESSES_MAX;
	memcpy(router->addresses, link->addresses,
	       router->n_addresses * sizeof(struct in6_addr));
	if (same)
		return;
	router->stun_address = *any_like(&router->addr);
	router->stun = (struct probe){ .due = now };
	resolve_again(up, now);
	if (moved || !router->listening)
		router->listen_at = now;
	router->backoff = 0;
	if (router->found)
		router_suspect(up, router, now);
	else
		router_look(up, router, now);
}

static void lead_away(struct upstream *up, struct router *router, uint64_t now)
{
	router->current = false;
	router->listen_at = now;
	router_stop(up, router);
}

static void lead_all(struct upstream *up, const struct upstream_link *links,
		     struct router *const *routers, size_t n, uint64_t now)
{
	for (struct router *router = up->routers; router; router = router->next) {
		bool stays = false;

		for (size_t i = 0; i < n; i++)
			stays |= routers[i] == router;
		if (router->current && !stays)
			lead_away(up, router, now);
	}
	for (size_t i = 0; i < n; i++) {
		const bool back = !routers[i]->current;
		struct slot *slot = routers[i]->slots;

		lead_to(up, routers[i], &links[i], now);
		for (; back && slot; slot = slot->next)
			slot_adopt(up, slot, now);
	}
}

int upstream_set_links(struct upstream *up, const struct upstream_link *links, size_t n,
		       uint64_t now)
{
	const size_t taken = n < UPSTREAM_LINKS_MAX ? n : UPSTREAM_LINKS_MAX;
	struct router *routers[UPSTREAM_LINKS_MAX];
	int r;

	for (size_t i = 0; i < taken; i++) {
		routers[i] = router_get(up, links[i].wan, &links[i].gateway);
		if (!routers[i]) {
			routers_tidy(up);
			return -ENOMEM;
		}
	}
	lead_all(up, links, routers, taken, now);
	memcpy(up->links, routers, taken * sizeof(struct router *));
	up->n_links = taken;
	r = follow_all_anew(up, now);
	routers_tidy(up);
	return r < 0 ? r : n > taken ? -E2BIG : 0;
}
