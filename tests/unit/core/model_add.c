/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What conflicts with what, and what is added, as the model sees it.
 */

#include <string.h>

#include "model.h"

/* ---------------------------------------------------------------- what conflicts */

static bool is_from(enum mapping_kind kind)
{
	return kind == MAPPING_FORWARD4_FROM || kind == MAPPING_FORWARD6_FROM ||
	       kind == MAPPING_PINHOLE6_FROM;
}

bool model_has_port(const struct mapping *m, uint32_t port)
{
	return port >= m->external.port && port < (uint32_t)m->external.port + m->n_ports;
}

static bool has_remote(const struct mapping *m, const struct prefix *remote)
{
	for (size_t i = 0; i < m->details->n_remotes; i++) {
		if (prefix_equal(&m->details->remotes[i], remote))
			return true;
	}
	return false;
}

static bool is_hostless(const struct mapping *m)
{
	return address_equal(&m->host, &address_any6);
}

static bool same_address(const struct mapping *a, const struct mapping *b)
{
	if (mapping_is_pinhole(a) && is_hostless(a) && is_hostless(b))
		return address_equal(&a->internal.addr, &b->internal.addr) &&
		       strcmp(mapping_lan(a), mapping_lan(b)) == 0;
	return address_equal(&a->external.addr, &b->external.addr);
}

/* The one that has @port of @m, for @remote or anybody. */
static struct mapping *element_of(const struct model *model, const struct mapping *m,
				  const struct mapping *except, uint32_t port,
				  const struct prefix *remote)
{
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *other = &model->mappings[i];

		if (other != except && other->protocol == m->protocol &&
		    mapping_kind(other) == mapping_kind(m) &&
		    model_has_port(other, port) && same_address(other, m) &&
		    (!remote || has_remote(other, remote)))
			return (struct mapping *)(uintptr_t)other;
	}
	return NULL;
}

static struct mapping *conflict_of(const struct model *model, const struct mapping *m,
				   const struct mapping *except)
{
	const size_t remotes = is_from(mapping_kind(m)) ? m->details->n_remotes : 0;
	struct mapping *found = NULL, *last = NULL;

	for (uint32_t i = 0; i < m->n_ports; i++) {
		const uint32_t port = m->external.port + i;

		for (size_t k = 0; k < (remotes ? remotes : 1) && !found; k++)
			found = element_of(model, m, except, port,
					   remotes ? &m->details->remotes[k] : NULL);
		if (found && !mapping_is_range(m))
			return found;
		/* of ranges, the one with the highest ports is told */
		if (found)
			last = found;
		found = NULL;
	}
	return last;
}

struct mapping *model_conflict(const struct model *model, const struct mapping *m,
			       const struct mapping *except)
{
	struct mapping hostless = *m, *found = NULL;

	if (m->suffix && !is_hostless(m)) {
		mapping_settle_host(&hostless, NULL);
		found = conflict_of(model, &hostless, except);
	}
	return found ? found : conflict_of(model, m, except);
}

const struct mapping *model_by_name(const struct model *model, const char *name,
				    uint8_t protocol)
{
	for (size_t i = 0; *name && i < model->n; i++) {
		if (model->mappings[i].protocol == protocol &&
		    strcmp(model->mappings[i].name, name) == 0)
			return &model->mappings[i];
	}
	return NULL;
}

bool model_is_already(const struct mapping *holder, const struct mapping *m)
{
	const struct details *none = model_details("", "", NULL, 0);
	const struct details *a = holder->details ? holder->details : none;
	const struct details *b = m->details ? m->details : none;
	const bool same_host = address_equal(&holder->host, &m->host) && !is_hostless(m);

	if (holder->suffix != m->suffix || holder->n_ports != m->n_ports ||
	    !endpoint_equal(&holder->internal, &m->internal) ||
	    holder->external.port != m->external.port ||
	    (!a ? 0 : a->n_remotes) != (!b ? 0 : b->n_remotes))
		return false;
	for (size_t i = 0; a && i < a->n_remotes; i++) {
		if (!prefix_equal(&a->remotes[i], &b->remotes[i]))
			return false;
	}
	if (strcmp(mapping_lan(holder), mapping_lan(m)) != 0 && !same_host)
		return false;
	if (mapping_is_pinhole(holder) != mapping_is_pinhole(m))
		return false;
	if (!mapping_is_pinhole(m) &&
	    !address_equal(&holder->external.addr, &m->external.addr))
		return false;
	if (m->origin == ORIGIN_CONFIG && holder->origin == ORIGIN_ADMIN)
		return true;
	return !m->name[0] || strcmp(m->name, holder->name) == 0;
}

/* ----------------------------------------------------------------- adding */

bool model_lacks_upstream(const struct conditions *at, const struct mapping *m)
{
	return (m->upstream == UPSTREAM_YES || m->upstream == UPSTREAM_REQUIRED) &&
	       !at->upstream && m->origin != ORIGIN_CONFIG;
}

size_t model_listened(const struct conditions *at, const struct mapping *m)
{
	size_t n = 0;

	if (!at->listeners_known || mapping_is_pinhole(m))
		return 0;
	for (size_t i = 0; i < at->listeners.n; i++) {
		const struct listener *l = &at->listeners.listeners[i];

		n += l->protocol == m->protocol && model_has_port(m, l->local.port) &&
		     listener_takes(l, &m->external.addr, at->wan.addrs, at->wan.n);
	}
	return n;
}

bool model_may(const struct model_asking *a, const struct mapping *m,
	       const struct mapping *before, bool force, enum right *ret)
{
	const struct rights *rights = a->list->rights;
	struct denial denial;
	size_t owned = 0;

	for (size_t i = 0; rights && i < a->model->n; i++) {
		const struct mapping *other = &a->model->mappings[i];

		owned += other != before && other->origin == ORIGIN_ADMIN &&
			 other->owner_uid == rights->uid;
	}
	if (rights_judge(rights, m, owned, force, &denial))
		return true;
	*ret = denial.missing;
	return false;
}

const struct mapping *model_robbed(const struct model_asking *a, const struct mapping *m)
{
	const struct mapping *robbed = NULL;

	for (size_t i = 0; a->list->rights && i < a->model->n; i++) {
		const struct mapping *other = &a->model->mappings[i];

		if (!rights_own(a->list->rights, other) && !mapping_is_range(other) &&
		    mapping_takes(m, other) && (!robbed || other->id < robbed->id))
			robbed = other;
	}
	return robbed;
}

void model_renew(const struct model_asking *a, struct mapping *m, uint32_t lifetime)
{
	m->lifetime = lifetime;
	m->expires = lifetime ? a->at->lease_now + 1000ull * lifetime : 0;
}

void model_sign(const struct model_asking *a, struct mapping *m)
{
	m->changed = a->at->now;
	if (a->list->rights && m->origin == ORIGIN_ADMIN)
		m->changed_by = a->list->rights->uid;
}

static bool model_hold(struct model_asking *a, struct mapping *holder,
		       const struct mapping *m)
{
	struct mapping renewed = *holder;
	enum right missing;

	if (!model_is_already(holder, m) || !rights_own(a->list->rights, holder))
		return model_refuse(a, VERDICT_CONFLICT, holder->id);
	if (!m->lifetime || !holder->lifetime) {
		model_result(a, VERDICT_UNCHANGED, holder->id);
		return true;
	}
	model_renew(a, &renewed, m->lifetime);
	if (!model_may(a, &renewed, holder, false, &missing))
		return model_deny(a, missing, 0);
	model_sign(a, &renewed);
	*holder = renewed;
	model_result(a, VERDICT_CHANGED, holder->id);
	return true;
}

static void keep(struct model_asking *a, struct mapping *m)
{
	m->id = a->model->next_id++;
	if (!m->created)
		m->created = a->at->now;
	if (a->list->rights && m->origin == ORIGIN_ADMIN)
		m->owner_uid = a->list->rights->uid;
	model_sign(a, m);
	m->changed = m->created;
	m->auto_port = !a->change->mapping.external.port;
	a->model->mappings[a->model->n++] = *m;
}

static bool model_add(struct model_asking *a, struct mapping m)
{
	struct mapping *holder = model_conflict(a->model, &m, NULL);
	const struct mapping *namesake = model_by_name(a->model, m.name, m.protocol);
	const size_t listened = model_listened(a->at, &m);
	const struct mapping *robbed;
	enum right missing;

	if (holder)
		return model_hold(a, holder, &m);
	if (namesake)
		return model_refuse(a, VERDICT_NAME_TAKEN, namesake->id);
	model_renew(a, &m, m.lifetime);
	if (!model_may(a, &m, NULL, a->change->force && listened, &missing))
		return model_deny(a, missing, 0);
	robbed = model_robbed(a, &m);
	if (robbed)
		return model_deny(a, RIGHT_OWN, robbed->id);
	if (listened && !a->change->force)
		return model_refuse(a, VERDICT_PORT_IN_USE, 0);
	if (a->model->n == a->model->capacity)
		return model_refuse(a, VERDICT_TABLE_FULL, 0);
	keep(a, &m);
	model_result(a, VERDICT_ADDED, a->model->next_id - 1);
	a->answer->results[a->answer->n_results - 1].shadowed = listened;
	return true;
}

struct mapping model_at_port(const struct model_asking *a, uint8_t protocol,
			     uint16_t port)
{
	struct mapping m = a->change->mapping;
	const struct lan_prefix *lan = lan_prefix_find(&a->at->lans, mapping_lan(&m));

	m.protocol = protocol;
	m.external.port = port;
	m.host = address_any6;
	mapping_resolve(&m);
	mapping_settle_host(&m, lan ? &lan->prefix : NULL);
	return m;
}

bool model_add_each(struct model_asking *a)
{
	const struct mapping *wanted = &a->change->mapping;
	uint16_t port = wanted->external.port;

	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct mapping m = model_at_port(a, protocol_at(i),
						 port ? port : wanted->internal.port);

		if (!(a->change->protocols & 1u << i))
			continue;
		if (mapping_flaw(&m))
			return model_refuse(a, VERDICT_BAD_REQUEST, 0);
		if (!(a->at->protocols & 1u << i))
			return model_refuse(a, VERDICT_NO_PROTOCOL, 0);
	}
	if (model_lacks_upstream(a->at, wanted))
		return model_refuse(a, VERDICT_NO_UPSTREAM, 0);
	if (wanted->suffix && !lan_prefix_find(&a->at->lans, mapping_lan(wanted)))
		return model_refuse(a, VERDICT_BAD_REQUEST, 0);
	if (!port)
		port = model_port(a);
	for (unsigned int i = 0; i < PROTOCOL_COUNT && port; i++) {
		if (a->change->protocols & 1u << i &&
		    !model_add(a, model_at_port(a, protocol_at(i), port)))
			return false;
	}
	return port;
}
