/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * table_leases - which mapping ends first
 *
 * A binary heap of the present generation's leases. Every node knows its position, so
 * that one that is renewed or removed early leaves without a search.
 */

#include <errno.h>
#include <stdlib.h>

#include "core/table_private.h"

int table_leases_reserve(struct table *table, size_t more)
{
	size_t room = table->leases_room;
	struct node **leases;

	while (room < table->n_leases + more)
		room = room_grown(room);
	if (room == table->leases_room)
		return 0;
	leases = reallocarray(table->leases, room, sizeof(struct node *));
	if (!leases)
		return -ENOMEM;
	table->leases = leases;
	table->leases_room = room;
	return 0;
}

static void put_at(struct table *table, size_t at, struct node *node)
{
	table->leases[at - 1] = node;
	node->lease = (uint32_t)at;
}

static struct node *lease_at(const struct table *table, size_t at)
{
	return table->leases[at - 1];
}

static bool ends_before(const struct node *a, const struct node *b)
{
	return a->mapping.expires < b->mapping.expires;
}

static void rise(struct table *table, size_t at, struct node *node)
{
	while (at > 1 && ends_before(node, lease_at(table, at / 2))) {
		put_at(table, at, lease_at(table, at / 2));
		at /= 2;
	}
	put_at(table, at, node);
}

static void sink(struct table *table, size_t at, struct node *node)
{
	size_t child;

	while ((child = 2 * at) <= table->n_leases) {
		if (child < table->n_leases &&
		    ends_before(lease_at(table, child + 1), lease_at(table, child)))
			child++;
		if (!ends_before(lease_at(table, child), node))
			break;
		put_at(table, at, lease_at(table, child));
		at = child;
	}
	put_at(table, at, node);
}

void table_lease_put(struct table *table, struct node *node)
{
	if (!node->mapping.expires)
		return;
	assert(table->n_leases < table->leases_room);
	rise(table, ++table->n_leases, node);
}

void table_lease_take(struct table *table, struct node *node)
{
	const size_t at = node->lease;
	struct node *last;

	if (at == 0)
		return;
	node->lease = 0;
	last = lease_at(table, table->n_leases--);
	if (last == node)
		return;
	if (at > 1 && ends_before(last, lease_at(table, at / 2)))
		rise(table, at, last);
	else
		sink(table, at, last);
}

uint64_t table_next_expiry(const struct table *table)
{
	return table->n_leases ? lease_at(table, 1)->mapping.expires : 0;
}

/* Below one that has not ended there is none that has: only the ended ones are walked,
 * and what is next to them. */
static int collect(const struct table *table, size_t at, uint64_t lease_now, size_t max,
		   struct change_list *ret)
{
	struct change change = { .kind = CHANGE_REMOVE, .expired = true };
	int r;

	if (at > table->n_leases || ret->n >= max ||
	    lease_at(table, at)->mapping.expires > lease_now)
		return 0;
	change.selector.id = lease_at(table, at)->mapping.id;
	r = change_list_add(ret, &change);
	if (r == 0)
		r = collect(table, 2 * at, lease_now, max, ret);
	if (r == 0)
		r = collect(table, 2 * at + 1, lease_now, max, ret);
	return r;
}

int table_expired(const struct table *table, uint64_t lease_now, size_t max,
		  struct change_list *ret)
{
	const size_t room = SIZE_MAX - ret->n;

	return collect(table, 1, lease_now, ret->n + (max < room ? max : room), ret);
}
