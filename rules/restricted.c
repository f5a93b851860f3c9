/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/restricted.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "rules/array.h"

bool kind_is_restricted(enum mapping_kind kind)
{
	return set_is_verdict_map(&set_specs[set_of_mappings(kind)]);
}

/* ------------------------------------------------------------------ ports */

int restricted_list_add(struct restricted_list *list, const struct mapping *m)
{
	enum mapping_kind kind = mapping_kind(m);
	struct restricted *grown;

	for (size_t i = 0; i < m->n_ports; i++) {
		grown = array_grow(list->ports, list->n, &list->room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->ports = grown;
		grown += list->n++;
		*grown = (struct restricted){ .kind = kind, .protocol = m->protocol };
		if (kind == MAPPING_PINHOLE6_FROM)
			grown->external.addr = m->external.addr;
		grown->external.port = (uint16_t)(m->external.port + i);
	}
	return 0;
}

static int compare_ports(const void *a, const void *b)
{
	const struct restricted *x = a, *y = b;

	if (x->kind != y->kind)
		return (x->kind > y->kind) - (x->kind < y->kind);
	if (x->protocol != y->protocol)
		return x->protocol - y->protocol;
	if (x->external.port != y->external.port)
		return x->external.port - y->external.port;
	return memcmp(&x->external.addr, &y->external.addr, sizeof(x->external.addr));
}

void restricted_list_sort(struct restricted_list *list)
{
	size_t n = 0;

	if (list->n)
		qsort(list->ports, list->n, sizeof(*list->ports), compare_ports);
	for (size_t i = 0; i < list->n; i++)
		if (!n || compare_ports(&list->ports[i], &list->ports[n - 1]) != 0)
			list->ports[n++] = list->ports[i];
	list->n = n;
}

void restricted_list_done(struct restricted_list *list)
{
	free(list->ports);
	*list = (struct restricted_list){ 0 };
}

/* ------------------------------------------------------------------ names */

static const char *prefix_of(enum mapping_kind kind)
{
	if (kind == MAPPING_PINHOLE6_FROM)
		return "pin6";
	return kind == MAPPING_FORWARD4_FROM ? "from4" : "from6";
}

void restricted_chain(enum mapping_kind kind, uint8_t protocol,
		      const struct endpoint *external, char name[static CHAIN_ROOM])
{
	int used = snprintf(name, CHAIN_ROOM, "%s_%s_%u", prefix_of(kind),
			    protocol_name(protocol), external->port);

	if (kind != MAPPING_PINHOLE6_FROM)
		return;
	name[used++] = '_';
	for (size_t i = 0; i < sizeof(external->addr); i++, used += 2)
		snprintf(name + used, 3, "%02x", external->addr.s6_addr[i]);
}

void restricted_key(const struct restricted *port, struct key *ret,
		    char chain[static CHAIN_ROOM])
{
	struct writer w = { ret->bytes, ret->bytes };

	memset(ret, 0, sizeof(*ret));
	if (port->kind == MAPPING_PINHOLE6_FROM)
		put_address(&w, &port->external.addr);
	put_protocol(&w, port->protocol);
	put_port(&w, port->external.port);
	restricted_chain(port->kind, port->protocol, &port->external, chain);
	ret->chain = chain;
	ret->verdict = NFT_JUMP;
}

/* Read loosely, then written again: only what comes out the same is one. */
bool restricted_parse(const char *chain, struct restricted *ret)
{
	static const enum mapping_kind kinds[] = { MAPPING_FORWARD4_FROM,
						   MAPPING_FORWARD6_FROM,
						   MAPPING_PINHOLE6_FROM };
	char prefix[8], protocol[8], port[6], host[33] = "", again[CHAIN_ROOM];
	struct restricted r = { 0 };
	int n = sscanf(chain, "%7[^_]_%7[^_]_%5[0-9]_%32s", prefix, protocol, port, host);

	if (n < 3 || protocol_parse(protocol, &r.protocol) < 0 ||
	    port_parse(port, &r.external.port) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(prefix, prefix_of(kinds[i])) != 0)
			continue;
		r.kind = kinds[i];
		if (n == 4 && text_hex(host, r.external.addr.s6_addr, 16) < 0)
			return false;
		restricted_chain(r.kind, r.protocol, &r.external, again);
		if (strcmp(again, chain) != 0)
			return false;
		*ret = r;
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------ rules */

static const struct mapping *next_live(const struct table *table,
				       enum generation generation,
				       const struct restricted *port,
				       const struct mapping *m)
{
	do {
		m = table_restricted(table, generation, port->kind, port->protocol,
				     &port->external, m);
	} while (m && !mapping_is_live(m));
	return m;
}

bool restricted_is_used(const struct table *table, enum generation generation,
			const struct restricted *port)
{
	return next_live(table, generation, port, NULL);
}

struct entry {
	const struct mapping *m;
	const struct prefix *remote;
};

struct entries {
	struct entry *entries;
	size_t n, room;
};

static int collect(struct entries *e, const struct table *table,
		   enum generation generation, const struct restricted *port)
{
	const struct prefix *remotes;
	const struct mapping *m = NULL;
	struct entry *grown;
	size_t n;

	while ((m = next_live(table, generation, port, m))) {
		remotes = mapping_remotes(m, &n);
		for (size_t i = 0; i < n; i++) {
			grown = array_grow(e->entries, e->n, &e->room, sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			e->entries = grown;
			e->entries[e->n++] = (struct entry){ m, &remotes[i] };
		}
	}
	return 0;
}

/* The prefixes of one mapping are sorted already, by their addresses. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	bool x_any = address_is_any(&x->m->external.addr);
	bool y_any = address_is_any(&y->m->external.addr);

	if (x_any != y_any)
		return x_any - y_any;
	if (x->remote->len != y->remote->len)
		return y->remote->len - x->remote->len;
	if (x->m->id != y->m->id)
		return x->m->id < y->m->id ? -1 : 1;
	return memcmp(&x->remote->addr, &y->remote->addr, sizeof(x->remote->addr));
}

static void match_prefix(struct rule *r, const struct prefix *p, uint8_t family)
{
	bool ipv4 = family == NFPROTO_IPV4;
	unsigned skip = ipv4 ? 12 : 0, len = 16 - skip, bits = p->len - skip * 8;
	uint8_t mask[16] = { 0 };

	if (!bits)
		return;
	rule_saddr(r, family, REG0);
	for (unsigned i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80u >> i % 8);
	if (bits < len * 8)
		rule_mask(r, mask, len);
	rule_compare(r, NFT_CMP_EQ, p->addr.s6_addr + skip, len);
}

static uint64_t packets_before(const struct slot_list *before, const struct entry *e,
			       const struct endpoint *to)
{
	const struct ruleset_slot *s;

	for (size_t i = 0; before && i < before->n; i++) {
		s = &before->slots[i];
		if (address_equal(&s->external.addr, &e->m->external.addr) &&
		    prefix_equal(&s->remote, e->remote) &&
		    endpoint_equal(&s->internal, to))
			return s->packets;
	}
	return 0;
}

static void put_rule(struct rule *r, const struct restricted *port, const struct entry *e,
		     const char *chain, const struct slot_list *before)
{
	uint8_t family =
		port->kind == MAPPING_FORWARD4_FROM ? NFPROTO_IPV4 : NFPROTO_IPV6;
	size_t skip = family == NFPROTO_IPV4 ? 12 : 0;
	struct endpoint to = { e->m->host, e->m->internal.port };

	rule_begin(r, chain);
	rule_protocol(r, port->protocol);
	rule_family(r, family);
	if (port->kind != MAPPING_PINHOLE6_FROM &&
	    !address_is_any(&e->m->external.addr)) {
		rule_daddr(r, family, REG0);
		rule_compare(r, NFT_CMP_EQ, e->m->external.addr.s6_addr + skip,
			     (uint32_t)(16 - skip));
	}
	match_prefix(r, e->remote, family);
	to.port = (uint16_t)(to.port + port->external.port - e->m->external.port);
	rule_counter(r, packets_before(before, e, &to));
	if (port->kind == MAPPING_PINHOLE6_FROM)
		rule_verdict(r, NF_ACCEPT, NULL);
	else
		rule_dnat_to(r, family, &to);
	rule_end(r);
}

int restricted_put_rules(struct rule *r, const struct table *table,
			 enum generation generation, const struct restricted *port,
			 const struct slot_list *before)
{
	char chain[CHAIN_ROOM];
	struct entries e = { 0 };
	int error = collect(&e, table, generation, port);

	restricted_chain(port->kind, port->protocol, &port->external, chain);
	if (error == 0 && e.n)
		qsort(e.entries, e.n, sizeof(*e.entries), compare_entries);
	for (size_t i = 0; error == 0 && i < e.n; i++)
		put_rule(r, port, &e.entries[i], chain, before);
	free(e.entries);
	return error;
}
