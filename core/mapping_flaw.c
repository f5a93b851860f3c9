/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a mapping may not be, in sentences.
 */

#include <assert.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mapping.h"

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

/* Reads one character of UTF-8 (RFC 3629); returns its length, 0 when it is none. */
static size_t read_character(const char *text, uint32_t *ret)
{
	static const struct {
		uint8_t mask, mark;
		uint32_t lowest;
	} forms[] = {
		{ 0x80, 0x00, 0x0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	const uint8_t *bytes = (const uint8_t *)text;
	size_t n = 0;
	uint32_t c;

	while (n < ARRAY_SIZE(forms) && (bytes[0] & forms[n].mask) != forms[n].mark)
		n++;
	if (n == ARRAY_SIZE(forms))
		return 0;
	c = bytes[0] & (uint8_t)~forms[n].mask;
	for (size_t i = 1; i <= n; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (bytes[i] & 0x3f);
	}
	if (c < forms[n].lowest || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*ret = c;
	return n + 1;
}

/* What moves a cursor, ends a line, or turns the direction of the text around it. */
static bool is_control(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} controls[] = {
		{ 0x00, 0x1f },	    { 0x7f, 0x9f },	{ 0x200e, 0x200f },
		{ 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		if (c >= controls[i].first && c <= controls[i].last)
			return true;
	}
	return false;
}

const char *mapping_comment_flaw(const char *comment)
{
	uint32_t c;
	size_t len;

	for (const char *at = comment; *at; at += len) {
		len = read_character(at, &c);
		if (len == 0)
			return "A comment is text in UTF-8.";
		if (is_control(c))
			return "A comment has no control characters.";
	}
	if (strlen(comment) > MAPPING_COMMENT_MAX)
		return "A comment has at most 127 bytes.";
	return NULL;
}

static_assert(MAPPING_COMMENT_MAX == 127, "the sentence above says so");

static const char *ports_flaw(const struct mapping *m)
{
	if (!protocol_bit(m->protocol))
		return "The protocol of a mapping is tcp, udp, sctp or udplite.";
	if (!m->external.port || !m->internal.port || !m->n_ports)
		return "Ports are from 1 to 65535.";
	if (m->external.port + m->n_ports - 1 > UINT16_MAX)
		return "The external ports run over 65535.";
	if (m->internal.port + m->n_ports - 1 > UINT16_MAX)
		return "The internal ports run over 65535.";
	return NULL;
}

static bool has_host_bits_only(const struct in6_addr *addr)
{
	static const struct prefix none = { IN6ADDR_ANY_INIT, 64 };

	return address_in_prefix(addr, &none);
}

static const char *suffix_flaw(const struct mapping *m)
{
	struct in6_addr host = m->host;

	if (address_is_ipv4(&m->internal.addr))
		return "A host suffix is one of an IPv6 address.";
	if (!has_host_bits_only(&m->internal.addr))
		return "A host suffix has the last 64 bits of an address only.";
	if (address_is_any(&m->internal.addr))
		return "A host suffix of zeros is the router's own address.";
	memset(&host, 0, 8);
	if (!address_equal(&m->host, &address_any6) &&
	    !address_equal(&host, &m->internal.addr))
		return "The host does not end in its suffix.";
	return NULL;
}

static const char *internal_flaw(const struct mapping *m)
{
	if (m->suffix)
		return suffix_flaw(m);
	if (address_unusable(&m->internal.addr))
		return "The internal address is none that packets can be sent on to.";
	if (!address_equal(&m->host, &m->internal.addr))
		return "The host is not the internal address.";
	if (*mapping_lan(m))
		return "Only a host suffix (::10) has a LAN named with it.";
	return NULL;
}

static const char *external_flaw(const struct mapping *m)
{
	const struct in6_addr *addr = &m->external.addr;
	struct mapping resolved = *m;

	mapping_resolve(&resolved);
	if (!address_equal(&resolved.external.addr, addr))
		return "The external address is not settled.";
	if (address_is_any(addr))
		return NULL;
	if (address_is_ipv4(addr) != mapping_is_ipv4(m))
		return "The external address is of another family than the internal one.";
	if (address_unusable(addr))
		return "The external address is none that packets can be sent to.";
	if (address_equal(addr, &m->host) &&
	    (!mapping_is_pinhole(m) || address_is_ula(addr)))
		return "The external address is the internal host itself.";
	return NULL;
}

#define WHAT_MAY_BE_LARGER                                                               \
	" Only one with the same ports inside, on any WAN address and for anybody, may " \
	"be larger."

/* Why it is no range that is one element, however large. */
static const char *size_flaw(const struct mapping *m)
{
	if (mapping_slots(m) <= MAPPING_SLOTS_MAX)
		return NULL;
	if (m->n_ports <= MAPPING_SLOTS_MAX)
		return "A mapping has at most 4,096 ports times remote prefixes." WHAT_MAY_BE_LARGER;
	if (m->external.port != m->internal.port)
		return "A range with other ports inside than outside has at most 4,096 "
		       "ports." WHAT_MAY_BE_LARGER;
	if (mapping_is_pinhole(m) || address_is_any(&m->external.addr))
		return "A range for some remote prefixes has at most 4,096 ports." WHAT_MAY_BE_LARGER;
	return "A range on a given external address has at most 4,096 ports." WHAT_MAY_BE_LARGER;
}

static_assert(MAPPING_SLOTS_MAX == 4096, "the sentences above say so");

static const char *remotes_flaw(const struct mapping *m)
{
	const struct prefix *remotes;
	size_t n;

	remotes = mapping_remotes(m, &n);
	for (size_t i = 0; i < n; i++) {
		if (prefix_is_ipv4(&remotes[i]) != mapping_is_ipv4(m))
			return "A remote prefix is of another family than the mapping.";
	}
	return NULL;
}

/* With the policy's wish larger ones are taken, and stay here. */
static const char *upstream_flaw(const struct mapping *m)
{
	if (m->upstream > UPSTREAM_REQUIRED)
		return "What is wished of the router above us is not known.";
	if (mapping_asks_upstream(m) && m->n_ports > MAPPING_UPSTREAM_PORTS_MAX)
		return "The router above us is asked for at most 64 ports of a mapping; "
		       "make several of it, or leave upstream at default.";
	if (m->held && m->upstream != UPSTREAM_REQUIRED)
		return "Only what the router above us must hold waits for it.";
	return NULL;
}

static_assert(MAPPING_UPSTREAM_PORTS_MAX == 64, "the sentence above says so");

static const char *rest_flaw(const struct mapping *m)
{
	if (!memchr(m->name, '\0', sizeof(m->name)))
		return "A name has at most 63 characters.";
	if (m->name[0] && mapping_name_flaw(m->name))
		return mapping_name_flaw(m->name);
	if (m->lifetime > MAPPING_LIFETIME_MAX)
		return "A lease is of at most 315,360,000 seconds (10 years).";
	if (m->origin > ORIGIN_ADMIN)
		return "The origin is not known.";
	return mapping_comment_flaw(mapping_comment(m));
}

static_assert(MAPPING_LIFETIME_MAX == 315360000, "the sentence above says so");

const char *mapping_flaw(const struct mapping *m)
{
	static const char *(*const flaws[])(const struct mapping *m) = {
		ports_flaw, internal_flaw, external_flaw, remotes_flaw,
		size_flaw,  upstream_flaw, rest_flaw,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flaws); i++) {
		const char *flaw = flaws[i](m);

		if (flaw)
			return flaw;
	}
	return NULL;
}
