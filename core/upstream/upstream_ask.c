/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_ask - what is asked of a router for one slot, and how often
 */

#include "core/upstream/upstream_private.h"

#define PCP_IRT	      SECONDS(3)    /* RFC 6887 8.1.1 */
#define PCP_MRT	      SECONDS(1024) /* RFC 6887 8.1.1 */
#define PCP_SILENT    5		    /* tries after which it is said */
#define PCP_REMOVALS  4
#define PCP_RENEWALS  3
#define NATPMP_WAIT   250	  /* RFC 6886 3.1 */
#define NATPMP_TRIES  9		  /* RFC 6886 3.1 */
#define NATPMP_MOST   SECONDS(64) /* RFC 6886 3.1 */
#define MOVING_TRIES  3
#define DOUBLINGS_MAX 9

static bool renews_only(const struct slot *slot)
{
	return slot->state == UPSTREAM_STATE_MAPPED && !slot->doubt;
}

/* Not before it is answered, RFC 6887 8.1.1 says: but a renewal has its own times. */
static bool has_patience(const struct slot *slot)
{
	const unsigned int tries = slot->tries;

	if (slot->moving && tries >= MOVING_TRIES)
		return false;
	switch ((enum upstream_speech)slot->speech) {
	case UPSTREAM_PCP:
		if (slot->question == QUESTION_DELETE)
			return tries < PCP_REMOVALS;
		return !renews_only(slot) || tries < PCP_RENEWALS;
	case UPSTREAM_NATPMP:
		return tries < NATPMP_TRIES;
	case UPSTREAM_IGD:
		return tries < 1;
	}
	return false;
}

/* The igd worker always answers. */
static uint64_t wait_after(struct upstream *up, const struct slot *slot)
{
	const unsigned int doublings =
		slot->tries - 1u < DOUBLINGS_MAX ? slot->tries - 1u : DOUBLINGS_MAX;

	const uint64_t slow = 2 * (uint64_t)slot->router->pulse;

	switch ((enum upstream_speech)slot->speech) {
	case UPSTREAM_PCP:
		return chance_about(up,
				    earlier(later(PCP_IRT, slow) << doublings, PCP_MRT));
	case UPSTREAM_NATPMP:
		return earlier(later(NATPMP_WAIT, slow) << doublings, NATPMP_MOST);
	case UPSTREAM_IGD:
		break;
	}
	return NEVER;
}

/* An IGD's entry is looked at before it is made, renewed or taken away: it may be
 * somebody else's. */
static enum question next_question(const struct slot *slot)
{
	if (slot->speech == UPSTREAM_IGD && slot_is_ipv4(slot) && !slot->looked)
		return QUESTION_READ;
	return slot_is_removal(slot) ? QUESTION_DELETE : QUESTION_MAP;
}

enum worker_job_kind slot_job_kind(const struct slot *slot)
{
	const bool removal = slot->question == QUESTION_DELETE;

	switch ((enum upstream_speech)slot->speech) {
	case UPSTREAM_PCP:
		return JOB_PCP_MAP;
	case UPSTREAM_NATPMP:
		return JOB_NATPMP_MAP;
	case UPSTREAM_IGD:
		break;
	}
	if (slot_is_pinhole(slot))
		return removal ? JOB_IGD_UNPINHOLE : JOB_IGD_PINHOLE;
	if (slot->question == QUESTION_READ)
		return JOB_IGD_READ;
	return removal ? JOB_IGD_UNMAP : JOB_IGD_MAP;
}

static uint32_t lifetime_to_ask(const struct upstream *up, const struct slot *slot)
{
	if (slot->question != QUESTION_MAP)
		return 0;
	if (slot->speech == UPSTREAM_IGD && !slot_is_pinhole(slot) &&
	    (slot->lease_0 || slot->router->permanent))
		return 0;
	return up->options.lifetime;
}

static bool is_ours(const struct router *router, const struct in6_addr *addr)
{
	const struct address_list ours = { router->addresses, router->n_addresses };

	return address_equal(&router->source, addr) || address_list_has(&ours, addr);
}

static void fill(const struct upstream *up, const struct slot *slot,
		 struct worker_job *ret)
{
	job_of(slot->router, slot_job_kind(slot), slot->serial, ret);
	ret->internal = slot->internal;
	ret->external = *any_like(&slot->internal);
	ret->internal_port = slot->internal_port;
	ret->external_port =
		slot->external_port ? slot->external_port : slot->internal_port;
	ret->protocol = slot->protocol;
	ret->lifetime = slot->lifetime;
	ret->unique = slot->unique;
	if (slot->speech == UPSTREAM_IGD)
		return;
	memcpy(ret->nonce, slot->nonce, sizeof(ret->nonce));
	if (is_ours(slot->router, &slot->internal))
		ret->source = slot->internal;
	if (slot->speech == UPSTREAM_PCP && slot->question == QUESTION_MAP &&
	    slot_exact(up, slot))
		ret->flags = JOB_FLAG_EXACT;
}

/* IGD: another port that was chosen here is asked for as it is; the router's own choice
 * comes last. */
static void fill_igd(const struct slot *slot, struct worker_job *ret)
{
	if (slot->speech != UPSTREAM_IGD)
		return;
	memcpy(ret->url, slot->router->url, sizeof(ret->url));
	memcpy(ret->text, "natd", sizeof("natd"));
	if (slot->question == QUESTION_MAP && slot->others <= OTHERS_MAX)
		ret->flags = JOB_FLAG_EXACT;
}

/* What is sent twice may have been granted the first time. */
static void note_asking(struct upstream *up, struct slot *slot, uint64_t now)
{
	const uint64_t end = now + SECONDS(slot->lifetime);

	slot->kept &= slot->question != QUESTION_DELETE;
	if (slot->question != QUESTION_MAP)
		return;
	slot->granted |= slot->asked;
	slot->asked = true;
	if (slot_is_pinhole(slot) && slot->expires < end) {
		slot->expires = end + MINUTES(1);
		row_changed(up, slot);
	}
	if (slot->speech == UPSTREAM_PCP && slot->tries > PCP_SILENT &&
	    slot->state == UPSTREAM_STATE_ASKING) {
		slot->why = WHY_SILENT;
		slot_set_state(up, slot, UPSTREAM_STATE_UNANSWERED);
	}
}

/* A pinhole whose number was never told ends by itself. */
static bool lacks_number(const struct slot *slot)
{
	return slot_is_pinhole(slot) && slot_is_removal(slot) && !slot->unique;
}

/* Of NAT-PMP the internal address is the sender's: one that is ours no more would make it
 * a question about another mapping. */
static bool cannot_be_asked(const struct slot *slot)
{
	switch ((enum upstream_speech)slot->speech) {
	case UPSTREAM_PCP:
		return false;
	case UPSTREAM_NATPMP:
		return !is_ours(slot->router, &slot->internal);
	case UPSTREAM_IGD:
		break;
	}
	return lacks_number(slot) || !slot->router->url[0];
}

static void put_off(struct upstream *up, struct slot *slot, uint64_t now)
{
	if (slot->moving) {
		slot_removed(up, slot, now);
		return;
	}
	slot->ask_at = NEVER;
	slot_schedule(up, slot);
}

bool slot_ask(struct upstream *up, struct slot *slot, uint64_t now,
	      struct worker_job *ret)
{
	if (slot->serial && !has_patience(slot)) {
		slot_unanswered(up, slot, now);
		return false;
	}
	if (cannot_be_asked(slot)) {
		put_off(up, slot, now);
		return false;
	}
	if (!slot->serial) {
		slot->question = (uint8_t)next_question(slot);
		slot->serial = serial_next(up);
		index_put(&up->by_serial, &slot->by_serial, index_hash(slot->serial));
		slot->lifetime = lifetime_to_ask(up, slot);
	}
	if (slot->tries == 0)
		slot->asked_at = now;
	if (slot->tries < UINT8_MAX)
		slot->tries++;
	note_asking(up, slot, now);
	slot->ask_at = slot->speech == UPSTREAM_IGD ? NEVER : now + wait_after(up, slot);
	fill(up, slot, ret);
	fill_igd(slot, ret);
	slot_schedule(up, slot);
	return true;
}
