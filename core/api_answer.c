/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * api_answer - natctl's half: reads what natd answered
 *
 * Lenient about keys, since a newer natd may say more; strict about the values it uses.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/api.h"
#include "core/cleanup.h"

static const char *text_at(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static int read_name(json_t *json, char name[MAPPING_NAME_MAX + 1])
{
	const char *text = json_string_value(json);

	if (json_is_null(json)) {
		name[0] = '\0';
		return 0;
	}
	if (!text || mapping_name_flaw(text))
		return -EINVAL;
	strcpy(name, text);
	return 0;
}

/* An address, or :: for null. */
static int read_address(json_t *json, struct in6_addr *ret)
{
	*ret = address_any6;
	if (json_is_null(json))
		return 0;
	return json_is_string(json) ? address_parse(json_string_value(json), ret)
				    : -EINVAL;
}

/* Without an end it is one port. */
static int read_endpoint(json_t *json, struct endpoint *ret, uint16_t *ret_n)
{
	const json_int_t port = json_integer_value(json_object_get(json, "port"));
	json_t *end = json_object_get(json, "end_port");
	const json_int_t last = end ? json_integer_value(end) : port;

	if (port < 1 || last < port || last > UINT16_MAX)
		return -EINVAL;
	ret->port = (uint16_t)port;
	*ret_n = (uint16_t)(last - port + 1);
	return read_address(json_object_get(json, "address"), &ret->addr);
}

/* What natd takes for a suffix is told by its having a host beside the address. */
static int read_host(json_t *internal, struct mapping *m)
{
	json_t *host = json_object_get(internal, "host");

	m->host = m->internal.addr;
	if (!host)
		return 0;
	if (read_address(host, &m->host) < 0)
		return -EINVAL;
	m->suffix = !address_equal(&m->host, &m->internal.addr);
	return 0;
}

/* A null external address is that of the internal one's family. */
static int read_endpoints(json_t *json, struct mapping *m)
{
	json_t *internal = json_object_get(json, "internal");
	uint16_t n;
	int r;

	r = read_endpoint(json_object_get(json, "external"), &m->external, &m->n_ports);
	if (r < 0)
		return r;
	r = read_endpoint(internal, &m->internal, &n);
	if (r < 0)
		return r;
	if (address_is_any(&m->internal.addr))
		return -EINVAL;
	if (address_is_any(&m->external.addr) && address_is_ipv4(&m->internal.addr))
		m->external.addr = address_any4;
	return read_host(internal, m);
}

/* Return: 0, or -EINVAL of what is no "uid:N". */
static int read_uid(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long uid;

	if (!text || strncmp(text, "uid:", 4) != 0 || text[4] < '0' || text[4] > '9')
		return -EINVAL;
	errno = 0;
	uid = strtoul(text + 4, &end, 10);
	if (*end || errno || uid > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)uid;
	return 0;
}

/* An origin that is not known is a newer natd's, and its owner may be anything. */
static int read_origin(json_t *json, struct mapping *m)
{
	const char *text = text_at(json, "origin"), *owner = text_at(json, "owner");
	const char *by = text_at(json, "changed_by");
	enum origin origin;

	if (!text || !owner)
		return -EINVAL;
	m->changed_by = 0;
	if (by)
		(void)read_uid(by, &m->changed_by);
	if (origin_parse(text, &origin) < 0) {
		m->origin = ORIGIN_ADMIN;
		return 0;
	}
	m->origin = (uint8_t)origin;
	if (origin == ORIGIN_CONFIG)
		return strcmp(owner, "config") == 0 ? 0 : -EINVAL;
	return read_uid(owner, &m->owner_uid);
}

static int read_created(const char *text, uint64_t *ret)
{
	return text ? api_time_parse(text, ret) : -EINVAL;
}

/* Null, and left out, is "not known". */
static int read_known(json_t *json, int64_t *ret)
{
	if (json && !json_is_null(json) && !json_is_integer(json))
		return -EINVAL;
	*ret = json_is_integer(json) ? json_integer_value(json) : -1;
	return json_is_integer(json) && *ret < 0 ? -EINVAL : 0;
}

/* Null, and left out, is no lease. */
static int read_lease(json_t *json, struct mapping *m, struct mapping_state *state)
{
	json_t *lifetime = json_object_get(json, "lifetime");
	json_t *remaining = json_object_get(json, "remaining");
	const char *expires = text_at(json, "expires");

	if (!json || json_is_null(json))
		return 0;
	if (json_integer_value(lifetime) < 1 ||
	    json_integer_value(lifetime) > MAPPING_LIFETIME_MAX)
		return -EINVAL;
	m->lifetime = (uint32_t)json_integer_value(lifetime);
	if (!remaining)
		return 0;
	if (json_integer_value(remaining) < 0 ||
	    json_integer_value(remaining) > UINT32_MAX ||
	    read_created(expires, &state->expires) < 0)
		return -EINVAL;
	state->remaining = (uint32_t)json_integer_value(remaining);
	return 0;
}

static int read_endpoint_list(json_t *list, struct mapping_state *ret)
{
	json_t *element;
	size_t i;

	json_array_foreach (list, i, element) {
		if (ret->n_endpoints == STATE_ENDPOINTS_MAX)
			break;
		if (!json_is_string(element) ||
		    endpoint_parse(json_string_value(element),
				   &ret->endpoints[ret->n_endpoints]) < 0)
			return -EINVAL;
		ret->n_endpoints++;
	}
	return 0;
}

static int read_shadows(json_t *list, struct mapping_state *ret)
{
	json_t *element;
	size_t i;

	json_array_foreach (list, i, element) {
		if (ret->n_shadowed_by == STATE_SHADOWS_MAX)
			break;
		if (json_integer_value(element) < 1)
			return -EINVAL;
		ret->shadowed_by[ret->n_shadowed_by++] =
			(uint64_t)json_integer_value(element);
	}
	return 0;
}

int api_decode_listener(json_t *json, uint8_t protocol, struct listener *ret)
{
	const json_int_t port = json_integer_value(json_object_get(json, "port"));
	const json_int_t uid = json_integer_value(json_object_get(json, "uid"));
	const json_int_t inode = json_integer_value(json_object_get(json, "inode"));
	const char *address = text_at(json, "address");
	struct listener listener = { .protocol = protocol };

	if (!address || address_parse(address, &listener.local.addr) < 0 || port < 1 ||
	    port > UINT16_MAX || uid < 0 || uid > UINT32_MAX || inode < 0 ||
	    inode > UINT32_MAX)
		return -EINVAL;
	listener.local.port = (uint16_t)port;
	listener.uid = (uint32_t)uid;
	listener.inode = (uint32_t)inode;
	*ret = listener;
	return 0;
}

static int read_listeners(json_t *list, uint8_t protocol, struct mapping_state *ret)
{
	json_t *element;
	size_t i;

	ret->listeners_known = json_is_array(list);
	json_array_foreach (list, i, element) {
		if (ret->n_listeners == REFUSAL_LISTENERS_MAX)
			break;
		if (api_decode_listener(element, protocol,
					&ret->listeners[ret->n_listeners]) < 0)
			return -EINVAL;
		ret->n_listeners++;
	}
	return 0;
}

/* Return: 0, also where it is left out or null, @ret 0 then. */
static int read_time(json_t *json, uint64_t *ret)
{
	*ret = 0;
	if (!json || json_is_null(json))
		return 0;
	return read_created(json_string_value(json), ret);
}

/* Words that are not known are a newer natd's. */
static void read_upstream_words(json_t *json, struct mapping *m,
				struct upstream_view *ret)
{
	const char *wan = text_at(json, "interface"), *why = text_at(json, "problem");
	const char *wish = text_at(json, "wish"), *state = text_at(json, "state");
	const char *speech = text_at(json, "protocol");
	enum upstream_wish wished = UPSTREAM_DEFAULT;

	if (wish)
		(void)upstream_wish_parse(wish, &wished);
	m->upstream = (uint8_t)wished;
	if (state)
		(void)upstream_state_parse(state, &ret->state);
	if (speech)
		(void)upstream_speech_parse(speech, &ret->speech);
	snprintf(ret->wan, sizeof(ret->wan), "%s", wan ? wan : "");
	snprintf(ret->why, sizeof(ret->why), "%s", why ? why : "");
}

/* An older natd says nothing of it. */
static int read_upstream(json_t *json, struct mapping *m, struct upstream_view *ret)
{
	const char *external = text_at(json, "external");

	*ret = (struct upstream_view){ .state = UPSTREAM_STATE_OFF };
	if (json && !json_is_object(json))
		return -EINVAL;
	read_upstream_words(json, m, ret);
	if ((external && endpoint_parse(external, &ret->external) < 0) ||
	    read_time(json_object_get(json, "expires"), &ret->expires) < 0 ||
	    read_time(json_object_get(json, "renews"), &ret->renews) < 0)
		return -EINVAL;
	return 0;
}

/* A condition that is not known is a newer natd's. */
static void read_condition(const char *text, struct mapping_state *ret)
{
	if (!text || condition_parse(text, &ret->condition) < 0)
		ret->condition = CONDITION_ACTIVE;
}

static int read_state(json_t *json, uint8_t protocol, struct mapping_state *ret)
{
	const struct {
		const char *key;
		int64_t *value;
	} known[] = {
		{ "connections", &ret->connections },
		{ "connections_total", &ret->total },
		{ "bytes_in", &ret->bytes_in },
		{ "bytes_out", &ret->bytes_out },
	};

	read_condition(text_at(json, "state"), ret);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (read_known(json_object_get(json, known[i].key), known[i].value) < 0)
			return -EINVAL;
	if (read_endpoint_list(json_object_get(json, "endpoints"), ret) < 0 ||
	    read_shadows(json_object_get(json, "shadowed_by"), ret) < 0)
		return -EINVAL;
	return read_listeners(json_object_get(json, "listeners"), protocol, ret);
}

/* Return: 0, -EINVAL, -ENOMEM; m->details is a reference then */
static int read_details(json_t *json, struct mapping *m)
{
	json_t *from = json_object_get(json, "from"), *element;
	json_t *internal = json_object_get(json, "internal");
	const char *comment = text_at(json, "comment");
	const char *lan = text_at(internal, "interface");
	struct prefix remotes[MAPPING_REMOTES_MAX];
	size_t i;

	if (json_array_size(from) > MAPPING_REMOTES_MAX ||
	    (comment && mapping_comment_flaw(comment)) ||
	    (lan && strlen(lan) >= IFNAMSIZ))
		return -EINVAL;
	json_array_foreach (from, i, element)
		if (!json_is_string(element) ||
		    prefix_parse(json_string_value(element), &remotes[i]) < 0)
			return -EINVAL;
	return details_new(lan ? lan : "", comment ? comment : "", remotes,
			   json_array_size(from), &m->details);
}

int api_decode_mapping(json_t *json, struct mapping *ret, struct mapping_state *state)
{
	json_t *enabled = json_object_get(json, "enabled");
	const json_int_t id = json_integer_value(json_object_get(json, "id"));
	const char *protocol = text_at(json, "protocol");
	const char *changed = text_at(json, "changed");
	struct mapping m = { .id = (uint64_t)id, .enabled = json_is_true(enabled) };
	struct mapping_state live = { 0 };
	int r;

	if (id < 1 || !json_is_boolean(enabled) || !protocol)
		return -EINVAL;
	if (protocol_parse(protocol, &m.protocol) < 0 || read_endpoints(json, &m) < 0 ||
	    read_name(json_object_get(json, "name"), m.name) < 0 ||
	    read_origin(json, &m) < 0 ||
	    read_created(text_at(json, "created"), &m.created) < 0 ||
	    (changed && read_created(changed, &m.changed) < 0) ||
	    read_lease(json_object_get(json, "lease"), &m, &live) < 0 ||
	    read_upstream(json_object_get(json, "upstream"), &m, &live.upstream) < 0 ||
	    read_state(json, m.protocol, &live) < 0)
		return -EINVAL;
	r = read_details(json, &m);
	if (r < 0)
		return r;
	*ret = m;
	if (state)
		*state = live;
	return 0;
}

int api_decode_problem(json_t *json, struct problem *ret)
{
	const char *code = text_at(json, "code"), *detail = text_at(json, "detail");
	json_t *index = json_object_get(json, "index");
	enum verdict verdict;

	if (!code || !detail)
		return -EINVAL;
	if (index && (!json_is_integer(index) || json_integer_value(index) < 0))
		return -EINVAL;
	if (outcome_by_code(code, &verdict) < 0)
		verdict = VERDICT_FAULT;
	problem_set(ret, verdict, text_at(json, "cure"), "%s", detail);
	if (index)
		ret->index = json_integer_value(index);
	return 0;
}
