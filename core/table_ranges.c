/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * table_ranges - equal-port ranges, and how many mappings each owner has
 *
 * Both are few: sorted arrays. A search asks for a port within, which no hash answers.
 * Each generation has an array of its own, and room in both is found before either needs
 * it, so that undo and commit cannot fail.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/table_private.h"

int table_ranges_reserve(struct table *table)
{
	struct ranges *ranges = &table->ranges;
	const size_t room = room_grown(ranges->room);

	if (ranges->n[NEXT] < ranges->room)
		return 0;
	for (size_t i = 0; i <= NEXT; i++) {
		struct node **more =
			reallocarray(ranges->nodes[i], room, sizeof(struct node *));

		if (!more)
			return -ENOMEM;
		ranges->nodes[i] = more;
	}
	ranges->room = room;
	return 0;
}

/* By address, then port: what memcmp() makes of the rest does not matter. */
static int key_compare(const struct key *a, const struct key *b)
{
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	if (a->what != b->what)
		return a->what < b->what ? -1 : 1;
	order = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	if (order)
		return order;
	return (a->port > b->port) - (a->port < b->port);
}

/* How many of them have a key that is not above @key. */
static size_t rank(const struct table *table, enum generation generation,
		   const struct key *key)
{
	struct node *const *nodes = table->ranges.nodes[generation];
	size_t low = 0, high = table->ranges.n[generation];

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct key has = table_range_key(table, nodes[middle]);

		if (key_compare(&has, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void table_ranges_put(struct table *table, enum generation generation, struct node *node)
{
	struct ranges *ranges = &table->ranges;
	const struct key key = table_range_key(table, node);
	const size_t at = rank(table, generation, &key);
	struct node **nodes = ranges->nodes[generation];

	assert(ranges->n[generation] < ranges->room);
	memmove(&nodes[at + 1], &nodes[at],
		(ranges->n[generation] - at) * sizeof(struct node *));
	nodes[at] = node;
	ranges->n[generation]++;
}

/* Ranges without a host may have equal keys (table_settle_hosts()). */
void table_ranges_take(struct table *table, enum generation generation,
		       const struct node *node)
{
	struct ranges *ranges = &table->ranges;
	const struct key key = table_range_key(table, node);
	struct node **nodes = ranges->nodes[generation];
	size_t at = rank(table, generation, &key) - 1;

	while (nodes[at] != node)
		at--;
	ranges->n[generation]--;
	memmove(&nodes[at], &nodes[at + 1],
		(ranges->n[generation] - at) * sizeof(struct node *));
}

void table_ranges_commit(struct table *table)
{
	struct ranges *ranges = &table->ranges;

	if (ranges->n[NEXT] > 0)
		memcpy(ranges->nodes[PRESENT], ranges->nodes[NEXT],
		       ranges->n[NEXT] * sizeof(struct node *));
	ranges->n[PRESENT] = ranges->n[NEXT];
}

struct node *table_range_over(const struct table *table, const struct key *key,
			      const struct port_range *ports, enum generation generation)
{
	struct key last = *key, has;
	struct node *node;
	size_t n;

	last.port = ports->last;
	n = rank(table, generation, &last);
	if (n == 0)
		return NULL;
	node = table->ranges.nodes[generation][n - 1];
	has = table_range_key(table, node);
	last.port = has.port;
	if (key_compare(&has, &last) != 0 ||
	    mapping_last_port(&node->mapping) < ports->first)
		return NULL;
	return node;
}

/* ------------------------------------------------------------------- owners */

/* How many owners have a uid below. */
static size_t owner_rank(const struct table *table, uint32_t uid)
{
	size_t low = 0, high = table->n_owners;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (table->owners[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct owner *table_owner(const struct table *table, uint32_t uid)
{
	const size_t at = owner_rank(table, uid);

	if (at == table->n_owners || table->owners[at].uid != uid)
		return NULL;
	return &table->owners[at];
}

void table_owners_tidy(struct table *table)
{
	size_t kept = 0;

	if (table->n_owners < table->owners_room)
		return;
	for (size_t i = 0; i < table->n_owners; i++) {
		const struct owner *owner = &table->owners[i];

		if (owner->n[PRESENT] || owner->n[NEXT])
			table->owners[kept++] = *owner;
	}
	table->n_owners = kept;
}

int table_owner_reserve(struct table *table, const struct mapping *m)
{
	struct owner *more;
	size_t at;

	if (m->origin != ORIGIN_ADMIN || table_owner(table, m->owner_uid))
		return 0;
	if (table->n_owners == table->owners_room) {
		more = reallocarray(table->owners, room_grown(table->owners_room),
				    sizeof(*more));
		if (!more)
			return -ENOMEM;
		table->owners = more;
		table->owners_room = room_grown(table->owners_room);
	}
	at = owner_rank(table, m->owner_uid);
	memmove(&table->owners[at + 1], &table->owners[at],
		(table->n_owners - at) * sizeof(struct owner));
	table->owners[at] = (struct owner){ .uid = m->owner_uid };
	table->n_owners++;
	return 0;
}

void table_owner_count(struct table *table, enum generation generation,
		       const struct mapping *m, int by)
{
	if (m->origin == ORIGIN_ADMIN)
		table_owner(table, m->owner_uid)->n[generation] += (uint32_t)by;
}

void table_owners_commit(struct table *table)
{
	for (size_t i = 0; i < table->n_owners; i++)
		table->owners[i].n[PRESENT] = table->owners[i].n[NEXT];
}
