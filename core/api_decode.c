/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * api_decode - natd's half: reads what a client asks, strictly
 *
 * The first thing that is wrong is refused by its name: the path of the key, and what was
 * there, shown so that it does no harm.
 */

#include <errno.h>
#include <string.h>

#include "core/api.h"
#include "core/text.h"

/* of a piece of the client's text that a sentence shows */
#define SHOWN_STRLEN 80

#define refuse(why, ...)                                                                 \
	(problem_set(why, VERDICT_BAD_REQUEST, NULL, __VA_ARGS__), -EINVAL)

static const char *const keys_of_add[] = {
	"action", "protocol", "external", "internal", "name", NULL,
};
static const char *const keys_of_remove[] = {
	"action", "id", "name", "protocol", "external", NULL,
};
static const char *const keys_of_endpoint[] = { "address", "port", NULL };

static const char *show(const char *text, char buf[static SHOWN_STRLEN])
{
	return text_escape(text, strlen(text), buf, SHOWN_STRLEN);
}

static const char *type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

static bool is_among(const char *key, const char *const *keys)
{
	for (; *keys; keys++) {
		if (strcmp(key, *keys) == 0)
			return true;
	}
	return false;
}

static int check_keys(json_t *json, const char *prefix, const char *const *keys,
		      struct problem *why)
{
	char shown[SHOWN_STRLEN];
	const char *key;
	json_t *value;

	json_object_foreach (json, key, value) {
		if (!is_among(key, keys))
			return refuse(why, "unknown key \"%s%s\".", prefix,
				      show(key, shown));
	}
	return 0;
}

static bool all_among(json_t *json, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach (json, key, value) {
		if (!is_among(key, keys))
			return false;
	}
	return true;
}

/* A key that is only of use in the other kind of change is told apart from a misspelt. */
static int check_change_keys(json_t *json, enum change_kind kind, struct problem *why)
{
	const bool adds = kind == CHANGE_ADD;
	const char *const *others = adds ? keys_of_remove : keys_of_add;
	const char *const *keys = adds ? keys_of_add : keys_of_remove;
	const char *key;
	json_t *value;

	if (all_among(json, keys))
		return 0;
	json_object_foreach (json, key, value) {
		if (!is_among(key, keys) && is_among(key, others))
			return refuse(why, "key \"%s\" has no place in a change that %s.",
				      key, adds ? "adds" : "removes");
	}
	return check_keys(json, "", keys, why);
}

static int get_text(json_t *json, const char *path, const char **ret, struct problem *why)
{
	const char *text = json_string_value(json);

	if (!json)
		return refuse(why, "%s is missing.", path);
	if (!text)
		return refuse(why, "%s: must be a string, not %s.", path,
			      type_name(json));
	if (strlen(text) != json_string_length(json))
		return refuse(why, "%s: has a NUL character.", path);
	*ret = text;
	return 0;
}

static int get_port(json_t *json, const char *path, uint16_t *ret, struct problem *why)
{
	const json_int_t port = json_integer_value(json);

	if (!json_is_integer(json))
		return refuse(why, "%s: must be an integer from 1 to 65535, not %s.",
			      path, type_name(json));
	if (port < 1 || port > UINT16_MAX)
		return refuse(why,
			      "%s: %" JSON_INTEGER_FORMAT " is not a port (1 to 65535).",
			      path, port);
	*ret = (uint16_t)port;
	return 0;
}

static int get_name(json_t *json, char name[static MAPPING_NAME_MAX + 1],
		    struct problem *why)
{
	char shown[SHOWN_STRLEN];
	const char *text, *flaw;
	int r;

	r = get_text(json, "name", &text, why);
	if (r < 0)
		return r;
	flaw = mapping_name_flaw(text);
	if (flaw)
		return refuse(why, "name: \"%s\" cannot be used. %s", show(text, shown),
			      flaw);
	strcpy(name, text);
	return 0;
}

/* @ret is NULL where there is no such key. */
static int get_endpoint(json_t *json, const char *key, json_t **ret, struct problem *why)
{
	const char *prefix = strcmp(key, "external") == 0 ? "external." : "internal.";
	json_t *endpoint = json_object_get(json, key);

	if (endpoint && !json_is_object(endpoint))
		return refuse(why, "%s: must be an object, like {\"port\":8080}, not %s.",
			      key, type_name(endpoint));
	*ret = endpoint;
	return check_keys(endpoint, prefix, keys_of_endpoint, why);
}

static bool asks_for_any_port(json_t *port)
{
	const char *text = json_string_value(port);

	if (text)
		return strcmp(text, "auto") == 0;
	return json_is_integer(port) && json_integer_value(port) == 0;
}

static int decode_external_port(json_t *json, uint16_t *ret, struct problem *why)
{
	json_t *external, *port;
	int r;

	r = get_endpoint(json, "external", &external, why);
	if (r < 0)
		return r;
	port = json_object_get(external, "port");
	if (!port)
		return refuse(why, "external.port is missing.");
	if (asks_for_any_port(port))
		return refuse(why,
			      "external.port: automatic ports (0 or \"auto\") are not "
			      "available in this version. Name one from 1 to 65535.");
	return get_port(port, "external.port", ret, why);
}

static int decode_internal_address(json_t *json, struct in6_addr *ret,
				   struct problem *why)
{
	struct endpoint endpoint;
	char shown[SHOWN_STRLEN];
	const char *text, *unusable;
	int r;

	r = get_text(json, "internal.address", &text, why);
	if (r < 0)
		return r;
	if (address_parse(text, ret) < 0) {
		const bool has_port = endpoint_parse(text, &endpoint) == 0;

		return refuse(why, "internal.address: \"%s\" is not an IP address.%s",
			      show(text, shown),
			      has_port ? " The port has a key of its own, internal.port."
				       : "");
	}
	unusable = address_unusable(ret);
	if (unusable)
		return refuse(why, "internal.address: %s is %s.", text, unusable);
	return 0;
}

static int decode_internal(json_t *json, struct mapping *m, struct problem *why)
{
	json_t *internal, *port;
	int r;

	r = get_endpoint(json, "internal", &internal, why);
	if (r < 0)
		return r;
	if (!internal)
		return refuse(why, "internal is missing: {\"address\":\"192.168.1.10\","
				   "\"port\":80} says where to.");
	r = decode_internal_address(json_object_get(internal, "address"),
				    &m->internal.addr, why);
	if (r < 0)
		return r;
	port = json_object_get(internal, "port");
	if (!port) {
		m->internal.port = m->external.port;
		return 0;
	}
	return get_port(port, "internal.port", &m->internal.port, why);
}

/* @m is resolved: of a pinhole, its own address may be given. */
static int check_external_address(json_t *json, const struct mapping *m,
				  struct problem *why)
{
	json_t *address = json_object_get(json_object_get(json, "external"), "address");
	struct in6_addr given;
	char shown[SHOWN_STRLEN];
	const char *text;
	int r;

	if (!address || json_is_null(address))
		return 0;
	r = get_text(address, "external.address", &text, why);
	if (r < 0)
		return r;
	if (address_parse(text, &given) < 0)
		return refuse(why, "external.address: \"%s\" is not an IP address.",
			      show(text, shown));
	if (mapping_kind(m) == MAPPING_PINHOLE6 &&
	    address_equal(&given, &m->external.addr))
		return 0;
	return refuse(
		why,
		"external.address: a given external address (%s) is not available in "
		"this version. Leave it out, or null: any WAN address.",
		text);
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
			      "protocol: \"%s\" is not \"tcp\", \"udp\" or \"tcp,udp\".",
			      show(text, shown));
	return 0;
}

static int decode_add(json_t *json, struct change *ret, struct problem *why)
{
	struct change change = { .kind = CHANGE_ADD, .mapping.enabled = true };
	struct mapping *m = &change.mapping;
	json_t *name = json_object_get(json, "name");
	int r;

	r = decode_protocols(json_object_get(json, "protocol"), &change.protocols, why);
	if (r < 0)
		return r;
	r = decode_external_port(json, &m->external.port, why);
	if (r < 0)
		return r;
	r = decode_internal(json, m, why);
	if (r < 0)
		return r;
	mapping_resolve(m);
	r = check_external_address(json, m, why);
	if (r < 0)
		return r;
	if (name && !json_is_null(name)) {
		r = get_name(name, m->name, why);
		if (r < 0)
			return r;
	}
	*ret = change;
	return 0;
}

static int decode_id(json_t *json, uint64_t *ret, struct problem *why)
{
	const json_int_t id = json_integer_value(json);

	if (!json_is_integer(json))
		return refuse(why, "id: must be an integer, not %s.", type_name(json));
	if (id < 1)
		return refuse(why,
			      "id: %" JSON_INTEGER_FORMAT
			      " is not an id; they begin at 1.",
			      id);
	*ret = (uint64_t)id;
	return 0;
}

static int decode_protocol(json_t *json, uint8_t *ret, struct problem *why)
{
	char shown[SHOWN_STRLEN];
	const char *text;
	int r;

	r = get_text(json, "protocol", &text, why);
	if (r < 0)
		return r;
	if (protocol_parse(text, ret) < 0)
		return refuse(
			why,
			"protocol: \"%s\" is not \"tcp\" or \"udp\", one of which a "
			"removal needs.",
			show(text, shown));
	return 0;
}

static int decode_selector_port(json_t *json, uint16_t *ret, struct problem *why)
{
	json_t *external, *address;
	int r;

	r = get_endpoint(json, "external", &external, why);
	if (r < 0)
		return r;
	address = json_object_get(external, "address");
	if (address && !json_is_null(address))
		return refuse(
			why,
			"external.address: mappings are not removed by address. Where "
			"protocol and port fit several, give the id.");
	if (!json_object_get(external, "port"))
		return refuse(why, "external.port is missing.");
	return get_port(json_object_get(external, "port"), "external.port", ret, why);
}

/* Decoders of the keys that were given, one after the other. */
static int decode_selector(json_t *json, struct selector *s, struct problem *why)
{
	json_t *id = json_object_get(json, "id"), *name = json_object_get(json, "name");
	json_t *protocol = json_object_get(json, "protocol");
	int r = 0;

	if (id)
		r = decode_id(id, &s->id, why);
	if (r == 0 && name)
		r = get_name(name, s->name, why);
	if (r == 0 && protocol)
		r = decode_protocol(protocol, &s->protocol, why);
	if (r == 0 && json_object_get(json, "external"))
		r = decode_selector_port(json, &s->port, why);
	return r;
}

static int decode_remove(json_t *json, struct change *ret, struct problem *why)
{
	struct change change = { .kind = CHANGE_REMOVE };
	const struct selector *s = &change.selector;
	int r;

	r = decode_selector(json, &change.selector, why);
	if (r < 0)
		return r;
	if (!s->id && !s->name[0] && !(s->protocol && s->port))
		return refuse(why, "a change that removes needs \"id\", or \"name\", or "
				   "\"protocol\" with \"external.port\".");
	*ret = change;
	return 0;
}

static int decode_action(json_t *json, enum change_kind *ret, struct problem *why)
{
	char shown[SHOWN_STRLEN];
	const char *text;
	int r;

	if (!json) {
		*ret = CHANGE_ADD;
		return 0;
	}
	r = get_text(json, "action", &text, why);
	if (r < 0)
		return r;
	if (strcmp(text, "add") != 0 && strcmp(text, "remove") != 0)
		return refuse(why, "action: \"%s\" is not \"add\" or \"remove\".",
			      show(text, shown));
	*ret = *text == 'a' ? CHANGE_ADD : CHANGE_REMOVE;
	return 0;
}

int api_decode_change(json_t *json, struct change *ret, struct problem *why)
{
	enum change_kind kind;
	int r;

	if (!json_is_object(json))
		return refuse(why, "a change must be an object, not %s.",
			      type_name(json));
	r = decode_action(json_object_get(json, "action"), &kind, why);
	if (r < 0)
		return r;
	r = check_change_keys(json, kind, why);
	if (r < 0)
		return r;
	return kind == CHANGE_ADD ? decode_add(json, ret, why)
				  : decode_remove(json, ret, why);
}

static int decode_array(json_t *json, struct change_list *list, struct problem *why)
{
	struct change change;
	json_t *element;
	size_t i;
	int r;

	json_array_foreach (json, i, element) {
		r = api_decode_change(element, &change, why);
		if (r < 0) {
			why->index = (int64_t)i;
			return r;
		}
		r = change_list_add(list, &change);
		if (r < 0)
			return r;
	}
	return 0;
}

int api_decode_changes(json_t *json, struct change_list *list, struct problem *why)
{
	const size_t before = list->n;
	const size_t more = json_is_array(json) ? json_array_size(json) : 1;
	struct change change;
	int r;

	if (before + more > API_LIST_MAX) {
		problem_set(why, VERDICT_TOO_LARGE, "Divide it into several requests.",
			    "The list has %zu changes; at most %d are taken.",
			    before + more, API_LIST_MAX);
		return -EMSGSIZE;
	}
	if (json_is_array(json)) {
		r = decode_array(json, list, why);
		if (r < 0)
			list->n = before;
		return r;
	}
	r = api_decode_change(json, &change, why);
	return r < 0 ? r : change_list_add(list, &change);
}
