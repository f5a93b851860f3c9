/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * table_private - what table.c (lookup) and plan.c (staging) share, and nobody else
 */

#include <assert.h>
#include <stdbool.h>

#include "core/table.h"

/* Every mapping is in each of these, but for BY_NAME where it has no name. BY_PORT
 * (protocol and external port) holds those of the next generation only. */
enum index { BY_EXTERNAL, BY_ID, BY_NAME, BY_PORT };
#define INDEX_COUNT (BY_PORT + 1)

enum generation { PRESENT, NEXT };

/** struct link - a place in a chain of one bucket */
struct link {
	struct link *next;
	struct link **pprev;
};

/**
 * struct node - a mapping and its places in the table
 * @mapping: first, so that a borrowed mapping leads back to its node
 * @staged:  added by the open plan: the present generation does not see it
 * @leaving: removed by the open plan: the next generation does not see it
 * @links:   next to what a search asks of every node that it meets: in a large table all
 *           of it comes from main memory
 * @prev, @next: neighbours in order of id; @next also chains what a plan buried
 */
struct node {
	struct mapping mapping;
	bool staged;
	bool leaving;
	struct link links[INDEX_COUNT];
	struct node *prev, *next;
};

static_assert(offsetof(struct node, mapping) == 0, "node_of() casts");

/**
 * struct table
 * @n_present, @n_next: mappings that each generation sees
 * @mask:    number of buckets of each index, less one
 * @buckets: one allocation, index after index
 */
struct table {
	size_t capacity;
	size_t mask;
	size_t n_present, n_next;
	uint64_t next_id;
	struct node *first, *last;
	struct plan *plan;
	struct link **buckets;
	uint8_t seed[16];
};

static inline struct node *node_of(const struct mapping *m)
{
	return (struct node *)(uintptr_t)m;
}

static inline bool node_visible(const struct node *node, enum generation generation)
{
	return generation == PRESENT ? !node->staged : !node->leaving;
}

struct node *table_node(const struct table *table, uint8_t protocol,
			const struct endpoint *external, enum generation generation);
struct node *table_node_by_id(const struct table *table, uint64_t id,
			      enum generation generation);
struct node *table_node_by_name(const struct table *table, const char *name,
				uint8_t protocol, enum generation generation);

/** The first mapping of the next generation with that protocol and external port. */
struct node *table_first_on_port(const struct table *table, uint8_t protocol,
				 uint16_t port);
struct node *table_next_on_port(const struct node *node);

/** table_link() - into every index and the list; table_unlink() out of all again,
 * table_unlink_port() out of BY_PORT alone.
 *
 * A node that was taken out keeps its pointers, so that the relink functions can put it
 * back, provided that everything done since has been undone in reverse order. */
void table_link(struct table *table, struct node *node);
void table_unlink(struct table *table, struct node *node);
void table_relink(struct table *table, struct node *node);
void table_unlink_port(struct node *node);
void table_relink_port(struct node *node);
/** table_unlink() of what table_unlink_port() has taken out already */
void table_unlink_rest(struct table *table, struct node *node);

/** struct verdicts - results of one request: @n from @start on in the plan's array */
struct verdicts {
	size_t start;
	size_t n;
	bool refused;
};

/**
 * struct plan
 * @first_id: the table's next id before the plan
 * @buried:   mappings that are in no generation any more
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
};

/** plan_undo() - take back the newest effects until @n_effects are left */
void plan_undo(struct plan *plan, size_t n_effects, uint64_t next_id);
