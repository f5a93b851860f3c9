/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "model.h"

struct details *model_details(const char *lan, const char *comment,
			      const struct prefix *remotes, size_t n)
{
	static struct details *all[256];
	struct details *d;
	size_t i;

	cr_assert_eq(details_new(lan, comment, remotes, n, &d), 0);
	for (i = 0; d && all[i] && !details_equal(all[i], d); i++)
		cr_assert_lt(i + 1, ARRAY_SIZE(all));
	if (!d)
		return NULL;
	if (all[i])
		details_unref(d);
	else
		all[i] = d;
	return all[i];
}

static bool is_of_the_router(const struct change *change)
{
	return change->kind == CHANGE_UPDATE && change->patch.set == PATCH_HELD;
}

void model_result(struct model_asking *a, enum verdict verdict, uint64_t id)
{
	const bool effect = verdict == VERDICT_ADDED || verdict == VERDICT_REMOVED ||
			    verdict == VERDICT_CHANGED;
	struct model_answer *answer = a->answer;

	cr_assert_lt(answer->n_results, MODEL_RESULTS_MAX);
	answer->results[answer->n_results++] = (struct model_result){
		.verdict = verdict, .change = a->index, .id = id, .effect = effect
	};
	if (effect)
		answer->effects[answer->n_effects++] = (struct model_effect){
			.kind = verdict == VERDICT_ADDED     ? CHANGE_ADD
				: verdict == VERDICT_REMOVED ? CHANGE_REMOVE
							     : CHANGE_UPDATE,
			.id = id,
			.expired = verdict == VERDICT_REMOVED && a->change->expired,
			.drain = a->change->drain,
			.held = is_of_the_router(a->change),
		};
}

bool model_refuse(struct model_asking *a, enum verdict verdict, uint64_t id)
{
	struct model_answer *answer = a->answer;

	if (!answer->refused)
		answer->n_results = answer->n_effects = 0;
	answer->refused = true;
	model_result(a, verdict, id);
	return false;
}

bool model_deny(struct model_asking *a, enum right missing, uint64_t id)
{
	a->answer->missing = missing;
	return model_refuse(a, VERDICT_NOT_PERMITTED, id);
}

/* ------------------------------------------------- removing and altering */

static bool model_fits(const struct mapping *m, const struct selector *s)
{
	if (s->id && m->id != s->id)
		return false;
	if (s->protocol && m->protocol != s->protocol)
		return false;
	if (s->port && !model_has_port(m, s->port))
		return false;
	return !s->name[0] || strcmp(s->name, m->name) == 0;
}

/* Which ones the selector means. Return: false = refused */
static bool model_select(struct model_asking *a, uint64_t ids[MODEL_MAX], size_t *n)
{
	const struct selector *s = &a->change->selector;
	const struct model *model = a->model;

	*n = 0;
	for (size_t i = 0; i < model->n; i++) {
		if (model_fits(&model->mappings[i], s))
			ids[(*n)++] = model->mappings[i].id;
	}
	if (*n == 0 && !a->change->expired)
		return model_refuse(a, VERDICT_NOT_FOUND, 0);
	for (size_t i = 0; i < *n && *n > 1 && !s->id && !s->name[0]; i++)
		model_refuse(a, VERDICT_AMBIGUOUS, ids[i]);
	if (a->answer->refused)
		return false;
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *m = &model->mappings[i];

		if (!model_fits(m, s))
			continue;
		if (m->origin == ORIGIN_CONFIG && !a->change->config_too)
			return model_refuse(a, VERDICT_OF_CONFIG, m->id);
		if (!rights_own(a->list->rights, m))
			return model_deny(a, RIGHT_OWN, m->id);
	}
	return true;
}

/* Of one that was selected, so it is there. */
static struct mapping *by_id(struct model *model, uint64_t id)
{
	for (size_t i = 0; i < model->n; i++) {
		if (model->mappings[i].id == id)
			return &model->mappings[i];
	}
	abort();
}

static bool model_remove(struct model_asking *a, uint64_t id)
{
	struct model *model = a->model;
	const struct mapping *m = by_id(model, id);
	size_t at = (size_t)(m - model->mappings);

	if (a->change->expired && (!m->expires || m->expires > a->at->lease_now)) {
		model_result(a, VERDICT_UNCHANGED, id);
		return true;
	}
	model->n--;
	memmove(&model->mappings[at], &model->mappings[at + 1],
		(model->n - at) * sizeof(*m));
	model_result(a, VERDICT_REMOVED, id);
	return true;
}

/* Return: false = there is no such LAN */
static bool move_to(const struct model_asking *a, struct mapping *m,
		    const struct patch *patch)
{
	const char *lan = patch->details ? patch->details->lan : "";
	struct change change = { .mapping = *m };
	const struct model_asking moved = { .change = &change, .at = a->at };

	if (mapping_is_pinhole(m))
		change.mapping.external.addr = address_any6;
	change.mapping.suffix = patch->suffix;
	change.mapping.internal.addr = patch->internal.addr;
	if (patch->internal.port)
		change.mapping.internal.port = patch->internal.port;
	if (!patch->suffix || *lan)
		change.mapping.details =
			model_details(patch->suffix ? lan : "", mapping_comment(m),
				      m->details ? m->details->remotes : NULL,
				      m->details ? m->details->n_remotes : 0);
	*m = model_at_port(&moved, m->protocol, m->external.port);
	return !m->suffix || lan_prefix_find(&a->at->lans, mapping_lan(m));
}

static bool model_patch(struct model_asking *a, struct mapping *m)
{
	const struct patch *patch = &a->change->patch;

	if (patch->set & PATCH_NAME)
		strcpy(m->name, patch->name);
	if (patch->set & PATCH_ENABLED)
		m->enabled = patch->enabled;
	if (patch->set & PATCH_LIFETIME)
		model_renew(a, m, patch->lifetime);
	if (patch->set & PATCH_UPSTREAM)
		m->upstream = patch->upstream;
	if (patch->set & PATCH_HELD)
		m->held = patch->held;
	if (m->upstream != UPSTREAM_REQUIRED)
		m->held = false;
	if (patch->set & PATCH_COMMENT)
		m->details = model_details(m->details ? m->details->lan : "",
					   patch->details ? patch->details->comment : "",
					   m->details ? m->details->remotes : NULL,
					   m->details ? m->details->n_remotes : 0);
	if (!(patch->set & PATCH_INTERNAL))
		return true;
	if (address_is_ipv4(&patch->internal.addr) != mapping_is_ipv4(m) ||
	    (patch->n_ports && patch->n_ports != m->n_ports))
		return false;
	return move_to(a, m, patch);
}

static bool is_unaltered(const struct mapping *a, const struct mapping *b)
{
	return strcmp(a->name, b->name) == 0 && a->enabled == b->enabled &&
	       a->expires == b->expires && a->lifetime == b->lifetime &&
	       a->suffix == b->suffix && a->details == b->details &&
	       a->upstream == b->upstream && a->held == b->held &&
	       endpoint_equal(&a->internal, &b->internal);
}

static bool model_update(struct model_asking *a, uint64_t id)
{
	struct mapping *before = by_id(a->model, id), m = *before;
	const struct mapping *other;
	enum right missing;

	if (!model_patch(a, &m))
		return model_refuse(a, VERDICT_BAD_REQUEST, 0);
	if (is_unaltered(&m, before)) {
		model_result(a, VERDICT_UNCHANGED, id);
		return true;
	}
	if (mapping_flaw(&m))
		return model_refuse(a, VERDICT_BAD_REQUEST, 0);
	if (m.upstream != before->upstream && model_lacks_upstream(a->at, &m))
		return model_refuse(a, VERDICT_NO_UPSTREAM, 0);
	other = model_conflict(a->model, &m, before);
	if (other)
		return model_refuse(a, VERDICT_CONFLICT, other->id);
	other = model_by_name(a->model, m.name, m.protocol);
	if (other && other != before)
		return model_refuse(a, VERDICT_NAME_TAKEN, other->id);
	if (a->change->patch.set & (PATCH_LIFETIME | PATCH_INTERNAL) &&
	    !model_may(a, &m, before, false, &missing))
		return model_deny(a, missing, 0);
	other = a->change->patch.set & PATCH_INTERNAL ? model_robbed(a, &m) : NULL;
	if (other)
		return model_deny(a, RIGHT_OWN, other->id);
	if (mapping_is_pinhole(before) && !mapping_is_pinhole(&m) &&
	    model_listened(a->at, &m))
		return model_refuse(a, VERDICT_PORT_IN_USE, 0);
	if (!is_of_the_router(a->change))
		model_sign(a, &m);
	*before = m;
	model_result(a, VERDICT_CHANGED, id);
	return true;
}

static void model_change(struct model_asking *a)
{
	uint64_t ids[MODEL_MAX];
	size_t n;

	if (a->change->kind == CHANGE_ADD) {
		model_add_each(a);
		return;
	}
	if (!model_select(a, ids, &n))
		return;
	for (size_t i = 0; i < n && !a->answer->refused; i++) {
		if (a->change->kind == CHANGE_REMOVE)
			model_remove(a, ids[i]);
		else
			model_update(a, ids[i]);
	}
}

void model_judge(struct model *model, const struct change_list *list,
		 const struct conditions *at, struct model_answer *answer)
{
	struct model before = *model;

	answer->refused = false;
	answer->n_results = answer->n_effects = 0;
	for (size_t i = 0; i < list->n && !answer->refused; i++) {
		struct model_asking a = {
			.model = model,
			.list = list,
			.change = &list->changes[i],
			.at = at,
			.answer = answer,
			.index = i,
		};

		model_change(&a);
	}
	if (!answer->refused)
		return;
	before.place = model->place;
	*model = before;
	/* what the list itself had added has no id any more */
	for (size_t i = 0; i < answer->n_results; i++) {
		if (answer->results[i].id >= before.next_id)
			answer->results[i].id = 0;
	}
}
