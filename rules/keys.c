/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * keys - mappings and connections as keys and data of sets, and back
 *
 * Fields of a concatenation start at multiples of 4 bytes, in network byte order; what
 * lies between them is zero, because the kernel compares it too.
 */

#include <arpa/inet.h>
#include <string.h>

#include "rules/elements.h"
#include "rules/sets.h"

#define V4MAPPED_LEN 12 /* bytes before the IPv4 address in a v4-mapped one */

void put_protocol(struct writer *w, uint8_t protocol)
{
	w->at[0] = protocol;
	w->at += 4;
}

void put_port(struct writer *w, uint16_t port)
{
	uint16_t be = htons(port);

	memcpy(w->at, &be, sizeof(be));
	w->at += 4;
}

void put_address(struct writer *w, const struct in6_addr *addr)
{
	size_t skip = address_is_ipv4(addr) ? V4MAPPED_LEN : 0;

	memcpy(w->at, addr->s6_addr + skip, sizeof(addr->s6_addr) - skip);
	w->at += sizeof(addr->s6_addr) - skip;
}

uint16_t written(const struct writer *w)
{
	return (uint16_t)(w->at - w->start);
}

size_t mapping_elements(const struct mapping *m)
{
	return mapping_is_range(m) ? 1 : m->n_ports;
}

static void put_key(struct writer *w, const struct mapping *m, enum mapping_kind kind,
		    uint16_t port)
{
	switch (kind) {
	case MAPPING_FORWARD4_AT:
	case MAPPING_FORWARD6_AT:
	case MAPPING_PINHOLE6_FROM:
	case MAPPING_PINHOLE6:
		put_address(w, &m->external.addr);
		put_protocol(w, m->protocol);
		put_port(w, port);
		break;
	case MAPPING_FORWARD4_FROM:
	case MAPPING_FORWARD6_FROM:
	case MAPPING_FORWARD4:
	case MAPPING_FORWARD6:
		put_protocol(w, m->protocol);
		put_port(w, port);
		break;
	case MAPPING_RANGE4:
	case MAPPING_RANGE6:
	case MAPPING_PINRANGE6:
		put_port(w, port);
		put_protocol(w, m->protocol);
		if (kind == MAPPING_PINRANGE6)
			put_address(w, &m->external.addr);
		break;
	}
}

static void put_data(struct writer *w, const struct mapping *m, enum mapping_kind kind,
		     uint16_t port)
{
	switch (kind) {
	case MAPPING_FORWARD4_AT:
	case MAPPING_FORWARD4:
	case MAPPING_FORWARD6_AT:
	case MAPPING_FORWARD6:
		put_address(w, &m->host);
		put_port(w, port);
		break;
	case MAPPING_RANGE4:
	case MAPPING_RANGE6:
		put_address(w, &m->host);
		break;
	case MAPPING_FORWARD4_FROM:
	case MAPPING_FORWARD6_FROM:
	case MAPPING_PINHOLE6_FROM:
	case MAPPING_PINHOLE6:
	case MAPPING_PINRANGE6:
		break;
	}
}

void mapping_element(const struct mapping *m, size_t i, struct mapping_element *ret)
{
	enum mapping_kind kind = mapping_kind(m);
	struct writer key = { ret->key, ret->key };
	struct writer end = { ret->end, ret->end };
	struct writer data = { ret->data, ret->data };

	memset(ret, 0, sizeof(*ret));
	put_key(&key, m, kind, (uint16_t)(m->external.port + i));
	put_data(&data, m, kind, (uint16_t)(m->internal.port + i));
	if (mapping_is_range(m))
		put_key(&end, m, kind, mapping_last_port(m));
	ret->key_len = written(&key);
	ret->end_len = written(&end);
	ret->data_len = written(&data);
}

void mapping_element_put(struct batch *b, enum mapping_kind kind, uint16_t type,
			 uint16_t flags, const struct mapping_element *e)
{
	bool whole = type == NFT_MSG_NEWSETELEM;

	batch_element(b, type, flags, set_specs[set_of_mappings(kind)].name,
		      &(struct element){ .key = e->key,
					 .end = e->end_len ? e->end : NULL,
					 .data = whole && e->data_len ? e->data : NULL,
					 .key_len = e->key_len,
					 .data_len = e->data_len });
}

/* ------------------------------------------------------------------ and back */

static uint16_t get_port(const uint8_t *at)
{
	uint16_t be;

	memcpy(&be, at, sizeof(be));
	return ntohs(be);
}

static void get_address(const uint8_t *at, bool ipv4, struct in6_addr *ret)
{
	*ret = ipv4 ? address_any4 : address_any6; /* the v4-mapped prefix */
	if (ipv4)
		memcpy(ret->s6_addr + V4MAPPED_LEN, at, 4);
	else
		memcpy(ret, at, sizeof(*ret));
}

static void get_key(enum mapping_kind kind, const uint8_t *key, struct ruleset_slot *ret)
{
	ret->external.addr = kind < MAPPING_FORWARD6_FROM ? address_any4 : address_any6;
	switch (kind) {
	case MAPPING_FORWARD4_AT:
		get_address(key, true, &ret->external.addr);
		key += 4;
		break;
	case MAPPING_FORWARD6_AT:
	case MAPPING_PINHOLE6_FROM:
	case MAPPING_PINHOLE6:
		get_address(key, false, &ret->external.addr);
		key += 16;
		break;
	case MAPPING_PINRANGE6:
		get_address(key + 8, false, &ret->external.addr);
		__attribute__((fallthrough));
	case MAPPING_RANGE4:
	case MAPPING_RANGE6:
		ret->external.port = get_port(key);
		ret->protocol = key[4];
		return;
	case MAPPING_FORWARD4_FROM:
	case MAPPING_FORWARD4:
	case MAPPING_FORWARD6_FROM:
	case MAPPING_FORWARD6:
		break;
	}
	ret->protocol = key[0];
	ret->external.port = get_port(key + 4);
}

static void get_data(enum mapping_kind kind, const uint8_t *data,
		     struct ruleset_slot *ret)
{
	ret->internal = ret->external;
	switch (kind) {
	case MAPPING_FORWARD4_AT:
	case MAPPING_FORWARD4:
		ret->internal.port = get_port(data + 4);
		__attribute__((fallthrough));
	case MAPPING_RANGE4:
		get_address(data, true, &ret->internal.addr);
		break;
	case MAPPING_FORWARD6_AT:
	case MAPPING_FORWARD6:
		ret->internal.port = get_port(data + 16);
		__attribute__((fallthrough));
	case MAPPING_RANGE6:
		get_address(data, false, &ret->internal.addr);
		break;
	case MAPPING_FORWARD4_FROM:
	case MAPPING_FORWARD6_FROM:
	case MAPPING_PINHOLE6_FROM:
	case MAPPING_PINHOLE6:
	case MAPPING_PINRANGE6:
		break;
	}
}

bool mapping_element_slot(enum mapping_kind kind, const struct counted *e,
			  struct ruleset_slot *ret)
{
	const struct set_spec *spec = &set_specs[set_of_mappings(kind)];

	memset(ret, 0, sizeof(*ret));
	ret->kind = kind;
	ret->remote.addr = kind < MAPPING_FORWARD6_FROM ? address_any4 : address_any6;
	if (!e->key || e->flags || e->key_len != spec->key_len ||
	    e->data_len != spec->data_len || set_is_verdict_map(spec) != !!e->chain ||
	    (e->end && e->end_len != spec->key_len))
		return false;
	get_key(kind, e->key, ret);
	get_data(kind, e->data, ret);
	ret->last_port = ret->external.port;
	if (set_has_ends(spec) && e->end)
		ret->last_port = get_port(e->end);
	return true;
}

enum set_id ended_element(const struct connection *c, uint8_t key[static KEY_ROOM])
{
	struct writer w = { key, key };

	memset(key, 0, KEY_ROOM);
	put_protocol(&w, c->protocol);
	put_address(&w, &c->reply_src.addr);
	put_port(&w, c->reply_src.port);
	put_address(&w, &c->orig_src.addr);
	put_port(&w, c->orig_src.port);
	return address_is_ipv4(&c->reply_src.addr) ? SET_ENDED4 : SET_ENDED6;
}
