/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Automatic ports, hosts of suffixes, and who serves a packet, as the model sees them.
 */

#include <string.h>

#include "model.h"

static const struct port_range dynamic = { 49152, 65535 };

static bool is_listed(const struct port_list *list, uint32_t port)
{
	for (size_t i = 0; i < list->n; i++) {
		if (port >= list->ranges[i].first && port <= list->ranges[i].last)
			return true;
	}
	return false;
}

static bool is_about_ports(enum right missing)
{
	return missing == RIGHT_MAP || missing == RIGHT_PRIVILEGED;
}

/* Is there a forward of single ports at one of @m's? */
static bool has_holes(const struct model *model, const struct mapping *m)
{
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *other = &model->mappings[i];

		if (mapping_kind(other) ==
			    (mapping_is_ipv4(m) ? MAPPING_FORWARD4 : MAPPING_FORWARD6) &&
		    other->protocol == m->protocol &&
		    other->external.port < m->external.port + m->n_ports &&
		    m->external.port < other->external.port + other->n_ports)
			return true;
	}
	return false;
}

static bool is_free(const struct model_asking *a, uint16_t port)
{
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		const struct mapping m = model_at_port(a, protocol_at(i), port);

		if (!(a->change->protocols & 1u << i))
			continue;
		if (model_conflict(a->model, &m, NULL) || model_listened(a->at, &m) ||
		    model_robbed(a, &m))
			return false;
		for (uint32_t k = 0; k < m.n_ports; k++) {
			if (is_listed(&a->at->reserved, port + k))
				return false;
		}
		if (mapping_is_range(&m) && !mapping_is_pinhole(&m) &&
		    has_holes(a->model, &m))
			return false;
	}
	return true;
}

static bool is_allowed(const struct model_asking *a, uint16_t port, enum right *missing)
{
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		const struct mapping m = model_at_port(a, protocol_at(i), port);

		if (a->change->protocols & 1u << i &&
		    !model_may(a, &m, NULL, false, missing))
			return false;
	}
	return true;
}

static bool is_there(const struct model_asking *a, uint16_t port)
{
	size_t n = 0;

	for (unsigned int i = 0; i < PROTOCOL_COUNT && port; i++) {
		const struct mapping m = model_at_port(a, protocol_at(i), port);
		const struct mapping *holder;

		if (!(a->change->protocols & 1u << i) || mapping_flaw(&m))
			continue;
		holder = model_conflict(a->model, &m, NULL);
		if (holder && (!model_is_already(holder, &m) ||
			       !rights_own(a->list->rights, holder)))
			return false;
		n += holder != NULL;
	}
	return n > 0;
}

static uint16_t named_port(const struct model_asking *a)
{
	const char *name = a->change->mapping.name;

	for (unsigned int k = 0; k < PROTOCOL_COUNT && *name; k++) {
		for (size_t i = 0; i < a->model->n; i++) {
			const struct mapping *m = &a->model->mappings[i];

			if (a->change->protocols & 1u << k &&
			    m->protocol == protocol_at(k) && strcmp(m->name, name) == 0)
				return m->external.port;
		}
	}
	return 0;
}

/* The port at @place of the pool, counted through all its ranges; 0: fewer than @n
 * follow in its range. */
static uint16_t port_at(const struct port_list *pool, size_t place, size_t n)
{
	for (size_t i = 0; i < pool->n; i++) {
		const struct port_range *range = &pool->ranges[i];
		const size_t size = (size_t)range->last - range->first + 1;

		if (place < size)
			return place + n <= size ? (uint16_t)(range->first + place) : 0;
		place -= size;
	}
	return 0;
}

static int rank_of(uint16_t port, uint16_t internal)
{
	return ((port < 1024) == (internal < 1024) ? 2 : 0) + (port % 2 == internal % 2);
}

static size_t pool_size(const struct port_list *pool)
{
	size_t size = 0;

	while (size < 65536 && port_at(pool, size, 1))
		size++;
	return size;
}

/* The best place, the first of these from where the last search ended; or SIZE_MAX */
static size_t best_place(struct model_asking *a, const struct port_list *pool,
			 bool *denied, enum right *missing)
{
	const struct mapping *wanted = &a->change->mapping;
	const size_t size = pool_size(pool), n = wanted->n_ports ? wanted->n_ports : 1;
	size_t best = SIZE_MAX;
	int rank = -1;

	for (size_t i = 0; i < size; i++) {
		const size_t place = (a->model->place % size + i) % size;
		const uint16_t port = port_at(pool, place, n);
		enum right here = RIGHT_ANY;

		if (!port || port == wanted->internal.port ||
		    rank_of(port, wanted->internal.port) <= rank || !is_free(a, port))
			continue;
		if (is_allowed(a, port, &here)) {
			best = place;
			rank = rank_of(port, wanted->internal.port);
			continue;
		}
		if (!*denied || here > *missing)
			*missing = here;
		*denied = true;
	}
	return best;
}

uint16_t model_port(struct model_asking *a)
{
	const struct mapping *wanted = &a->change->mapping;
	const struct port_list all = { &dynamic, 1 };
	const struct port_list *pool = a->at->pool.n ? &a->at->pool : &all;
	const uint16_t internal = wanted->internal.port;
	const struct mapping shifted =
		model_at_port(a, IPPROTO_TCP, internal == 1 ? 2 : 1);
	enum right missing = RIGHT_ANY;
	bool denied = false;
	size_t place;

	if (is_there(a, named_port(a)))
		return named_port(a);
	if (is_there(a, internal))
		return internal;
	if (is_free(a, internal)) {
		if (is_allowed(a, internal, &missing))
			return internal;
		denied = !is_about_ports(missing);
	}
	if (mapping_slots(&shifted) > MAPPING_SLOTS_MAX &&
	    !(denied && a->list->rights->n_grants <= 1)) {
		model_refuse(a, VERDICT_BAD_REQUEST, 0);
		return 0;
	}
	place = best_place(a, pool, &denied, &missing);
	if (place == SIZE_MAX) {
		a->answer->missing = missing;
		model_refuse(a, denied ? VERDICT_NOT_PERMITTED : VERDICT_NO_PORT, 0);
		return 0;
	}
	a->model->place = place + shifted.n_ports;
	return port_at(pool, place, 1);
}

/* --------------------------------------------------------------- suffixes */

size_t model_settle(struct model *model, const struct lan_prefix_list *lans)
{
	const struct model before = *model;
	size_t n = 0;

	for (size_t i = 0; i < model->n; i++) {
		struct mapping *m = &model->mappings[i], settled = *m;
		const struct lan_prefix *lan = lan_prefix_find(lans, mapping_lan(m));

		mapping_settle_host(&settled, lan ? &lan->prefix : NULL);
		if (m->suffix && !address_equal(&settled.host, &m->host))
			mapping_settle_host(m, NULL);
	}
	for (size_t i = 0; i < model->n; i++) {
		struct mapping *m = &model->mappings[i], settled = *m;
		const struct lan_prefix *lan = lan_prefix_find(lans, mapping_lan(m));

		if (!m->suffix || !address_equal(&m->host, &address_any6) || !lan)
			continue;
		mapping_settle_host(&settled, &lan->prefix);
		if (!model_conflict(model, &settled, m))
			*m = settled;
	}
	for (size_t i = 0; i < model->n; i++)
		n += !address_equal(&before.mappings[i].host, &model->mappings[i].host);
	return n;
}

/* ---------------------------------------------------------------- packets */

int model_rank(const struct mapping *m, uint8_t protocol, const struct endpoint *dialled,
	       bool is_wan, const struct in6_addr *remote)
{
	const struct in6_addr *at = &m->external.addr;
	const struct prefix *remotes;
	int longest = -1;
	size_t n;

	if (m->protocol != protocol || dialled->port < m->external.port ||
	    dialled->port > mapping_last_port(m) ||
	    address_is_ipv4(&dialled->addr) != mapping_is_ipv4(m))
		return -1;
	if (mapping_is_pinhole(m) ? !address_equal(&m->host, &dialled->addr)
				  : !is_wan || (!address_is_any(at) &&
						!address_equal(at, &dialled->addr)))
		return -1;
	remotes = mapping_remotes(m, &n);
	for (size_t i = 0; i < n; i++) {
		if (address_in_prefix(remote, &remotes[i]) && remotes[i].len > longest)
			longest = remotes[i].len;
	}
	if (n > 0 && longest < 0)
		return -1;
	if (n > 0 && !mapping_is_pinhole(m) && !address_is_any(at))
		longest += 200;
	return (MAPPING_KINDS - (int)mapping_kind(m)) * 1000 + longest + 1;
}
