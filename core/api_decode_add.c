/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * api_decode_add - a change that adds a mapping
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/api_private.h"

/**
 * struct adding - a change in the making
 * @external, @internal: the objects; borrowed
 * @lan:      borrowed
 */
struct adding {
	struct change *change;
	json_t *external, *internal;
	const char *lan;
	struct problem *why;
};

static bool asks_for_any_port(json_t *port)
{
	const char *text = json_string_value(port);

	if (text)
		return strcmp(text, "auto") == 0;
	return json_is_integer(port) && json_integer_value(port) == 0;
}

static int decode_external_ports(struct adding *a)
{
	json_t *port = json_object_get(a->external, "port");
	json_t *end = json_object_get(a->external, "end_port");
	struct mapping *m = &a->change->mapping;
	char shown[SHOWN_STRLEN];
	int r;

	if (asks_for_any_port(port)) {
		if (end)
			return refuse(a->why, "external.end_port: natd chooses it; "
					      "internal.end_port says how many ports.");
		return 0;
	}
	if (json_is_string(port))
		return refuse(a->why,
			      "external.port: \"%s\" is neither \"auto\" nor an "
			      "integer from 0 to 65535.",
			      show(json_string_value(port), shown));
	r = get_port(port, "external.port", &m->external.port, a->why);
	if (r < 0 || !end)
		return r;
	return get_size(end, "external.end_port", m->external.port, &m->n_ports, a->why);
}

/* @m has the external ports, or none. */
static int decode_internal_ports(struct adding *a)
{
	json_t *port = json_object_get(a->internal, "port");
	json_t *end = json_object_get(a->internal, "end_port");
	struct mapping *m = &a->change->mapping;
	uint16_t n = 1;
	int r;

	m->internal.port = m->external.port;
	if (!port && !m->external.port)
		return refuse(a->why, "internal.port is missing; natd chooses the "
				      "external port alone.");
	if (port) {
		r = get_port(port, "internal.port", &m->internal.port, a->why);
		if (r < 0)
			return r;
	}
	if (!end)
		return 0;
	r = get_size(end, "internal.end_port", m->internal.port, &n, a->why);
	if (r == 0 && m->external.port && n != m->n_ports)
		return refuse(
			a->why,
			"internal.end_port: makes %u ports inside, and external has "
			"%u: there must be as many.",
			n, m->n_ports);
	m->n_ports = n;
	return r;
}

static int decode_internal(struct adding *a)
{
	struct mapping *m = &a->change->mapping;
	int r;

	if (!a->internal)
		return refuse(a->why,
			      "internal is missing: {\"address\":\"192.168.1.10\","
			      "\"port\":80} says where to.");
	r = get_inside(a->internal, &m->internal.addr, &m->suffix, &a->lan, a->why);
	return r < 0 ? r : decode_internal_ports(a);
}

static bool is_any_address(json_t *json)
{
	struct in6_addr addr;

	return json_is_string(json) &&
	       address_parse(json_string_value(json), &addr) == 0 &&
	       address_is_any(&addr);
}

/* Of a pinhole its own address may be given, as it is told: it says nothing then. */
static int decode_external_address(struct adding *a)
{
	json_t *json = json_object_get(a->external, "address");
	struct mapping *m = &a->change->mapping;
	int r;

	m->external.addr =
		address_is_ipv4(&m->internal.addr) ? address_any4 : address_any6;
	if (!json || json_is_null(json))
		return 0;
	if (is_any_address(json))
		return refuse(a->why,
			      "external.address: %s is no address to be dialled. "
			      "Leave it out, or null: any WAN address.",
			      json_string_value(json));
	r = get_host(json, "external.address", NULL, &m->external.addr, NULL, a->why);
	if (r < 0)
		return r;
	if (address_is_ipv4(&m->external.addr) != address_is_ipv4(&m->internal.addr))
		return refuse(a->why, "external.address: is of another family than "
				      "internal.address.");
	return 0;
}

/* Of "198.51.100.7/24", which prefix_parse() refused with -EDOM, "198.51.100.0/24". */
static const char *cut_prefix(const char *text, char buf[static PREFIX_STRLEN])
{
	const char *slash = strchr(text, '/');
	char part[PREFIX_STRLEN];
	struct in6_addr addr;
	struct prefix prefix;

	if (!slash || slash - text >= (ptrdiff_t)sizeof(part))
		return "?";
	memcpy(part, text, (size_t)(slash - text));
	part[slash - text] = '\0';
	if (address_parse(part, &addr) < 0)
		return "?";
	snprintf(part, sizeof(part), "%s%.4s",
		 address_is_ipv4(&addr) ? "0.0.0.0" : "::", slash);
	if (prefix_parse(part, &prefix) < 0)
		return "?";
	prefix.addr = addr;
	for (unsigned int bit = prefix.len; bit < 128; bit++)
		prefix.addr.s6_addr[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	return prefix_format(&prefix, buf);
}

static int refuse_remote(const char *text, int error, struct problem *why)
{
	char shown[SHOWN_STRLEN], meant[PREFIX_STRLEN];

	if (error == -EDOM)
		return refuse(
			why,
			"from: \"%s\" has bits set behind its length; the prefix is "
			"%s.",
			show(text, shown), cut_prefix(text, meant));
	return refuse(why, "from: \"%s\" is no prefix, like \"198.51.100.0/24\".",
		      show(text, shown));
}

static int decode_remote(json_t *json, bool ipv4, struct prefix *ret, struct problem *why)
{
	const char *text;
	int r;

	r = get_text(json, "from", &text, why);
	if (r < 0)
		return r;
	r = prefix_parse(text, ret);
	if (r < 0)
		return refuse_remote(text, r, why);
	if (prefix_is_ipv4(ret) != ipv4)
		return refuse(why,
			      "from: \"%s\" is of another family than "
			      "internal.address.",
			      text);
	return 0;
}

static int decode_remotes(json_t *json, bool ipv4, struct prefix *ret, size_t *ret_n,
			  struct problem *why)
{
	json_t *element;
	size_t i;
	int r;

	*ret_n = 0;
	if (!json || json_is_null(json))
		return 0;
	if (!json_is_array(json))
		return refuse(why, "from: must be an array of prefixes, not %s.",
			      type_name(json));
	if (json_array_size(json) > MAPPING_REMOTES_MAX)
		return refuse(why, "from: has %zu prefixes; a mapping has at most %d.",
			      json_array_size(json), MAPPING_REMOTES_MAX);
	json_array_foreach (json, i, element) {
		r = decode_remote(element, ipv4, &ret[i], why);
		if (r < 0)
			return r;
	}
	*ret_n = json_array_size(json);
	return 0;
}

/* Last: what it makes is the caller's. */
static int decode_details(json_t *json, struct adding *a)
{
	struct mapping *m = &a->change->mapping;
	struct prefix remotes[MAPPING_REMOTES_MAX];
	const char *comment;
	size_t n = 0;
	int r;

	r = get_comment(json_object_get(json, "comment"), "comment", &comment, a->why);
	if (r == 0)
		r = decode_remotes(json_object_get(json, "from"),
				   address_is_ipv4(&m->internal.addr), remotes, &n,
				   a->why);
	if (r < 0)
		return r;
	return details_new(a->lan, comment, remotes, n, &m->details);
}

static int decode_protocols(json_t *json, uint8_t *ret, struct problem *why)
{
	char shown[SHOWN_STRLEN];
	const char *text;
	int r;

	r = get_text(json, "protocol", &text, why);
	if (r < 0)
		return r;
	if (protocols_parse(text, ret) < 0)
		return refuse(why,
			      "protocol: \"%s\" is not \"tcp\", \"udp\", \"sctp\", "
			      "\"udplite\", or several like \"tcp,udp\".",
			      show(text, shown));
	return 0;
}

static int decode_flags(json_t *json, struct change *change, struct problem *why)
{
	int r;

	r = get_flag(json_object_get(json, "enabled"), "enabled",
		     &change->mapping.enabled, why);
	if (r == 0)
		r = get_flag(json_object_get(json, "force"), "force", &change->force,
			     why);
	if (r == 0)
		r = get_flag(json_object_get(json, "drain"), "drain", &change->drain,
			     why);
	return r;
}

static int decode_parts(json_t *json, struct adding *a)
{
	json_t *name = json_object_get(json, "name");
	struct mapping *m = &a->change->mapping;
	int r;

	r = decode_protocols(json_object_get(json, "protocol"), &a->change->protocols,
			     a->why);
	if (r == 0)
		r = get_endpoint(json, "external", &a->external, a->why);
	if (r == 0)
		r = decode_external_ports(a);
	if (r == 0)
		r = get_endpoint(json, "internal", &a->internal, a->why);
	if (r == 0)
		r = decode_internal(a);
	if (r == 0)
		r = decode_external_address(a);
	if (r == 0 && name && !json_is_null(name))
		r = get_name(name, m->name, a->why);
	if (r == 0)
		r = get_lifetime(json_object_get(json, "lease"), "lease", &m->lifetime,
				 a->why);
	if (r == 0)
		r = get_wish(json_object_get(json, "upstream"), "upstream", &m->upstream,
			     a->why);
	return r < 0 ? r : decode_flags(json, a->change, a->why);
}

/* What only all of it together shows. An automatic port is judged as if it were the
 * first: a real one will be no worse. */
static const char *flaw_of(const struct change *change)
{
	struct mapping m = change->mapping;

	m.protocol = protocol_at((unsigned int)__builtin_ctz(change->protocols));
	if (!m.external.port) {
		m.external.port = 1;
		mapping_resolve(&m);
	}
	return mapping_flaw(&m);
}

int decode_add(json_t *json, struct change *ret, struct problem *why)
{
	struct change change = {
		.kind = CHANGE_ADD,
		.mapping = { .enabled = true, .n_ports = 1 },
	};
	struct adding a = { .change = &change, .why = why };
	const char *flaw;
	int r;

	r = decode_parts(json, &a);
	if (r == 0)
		r = decode_details(json, &a);
	if (r < 0)
		return r;
	mapping_resolve(&change.mapping);
	flaw = flaw_of(&change);
	if (flaw) {
		change_done(&change);
		return refuse(why, "The mapping is not possible. %s", flaw);
	}
	*ret = change;
	return 0;
}
