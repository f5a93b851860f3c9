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
struct conditions;
struct lan_prefix_list;

/*
 * Two mappings conflict when they would serve the same first packets with the same
 * precedence: same protocol and family, an external port in common, the same external
 * address (given, or any), and a remote prefix in common (or both for anybody). A mapping
 * that is more particular takes its part of a wider one, in the order of enum
 * mapping_kind; among those limited to remote prefixes a given external address comes
 * before any, then the longer prefix before the shorter.
 */

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

/** table_is_staged() - is a plan open? Until it is freed there can be no other */
bool table_is_staged(const struct table *table);

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

/** enum generation - the table as it is; as the open plan would make it (without one,
 * the same) */
enum generation { PRESENT, NEXT };

/* Borrowed pointers, good until the next table_commit() or plan_free(); or NULL. All but
 * table_restricted() look at the present generation. */

/** table_find() - the mapping of @kind with that external port (of a range: any of its
 * ports) and address; not of the _FROM kinds, where there may be several */
const struct mapping *table_find(const struct table *table, enum mapping_kind kind,
				 uint8_t protocol, const struct endpoint *external);

#define TABLE_EXPECT_MAX 64

/** struct table_key - what table_find() asks for */
struct table_key {
	enum mapping_kind kind;
	uint8_t protocol;
	struct endpoint external;
};

/**
 * table_expect() - these are going to be asked for
 * @n: at most TABLE_EXPECT_MAX
 *
 * Changes nothing but time: in a large table every search waits for main memory, and so
 * they wait together.
 */
void table_expect(const struct table *table, const struct table_key *keys, size_t n);

/**
 * table_match() - which mapping serves a first packet?
 * @dialled: address and port it was sent to
 * @is_wan:  the address is one of our WANs'; else only pinholes are looked at
 * @remote:  where it comes from
 *
 * Those not in the kernel (disabled, host unknown) are passed over. At most one hash
 * lookup for each kind, one step for each mapping limited to remote prefixes at that
 * port, and one for each range.
 */
const struct mapping *table_match(const struct table *table, uint8_t protocol,
				  const struct endpoint *dialled, bool is_wan,
				  const struct in6_addr *remote);

/** table_restricted() - walk the mappings of @kind (a _FROM kind) that serve @external's
 * port; of pinholes those of its address. NULL starts, and ends; in no order */
const struct mapping *table_restricted(const struct table *table,
				       enum generation generation, enum mapping_kind kind,
				       uint8_t protocol, const struct endpoint *external,
				       const struct mapping *prev);

/** mapping_takes() - does @taker, while it is in force, take a part of the packets that
 * @m would get? */
bool mapping_takes(const struct mapping *taker, const struct mapping *m);

/**
 * table_shadowing() - mappings in force that take a part of @m's first packets
 * @ret: at most @max written, in order of id
 * Return: their number, which may be above @max.
 */
size_t table_shadowing(const struct table *table, const struct mapping *m,
		       const struct mapping **ret, size_t max);

const struct mapping *table_find_id(const struct table *table, uint64_t id);
const struct mapping *table_find_name(const struct table *table, const char *name,
				      uint8_t protocol);
/** table_next() - in order of id; NULL starts, and ends */
const struct mapping *table_next(const struct table *table, const struct mapping *prev);

#define table_for_each(table, m)                                                         \
	for ((m) = table_next((table), NULL); (m); (m) = table_next((table), (m)))

/** table_owned() - mappings of ORIGIN_ADMIN that @uid owns */
size_t table_owned(const struct table *table, uint32_t uid);

/** table_next_expiry() - when the first lease ends (milliseconds of the lease clock), 0 =
 * there is none. O(1) */
uint64_t table_next_expiry(const struct table *table);

/**
 * table_expired() - append to @ret a CHANGE_REMOVE, expired, for each mapping whose lease
 * has ended at @lease_now
 * @max: no more than these
 *
 * Return: 0 or -ENOMEM.
 */
int table_expired(const struct table *table, uint64_t lease_now, size_t max,
		  struct change_list *ret);

/**
 * table_settle_hosts() - prefixes of LANs have changed: the hosts of all suffixes follow
 * @ret_changed: how many did
 *
 * No plan may be open. Cannot fail. Where two mappings would then be one and the same in
 * the kernel (a suffix meets a full address), the suffix has no host until they no longer
 * are.
 */
void table_settle_hosts(struct table *table, const struct lan_prefix_list *lans,
			size_t *ret_changed);

/**
 * table_stage() - what would become of these requests, judged one after the other?
 * @table:    no other plan may be open on it
 * @requests: lists; each stands or falls as a whole, each is judged against the table
 *            as those before it leave it. Mappings come resolved or not, values are
 *            valid (checked where they were parsed)
 * @n:        number of requests
 * @at:       how the world is now; looked at until table_stage() returns
 * @ret:      owned by the caller; written on success only. Keeps no pointer to @requests
 *            but references to details and rights
 *
 * Asking for what is already so (same endpoints, remotes, number of ports; same name or
 * no name given) is no conflict, RFC 6887 11.2.1: VERDICT_UNCHANGED, or where a lease was
 * asked for and the mapping has one, VERDICT_CHANGED: it is renewed. Who asks without the
 * right to the mapping that is there gets VERDICT_CONFLICT.
 *
 * External port 0 is chosen here: the internal number if free, else one of @at->pool with
 * the range class (below 1024 or not) and parity of the internal one where there is one
 * (RFC 4787 4.2.2, 4.2.3; RFC 7857 section 3 makes that "where possible"); of a range all
 * ports together. Free: no conflict, no listener, not reserved, and allowed to who asks.
 * With "tcp,udp" both get the same number.
 *
 * The same list may remove a mapping and add another in its place.
 *
 * Return: 0, or -ENOMEM. A refusal is a verdict in the plan.
 */
int table_stage(struct table *table, const struct change_list *requests, size_t n,
		const struct conditions *at, struct plan **ret);

/** table_commit() - put the plan into force. The plan stays readable, and open, until
 * plan_free() */
void table_commit(struct table *table, struct plan *plan);

/** plan_free() - forget it; what was not committed never happened. NULL is fine */
void plan_free(struct plan *plan);

/**
 * struct effect - one step that store, kernel and table take, in order
 * @kind:    CHANGE_ADD, CHANGE_REMOVE, or CHANGE_UPDATE: @before becomes @mapping, same
 * id
 * @mapping: complete, with id; borrowed until plan_free()
 * @before:  CHANGE_UPDATE, else NULL
 * @request: index into @requests
 * @expired: a lease that ended
 * @drain:   established connections may go on
 * @held:    nobody's change: the router above us holds it, or does no longer
 * @ended:   for the engine: how many connections were ended because of it
 */
struct effect {
	enum change_kind kind;
	const struct mapping *mapping;
	const struct mapping *before;
	size_t request;
	bool expired;
	bool drain;
	bool held;
	uint32_t ended;
};

/* Effects of the requests that stand; refused requests have none. */
size_t plan_size(const struct plan *plan);
struct effect *plan_effect(struct plan *plan, size_t i);
const struct effect *plan_effect_at(const struct plan *plan, size_t i);
const struct table *plan_table(const struct plan *plan);
/** plan_slots() - mapping_slots() of all that is added or changed */
size_t plan_slots(const struct plan *plan);

/**
 * struct result - what became of one change
 * @verdict: VERDICT_ADDED, _REMOVED, _CHANGED, _UNCHANGED, or a refusal
 * @change:  index into its request's list
 * @effect:  index of the effect, or SIZE_MAX (unchanged, refused)
 * @mapping: the mapping added, removed, changed or already there; of a refusal the one in
 *           the way, or NULL. One that the refused request itself would have added has id
 *           0. Borrowed until plan_free()
 * @shadowed: of an added mapping: listeners of the gateway that get nothing any more
 *           (@force)
 */
struct result {
	enum verdict verdict;
	size_t change;
	size_t effect;
	const struct mapping *mapping;
	size_t shadowed;
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

/**
 * plan_refusal() - all that is to be said of a refused request; plan_refused() was true
 * @ret: holders and texts borrowed until plan_free()
 */
void plan_refusal(const struct plan *plan, size_t request, struct refusal *ret);

/** plan_shadowed() - listeners that an added mapping with @result->shadowed takes the
 * port of, at most REFUSAL_LISTENERS_MAX written. Return: how many were */
size_t plan_shadowed(const struct plan *plan, const struct result *result,
		     struct listener ret[static REFUSAL_LISTENERS_MAX]);
