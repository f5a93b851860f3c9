/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * table - every mapping that is in force
 *
 * Pure memory: no clock, no socket, no file; the same table and the same question
 * give the same answer. A list of changes takes effect in two steps, so that the store
 * and the kernel can refuse in between:
 *
 *	table_stage()	may say no;	nothing that the other functions see changes
 *	table_commit()	cannot fail;	takes effect
 *	plan_free()	of a plan that was not committed: it never happened
 *
 * Theory of operation: two generations, as nf_tables keeps them. A staged mapping is
 * already linked into the indexes, visible to the next generation only; a removed one
 * stays, visible to the present one only. Hence one plan at a time per table.
 */

#include "core/outcome.h"

struct table;
struct plan;

/**
 * table_new()
 * @capacity: mappings it takes at most; more is VERDICT_TABLE_FULL
 * @seed:     secret key of the hash, so that nobody can choose colliding keys
 *
 * Return: owned by the caller, or NULL (no memory).
 */
struct table *table_new(size_t capacity, const uint8_t seed[static 16]);
void table_free(struct table *table); /* NULL is fine; no plan may be open */

size_t table_size(const struct table *table);
size_t table_capacity(const struct table *table);

/** The id the next mapping will get; ids below it are never used again. */
uint64_t table_next_id(const struct table *table);
/** a lower id than the next is ignored */
void table_set_next_id(struct table *table, uint64_t id);

/**
 * table_load() - put in a mapping as the store holds it, id and all
 *
 * Return: 0; -EEXIST when its id, external endpoint or name is there already; -ENOSPC
 * over capacity; -EINVAL when it is no valid mapping (id 0 or above INT64_MAX - 1, bad
 * name, protocol, port or address, not resolved); -ENOMEM.
 */
int table_load(struct table *table, const struct mapping *m);

/* Borrowed pointers, good until the next table_commit() or plan_free(); or NULL. */
const struct mapping *table_find(const struct table *table, uint8_t protocol,
				 const struct endpoint *external);

#define TABLE_EXPECT_MAX 64

/** struct table_key - what table_find() asks for */
struct table_key {
	struct endpoint external;
	uint8_t protocol;
};

/**
 * table_expect() - these are going to be asked for
 * @n: at most TABLE_EXPECT_MAX
 *
 * Changes nothing but time: in a large table every search waits for main memory, and so
 * they wait together.
 */
void table_expect(const struct table *table, const struct table_key *keys, size_t n);

const struct mapping *table_find_id(const struct table *table, uint64_t id);
const struct mapping *table_find_name(const struct table *table, const char *name,
				      uint8_t protocol);
/** table_next() - in order of id; NULL starts, and ends */
const struct mapping *table_next(const struct table *table, const struct mapping *prev);

#define table_for_each(table, m)                                                         \
	for ((m) = table_next((table), NULL); (m); (m) = table_next((table), (m)))

/**
 * table_stage() - what would become of these requests, judged one after the other?
 * @table:    no other plan may be open on it
 * @requests: lists; each stands or falls as a whole, each is judged against the table
 *            as those before it leave it. Mappings come resolved or not, values are
 *            valid (checked where they were parsed)
 * @n:        number of requests
 * @ret:      owned by the caller; written on success only. Keeps no pointer to @requests
 *
 * Asking for what is already so (same endpoints, same name or no name given) is
 * VERDICT_UNCHANGED, not a conflict: RFC 6887 11.2.1.
 *
 * Return: 0, or -ENOMEM. A refusal is a verdict in the plan.
 */
int table_stage(struct table *table, const struct change_list *requests, size_t n,
		struct plan **ret);

/** table_commit() - put the plan into force. The plan stays readable, and open, until
 * plan_free() */
void table_commit(struct table *table, struct plan *plan);

/** plan_free() - forget it; what was not committed never happened. NULL is fine */
void plan_free(struct plan *plan);

/**
 * struct effect - one step that store, kernel and table take, in order
 * @kind:    CHANGE_ADD or CHANGE_REMOVE
 * @mapping: complete, with id; borrowed until plan_free()
 * @request: index into @requests
 * @ended:   for the engine: how many connections were ended because of it
 */
struct effect {
	enum change_kind kind;
	const struct mapping *mapping;
	size_t request;
	uint32_t ended;
};

/* Effects of the requests that stand; refused requests have none. */
size_t plan_size(const struct plan *plan);
struct effect *plan_effect(struct plan *plan, size_t i);
const struct effect *plan_effect_at(const struct plan *plan, size_t i);

/**
 * struct result - what became of one change
 * @verdict: VERDICT_ADDED, _REMOVED, _UNCHANGED, or a refusal
 * @change:  index into its request's list
 * @effect:  index of the effect, or SIZE_MAX (unchanged, refused)
 * @mapping: the mapping added, removed or already there; of a refusal the one in the
 *           way, or NULL. One that the refused request itself would have added has id 0.
 *           Borrowed until plan_free()
 */
struct result {
	enum verdict verdict;
	size_t change;
	size_t effect;
	const struct mapping *mapping;
};

/** plan_refused() - was request @request refused? Then its results hold only refusals */
bool plan_refused(const struct plan *plan, size_t request);

/**
 * plan_results() - results of one request, in order of its changes
 * @ret_n: their number: one per mapping for a change that stands ("tcp,udp" gives two,
 *         removing a name gives as many as it stood for); for a refused request the
 *         refusals of the first change that was refused (AMBIGUOUS: one result for each
 *         mapping that fits, else one)
 *
 * Return: borrowed until plan_free().
 */
const struct result *plan_results(const struct plan *plan, size_t request, size_t *ret_n);
