/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mapping.h"

static bool is_pinhole(const struct mapping *m)
{
	return !address_is_ipv4(&m->internal.addr) &&
	       !address_is_ula(&m->internal.addr) && m->internal.port == m->external.port;
}

void mapping_resolve(struct mapping *m)
{
	if (address_is_ipv4(&m->internal.addr))
		m->external.addr = address_any4;
	else if (is_pinhole(m))
		m->external.addr = m->internal.addr;
	else
		m->external.addr = address_any6;
}

enum mapping_kind mapping_kind(const struct mapping *m)
{
	if (address_is_ipv4(&m->internal.addr))
		return MAPPING_FORWARD4;
	return address_is_any(&m->external.addr) ? MAPPING_FORWARD6 : MAPPING_PINHOLE6;
}

/* Not isalpha(): what a name may be must not depend on the locale. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_char(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

const char *mapping_name_flaw(const char *name)
{
	size_t len;

	if (!is_letter(name[0]))
		return "A name starts with a letter.";
	for (len = 0; name[len]; len++) {
		if (!is_name_char(name[len]))
			return "A name has letters, digits, '-', '_' and '.' only.";
	}
	if (len > MAPPING_NAME_MAX)
		return "A name has at most 63 characters.";
	return NULL;
}

static_assert(MAPPING_NAME_MAX == 63, "the sentence above says so");

const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	}
	return "?";
}

int protocol_parse(const char *text, uint8_t *ret)
{
	if (strcmp(text, "tcp") == 0)
		*ret = IPPROTO_TCP;
	else if (strcmp(text, "udp") == 0)
		*ret = IPPROTO_UDP;
	else
		return -EINVAL;
	return 0;
}

int protocols_parse(const char *text, uint8_t *ret_bits)
{
	static const struct {
		const char *text;
		uint8_t bits;
	} words[] = {
		{ "tcp", PROTOCOL_BIT_TCP },
		{ "udp", PROTOCOL_BIT_UDP },
		{ "tcp,udp", PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP },
		{ "udp,tcp", PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i].text) == 0) {
			*ret_bits = words[i].bits;
			return 0;
		}
	}
	return -EINVAL;
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

const char *mapping_owner(const struct mapping *m, char buf[static OWNER_STRLEN])
{
	if (m->origin == ORIGIN_CONFIG)
		snprintf(buf, OWNER_STRLEN, "config");
	else
		snprintf(buf, OWNER_STRLEN, "uid:%u", m->owner_uid);
	return buf;
}

const char *mapping_describe(const struct mapping *m, char buf[static MAPPING_STRLEN])
{
	const char *quote = m->name[0] ? "\"" : "";
	char internal[ENDPOINT_STRLEN];

	snprintf(buf, MAPPING_STRLEN, "%s %u %s%s%s%s-> %s", protocol_name(m->protocol),
		 m->external.port, quote, m->name, quote, m->name[0] ? " " : "",
		 endpoint_format(&m->internal, internal));
	return buf;
}
