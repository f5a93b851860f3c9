/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * api_private - what the files of the API's codec share
 */

#include "core/api.h"
#include "core/text.h"

/* of a sentence in blocked_by, after text_escape(): names of foreign chains are bytes */
#define BLOCKED_BY_STRLEN 512

/* ------------------------------------------------------------------ reading requests */

/* of a piece of the client's text that a sentence shows */
#define SHOWN_STRLEN 80

#define refuse(why, ...)                                                                 \
	(problem_set(why, VERDICT_BAD_REQUEST, NULL, __VA_ARGS__), -EINVAL)

static inline const char *show(const char *text, char buf[static SHOWN_STRLEN])
{
	return text_escape(text, strlen(text), buf, SHOWN_STRLEN);
}

/** "an object", "a string", ...; borrowed for ever */
const char *type_name(const json_t *json);
bool is_among(const char *key, const char *const *keys);

/* All of them: 0, or -EINVAL with @why naming @path. */
int check_keys(json_t *json, const char *prefix, const char *const *keys,
	       struct problem *why);
int get_text(json_t *json, const char *path, const char **ret, struct problem *why);
int get_port(json_t *json, const char *path, uint16_t *ret, struct problem *why);
/** get_flag() - *ret keeps what it is where @json is NULL */
int get_flag(json_t *json, const char *path, bool *ret, struct problem *why);
int get_name(json_t *json, char name[static MAPPING_NAME_MAX + 1], struct problem *why);
/** get_comment() - "" for null; borrowed from @json */
int get_comment(json_t *json, const char *path, const char **ret, struct problem *why);
/** get_lifetime() - of null 0 */
int get_lifetime(json_t *json, const char *path, uint32_t *ret, struct problem *why);
/** get_wish() - enum upstream_wish; *ret keeps what it is where @json is NULL */
int get_wish(json_t *json, const char *path, uint8_t *ret, struct problem *why);
/**
 * get_host() - an address that packets can be sent to
 * @lan:        NULL: no more than that; else a host suffix is taken as well. The LAN that
 *              is named with it, or ""
 * @ret_suffix: set where it is one; may be NULL without @lan
 */
int get_host(json_t *json, const char *path, const char *lan, struct in6_addr *ret,
	     bool *ret_suffix, struct problem *why);
/** get_inside() - of the object with key "internal": its address, which may be a host
 * suffix; @ret_lan: the LAN that is named with one, or "", borrowed from @json */
int get_inside(json_t *json, struct in6_addr *ret, bool *ret_suffix, const char **ret_lan,
	       struct problem *why);
/** get_size() - the last port of a range, as its size; @first is not 0 */
int get_size(json_t *json, const char *path, uint16_t first, uint16_t *ret,
	     struct problem *why);
/** get_endpoint() - the object with key "external" or "internal", NULL where there is
 * none; its keys are checked */
int get_endpoint(json_t *json, const char *key, json_t **ret, struct problem *why);

/** decode_add() - @ret has a reference to details; also -ENOMEM */
int decode_add(json_t *json, struct change *ret, struct problem *why);
