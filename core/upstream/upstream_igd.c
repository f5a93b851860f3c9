/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_igd - what an IGD says of one entry of its table
 *
 * An entry is read before it is written: many routers let one client overwrite what
 * another has.
 */

#include "core/upstream/upstream_private.h"

/* UPnP errorCode: WANIPConnection:2 2.5, WANIPv6FirewallControl:1 2.5 */
#define NO_SUCH_PINHOLE	 704
#define NO_SUCH_ENTRY	 714
#define CONFLICT	 718
#define PERMANENT_LEASES 725
#define OTHER_MECHANISM	 729

#define UNPRIVILEGED 1024
#define LEAVING_MS   SECONDS(2)

static void mapped(struct upstream *up, struct slot *slot, uint16_t port, uint64_t now)
{
	struct router *router = slot->router;
	const struct endpoint external = { router->external, port };

	if (slot->lease_0)
		router->permanent = true;
	slot_mapped(up, slot, &external, slot->lifetime, now);
}

/* ------------------------------------------------------------ taken by another */

static void try_port(struct upstream *up, struct slot *slot, uint16_t port)
{
	slot->external_port = port;
	slot->asked = slot->granted = false;
	slot->looked = false;
	slot->saved = false;
	row_changed(up, slot);
	if (slot->state == UPSTREAM_STATE_MAPPED)
		slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
	slot_go_on(up, slot);
}

/* The row says which port is asked for before it is: whatever happens then, it is known
 * where to look. What the router would choose by itself comes last. */
static void conflict(struct upstream *up, struct slot *slot, unsigned int code,
		     uint64_t now)
{
	const bool v2 = slot->router->igd & IGD_V2;
	const uint16_t taken =
		slot->external_port ? slot->external_port : slot->internal_port;

	slot->granted = false;
	if (!slot_exact(up, slot) && slot->others < OTHERS_MAX) {
		slot->others++;
		try_port(up, slot,
			 (uint16_t)(UNPRIVILEGED +
				    chance_below(up, UINT16_MAX + 1 - UNPRIVILEGED)));
	} else if (!slot_exact(up, slot) && v2 && slot->others == OTHERS_MAX) {
		slot->others++;
		slot->looked = true;
		slot_go_on(up, slot);
	} else {
		slot_refused(up, slot, WHY_TAKEN, code, 0, now);
		slot->why_port = taken;
	}
}

/* ------------------------------------------------------------ reading */

/* It is there, and ours. */
static void on_ours(struct upstream *up, struct slot *slot, uint64_t now)
{
	const bool renewal = slot->renews && slot->renews <= now;

	if (!slot_is_removal(slot) && slot->verify && !renewal) {
		slot_close(up, slot);
		slot->verify = slot->doubt = slot->looked = false;
		slot->ask_at = slot->renews ? slot->renews : NEVER;
		slot_schedule(up, slot);
		return;
	}
	slot->looked = slot->granted = true;
	slot_go_on(up, slot);
}

/* The first that is missing speaks for the others. */
static void on_missing(struct upstream *up, struct slot *slot, uint64_t now)
{
	slot->granted = false;
	if (slot_is_removal(slot)) {
		slot_removed(up, slot, now);
		return;
	}
	slot->asked = false;
	if (slot->state == UPSTREAM_STATE_MAPPED) {
		slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
		if (!slot->doubt)
			router_again(up, slot->router, now);
	}
	slot->verify = slot->doubt = false;
	slot->looked = true;
	slot_go_on(up, slot);
}

/* Another one of ours has it, of an address that we had, and is being withdrawn. */
static bool is_leaving(const struct upstream *up, const struct slot *slot,
		       const struct worker_answer *answer)
{
	const struct slot *other = slot_find(up, slot->router, slot->protocol,
					     &answer->internal, answer->internal_port);

	return other && other->leaving;
}

static void on_read(struct upstream *up, struct slot *slot,
		    const struct worker_answer *answer, uint64_t now)
{
	if (answer->result == NO_SUCH_ENTRY) {
		on_missing(up, slot, now);
	} else if (answer->result != 0) {
		slot->looked = true;
		slot_go_on(up, slot);
	} else if (address_equal(&answer->internal, &slot->internal) &&
		   answer->internal_port == slot->internal_port) {
		on_ours(up, slot, now);
	} else if (slot_is_removal(slot)) {
		slot_removed(up, slot, now);
	} else if (is_leaving(up, slot, answer)) {
		slot_close(up, slot);
		slot->ask_at = now + LEAVING_MS;
		slot_schedule(up, slot);
	} else {
		conflict(up, slot, 0, now);
	}
}

/* ------------------------------------------------------------ writing */

static bool is_about_lease(const struct slot *slot, int code)
{
	if (slot->lifetime == 0)
		return false;
	return code == PERMANENT_LEASES || !(slot->router->igd & IGD_V2);
}

static void on_map_error(struct upstream *up, struct slot *slot, int code, uint64_t now)
{
	if (code == CONFLICT || code == OTHER_MECHANISM) {
		conflict(up, slot, (unsigned int)code, now);
	} else if (is_about_lease(slot, code)) {
		slot->lease_0 = true;
		slot_go_on(up, slot);
	} else {
		slot_refused(up, slot, WHY_UPNP, (unsigned int)code, 0, now);
	}
}

static void on_map(struct upstream *up, struct slot *slot,
		   const struct worker_answer *answer, uint64_t now)
{
	const uint16_t asked =
		slot->external_port ? slot->external_port : slot->internal_port;
	const bool chosen = slot->others > OTHERS_MAX;

	if (answer->result != 0) {
		on_map_error(up, slot, answer->result, now);
	} else if (answer->external_port == 0) {
		slot->granted = true;
		slot_refused(up, slot, WHY_NONSENSE_PORT, 0, 0, now);
	} else if (answer->external_port != asked && !chosen) {
		slot_give_back(up, slot, answer->external_port, now);
	} else {
		mapped(up, slot, answer->external_port, now);
	}
}

static void on_pinhole(struct upstream *up, struct slot *slot,
		       const struct worker_answer *answer, uint64_t now)
{
	const struct endpoint external = { slot->internal, slot->internal_port };

	if (answer->result == NO_SUCH_PINHOLE && slot->unique) {
		slot->unique = 0;
		slot->asked = slot->granted = false;
		slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
		slot_go_on(up, slot);
	} else if (answer->result != 0) {
		slot_refused(up, slot, WHY_UPNP, (unsigned int)answer->result, 0, now);
	} else if (answer->unique == 0 && slot->unique == 0) {
		slot_refused(up, slot, WHY_NONSENSE_PINHOLE, 0, 0, now);
	} else {
		if (answer->unique)
			slot->unique = answer->unique;
		slot_mapped(up, slot, &external, slot->lifetime, now);
	}
}

static void on_removal(struct upstream *up, struct slot *slot, int code, uint64_t now)
{
	const int none = slot_is_pinhole(slot) ? NO_SUCH_PINHOLE : NO_SUCH_ENTRY;

	if (code == 0 || code == none)
		slot_removed(up, slot, now);
	else
		slot_not_removed(up, slot, now);
}

void slot_answer_igd(struct upstream *up, struct slot *slot,
		     const struct worker_answer *answer, uint64_t now)
{
	struct router *router = slot->router;

	if (answer->result < 0) {
		router_suspect(up, router, now);
		slot_unanswered(up, slot, now);
		return;
	}
	if (router->found && router->speech == UPSTREAM_IGD)
		router_heard(up, router, now);
	if (slot->question == QUESTION_READ)
		on_read(up, slot, answer, now);
	else if (slot->question == QUESTION_DELETE)
		on_removal(up, slot, answer->result, now);
	else if (slot_is_pinhole(slot))
		on_pinhole(up, slot, answer, now);
	else
		on_map(up, slot, answer, now);
}
