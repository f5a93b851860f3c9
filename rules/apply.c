/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * apply - changes elements of a table that is known
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/batch.h"
#include "rules/fault.h"
#include "rules/smallsets.h"

/* ------------------------------------------------------------------ sizes */

/* What a set has buckets for stays as it was created, and up to four times as many
 * elements cost a lookup nothing: so this is enough for 65,536, at 256 KiB of buckets. */
#define ROOM_START 16384
/* all ports of two protocols */
#define ROOM_MAX 131072
/* where a size cannot be changed later */
#define ROOM_FIXED 65536

size_t ruleset_room_for(const struct ruleset *rs, size_t need)
{
	size_t room = rs->can_own ? ROOM_START : ROOM_FIXED;

	while (room < need && room < ROOM_MAX)
		room *= 2;
	return room;
}

int ruleset_make_room(struct ruleset *rs, const size_t need[static MAPPING_SETS],
		      struct ruleset_fault *why)
{
	size_t room[MAPPING_SETS];
	struct batch b;
	int r;

	batch_begin(&b, rs);
	for (enum mapping_kind kind = 0; kind < MAPPING_SETS; kind++) {
		room[kind] = rs->room[kind];
		if (need[kind] <= room[kind])
			continue;
		room[kind] = ruleset_room_for(rs, need[kind]);
		set_put(&b, &set_specs[set_of_mappings(kind)], (uint32_t)room[kind]);
	}
	r = batch_send(&b, rs, why);
	if (r == 0)
		memcpy(rs->room, room, sizeof(room));
	batch_done(&b);
	return r;
}

/* ------------------------------------------------------------------ plans */

/* Elements that there would be at most while the plan is worked through. */
static void count_need(const struct ruleset *rs, const struct plan *plan,
		       size_t need[static MAPPING_SETS])
{
	size_t have[MAPPING_SETS];

	memcpy(have, rs->elements, sizeof(have));
	memcpy(need, rs->elements, sizeof(have));
	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);
		enum mapping_kind kind = mapping_kind(effect->mapping);

		if (!effect->mapping->enabled)
			continue;
		if (effect->kind == CHANGE_REMOVE)
			have[kind] -= have[kind] > 0;
		else if (++have[kind] > need[kind])
			need[kind] = have[kind];
	}
}

static void count_after(struct ruleset *rs, const struct plan *plan)
{
	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);
		enum mapping_kind kind = mapping_kind(effect->mapping);

		if (!effect->mapping->enabled)
			continue;
		if (effect->kind == CHANGE_ADD)
			rs->elements[kind]++;
		else
			rs->elements[kind] -= rs->elements[kind] > 0;
	}
}

static void put_effect(struct batch *b, const struct effect *effect)
{
	const char *set = set_specs[set_of_mappings(mapping_kind(effect->mapping))].name;
	struct mapping_element want;
	struct element e = { 0 };

	if (!effect->mapping->enabled)
		return;
	mapping_element(effect->mapping, &want);
	e.key = want.key;
	e.key_len = want.key_len;
	if (effect->kind == CHANGE_REMOVE) {
		batch_element(b, NFT_MSG_DELSETELEM, 0, set, &e);
		return;
	}
	e.data = want.data_len ? want.data : NULL;
	e.data_len = want.data_len;
	batch_element(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, set, &e);
}

/* The table is not what we think it is: looking at it again helps. */
static int stale(int r)
{
	return r == -ENOENT || r == -ENOBUFS ? -ESTALE : r;
}

/* The kernel's verdict was lost; the number it carries now tells which it was. */
static int find_verdict(struct ruleset *rs, uint64_t sequence)
{
	uint64_t found;
	int r = ruleset_sequence(rs, &found);

	return r == 0 && found == sequence ? 0 : -ESTALE;
}

static int send_plan(struct ruleset *rs, const struct plan *plan, uint64_t sequence,
		     struct ruleset_fault *why)
{
	struct batch b;
	int r;

	batch_begin(&b, rs);
	for (size_t i = 0; i < plan_size(plan); i++)
		put_effect(&b, plan_effect_at(plan, i));
	sequence_put(&b, sequence);
	r = watch_send(rs, &b, why);
	batch_done(&b);
	return r == -ENOBUFS ? find_verdict(rs, sequence) : stale(r);
}

int ruleset_apply(struct ruleset *rs, const struct plan *plan, uint64_t sequence,
		  struct ruleset_fault *why)
{
	size_t need[MAPPING_SETS];
	int r = 0;

	fault_set(why, "%s", "");
	if (!rs->synced)
		return -ESTALE;
	count_need(rs, plan, need);
	if (rs->can_own)
		r = stale(ruleset_make_room(rs, need, why));
	if (r == 0)
		r = send_plan(rs, plan, sequence, why);
	if (r == 0)
		count_after(rs, plan);
	return r;
}

/* ------------------------------------------------------------------ addresses */

int ruleset_remember(struct ruleset *rs, const struct ruleset_addresses *a)
{
	struct in6_addr *wan = reallocarray(NULL, a->wan.n + 1, sizeof(*wan));
	struct prefix *masquerade6 =
		reallocarray(NULL, a->n_masquerade6 + 1, sizeof(*masquerade6));

	if (!wan || !masquerade6) {
		free(wan);
		free(masquerade6);
		return -ENOMEM;
	}
	if (a->wan.n)
		memcpy(wan, a->wan.addrs, a->wan.n * sizeof(*wan));
	if (a->n_masquerade6)
		memcpy(masquerade6, a->masquerade6,
		       a->n_masquerade6 * sizeof(*masquerade6));
	free(rs->wan);
	free(rs->masquerade6);
	rs->wan = wan;
	rs->n_wan = a->wan.n;
	rs->masquerade6 = masquerade6;
	rs->n_masquerade6 = a->n_masquerade6;
	return 0;
}

static int put_change(struct batch *b, enum set_id id,
		      const struct ruleset_addresses *before,
		      const struct ruleset_addresses *after)
{
	struct contents old = { .addresses = before }, new = { .addresses = after };
	struct keys have = { 0 }, want = { 0 };
	int r = keys_wanted(&have, id, &old);

	if (r == 0)
		r = keys_wanted(&want, id, &new);
	if (r == 0)
		keys_change(b, id, &have, &want);
	keys_done(&have);
	keys_done(&want);
	return r;
}

int ruleset_set_addresses(struct ruleset *rs, const struct ruleset_addresses *addresses,
			  struct ruleset_fault *why)
{
	static const enum set_id sets[] = { SET_WAN_ADDR4, SET_WAN_ADDR6,
					    SET_MASQUERADE6 };
	const struct ruleset_addresses before = {
		.wan = { .addrs = rs->wan, .n = rs->n_wan },
		.masquerade6 = rs->masquerade6,
		.n_masquerade6 = rs->n_masquerade6,
	};
	struct batch b;
	int r = 0;

	fault_set(why, "%s", "");
	if (!rs->synced)
		return -ESTALE;
	batch_begin(&b, rs);
	for (size_t i = 0; r == 0 && i < sizeof(sets) / sizeof(sets[0]); i++)
		r = put_change(&b, sets[i], &before, addresses);
	if (r == 0)
		r = stale(batch_send(&b, rs, why));
	batch_done(&b);
	return r < 0 ? r : ruleset_remember(rs, addresses);
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
	r = stale(batch_send(&b, rs, why));
	batch_done(&b);
	return r;
}
