/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * api_decode - natd's half: reads what a client asks, strictly
 *
 * The first thing that is wrong is refused by its name: the path of the key, and what was
 * there, shown so that it does no harm.
 */

#include <errno.h>
#include <string.h>

#include "core/api_private.h"
#include "core/cleanup.h"

static const char *const keys_of_add[] = {
	"action",  "protocol", "external", "internal", "name",	"from", "lease",
	"comment", "enabled",  "upstream", "force",    "drain", NULL,
};
static const char *const keys_of_remove[] = {
	"action", "id", "name", "protocol", "external", "drain", NULL,
};
static const char *const keys_of_update[] = {
	"action", "id", "name", "protocol", "external", "set", "drain", NULL,
};
static const char *const keys_of_set[] = {
	"name", "enabled", "lease", "comment", "upstream", "internal", NULL,
};
/* of a patch by itself, which has no place beside what it sets */
static const char *const keys_of_patch[] = {
	"name", "enabled", "lease", "comment", "upstream", "internal", "drain", NULL,
};

static const struct action {
	const char *name, *does;
	const char *const *keys;
} actions[] = {
	[CHANGE_ADD] = { "add", "adds", keys_of_add },
	[CHANGE_REMOVE] = { "remove", "removes", keys_of_remove },
	[CHANGE_UPDATE] = { "update", "updates", keys_of_update },
};

/* A key that is only of use in another kind of change is told apart from a misspelt. */
static int check_change_keys(json_t *json, enum change_kind kind, struct problem *why)
{
	const struct action *action = &actions[kind];
	const char *key;
	json_t *value;
	int r;

	r = check_keys(json, "", action->keys, why);
	if (r == 0)
		return 0;
	json_object_foreach (json, key, value) {
		if (is_among(key, action->keys))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
			if (is_among(key, actions[i].keys))
				return refuse(why,
					      "key \"%s\" has no place in a change that "
					      "%s.",
					      key, action->does);
	}
	return r;
}

/* ------------------------------------------------------------------ which mapping */

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
		return refuse(why,
			      "protocol: \"%s\" is not \"tcp\", \"udp\", \"sctp\" or "
			      "\"udplite\", one of which is needed here.",
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
	if ((address && !json_is_null(address)) || json_object_get(external, "end_port"))
		return refuse(
			why,
			"external: mappings are found by one port here. Where protocol "
			"and port fit several, give the id.");
	return get_port(json_object_get(external, "port"), "external.port", ret, why);
}

/* Decoders of the keys that were given, one after the other. */
static int decode_selector(json_t *json, const char *does, struct selector *s,
			   struct problem *why)
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
	if (r == 0 && !s->id && !s->name[0] && !(s->protocol && s->port))
		return refuse(why,
			      "a change that %s needs \"id\", or \"name\", or "
			      "\"protocol\" with \"external.port\".",
			      does);
	return r;
}

static int decode_remove(json_t *json, struct change *ret, struct problem *why)
{
	struct change change = { .kind = CHANGE_REMOVE };
	int r;

	r = decode_selector(json, "removes", &change.selector, why);
	if (r == 0)
		r = get_flag(json_object_get(json, "drain"), "drain", &change.drain, why);
	if (r == 0)
		*ret = change;
	return r;
}

/* ------------------------------------------------------------------ what to set */

static int decode_new_name(json_t *json, struct patch *patch, struct problem *why)
{
	const char *text = json_string_value(json);

	patch->set |= PATCH_NAME;
	if (json_is_null(json) || (text && !text[0]))
		return 0;
	return get_name(json, patch->name, why);
}

/* Ports that are not named stay. */
static int decode_new_ports(json_t *internal, struct patch *patch, struct problem *why)
{
	json_t *port = json_object_get(internal, "port");
	json_t *end = json_object_get(internal, "end_port");
	int r = 0;

	if (port || end)
		r = get_port(port, "internal.port", &patch->internal.port, why);
	if (r == 0 && end)
		r = get_size(end, "internal.end_port", patch->internal.port,
			     &patch->n_ports, why);
	return r;
}

static int decode_new_internal(json_t *set, struct patch *patch, const char **ret_lan,
			       struct problem *why)
{
	json_t *internal;
	int r;

	r = get_endpoint(set, "internal", &internal, why);
	if (r == 0)
		r = get_inside(internal, &patch->internal.addr, &patch->suffix, ret_lan,
			       why);
	if (r < 0)
		return r;
	patch->set |= PATCH_INTERNAL;
	return decode_new_ports(internal, patch, why);
}

static int decode_scalars(json_t *set, struct patch *patch, struct problem *why)
{
	json_t *name = json_object_get(set, "name");
	json_t *enabled = json_object_get(set, "enabled");
	json_t *lease = json_object_get(set, "lease");
	json_t *upstream = json_object_get(set, "upstream");
	int r = 0;

	if (name)
		r = decode_new_name(name, patch, why);
	if (r == 0 && enabled) {
		patch->set |= PATCH_ENABLED;
		r = get_flag(enabled, "enabled", &patch->enabled, why);
	}
	if (r == 0 && lease) {
		patch->set |= PATCH_LIFETIME;
		r = get_lifetime(lease, "lease", &patch->lifetime, why);
	}
	if (r == 0 && upstream) {
		patch->set |= PATCH_UPSTREAM;
		r = get_wish(upstream, "upstream", &patch->upstream, why);
	}
	return r;
}

/* The details last: they are the caller's. */
static int decode_set(json_t *set, struct patch *patch, struct problem *why)
{
	json_t *comment = json_object_get(set, "comment");
	const char *lan = "", *text = "";
	int r;

	r = decode_scalars(set, patch, why);
	if (r == 0 && json_object_get(set, "internal"))
		r = decode_new_internal(set, patch, &lan, why);
	if (r == 0 && comment) {
		patch->set |= PATCH_COMMENT;
		r = get_comment(comment, "comment", &text, why);
	}
	if (r == 0 && !patch->set)
		return refuse(why, "set: names nothing to be set.");
	return r < 0 ? r : details_new(lan, text, NULL, 0, &patch->details);
}

int api_decode_patch(json_t *json, struct change *ret, struct problem *why)
{
	struct change change = { .kind = CHANGE_UPDATE };
	int r;

	if (!json_is_object(json))
		return refuse(why, "a patch must be an object, not %s.", type_name(json));
	r = check_keys(json, "", keys_of_patch, why);
	if (r == 0)
		r = get_flag(json_object_get(json, "drain"), "drain", &change.drain, why);
	if (r == 0)
		r = decode_set(json, &change.patch, why);
	if (r == 0)
		*ret = change;
	return r;
}

static int get_set(json_t *json, json_t **ret, struct problem *why)
{
	*ret = json_object_get(json, "set");
	if (!*ret)
		return refuse(why,
			      "set is missing: {\"enabled\":false} says what to set.");
	if (!json_is_object(*ret))
		return refuse(why, "set: must be an object, not %s.", type_name(*ret));
	return check_keys(*ret, "set.", keys_of_set, why);
}

static int decode_update(json_t *json, struct change *ret, struct problem *why)
{
	struct change change = { .kind = CHANGE_UPDATE };
	json_t *set;
	int r;

	r = decode_selector(json, "updates", &change.selector, why);
	if (r == 0)
		r = get_flag(json_object_get(json, "drain"), "drain", &change.drain, why);
	if (r == 0)
		r = get_set(json, &set, why);
	if (r == 0)
		r = decode_set(set, &change.patch, why);
	if (r == 0)
		*ret = change;
	return r;
}

/* ------------------------------------------------------------------ changes */

static int decode_action(json_t *json, enum change_kind *ret, struct problem *why)
{
	char shown[SHOWN_STRLEN];
	const char *text;
	int r;

	*ret = CHANGE_ADD;
	if (!json)
		return 0;
	r = get_text(json, "action", &text, why);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(text, actions[i].name) != 0)
			continue;
		*ret = (enum change_kind)i;
		return 0;
	}
	return refuse(why, "action: \"%s\" is not \"add\", \"update\" or \"remove\".",
		      show(text, shown));
}

int api_decode_change(json_t *json, struct change *ret, struct problem *why)
{
	enum change_kind kind;
	int r;

	if (!json_is_object(json))
		return refuse(why, "a change must be an object, not %s.",
			      type_name(json));
	r = decode_action(json_object_get(json, "action"), &kind, why);
	if (r == 0)
		r = check_change_keys(json, kind, why);
	if (r < 0)
		return r;
	switch (kind) {
	case CHANGE_ADD:
		return decode_add(json, ret, why);
	case CHANGE_REMOVE:
		return decode_remove(json, ret, why);
	case CHANGE_UPDATE:
		return decode_update(json, ret, why);
	}
	__builtin_unreachable();
}

static int append(json_t *json, struct change_list *list, struct problem *why)
{
	struct change change;
	int r;

	r = api_decode_change(json, &change, why);
	if (r < 0)
		return r;
	r = change_list_add(list, &change);
	change_done(&change);
	return r;
}

static int decode_array(json_t *json, struct change_list *list, struct problem *why)
{
	json_t *element;
	size_t i;
	int r;

	json_array_foreach (json, i, element) {
		r = append(element, list, why);
		if (r == -EINVAL)
			why->index = (int64_t)i;
		if (r < 0)
			return r;
	}
	return 0;
}

int api_decode_changes(json_t *json, struct change_list *list, struct problem *why)
{
	const size_t before = list->n;
	const size_t more = json_is_array(json) ? json_array_size(json) : 1;
	int r;

	if (before + more > API_LIST_MAX) {
		problem_set(why, VERDICT_TOO_LARGE, "Divide it into several requests.",
			    "The list has %zu changes; at most %d are taken.",
			    before + more, API_LIST_MAX);
		return -EMSGSIZE;
	}
	if (!json_is_array(json))
		return append(json, list, why);
	r = decode_array(json, list, why);
	for (; r < 0 && list->n > before; list->n--)
		change_done(&list->changes[list->n - 1]);
	return r;
}
