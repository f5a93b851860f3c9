/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage - judges requests against the next generation of the table
 *
 * How that is taken back or put into force: plan.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/table_private.h"

#define FIRST_ROOM 4

/**
 * struct staging - the request that is being judged
 * @change: index of the change
 * @first_effect, @first_id: where the request began
 */
struct staging {
	struct plan *plan;
	struct table *table;
	struct verdicts *verdicts;
	size_t request;
	size_t change;
	size_t first_effect;
	uint64_t first_id;
};

DEFINE_CLEANUP(plan_free, struct plan *)

static size_t grown(size_t room)
{
	return room ? room + room / 2 : FIRST_ROOM;
}

static int push_effect(struct plan *plan, const struct effect *effect)
{
	struct effect *more;

	if (plan->n_effects == plan->effects_room) {
		more = reallocarray(plan->effects, grown(plan->effects_room),
				    sizeof(*more));
		if (!more)
			return -ENOMEM;
		plan->effects = more;
		plan->effects_room = grown(plan->effects_room);
	}
	plan->effects[plan->n_effects++] = *effect;
	return 0;
}

static int push_result(struct staging *s, enum verdict verdict, const struct node *node)
{
	struct plan *plan = s->plan;
	struct result *more;

	if (plan->n_results == plan->results_room) {
		more = reallocarray(plan->results, grown(plan->results_room),
				    sizeof(*more));
		if (!more)
			return -ENOMEM;
		plan->results = more;
		plan->results_room = grown(plan->results_room);
	}
	plan->results[plan->n_results++] = (struct result){
		.verdict = verdict,
		.change = s->change,
		.effect = SIZE_MAX,
		.mapping = node ? &node->mapping : NULL,
	};
	return 0;
}

/* The @n newest results are refusals: they become all that there is of the request. */
static int refuse_all(struct staging *s, size_t n)
{
	struct plan *plan = s->plan;
	struct result *results = plan->results;

	plan_undo(plan, s->first_effect, s->first_id);
	memmove(results + s->verdicts->start, results + plan->n_results - n,
		n * sizeof(*results));
	plan->n_results = s->verdicts->start + n;
	s->verdicts->refused = true;
	return 0;
}

static int refuse(struct staging *s, enum verdict verdict, const struct node *holder)
{
	int r;

	r = push_result(s, verdict, holder);
	return r < 0 ? r : refuse_all(s, 1);
}

static int add(struct staging *s, const struct mapping *m)
{
	const struct effect effect = { .kind = CHANGE_ADD, .request = s->request };
	struct node *node;
	int r;

	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	r = push_effect(s->plan, &effect);
	if (r < 0) {
		free(node);
		return r;
	}
	node->mapping = *m;
	node->mapping.id = s->table->next_id++;
	node->staged = true;
	s->plan->effects[s->plan->n_effects - 1].mapping = &node->mapping;
	table_link(s->table, node);
	s->table->n_next++;

	r = push_result(s, VERDICT_ADDED, node);
	if (r < 0)
		return r;
	s->plan->results[s->plan->n_results - 1].effect = s->plan->n_effects - 1;
	return 0;
}

/* @holder has the external endpoint of @m: is what is asked for already so? */
static bool is_so(const struct mapping *holder, const struct mapping *m)
{
	if (!endpoint_equal(&holder->internal, &m->internal))
		return false;
	/* the file does not rename what a person has added */
	if (m->origin == ORIGIN_CONFIG && holder->origin == ORIGIN_ADMIN)
		return true;
	return !m->name[0] || strcmp(m->name, holder->name) == 0;
}

static int stage_mapping(struct staging *s, const struct mapping *m)
{
	const struct node *holder;

	holder = table_node(s->table, m->protocol, &m->external, NEXT);
	if (holder && is_so(&holder->mapping, m))
		return push_result(s, VERDICT_UNCHANGED, holder);
	if (holder)
		return refuse(s, VERDICT_CONFLICT, holder);
	if (m->name[0]) {
		holder = table_node_by_name(s->table, m->name, m->protocol, NEXT);
		if (holder)
			return refuse(s, VERDICT_NAME_TAKEN, holder);
	}
	if (s->table->n_next >= s->table->capacity)
		return refuse(s, VERDICT_TABLE_FULL, NULL);
	return add(s, m);
}

static int stage_add(struct staging *s, const struct change *change)
{
	static const struct {
		uint8_t bit, protocol;
	} protocols[] = {
		{ PROTOCOL_BIT_TCP, IPPROTO_TCP },
		{ PROTOCOL_BIT_UDP, IPPROTO_UDP },
	};
	struct mapping m = change->mapping;
	int r;

	mapping_resolve(&m);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!(change->protocols & protocols[i].bit))
			continue;
		m.protocol = protocols[i].protocol;
		r = stage_mapping(s, &m);
		if (r < 0 || s->verdicts->refused)
			return r;
	}
	return 0;
}

static bool fits(const struct node *node, const struct selector *selector)
{
	const struct mapping *m = &node->mapping;

	return (!selector->id || selector->id == m->id) &&
	       (!selector->port || selector->port == m->external.port) &&
	       (!selector->protocol || selector->protocol == m->protocol) &&
	       (!selector->name[0] || strcmp(selector->name, m->name) == 0);
}

static int push_fit(struct staging *s, const struct node *node,
		    const struct selector *selector)
{
	if (!node || !fits(node, selector))
		return 0;
	return push_result(s, VERDICT_REMOVED, node);
}

static int push_fits_on_port(struct staging *s, const struct selector *selector,
			     uint8_t protocol)
{
	const struct node *node = table_first_on_port(s->table, protocol, selector->port);
	int r = 0;

	for (; node && r == 0; node = table_next_on_port(node))
		r = push_fit(s, node, selector);
	return r;
}

static int push_fits_of_all(struct staging *s, const struct selector *selector)
{
	int r = 0;

	for (const struct node *node = s->table->first; node && r == 0;
	     node = node->next) {
		if (node_visible(node, NEXT))
			r = push_fit(s, node, selector);
	}
	return r;
}

/* A result for each mapping that @selector fits, found by the narrowest index. */
static int push_fits(struct staging *s, const struct selector *selector)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	const struct node *node;
	int r = 0;

	if (selector->id)
		return push_fit(s, table_node_by_id(s->table, selector->id, NEXT),
				selector);
	if (!selector->name[0] && !selector->port)
		return push_fits_of_all(s, selector);

	for (size_t i = 0; i < ARRAY_SIZE(protocols) && r == 0; i++) {
		if (!selector->name[0]) {
			r = push_fits_on_port(s, selector, protocols[i]);
			continue;
		}
		node = table_node_by_name(s->table, selector->name, protocols[i], NEXT);
		r = push_fit(s, node, selector);
	}
	return r;
}

static int by_id(const void *a, const void *b)
{
	const struct result *first = a, *second = b;

	return first->mapping->id < second->mapping->id ? -1 : 1;
}

static int refuse_ambiguous(struct staging *s, size_t n)
{
	struct result *fits = s->plan->results + s->plan->n_results - n;

	for (size_t i = 0; i < n; i++)
		fits[i].verdict = VERDICT_AMBIGUOUS;
	return refuse_all(s, n);
}

static int take(struct staging *s, struct result *result)
{
	const struct effect effect = {
		.kind = CHANGE_REMOVE,
		.mapping = result->mapping,
		.request = s->request,
	};
	struct node *node = node_of(result->mapping);
	int r;

	r = push_effect(s->plan, &effect);
	if (r < 0)
		return r;
	result->effect = s->plan->n_effects - 1;
	node->leaving = true;
	if (node->staged)
		table_unlink(s->table, node);
	else
		table_unlink_port(node);
	s->table->n_next--;
	return 0;
}

static int take_all(struct staging *s, size_t n)
{
	struct result *fits = s->plan->results + s->plan->n_results - n;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = take(s, &fits[i]);
	return r;
}

static int stage_remove(struct staging *s, const struct change *change)
{
	const struct selector *selector = &change->selector;
	const size_t first = s->plan->n_results;
	const struct result *results;
	size_t n;
	int r;

	r = push_fits(s, selector);
	if (r < 0)
		return r;
	n = s->plan->n_results - first;
	if (n == 0)
		return refuse(s, VERDICT_NOT_FOUND, NULL);
	results = s->plan->results + first;
	qsort(s->plan->results + first, n, sizeof(*results), by_id);
	if (n > 1 && !selector->id && !selector->name[0])
		return refuse_ambiguous(s, n);
	for (size_t i = 0; i < n && !change->config_too; i++) {
		if (results[i].mapping->origin == ORIGIN_CONFIG)
			return refuse(s, VERDICT_OF_CONFIG, node_of(results[i].mapping));
	}
	return take_all(s, n);
}

static int stage_change(struct staging *s, const struct change *change)
{
	switch (change->kind) {
	case CHANGE_ADD:
		return stage_add(s, change);
	case CHANGE_REMOVE:
		return stage_remove(s, change);
	}
	return 0;
}

static int stage_request(struct plan *plan, const struct change_list *list,
			 size_t request)
{
	struct staging s = {
		.plan = plan,
		.table = plan->table,
		.verdicts = &plan->requests[request],
		.request = request,
		.first_effect = plan->n_effects,
		.first_id = plan->table->next_id,
	};
	int r = 0;

	s.verdicts->start = plan->n_results;
	for (; s.change < list->n && r == 0 && !s.verdicts->refused; s.change++)
		r = stage_change(&s, &list->changes[s.change]);
	s.verdicts->n = plan->n_results - s.verdicts->start;
	return r;
}

int table_stage(struct table *table, const struct change_list *requests, size_t n,
		struct plan **ret)
{
	CLEANUP(plan_free) struct plan *plan = NULL;
	int r;

	assert(!table->plan);
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	plan->table = table;
	plan->first_id = table->next_id;
	plan->n_requests = n;
	table->plan = plan;
	plan->requests = calloc(n ? n : 1, sizeof(*plan->requests));
	if (!plan->requests)
		return -ENOMEM;

	for (size_t i = 0; i < n; i++) {
		r = stage_request(plan, &requests[i], i);
		if (r < 0)
			return r;
	}
	*ret = TAKE(plan);
	return 0;
}
