/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_view - how mappings and routers stand
 */

#include <stdio.h>

#include "core/upstream/upstream_private.h"

static enum upstream_state slot_state(const struct slot *slot)
{
	if (slot->state == UPSTREAM_STATE_MAPPED || slot->router->found)
		return slot->state;
	return UPSTREAM_STATE_NO_ROUTER;
}

/* The port that stands worst speaks for a range, what was refused for the others. */
static unsigned int severity(enum upstream_state state)
{
	switch (state) {
	case UPSTREAM_STATE_MAPPED:
		return 0;
	case UPSTREAM_STATE_ASKING:
		return 1;
	case UPSTREAM_STATE_UNANSWERED:
		return 2;
	case UPSTREAM_STATE_REFUSED:
		return 3;
	case UPSTREAM_STATE_NO_ROUTER:
		return 4;
	case UPSTREAM_STATE_OFF:
		break;
	}
	return 5;
}

enum upstream_state carrier_state(const struct followed *f, size_t i,
				  const struct slot **ret_slot)
{
	const struct use *uses = &f->uses[i * f->n_used];
	enum upstream_state worst = slot_state(uses[0].slot);

	*ret_slot = uses[0].slot;
	for (size_t at = 1; at < f->n_used; at++) {
		const enum upstream_state state = slot_state(uses[at].slot);

		if (severity(state) > severity(worst)) {
			worst = state;
			*ret_slot = uses[at].slot;
		}
	}
	return worst;
}

/* What the router may have lost stays in the kernel while it is asked, a moment: without
 * it there its connections would end. */
static bool slot_held(const struct slot *slot)
{
	return slot->state == UPSTREAM_STATE_MAPPED ||
	       (slot_state(slot) == UPSTREAM_STATE_ASKING && slot->doubt);
}

bool followed_held(const struct followed *f)
{
	for (size_t i = 0; i < f->n_carriers; i++) {
		size_t at = 0;

		while (at < f->n_used && slot_held(f->uses[i * f->n_used + at].slot))
			at++;
		if (at == f->n_used)
			return true;
	}
	return false;
}

/* By which WAN it stands best: one that refuses is second to one that may not, and one
 * whose router has fallen silent to one whose router has not. */
static unsigned int rank(enum upstream_state state, const struct slot *slot)
{
	switch (state) {
	case UPSTREAM_STATE_MAPPED:
		return slot->router->found ? 6 : 5;
	case UPSTREAM_STATE_ASKING:
		return 4;
	case UPSTREAM_STATE_REFUSED:
		return 3;
	case UPSTREAM_STATE_UNANSWERED:
		return 2;
	case UPSTREAM_STATE_NO_ROUTER:
		return 1;
	case UPSTREAM_STATE_OFF:
		break;
	}
	return 0;
}

static void times(const struct followed *f, size_t carrier, struct upstream_view *ret)
{
	for (size_t i = 0; i < f->n_used; i++) {
		const struct slot *slot = f->uses[carrier * f->n_used + i].slot;

		if (slot->expires && (!ret->expires || slot->expires < ret->expires))
			ret->expires = slot->expires;
		if (slot->renews && (!ret->renews || slot->renews < ret->renews))
			ret->renews = slot->renews;
	}
}

static void tell(const struct followed *f, size_t carrier, const struct slot *slot,
		 struct upstream_view *ret)
{
	const struct slot *first = f->uses[carrier * f->n_used].slot;

	memcpy(ret->wan, slot->router->wan, sizeof(ret->wan));
	ret->speech = slot->router->found ? slot->router->speech : slot->speech;
	if (ret->state == UPSTREAM_STATE_MAPPED) {
		ret->speech = slot->speech;
		ret->external =
			(struct endpoint){ first->external, first->external_port };
		times(f, carrier, ret);
	} else if (ret->state == UPSTREAM_STATE_REFUSED ||
		   ret->state == UPSTREAM_STATE_UNANSWERED) {
		slot_words(slot, ret->why);
	}
}

void followed_view(const struct followed *f, struct upstream_view *ret)
{
	const struct slot *slot, *best = NULL;
	size_t carrier = 0;

	memset(ret, 0, sizeof(*ret));
	ret->external.addr = f->ipv4 ? address_any4 : address_any6;
	if (!f->goes || f->off || f->no_memory) {
		snprintf(ret->why, sizeof(ret->why), "%s",
			 f->no_memory ? "there is no memory to ask for it"
			 : f->off     ? f->off
				      : "");
		return;
	}
	ret->state = UPSTREAM_STATE_NO_ROUTER;
	for (size_t i = 0; i < f->n_carriers; i++) {
		const enum upstream_state state = carrier_state(f, i, &slot);

		if (best && rank(state, slot) <= rank(ret->state, best))
			continue;
		ret->state = state;
		best = slot;
		carrier = i;
	}
	if (best)
		tell(f, carrier, best, ret);
}

void upstream_view(const struct upstream *up, uint64_t id, struct upstream_view *ret)
{
	const struct followed *f = followed_find(up, id);

	if (f) {
		followed_view(f, ret);
		return;
	}
	memset(ret, 0, sizeof(*ret));
	ret->external.addr = address_any6;
}

/* ------------------------------------------------------------ routers */

size_t upstream_link_count(const struct upstream *up)
{
	return up->n_links;
}

static void count_slots(const struct router *router, struct upstream_link_view *ret)
{
	for (const struct slot *slot = router->slots; slot; slot = slot->next) {
		if (slot->leaving)
			continue;
		if (slot->renews && slot->state == UPSTREAM_STATE_MAPPED &&
		    (!ret->renews || slot->renews < ret->renews))
			ret->renews = slot->renews;
		ret->held += slot->state == UPSTREAM_STATE_MAPPED;
		ret->refused += slot->state == UPSTREAM_STATE_REFUSED;
		ret->asking += slot->state == UPSTREAM_STATE_ASKING ||
			       slot->state == UPSTREAM_STATE_UNANSWERED;
	}
}

void upstream_link_view(const struct upstream *up, size_t i, uint64_t now,
			struct upstream_link_view *ret)
{
	const struct router *router = up->links[i];

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->wan, router->wan, sizeof(ret->wan));
	ret->gateway = router->addr;
	ret->source = router->source;
	ret->found = router->found;
	ret->speech = router->speech;
	memcpy(ret->name, router->name, sizeof(ret->name));
	ret->external = router->external;
	ret->stun = router->stun_address;
	ret->answered = router->answered;
	if (!router->found && router->look_at != NEVER)
		ret->tries = router->look_at;
	else if (!router->found && up->options.enable && router_is_anybody(router))
		ret->tries = now;
	count_slots(router, ret);
	ret->verdict = verdict_of(up, router, ret->why);
}
