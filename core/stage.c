/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage - judges requests against the next generation of the table
 *
 * What is added: stage_add.c; where no port is given: stage_port.c; what is altered:
 * stage_update.c. How that is taken back or put into force: plan.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/stage_private.h"

DEFINE_CLEANUP(plan_free, struct plan *)

/* ---------------------------------------------------------------- the record */

static int push_effect(struct plan *plan, const struct effect *effect)
{
	struct effect *more;

	if (plan->n_effects == plan->effects_room) {
		more = reallocarray(plan->effects, room_grown(plan->effects_room),
				    sizeof(*more));
		if (!more)
			return -ENOMEM;
		plan->effects = more;
		plan->effects_room = room_grown(plan->effects_room);
	}
	plan->effects[plan->n_effects++] = *effect;
	return 0;
}

int staging_result(struct staging *s, enum verdict verdict, const struct node *node)
{
	struct plan *plan = s->plan;
	struct result *more;

	if (plan->n_results == plan->results_room) {
		more = reallocarray(plan->results, room_grown(plan->results_room),
				    sizeof(*more));
		if (!more)
			return -ENOMEM;
		plan->results = more;
		plan->results_room = room_grown(plan->results_room);
	}
	plan->results[plan->n_results++] = (struct result){
		.verdict = verdict,
		.change = s->change,
		.effect = SIZE_MAX,
		.mapping = mapping_of(node),
	};
	return 0;
}

int staging_put(struct staging *s, const struct mapping *m, struct node *before,
		struct node **ret)
{
	struct effect effect = {
		.kind = before ? CHANGE_UPDATE : CHANGE_ADD,
		.before = mapping_of(before),
		.request = s->request,
		.drain = s->drain,
		.held = s->held,
	};
	struct node *node;
	int r;

	r = table_reserve(s->table, m, s->plan->n_leases + 1);
	if (r < 0)
		return r;
	node = node_new(m);
	if (!node)
		return -ENOMEM;
	effect.mapping = &node->mapping;
	r = push_effect(s->plan, &effect);
	if (r < 0) {
		node_free(node);
		return r;
	}
	node->staged = true;
	if (before)
		table_leave(s->table, before);
	table_link(s->table, node, before);
	s->plan->n_leases += m->expires > 0;
	*ret = node;
	return 0;
}

static int take(struct staging *s, struct result *result)
{
	const struct effect effect = {
		.kind = CHANGE_REMOVE,
		.mapping = result->mapping,
		.request = s->request,
		.expired = s->expired,
		.drain = s->drain,
	};
	int r;

	r = push_effect(s->plan, &effect);
	if (r < 0)
		return r;
	result->effect = s->plan->n_effects - 1;
	table_leave(s->table, node_of(result->mapping));
	return 0;
}

/* ------------------------------------------------------------------ refusals */

/* The @n newest results are refusals: they become all that there is of the request. */
static void refuse_all(struct staging *s, size_t n)
{
	struct plan *plan = s->plan;
	struct result *results = plan->results;

	plan_undo(plan, s->first_effect, s->first_id);
	memmove(results + s->verdicts->start, results + plan->n_results - n,
		n * sizeof(*results));
	plan->n_results = s->verdicts->start + n;
	s->verdicts->refused = true;
}

int staging_refuse(struct staging *s, enum verdict verdict, const struct node *holder)
{
	int r;

	r = staging_result(s, verdict, holder);
	if (r == 0)
		refuse_all(s, 1);
	return r;
}

static int refuse_with(struct staging *s, enum verdict verdict, const struct node *holder,
		       const struct refusal *refusal)
{
	struct note *note = calloc(1, sizeof(*note));

	if (!note)
		return -ENOMEM;
	note->refusal = *refusal;
	note->rights = rights_ref(s->rights);
	s->verdicts->note = note;
	return staging_refuse(s, verdict, holder);
}

int staging_refuse_flaw(struct staging *s, const char *flaw)
{
	const struct refusal refusal = { .flaw = flaw };

	return refuse_with(s, VERDICT_BAD_REQUEST, NULL, &refusal);
}

int staging_refuse_denied(struct staging *s, const struct denial *denial,
			  const struct node *holder)
{
	const struct refusal refusal = { .denial = *denial };

	return refuse_with(s, VERDICT_NOT_PERMITTED, holder, &refusal);
}

int staging_refuse_pool(struct staging *s, const struct pool_use *use)
{
	const struct refusal refusal = { .pool = *use };

	return refuse_with(s, VERDICT_NO_PORT, NULL, &refusal);
}

int staging_refuse_listeners(struct staging *s, const struct mapping *m)
{
	const struct listener *found[REFUSAL_LISTENERS_MAX];
	struct refusal refusal = { 0 };

	refusal.n_listeners = staging_listeners(s, m, found, REFUSAL_LISTENERS_MAX);
	for (size_t i = 0; i < REFUSAL_LISTENERS_MAX && i < refusal.n_listeners; i++)
		refusal.listeners[i] = *found[i];
	return refuse_with(s, VERDICT_PORT_IN_USE, NULL, &refusal);
}

static int refuse_ambiguous(struct staging *s, size_t n)
{
	struct result *fits = s->plan->results + s->plan->n_results - n;
	struct note *note = calloc(1, sizeof(*note) + n * sizeof(note->holders[0]));

	if (!note)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		fits[i].verdict = VERDICT_AMBIGUOUS;
		note->holders[i] = fits[i].mapping;
	}
	note->refusal.holders = note->holders;
	note->refusal.n_holders = n;
	s->verdicts->note = note;
	refuse_all(s, n);
	return 0;
}

/* ------------------------------------------------------------------ judgement */

bool staging_judge(const struct staging *s, const struct mapping *m,
		   const struct mapping *before, bool force, struct denial *ret)
{
	const struct owner *owner =
		s->rights ? table_owner(s->table, s->rights->uid) : NULL;
	size_t owned = owner ? owner->n[NEXT] : 0;

	if (s->rights && before && before->origin == ORIGIN_ADMIN &&
	    before->owner_uid == s->rights->uid)
		owned--;
	return rights_judge(s->rights, m, owned, force, ret);
}

bool staging_lacks_upstream(const struct staging *s, const struct mapping *m)
{
	return mapping_asks_upstream(m) && !s->at->upstream && m->origin != ORIGIN_CONFIG;
}

size_t staging_listeners(const struct staging *s, const struct mapping *m,
			 const struct listener **ret, size_t max)
{
	const struct port_range ports = { m->external.port, mapping_last_port(m) };
	const struct conditions *at = s->at;

	/* what is sent to a pinhole's host passes the gateway */
	if (!at->listeners_known || mapping_is_pinhole(m))
		return 0;
	return listener_find(&at->listeners, m->protocol, &m->external.addr, &ports,
			     at->wan.addrs, at->wan.n, ret, max);
}

const char *staging_prefix(const struct staging *s, const struct mapping *m,
			   const struct in6_addr **ret)
{
	const struct lan_prefix *lan;

	*ret = NULL;
	if (!m->suffix)
		return NULL;
	lan = lan_prefix_find(&s->at->lans, mapping_lan(m));
	if (!lan)
		return *mapping_lan(m) ? "The configuration has no LAN of that name."
				       : "Say which LAN the host is in, as in ::10%lan0.";
	if (!address_equal(&lan->prefix, &address_any6))
		*ret = &lan->prefix;
	return NULL;
}

/* ------------------------------------------------------------------ selectors */

static bool fits(const struct node *node, const struct selector *selector)
{
	const struct mapping *m = &node->mapping;

	return (!selector->id || selector->id == m->id) &&
	       (!selector->port || (selector->port >= m->external.port &&
				    selector->port <= mapping_last_port(m))) &&
	       (!selector->protocol || selector->protocol == m->protocol) &&
	       (!selector->name[0] || strcmp(selector->name, m->name) == 0);
}

static int push_fit(struct staging *s, const struct node *node,
		    const struct selector *selector)
{
	if (!node || !fits(node, selector))
		return 0;
	return staging_result(s, VERDICT_UNCHANGED, node);
}

static int push_fits_on_port(struct staging *s, const struct selector *selector,
			     uint8_t protocol)
{
	const struct node *node = table_first_on_port(s->table, protocol, selector->port);
	int r = 0;

	for (; node && r == 0; node = table_next_on_port(node, selector->port))
		r = push_fit(s, node, selector);
	return r;
}

static int push_fits_of_ranges(struct staging *s, const struct selector *selector)
{
	const struct ranges *ranges = &s->table->ranges;
	int r = 0;

	for (size_t i = 0; i < ranges->n[NEXT] && r == 0; i++)
		r = push_fit(s, ranges->nodes[NEXT][i], selector);
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
	const bool named = selector->name[0];
	const struct node *node;
	int r = 0;

	if (selector->id)
		return push_fit(s, table_node_by_id(s->table, selector->id, NEXT),
				selector);
	if (!named && !selector->port)
		return push_fits_of_all(s, selector);

	for (unsigned int i = 0; i < PROTOCOL_COUNT && r == 0; i++) {
		const uint8_t protocol = protocol_at(i);

		if (!named) {
			r = push_fits_on_port(s, selector, protocol);
			continue;
		}
		node = table_node_by_name(s->table, selector->name, protocol, NEXT);
		r = push_fit(s, node, selector);
	}
	return r < 0 || named ? r : push_fits_of_ranges(s, selector);
}

static int by_id(const void *a, const void *b)
{
	const struct result *first = a, *second = b;

	return first->mapping->id < second->mapping->id ? -1 : 1;
}

/* Refuses for the first of the @n newest results that must not be touched. */
static int check_touchable(struct staging *s, const struct change *change, size_t n)
{
	const size_t first = s->plan->n_results - n;
	const struct denial denial = { .missing = RIGHT_OWN };

	for (size_t i = first; i < first + n; i++) {
		const struct mapping *m = s->plan->results[i].mapping;

		if (m->origin == ORIGIN_CONFIG && !change->config_too)
			return staging_refuse(s, VERDICT_OF_CONFIG, node_of(m));
		if (!rights_own(s->rights, m))
			return staging_refuse_denied(s, &denial, node_of(m));
	}
	return 0;
}

int staging_selected(struct staging *s, const struct change *change, size_t *ret_n)
{
	const struct selector *selector = &change->selector;
	const size_t first = s->plan->n_results;
	size_t n;
	int r;

	*ret_n = 0;
	r = push_fits(s, selector);
	if (r < 0)
		return r;
	n = s->plan->n_results - first;
	/* whoever removed it before its lease ended has done what was to be done */
	if (n == 0)
		return change->expired ? 0 : staging_refuse(s, VERDICT_NOT_FOUND, NULL);
	qsort(s->plan->results + first, n, sizeof(struct result), by_id);
	if (n > 1 && !selector->id && !selector->name[0])
		return refuse_ambiguous(s, n);
	r = check_touchable(s, change, n);
	if (r == 0 && !staging_refused(s))
		*ret_n = n;
	return r;
}

/* ----------------------------------------------------------------- the changes */

static int stage_remove(struct staging *s, const struct change *change)
{
	struct result *fits;
	size_t n;
	int r;

	r = staging_selected(s, change, &n);
	if (r < 0)
		return r;
	fits = s->plan->results + s->plan->n_results - n;
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct mapping *m = fits[i].mapping;

		if (change->expired && (!m->expires || m->expires > s->at->lease_now))
			continue;
		fits[i].verdict = VERDICT_REMOVED;
		r = take(s, &fits[i]);
	}
	return r;
}

static int stage_change(struct staging *s, const struct change *change)
{
	s->drain = change->drain;
	s->expired = change->expired;
	s->held = change->kind == CHANGE_UPDATE && change->patch.set == PATCH_HELD;
	switch (change->kind) {
	case CHANGE_ADD:
		return stage_add(s, change);
	case CHANGE_REMOVE:
		return stage_remove(s, change);
	case CHANGE_UPDATE:
		return stage_update(s, change);
	}
	return 0;
}

static int stage_request(struct plan *plan, const struct conditions *at,
			 const struct change_list *list, size_t request)
{
	struct staging s = {
		.plan = plan,
		.table = plan->table,
		.at = at,
		.rights = list->rights,
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
		const struct conditions *at, struct plan **ret)
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
	plan->place = at->random;
	table->plan = plan;
	table_owners_tidy(table);
	plan->requests = calloc(n ? n : 1, sizeof(*plan->requests));
	if (!plan->requests)
		return -ENOMEM;

	for (size_t i = 0; i < n; i++) {
		r = stage_request(plan, at, &requests[i], i);
		if (r < 0)
			return r;
	}
	*ret = TAKE(plan);
	return 0;
}
