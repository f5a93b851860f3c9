/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * ending_keys - which connections are to be judged anew
 *
 * The keys are sorted by protocol, address and first port. Those of one protocol and
 * address are a search tree, its root in the middle: each knows how far the ports of all
 * below it reach, so that the ranges that have a port are found without walking past the
 * others.
 */

#include "natd/gateway/ending_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int append(struct ending *ending, const struct ending_key *key)
{
	if (ending->n == ending->room) {
		size_t room = ending->room ? ending->room * 2 : 16;
		struct ending_key *keys;

		keys = reallocarray(ending->keys, room, sizeof(*keys));
		if (!keys)
			return -ENOMEM;
		ending->keys = keys;
		ending->room = room;
	}
	ending->keys[ending->n++] = *key;
	return 0;
}

int ending_add(struct ending *ending, const struct mapping *m, bool drain,
	       uint32_t *count)
{
	struct ending_key key = {
		.external = m->external,
		.last = mapping_last_port(m),
		.protocol = m->protocol,
		.drain = drain,
		.count = count,
	};

	key.remotes = mapping_remotes(m, &key.n_remotes);
	return append(ending, &key);
}

int ending_add_slot(struct ending *ending, const struct ruleset_slot *slot)
{
	const struct ending_key key = {
		.external = slot->external,
		.last = slot->last_port,
		.protocol = slot->protocol,
	};

	return append(ending, &key);
}

/* What changed in an update that matters to connections? A name does not. */
static bool leads_elsewhere(const struct effect *effect)
{
	const struct mapping *m = effect->mapping, *before = effect->before;

	return mapping_is_live(m) != mapping_is_live(before) ||
	       !address_equal(&m->host, &before->host) ||
	       m->internal.port != before->internal.port ||
	       !endpoint_equal(&m->external, &before->external);
}

/* What is not in the kernel has no connections, and none is to be its own. */
static int add_live(struct ending *ending, const struct mapping *m, struct effect *effect)
{
	return mapping_is_live(m) ? ending_add(ending, m, effect->drain, &effect->ended)
				  : 0;
}

/* Does @m take a part of a wider mapping, so that there may be connections by that one?
 * Few are more particular than one for any address and anybody: those are not looked
 * for. */
static bool may_take(const struct plan *plan, const struct mapping *m)
{
	static const enum mapping_kind wider[] = {
		[MAPPING_FORWARD4] = MAPPING_RANGE4,
		[MAPPING_FORWARD6] = MAPPING_RANGE6,
		[MAPPING_PINHOLE6] = MAPPING_PINRANGE6,
	};
	enum mapping_kind kind = mapping_kind(m);
	struct endpoint external = m->external;

	if (mapping_is_range(m))
		return false;
	if (kind != MAPPING_FORWARD4 && kind != MAPPING_FORWARD6 &&
	    kind != MAPPING_PINHOLE6)
		return true;
	for (unsigned int i = 0; i < m->n_ports; i++, external.port++)
		if (table_find(plan_table(plan), wider[kind], m->protocol, &external))
			return true;
	return false;
}

int ending_add_plan(struct ending *ending, struct plan *plan)
{
	int r = 0;

	ending->additions = true;
	for (size_t i = 0; i < plan_size(plan) && r == 0; i++) {
		struct effect *effect = plan_effect(plan, i);
		const struct mapping *gone = effect->before;

		assert(effect->mapping && (gone || effect->kind != CHANGE_UPDATE));
		if (effect->kind == CHANGE_UPDATE && !leads_elsewhere(effect))
			continue;
		if (effect->kind == CHANGE_REMOVE)
			gone = effect->mapping;
		if (gone)
			ending->additions &= !mapping_is_live(gone);
		if (effect->kind != CHANGE_REMOVE && ending->additions)
			ending->additions = !may_take(plan, effect->mapping);
		if (effect->kind == CHANGE_UPDATE)
			r = add_live(ending, effect->before, effect);
		if (r == 0)
			r = add_live(ending, effect->mapping, effect);
	}
	return r;
}

struct owed {
	struct ending *ending;
	int error;
};

static void add_owed(void *userdata, uint8_t protocol, const struct endpoint *external,
		     uint16_t last_port)
{
	const struct ending_key key = {
		.external = *external,
		.last = last_port,
		.protocol = protocol,
	};
	struct owed *owed = userdata;

	if (owed->error == 0)
		owed->error = append(owed->ending, &key);
}

int ending_add_owed(struct ending *ending, struct store *store)
{
	struct owed owed = { .ending = ending };
	int r = store_endings(store, add_owed, &owed);

	return r < 0 ? r : owed.error;
}

void ending_done(struct ending *ending)
{
	free(ending->keys);
	*ending = (struct ending){ 0 };
}

/* ------------------------------------------------------------------ finding */

static int compare_groups(const struct ending_key *a, const struct ending_key *b)
{
	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	return memcmp(&a->external.addr, &b->external.addr, sizeof(a->external.addr));
}

static int compare_keys(const void *left, const void *right)
{
	const struct ending_key *a = left, *b = right;
	int r = compare_groups(a, b);

	return r ? r : (int)a->external.port - (int)b->external.port;
}

static uint16_t set_reach(struct ending_key *keys, size_t n)
{
	struct ending_key *root = keys + n / 2;
	uint16_t below, behind;

	if (!n)
		return 0;
	below = set_reach(keys, n / 2);
	behind = set_reach(root + 1, n - n / 2 - 1);
	root->reach = root->last;
	if (below > root->reach)
		root->reach = below;
	if (behind > root->reach)
		root->reach = behind;
	return root->reach;
}

/* The first of @ending's keys that is not before @group, or with @behind, not of it. */
static size_t bound(const struct ending *ending, const struct ending_key *group,
		    bool behind)
{
	size_t low = 0, high = ending->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = compare_groups(&ending->keys[middle], group);

		if (r < 0 || (behind && r == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void ending_sort(struct ending *ending)
{
	if (!ending->n)
		return;
	qsort(ending->keys, ending->n, sizeof(*ending->keys), compare_keys);
	for (size_t i = 0, end; i < ending->n; i = end) {
		end = bound(ending, &ending->keys[i], true);
		set_reach(ending->keys + i, end - i);
	}
}

static bool is_remote_of(const struct ending_key *key, const struct in6_addr *remote)
{
	for (size_t i = 0; i < key->n_remotes; i++)
		if (address_in_prefix(remote, &key->remotes[i]))
			return true;
	return !key->n_remotes;
}

/* A key that ends more before one that drains, one that counts before one that does not.
 */
static int rank(const struct ending_key *key)
{
	return key ? 1 + 2 * !key->drain + !!key->count : 0;
}

static void search(const struct ending_key *keys, size_t n, uint16_t port,
		   const struct in6_addr *remote, const struct ending_key **best)
{
	const struct ending_key *root = keys + n / 2;

	if (!n || root->reach < port)
		return;
	search(keys, n / 2, port, remote, best);
	if (root->external.port > port)
		return;
	if (root->last >= port && rank(root) > rank(*best) && is_remote_of(root, remote))
		*best = root;
	search(root + 1, n - n / 2 - 1, port, remote, best);
}

static void search_group(const struct ending *ending, uint8_t protocol,
			 const struct in6_addr *addr, uint16_t port,
			 const struct in6_addr *remote, const struct ending_key **best)
{
	const struct ending_key group = {
		.protocol = protocol,
		.external.addr = *addr,
	};
	size_t first = bound(ending, &group, false);
	size_t end = bound(ending, &group, true);

	search(ending->keys + first, end - first, port, remote, best);
}

const struct ending_key *ending_key_of(const struct ending *ending, uint8_t protocol,
				       const struct endpoint *dialled,
				       const struct in6_addr *remote)
{
	const struct in6_addr *any =
		address_is_ipv4(&dialled->addr) ? &address_any4 : &address_any6;
	const struct ending_key *best = NULL;

	if (!ending->n)
		return NULL;
	search_group(ending, protocol, any, dialled->port, remote, &best);
	search_group(ending, protocol, &dialled->addr, dialled->port, remote, &best);
	return best;
}

/* ------------------------------------------------------------------ looseness */

static unsigned int protocol_index(uint8_t protocol)
{
	unsigned int i = 0;

	while (i < PROTOCOL_COUNT - 1 && protocol_at(i) != protocol)
		i++;
	return i;
}

bool ending_is_loose(const struct ending_memory *memory, const struct ending_key *key)
{
	const uint8_t *loose = memory->loose[protocol_index(key->protocol)];

	for (uint32_t port = key->external.port; port <= key->last; port++)
		if (loose[port / 8] & 1 << port % 8)
			return true;
	return false;
}

void ending_note_loose(struct ending_memory *memory, uint8_t protocol, uint16_t port)
{
	memory->loose[protocol_index(protocol)][port / 8] |= (uint8_t)(1 << port % 8);
}
