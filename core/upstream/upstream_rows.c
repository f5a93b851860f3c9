/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_rows - what the store has to be told of slots
 *
 * A row is told until the store has it in the version that was told; a slot that is gone
 * stays until then, for its id.
 */

#include <stdlib.h>

#include "core/upstream/upstream_private.h"

/* After whatever changed of it. */
static void count_awaited(struct upstream *up, struct slot *slot)
{
	const bool awaited = slot->in_rows && !slot->gone && !slot->saved;

	up->n_awaited += awaited;
	up->n_awaited -= slot->awaited;
	slot->awaited = awaited;
}

static void put(struct upstream *up, struct slot *slot)
{
	if (slot->in_rows) {
		count_awaited(up, slot);
		return;
	}
	slot->in_rows = true;
	slot->row_prev = up->rows_last;
	slot->row_next = NULL;
	*(slot->row_prev ? &slot->row_prev->row_next : &up->rows) = slot;
	up->rows_last = slot;
	count_awaited(up, slot);
}

void row_forget(struct upstream *up, struct slot *slot)
{
	if (!slot->in_rows)
		return;
	slot->in_rows = false;
	if (up->row_next == slot)
		up->row_next = slot->row_next;
	*(slot->row_prev ? &slot->row_prev->row_next : &up->rows) = slot->row_next;
	*(slot->row_next ? &slot->row_next->row_prev : &up->rows_last) = slot->row_prev;
	count_awaited(up, slot);
}

void row_changed(struct upstream *up, struct slot *slot)
{
	if (!slot->enlisted)
		return;
	slot->version++;
	put(up, slot);
}

void row_gone(struct upstream *up, struct slot *slot)
{
	if (!slot->told) {
		row_forget(up, slot);
		free(slot);
		return;
	}
	slot->version++;
	put(up, slot);
}

static void make_row(const struct slot *slot, struct upstream_row *ret)
{
	const struct router *router = slot->router;

	memset(ret, 0, sizeof(*ret));
	ret->id = slot->id;
	if (slot->gone)
		return;
	ret->expires = slot->expires;
	ret->epoch = slot->epoch;
	ret->epoch_at = slot->epoch_at;
	memcpy(ret->wan, router->wan, sizeof(ret->wan));
	ret->router = router->addr;
	ret->internal = slot->internal;
	ret->external = slot->external;
	ret->internal_port = slot->internal_port;
	ret->external_port = slot->external_port;
	ret->unique = slot->unique;
	ret->protocol = slot->protocol;
	ret->speech = slot->speech;
	memcpy(ret->nonce, slot->nonce, sizeof(ret->nonce));
	if (slot->speech == UPSTREAM_IGD)
		memcpy(ret->url, router->url, sizeof(ret->url));
}

void upstream_rows_anew(struct upstream *up)
{
	up->telling_rows = false;
}

bool upstream_next_row(struct upstream *up, struct upstream_row *ret, bool *ret_gone)
{
	struct slot *slot = up->telling_rows ? up->row_next : up->rows;

	up->telling += !up->telling_rows;
	up->telling_rows = slot != NULL;
	if (!slot)
		return false;
	up->row_next = slot->row_next;
	slot->told = true;
	slot->told_version = slot->version;
	slot->telling = up->telling;
	make_row(slot, ret);
	*ret_gone = slot->gone;
	return true;
}

static void saved(struct upstream *up, struct slot *slot)
{
	row_forget(up, slot);
	if (slot->gone) {
		free(slot);
		return;
	}
	slot->saved = true;
	slot_schedule(up, slot);
}

void upstream_rows_saved(struct upstream *up, uint64_t now)
{
	const struct slot *untold = up->telling_rows ? up->row_next : NULL;
	struct slot *next;

	up->telling_rows = false;
	for (struct slot *slot = up->rows; slot && slot != untold; slot = next) {
		next = slot->row_next;
		if (slot->told && slot->telling == up->telling &&
		    slot->told_version == slot->version)
			saved(up, slot);
	}
}

bool upstream_waits_for_rows(const struct upstream *up)
{
	return up->n_awaited > 0;
}

void rows_free(struct upstream *up)
{
	while (up->rows) {
		struct slot *slot = up->rows;

		row_forget(up, slot);
		free(slot);
	}
}
