/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * table_private - what the table's files and those that stage share, and nobody else
 */

#include <assert.h>
#include <stdbool.h>

#include "core/table.h"

/* Every mapping is in each of these, but for BY_NAME where it has no name, and ranges,
 * which have a list of their own instead of BY_KEY and BY_PORT. BY_PORT (protocol and
 * external port) holds those of the next generation only. */
enum index { BY_KEY, BY_PORT, BY_ID, BY_NAME };
#define INDEX_COUNT (BY_NAME + 1)

/** struct link - a place in a chain of one bucket */
struct link {
	struct link *next;
	struct link **pprev;
};

/**
 * struct place - one of a mapping's links in BY_KEY or BY_PORT
 * @at:   its number in the node, by which it leads back there
 * @hash: the half of the hash that does not choose the bucket: a search passes most of
 *        what it does not look for without touching its node
 */
struct place {
	struct link link;
	uint32_t at;
	uint32_t hash;
};

/**
 * struct key - what a place in BY_KEY answers to
 * @addr:   of pinholes the host; of elements the external address; else zero
 * @remote: of elements of the _FROM kinds
 * @what:   of KEY_* bits
 */
struct key {
	struct in6_addr addr;
	struct in6_addr remote;
	uint16_t port;
	uint8_t kind;
	uint8_t protocol;
	uint8_t remote_len;
	uint8_t what;
	uint8_t zero[2];
};

/* of the _FROM and _AT kinds: one element as the kernel has it; else all at that port */
#define KEY_ELEMENT (1u << 0)
/* @addr is a host suffix and what stands for its LAN: where the host is, is not known */
#define KEY_HOSTLESS (1u << 1)

static_assert(sizeof(struct key) == 40, "keys are hashed and compared as bytes");

/**
 * struct node - a mapping and its places in the table
 * @mapping: first, so that a borrowed mapping leads back to its node; holds a reference
 *           to its details
 * @prev, @next: neighbours in order of id; @next also chains what a plan buried
 * @lease:   position in the heap of leases, from 1; 0 = not there
 * @moves:   its host is about to be another (table_settle_hosts())
 * @kind:    mapping_kind() of it, which searches ask of every node that they meet
 * @staged:  added by the open plan: the present generation does not see it
 * @leaving: removed by the open plan: the next generation does not see it. Both next to
 *           the places: in a large table what a search asks for comes from main memory
 * @places:  node_place_count() of them: for each port one in BY_KEY, then for each port
 *           one in BY_PORT, then for each port and each of its elements one in BY_KEY
 */
struct node {
	struct mapping mapping;
	struct link by_id, by_name;
	struct node *prev, *next;
	uint32_t lease;
	bool moves;
	uint8_t kind;
	bool staged;
	bool leaving;
	struct place places[];
};

static_assert(offsetof(struct node, mapping) == 0, "node_of() casts");

/** struct ranges - nodes of the range kinds, in either generation sorted by kind,
 * protocol, address and first port; within a generation no two overlap */
struct ranges {
	struct node **nodes[2]; /* enum generation */
	size_t n[2];
	size_t room;
};

/** struct owner - mappings of ORIGIN_ADMIN that @uid owns
 * @scratch: for who has to count something else by owner */
struct owner {
	uint32_t uid;
	uint32_t n[2]; /* enum generation */
	uint32_t scratch;
};

#define PORT_WORDS (65536 / 64)

/**
 * struct table
 * @n:       mappings that each generation sees
 * @n_suffix: mappings with a host suffix in either generation
 * @version: moves with every step that the next generation takes
 * @mask:    number of buckets of each index, less one
 * @buckets: one allocation, index after index
 * @owners:  sorted by uid
 * @leases:  heap, the first to end on top; of the present generation
 * @taken:   bits for ports that FORWARD4 and FORWARD6 of the next generation have, by
 *           protocol
 */
struct table {
	size_t capacity;
	size_t mask;
	size_t n[2]; /* enum generation */
	size_t n_suffix;
	uint64_t next_id;
	uint64_t version;
	struct node *first, *last;
	struct plan *plan;
	struct link **buckets;
	struct ranges ranges;
	struct owner *owners;
	size_t n_owners, owners_room;
	struct node **leases;
	size_t n_leases, leases_room;
	uint8_t seed[16];
	uint64_t taken[2][PROTOCOL_COUNT][PORT_WORDS];
};

static inline struct node *node_of(const struct mapping *m)
{
	return (struct node *)(uintptr_t)m;
}

static inline const struct mapping *mapping_of(const struct node *node)
{
	return node ? &node->mapping : NULL;
}

static inline bool node_visible(const struct node *node, enum generation generation)
{
	return generation == PRESENT ? !node->staged : !node->leaving;
}

static inline bool kind_is_from(enum mapping_kind kind)
{
	return kind == MAPPING_FORWARD4_FROM || kind == MAPPING_FORWARD6_FROM ||
	       kind == MAPPING_PINHOLE6_FROM;
}

static inline bool kind_is_at(enum mapping_kind kind)
{
	return kind == MAPPING_FORWARD4_AT || kind == MAPPING_FORWARD6_AT;
}

static inline bool kind_is_range(enum mapping_kind kind)
{
	return kind == MAPPING_RANGE4 || kind == MAPPING_RANGE6 ||
	       kind == MAPPING_PINRANGE6;
}

/* to any WAN address, for anybody: almost all mappings */
static inline bool kind_is_plain(enum mapping_kind kind)
{
	return kind == MAPPING_FORWARD4 || kind == MAPPING_FORWARD6;
}

static inline bool kind_is_pinhole(enum mapping_kind kind)
{
	return kind >= MAPPING_PINHOLE6_FROM;
}

/** table_taken() - the bits of FORWARD4 or FORWARD6 */
static inline uint64_t *table_taken(struct table *table, enum mapping_kind kind,
				    uint8_t protocol)
{
	const int i = __builtin_ctz(protocol_bit(protocol));

	return table->taken[kind == MAPPING_FORWARD6][i];
}

/** room_grown() - how large an array of @room becomes when it is full */
static inline size_t room_grown(size_t room)
{
	return room ? room + room / 2 : 4;
}

/* ------------------------------------------------------- table.c: nodes */

/** node_new() - a copy of @m, in no table. Return: NULL without memory */
struct node *node_new(const struct mapping *m);
void node_free(struct node *node);

/** table_reserve() - room for what @m needs beside its node, in both generations, so that
 * table_link() and what comes after cannot fail; @leases: how many more the present
 * generation is about to get. Return: 0 or -ENOMEM */
int table_reserve(struct table *table, const struct mapping *m, size_t leases);

/* ------------------------------------------- table_lookup.c: what is found */

struct link **table_bucket(const struct table *table, enum index index, uint64_t hash);
uint64_t table_name_hash(const struct table *table, const char *name, uint8_t protocol);
/** table_place_hash() - of the place that @node has at @at, in its index */
uint64_t table_place_hash(const struct table *table, const struct node *node, size_t at);
/** node_place_is_by_port() - is it in BY_PORT? else in BY_KEY */
bool node_place_is_by_port(const struct node *node, size_t at);

/** node_place_count() - of a mapping that is resolved */
size_t node_place_count(const struct mapping *m);

/** key_of_port() - of all mappings of @kind that serve @port; @addr: of pinholes the host
 */
struct key key_of_port(enum mapping_kind kind, uint8_t protocol, uint16_t port,
		       const struct in6_addr *addr);

/** key_of_external() - of the one mapping of @kind, no _FROM kind, that has @external */
struct key key_of_external(enum mapping_kind kind, uint8_t protocol,
			   const struct endpoint *external);

/** table_plain() - the mapping of a plain kind that has @port */
struct node *table_plain(const struct table *table, enum mapping_kind kind,
			 uint8_t protocol, uint16_t port, enum generation generation);

/** table_node() - of the other kinds, but for ranges: the first that has @key and that
 * @generation sees, or NULL; table_node_after() goes on behind @node, with a
 * key_of_port() */
struct node *table_node(const struct table *table, const struct key *key,
			enum generation generation);
struct node *table_node_after(const struct table *table, const struct node *node,
			      const struct key *key, enum generation generation);

/**
 * table_same_element() - a mapping of @generation, other than @except, that would be the
 * same element of the kernel's as @m (resolved, and its host settled) somewhere; or NULL
 */
struct node *table_same_element(const struct table *table, const struct mapping *m,
				enum generation generation, const struct node *except);

/** table_conflict() - the same, or one with the same suffix that waits for its host,
 * because another mapping has it */
struct node *table_conflict(const struct table *table, const struct mapping *m,
			    enum generation generation, const struct node *except);

/** table_range_key() - by which ranges are sorted: as key_of_port() of the first port */
struct key table_range_key(const struct table *table, const struct node *node);

/** The first mapping of the next generation with that protocol and external port. No
 * ranges. */
struct node *table_first_on_port(const struct table *table, uint8_t protocol,
				 uint16_t port);
struct node *table_next_on_port(const struct node *node, uint16_t port);

struct node *table_node_by_id(const struct table *table, uint64_t id,
			      enum generation generation);
struct node *table_node_by_name(const struct table *table, const char *name,
				uint8_t protocol, enum generation generation);

/* --------------------------------------------- table_index.c: in and out */

/**
 * table_link() - put @node into every index, the list, and the next generation
 * @before: has just left for it, with the same id; or NULL
 *
 * What takes it out again: table_forget() undoes it; table_leave() takes it out of the
 * next generation, and where the present one does not see it either out of everything;
 * table_remove() what has left, out of the rest.
 *
 * A node that has left keeps its pointers, so that table_return() can undo table_leave(),
 * provided that everything done since has been undone in reverse order.
 */
void table_link(struct table *table, struct node *node, struct node *before);
void table_forget(struct table *table, struct node *node);
void table_leave(struct table *table, struct node *node);
void table_return(struct table *table, struct node *node);
void table_remove(struct table *table, struct node *node);

/** table_rekey() - @node, with a suffix, gets the host that it has in @prefix, or none;
 * no plan is open */
void table_rekey(struct table *table, struct node *node, const struct in6_addr *prefix);

/* --------------------------------------------- table_ranges.c: ranges, owners */

int table_ranges_reserve(struct table *table);
void table_ranges_put(struct table *table, enum generation generation, struct node *node);
void table_ranges_take(struct table *table, enum generation generation,
		       const struct node *node);
void table_ranges_commit(struct table *table);

/** table_range_over() - a range with @key, but for its port, that has one of @ports */
struct node *table_range_over(const struct table *table, const struct key *key,
			      const struct port_range *ports, enum generation generation);

/** table_owners_tidy() - forget who owns nothing, if there is no room for others; no step
 * of a plan may be taken yet that could be undone */
void table_owners_tidy(struct table *table);
int table_owner_reserve(struct table *table, const struct mapping *m);
/** table_owner_count() - @by 1 or -1 */
void table_owner_count(struct table *table, enum generation generation,
		       const struct mapping *m, int by);
void table_owners_commit(struct table *table);
struct owner *table_owner(const struct table *table, uint32_t uid);

/* ------------------------------------------------- table_leases.c: the heap */

/** table_leases_reserve() - for @more of them. Return: 0 or -ENOMEM */
int table_leases_reserve(struct table *table, size_t more);
void table_lease_put(struct table *table, struct node *node); /* static ones: nothing */
void table_lease_take(struct table *table, struct node *node);

/* ---------------------------------------------------------- plan.c: the plan */

struct note;

/** struct verdicts - results of one request: @n from @start on in the plan's array
 * @note: of a refusal, where results do not say it all; or NULL */
struct verdicts {
	size_t start;
	size_t n;
	bool refused;
	struct note *note;
};

/**
 * struct note - of a refused request, what its results do not say
 * @rights:  a reference: @refusal.denial borrows of it
 * @holders: what @refusal.holders points to
 */
struct note {
	struct refusal refusal;
	struct rights *rights;
	const struct mapping *holders[];
};

/** struct shade - what an added mapping has taken the port of; @n of @listeners */
struct shade {
	size_t effect;
	size_t n;
	struct listener listeners[REFUSAL_LISTENERS_MAX];
};

/** struct pool_count - what became of the last search in vain, good for the same question
 * while @version is the table's */
struct pool_count {
	uint64_t version;
	uint8_t protocols;
	uint8_t kind;
	bool known;
	struct in6_addr addr;
	struct pool_use use;
};

/**
 * struct plan
 * @first_id: the table's next id before the plan
 * @buried:   mappings that are in no generation any more
 * @n_leases: nodes with a lease that the plan has made: room for them is reserved
 * @place:    where the next search for a port begins
 */
struct plan {
	struct table *table;
	bool committed;
	uint64_t first_id;
	struct node *buried;
	struct effect *effects;
	size_t n_effects, effects_room;
	struct result *results;
	size_t n_results, results_room;
	struct verdicts *requests;
	size_t n_requests;
	struct shade *shades;
	size_t n_shades, shades_room;
	size_t n_leases;
	size_t place;
	struct pool_count pool;
};

/** plan_undo() - take back the newest effects until @n_effects are left */
void plan_undo(struct plan *plan, size_t n_effects, uint64_t next_id);
