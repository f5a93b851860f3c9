/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * Staging works on the table's next generation and writes down each step as an effect.
 * Effects are also the way back: undone from the last to the first, they leave every
 * chain as it was, without memory. So a refused request takes back its own effects, a
 * dropped plan all of them, and a commit merely turns the next generation into the
 * present one.
 *
 * A mapping that has left the table is buried, not freed: results, and the holders they
 * name, are good until plan_free().
 */

#include <stdlib.h>
#include <string.h>

#include "core/table_private.h"

static void bury(struct plan *plan, struct node *node)
{
	node->next = plan->buried;
	plan->buried = node;
}

/* An id from @next_id on goes to another mapping: as a holder it is one that has none
 * yet.
 */
static void bury_undone(struct plan *plan, struct node *node, uint64_t next_id)
{
	if (node->mapping.id >= next_id)
		node->mapping.id = 0;
	bury(plan, node);
}

static void undo(struct plan *plan, const struct effect *effect, uint64_t next_id)
{
	struct node *node = node_of(effect->mapping);
	struct table *table = plan->table;

	switch (effect->kind) {
	case CHANGE_ADD:
		table_forget(table, node);
		bury_undone(plan, node, next_id);
		break;
	case CHANGE_UPDATE:
		table_forget(table, node);
		table_return(table, node_of(effect->before));
		bury_undone(plan, node, next_id);
		break;
	case CHANGE_REMOVE:
		table_return(table, node);
		break;
	}
}

void plan_undo(struct plan *plan, size_t n_effects, uint64_t next_id)
{
	while (plan->n_effects > n_effects)
		undo(plan, &plan->effects[--plan->n_effects], next_id);
	while (plan->n_shades > 0 && plan->shades[plan->n_shades - 1].effect >= n_effects)
		plan->n_shades--;
	plan->table->next_id = next_id;
}

static void arrive(struct table *table, struct node *node)
{
	/* what the plan itself removes again stays out */
	if (node->leaving)
		return;
	node->staged = false;
	table_lease_put(table, node);
}

static void depart(struct plan *plan, struct node *node)
{
	if (!node->staged) {
		table_remove(plan->table, node);
		table_lease_take(plan->table, node);
	}
	bury(plan, node);
}

void table_commit(struct table *table, struct plan *plan)
{
	assert(table->plan == plan && !plan->committed);

	for (size_t i = 0; i < plan->n_effects; i++) {
		const struct effect *effect = &plan->effects[i];

		switch (effect->kind) {
		case CHANGE_ADD:
			arrive(table, node_of(effect->mapping));
			break;
		case CHANGE_UPDATE:
			arrive(table, node_of(effect->mapping));
			depart(plan, node_of(effect->before));
			break;
		case CHANGE_REMOVE:
			depart(plan, node_of(effect->mapping));
			break;
		}
	}
	table->n[PRESENT] = table->n[NEXT];
	table_ranges_commit(table);
	table_owners_commit(table);
	plan->committed = true;
}

static void note_free(struct note *note)
{
	if (!note)
		return;
	rights_unref(note->rights);
	free(note);
}

void plan_free(struct plan *plan)
{
	struct node *next;

	if (!plan)
		return;
	if (!plan->committed)
		plan_undo(plan, 0, plan->first_id);
	plan->table->plan = NULL;
	for (struct node *node = plan->buried; node; node = next) {
		next = node->next;
		node_free(node);
	}
	for (size_t i = 0; plan->requests && i < plan->n_requests; i++)
		note_free(plan->requests[i].note);
	free(plan->effects);
	free(plan->results);
	free(plan->requests);
	free(plan->shades);
	free(plan);
}

size_t plan_size(const struct plan *plan)
{
	return plan->n_effects;
}

struct effect *plan_effect(struct plan *plan, size_t i)
{
	assert(i < plan->n_effects);
	return &plan->effects[i];
}

const struct effect *plan_effect_at(const struct plan *plan, size_t i)
{
	assert(i < plan->n_effects);
	return &plan->effects[i];
}

const struct table *plan_table(const struct plan *plan)
{
	return plan->table;
}

size_t plan_slots(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_effects; i++)
		if (plan->effects[i].kind != CHANGE_REMOVE)
			n += mapping_slots(plan->effects[i].mapping);
	return n;
}

bool plan_refused(const struct plan *plan, size_t request)
{
	assert(request < plan->n_requests);
	return plan->requests[request].refused;
}

const struct result *plan_results(const struct plan *plan, size_t request, size_t *ret_n)
{
	const struct verdicts *verdicts = &plan->requests[request];

	assert(request < plan->n_requests);
	*ret_n = verdicts->n;
	return verdicts->n > 0 ? plan->results + verdicts->start : NULL;
}

void plan_refusal(const struct plan *plan, size_t request, struct refusal *ret)
{
	const struct verdicts *verdicts = &plan->requests[request];
	const struct result *result = plan->results + verdicts->start;

	assert(plan_refused(plan, request));
	*ret = verdicts->note ? verdicts->note->refusal : (struct refusal){ 0 };
	ret->verdict = result->verdict;
	if (ret->n_holders == 0 && result->mapping) {
		ret->holders = &result->mapping;
		ret->n_holders = 1;
	}
}

size_t plan_shadowed(const struct plan *plan, const struct result *result,
		     struct listener ret[static REFUSAL_LISTENERS_MAX])
{
	for (size_t i = 0; result->shadowed && i < plan->n_shades; i++) {
		const struct shade *shade = &plan->shades[i];

		if (shade->effect == result->effect) {
			memcpy(ret, shade->listeners, shade->n * sizeof(struct listener));
			return shade->n;
		}
	}
	return 0;
}
