/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A mapping is one allocation with room for its places in four hash indexes and in a
 * list in order of id, so that putting it in or taking it out cannot fail. Buckets are
 * allocated once, for the capacity. Keys that a client can choose are hashed with a
 * secret. Ids count up and need no hash. Nor do ports: nobody can make many of them meet,
 * since there are so few, and those of a range lie side by side.
 *
 * The two generations differ by two bits of a node (table_private.h). Both share the
 * chains; a key occurs at most once in each generation, so a chain is at most twice as
 * long while a plan is open. What neither generation can see is not in the chains.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/siphash.h"
#include "core/table_private.h"

/* JSON and SQLite have signed integers. */
#define ID_MAX ((uint64_t)INT64_MAX - 1)

/* What issue and docs promise for a mapping, all included; buckets of a full table take
 * 8 to 16 bytes an index, the allocator at most 16. */
static_assert(sizeof(struct node) + INDEX_COUNT * 16 + 16 <= 400, "memory per mapping");

static struct link **bucket(const struct table *table, enum index index, uint64_t hash)
{
	return &table->buckets[(size_t)index * (table->mask + 1) + (hash & table->mask)];
}

static uint64_t number_of_port(uint8_t protocol, uint16_t port)
{
	return 2 * (uint64_t)port + (protocol == IPPROTO_UDP);
}

static struct link **bucket_by_external(const struct table *table, uint8_t protocol,
					const struct endpoint *external)
{
	const struct {
		struct in6_addr addr;
		uint16_t port;
		uint16_t protocol;
	} key = { external->addr, external->port, protocol };

	if (address_is_any(&external->addr))
		return bucket(table, BY_EXTERNAL,
			      number_of_port(protocol, external->port));
	return bucket(table, BY_EXTERNAL, siphash13(table->seed, &key, sizeof(key)));
}

static struct link **bucket_by_id(const struct table *table, uint64_t id)
{
	return bucket(table, BY_ID, id);
}

static struct link **bucket_by_name(const struct table *table, const char *name,
				    uint8_t protocol)
{
	const size_t len = strnlen(name, MAPPING_NAME_MAX);
	char key[MAPPING_NAME_MAX + 1];

	memcpy(key, name, len);
	key[len] = (char)protocol;
	return bucket(table, BY_NAME, siphash13(table->seed, key, len + 1));
}

static struct link **bucket_by_port(const struct table *table, uint8_t protocol,
				    uint16_t port)
{
	return bucket(table, BY_PORT, number_of_port(protocol, port));
}

static struct node *node_at(struct link *link, enum index index)
{
	char *links = (char *)(link - index);

	return (struct node *)(void *)(links - offsetof(struct node, links));
}

struct node *table_node(const struct table *table, uint8_t protocol,
			const struct endpoint *external, enum generation generation)
{
	struct link *at = *bucket_by_external(table, protocol, external);

	for (; at; at = at->next) {
		struct node *node = node_at(at, BY_EXTERNAL);

		if (node_visible(node, generation) &&
		    node->mapping.protocol == protocol &&
		    endpoint_equal(&node->mapping.external, external))
			return node;
	}
	return NULL;
}

/* One pass for each thing that has to come before the next can be asked for. */
void table_expect(const struct table *table, const struct table_key *keys, size_t n)
{
	struct link **buckets[TABLE_EXPECT_MAX];
	struct link *at;

	assert(n <= TABLE_EXPECT_MAX);
	for (size_t i = 0; i < n; i++) {
		buckets[i] =
			bucket_by_external(table, keys[i].protocol, &keys[i].external);
		__builtin_prefetch(buckets[i]);
	}
	for (size_t i = 0; i < n; i++) {
		at = *buckets[i];
		if (!at)
			continue;
		__builtin_prefetch(at);
		__builtin_prefetch(node_at(at, BY_EXTERNAL));
	}
}

struct node *table_node_by_id(const struct table *table, uint64_t id,
			      enum generation generation)
{
	struct link *at = *bucket_by_id(table, id);

	for (; at; at = at->next) {
		struct node *node = node_at(at, BY_ID);

		if (node_visible(node, generation) && node->mapping.id == id)
			return node;
	}
	return NULL;
}

struct node *table_node_by_name(const struct table *table, const char *name,
				uint8_t protocol, enum generation generation)
{
	struct link *at = *bucket_by_name(table, name, protocol);

	for (; at; at = at->next) {
		struct node *node = node_at(at, BY_NAME);

		if (node_visible(node, generation) &&
		    node->mapping.protocol == protocol &&
		    strcmp(node->mapping.name, name) == 0)
			return node;
	}
	return NULL;
}

static struct node *on_port(struct link *at, uint8_t protocol, uint16_t port)
{
	for (; at; at = at->next) {
		struct node *node = node_at(at, BY_PORT);

		if (node->mapping.protocol == protocol &&
		    node->mapping.external.port == port)
			return node;
	}
	return NULL;
}

struct node *table_first_on_port(const struct table *table, uint8_t protocol,
				 uint16_t port)
{
	return on_port(*bucket_by_port(table, protocol, port), protocol, port);
}

struct node *table_next_on_port(const struct node *node)
{
	return on_port(node->links[BY_PORT].next, node->mapping.protocol,
		       node->mapping.external.port);
}

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

/* From the end, since ids count up: only a store that is read out of order walks. */
static void list_insert(struct table *table, struct node *node)
{
	node->prev = table->last;
	node->next = NULL;
	while (node->prev && node->prev->mapping.id > node->mapping.id) {
		node->next = node->prev;
		node->prev = node->prev->prev;
	}
	list_put_back(table, node);
}

static void list_take(struct table *table, struct node *node)
{
	*(node->prev ? &node->prev->next : &table->first) = node->next;
	*(node->next ? &node->next->prev : &table->last) = node->prev;
}

void table_link(struct table *table, struct node *node)
{
	const struct mapping *m = &node->mapping;

	link_push(bucket_by_external(table, m->protocol, &m->external),
		  &node->links[BY_EXTERNAL]);
	link_push(bucket_by_id(table, m->id), &node->links[BY_ID]);
	if (m->name[0])
		link_push(bucket_by_name(table, m->name, m->protocol),
			  &node->links[BY_NAME]);
	link_push(bucket_by_port(table, m->protocol, m->external.port),
		  &node->links[BY_PORT]);
	list_insert(table, node);
}

void table_unlink_rest(struct table *table, struct node *node)
{
	link_take(&node->links[BY_EXTERNAL]);
	link_take(&node->links[BY_ID]);
	if (node->mapping.name[0])
		link_take(&node->links[BY_NAME]);
	list_take(table, node);
}

void table_unlink(struct table *table, struct node *node)
{
	table_unlink_rest(table, node);
	table_unlink_port(node);
}

void table_relink(struct table *table, struct node *node)
{
	link_put_back(&node->links[BY_EXTERNAL]);
	link_put_back(&node->links[BY_ID]);
	if (node->mapping.name[0])
		link_put_back(&node->links[BY_NAME]);
	list_put_back(table, node);
	table_relink_port(node);
}

void table_unlink_port(struct node *node)
{
	link_take(&node->links[BY_PORT]);
}

void table_relink_port(struct node *node)
{
	link_put_back(&node->links[BY_PORT]);
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
		free(node);
	}
	free(table->buckets);
	free(table);
}

size_t table_size(const struct table *table)
{
	return table->n_present;
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

static bool is_valid(const struct mapping *m)
{
	struct mapping resolved = *m;

	mapping_resolve(&resolved);
	return m->id > 0 && m->id <= ID_MAX &&
	       (m->protocol == IPPROTO_TCP || m->protocol == IPPROTO_UDP) &&
	       m->origin <= ORIGIN_ADMIN && m->external.port && m->internal.port &&
	       !address_unusable(&m->internal.addr) &&
	       endpoint_equal(&m->external, &resolved.external) &&
	       memchr(m->name, '\0', sizeof(m->name)) &&
	       (!m->name[0] || !mapping_name_flaw(m->name));
}

static bool is_there(const struct table *table, const struct mapping *m)
{
	return table_find(table, m->protocol, &m->external) ||
	       table_find_id(table, m->id) ||
	       (m->name[0] && table_find_name(table, m->name, m->protocol));
}

int table_load(struct table *table, const struct mapping *m)
{
	struct node *node;

	assert(!table->plan);
	if (!is_valid(m))
		return -EINVAL;
	if (is_there(table, m))
		return -EEXIST;
	if (table->n_present >= table->capacity)
		return -ENOSPC;

	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->mapping = *m;
	table_link(table, node);
	table->n_present++;
	table->n_next++;
	if (m->id >= table->next_id)
		table->next_id = m->id + 1;
	return 0;
}

static const struct mapping *mapping_of(const struct node *node)
{
	return node ? &node->mapping : NULL;
}

const struct mapping *table_find(const struct table *table, uint8_t protocol,
				 const struct endpoint *external)
{
	return mapping_of(table_node(table, protocol, external, PRESENT));
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
