/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * table_lookup - places, their keys, and what is found by them
 *
 * A mapping has a place for each of its external ports, found by kind, protocol, port
 * and, of a pinhole, host. Where several mappings of one kind share a port (limited to
 * remote prefixes, or at given external addresses), that place is one of many in its
 * chain: who wants all of the port walks them, and who wants to know whether one element
 * is taken asks for the element's own place, which no other mapping can have. So 5,000
 * mappings limited to prefixes on one port cost each other nothing when one is added.
 *
 * Keys that have an address or a prefix, which a client can choose, are hashed with a
 * secret. A mere port needs no hash: nobody can make many of them meet, since there are
 * so few, and those of a range lie side by side.
 */

#include <string.h>

#include "core/siphash.h"
#include "core/table_private.h"

static_assert(offsetof(struct place, link) == 0, "place_of() casts");

struct link **table_bucket(const struct table *table, enum index index, uint64_t hash)
{
	return &table->buckets[(size_t)index * (table->mask + 1) + (hash & table->mask)];
}

static uint32_t upper_half(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static uint64_t number_of_port(uint8_t protocol, uint16_t port, uint8_t kind)
{
	const uint32_t rest = (uint32_t)kind << 24 | (uint32_t)protocol << 16 | port;

	return (uint64_t)rest << 32 | (2 * (uint32_t)port + (protocol == IPPROTO_UDP));
}

static uint64_t key_hash(const struct table *table, const struct key *key)
{
	return siphash13(table->seed, key, sizeof(*key));
}

static uint64_t port_hash(uint8_t protocol, uint16_t port)
{
	return number_of_port(protocol, port, 0);
}

uint64_t table_name_hash(const struct table *table, const char *name, uint8_t protocol)
{
	const size_t len = strnlen(name, MAPPING_NAME_MAX);
	char key[MAPPING_NAME_MAX + 1];

	memcpy(key, name, len);
	key[len] = (char)protocol;
	return siphash13(table->seed, key, len + 1);
}

/* ------------------------------------------------------------------- places */

/* Ports that have places: not those of ranges. */
static size_t ports_of(const struct mapping *m, enum mapping_kind kind)
{
	return kind_is_range(kind) ? 0 : m->n_ports;
}

/* Elements of each port that have places of their own. */
static size_t elements_of(const struct mapping *m, enum mapping_kind kind)
{
	if (kind_is_from(kind))
		return m->details->n_remotes;
	return kind_is_at(kind) ? 1 : 0;
}

size_t node_place_count(const struct mapping *m)
{
	const enum mapping_kind kind = mapping_kind(m);

	return ports_of(m, kind) * (2 + elements_of(m, kind));
}

static struct node *place_node(const struct place *place)
{
	const char *first = (const char *)(place - place->at);

	return (struct node *)(uintptr_t)(first - offsetof(struct node, places));
}

static struct place *place_of(const struct link *link)
{
	return (struct place *)(uintptr_t)link;
}

bool node_place_is_by_port(const struct node *node, size_t at)
{
	const size_t ports = ports_of(&node->mapping, node->kind);

	return at >= ports && at < 2 * ports;
}

static uint16_t place_port(const struct node *node, size_t at)
{
	const size_t ports = ports_of(&node->mapping, node->kind);
	const size_t elements = elements_of(&node->mapping, node->kind);

	if (elements > 0 && at >= 2 * ports)
		at = (at - 2 * ports) / elements;
	else if (at >= ports)
		at -= ports;
	return (uint16_t)(node->mapping.external.port + at);
}

/* --------------------------------------------------------------------- keys */

struct key key_of_port(enum mapping_kind kind, uint8_t protocol, uint16_t port,
		       const struct in6_addr *addr)
{
	struct key key = { .port = port, .kind = (uint8_t)kind, .protocol = protocol };

	if (kind_is_pinhole(kind))
		key.addr = *addr;
	return key;
}

struct key key_of_external(enum mapping_kind kind, uint8_t protocol,
			   const struct endpoint *external)
{
	struct key key = key_of_port(kind, protocol, external->port, &external->addr);

	if (kind_is_at(kind)) {
		key.addr = external->addr;
		key.what = KEY_ELEMENT;
	}
	return key;
}

/* A suffix without host: two of one LAN must not meet, two of different LANs may. */
static void set_hostless(const struct table *table, const struct mapping *m,
			 struct key *key)
{
	const char *lan = mapping_lan(m);
	const uint64_t hash = siphash13(table->seed, lan, strlen(lan));

	key->addr = m->internal.addr;
	memcpy(key->addr.s6_addr, &hash, sizeof(hash));
	key->what |= KEY_HOSTLESS;
}

static struct key base_key(const struct table *table, const struct mapping *m,
			   enum mapping_kind kind, uint16_t port)
{
	struct key key = key_of_port(kind, m->protocol, port, &m->host);

	if (kind_is_pinhole(kind) && address_is_any(&m->host))
		set_hostless(table, m, &key);
	return key;
}

/* The @i-th element that a mapping with @base has at one port. */
static struct key element_key(const struct mapping *m, const struct key *base, size_t i)
{
	struct key key = *base;

	key.what |= KEY_ELEMENT;
	if (!kind_is_pinhole((enum mapping_kind)key.kind))
		key.addr = m->external.addr;
	if (kind_is_from((enum mapping_kind)key.kind)) {
		key.remote = m->details->remotes[i].addr;
		key.remote_len = m->details->remotes[i].len;
	}
	return key;
}

static struct key place_key(const struct table *table, const struct node *node, size_t at)
{
	const struct mapping *m = &node->mapping;
	const enum mapping_kind kind = node->kind;
	const struct key base = base_key(table, m, kind, place_port(node, at));
	const size_t ports = ports_of(m, kind), elements = elements_of(m, kind);

	if (elements == 0 || at < ports)
		return base;
	return element_key(m, &base, (at - 2 * ports) % elements);
}

uint64_t table_place_hash(const struct table *table, const struct node *node, size_t at)
{
	struct key key;

	if (node_place_is_by_port(node, at))
		return port_hash(node->mapping.protocol, place_port(node, at));
	if (kind_is_plain(node->kind))
		return number_of_port(node->mapping.protocol, place_port(node, at),
				      node->kind);
	key = place_key(table, node, at);
	return key_hash(table, &key);
}

/* No struct key is made: the processor would wait for it until the search before has
 * ended, and in a large table every search waits for main memory. */
struct node *table_plain(const struct table *table, enum mapping_kind kind,
			 uint8_t protocol, uint16_t port, enum generation generation)
{
	const uint64_t number = number_of_port(protocol, port, (uint8_t)kind);
	struct link *link = *table_bucket(table, BY_KEY, number);

	for (; link; link = link->next) {
		const struct place *place = place_of(link);
		struct node *node = place_node(place);

		if (place->hash == upper_half(number) && node_visible(node, generation))
			return node;
	}
	return NULL;
}

static struct node *on_key(const struct table *table, struct link *link,
			   const struct key *key, uint32_t hash,
			   enum generation generation)
{
	for (; link; link = link->next) {
		const struct place *place = place_of(link);
		struct node *node;
		struct key has;

		if (place->hash != hash)
			continue;
		node = place_node(place);
		if (!node_visible(node, generation) || kind_is_plain(node->kind))
			continue;
		has = place_key(table, node, place->at);
		if (memcmp(&has, key, sizeof(has)) == 0)
			return node;
	}
	return NULL;
}

struct node *table_node(const struct table *table, const struct key *key,
			enum generation generation)
{
	const uint64_t hash = key_hash(table, key);

	return on_key(table, *table_bucket(table, BY_KEY, hash), key, upper_half(hash),
		      generation);
}

struct node *table_node_after(const struct table *table, const struct node *node,
			      const struct key *key, enum generation generation)
{
	const struct place *place =
		&node->places[key->port - node->mapping.external.port];

	return on_key(table, place->link.next, key, place->hash, generation);
}

static uint64_t hash_of(const struct table *table, const struct table_key *wanted)
{
	const struct endpoint *external = &wanted->external;
	struct key key;

	if (kind_is_plain(wanted->kind))
		return number_of_port(wanted->protocol, external->port,
				      (uint8_t)wanted->kind);
	key = key_of_external(wanted->kind, wanted->protocol, external);
	return key_hash(table, &key);
}

/* What a comparison with the kernel's element reads of it. */
static void expect_node(const char *node)
{
	__builtin_prefetch(node);
	__builtin_prefetch(node + offsetof(struct node, mapping.host));
	__builtin_prefetch(node + offsetof(struct node, mapping.enabled));
}

/* One pass for each thing that has to come before the next can be asked for. */
void table_expect(const struct table *table, const struct table_key *keys, size_t n)
{
	struct link **buckets[TABLE_EXPECT_MAX];
	const struct place *place;

	assert(n <= TABLE_EXPECT_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct table_key *key = &keys[i];

		buckets[i] = table_bucket(table, BY_KEY, hash_of(table, key));
		__builtin_prefetch(buckets[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (!*buckets[i])
			continue;
		place = place_of(*buckets[i]);
		__builtin_prefetch(place);
		/* most are at the first of their places */
		expect_node((const char *)place - offsetof(struct node, places));
	}
}

/* @base is the key of the port, @i the element there. */
static struct node *element_at(const struct table *table, const struct mapping *m,
			       const struct key *base, size_t i,
			       enum generation generation)
{
	struct key key = *base;

	if (elements_of(m, (enum mapping_kind)base->kind) > 0)
		key = element_key(m, base, i);
	return table_node(table, &key, generation);
}

static struct node *conflict_at(const struct table *table, const struct mapping *m,
				uint16_t port, enum generation generation,
				const struct node *except)
{
	const enum mapping_kind kind = mapping_kind(m);
	const size_t elements = elements_of(m, kind);
	struct node *node;
	struct key base;

	if (kind_is_plain(kind)) {
		node = table_plain(table, kind, m->protocol, port, generation);
		return node == except ? NULL : node;
	}
	base = base_key(table, m, kind, port);
	for (size_t i = 0; i < (elements ? elements : 1); i++) {
		node = element_at(table, m, &base, i, generation);
		if (node && node != except)
			return node;
	}
	return NULL;
}

static struct node *range_over(const struct table *table, const struct mapping *m,
			       enum generation generation, const struct node *except)
{
	const struct port_range ports = { m->external.port, mapping_last_port(m) };
	const struct key key = base_key(table, m, mapping_kind(m), ports.first);
	struct node *node = table_range_over(table, &key, &ports, generation);

	return node == except ? NULL : node;
}

struct node *table_same_element(const struct table *table, const struct mapping *m,
				enum generation generation, const struct node *except)
{
	struct node *node = NULL;

	if (mapping_is_range(m))
		return range_over(table, m, generation, except);
	for (size_t i = 0; i < m->n_ports && !node; i++)
		node = conflict_at(table, m, (uint16_t)(m->external.port + i), generation,
				   except);
	return node;
}

struct node *table_conflict(const struct table *table, const struct mapping *m,
			    enum generation generation, const struct node *except)
{
	struct mapping hostless = *m;
	struct node *node;

	if (m->suffix && !address_is_any(&m->host)) {
		mapping_settle_host(&hostless, NULL);
		node = table_same_element(table, &hostless, generation, except);
		if (node)
			return node;
	}
	return table_same_element(table, m, generation, except);
}

struct key table_range_key(const struct table *table, const struct node *node)
{
	return base_key(table, &node->mapping, node->kind, node->mapping.external.port);
}

static struct node *on_port(struct link *link, uint8_t protocol, uint16_t port,
			    uint32_t hash)
{
	for (; link; link = link->next) {
		const struct place *place = place_of(link);
		struct node *node = place_node(place);

		if (place->hash == hash && node->mapping.protocol == protocol &&
		    place_port(node, place->at) == port)
			return node;
	}
	return NULL;
}

struct node *table_first_on_port(const struct table *table, uint8_t protocol,
				 uint16_t port)
{
	const uint64_t hash = port_hash(protocol, port);

	return on_port(*table_bucket(table, BY_PORT, hash), protocol, port,
		       upper_half(hash));
}

struct node *table_next_on_port(const struct node *node, uint16_t port)
{
	const struct mapping *m = &node->mapping;
	const struct place *place = &node->places[m->n_ports + (port - m->external.port)];

	return on_port(place->link.next, m->protocol, port, place->hash);
}

/* ------------------------------------------------------------ names and ids */

static struct node *node_at(struct link *link, size_t offset)
{
	return (struct node *)(uintptr_t)((char *)link - offset);
}

struct node *table_node_by_id(const struct table *table, uint64_t id,
			      enum generation generation)
{
	struct link *link = *table_bucket(table, BY_ID, id);

	for (; link; link = link->next) {
		struct node *node = node_at(link, offsetof(struct node, by_id));

		if (node_visible(node, generation) && node->mapping.id == id)
			return node;
	}
	return NULL;
}

struct node *table_node_by_name(const struct table *table, const char *name,
				uint8_t protocol, enum generation generation)
{
	struct link *link =
		*table_bucket(table, BY_NAME, table_name_hash(table, name, protocol));

	for (; link; link = link->next) {
		struct node *node = node_at(link, offsetof(struct node, by_name));

		if (node_visible(node, generation) &&
		    node->mapping.protocol == protocol &&
		    strcmp(node->mapping.name, name) == 0)
			return node;
	}
	return NULL;
}
