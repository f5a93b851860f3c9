/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_epoch - whether a router still knows what it was asked, by its own word
 *
 * Each answer tells how long the router has known what it knows (RFC 6887 8.5, RFC 6886
 * 3.6), and is held against the one before. The first one after natd was started is held
 * against the epoch in which the rows say that they were granted. That is written when a
 * slot is granted, and then the row is written anyway: an older pair of epoch and time
 * says as much as a younger one that follows on it, and one that does not, comes to each
 * row with its new grant.
 */

#include "core/upstream/upstream_private.h"

static bool pcp_lost(uint32_t before, uint64_t elapsed, uint32_t epoch)
{
	const int64_t server = (int64_t)epoch - before;
	const int64_t client = (int64_t)elapsed;

	if (server < -1)
		return true;
	return client + 2 < server - server / 16 || server + 2 < client - client / 16;
}

static bool natpmp_lost(uint32_t before, uint64_t elapsed, uint32_t epoch)
{
	return (uint64_t)epoch + 2 < before + elapsed * 7 / 8;
}

/* Is @epoch, told now, none that follows on @before, which was told at @at? A clock that
 * is behind what an earlier natd had (it lost its anchor, and the wall clock was set
 * back) tells nothing of how long that is. */
static bool is_another(enum upstream_speech speech, uint32_t before, uint64_t at,
		       uint32_t epoch, uint64_t now)
{
	const uint64_t elapsed = now > at ? (now - at) / 1000 : 0;

	return speech == UPSTREAM_PCP ? pcp_lost(before, elapsed, epoch)
				      : natpmp_lost(before, elapsed, epoch);
}

void epoch_recall(struct router *router)
{
	if (router->has_epoch)
		return;
	for (const struct slot *slot = router->slots; slot; slot = slot->next) {
		if (!slot->epoch_at || slot->speech != router->speech ||
		    (router->has_epoch && slot->epoch_at <= router->epoch_at))
			continue;
		router->has_epoch = router->recalled = true;
		router->epoch = slot->epoch;
		router->epoch_at = slot->epoch_at;
	}
}

/* What a row says, and no answer yet, was granted in an epoch that is over (@all: of the
 * newest of them): it is mapped no more, until the router says so. */
static void doubt_rows(struct upstream *up, struct router *router, uint32_t epoch,
		       bool all, uint64_t now)
{
	for (struct slot *slot = router->slots; slot; slot = slot->next) {
		if (!slot->epoch_at || slot->confirmed || slot->speech != router->speech)
			continue;
		if (!all &&
		    !is_another(router->speech, slot->epoch, slot->epoch_at, epoch, now))
			continue;
		slot->kept = false;
		if (slot->state != UPSTREAM_STATE_MAPPED)
			continue;
		slot->doubt = true;
		slot_set_state(up, slot, UPSTREAM_STATE_ASKING);
		slot_schedule(up, slot);
	}
}

void router_epoch(struct upstream *up, struct router *router, uint32_t epoch,
		  uint64_t now)
{
	bool lost = false;

	if (!router->found || router->speech == UPSTREAM_IGD)
		return;
	if (router->has_epoch)
		lost = is_another(router->speech, router->epoch, router->epoch_at, epoch,
				  now);
	if (router->recalled)
		doubt_rows(up, router, epoch, lost, now);
	router->recalled = false;
	router->has_epoch = true;
	router->epoch = epoch;
	router->epoch_at = now;
	if (lost)
		router_again(up, router, now);
}
