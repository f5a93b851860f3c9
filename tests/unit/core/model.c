/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <string.h>

#include "model.h"

static void answer_result(struct model_answer *answer, enum verdict verdict,
			  size_t change, uint64_t id)
{
	const bool effect = verdict == VERDICT_ADDED || verdict == VERDICT_REMOVED;

	cr_assert_lt(answer->n_results, MODEL_RESULTS_MAX);
	answer->results[answer->n_results++] =
		(struct model_result){ verdict, change, id, effect };
	if (effect)
		answer->effects[answer->n_effects++] = (struct model_effect){
			verdict == VERDICT_ADDED ? CHANGE_ADD : CHANGE_REMOVE, id
		};
}

static bool model_refuse(struct model_answer *answer, enum verdict verdict, size_t change,
			 uint64_t id)
{
	if (!answer->refused)
		answer->n_results = answer->n_effects = 0;
	answer->refused = true;
	answer_result(answer, verdict, change, id);
	return false;
}

static bool model_add(struct model *model, const struct mapping *m, size_t change,
		      struct model_answer *answer)
{
	const struct mapping *endpoint = NULL, *name = NULL;

	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *other = &model->mappings[i];

		if (other->protocol != m->protocol)
			continue;
		if (endpoint_equal(&other->external, &m->external))
			endpoint = other;
		if (m->name[0] && strcmp(other->name, m->name) == 0)
			name = other;
	}
	if (endpoint && endpoint_equal(&endpoint->internal, &m->internal) &&
	    (!m->name[0] || endpoint == name ||
	     (m->origin == ORIGIN_CONFIG && endpoint->origin == ORIGIN_ADMIN))) {
		answer_result(answer, VERDICT_UNCHANGED, change, endpoint->id);
		return true;
	}
	if (endpoint)
		return model_refuse(answer, VERDICT_CONFLICT, change, endpoint->id);
	if (name)
		return model_refuse(answer, VERDICT_NAME_TAKEN, change, name->id);
	if (model->n == model->capacity)
		return model_refuse(answer, VERDICT_TABLE_FULL, change, 0);
	model->mappings[model->n] = *m;
	model->mappings[model->n].id = model->next_id++;
	answer_result(answer, VERDICT_ADDED, change, model->mappings[model->n].id);
	model->n++;
	return true;
}

static bool model_add_each(struct model *model, const struct change *change, size_t at,
			   struct model_answer *answer)
{
	struct mapping m = change->mapping;

	mapping_resolve(&m);
	m.protocol = IPPROTO_TCP;
	if (change->protocols & PROTOCOL_BIT_TCP && !model_add(model, &m, at, answer))
		return false;
	m.protocol = IPPROTO_UDP;
	return !(change->protocols & PROTOCOL_BIT_UDP) ||
	       model_add(model, &m, at, answer);
}

static bool model_fits(const struct mapping *m, const struct selector *s)
{
	if (s->id && m->id != s->id)
		return false;
	if (s->protocol && m->protocol != s->protocol)
		return false;
	if (s->port && m->external.port != s->port)
		return false;
	return !s->name[0] || strcmp(s->name, m->name) == 0;
}

static void model_take(struct model *model, uint64_t id)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->n; i++) {
		if (model->mappings[i].id != id)
			model->mappings[kept++] = model->mappings[i];
	}
	model->n = kept;
}

static bool model_remove(struct model *model, const struct change *change, size_t at,
			 struct model_answer *answer)
{
	const struct selector *s = &change->selector;
	const struct mapping *fits[MODEL_MAX];
	uint64_t ids[MODEL_MAX];
	size_t n = 0;

	for (size_t i = 0; i < model->n; i++) {
		if (model_fits(&model->mappings[i], s))
			fits[n++] = &model->mappings[i];
	}
	if (n == 0)
		return model_refuse(answer, VERDICT_NOT_FOUND, at, 0);
	for (size_t i = 0; i < n && n > 1 && !s->id && !s->name[0]; i++)
		model_refuse(answer, VERDICT_AMBIGUOUS, at, fits[i]->id);
	for (size_t i = 0; i < n && !answer->refused; i++) {
		ids[i] = fits[i]->id;
		if (fits[i]->origin == ORIGIN_CONFIG && !change->config_too)
			return model_refuse(answer, VERDICT_OF_CONFIG, at, fits[i]->id);
	}
	for (size_t i = 0; i < n && !answer->refused; i++) {
		answer_result(answer, VERDICT_REMOVED, at, ids[i]);
		model_take(model, ids[i]);
	}
	return !answer->refused;
}

void model_judge(struct model *model, const struct change_list *list,
		 struct model_answer *answer)
{
	const struct model before = *model;

	answer->refused = false;
	answer->n_results = answer->n_effects = 0;
	for (size_t i = 0; i < list->n && !answer->refused; i++) {
		if (list->changes[i].kind == CHANGE_ADD)
			model_add_each(model, &list->changes[i], i, answer);
		else
			model_remove(model, &list->changes[i], i, answer);
	}
	if (!answer->refused)
		return;
	*model = before;
	/* what the list itself had added has no id any more */
	for (size_t i = 0; i < answer->n_results; i++) {
		if (answer->results[i].id >= before.next_id)
			answer->results[i].id = 0;
	}
}
