/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * wanted - the table as it should be
 */

#include <errno.h>

#include "rules/chains.h"
#include "rules/skeleton.h"
#include "rules/sync.h"

bool set_has_keys(enum set_id id)
{
	return set_is_small(id) || set_is_derived(id) ||
	       (set_is_of_mappings(id) && set_is_verdict_map(&set_specs[id]));
}

const struct keys *sync_wanted(const struct sync *s, enum set_id id)
{
	if (id >= SET_SPARE_TCP && id <= SET_SPARE_UDPLITE)
		return &s->wanted.derived.spare[id - SET_SPARE_TCP];
	return &s->wanted.keys[id];
}

static int want_small(struct sync *s)
{
	const struct contents contents = { s->options, s->addresses, s->sequence };
	int r = 0;

	for (enum set_id id = 0; r == 0 && id < SET_COUNT; id++)
		if (set_is_small(id))
			r = keys_wanted(&s->wanted.keys[id], id, &contents);
	return r;
}

static int want_backs(struct wanted *w)
{
	int r = 0;

	for (enum set_id id = 0; r == 0 && id < SET_COUNT; id++)
		if (set_is_of_backs(id))
			r = backs_wanted(&w->derived.backs, id, &w->keys[id]);
	return r;
}

static int want_port(struct sync *s, struct rule *r, const struct restricted *port)
{
	enum set_id id = set_of_mappings(port->kind);
	char chain[CHAIN_ROOM];
	struct key k;

	restricted_key(port, &k, chain);
	keys_add_verdict(&s->wanted.keys[id], k.bytes, NULL, set_specs[id].key_len,
			 k.verdict, chain);
	chain_put(r->batch, chain);
	return restricted_put_rules(r, s->table, PRESENT, port, NULL);
}

static int want_restricted(struct sync *s, struct rule *rule,
			   const struct restricted_list *ports)
{
	int r = 0, error;

	for (size_t i = 0; r == 0 && i < ports->n; i++)
		r = want_port(s, rule, &ports->ports[i]);
	for (enum mapping_kind kind = 0; kind < MAPPING_KINDS; kind++) {
		if (!kind_is_restricted(kind))
			continue;
		error = keys_sort(&s->wanted.keys[set_of_mappings(kind)]);
		r = r < 0 ? r : error;
	}
	return r;
}

/* Several elements may lead to one chain. */
static void want_spare(struct skeleton *s, const struct keys *spare)
{
	struct spare_chain c;

	for (size_t i = 0; i < spare->n; i++) {
		const char *chain = spare->keys[i].chain;

		if (!chain || keys_lead_to(spare, i, chain) ||
		    !spare_chain_parse(chain, &c))
			continue;
		chain_put(s->rule.batch, chain);
		chain_spare(s, &c);
	}
}

static int want_chains(struct sync *s, const struct restricted_list *ports)
{
	struct wanted *w = &s->wanted;
	struct skeleton skeleton = { .rule = { .batch = &w->chain_steps,
					       .image = &w->chains },
				     .shape = w->shape };
	int r;

	batch_begin(&w->chain_steps, s->rs);
	r = want_restricted(s, &skeleton.rule, ports);
	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		want_spare(&skeleton, &w->derived.spare[i]);
	image_add_batch(&w->chains, &w->chain_steps);
	image_sort(&w->chains);
	if (r == 0)
		r = w->chain_steps.error ? w->chain_steps.error : w->chains.error;
	return r;
}

static uint64_t shape_of(const struct wanted *w)
{
	uint64_t shape = derived_shape(&w->derived);

	for (enum set_id id = 0; id < SET_COUNT; id++)
		if (set_is_small(id) && w->keys[id].n)
			shape |= set_bit(id);
	return shape;
}

static int want_all(struct sync *s, struct restricted_list *ports)
{
	struct wanted *w = &s->wanted;
	int r = derived_make(&w->derived, s->table, s->options->symmetry,
			     &s->addresses->wan, ports, &w->keys[SET_KEEP4]);

	if (r == 0)
		r = want_small(s);
	if (r == 0)
		r = want_backs(w);
	if (r < 0)
		return r;
	for (enum set_id id = 0; id < SET_COUNT; id++)
		w->room[id] = ruleset_room_for(s->rs, id, derived_most(&w->derived, id));
	w->shape = shape_of(w);
	batch_begin(&w->skeleton, s->rs);
	skeleton_put(&w->skeleton, &w->image, s->options, s->rs->protocols, w->shape,
		     w->room);
	r = w->skeleton.error ? w->skeleton.error : w->image.error;
	return r < 0 ? r : want_chains(s, ports);
}

int sync_describe(struct sync *s)
{
	struct restricted_list ports = { 0 };
	int r = want_all(s, &ports);

	restricted_list_done(&ports);
	return r;
}

void wanted_done(struct wanted *wanted)
{
	batch_done(&wanted->skeleton);
	batch_done(&wanted->chain_steps);
	image_done(&wanted->image);
	image_done(&wanted->chains);
	derived_done(&wanted->derived);
	for (enum set_id id = 0; id < SET_COUNT; id++)
		keys_done(&wanted->keys[id]);
}
