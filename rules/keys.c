/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * keys - mappings and connections as keys and data of sets, and back
 *
 * Fields of a concatenation start at multiples of 4 bytes, in network byte order; what
 * lies between them is zero, because the kernel compares it too.
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "rules/sets.h"

#define V4MAPPED_LEN 12 /* bytes before the IPv4 address in a v4-mapped one */

struct writer {
	uint8_t *start;
	uint8_t *at;
};

static void put_protocol(struct writer *w, uint8_t protocol)
{
	w->at[0] = protocol;
	w->at += 4;
}

static void put_port(struct writer *w, uint16_t port)
{
	uint16_t be = htons(port);

	memcpy(w->at, &be, sizeof(be));
	w->at += 4;
}

static void put_address(struct writer *w, const struct in6_addr *addr)
{
	size_t skip = address_is_ipv4(addr) ? V4MAPPED_LEN : 0;

	memcpy(w->at, addr->s6_addr + skip, sizeof(addr->s6_addr) - skip);
	w->at += sizeof(addr->s6_addr) - skip;
}

static uint16_t written(const struct writer *w)
{
	return (uint16_t)(w->at - w->start);
}

void mapping_element(const struct mapping *m, struct mapping_element *ret)
{
	struct writer key = { ret->key, ret->key };
	struct writer data = { ret->data, ret->data };

	memset(ret, 0, sizeof(*ret));
	switch (mapping_kind(m)) {
	case MAPPING_FORWARD4:
	case MAPPING_FORWARD6:
		put_protocol(&key, m->protocol);
		put_port(&key, m->external.port);
		put_address(&data, &m->internal.addr);
		put_port(&data, m->internal.port);
		break;
	case MAPPING_PINHOLE6:
		put_address(&key, &m->internal.addr);
		put_protocol(&key, m->protocol);
		put_port(&key, m->internal.port);
		break;
	}
	ret->key_len = written(&key);
	ret->data_len = written(&data);
}

static uint16_t get_port(const uint8_t *at)
{
	uint16_t be;

	memcpy(&be, at, sizeof(be));
	return ntohs(be);
}

void mapping_element_external(enum mapping_kind kind, const uint8_t *key,
			      uint8_t *ret_protocol, struct endpoint *ret)
{
	switch (kind) {
	case MAPPING_FORWARD4:
		ret->addr = address_any4;
		break;
	case MAPPING_FORWARD6:
		ret->addr = address_any6;
		break;
	case MAPPING_PINHOLE6:
		memcpy(&ret->addr, key, sizeof(ret->addr));
		key += sizeof(ret->addr);
		break;
	}
	*ret_protocol = key[0];
	ret->port = get_port(key + 4);
}

void mapping_element_internal(enum mapping_kind kind, const uint8_t *key,
			      const uint8_t *data, struct endpoint *ret)
{
	uint8_t protocol;

	switch (kind) {
	case MAPPING_FORWARD4:
		ret->addr = address_any4; /* the v4-mapped prefix */
		memcpy(ret->addr.s6_addr + V4MAPPED_LEN, data, 4);
		ret->port = get_port(data + 4);
		break;
	case MAPPING_FORWARD6:
		memcpy(&ret->addr, data, sizeof(ret->addr));
		ret->port = get_port(data + sizeof(ret->addr));
		break;
	case MAPPING_PINHOLE6:
		mapping_element_external(kind, key, &protocol, ret);
		break;
	}
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

/* ------------------------------------------------------------------ words */

static size_t field_len(enum nft_type type, size_t key_len)
{
	switch (type) {
	case TYPE_IPV6_ADDR:
		return 16;
	case TYPE_STRING:
	case TYPE_IFNAME:
		return key_len;
	case TYPE_IPV4_ADDR:
	case TYPE_INET_PROTO:
	case TYPE_INET_SERVICE:
	case TYPE_MARK:
	case TYPE_ICMPV6_TYPE:
		return 4;
	}
	return 4;
}

static int field_format(enum nft_type type, const uint8_t *at, size_t len, char *buf,
			size_t room)
{
	char text[INET6_ADDRSTRLEN];
	uint32_t number;

	switch (type) {
	case TYPE_IPV4_ADDR:
		return snprintf(buf, room, "%s",
				inet_ntop(AF_INET, at, text, sizeof(text)));
	case TYPE_IPV6_ADDR:
		return snprintf(buf, room, "%s",
				inet_ntop(AF_INET6, at, text, sizeof(text)));
	case TYPE_INET_PROTO:
		if (at[0] != IPPROTO_TCP && at[0] != IPPROTO_UDP)
			return snprintf(buf, room, "%u", at[0]);
		return snprintf(buf, room, "%s", protocol_name(at[0]));
	case TYPE_INET_SERVICE:
		return snprintf(buf, room, "%u", get_port(at));
	case TYPE_MARK:
		memcpy(&number, at, sizeof(number));
		return snprintf(buf, room, "%u", number);
	case TYPE_STRING:
	case TYPE_IFNAME:
		return snprintf(buf, room, "%.*s", (int)len, (const char *)at);
	case TYPE_ICMPV6_TYPE:
		return snprintf(buf, room, "%u", at[0]);
	}
	return snprintf(buf, room, "?");
}

const char *set_key_format(const struct set_spec *spec, const uint8_t *key, size_t len,
			   char buf[static KEY_STRLEN])
{
	size_t at = 0, used = 0, step;
	enum nft_type type;

	buf[0] = '\0';
	for (int shift = 30; shift >= 0; shift -= 6) {
		type = spec->key_type >> shift & 0x3f;
		if (!type)
			continue;
		step = field_len(type, spec->key_len);
		if (at + step > len)
			break;
		if (at && used < KEY_STRLEN)
			used += (size_t)snprintf(buf + used, KEY_STRLEN - used, " . ");
		if (used < KEY_STRLEN)
			used += (size_t)field_format(type, key + at, step, buf + used,
						     KEY_STRLEN - used);
		at += step;
	}
	return buf;
}
