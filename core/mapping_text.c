/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The words for mappings: protocols, origins, and a mapping in one line.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mapping.h"
#include "core/text.h"

/* In the order of the bits. */
static const struct {
	uint8_t protocol;
	const char *name;
} protocols[] = {
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ IPPROTO_SCTP, "sctp" },
	{ IPPROTO_UDPLITE, "udplite" },
};

static_assert(ARRAY_SIZE(protocols) == PROTOCOL_COUNT, "a name for each");

const char *protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	}
	return "?";
}

/* The place of the protocol that is called by @len bytes of @text, or -EINVAL. */
static int protocol_place(const char *text, size_t len)
{
	for (int i = 0; i < PROTOCOL_COUNT; i++) {
		const char *name = protocols[i].name;

		if (strlen(name) == len && memcmp(name, text, len) == 0)
			return i;
	}
	return -EINVAL;
}

int protocol_parse(const char *text, uint8_t *ret)
{
	const int place = protocol_place(text, strlen(text));

	if (place < 0)
		return place;
	*ret = protocols[place].protocol;
	return 0;
}

uint8_t protocol_bit(uint8_t protocol)
{
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		if (protocols[i].protocol == protocol)
			return (uint8_t)(1u << i);
	}
	return 0;
}

uint8_t protocol_at(unsigned int i)
{
	assert(i < PROTOCOL_COUNT);
	return protocols[i].protocol;
}

int protocols_parse(const char *text, uint8_t *ret_bits)
{
	unsigned int bits = 0;

	for (;;) {
		const size_t len = strcspn(text, ",");
		const int place = protocol_place(text, len);

		if (place < 0 || bits & 1u << place)
			return -EINVAL;
		bits |= 1u << place;
		if (!text[len])
			break;
		text += len + 1;
	}
	*ret_bits = (uint8_t)bits;
	return 0;
}

const char *protocols_format(uint8_t bits, char buf[static PROTOCOLS_STRLEN])
{
	buf[0] = '\0';
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		if (bits & 1u << i)
			text_append(buf, PROTOCOLS_STRLEN, "%s%s", *buf ? "," : "",
				    protocols[i].name);
	}
	return buf;
}

const char *origin_name(enum origin origin)
{
	switch (origin) {
	case ORIGIN_CONFIG:
		return "config";
	case ORIGIN_ADMIN:
		return "admin";
	}
	return "?";
}

int origin_parse(const char *text, enum origin *ret)
{
	static const enum origin all[] = { ORIGIN_CONFIG, ORIGIN_ADMIN };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(text, origin_name(all[i])) == 0) {
			*ret = all[i];
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const wishes[] = {
	[UPSTREAM_DEFAULT] = "default",
	[UPSTREAM_YES] = "yes",
	[UPSTREAM_NO] = "no",
	[UPSTREAM_REQUIRED] = "required",
};

const char *upstream_wish_name(enum upstream_wish wish)
{
	return wishes[wish];
}

int upstream_wish_parse(const char *text, enum upstream_wish *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		if (strcmp(text, wishes[i]) == 0) {
			*ret = (enum upstream_wish)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *mapping_owner(const struct mapping *m, char buf[static OWNER_STRLEN])
{
	if (m->origin == ORIGIN_CONFIG)
		snprintf(buf, OWNER_STRLEN, "config");
	else
		snprintf(buf, OWNER_STRLEN, "uid:%u", m->owner_uid);
	return buf;
}

/* Not mapping_last_port(): a range that runs over 65535 is described as well. */
static void append_ports(char *buf, size_t size, unsigned int first, unsigned int n)
{
	if (first == 0)
		text_append(buf, size, "auto");
	else
		text_append(buf, size, "%u", first);
	if (n > 1 && first > 0)
		text_append(buf, size, "-%u", first + n - 1);
}

static void append_address(char *buf, size_t size, const struct in6_addr *addr,
			   const char *lan)
{
	const bool bracketed = *lan || !address_is_ipv4(addr);
	char address[INET6_ADDRSTRLEN];

	text_append(buf, size, "%s%s%s%s%s:", bracketed ? "[" : "",
		    address_format(addr, address), *lan ? "%" : "", lan,
		    bracketed ? "]" : "");
}

const char *mapping_format_external(const struct mapping *m,
				    char buf[static MAPPING_ENDPOINT_STRLEN])
{
	buf[0] = '\0';
	if (!address_is_any(&m->external.addr) && !mapping_is_pinhole(m))
		append_address(buf, MAPPING_ENDPOINT_STRLEN, &m->external.addr, "");
	append_ports(buf, MAPPING_ENDPOINT_STRLEN, m->external.port, m->n_ports);
	return buf;
}

const char *mapping_format_internal(const struct mapping *m,
				    char buf[static MAPPING_ENDPOINT_STRLEN])
{
	const char *lan = m->suffix ? mapping_lan(m) : "";

	buf[0] = '\0';
	append_address(buf, MAPPING_ENDPOINT_STRLEN, &m->internal.addr, lan);
	append_ports(buf, MAPPING_ENDPOINT_STRLEN, m->internal.port, m->n_ports);
	return buf;
}

static void append_remotes(char buf[static MAPPING_STRLEN], const struct mapping *m)
{
	char prefix[PREFIX_STRLEN];
	const struct prefix *remotes;
	size_t n;

	remotes = mapping_remotes(m, &n);
	if (n == 0)
		return;
	text_append(buf, MAPPING_STRLEN, " from %s", prefix_format(&remotes[0], prefix));
	if (n > 1)
		text_append(buf, MAPPING_STRLEN, " and %zu other%s", n - 1,
			    n > 2 ? "s" : "");
}

const char *mapping_describe(const struct mapping *m, char buf[static MAPPING_STRLEN])
{
	char endpoint[MAPPING_ENDPOINT_STRLEN];

	buf[0] = '\0';
	text_append(buf, MAPPING_STRLEN, "%s %s ", protocol_name(m->protocol),
		    mapping_format_external(m, endpoint));
	if (m->name[0])
		text_append(buf, MAPPING_STRLEN, "\"%s\" ", m->name);
	text_append(buf, MAPPING_STRLEN, "-> %s", mapping_format_internal(m, endpoint));
	append_remotes(buf, m);
	return buf;
}
