/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * addresses - elements that follow the interfaces and the configuration; connections
 * that were ended; sizes
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/batch.h"
#include "rules/derived.h"
#include "rules/fault.h"
#include "rules/skeleton.h"
#include "rules/smallsets.h"

/* ------------------------------------------------------------------ sizes */

/* Where a size cannot be changed later, so many times as many. */
#define FIXED_TIMES 4
#define ROOM_MAX    (1u << 22)

size_t ruleset_room_for(const struct ruleset *rs, unsigned id, size_t need)
{
	size_t room = set_specs[id].size;

	if (!set_specs[id].grows)
		return room;
	if (!rs->can_own)
		room *= FIXED_TIMES;
	while (room < need && room < ROOM_MAX)
		room *= 2;
	return room;
}

static bool has_room(const struct ruleset *rs, const size_t *need)
{
	for (enum set_id id = 0; id < SET_COUNT; id++)
		if (set_specs[id].grows && need[id] > rs->room[id])
			return false;
	return true;
}

int ruleset_make_room(struct ruleset *rs, const size_t *need, struct ruleset_fault *why)
{
	size_t room[SET_COUNT];
	struct batch b;
	int r;

	if (has_room(rs, need))
		return 0;
	batch_begin(&b, rs);
	for (enum set_id id = 0; id < SET_COUNT; id++) {
		room[id] = rs->room[id];
		if (!set_specs[id].grows || need[id] <= room[id])
			continue;
		room[id] = ruleset_room_for(rs, id, need[id]);
		set_put(&b, &set_specs[id], (uint32_t)room[id]);
	}
	r = batch_send(&b, rs, why);
	if (r == 0)
		memcpy(rs->room, room, sizeof(room));
	batch_done(&b);
	return r;
}

/* ------------------------------------------------------------------ addresses */

/* A copy of an array; room for one more, so that an empty one is no NULL. */
static void *copy_of(const void *array, size_t n, size_t size)
{
	void *copy = reallocarray(NULL, n + 1, size);

	if (copy && n)
		memcpy(copy, array, n * size);
	return copy;
}

static void free_addresses(struct ruleset_addresses *a)
{
	free((void *)a->wan.addrs);
	free((void *)a->routers.addrs);
	free((void *)a->masquerade6);
	free((void *)a->snat.snats);
	free((void *)a->snat.untranslated);
	*a = (struct ruleset_addresses){ 0 };
}

void ruleset_forget(struct ruleset *rs)
{
	free_addresses(&rs->addresses);
}

int ruleset_remember(struct ruleset *rs, const struct ruleset_addresses *a)
{
	struct ruleset_addresses copy = *a;

	copy.wan.addrs = copy_of(a->wan.addrs, a->wan.n, sizeof(*a->wan.addrs));
	copy.routers.addrs =
		copy_of(a->routers.addrs, a->routers.n, sizeof(*a->routers.addrs));
	copy.masquerade6 =
		copy_of(a->masquerade6, a->n_masquerade6, sizeof(*a->masquerade6));
	copy.snat.snats = copy_of(a->snat.snats, a->snat.n, sizeof(*a->snat.snats));
	copy.snat.untranslated = copy_of(a->snat.untranslated, a->snat.n_untranslated,
					 sizeof(*a->snat.untranslated));
	if (!copy.wan.addrs || !copy.routers.addrs || !copy.masquerade6 ||
	    !copy.snat.snats || !copy.snat.untranslated) {
		free_addresses(&copy);
		return -ENOMEM;
	}
	free_addresses(&rs->addresses);
	rs->addresses = copy;
	return 0;
}

/* @shape: gets the bit of the set when it will have elements */
static int put_change(struct batch *b, enum set_id id,
		      const struct ruleset_addresses *before,
		      const struct ruleset_addresses *after, uint64_t *shape)
{
	struct contents old = { .addresses = before }, new = { .addresses = after };
	struct keys have = { 0 }, want = { 0 };
	int r = keys_wanted(&have, id, &old);

	if (r == 0)
		r = keys_wanted(&want, id, &new);
	if (r == 0)
		keys_change(b, id, &have, &want);
	if (want.n)
		*shape |= set_bit(id);
	keys_done(&have);
	keys_done(&want);
	return r;
}

/* What leads out under an address goes and comes with it. */
static int put_backs(struct batch *b, struct backs *backs, const struct address_list *wan,
		     uint64_t *shape)
{
	int r;

	memset(backs->added, 0, sizeof(backs->added));
	r = backs_follow(backs, wan, b);
	for (enum set_id id = 0; id < SET_COUNT; id++) {
		if (!set_is_of_backs(id))
			continue;
		*shape &= ~set_bit(id);
		if (backs->elements[id])
			*shape |= set_bit(id);
	}
	return r;
}

static int put_addresses(struct batch *b, struct ruleset *rs,
			 const struct ruleset_addresses *addresses, uint64_t *shape)
{
	const struct keys *spare;
	int r = 0;

	*shape = rs->shape & ~ADDRESSES_SHAPE;
	for (enum set_id id = 0; r == 0 && id < SET_COUNT; id++)
		if (set_follows_addresses(id) && skeleton_has_set(&rs->options, id))
			r = put_change(b, id, &rs->addresses, addresses, shape);
	if (r == 0)
		r = put_backs(b, &rs->derived->backs, &addresses->wan, shape);
	if (r < 0)
		return r;
	skeleton_reshape(b, rs, rs->shape, *shape);
	for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
		spare = &rs->derived->spare[i];
		spare_put_chains(b, rs, spare, spare, *shape);
	}
	return 0;
}

/* What goes makes room at the end of a transaction only. */
static int make_room(struct ruleset *rs, struct ruleset_fault *why)
{
	const struct derived *d = rs->derived;
	size_t need[SET_COUNT];

	if (!rs->can_own)
		return 0;
	for (enum set_id id = 0; id < SET_COUNT; id++)
		need[id] = d->elements[id] + d->backs.added[id];
	return ruleset_make_room(rs, need, why);
}

static int settle(struct ruleset *rs, const struct ruleset_addresses *addresses,
		  uint64_t shape)
{
	struct derived *d = rs->derived;
	int r = ruleset_remember(rs, addresses);

	for (enum set_id id = 0; id < SET_COUNT; id++)
		if (set_is_of_backs(id))
			d->elements[id] = d->backs.elements[id];
	rs->shape = shape;
	rs->synced = r == 0;
	return r;
}

static void step_back(struct ruleset *rs)
{
	if (backs_follow(&rs->derived->backs, &rs->addresses.wan, NULL) < 0)
		rs->synced = false;
}

int ruleset_set_addresses(struct ruleset *rs, const struct ruleset_addresses *addresses,
			  struct ruleset_fault *why)
{
	uint64_t shape;
	struct batch b;
	int r;

	fault_set(why, "%s", "");
	if (!rs->synced)
		return -ESTALE;
	batch_begin(&b, rs);
	r = put_addresses(&b, rs, addresses, &shape);
	if (r == 0)
		r = make_room(rs, why);
	if (r == 0)
		r = watch_send(rs, &b, why);
	if (r == 0)
		r = settle(rs, addresses, shape);
	else
		step_back(rs);
	batch_done(&b);
	return ruleset_stale(r);
}

/* ------------------------------------------------------------------ ended connections */

int ruleset_end(struct ruleset *rs, const struct connection *connections, size_t n,
		struct ruleset_fault *why)
{
	uint8_t key[KEY_ROOM];
	struct batch b;
	enum set_id id;
	int r;

	fault_set(why, "%s", "");
	batch_begin(&b, rs);
	for (size_t i = 0; i < n; i++) {
		id = ended_element(&connections[i], key);
		batch_element(&b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set_specs[id].name,
			      &(struct element){ .key = key,
						 .key_len = set_specs[id].key_len });
	}
	r = ruleset_stale(batch_send(&b, rs, why));
	batch_done(&b);
	ruleset_note_barred(rs);
	return r;
}
