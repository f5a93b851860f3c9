/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * api_values - single values of a request, each refused by the name of its key
 */

#include <errno.h>
#include <string.h>

#include "core/api_private.h"
#include "core/target.h"

static const char *const keys_of_external[] = { "address", "port", "end_port", NULL };
static const char *const keys_of_internal[] = {
	"address", "port", "end_port", "interface", NULL,
};

const char *type_name(const json_t *json)
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

bool is_among(const char *key, const char *const *keys)
{
	for (; *keys; keys++) {
		if (strcmp(key, *keys) == 0)
			return true;
	}
	return false;
}

int check_keys(json_t *json, const char *prefix, const char *const *keys,
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

int get_text(json_t *json, const char *path, const char **ret, struct problem *why)
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

int get_port(json_t *json, const char *path, uint16_t *ret, struct problem *why)
{
	const json_int_t port = json_integer_value(json);

	if (!json)
		return refuse(why, "%s is missing.", path);
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

int get_size(json_t *json, const char *path, uint16_t first, uint16_t *ret,
	     struct problem *why)
{
	uint16_t last;
	int r;

	r = get_port(json, path, &last, why);
	if (r < 0)
		return r;
	if (last < first)
		return refuse(why, "%s: %u is below the first port, %u.", path, last,
			      first);
	*ret = (uint16_t)(last - first + 1);
	return 0;
}

int get_flag(json_t *json, const char *path, bool *ret, struct problem *why)
{
	if (!json)
		return 0;
	if (!json_is_boolean(json))
		return refuse(why, "%s: must be true or false, not %s.", path,
			      type_name(json));
	*ret = json_is_true(json);
	return 0;
}

int get_name(json_t *json, char name[static MAPPING_NAME_MAX + 1], struct problem *why)
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

int get_comment(json_t *json, const char *path, const char **ret, struct problem *why)
{
	const char *flaw;
	int r;

	*ret = "";
	if (!json || json_is_null(json))
		return 0;
	r = get_text(json, path, ret, why);
	if (r < 0)
		return r;
	flaw = mapping_comment_flaw(*ret);
	return flaw ? refuse(why, "%s cannot be used. %s", path, flaw) : 0;
}

int get_lifetime(json_t *json, const char *path, uint32_t *ret, struct problem *why)
{
	const json_int_t seconds = json_integer_value(json);

	*ret = 0;
	if (!json || json_is_null(json))
		return 0;
	if (!json_is_integer(json))
		return refuse(why, "%s: must be a number of seconds or null, not %s.",
			      path, type_name(json));
	if (seconds < 0 || seconds > MAPPING_LIFETIME_MAX)
		return refuse(why,
			      "%s: %" JSON_INTEGER_FORMAT
			      " seconds are not from 0 (no lease) to %u.",
			      path, seconds, MAPPING_LIFETIME_MAX);
	*ret = (uint32_t)seconds;
	return 0;
}

int get_wish(json_t *json, const char *path, uint8_t *ret, struct problem *why)
{
	enum upstream_wish wish;
	char shown[SHOWN_STRLEN];
	const char *text;
	int r;

	if (!json)
		return 0;
	r = get_text(json, path, &text, why);
	if (r < 0)
		return r;
	if (upstream_wish_parse(text, &wish) < 0)
		return refuse(why,
			      "%s: \"%s\" is not \"default\", \"yes\", \"no\" or "
			      "\"required\".",
			      path, show(text, shown));
	*ret = (uint8_t)wish;
	return 0;
}

/* What a client may have taken over from natctl's notation has a key beside @path. */
static const char *other_key(const char *text)
{
	struct target target = { 0 };

	if (target_parse(text, &target) < 0)
		return NULL;
	return target.ports.first ? "port" : target.lan[0] ? "interface" : NULL;
}

static int refuse_address(const char *text, const char *path, struct problem *why)
{
	const char *key = other_key(text);
	char shown[SHOWN_STRLEN];

	show(text, shown);
	if (key)
		return refuse(why,
			      "%s: \"%s\" is not an IP address. The %s has a key of its "
			      "own, %.*s.%s.",
			      path, shown, key, (int)strcspn(path, "."), path, key);
	return refuse(why, "%s: \"%s\" is not an IP address.", path, shown);
}

/* As target_parse() does, which has the LAN in the text. */
static bool is_suffix(const struct in6_addr *addr, bool lan_named)
{
	static const struct prefix no_prefix = { IN6ADDR_ANY_INIT, 64 };

	return address_in_prefix(addr, &no_prefix) && !address_is_any(addr) &&
	       !address_is_ipv4(addr) && (lan_named || !IN6_IS_ADDR_LOOPBACK(addr));
}

int get_host(json_t *json, const char *path, const char *lan, struct in6_addr *ret,
	     bool *ret_suffix, struct problem *why)
{
	const char *text, *unusable;
	int r;

	r = get_text(json, path, &text, why);
	if (r < 0)
		return r;
	if (address_parse(text, ret) < 0)
		return refuse_address(text, path, why);
	if (lan && is_suffix(ret, lan[0])) {
		*ret_suffix = true;
		return 0;
	}
	unusable = address_unusable(ret);
	if (unusable)
		return refuse(why, "%s: %s is %s.", path, text, unusable);
	return 0;
}

static int get_interface(json_t *json, const char **ret, struct problem *why)
{
	char shown[SHOWN_STRLEN];
	int r;

	*ret = "";
	if (!json || json_is_null(json))
		return 0;
	r = get_text(json, "internal.interface", ret, why);
	if (r < 0)
		return r;
	if (!**ret || strlen(*ret) >= IFNAMSIZ)
		return refuse(why,
			      "internal.interface: \"%s\" is no name of an interface.",
			      show(*ret, shown));
	return 0;
}

/* The interface first: with one, "::1" is a suffix. */
int get_inside(json_t *json, struct in6_addr *ret, bool *ret_suffix, const char **ret_lan,
	       struct problem *why)
{
	int r;

	*ret_suffix = false;
	r = get_interface(json_object_get(json, "interface"), ret_lan, why);
	if (r == 0)
		r = get_host(json_object_get(json, "address"), "internal.address",
			     *ret_lan, ret, ret_suffix, why);
	if (r == 0 && **ret_lan && !*ret_suffix)
		return refuse(why, "internal.interface: is for a host suffix, an IPv6 "
				   "address like \"::10\".");
	return r;
}

int get_endpoint(json_t *json, const char *key, json_t **ret, struct problem *why)
{
	const bool external = strcmp(key, "external") == 0;
	json_t *endpoint = json_object_get(json, key);

	if (endpoint && !json_is_object(endpoint))
		return refuse(why, "%s: must be an object, like {\"port\":8080}, not %s.",
			      key, type_name(endpoint));
	*ret = endpoint;
	return check_keys(endpoint, external ? "external." : "internal.",
			  external ? keys_of_external : keys_of_internal, why);
}
