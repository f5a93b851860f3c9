/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "core/api_private.h"

static const char *protocols_text(uint8_t bits)
{
	if (bits == (PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP))
		return "tcp,udp";
	return bits & PROTOCOL_BIT_TCP ? "tcp" : "udp";
}

/* Not json_pack()'s "s*": without memory it leaves the key out and says nothing. */
static int put(json_t *json, const char *key, json_t *value)
{
	return json_object_set_new(json, key, value);
}

static json_t *encode_add(const struct change *change)
{
	const struct mapping *m = &change->mapping;
	char address[INET6_ADDRSTRLEN];
	json_t *json;

	json = json_pack("{s:s, s:s, s:{s:i}, s:{s:s, s:i}}", "action", "add", "protocol",
			 protocols_text(change->protocols), "external", "port",
			 m->external.port, "internal", "address",
			 address_format(&m->internal.addr, address), "port",
			 m->internal.port);
	if (json && m->name[0] && put(json, "name", json_string(m->name)) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int put_selector(json_t *json, const struct selector *s)
{
	int r = 0;

	if (s->id)
		r = put(json, "id", json_integer((json_int_t)s->id));
	if (r == 0 && s->name[0])
		r = put(json, "name", json_string(s->name));
	if (r == 0 && s->protocol)
		r = put(json, "protocol", json_string(protocol_name(s->protocol)));
	if (r == 0 && s->port)
		r = put(json, "external", json_pack("{s:i}", "port", s->port));
	return r;
}

static json_t *encode_remove(const struct selector *s)
{
	json_t *json = json_pack("{s:s}", "action", "remove");

	if (json && put_selector(json, s) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

json_t *api_encode_change(const struct change *change)
{
	switch (change->kind) {
	case CHANGE_ADD:
		return encode_add(change);
	case CHANGE_REMOVE:
		return encode_remove(&change->selector);
	}
	return NULL;
}

static json_t *encode_known(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *encode_blocked_by(const struct mapping_state *state)
{
	char text[BLOCKED_BY_STRLEN];
	json_t *list = json_array();

	for (size_t i = 0; i < state->n_blocked_by; i++) {
		text_escape(state->blocked_by[i], strlen(state->blocked_by[i]), text,
			    sizeof(text));
		if (json_array_append_new(list, json_string(text)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *encode_endpoint(const struct endpoint *e)
{
	char address[INET6_ADDRSTRLEN];

	return json_pack("{s:s?, s:i}", "address",
			 address_is_any(&e->addr) ? NULL
						  : address_format(&e->addr, address),
			 "port", e->port);
}

json_t *api_encode_mapping(const struct mapping *m, const struct mapping_state *state)
{
	char owner[OWNER_STRLEN], created[API_TIME_STRLEN];
	json_t *json;

	json = json_pack(
		"{s:I, s:s?, s:s, s:o, s:o, s:s, s:s, s:b, s:s}", "id", (json_int_t)m->id,
		"name", m->name[0] ? m->name : NULL, "protocol",
		protocol_name(m->protocol), "external", encode_endpoint(&m->external),
		"internal", encode_endpoint(&m->internal), "origin",
		origin_name((enum origin)m->origin), "owner", mapping_owner(m, owner),
		"enabled", m->enabled, "created", api_time_format(m->created, created));
	if (!json || !state)
		return json;
	if (json_object_set_new(json, "connections", encode_known(state->connections)) <
		    0 ||
	    json_object_set_new(json, "connections_total", encode_known(state->total)) <
		    0 ||
	    json_object_set_new(json, "blocked_by", encode_blocked_by(state)) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* Sentences may quote what is no UTF-8. */
static json_t *encode_sentence(const char *text)
{
	char plain[2 * sizeof(((struct problem *)NULL)->detail)];
	json_t *json = json_string(text);

	if (json)
		return json;
	return json_string(text_escape(text, strlen(text), plain, sizeof(plain)));
}

json_t *api_encode_problem(const struct problem *p)
{
	const struct outcome *outcome = outcome_of(p->verdict);
	json_t *json;

	json = json_pack("{s:s, s:s, s:i, s:s, s:o}", "type", "about:blank", "title",
			 outcome->title, "status", outcome->http, "code", outcome->code,
			 "detail", encode_sentence(p->detail));
	if (!json)
		return NULL;
	if ((p->cure[0] && put(json, "cure", encode_sentence(p->cure)) < 0) ||
	    (p->index >= 0 && put(json, "index", json_integer(p->index)) < 0)) {
		json_decref(json);
		return NULL;
	}
	return json;
}
