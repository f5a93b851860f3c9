/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_follow - which slots each mapping needs
 */

#include <errno.h>
#include <stdlib.h>

#include "core/upstream/upstream_private.h"

#define RETRY_MS SECONDS(1)

/** struct carrier - a router, and the address that it is asked for */
struct carrier {
	struct router *router;
	struct in6_addr internal;
};

struct followed *followed_find(const struct upstream *up, uint64_t id)
{
	struct place *place = index_first(&up->by_mapping, index_hash(id));

	for (; place; place = index_next(place)) {
		struct followed *f = place_of(place, struct followed, by_id);

		if (f->id == id)
			return f;
	}
	return NULL;
}

void mapping_dirty(struct upstream *up, struct followed *f)
{
	if (f->dirty)
		return;
	f->dirty = true;
	f->dirty_next = NULL;
	*up->dirty_end = f;
	up->dirty_end = &f->dirty_next;
}

/* ------------------------------------------------------------ by which routers */

static bool has_address(const struct router *router, const struct in6_addr *addr)
{
	const struct address_list list = { router->addresses, router->n_addresses };

	return address_list_has(&list, addr);
}

/* The IGD of the same WAN's IPv4 side may open its firewall for IPv6. */
static struct router *pinhole_router(const struct upstream *up, struct router *router)
{
	for (size_t i = 0; !router->found && i < up->n_links; i++) {
		struct router *other = up->links[i];

		if (router_is_ipv4(other) && other->found &&
		    other->speech == UPSTREAM_IGD && other->igd & IGD_FIREWALL6 &&
		    strcmp(other->wan, router->wan) == 0)
			return other;
	}
	return router;
}

static bool by_router(const struct upstream *up, const struct followed *f,
		      struct router *link, struct carrier *ret)
{
	ret->router = link;
	if (router_is_ipv4(link) != f->ipv4)
		return false;
	if (f->pinhole)
		ret->internal = f->host;
	else if (address_is_any(&f->external))
		ret->internal = link->source;
	else if (has_address(link, &f->external))
		ret->internal = f->external;
	else
		return false;
	if (!f->ipv4)
		ret->router = pinhole_router(up, link);
	return true;
}

static size_t find_carriers(const struct upstream *up, struct followed *f,
			    struct carrier carriers[static UPSTREAM_LINKS_MAX])
{
	size_t n = 0, at;

	for (size_t i = 0; f->goes && i < up->n_links; i++) {
		if (!by_router(up, f, up->links[i], &carriers[n]))
			continue;
		for (at = 0; carriers[at].router != carriers[n].router;)
			at++;
		n += at == n;
	}
	if (f->goes && n == 0 && !f->pinhole && !address_is_any(&f->external))
		f->off = "its external address is none of a WAN with a default route";
	return n;
}

/* ------------------------------------------------------------ uses */

static void use_slot(struct upstream *up, struct use *use, struct followed *f,
		     struct slot *slot, uint64_t now)
{
	const bool first = !slot->uses;

	*use = (struct use){ slot, f, slot->uses, &slot->uses };
	if (use->next)
		use->next->pprev = &use->next;
	slot->uses = use;
	if (first)
		slot_join(up, slot, now);
	slot_reconsider(up, slot, now);
}

static void release(struct upstream *up, struct use *uses, size_t n, uint64_t now)
{
	for (size_t i = 0; i < n; i++) {
		struct use *use = &uses[i];

		*use->pprev = use->next;
		if (use->next)
			use->next->pprev = use->pprev;
		if (!use->slot->uses)
			slot_leave(up, use->slot, now);
		else
			slot_reconsider(up, use->slot, now);
	}
	free(uses);
}

static int use_all(struct upstream *up, struct followed *f,
		   const struct carrier *carriers, size_t n_carriers, struct use *uses,
		   size_t *ret_n, uint64_t now)
{
	for (size_t i = 0; i < n_carriers * f->n_ports; i++) {
		const struct carrier *carrier = &carriers[i / f->n_ports];
		struct slot *slot =
			slot_get(up, carrier->router, f->protocol, &carrier->internal,
				 (uint16_t)(f->port + i % f->n_ports));

		if (!slot)
			return -ENOMEM;
		use_slot(up, &uses[i], f, slot, now);
		*ret_n = i + 1;
	}
	return 0;
}

/* What it needs now is taken before what it had is let go: nothing is withdrawn that is
 * wanted again in the same breath. */
static int lead(struct upstream *up, struct followed *f, uint64_t now)
{
	struct carrier carriers[UPSTREAM_LINKS_MAX];
	const size_t n_carriers = find_carriers(up, f, carriers);
	struct use *before = f->uses, *uses = NULL;
	const size_t n_before = f->uses ? f->n_carriers * f->n_used : 0;
	size_t n = 0;
	int r = 0;

	if (n_carriers > 0) {
		uses = calloc(n_carriers * f->n_ports, sizeof(*uses));
		r = uses ? use_all(up, f, carriers, n_carriers, uses, &n, now) : -ENOMEM;
	}
	if (r < 0) {
		release(up, uses, n, now);
		uses = NULL;
		up->stale_at = now + RETRY_MS;
	}
	f->no_memory = r < 0;
	f->uses = uses;
	f->n_carriers = uses ? n_carriers : 0;
	f->n_used = f->n_ports;
	release(up, before, n_before, now);
	mapping_dirty(up, f);
	return r;
}

/* ------------------------------------------------------------ does it go upstream? */

static bool policy_lets(const struct upstream *up, enum upstream_wish wish)
{
	if (!up->options.enable || up->withdrawing || wish == UPSTREAM_NO)
		return false;
	switch (up->options.policy) {
	case UPSTREAM_ALL:
		return true;
	case UPSTREAM_CHOSEN:
		return wish != UPSTREAM_DEFAULT;
	case UPSTREAM_NONE:
		break;
	}
	return false;
}

/* Ports of a range that come out elsewhere are of no use to who connects. */
static void judge(const struct upstream *up, struct followed *f)
{
	f->off = NULL;
	f->goes = policy_lets(up, f->wish) && f->enabled &&
		  !address_equal(&f->host, &address_any6);
	f->other = (f->auto_port || up->options.other_port) && f->n_ports == 1;
	if (f->goes && f->n_ports > MAPPING_UPSTREAM_PORTS_MAX) {
		f->goes = false;
		f->off = "it has more than 64 ports, and each is a question of its own";
	}
}

int follow_all_anew(struct upstream *up, uint64_t now)
{
	int r = 0;

	up->stale_at = NEVER;
	for (struct followed *f = up->followed; f; f = f->next) {
		judge(up, f);
		if (lead(up, f, now) < 0)
			r = -ENOMEM;
	}
	return r;
}

/* ------------------------------------------------------------ as the table tells */

static struct followed *follow_new(struct upstream *up, uint64_t id)
{
	struct followed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->id = id;
	f->told_state = UPSTREAM_STATE_OFF;
	f->next = up->followed;
	if (f->next)
		f->next->prev = f;
	up->followed = f;
	index_put(&up->by_mapping, &f->by_id, index_hash(id));
	return f;
}

/* What the last life held was told by it. */
static void remember_told(struct followed *f)
{
	struct upstream_view view;

	followed_view(f, &view);
	if (view.state != UPSTREAM_STATE_MAPPED)
		return;
	f->told_state = UPSTREAM_STATE_MAPPED;
	f->told_external = view.external;
}

int upstream_follow(struct upstream *up, const struct mapping *m, uint64_t now)
{
	struct followed *f = followed_find(up, m->id);
	int r;

	if (!f)
		f = follow_new(up, m->id);
	if (!f)
		return -ENOMEM;
	f->host = m->host;
	f->external = m->external.addr;
	f->port = m->external.port;
	f->n_ports = m->n_ports;
	f->protocol = m->protocol;
	f->wish = m->upstream;
	f->enabled = m->enabled;
	f->ipv4 = mapping_is_ipv4(m);
	f->pinhole = mapping_is_pinhole(m);
	f->auto_port = m->auto_port;
	f->told_held = m->held;
	judge(up, f);
	r = lead(up, f, now);
	if (!up->begun)
		remember_told(f);
	return r;
}

static void forget(struct upstream *up, struct followed *f)
{
	*(f->prev ? &f->prev->next : &up->followed) = f->next;
	if (f->next)
		f->next->prev = f->prev;
	index_take(&up->by_mapping, &f->by_id);
	if (f->dirty)
		f->forgotten = true;
	else
		free(f);
}

void upstream_forget(struct upstream *up, uint64_t id, uint64_t now)
{
	struct followed *f = followed_find(up, id);

	if (!f)
		return;
	release(up, f->uses, f->uses ? f->n_carriers * f->n_used : 0, now);
	f->uses = NULL;
	forget(up, f);
}

/* Slots are freed elsewhere. */
void followed_free_all(struct upstream *up)
{
	while (up->dirty) {
		struct followed *f = up->dirty;

		up->dirty = f->dirty_next;
		f->dirty = false;
		if (f->forgotten)
			free(f);
	}
	while (up->followed) {
		struct followed *f = up->followed;

		up->followed = f->next;
		free(f->uses);
		free(f);
	}
}
