/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * counts_state - how it stands with one mapping
 */

#include "natd/gateway/counts_private.h"

#include <string.h>

#include "natd/gateway/gateway_upstream.h"
#include "natd/kernel/traffic.h"

static void put_traffic(const struct counts *counts, const struct mapping *m,
			struct mapping_state *ret)
{
	const struct count *count = counts_of(counts, m->id);
	const struct store_traffic *past;

	ret->connections = count ? count->connections : -1;
	ret->total = count ? count->total : -1;
	ret->bytes_in = ret->bytes_out = -1;
	if (!counts->accounting || !counts->gw->meter || !count || count->connections < 0)
		return;
	ret->total = count->connections;
	ret->bytes_in = (int64_t)count->bytes_in;
	ret->bytes_out = (int64_t)count->bytes_out;
	past = meter_of(counts->gw->meter, m->id);
	if (!past)
		return;
	ret->total += (int64_t)past->connections;
	ret->bytes_in += (int64_t)past->bytes_in;
	ret->bytes_out += (int64_t)past->bytes_out;
}

static void put_lease(const struct counts *counts, const struct mapping *m,
		      struct mapping_state *ret)
{
	uint64_t left = 0;

	if (!m->expires)
		return;
	if (m->expires > counts->lease_now)
		left = m->expires - counts->lease_now;
	ret->remaining = (uint32_t)((left + 999) / 1000);
	ret->expires = (counts->now_ms + left) / 1000;
}

/* ------------------------------------------------------------ in force? */

static void add_endpoint(struct mapping_state *ret, const struct mapping *m,
			 const struct in6_addr *addr)
{
	if (ret->n_endpoints < STATE_ENDPOINTS_MAX)
		ret->endpoints[ret->n_endpoints++] = (struct endpoint){
			.addr = *addr,
			.port = m->external.port,
		};
}

static void put_endpoints(const struct counts *counts, const struct mapping *m,
			  struct mapping_state *ret)
{
	const struct in6_addr *external = &m->external.addr;

	if (!mapping_is_live(m))
		return;
	if (mapping_is_pinhole(m)) {
		add_endpoint(ret, m, &m->host);
		return;
	}
	for (size_t i = 0; i < counts->wan.n; i++) {
		const struct in6_addr *addr = &counts->wan.addrs[i];

		if (address_is_any(external) ? address_is_ipv4(addr) == mapping_is_ipv4(m)
					     : address_equal(addr, external))
			add_endpoint(ret, m, addr);
	}
}

static bool is_restricted(const struct mapping *m)
{
	size_t n;

	mapping_remotes(m, &n);
	return n;
}

/* Does one that is for anybody, and comes before @m, have that port of @addr? */
static bool is_taken(const struct table *table, const struct mapping *m,
		     const struct in6_addr *addr, uint16_t port)
{
	static const struct in6_addr nobody[] = { IN6ADDR_ANY_INIT,
						  { { { [10] = 0xff, 0xff } } } };
	const struct endpoint dialled = { .addr = *addr, .port = port };
	const struct mapping *first;

	/* an address from which nobody comes is in no remote prefix but the widest */
	first = table_match(table, m->protocol, &dialled, !mapping_is_pinhole(m),
			    &nobody[address_is_ipv4(addr)]);
	return first && first->id != m->id;
}

static bool all_is_taken(const struct table *table, const struct mapping *m,
			 const struct in6_addr *addr)
{
	for (uint32_t port = m->external.port; port <= mapping_last_port(m); port++) {
		if (!is_taken(table, m, addr, (uint16_t)port))
			return false;
	}
	return true;
}

/* Who dials an endpoint that is taken reaches another mapping. */
static void drop_taken(const struct counts *counts, const struct mapping *m,
		       struct mapping_state *ret)
{
	size_t n = 0;

	if (!ret->n_shadowed_by || is_restricted(m))
		return;
	for (size_t i = 0; i < ret->n_endpoints; i++) {
		if (!all_is_taken(counts->gw->table, m, &ret->endpoints[i].addr))
			ret->endpoints[n++] = ret->endpoints[i];
	}
	ret->n_endpoints = n;
}

static bool may_be_shadowed(const struct counts *counts, const struct mapping *m)
{
	return is_restricted(m) || mapping_kind(m) > counts->foremost[counts_group(m)];
}

static void put_shadows(const struct counts *counts, const struct mapping *m,
			struct mapping_state *ret)
{
	const struct mapping *taking[STATE_SHADOWS_MAX];
	size_t n;

	if (!may_be_shadowed(counts, m))
		return;
	n = table_shadowing(counts->gw->table, m, taking, STATE_SHADOWS_MAX);
	ret->n_shadowed_by = n < STATE_SHADOWS_MAX ? n : STATE_SHADOWS_MAX;
	for (size_t i = 0; i < ret->n_shadowed_by; i++)
		ret->shadowed_by[i] = taking[i]->id;
}

static void put_condition(const struct counts *counts, const struct mapping *m,
			  struct mapping_state *ret)
{
	ret->condition = CONDITION_ACTIVE;
	put_endpoints(counts, m, ret);
	put_shadows(counts, m, ret);
	if (!m->enabled)
		ret->condition = CONDITION_DISABLED;
	else if (!ret->n_endpoints)
		ret->condition = CONDITION_WAITING;
	if (ret->condition != CONDITION_ACTIVE) {
		ret->n_endpoints = 0;
		return;
	}
	drop_taken(counts, m, ret);
	if (!ret->n_endpoints)
		ret->condition = CONDITION_SHADOWED;
}

/* ------------------------------------------------------------ who else */

static void put_listeners(const struct counts *counts, const struct mapping *m,
			  struct mapping_state *ret)
{
	const struct port_range ports = {
		.first = m->external.port,
		.last = mapping_last_port(m),
	};
	const struct listener *found[REFUSAL_LISTENERS_MAX];
	size_t n;

	ret->listeners_known = counts->listeners_known;
	/* a pinhole's address is its host's, who is none of ours */
	if (!counts->listeners_known || mapping_is_pinhole(m) || !mapping_is_live(m))
		return;
	n = listener_find(&counts->listener_list, m->protocol, &m->external.addr, &ports,
			  counts->wan.addrs, counts->wan.n, found, REFUSAL_LISTENERS_MAX);
	ret->n_listeners = n < REFUSAL_LISTENERS_MAX ? n : REFUSAL_LISTENERS_MAX;
	for (size_t i = 0; i < ret->n_listeners; i++)
		ret->listeners[i] = *found[i];
}

void counts_state(const struct counts *counts, const struct mapping *m,
		  struct mapping_state *ret)
{
	const struct address_list local = { .addrs = counts->local,
					    .n = counts->n_local };
	const struct blocking *b = &counts->blocking[!mapping_is_ipv4(m)]
						    [address_list_has(&local, &m->host)];

	*ret = (struct mapping_state){
		.blocked_by = b->texts,
		.n_blocked_by = b->n,
	};
	put_traffic(counts, m, ret);
	put_lease(counts, m, ret);
	put_condition(counts, m, ret);
	put_listeners(counts, m, ret);
	gateway_upstream_view(counts->gw, m->id, &ret->upstream);
}
