/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_router - whether a router is there, what it speaks, and whether it still knows
 * what it was asked
 */

#include "core/upstream/upstream_private.h"

#define LOOK_LEAST  SECONDS(1)
#define FLAP_LEAST  SECONDS(1)
#define FLAP_MOST   MINUTES(15)
#define STEADY_MS   MINUTES(1)
#define REST_LEAST  SECONDS(30)
#define REST_MOST   MINUTES(15)
#define NO_PCP_MS   HOURS(1)
#define MISSES_MAX  3
#define SOON_MS	    SECONDS(5)
#define AGAIN_LEAST SECONDS(5)
#define AGAIN_MOST  MINUTES(15)

/* ------------------------------------------------------------ looking for it */

void router_look(struct upstream *up, struct router *router, uint64_t now)
{
	if (!up->begun || !up->options.enable || !router->current ||
	    !router_is_anybody(router))
		return;
	router->look_at = later(now, router->look_least);
	if (router->looked_at)
		router->look_at = later(router->look_at, router->looked_at + LOOK_LEAST);
}

static void rest(struct upstream *up, struct router *router, uint64_t now)
{
	probe_stop(router);
	router->ever_looked = true;
	router->backoff = chance_double(router->backoff, REST_LEAST, REST_MOST);
	router->look_at = now + chance_about(up, router->backoff);
}

static bool start_stage(struct upstream *up, struct router *router,
			enum upstream_speech speech, uint64_t now)
{
	switch (speech) {
	case UPSTREAM_PCP:
		if (router->no_pcp > now)
			return false;
		probe_start(up, router, JOB_PCP_ANNOUNCE, now);
		return true;
	case UPSTREAM_NATPMP:
		if (router_is_ipv4(router))
			probe_start(up, router, JOB_NATPMP_ADDRESS, now);
		return router_is_ipv4(router);
	case UPSTREAM_IGD:
		return router_is_ipv4(router) && igd_search(up, router, now);
	}
	return false;
}

static bool may_speak(const struct upstream *up, enum upstream_speech speech)
{
	return memchr(up->options.order, (int)speech, up->options.n_order) != NULL;
}

/* What it holds was asked for in some speech: in another it would be given up first, and
 * not be there for a moment. */
static bool spoken_before(const struct upstream *up, const struct router *router,
			  enum upstream_speech *ret)
{
	for (const struct slot *slot = router->slots; slot; slot = slot->next) {
		if (slot->state != UPSTREAM_STATE_MAPPED || slot_is_removal(slot) ||
		    !may_speak(up, (enum upstream_speech)slot->speech))
			continue;
		*ret = (enum upstream_speech)slot->speech;
		return true;
	}
	return false;
}

/* Which of the order comes next; NAT-PMP where the router said that it speaks that. */
static bool choose(const struct upstream *up, struct router *router,
		   enum upstream_speech *ret)
{
	if (router->tried == 0 && spoken_before(up, router, ret))
		return true;
	for (uint8_t i = 0; i < up->options.n_order; i++) {
		const enum upstream_speech speech = up->options.order[i];

		if (router->tried & 1u << speech)
			continue;
		*ret = speech;
		if (!router->natpmp || speech == UPSTREAM_NATPMP)
			return true;
	}
	if (router->natpmp) {
		router->natpmp = false;
		return choose(up, router, ret);
	}
	return false;
}

void router_next_stage(struct upstream *up, struct router *router, uint64_t now)
{
	enum upstream_speech speech;

	while (choose(up, router, &speech)) {
		router->natpmp = false;
		router->tried |= (uint8_t)(1u << speech);
		if (start_stage(up, router, speech, now))
			return;
	}
	rest(up, router, now);
}

static void look(struct upstream *up, struct router *router, uint64_t now)
{
	probe_stop(router);
	router->look_at = NEVER;
	router->looked_at = now;
	router->tried = 0;
	router->natpmp = false;
	if (!router->listening)
		router->listen_at = earlier(router->listen_at, now);
	router_next_stage(up, router, now);
}

/* ------------------------------------------------------------ found and lost */

/* Which router is asked for a pinhole hangs on who is there. */
static void settle(struct upstream *up, struct router *router, uint64_t now)
{
	struct slot *next;

	up->stale_at = earlier(up->stale_at, now);
	for (struct slot *slot = router->slots; slot; slot = next) {
		next = slot->next;
		slot_adopt(up, slot, now);
	}
}

void router_found(struct upstream *up, struct router *router, enum upstream_speech speech,
		  uint64_t now)
{
	if (router->speech != speech)
		router->has_epoch = false;
	router->found = router->ever_looked = true;
	router->found_at = now;
	router->speech = (uint8_t)speech;
	epoch_recall(router);
	router->look_at = NEVER;
	router->backoff = 0;
	router->check_at = now + up->options.check;
	if (speech != UPSTREAM_IGD) {
		router->igd = 0;
		router->name[0] = '\0';
	}
	probe_stop(router);
	router_heard(up, router, now);
	settle(up, router, now);
}

void router_stop(struct upstream *up, struct router *router)
{
	probe_stop(router);
	stun_stop(router);
	router->found = false;
	router->misses = 0;
	router->external = *any_like(&router->addr);
	router->look_at = router->check_at = router->again_at = NEVER;
	for (struct slot *slot = router->slots; slot; slot = slot->next) {
		for (struct use *use = slot->uses; use; use = use->next)
			mapping_dirty(up, use->mapping);
		slot_schedule(up, slot);
	}
}

/* Each time costs a line in the log, an event, and a question for each slot. */
static void note_flap(struct router *router, uint64_t now)
{
	if (!router->found)
		return;
	router->flap_wait =
		now - router->found_at >= STEADY_MS
			? 0
			: chance_double(router->flap_wait, FLAP_LEAST, FLAP_MOST);
	router->look_least = now + router->flap_wait;
}

void router_lost(struct upstream *up, struct router *router, uint64_t now)
{
	note_flap(router, now);
	probe_stop(router);
	router->found = false;
	router->misses = 0;
	router->external = *any_like(&router->addr);
	router->check_at = router->again_at = NEVER;
	for (struct slot *slot = router->slots; slot; slot = slot->next) {
		for (struct use *use = slot->uses; use; use = use->next)
			mapping_dirty(up, use->mapping);
		if (!slot_is_removal(slot))
			slot_close(up, slot);
		slot_schedule(up, slot);
	}
	up->stale_at = earlier(up->stale_at, now);
	router_look(up, router, now);
}

void router_without_pcp(struct upstream *up, struct router *router, uint64_t now)
{
	router->no_pcp = now + NO_PCP_MS;
	router_lost(up, router, now);
	router->look_at = now;
}

void router_heard(struct upstream *up, struct router *router, uint64_t now)
{
	router->answered = now;
	router->misses = 0;
}

/* ------------------------------------------------------------ still there? */

void router_suspect(struct upstream *up, struct router *router, uint64_t now)
{
	if (!router->found || router->probe.active)
		return;
	router->check_at =
		earlier(router->check_at, later(now, router->looked_at + LOOK_LEAST));
}

static void check(struct upstream *up, struct router *router, uint64_t now)
{
	static const enum worker_job_kind kinds[] = {
		[UPSTREAM_PCP] = JOB_PCP_ANNOUNCE,
		[UPSTREAM_NATPMP] = JOB_NATPMP_ADDRESS,
		[UPSTREAM_IGD] = JOB_IGD_ADDRESS,
	};

	router->looked_at = now;
	router->check_at = NEVER;
	probe_start(up, router, kinds[router->speech], now);
}

void router_missed(struct upstream *up, struct router *router, uint64_t now)
{
	probe_stop(router);
	/* busy with other questions it is not gone */
	if (router->answered >= router->looked_at)
		router->check_at = now + up->options.check;
	else if (++router->misses >= MISSES_MAX)
		router_lost(up, router, now);
	else
		router->check_at = now + earlier(up->options.check, SOON_MS);
}

/* One that the router has, in turn. Where many are being asked about, it is busy enough.
 */
static struct slot *one_of(const struct router *router)
{
	const struct slot_list *held = &router->standing[STANDING_HELD];

	for (int i = 0; i < LOOKS_MAX && held->first; i++) {
		struct slot *slot = held->first;

		slot_to_the_end(slot);
		if (!slot->serial)
			return slot;
	}
	return NULL;
}

static void read_one_back(struct upstream *up, struct router *router, uint64_t now)
{
	struct slot *slot = one_of(router);

	if (!slot)
		return;
	slot->verify = true;
	slot->looked = false;
	slot->ask_at = now;
	slot_schedule(up, slot);
}

/* PCP tells the external address with a mapping alone (RFC 6887 11.5). */
static void renew_one(struct upstream *up, struct router *router, uint64_t now)
{
	struct slot *slot = one_of(router);

	if (!slot)
		return;
	slot->ask_at = now;
	slot_schedule(up, slot);
}

void router_checked(struct upstream *up, struct router *router, uint64_t now)
{
	probe_stop(router);
	router->check_at = now + up->options.check;
	if (!router->listening)
		router->listen_at = now;
	for (struct slot *slot = router->standing[STANDING_WAITS].first; slot;
	     slot = slot->stand_next) {
		slot->ask_at = earlier(slot->ask_at, now);
		slot_schedule(up, slot);
	}
	if (router->speech == UPSTREAM_IGD)
		read_one_back(up, router, now);
	else if (router->speech == UPSTREAM_PCP)
		renew_one(up, router, now);
}

/* ------------------------------------------------------------ what it has forgotten */

static void ask_all_again(struct upstream *up, struct router *router, uint64_t now)
{
	router->again_at = NEVER;
	router->again_wait = chance_double(router->again_wait, AGAIN_LEAST, AGAIN_MOST);
	router->again_last = now;
	for (struct slot *slot = router->slots; slot; slot = slot->next) {
		slot->ask_at = earlier(slot->ask_at, now);
		if (!slot_is_removal(slot) && slot->why != WHY_PROTOCOL) {
			slot->doubt |= slot->state == UPSTREAM_STATE_MAPPED;
			slot->verify = slot->looked = false;
		}
		slot_schedule(up, slot);
	}
}

void router_again(struct upstream *up, struct router *router, uint64_t now)
{
	const uint64_t wait = router->again_wait;

	if (now > router->again_last + 4 * wait)
		router->again_wait = 0;
	router->again_at =
		earlier(router->again_at,
			router->again_wait ? later(now, router->again_last + wait) : now);
}

static bool anything_at(const struct router *router, const struct in6_addr *external)
{
	for (const struct slot *slot = router->slots; slot; slot = slot->next) {
		if (slot->state == UPSTREAM_STATE_MAPPED &&
		    address_equal(&slot->external, external))
			return true;
	}
	return false;
}

/* PCP tells an address with each mapping. Where none is mapped any more at the one that
 * was known, it is another one; until then the others are asked: it may be that this
 * router has several. */
static void address_of_mapping(struct upstream *up, struct router *router,
			       const struct in6_addr *external, uint64_t now)
{
	const bool known = !address_is_any(&router->external);

	if (known)
		router_again(up, router, now);
	if (!known || !anything_at(router, &router->external))
		router->external = *external;
}

void router_address(struct upstream *up, struct router *router,
		    const struct in6_addr *external, uint64_t now)
{
	const bool known = !address_is_any(&router->external);

	if (address_equal(&router->external, external))
		return;
	if (address_is_any(external)) {
		router->external = *external;
		return;
	}
	if (router->speech == UPSTREAM_PCP) {
		address_of_mapping(up, router, external, now);
		return;
	}
	router->external = *external;
	for (struct slot *slot = router->slots; slot; slot = slot->next) {
		if (slot->state != UPSTREAM_STATE_MAPPED || !slot_is_ipv4(slot) ||
		    address_equal(&slot->external, external))
			continue;
		slot->external = *external;
		row_changed(up, slot);
		slot_set_state(up, slot, UPSTREAM_STATE_MAPPED);
	}
	if (known)
		router_again(up, router, now);
}

/* ------------------------------------------------------------ time */

void router_tick(struct upstream *up, struct router *router, uint64_t now)
{
	struct slot *slot;

	if (router->look_at <= now)
		look(up, router, now);
	if (router->again_at <= now)
		ask_all_again(up, router, now);
	if (probe_is_over(router, now))
		probe_over(up, router, now);
	stun_tick(up, router, now);
	if (router->check_at <= now)
		check(up, router, now);
	while ((slot = timer_first(router, TIMER_LAPSE)) &&
	       slot->when[TIMER_LAPSE] <= now)
		slot_lapse(up, slot, now);
}
