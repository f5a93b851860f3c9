/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * apply - changes elements of a table that is known
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/chains.h"
#include "rules/derived.h"
#include "rules/fault.h"
#include "rules/skeleton.h"
#include "rules/smallsets.h"

/* ------------------------------------------------------------------ plans */

/**
 * struct applying - a plan on its way
 * @added: elements put into @b, by enum set_id
 * @ports: whose chains have to be written
 * @shape: of the ruleset afterwards
 */
struct applying {
	struct ruleset *rs;
	const struct plan *plan;
	struct batch b;
	size_t added[SET_COUNT];
	size_t removed[SET_COUNT];
	struct restricted_list ports;
	struct keys spare[PROTOCOL_COUNT];
	uint64_t shape;
};

static size_t elements_after(const struct applying *a, enum set_id id)
{
	const struct derived *d = a->rs->derived;

	if (set_is_of_backs(id))
		return d->backs.elements[id];
	return d->elements[id] + a->added[id] - a->removed[id];
}

static bool same_remotes(const struct mapping *a, const struct mapping *b)
{
	size_t n_a, n_b;
	const struct prefix *x = mapping_remotes(a, &n_a), *y = mapping_remotes(b, &n_b);

	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!prefix_equal(&x[i], &y[i]))
			return false;
	return true;
}

/* What the kernel does not know of may change. */
static bool same_in_kernel(const struct mapping *a, const struct mapping *b)
{
	if (!mapping_is_live(a) || !mapping_is_live(b))
		return mapping_is_live(a) == mapping_is_live(b);
	return a->protocol == b->protocol && a->n_ports == b->n_ports &&
	       a->internal.port == b->internal.port &&
	       address_equal(&a->host, &b->host) &&
	       endpoint_equal(&a->external, &b->external) && same_remotes(a, b);
}

static void put_elements(struct applying *a, const struct mapping *m, bool add)
{
	enum mapping_kind kind = mapping_kind(m);
	size_t n = mapping_elements(m);
	struct mapping_element e;

	for (size_t i = 0; i < n; i++) {
		mapping_element(m, i, &e);
		mapping_element_put(&a->b, kind,
				    add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
				    add ? NLM_F_CREATE | NLM_F_EXCL : 0, &e);
	}
	if (add)
		a->added[set_of_mappings(kind)] += n;
	else
		a->removed[set_of_mappings(kind)] += n;
}

static void put_keep(struct applying *a, const struct mapping *m, bool add)
{
	struct keys keys = { 0 };
	enum set_id id;

	if (!keep_concerns(a->rs->derived->backs.symmetry, m, &id))
		return;
	keep_add(&keys, m);
	if (keys.error)
		batch_fail(&a->b, keys.error);
	else
		key_put(&a->b, id, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
			&keys.keys[0]);
	*(add ? &a->added[id] : &a->removed[id]) += 1;
	keys_done(&keys);
}

static int derive(struct applying *a, const struct mapping *m, bool add)
{
	struct derived *d = a->rs->derived;
	int r = 0;

	if (!add) {
		usage_remove(&d->usage, m);
		if (backs_concern(&d->backs, m))
			backs_remove(&d->backs, m, &a->b);
		return 0;
	}
	r = usage_add(&d->usage, m);
	if (r == 0 && backs_concern(&d->backs, m))
		r = backs_add(&d->backs, m, &a->rs->addresses.wan, &a->b);
	return r;
}

static int put_mapping(struct applying *a, const struct mapping *m, bool add)
{
	int r = 0;

	if (!mapping_is_live(m))
		return 0;
	if (kind_is_restricted(mapping_kind(m)))
		r = restricted_list_add(&a->ports, m);
	else
		put_elements(a, m, add);
	put_keep(a, m, add);
	return r < 0 ? r : derive(a, m, add);
}

static int put_effect(struct applying *a, const struct effect *effect)
{
	const struct mapping *m = effect->mapping;
	int r;

	switch (effect->kind) {
	case CHANGE_ADD:
		return put_mapping(a, m, true);
	case CHANGE_REMOVE:
		return put_mapping(a, m, false);
	case CHANGE_UPDATE:
		if (same_in_kernel(effect->before, m))
			return 0;
		r = put_mapping(a, effect->before, false);
		return r < 0 ? r : put_mapping(a, m, true);
	}
	return 0;
}

/* ------------------------------------------------------------------ chains */

/* The element goes first: nothing leads to the chain any more. */
static void delete_restricted(struct applying *a, enum set_id id, const struct key *k)
{
	key_put(&a->b, id, NFT_MSG_DELSETELEM, k);
	chain_flush(&a->b, k->chain);
	chain_delete(&a->b, k->chain);
	a->removed[id]++;
}

/* Those that stay go on counting; a few packets that come meanwhile are lost to it. */
static int rewrite_chain(struct applying *a, const struct restricted *port,
			 const char *chain, bool was)
{
	struct rule rule = { .batch = &a->b };
	struct slot_list before = { 0 };
	int r;

	if (was)
		(void)slot_list_of_chain(&before, a->rs, chain);
	if (was)
		chain_flush(&a->b, chain);
	else
		chain_put(&a->b, chain);
	r = restricted_put_rules(&rule, plan_table(a->plan), NEXT, port, &before);
	slot_list_done(&before);
	return r;
}

static int put_restricted(struct applying *a, const struct restricted *port)
{
	const struct table *table = plan_table(a->plan);
	enum set_id id = set_of_mappings(port->kind);
	bool was = restricted_is_used(table, PRESENT, port);
	char chain[CHAIN_ROOM];
	struct key k;
	int r;

	restricted_key(port, &k, chain);
	if (!restricted_is_used(table, NEXT, port)) {
		if (was)
			delete_restricted(a, id, &k);
		return 0;
	}
	r = rewrite_chain(a, port, chain, was);
	if (r == 0 && !was) {
		key_put(&a->b, id, NFT_MSG_NEWSETELEM, &k);
		a->added[id]++;
	}
	return r;
}

/* ------------------------------------------------------------------ spare ports */

static void delete_spare(struct batch *b, const struct keys *old, const struct keys *new)
{
	for (size_t i = 0; i < old->n; i++) {
		const char *chain = old->keys[i].chain;

		if (!chain || keys_lead_to(old, i, chain) ||
		    keys_lead_to(new, new->n, chain))
			continue;
		chain_flush(b, chain);
		chain_delete(b, chain);
	}
}

static void put_spare(struct applying *a, unsigned i)
{
	const struct keys *old = &a->rs->derived->spare[i], *new = &a->spare[i];

	keys_take_away(&a->b, set_of_spare(i), old, new);
	delete_spare(&a->b, old, new);
	spare_put_chains(&a->b, a->rs, old, new, a->shape);
	keys_put(&a->b, set_of_spare(i), old, new);
}

/* Only here it is known which sets will have elements, and so which rules there are. */
static int put_shape(struct applying *a)
{
	struct derived after = *a->rs->derived;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < PROTOCOL_COUNT; i++) {
		r = usage_spare(&after.usage, i, &a->spare[i]);
		after.spare[i] = a->spare[i];
	}
	if (r < 0)
		return r;
	for (enum set_id id = 0; id < SET_COUNT; id++)
		after.elements[id] = elements_after(a, id);
	a->shape = (a->rs->shape & ADDRESSES_SHAPE) | derived_shape(&after);
	skeleton_reshape(&a->b, a->rs, a->rs->shape, a->shape);
	for (unsigned i = 0; i < PROTOCOL_COUNT; i++)
		put_spare(a, i);
	return 0;
}

static int put_plan(struct applying *a, uint64_t sequence)
{
	int r = 0;

	memset(a->rs->derived->backs.added, 0, sizeof(a->rs->derived->backs.added));
	for (size_t i = 0; r == 0 && i < plan_size(a->plan); i++)
		r = put_effect(a, plan_effect_at(a->plan, i));
	restricted_list_sort(&a->ports);
	for (size_t i = 0; r == 0 && i < a->ports.n; i++)
		r = put_restricted(a, &a->ports.ports[i]);
	if (r == 0)
		r = put_shape(a);
	sequence_put(&a->b, sequence);
	return r;
}

/* ------------------------------------------------------------------ sending */

/* The kernel's verdict was lost; the number it carries now tells which it was. */
static int find_verdict(struct ruleset *rs, uint64_t sequence)
{
	uint64_t found;
	int r = ruleset_sequence(rs, &found);

	return r == 0 && found == sequence ? 0 : -ESTALE;
}

/* Elements that there are at most while the transaction is worked through: what goes
 * makes room at its end. */
static int make_room(struct applying *a, struct ruleset_fault *why)
{
	const struct derived *d = a->rs->derived;
	size_t need[SET_COUNT];

	if (!a->rs->can_own)
		return 0;
	for (enum set_id id = 0; id < SET_COUNT; id++)
		need[id] = d->elements[id] + a->added[id] + d->backs.added[id];
	return ruleset_stale(ruleset_make_room(a->rs, need, why));
}

static int send_plan(struct applying *a, uint64_t sequence, struct ruleset_fault *why)
{
	int r = make_room(a, why);

	if (r < 0)
		return r;
	r = watch_send(a->rs, &a->b, why);
	return r == -ENOBUFS ? find_verdict(a->rs, sequence) : ruleset_stale(r);
}

static void settle(struct applying *a)
{
	struct derived *d = a->rs->derived;

	for (enum set_id id = 0; id < SET_COUNT; id++)
		d->elements[id] = elements_after(a, id);
	for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
		keys_done(&d->spare[i]);
		d->spare[i] = a->spare[i];
		a->spare[i] = (struct keys){ 0 };
	}
	a->rs->shape = a->shape;
}

/* What was derived has gone ahead of the kernel. */
static void step_back(struct applying *a)
{
	struct ruleset *rs = a->rs;
	enum symmetry symmetry = rs->derived->backs.symmetry;
	struct restricted_list ports = { 0 };
	struct keys keep[2] = { 0 };

	derived_done(rs->derived);
	if (derived_make(rs->derived, plan_table(a->plan), symmetry, &rs->addresses.wan,
			 &ports, keep) < 0)
		rs->synced = false;
	restricted_list_done(&ports);
	keys_done(&keep[0]);
	keys_done(&keep[1]);
}

int ruleset_apply(struct ruleset *rs, const struct plan *plan, uint64_t sequence,
		  struct ruleset_fault *why)
{
	struct applying a = { .rs = rs, .plan = plan };
	int r;

	fault_set(why, "%s", "");
	if (!rs->synced)
		return -ESTALE;
	batch_begin(&a.b, rs);
	r = put_plan(&a, sequence);
	if (r == 0)
		r = send_plan(&a, sequence, why);
	if (r == 0)
		settle(&a);
	else
		step_back(&a);
	batch_done(&a.b);
	restricted_list_done(&a.ports);
	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		keys_done(&a.spare[i]);
	return r;
}
