/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a mapping is, and what follows from its fields. Its words are in mapping_text.c,
 * what it may not be in mapping_flaw.c.
 */

#include <string.h>

#include "core/mapping.h"

/* Bytes of an IPv6 address that belong to the network, those that belong to the host. */
#define NETWORK_BYTES 8

static bool has_equal_ports(const struct mapping *m)
{
	return m->external.port == m->internal.port;
}

bool mapping_is_ipv4(const struct mapping *m)
{
	return !m->suffix && address_is_ipv4(&m->internal.addr);
}

bool mapping_is_pinhole(const struct mapping *m)
{
	return has_equal_ports(m) && address_equal(&m->external.addr, &m->host) &&
	       !mapping_is_ipv4(m);
}

/* As mapping_resolve() decides, of a mapping for any WAN address. */
static bool is_reached_directly(const struct mapping *m)
{
	return has_equal_ports(m) && !mapping_is_ipv4(m) &&
	       (m->suffix || !address_is_ula(&m->internal.addr));
}

void mapping_resolve(struct mapping *m)
{
	if (m->n_ports == 0)
		m->n_ports = 1;
	if (!m->suffix)
		m->host = m->internal.addr;
	if (!address_is_any(&m->external.addr))
		return;
	if (is_reached_directly(m))
		m->external.addr = m->host;
	else
		m->external.addr = mapping_is_ipv4(m) ? address_any4 : address_any6;
}

void mapping_settle_host(struct mapping *m, const struct in6_addr *prefix)
{
	const bool pinhole = mapping_is_pinhole(m);
	struct in6_addr host = address_any6;

	if (!m->suffix)
		return;
	if (prefix && !address_equal(prefix, &address_any6)) {
		host = m->internal.addr;
		memcpy(host.s6_addr, prefix->s6_addr, NETWORK_BYTES);
	}
	/* A given external address that is the host's by chance: no pinhole comes of it.
	 */
	if (!pinhole && address_equal(&host, &m->external.addr))
		host = address_any6;
	m->host = host;
	if (pinhole)
		m->external.addr = host;
}

static bool is_restricted(const struct mapping *m)
{
	return m->details && m->details->n_remotes > 0;
}

bool mapping_is_range(const struct mapping *m)
{
	return m->n_ports > 1 && has_equal_ports(m) && !is_restricted(m) &&
	       (address_is_any(&m->external.addr) || mapping_is_pinhole(m));
}

static enum mapping_kind kind_of_pinhole(const struct mapping *m)
{
	if (is_restricted(m))
		return MAPPING_PINHOLE6_FROM;
	return m->n_ports > 1 ? MAPPING_PINRANGE6 : MAPPING_PINHOLE6;
}

enum mapping_kind mapping_kind(const struct mapping *m)
{
	const bool ipv4 = mapping_is_ipv4(m);

	if (mapping_is_pinhole(m))
		return kind_of_pinhole(m);
	if (is_restricted(m))
		return ipv4 ? MAPPING_FORWARD4_FROM : MAPPING_FORWARD6_FROM;
	if (!address_is_any(&m->external.addr))
		return ipv4 ? MAPPING_FORWARD4_AT : MAPPING_FORWARD6_AT;
	if (mapping_is_range(m))
		return ipv4 ? MAPPING_RANGE4 : MAPPING_RANGE6;
	return ipv4 ? MAPPING_FORWARD4 : MAPPING_FORWARD6;
}

bool mapping_is_live(const struct mapping *m)
{
	return m->enabled && (m->held || m->upstream != UPSTREAM_REQUIRED) &&
	       !address_equal(&m->host, &address_any6);
}

bool mapping_asks_upstream(const struct mapping *m)
{
	return m->upstream == UPSTREAM_YES || m->upstream == UPSTREAM_REQUIRED;
}

size_t mapping_slots(const struct mapping *m)
{
	if (mapping_is_range(m))
		return 1;
	return (size_t)m->n_ports * (is_restricted(m) ? m->details->n_remotes : 1);
}

uint16_t mapping_last_port(const struct mapping *m)
{
	return (uint16_t)(m->external.port + m->n_ports - 1);
}

const struct prefix *mapping_remotes(const struct mapping *m, size_t *ret_n)
{
	*ret_n = m->details ? m->details->n_remotes : 0;
	return m->details ? m->details->remotes : NULL;
}

const char *mapping_comment(const struct mapping *m)
{
	return m->details ? m->details->comment : "";
}

const char *mapping_lan(const struct mapping *m)
{
	return m->details ? m->details->lan : "";
}
