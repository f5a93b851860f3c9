/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_pool - what may be mapped and what is, for status
 */

#include "natd/gateway/gateway_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PORTS (UINT16_MAX + 1)

/* What the table takes where the configuration says nothing. */
static const struct port_range default_pool = { 49152, 65535 };

json_t *gateway_encode_protocols(const struct gateway *gw)
{
	const uint8_t bits = gateway_protocols(gw);
	json_t *object = json_object();

	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++)
		json_object_set_new(object, protocol_name(protocol_at(i)),
				    json_boolean(bits & 1u << i));
	/* no kernel has a mapping of it */
	json_object_set_new(object, "dccp", json_false());
	return object;
}

/*
 * In how many mappings each port is, first as the difference to the port before it: what
 * a range costs is then the same whatever its size.
 */
static void count_uses(const struct table *table, uint8_t protocol,
		       int32_t uses[static PORTS + 1])
{
	const struct mapping *m;

	table_for_each (table, m) {
		if (m->protocol != protocol || mapping_is_pinhole(m))
			continue;
		uses[m->external.port]++;
		uses[mapping_last_port(m) + 1]--;
	}
	for (size_t port = 1; port < PORTS; port++)
		uses[port] += uses[port - 1];
}

static bool is_reserved(const struct config *config, unsigned int port)
{
	for (size_t i = 0; i < config->n_reserved; i++)
		if (port >= config->reserved[i].first && port <= config->reserved[i].last)
			return true;
	return false;
}

static size_t count_ports(const struct config *config, const struct port_range *range,
			  const int32_t *uses)
{
	size_t n = 0;

	for (unsigned int port = range->first; port <= range->last; port++)
		n += !is_reserved(config, port) && (!uses || uses[port] > 0);
	return n;
}

static json_t *encode_range(const struct config *config, const struct port_range *range)
{
	char ports[sizeof("65535-65535")];

	snprintf(ports, sizeof(ports), "%u-%u", range->first, range->last);
	return json_pack("{s:s, s:I, s:{}}", "ports", ports, "size",
			 (json_int_t)count_ports(config, range, NULL), "used");
}

/* Return: 0 or -ENOMEM */
static int add_used(const struct gateway *gw, json_t *list,
		    const struct port_range *ranges, uint8_t protocol)
{
	int32_t *uses = calloc(PORTS + 1, sizeof(*uses));

	if (!uses)
		return -ENOMEM;
	count_uses(gw->table, protocol, uses);
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *used = json_object_get(json_array_get(list, i), "used");
		size_t n = count_ports(gw->config, &ranges[i], uses);

		json_object_set_new(used, protocol_name(protocol),
				    json_integer((json_int_t)n));
	}
	free(uses);
	return 0;
}

json_t *gateway_encode_pool(const struct gateway *gw)
{
	const struct config *config = gw->config;
	const struct port_range *ranges = config->n_pool ? config->pool : &default_pool;
	const size_t n = config->n_pool ? config->n_pool : 1;
	const uint8_t bits = gateway_protocols(gw);
	json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, encode_range(config, &ranges[i]));
	for (unsigned int i = 0; i < PROTOCOL_COUNT && r == 0; i++)
		if (bits & 1u << i)
			r = add_used(gw, list, ranges, protocol_at(i));
	if (r < 0 || json_array_size(list) != n) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *gateway_encode_snat(const struct gateway *gw)
{
	const struct config *config = gw->config;
	json_t *list = json_array();

	for (size_t i = 0; i < config->n_snat; i++) {
		const struct snat *snat = &config->snat[i];
		char source[PREFIX_STRLEN], to[INET6_ADDRSTRLEN];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:b}", "source",
						prefix_format(&snat->source, source),
						"to", address_format(&snat->to, to),
						"one_to_one", snat->one_to_one));
	}
	return list;
}
