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

#include "core/table_private.h"

static void bury(struct plan *plan, struct node *node)
{
	node->next = plan->buried;
	plan->buried = node;
}

static void undo(struct plan *plan, const struct effect *effect)
{
	struct node *node = node_of(effect->mapping);
	struct table *table = plan->table;

	switch (effect->kind) {
	case CHANGE_ADD:
		table_unlink(table, node);
		table->n_next--;
		/* the id goes to another; as a holder it is one that has none yet */
		node->mapping.id = 0;
		bury(plan, node);
		break;
	case CHANGE_REMOVE:
		node->leaving = false;
		if (node->staged)
			table_relink(table, node);
		else
			table_relink_port(node);
		table->n_next++;
		break;
	}
}

void plan_undo(struct plan *plan, size_t n_effects, uint64_t next_id)
{
	while (plan->n_effects > n_effects)
		undo(plan, &plan->effects[--plan->n_effects]);
	plan->table->next_id = next_id;
}

void table_commit(struct table *table, struct plan *plan)
{
	assert(table->plan == plan && !plan->committed);

	for (size_t i = 0; i < plan->n_effects; i++) {
		struct node *node = node_of(plan->effects[i].mapping);

		switch (plan->effects[i].kind) {
		case CHANGE_ADD:
			/* what the plan itself removes again stays out */
			node->staged = node->leaving;
			break;
		case CHANGE_REMOVE:
			if (!node->staged)
				table_unlink_rest(table, node);
			bury(plan, node);
			break;
		}
	}
	table->n_present = table->n_next;
	plan->committed = true;
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
		free(node);
	}
	free(plan->effects);
	free(plan->results);
	free(plan->requests);
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
