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

static int read_endpoint(json_t *json, struct endpoint *ret)
{
	json_t *address = json_object_get(json, "address");
	const json_int_t port = json_integer_value(json_object_get(json, "port"));

	if (port < 1 || port > UINT16_MAX)
		return -EINVAL;
	ret->port = (uint16_t)port;
	if (json_is_null(address)) {
		ret->addr = address_any6;
		return 0;
	}
	if (!json_is_string(address))
		return -EINVAL;
	return address_parse(json_string_value(address), &ret->addr);
}

/* A null external address is that of the internal one's family. */
static int read_endpoints(json_t *json, struct mapping *m)
{
	int r;

	r = read_endpoint(json_object_get(json, "external"), &m->external);
	if (r < 0)
		return r;
	r = read_endpoint(json_object_get(json, "internal"), &m->internal);
	if (r < 0)
		return r;
	if (address_is_any(&m->internal.addr))
		return -EINVAL;
	if (address_is_any(&m->external.addr) && address_is_ipv4(&m->internal.addr))
		m->external.addr = address_any4;
	return 0;
}

static int read_owner(const char *text, enum origin origin, uint32_t *ret)
{
	char *end;
	unsigned long uid;

	if (!text)
		return -EINVAL;
	if (origin == ORIGIN_CONFIG) {
		*ret = 0;
		return strcmp(text, "config") == 0 ? 0 : -EINVAL;
	}
	if (strncmp(text, "uid:", 4) != 0 || text[4] < '0' || text[4] > '9')
		return -EINVAL;
	errno = 0;
	uid = strtoul(text + 4, &end, 10);
	if (*end || errno || uid > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)uid;
	return 0;
}

static int read_origin(json_t *json, struct mapping *m)
{
	const char *text = text_at(json, "origin");
	enum origin origin;

	if (!text || origin_parse(text, &origin) < 0)
		return -EINVAL;
	m->origin = (uint8_t)origin;
	return read_owner(text_at(json, "owner"), origin, &m->owner_uid);
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

static int read_state(json_t *json, struct mapping_state *ret)
{
	*ret = (struct mapping_state){ 0 };
	if (read_known(json_object_get(json, "connections"), &ret->connections) < 0)
		return -EINVAL;
	return read_known(json_object_get(json, "connections_total"), &ret->total);
}

int api_decode_mapping(json_t *json, struct mapping *ret, struct mapping_state *state)
{
	json_t *enabled = json_object_get(json, "enabled");
	const json_int_t id = json_integer_value(json_object_get(json, "id"));
	const char *protocol = text_at(json, "protocol");
	struct mapping m = { .id = (uint64_t)id, .enabled = json_is_true(enabled) };
	struct mapping_state live;

	if (id < 1 || !json_is_boolean(enabled) || !protocol)
		return -EINVAL;
	if (protocol_parse(protocol, &m.protocol) < 0 || read_endpoints(json, &m) < 0 ||
	    read_name(json_object_get(json, "name"), m.name) < 0 ||
	    read_origin(json, &m) < 0 ||
	    read_created(text_at(json, "created"), &m.created) < 0 ||
	    read_state(json, &live) < 0)
		return -EINVAL;
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
