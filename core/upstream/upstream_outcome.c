/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_outcome - what becomes of a slot by what the router says, or does not
 */

#include "core/upstream/upstream_private.h"

#define REFUSED_LEAST  MINUTES(5)
#define REFUSED_MOST   HOURS(1)
#define WITHDRAW_LEAST SECONDS(30)
#define WITHDRAW_MOST  MINUTES(15)
#define RENEW_LEAST    SECONDS(4) /* RFC 6887 11.2.1 */
#define LIFETIME_MOST  86400	  /* of a longer one no use is made */

/* RFC 6887 11.2.1: at random between 1/2 and 5/8. RFC 6886 3.3: at half. */
static uint64_t renewal(struct upstream *up, const struct slot *slot, uint32_t lifetime,
			uint64_t now)
{
	const uint64_t ms = SECONDS(lifetime < LIFETIME_MOST ? lifetime : LIFETIME_MOST);
	uint64_t wait = ms / 2;

	if (lifetime == 0)
		return NEVER;
	if (slot->speech == UPSTREAM_PCP)
		wait += chance_below(up, ms / 8);
	return now + later(wait, RENEW_LEAST);
}

void slot_mapped(struct upstream *up, struct slot *slot, const struct endpoint *external,
		 uint32_t lifetime, uint64_t now)
{
	slot_close(up, slot);
	slot->asked = slot->granted = slot->confirmed = true;
	slot->doubt = slot->verify = slot->looked = slot->lease_0 = false;
	slot->others = 0;
	slot->why = WHY_NONE;
	slot->retry = 0;
	slot->external = external->addr;
	slot->external_port = external->port;
	slot->expires = lifetime ? now + SECONDS(lifetime) : 0;
	slot->ask_at = renewal(up, slot, lifetime, now);
	slot->renews = slot->ask_at == NEVER ? 0 : slot->ask_at;
	row_changed(up, slot);
	slot_set_state(up, slot, UPSTREAM_STATE_MAPPED);
	slot_schedule(up, slot);
}

/* Where an IGD is asked for another one the row must know it first. */
static void set_port(struct upstream *up, struct slot *slot, uint16_t port)
{
	if (slot->external_port == port)
		return;
	slot->external_port = port;
	slot->saved &= slot->speech != UPSTREAM_IGD;
	row_changed(up, slot);
}

/* What was never granted is not there: nothing to withdraw later. */
void slot_refused(struct upstream *up, struct slot *slot, enum why why, unsigned int code,
		  uint64_t wait, uint64_t now)
{
	slot_close(up, slot);
	slot->asked = slot->granted;
	slot->doubt = slot->verify = slot->looked = slot->lease_0 = false;
	slot->others = 0;
	if (slot->speech == UPSTREAM_IGD && !slot->asked && !slot_is_pinhole(slot))
		set_port(up, slot, 0);
	slot->why = (uint8_t)why;
	slot->why_code = (uint16_t)code;
	slot->retry = chance_double(slot->retry, REFUSED_LEAST, REFUSED_MOST);
	slot->ask_at = now + chance_about(up, wait ? wait : slot->retry);
	slot_set_state(up, slot, UPSTREAM_STATE_REFUSED);
	slot_schedule(up, slot);
}

void slot_give_back(struct upstream *up, struct slot *slot, uint16_t offered,
		    uint64_t now)
{
	slot->granted = true;
	slot_refused(up, slot, WHY_OFFERED, offered, 0, now);
	slot->give_back = true;
	set_port(up, slot, offered);
	slot->ask_at = now;
	slot_schedule(up, slot);
}

/* At half of what is left of the lifetime: 3/4, 7/8, ... (RFC 6887 11.2.1). Who has no
 * lifetime to go by waits for the router's next check. */
void slot_unanswered(struct upstream *up, struct slot *slot, uint64_t now)
{
	const bool mapped = slot->state == UPSTREAM_STATE_MAPPED;
	const uint64_t left = slot->expires > now ? slot->expires - now : 0;

	if (slot_is_removal(slot)) {
		slot_not_removed(up, slot, now);
		return;
	}
	slot_close(up, slot);
	slot->looked = slot->verify = false;
	slot->ask_at = NEVER;
	if (mapped && !slot->doubt && slot->expires) {
		slot->ask_at =
			now + later(left / 2 + chance_below(up, left / 16), RENEW_LEAST);
		slot->renews = slot->ask_at;
	}
	if (!mapped) {
		slot->why = WHY_SILENT;
		slot_set_state(up, slot, UPSTREAM_STATE_UNANSWERED);
	}
	slot_schedule(up, slot);
}

void slot_removed(struct upstream *up, struct slot *slot, uint64_t now)
{
	const bool moving = slot->moving;

	slot_close(up, slot);
	slot->asked = slot->granted = slot->confirmed = false;
	slot->doubt = slot->looked = false;
	if (slot->leaving) {
		slot_gone(up, slot);
		return;
	}
	slot->give_back = slot->moving = false;
	set_port(up, slot, 0);
	slot->external = *any_like(&slot->internal);
	slot->expires = slot->epoch_at = 0;
	slot->epoch = 0;
	row_changed(up, slot);
	if (moving) {
		slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
		slot_adopt(up, slot, now);
		return;
	}
	slot->ask_at = now + chance_about(up, slot->retry);
	slot_schedule(up, slot);
}

/* One that moves to another speech does not wait for the one that it leaves. */
void slot_not_removed(struct upstream *up, struct slot *slot, uint64_t now)
{
	if (slot->moving) {
		slot_removed(up, slot, now);
		return;
	}
	slot_close(up, slot);
	slot->looked = false;
	slot->retry = chance_double(slot->retry, WITHDRAW_LEAST, WITHDRAW_MOST);
	slot->ask_at = now + chance_about(up, slot->retry);
	slot_schedule(up, slot);
}

void slot_unaskable(struct upstream *up, struct slot *slot, uint64_t now)
{
	if (slot_is_removal(slot))
		slot_not_removed(up, slot, now);
	else
		slot_refused(up, slot, WHY_UNASKABLE, 0, 0, now);
}

void slot_go_on(struct upstream *up, struct slot *slot)
{
	slot_close(up, slot);
	slot->ask_at = 0;
	slot_schedule(up, slot);
}

/* A renewal may have been granted with its answer lost: when that is over nobody knows.
 */
void slot_lapse(struct upstream *up, struct slot *slot, uint64_t now)
{
	if (slot->leaving) {
		slot_gone(up, slot);
		return;
	}
	if (slot->give_back) {
		slot_removed(up, slot, now);
		return;
	}
	slot->expires = 0;
	slot->confirmed = slot->doubt = slot->verify = false;
	slot->why = WHY_SILENT;
	row_changed(up, slot);
	slot_set_state(up, slot,
		       slot->tries ? UPSTREAM_STATE_UNANSWERED : UPSTREAM_STATE_ASKING);
	slot_adopt(up, slot, now);
}
