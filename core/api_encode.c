/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "core/api_private.h"

/* Not json_pack()'s "s*": without memory it leaves the key out and says nothing. */
static int put(json_t *json, const char *key, json_t *value)
{
	return json_object_set_new(json, key, value);
}

static int put_text(json_t *json, const char *key, const char *text)
{
	return text[0] ? put(json, key, json_string(text)) : 0;
}

static int put_true(json_t *json, const char *key, bool value)
{
	return value ? put(json, key, json_true()) : 0;
}

/* Of an automatic port the size of the range is said inside alone. */
static json_t *encode_external(const struct mapping *m)
{
	char address[INET6_ADDRSTRLEN];
	json_t *json = json_object();
	int r = 0;

	if (!address_is_any(&m->external.addr) && !mapping_is_pinhole(m))
		r = put(json, "address",
			json_string(address_format(&m->external.addr, address)));
	if (r == 0)
		r = put(json, "port", json_integer(m->external.port));
	if (r == 0 && m->external.port && m->n_ports > 1)
		r = put(json, "end_port", json_integer(mapping_last_port(m)));
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *encode_internal(const struct mapping *m)
{
	char address[INET6_ADDRSTRLEN];
	json_t *json = json_pack("{s:s, s:i}", "address",
				 address_format(&m->internal.addr, address), "port",
				 m->internal.port);
	int r = json ? 0 : -1;

	if (r == 0 && m->n_ports > 1)
		r = put(json, "end_port",
			json_integer(m->internal.port + m->n_ports - 1));
	if (r == 0)
		r = put_text(json, "interface", mapping_lan(m));
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static int put_remotes(json_t *json, const struct mapping *m)
{
	char text[PREFIX_STRLEN];
	const struct prefix *remotes;
	json_t *list;
	size_t n;

	remotes = mapping_remotes(m, &n);
	if (n == 0)
		return 0;
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(
			    list, json_string(prefix_format(&remotes[i], text))) < 0) {
			json_decref(list);
			return -1;
		}
	}
	return put(json, "from", list);
}

static json_t *encode_wish(uint8_t wish)
{
	return json_string(upstream_wish_name((enum upstream_wish)wish));
}

static int put_options(json_t *json, const struct change *change)
{
	const struct mapping *m = &change->mapping;
	int r;

	r = put_text(json, "name", m->name);
	if (r == 0)
		r = put_remotes(json, m);
	if (r == 0 && m->lifetime)
		r = put(json, "lease", json_integer(m->lifetime));
	if (r == 0)
		r = put_text(json, "comment", mapping_comment(m));
	if (r == 0 && !m->enabled)
		r = put(json, "enabled", json_false());
	if (r == 0 && m->upstream != UPSTREAM_DEFAULT)
		r = put(json, "upstream", encode_wish(m->upstream));
	if (r == 0)
		r = put_true(json, "force", change->force);
	return r < 0 ? r : put_true(json, "drain", change->drain);
}

static int put_add(json_t *json, const struct change *change)
{
	char protocols[PROTOCOLS_STRLEN];
	int r;

	r = put(json, "protocol",
		json_string(protocols_format(change->protocols, protocols)));
	if (r == 0)
		r = put(json, "external", encode_external(&change->mapping));
	if (r == 0)
		r = put(json, "internal", encode_internal(&change->mapping));
	return r < 0 ? r : put_options(json, change);
}

static int put_selector(json_t *json, const struct selector *s)
{
	int r = 0;

	if (s->id)
		r = put(json, "id", json_integer((json_int_t)s->id));
	if (r == 0)
		r = put_text(json, "name", s->name);
	if (r == 0 && s->protocol)
		r = put(json, "protocol", json_string(protocol_name(s->protocol)));
	if (r == 0 && s->port)
		r = put(json, "external", json_pack("{s:i}", "port", s->port));
	return r;
}

static int put_remove(json_t *json, const struct change *change)
{
	int r = put_selector(json, &change->selector);

	return r < 0 ? r : put_true(json, "drain", change->drain);
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

/* Ports that are not named stay as they are. */
static json_t *encode_new_internal(const struct patch *patch)
{
	const struct endpoint *internal = &patch->internal;
	char address[INET6_ADDRSTRLEN];
	json_t *json =
		json_pack("{s:s}", "address", address_format(&internal->addr, address));
	int r = json ? 0 : -1;

	if (r == 0 && internal->port)
		r = put(json, "port", json_integer(internal->port));
	if (r == 0 && patch->n_ports)
		r = put(json, "end_port",
			json_integer(internal->port + patch->n_ports - 1));
	if (r == 0 && patch->details)
		r = put_text(json, "interface", patch->details->lan);
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static int put_patch(json_t *set, const struct patch *patch)
{
	const struct details *d = patch->details;
	int r = 0;

	if (patch->set & PATCH_NAME)
		r = put(set, "name", text_or_null(patch->name));
	if (r == 0 && patch->set & PATCH_ENABLED)
		r = put(set, "enabled", json_boolean(patch->enabled));
	if (r == 0 && patch->set & PATCH_LIFETIME)
		r = put(set, "lease", json_integer(patch->lifetime));
	if (r == 0 && patch->set & PATCH_COMMENT)
		r = put(set, "comment", text_or_null(d ? d->comment : ""));
	if (r == 0 && patch->set & PATCH_UPSTREAM)
		r = put(set, "upstream", encode_wish(patch->upstream));
	if (r == 0 && patch->set & PATCH_INTERNAL)
		r = put(set, "internal", encode_new_internal(patch));
	return r;
}

static int put_update(json_t *json, const struct change *change)
{
	json_t *set = json_object();
	int r;

	r = put_selector(json, &change->selector);
	if (r == 0)
		r = put_patch(set, &change->patch);
	if (r < 0) {
		json_decref(set);
		return r;
	}
	r = put(json, "set", set);
	return r < 0 ? r : put_true(json, "drain", change->drain);
}

json_t *api_encode_change(const struct change *change)
{
	static const struct {
		const char *action;
		int (*put)(json_t *json, const struct change *change);
	} kinds[] = {
		[CHANGE_ADD] = { "add", put_add },
		[CHANGE_REMOVE] = { "remove", put_remove },
		[CHANGE_UPDATE] = { "update", put_update },
	};
	json_t *json = json_pack("{s:s}", "action", kinds[change->kind].action);

	if (json && kinds[change->kind].put(json, change) < 0) {
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
