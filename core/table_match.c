/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * table_match - which mapping serves a packet, and which takes packets from which
 *
 * The order is that of enum mapping_kind, as the kernel looks them up.
 */

#include "core/cleanup.h"
#include "core/table_private.h"

static struct node *find_range(const struct table *table, enum mapping_kind kind,
			       uint8_t protocol, const struct endpoint *external)
{
	const struct key key = key_of_external(kind, protocol, external);
	const struct port_range port = { external->port, external->port };

	return table_range_over(table, &key, &port, PRESENT);
}

static struct node *find_addressed(const struct table *table, enum mapping_kind kind,
				   uint8_t protocol, const struct endpoint *external)
{
	const struct key key = key_of_external(kind, protocol, external);

	return table_node(table, &key, PRESENT);
}

const struct mapping *table_find(const struct table *table, enum mapping_kind kind,
				 uint8_t protocol, const struct endpoint *external)
{
	const bool ipv4 = kind < MAPPING_FORWARD6_FROM;
	const struct in6_addr *any = ipv4 ? &address_any4 : &address_any6;

	assert(!kind_is_from(kind));
	if (kind_is_at(kind) || kind == MAPPING_PINHOLE6)
		return mapping_of(find_addressed(table, kind, protocol, external));
	if (!kind_is_pinhole(kind) && !address_equal(&external->addr, any))
		return NULL;
	if (kind_is_range(kind))
		return mapping_of(find_range(table, kind, protocol, external));
	return mapping_of(table_plain(table, kind, protocol, external->port, PRESENT));
}

const struct mapping *table_restricted(const struct table *table,
				       enum generation generation, enum mapping_kind kind,
				       uint8_t protocol, const struct endpoint *external,
				       const struct mapping *prev)
{
	const struct key key =
		key_of_port(kind, protocol, external->port, &external->addr);

	assert(kind_is_from(kind));
	return mapping_of(prev ? table_node_after(table, node_of(prev), &key, generation)
			       : table_node(table, &key, generation));
}

/* ----------------------------------------------------------------- matching */

/* The longest prefix of @m that has @remote, or -1. */
static int longest_prefix(const struct mapping *m, const struct in6_addr *remote)
{
	const struct prefix *remotes;
	int longest = -1;
	size_t n;

	remotes = mapping_remotes(m, &n);
	for (size_t i = 0; i < n; i++) {
		if (remotes[i].len > longest && address_in_prefix(remote, &remotes[i]))
			longest = remotes[i].len;
	}
	return longest;
}

/* Precedence of @m for that packet among those limited to remote prefixes; -1: it is not
 * its packet. */
static int precedence(const struct mapping *m, const struct endpoint *dialled,
		      const struct in6_addr *remote)
{
	const struct in6_addr *at = &m->external.addr;
	const bool given = !mapping_is_pinhole(m) && !address_is_any(at);
	int len;

	if (!mapping_is_live(m) || (given && !address_equal(at, &dialled->addr)))
		return -1;
	len = longest_prefix(m, remote);
	return len < 0 ? -1 : len + (given ? 256 : 0);
}

static const struct mapping *match_from(const struct table *table, enum mapping_kind kind,
					uint8_t protocol, const struct endpoint *dialled,
					const struct in6_addr *remote)
{
	const struct mapping *m = NULL, *best = NULL;
	int highest = -1, p;

	while ((m = table_restricted(table, PRESENT, kind, protocol, dialled, m))) {
		p = precedence(m, dialled, remote);
		if (p > highest) {
			highest = p;
			best = m;
		}
	}
	return best;
}

static const struct mapping *match_kind(const struct table *table, enum mapping_kind kind,
					uint8_t protocol, const struct endpoint *dialled,
					const struct in6_addr *remote)
{
	struct endpoint external = *dialled;
	const struct mapping *m;

	if (kind_is_from(kind))
		return match_from(table, kind, protocol, dialled, remote);
	if (!kind_is_at(kind) && !kind_is_pinhole(kind))
		external.addr =
			address_is_ipv4(&dialled->addr) ? address_any4 : address_any6;
	m = table_find(table, kind, protocol, &external);
	return m && mapping_is_live(m) ? m : NULL;
}

const struct mapping *table_match(const struct table *table, uint8_t protocol,
				  const struct endpoint *dialled, bool is_wan,
				  const struct in6_addr *remote)
{
	const bool ipv4 = address_is_ipv4(&dialled->addr);
	enum mapping_kind kind = ipv4 ? MAPPING_FORWARD4_FROM : MAPPING_FORWARD6_FROM;
	const enum mapping_kind end = ipv4 ? MAPPING_FORWARD6_FROM : MAPPING_KINDS;
	const struct mapping *m = NULL;

	if (!is_wan)
		kind = ipv4 ? end : MAPPING_PINHOLE6_FROM;
	for (; kind < end && !m; kind++)
		m = match_kind(table, kind, protocol, dialled, remote);
	return m;
}

/* ---------------------------------------------------------------- shadowing */

static bool is_given(const struct mapping *m)
{
	return !mapping_is_pinhole(m) && !address_is_any(&m->external.addr);
}

/* Is there a packet that has both their addresses? */
static bool addresses_meet(const struct mapping *a, const struct mapping *b)
{
	if (mapping_is_pinhole(a) || (is_given(a) && is_given(b)))
		return address_equal(&a->external.addr, &b->external.addr);
	return true;
}

static bool ports_meet(const struct mapping *a, const struct mapping *b)
{
	return a->external.port <= mapping_last_port(b) &&
	       b->external.port <= mapping_last_port(a);
}

/* Both limited to remote prefixes, and the same addresses: is one of @taker's within one
 * of @m's? */
static bool prefix_within(const struct mapping *taker, const struct mapping *m,
			  bool or_around)
{
	const struct prefix *ours, *theirs;
	size_t n_ours, n_theirs;

	ours = mapping_remotes(m, &n_ours);
	theirs = mapping_remotes(taker, &n_theirs);
	for (size_t i = 0; i < n_ours; i++) {
		for (size_t k = 0; k < n_theirs; k++) {
			if (theirs[k].len > ours[i].len
				    ? address_in_prefix(&theirs[k].addr, &ours[i])
				    : or_around && address_in_prefix(&ours[i].addr,
								     &theirs[k]))
				return true;
		}
	}
	return false;
}

bool mapping_takes(const struct mapping *taker, const struct mapping *m)
{
	const enum mapping_kind kind = mapping_kind(m), other = mapping_kind(taker);

	if (taker->id == m->id || taker->protocol != m->protocol || other > kind ||
	    mapping_is_ipv4(taker) != mapping_is_ipv4(m) ||
	    kind_is_pinhole(other) != kind_is_pinhole(kind) || !ports_meet(taker, m) ||
	    !addresses_meet(taker, m))
		return false;
	if (other < kind)
		return true;
	if (!kind_is_from(kind) || (is_given(m) && !is_given(taker)))
		return false;
	return prefix_within(taker, m, is_given(taker) && !is_given(m));
}

static bool takes_part(const struct mapping *taker, const struct mapping *m)
{
	return mapping_is_live(taker) && mapping_takes(taker, m);
}

/** struct takers - those found; the first @max in order of id are in @ret */
struct takers {
	const struct mapping *m;
	const struct mapping **ret;
	size_t n, max;
};

static void add_taker(struct takers *t, const struct mapping *taker)
{
	size_t at = t->n < t->max ? t->n : t->max;

	t->n++;
	if (at == t->max && (at == 0 || t->ret[at - 1]->id < taker->id))
		return;
	if (at == t->max)
		at--;
	for (; at > 0 && t->ret[at - 1]->id > taker->id; at--)
		t->ret[at] = t->ret[at - 1];
	t->ret[at] = taker;
}

static void consider_taker(struct takers *t, const struct mapping *taker, uint16_t port)
{
	const uint16_t first = taker->external.port, m_first = t->m->external.port;

	/* one that has several of the ports counts once */
	if (port == (first > m_first ? first : m_first) && takes_part(taker, t->m))
		add_taker(t, taker);
}

static void takers_on_port(struct takers *t, const struct table *table,
			   enum mapping_kind kind, uint16_t port)
{
	const struct mapping *m = t->m;
	const struct key key = key_of_port(kind, m->protocol, port, &m->external.addr);
	const struct node *node;

	if (kind_is_plain(kind)) {
		node = table_plain(table, kind, m->protocol, port, PRESENT);
		if (node)
			consider_taker(t, &node->mapping, port);
		return;
	}
	node = table_node(table, &key, PRESENT);
	for (; node; node = table_node_after(table, node, &key, PRESENT))
		consider_taker(t, &node->mapping, port);
}

static void takers_of_all(struct takers *t, const struct table *table)
{
	const struct mapping *taker;

	table_for_each (table, taker) {
		if (takes_part(taker, t->m))
			add_taker(t, taker);
	}
}

size_t table_shadowing(const struct table *table, const struct mapping *m,
		       const struct mapping **ret, size_t max)
{
	static const enum mapping_kind first[] = { MAPPING_FORWARD4_FROM,
						   MAPPING_FORWARD6_FROM,
						   MAPPING_PINHOLE6_FROM };
	struct takers t = { .m = m, .ret = ret, .max = max };
	const enum mapping_kind kind = mapping_kind(m);
	size_t i = ARRAY_SIZE(first) - 1;

	/* a port costs some lookups, about as much as ten mappings to walk past */
	if (m->n_ports > table_size(table) / 10) {
		takers_of_all(&t, table);
		return t.n;
	}
	while (first[i] > kind)
		i--;
	for (uint32_t port = m->external.port; port <= mapping_last_port(m); port++) {
		/* what is of the last of its kinds is only of ranges */
		for (enum mapping_kind k = first[i]; k <= kind && !kind_is_range(k); k++)
			takers_on_port(&t, table, k, (uint16_t)port);
	}
	return t.n;
}
