/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * table_index - the way into and out of the chains, and of the two generations
 */

#include "core/table_private.h"

static void link_push(struct link **bucket, struct link *link)
{
	link->next = *bucket;
	link->pprev = bucket;
	if (link->next)
		link->next->pprev = &link->next;
	*bucket = link;
}

static void link_take(struct link *link)
{
	*link->pprev = link->next;
	if (link->next)
		link->next->pprev = link->pprev;
}

static void link_put_back(struct link *link)
{
	*link->pprev = link;
	if (link->next)
		link->next->pprev = &link->next;
}

static void list_put_back(struct table *table, struct node *node)
{
	*(node->prev ? &node->prev->next : &table->first) = node;
	*(node->next ? &node->next->prev : &table->last) = node;
}

/* Behind which @node is to be; NULL: it is to be the first. */
static struct node *predecessor(const struct table *table, const struct node *node,
				struct node *before)
{
	struct node *prev = table->last;

	/* what the present generation has not seen is not in the list any more */
	if (before)
		return before->staged ? before->prev : before;
	/* From the end, since ids count up: only a store that is read out of order walks.
	 */
	while (prev && prev->mapping.id > node->mapping.id)
		prev = prev->prev;
	return prev;
}

static void list_insert(struct table *table, struct node *node, struct node *before)
{
	node->prev = predecessor(table, node, before);
	node->next = node->prev ? node->prev->next : table->first;
	list_put_back(table, node);
}

static void list_take(struct table *table, struct node *node)
{
	*(node->prev ? &node->prev->next : &table->first) = node->next;
	*(node->next ? &node->next->prev : &table->last) = node->prev;
}

static void place_push(struct table *table, struct node *node, size_t at)
{
	const enum index index = node_place_is_by_port(node, at) ? BY_PORT : BY_KEY;
	const uint64_t hash = table_place_hash(table, node, at);
	struct place *place = &node->places[at];

	place->at = (uint32_t)at;
	place->hash = (uint32_t)(hash >> 32);
	link_push(table_bucket(table, index, hash), &place->link);
}

/* --------------------------------------------------------- the next generation */

static void mark_taken(struct table *table, const struct node *node, bool taken)
{
	const struct mapping *m = &node->mapping;
	uint64_t *words;

	if (!kind_is_plain(node->kind))
		return;
	words = table_taken(table, node->kind, m->protocol);
	for (uint32_t port = m->external.port; port <= mapping_last_port(m); port++) {
		const uint64_t bit = UINT64_C(1) << port % 64;

		if (taken)
			words[port / 64] |= bit;
		else
			words[port / 64] &= ~bit;
	}
}

/* What the next generation has beside the chains. */
static void count_in(struct table *table, struct node *node)
{
	table->n[NEXT]++;
	table->version++;
	table_owner_count(table, NEXT, &node->mapping, 1);
	if (kind_is_range(node->kind))
		table_ranges_put(table, NEXT, node);
	mark_taken(table, node, true);
}

static void count_out(struct table *table, struct node *node)
{
	table->n[NEXT]--;
	table->version++;
	table_owner_count(table, NEXT, &node->mapping, -1);
	if (kind_is_range(node->kind))
		table_ranges_take(table, NEXT, node);
	mark_taken(table, node, false);
}

static void take_places(struct node *node, bool by_port)
{
	const size_t n = node_place_count(&node->mapping);

	for (size_t at = 0; at < n; at++) {
		if (node_place_is_by_port(node, at) == by_port)
			link_take(&node->places[at].link);
	}
}

static void put_places_back(struct node *node, bool by_port)
{
	for (size_t at = node_place_count(&node->mapping); at-- > 0;) {
		if (node_place_is_by_port(node, at) == by_port)
			link_put_back(&node->places[at].link);
	}
}

static void unlink_rest(struct table *table, struct node *node)
{
	take_places(node, false);
	link_take(&node->by_id);
	if (node->mapping.name[0])
		link_take(&node->by_name);
	list_take(table, node);
	table->n_suffix -= node->mapping.suffix;
}

void table_link(struct table *table, struct node *node, struct node *before)
{
	const struct mapping *m = &node->mapping;
	const size_t n = node_place_count(m);

	for (size_t at = 0; at < n; at++)
		place_push(table, node, at);
	link_push(table_bucket(table, BY_ID, m->id), &node->by_id);
	if (m->name[0])
		link_push(table_bucket(table, BY_NAME,
				       table_name_hash(table, m->name, m->protocol)),
			  &node->by_name);
	list_insert(table, node, before);
	table->n_suffix += m->suffix;
	count_in(table, node);
}

void table_forget(struct table *table, struct node *node)
{
	count_out(table, node);
	take_places(node, true);
	unlink_rest(table, node);
}

void table_leave(struct table *table, struct node *node)
{
	node->leaving = true;
	count_out(table, node);
	take_places(node, true);
	if (node->staged)
		unlink_rest(table, node);
}

void table_return(struct table *table, struct node *node)
{
	if (node->staged) {
		table->n_suffix += node->mapping.suffix;
		list_put_back(table, node);
		if (node->mapping.name[0])
			link_put_back(&node->by_name);
		link_put_back(&node->by_id);
		put_places_back(node, false);
	}
	put_places_back(node, true);
	count_in(table, node);
	node->leaving = false;
}

void table_remove(struct table *table, struct node *node)
{
	unlink_rest(table, node);
}

void table_rekey(struct table *table, struct node *node, const struct in6_addr *prefix)
{
	const size_t n = node_place_count(&node->mapping);
	const bool range = kind_is_range(node->kind);

	if (range) {
		table_ranges_take(table, NEXT, node);
		table_ranges_take(table, PRESENT, node);
	}
	for (size_t at = 0; at < n; at++)
		link_take(&node->places[at].link);
	mapping_settle_host(&node->mapping, prefix);
	for (size_t at = 0; at < n; at++)
		place_push(table, node, at);
	if (range) {
		table_ranges_put(table, NEXT, node);
		table_ranges_put(table, PRESENT, node);
	}
	table->version++;
}
