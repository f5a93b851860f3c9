/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_slots - what is asked of a router, one port each
 */

#include <errno.h>
#include <stdlib.h>

#include "core/siphash.h"
#include "core/upstream/upstream_private.h"

/* ------------------------------------------------------------ found and made */

static uint64_t key_hash(const struct upstream *up, const struct router *router,
			 uint8_t protocol, const struct in6_addr *internal, uint16_t port)
{
	struct {
		uintptr_t router;
		struct in6_addr internal;
		uint16_t port;
		uint8_t protocol, zero[5];
	} key = { .router = (uintptr_t)router,
		  .internal = *internal,
		  .port = port,
		  .protocol = protocol };

	return siphash13(up->seed, &key, sizeof(key));
}

struct slot *slot_find(const struct upstream *up, const struct router *router,
		       uint8_t protocol, const struct in6_addr *internal, uint16_t port)
{
	struct place *place =
		index_first(&up->by_key, key_hash(up, router, protocol, internal, port));

	for (; place; place = index_next(place)) {
		struct slot *slot = place_of(place, struct slot, by_key);

		if (slot->router == router && slot->protocol == protocol &&
		    slot->internal_port == port &&
		    address_equal(&slot->internal, internal))
			return slot;
	}
	return NULL;
}

struct slot *slot_by_id(const struct upstream *up, uint64_t id)
{
	struct place *place = index_first(&up->by_slot, index_hash(id));

	for (; place; place = index_next(place)) {
		struct slot *slot = place_of(place, struct slot, by_id);

		if (slot->id == id)
			return slot;
	}
	return NULL;
}

struct slot *slot_by_serial(const struct upstream *up, uint64_t serial)
{
	struct place *place = index_first(&up->by_serial, index_hash(serial));

	for (; place; place = index_next(place)) {
		struct slot *slot = place_of(place, struct slot, by_serial);

		if (slot->serial == serial)
			return slot;
	}
	return NULL;
}

static void append(struct router *router, struct slot *slot)
{
	slot->next = NULL;
	slot->prev = router->slots_last;
	*(slot->prev ? &slot->prev->next : &router->slots) = slot;
	router->slots_last = slot;
}

static void detach(struct router *router, struct slot *slot)
{
	*(slot->prev ? &slot->prev->next : &router->slots) = slot->next;
	*(slot->next ? &slot->next->prev : &router->slots_last) = slot->prev;
}

static struct slot *slot_new(struct upstream *up, struct router *router, uint8_t protocol,
			     const struct in6_addr *internal, uint16_t port)
{
	struct slot *slot;

	if (timers_reserve(router) < 0)
		return NULL;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->router = router;
	slot->protocol = protocol;
	slot->internal = *internal;
	slot->internal_port = port;
	slot->external = *any_like(internal);
	slot->state = UPSTREAM_STATE_ASKING;
	append(router, slot);
	router->n_slots++;
	index_put(&up->by_key, &slot->by_key,
		  key_hash(up, router, protocol, internal, port));
	return slot;
}

static void name_it(struct upstream *up, struct slot *slot, uint64_t id)
{
	slot->id = id;
	index_put(&up->by_slot, &slot->by_id, index_hash(id));
}

/* They begin anywhere, so that one of an earlier life does not come again. */
static uint64_t next_id(struct upstream *up)
{
	uint64_t id;

	do {
		id = up->next_id;
		up->next_id = id % INT64_MAX + 1;
	} while (slot_by_id(up, id));
	return id;
}

struct slot *slot_get(struct upstream *up, struct router *router, uint8_t protocol,
		      const struct in6_addr *internal, uint16_t port)
{
	struct slot *slot = slot_find(up, router, protocol, internal, port);

	if (slot)
		return slot;
	slot = slot_new(up, router, protocol, internal, port);
	if (!slot)
		return NULL;
	name_it(up, slot, next_id(up));
	up->random(slot->nonce, sizeof(slot->nonce));
	return slot;
}

/* What was assigned is taken to be so until the router says otherwise; what was not may
 * have been granted all the same. */
int slot_take_over(struct upstream *up, struct router *router,
		   const struct upstream_row *row)
{
	struct slot *slot =
		slot_new(up, router, row->protocol, &row->internal, row->internal_port);

	if (!slot)
		return -ENOMEM;
	name_it(up, slot, row->id);
	slot->expires = row->expires;
	slot->epoch = row->epoch;
	slot->epoch_at = row->epoch_at;
	slot->external = row->external;
	slot->external_port = row->external_port;
	slot->unique = row->unique;
	slot->speech = row->speech;
	memcpy(slot->nonce, row->nonce, sizeof(slot->nonce));
	slot->told = slot->saved = slot->enlisted = true;
	slot->asked = slot->granted = true;
	if (row->speech == UPSTREAM_IGD)
		memcpy(router->url, row->url, sizeof(router->url));
	if (row->external_port && (row->speech == UPSTREAM_NATPMP || row->unique ||
				   !address_is_any(&row->external)))
		slot_set_state(up, slot, UPSTREAM_STATE_MAPPED);
	return 0;
}

/* ------------------------------------------------------------ for the next check */

static void stand(struct slot *slot, enum standing standing)
{
	struct slot_list *list = &slot->router->standing[standing];

	slot->standing = (uint8_t)standing;
	if (standing == STANDING_NONE)
		return;
	slot->stand_next = NULL;
	slot->stand_prev = list->last;
	*(slot->stand_prev ? &slot->stand_prev->stand_next : &list->first) = slot;
	list->last = slot;
}

static void stand_no_more(struct slot *slot)
{
	struct slot_list *list = &slot->router->standing[slot->standing];

	if (slot->standing == STANDING_NONE)
		return;
	*(slot->stand_prev ? &slot->stand_prev->stand_next : &list->first) =
		slot->stand_next;
	*(slot->stand_next ? &slot->stand_next->stand_prev : &list->last) =
		slot->stand_prev;
	slot->standing = STANDING_NONE;
}

void slot_to_the_end(struct slot *slot)
{
	const enum standing standing = (enum standing)slot->standing;

	stand_no_more(slot);
	stand(slot, standing);
}

static enum standing standing_of(const struct slot *slot)
{
	if (slot_is_removal(slot))
		return STANDING_NONE;
	if (slot->state == UPSTREAM_STATE_UNANSWERED || slot->doubt)
		return STANDING_WAITS;
	if (slot->state == UPSTREAM_STATE_MAPPED && !slot_is_pinhole(slot))
		return STANDING_HELD;
	return STANDING_NONE;
}

/* ------------------------------------------------------------ and gone */

/* Out of everything but the rows. */
static void unlink_slot(struct upstream *up, struct slot *slot)
{
	slot_close(up, slot);
	stand_no_more(slot);
	for (enum timer timer = 0; timer < TIMERS; timer++)
		timer_set(slot, timer, NEVER);
	index_take(&up->by_key, &slot->by_key);
	index_take(&up->by_slot, &slot->by_id);
	detach(slot->router, slot);
	slot->router->n_slots--;
}

void slot_gone(struct upstream *up, struct slot *slot)
{
	slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
	unlink_slot(up, slot);
	slot->router = NULL;
	slot->gone = true;
	row_gone(up, slot);
}

void slot_free(struct upstream *up, struct slot *slot)
{
	unlink_slot(up, slot);
	row_forget(up, slot);
	free(slot);
}

/* ------------------------------------------------------------ what is to be done */

bool slot_is_pinhole(const struct slot *slot)
{
	return slot->speech == UPSTREAM_IGD && !slot_is_ipv4(slot);
}

bool slot_is_removal(const struct slot *slot)
{
	return slot->leaving || slot->give_back || slot->moving;
}

bool slot_exact(const struct upstream *up, const struct slot *slot)
{
	for (const struct use *use = slot->uses; use; use = use->next) {
		if (!use->mapping->other)
			return true;
	}
	return false;
}

void slot_close(struct upstream *up, struct slot *slot)
{
	index_take(&up->by_serial, &slot->by_serial);
	slot->serial = 0;
	slot->question = QUESTION_NONE;
	slot->tries = 0;
}

void slot_set_state(struct upstream *up, struct slot *slot, enum upstream_state state)
{
	struct router *router = slot->router;

	router->n_mapped += state == UPSTREAM_STATE_MAPPED;
	router->n_mapped -= slot->state == UPSTREAM_STATE_MAPPED;
	slot->state = (uint8_t)state;
	if (router->n_mapped == 0 && router->found && router->speech == UPSTREAM_PCP)
		router->external = *any_like(&router->addr);
	for (struct use *use = slot->uses; use; use = use->next)
		mapping_dirty(up, use->mapping);
}

static bool may_ask(const struct upstream *up, const struct slot *slot)
{
	const struct router *router = slot->router;

	if (!up->begun || !router->current || !slot->saved)
		return false;
	if (slot_is_removal(slot))
		return true;
	return up->options.enable && router->found && slot->speech == router->speech;
}

static uint64_t lapses(const struct slot *slot)
{
	if (slot->leaving)
		return slot->give_up;
	if ((slot->give_back || slot->state == UPSTREAM_STATE_MAPPED) && slot->expires)
		return slot->expires;
	return NEVER;
}

void slot_schedule(struct upstream *up, struct slot *slot)
{
	const uint64_t ask = may_ask(up, slot) ? slot->ask_at : NEVER;
	const bool igd = slot->speech == UPSTREAM_IGD;
	const enum standing standing = standing_of(slot);

	if (standing != (enum standing)slot->standing) {
		stand_no_more(slot);
		stand(slot, standing);
	}
	timer_set(slot, TIMER_DATAGRAM, igd ? NEVER : ask);
	timer_set(slot, TIMER_IGD, igd ? ask : NEVER);
	timer_set(slot, TIMER_LAPSE, up->begun ? lapses(slot) : NEVER);
}

/* ------------------------------------------------------------ wanted or not */

void slot_leave(struct upstream *up, struct slot *slot, uint64_t now)
{
	if (!slot->asked) {
		slot_gone(up, slot);
		return;
	}
	slot_close(up, slot);
	slot->leaving = true;
	slot->kept = slot->state == UPSTREAM_STATE_MAPPED;
	slot->moving = slot->give_back = slot->verify = slot->looked = false;
	slot->retry = 0;
	slot->give_up = slot->expires ? slot->expires : now + WITHDRAW_MS;
	slot->ask_at = now;
	slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
	slot_schedule(up, slot);
}

void slot_join(struct upstream *up, struct slot *slot, uint64_t now)
{
	if (slot->leaving) {
		slot_close(up, slot);
		slot->leaving = false;
		slot->retry = 0;
		slot->doubt = false;
		slot->ask_at = slot->kept && slot->renews ? slot->renews : now;
		if (slot->kept)
			slot_set_state(up, slot, UPSTREAM_STATE_MAPPED);
	}
	slot_adopt(up, slot, now);
}

static bool can_be_said(const struct slot *slot)
{
	const struct router *router = slot->router;
	const bool plain = slot->protocol == IPPROTO_TCP || slot->protocol == IPPROTO_UDP;

	switch ((enum upstream_speech)router->speech) {
	case UPSTREAM_PCP:
		return slot_is_ipv4(slot) == router_is_ipv4(router);
	case UPSTREAM_NATPMP:
		return plain && slot_is_ipv4(slot);
	case UPSTREAM_IGD:
		return plain && (slot_is_ipv4(slot) || router->igd & IGD_FIREWALL6);
	}
	return false;
}

/* A pinhole cannot be withdrawn before its number is known: so it is known from the
 * beginning when it is over. */
static void enlist(struct upstream *up, struct slot *slot, uint64_t now)
{
	slot->speech = slot->router->speech;
	slot->external = *any_like(&slot->internal);
	slot->external_port = slot->unique = 0;
	slot->expires = slot->epoch_at = 0;
	slot->epoch = 0;
	if (slot_is_pinhole(slot))
		slot->expires = now + SECONDS(up->options.lifetime) + MINUTES(1);
	slot->looked = slot->lease_0 = false;
	slot->others = 0;
	slot->enlisted = true;
	slot->saved = false;
	row_changed(up, slot);
}

static void refuse_protocol(struct upstream *up, struct slot *slot)
{
	slot_close(up, slot);
	slot->ask_at = NEVER;
	if (slot->state != UPSTREAM_STATE_MAPPED) {
		slot->why = WHY_PROTOCOL;
		slot_set_state(up, slot, UPSTREAM_STATE_REFUSED);
	}
}

static void adopt_wanted(struct upstream *up, struct slot *slot, uint64_t now)
{
	const struct router *router = slot->router;
	const bool mapped = slot->state == UPSTREAM_STATE_MAPPED;
	bool known = mapped && slot->confirmed && !slot->doubt;

	if (!can_be_said(slot)) {
		refuse_protocol(up, slot);
		return;
	}
	if (slot_is_removal(slot))
		known = true;
	if (slot->speech != router->speech && slot->asked) {
		known = slot->moving = true;
		slot->give_back = slot->looked = false;
		slot_close(up, slot);
		slot->ask_at = now;
	} else if (!slot->enlisted || slot->speech != router->speech) {
		slot_close(up, slot);
		enlist(up, slot, now);
	}
	if (known && router->speech != UPSTREAM_IGD)
		return;
	slot->doubt = mapped;
	slot->ask_at = now;
	if (slot->state == UPSTREAM_STATE_REFUSED && slot->why == WHY_PROTOCOL)
		slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
}

void slot_adopt(struct upstream *up, struct slot *slot, uint64_t now)
{
	if (slot->leaving) {
		slot->ask_at = now;
		slot->retry = 0;
	} else if (slot->router->found && up->begun) {
		adopt_wanted(up, slot, now);
	}
	slot_schedule(up, slot);
}

void slot_reconsider(struct upstream *up, struct slot *slot, uint64_t now)
{
	const bool exact = slot_exact(up, slot);

	if (slot_is_removal(slot))
		return;
	if (exact && slot->asked && slot->external_port &&
	    slot->external_port != slot->internal_port) {
		slot_close(up, slot);
		slot->moving = true;
		slot->ask_at = now;
	} else if (!exact && slot->state == UPSTREAM_STATE_REFUSED &&
		   slot->why != WHY_PROTOCOL) {
		slot->ask_at = now;
	}
	slot_schedule(up, slot);
}
