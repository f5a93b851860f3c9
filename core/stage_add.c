/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage_add - judges what is to be added
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stage_private.h"

struct mapping asked_at(const struct asked *asked, uint8_t protocol, uint16_t port)
{
	struct mapping m = *asked->mapping;

	m.protocol = protocol;
	m.external.port = port;
	if (m.suffix)
		m.host = address_any6;
	mapping_resolve(&m);
	mapping_settle_host(&m, asked->prefix);
	return m;
}

static bool same_remotes(const struct mapping *a, const struct mapping *b)
{
	const struct prefix *remotes_a, *remotes_b;
	size_t n_a, n_b;

	remotes_a = mapping_remotes(a, &n_a);
	remotes_b = mapping_remotes(b, &n_b);
	for (size_t i = 0; i < n_a && n_a == n_b; i++) {
		if (!prefix_equal(&remotes_a[i], &remotes_b[i]))
			return false;
	}
	return n_a == n_b;
}

/* "::10" and "::10%lan0" may be one host. */
static bool same_lan(const struct mapping *a, const struct mapping *b)
{
	return strcmp(mapping_lan(a), mapping_lan(b)) == 0 ||
	       (!address_is_any(&a->host) && address_equal(&a->host, &b->host));
}

/* Its host may be unknown, and then external addresses of pinholes are. */
static bool same_external(const struct mapping *a, const struct mapping *b)
{
	if (a->external.port != b->external.port)
		return false;
	if (mapping_is_pinhole(a) && mapping_is_pinhole(b))
		return true;
	return address_equal(&a->external.addr, &b->external.addr);
}

bool is_already(const struct mapping *holder, const struct mapping *m)
{
	if (!endpoint_equal(&holder->internal, &m->internal) ||
	    holder->suffix != m->suffix || holder->n_ports != m->n_ports ||
	    !same_lan(holder, m) || !same_external(holder, m) || !same_remotes(holder, m))
		return false;
	/* the file does not rename what a person has added */
	if (m->origin == ORIGIN_CONFIG && holder->origin == ORIGIN_ADMIN)
		return true;
	return !m->name[0] || strcmp(m->name, holder->name) == 0;
}

/* Who asked, and when. */
static void sign(const struct staging *s, struct mapping *m)
{
	if (!m->created)
		m->created = s->at->now;
	m->changed = m->created;
	m->expires = m->lifetime ? s->at->lease_now + (uint64_t)m->lifetime * 1000 : 0;
	if (s->rights && m->origin == ORIGIN_ADMIN) {
		m->owner_uid = s->rights->uid;
		m->changed_by = s->rights->uid;
	}
}

static int push_shade(struct staging *s, const struct listener *const *found, size_t n)
{
	struct plan *plan = s->plan;
	struct shade *shade, *more;

	if (plan->n_shades == plan->shades_room) {
		more = reallocarray(plan->shades, room_grown(plan->shades_room),
				    sizeof(*more));
		if (!more)
			return -ENOMEM;
		plan->shades = more;
		plan->shades_room = room_grown(plan->shades_room);
	}
	shade = &plan->shades[plan->n_shades++];
	*shade = (struct shade){ .effect = plan->n_effects - 1 };
	for (; shade->n < n && shade->n < REFUSAL_LISTENERS_MAX; shade->n++)
		shade->listeners[shade->n] = *found[shade->n];
	return 0;
}

static int put(struct staging *s, const struct mapping *m,
	       const struct listener *const *shadowed, size_t n_shadowed)
{
	struct mapping added = *m;
	struct result *result;
	struct node *node;
	int r;

	added.id = s->table->next_id;
	r = staging_put(s, &added, NULL, &node);
	if (r < 0)
		return r;
	s->table->next_id++;
	r = staging_result(s, VERDICT_ADDED, node);
	if (r < 0)
		return r;
	result = &s->plan->results[s->plan->n_results - 1];
	result->effect = s->plan->n_effects - 1;
	result->shadowed = n_shadowed;
	return n_shadowed ? push_shade(s, shadowed, n_shadowed) : 0;
}

static int stage_holder(struct staging *s, struct node *holder, const struct mapping *m)
{
	if (!is_already(&holder->mapping, m) || !rights_own(s->rights, &holder->mapping))
		return staging_refuse(s, VERDICT_CONFLICT, holder);
	if (!m->lifetime || !holder->mapping.expires)
		return staging_result(s, VERDICT_UNCHANGED, holder);
	return stage_renew(s, holder, m->lifetime);
}

static int stage_mapping(struct staging *s, struct mapping *m, bool force)
{
	const struct listener *found[REFUSAL_LISTENERS_MAX];
	const struct denial others = { .missing = RIGHT_OWN };
	const struct node *robbed;
	struct denial denial;
	struct node *holder;
	size_t n;

	holder = table_conflict(s->table, m, NEXT, NULL);
	if (holder)
		return stage_holder(s, holder, m);
	holder = m->name[0] ? table_node_by_name(s->table, m->name, m->protocol, NEXT)
			    : NULL;
	if (holder)
		return staging_refuse(s, VERDICT_NAME_TAKEN, holder);

	sign(s, m);
	n = staging_listeners(s, m, found, REFUSAL_LISTENERS_MAX);
	if (!staging_judge(s, m, NULL, force && n > 0, &denial))
		return staging_refuse_denied(s, &denial, NULL);
	robbed = staging_robbed(s, m);
	if (robbed)
		return staging_refuse_denied(s, &others, robbed);
	if (n > 0 && !force)
		return staging_refuse_listeners(s, m);
	if (s->table->n[NEXT] >= s->table->capacity)
		return staging_refuse(s, VERDICT_TABLE_FULL, NULL);
	return put(s, m, found, n);
}

/* What needs no look at the table. With no port given, the internal one stands in for
 * what will be chosen. */
static int check(struct staging *s, struct asked *asked)
{
	const struct mapping *wanted = asked->mapping;
	const uint16_t port =
		wanted->external.port ? wanted->external.port : wanted->internal.port;
	const char *flaw;

	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct mapping m;

		if (!(asked->protocols & 1u << i))
			continue;
		m = asked_at(asked, protocol_at(i), port);
		flaw = mapping_flaw(&m);
		if (flaw)
			return staging_refuse_flaw(s, flaw);
		if (!(s->at->protocols & 1u << i))
			return staging_refuse(s, VERDICT_NO_PROTOCOL, NULL);
	}
	if (staging_lacks_upstream(s, wanted))
		return staging_refuse(s, VERDICT_NO_UPSTREAM, NULL);
	flaw = staging_prefix(s, wanted, &asked->prefix);
	return flaw ? staging_refuse_flaw(s, flaw) : 0;
}

int stage_add(struct staging *s, const struct change *change)
{
	struct asked asked = {
		.mapping = &change->mapping,
		.protocols = change->protocols,
	};
	uint16_t port = change->mapping.external.port;
	int r;

	r = check(s, &asked);
	if (r < 0 || staging_refused(s))
		return r;
	if (!port) {
		r = stage_port(s, &asked, &port);
		if (r < 0 || staging_refused(s))
			return r;
	}
	for (unsigned int i = 0; i < PROTOCOL_COUNT && !staging_refused(s); i++) {
		struct mapping m;

		if (!(change->protocols & 1u << i))
			continue;
		m = asked_at(&asked, protocol_at(i), port);
		m.auto_port = !change->mapping.external.port;
		m.held = false;
		r = stage_mapping(s, &m, change->force);
		if (r < 0)
			return r;
	}
	return 0;
}
