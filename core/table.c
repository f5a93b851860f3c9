/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A mapping is one allocation with room for its places in the hash indexes and in a list
 * in order of id, so that putting it in or taking it out cannot fail; for what is kept
 * beside (ranges, owners, leases) room is reserved first. Buckets are allocated once, for
 * the capacity. Keys that a client can choose are hashed with a secret; ids count up and
 * need no hash.
 *
 * The two generations differ by two bits of a node (table_private.h). Both share the
 * chains; a key occurs at most once in each generation, so a chain is at most twice as
 * long while a plan is open. What neither generation can see is not in the chains.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/table_private.h"

/* JSON and SQLite have signed integers. */
#define ID_MAX ((uint64_t)INT64_MAX - 1)

/* What issue and docs promise for a plain mapping, all included; buckets of a full table
 * take 8 to 16 bytes an index, a lease and the allocator at most 16 each. */
static_assert(sizeof(struct node) + 2 * sizeof(struct place) + INDEX_COUNT * 16 + 32 <=
		      400,
	      "memory per mapping");

struct node *node_new(const struct mapping *m)
{
	const size_t n = node_place_count(m);
	struct node *node;

	node = calloc(1, sizeof(*node) + n * sizeof(struct place));
	if (!node)
		return NULL;
	node->mapping = *m;
	node->kind = (uint8_t)mapping_kind(m);
	details_ref(m->details);
	return node;
}

void node_free(struct node *node)
{
	details_unref(node->mapping.details);
	free(node);
}

int table_reserve(struct table *table, const struct mapping *m, size_t leases)
{
	int r;

	r = table_owner_reserve(table, m);
	if (r < 0)
		return r;
	if (mapping_is_range(m)) {
		r = table_ranges_reserve(table);
		if (r < 0)
			return r;
	}
	return m->expires ? table_leases_reserve(table, leases) : 0;
}

struct table *table_new(size_t capacity, const uint8_t seed[static 16])
{
	struct table *table;
	size_t n = 1;

	if (capacity > SIZE_MAX / 2 / INDEX_COUNT / sizeof(*table->buckets))
		return NULL;
	while (n < capacity)
		n *= 2;

	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->buckets = calloc(n * INDEX_COUNT, sizeof(*table->buckets));
	if (!table->buckets) {
		free(table);
		return NULL;
	}
	table->capacity = capacity;
	table->mask = n - 1;
	table->next_id = 1;
	memcpy(table->seed, seed, sizeof(table->seed));
	return table;
}

void table_free(struct table *table)
{
	struct node *next;

	if (!table)
		return;
	assert(!table->plan);
	for (struct node *node = table->first; node; node = next) {
		next = node->next;
		node_free(node);
	}
	free(table->ranges.nodes[PRESENT]);
	free(table->ranges.nodes[NEXT]);
	free(table->owners);
	free(table->leases);
	free(table->buckets);
	free(table);
}

size_t table_size(const struct table *table)
{
	return table->n[PRESENT];
}

bool table_is_staged(const struct table *table)
{
	return table->plan;
}

size_t table_capacity(const struct table *table)
{
	return table->capacity;
}

uint64_t table_next_id(const struct table *table)
{
	return table->next_id;
}

void table_set_next_id(struct table *table, uint64_t id)
{
	assert(!table->plan);
	if (id > table->next_id)
		table->next_id = id;
}

static bool is_resolved(const struct mapping *m)
{
	struct mapping resolved = *m;

	mapping_resolve(&resolved);
	return endpoint_equal(&m->external, &resolved.external) &&
	       address_equal(&m->host, &resolved.host) && m->n_ports == resolved.n_ports;
}

static bool is_valid(const struct mapping *m)
{
	return m->id > 0 && m->id <= ID_MAX && protocol_bit(m->protocol) &&
	       m->origin <= ORIGIN_ADMIN && m->external.port && m->internal.port &&
	       !m->lifetime == !m->expires && is_resolved(m) && !mapping_flaw(m) &&
	       memchr(m->name, '\0', sizeof(m->name)) &&
	       (!m->name[0] || !mapping_name_flaw(m->name));
}

static bool is_there(const struct table *table, const struct mapping *m)
{
	return table_conflict(table, m, PRESENT, NULL) || table_find_id(table, m->id) ||
	       (m->name[0] && table_find_name(table, m->name, m->protocol));
}

int table_load(struct table *table, const struct mapping *m)
{
	struct node *node;
	int r;

	assert(!table->plan);
	if (!is_valid(m))
		return -EINVAL;
	if (is_there(table, m))
		return -EEXIST;
	if (table->n[PRESENT] >= table->capacity)
		return -ENOSPC;

	r = table_reserve(table, m, 1);
	if (r < 0)
		return r;
	node = node_new(m);
	if (!node)
		return -ENOMEM;
	table_link(table, node, NULL);
	table->n[PRESENT]++;
	table_owner_count(table, PRESENT, m, 1);
	if (kind_is_range(node->kind))
		table_ranges_put(table, PRESENT, node);
	table_lease_put(table, node);
	if (m->id >= table->next_id)
		table->next_id = m->id + 1;
	return 0;
}

const struct mapping *table_find_id(const struct table *table, uint64_t id)
{
	return mapping_of(table_node_by_id(table, id, PRESENT));
}

const struct mapping *table_find_name(const struct table *table, const char *name,
				      uint8_t protocol)
{
	return mapping_of(table_node_by_name(table, name, protocol, PRESENT));
}

const struct mapping *table_next(const struct table *table, const struct mapping *prev)
{
	const struct node *node = prev ? node_of(prev)->next : table->first;

	while (node && !node_visible(node, PRESENT))
		node = node->next;
	return mapping_of(node);
}

size_t table_owned(const struct table *table, uint32_t uid)
{
	const struct owner *owner = table_owner(table, uid);

	return owner ? owner->n[PRESENT] : 0;
}
