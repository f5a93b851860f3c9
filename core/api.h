/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * api - mappings, changes and problems as JSON, both ways
 *
 * natd and natctl share it, so that one cannot say what the other does not read. Strict:
 * an unknown key, a key given twice, a value of the wrong type or out of range is
 * refused by name. docs/api.md is the contract.
 *
 * The forms are those of docs/api.md: a mapping, a change ("add", "update", "remove"), a
 * problem, a connection.
 */

#include <jansson.h>

#include "core/connection.h"
#include "core/outcome.h"
#include "core/upstream/upstream.h"

/* a document (not NDJSON) of more bytes is refused */
#define API_DOCUMENT_MAX (1024 * 1024)
/* deepest nesting taken; ours is 3 */
#define API_DEPTH_MAX 16
/* changes in one request */
#define API_LIST_MAX 65535

enum mapping_condition {
	CONDITION_ACTIVE,
	CONDITION_DISABLED,
	CONDITION_WAITING,
	CONDITION_SHADOWED,
};
const char *condition_name(enum mapping_condition condition);
int condition_parse(const char *text, enum mapping_condition *ret); /* 0 or -EINVAL */

/* endpoints and shadowing mappings that are told of a mapping at most */
#define STATE_ENDPOINTS_MAX 16
#define STATE_SHADOWS_MAX   16

/**
 * struct mapping_state - what is known of a mapping beside the table
 * @connections: live ones; -1 = not known
 * @total:       connections; -1 = not known
 * @bytes_in, @bytes_out: -1 = not known
 * @remaining:   of a lease, seconds, rounded up; @expires: seconds since 1970
 * @upstream:    here, expires and renews are seconds since 1970
 * @endpoints:   external endpoints in force
 * @shadowed_by: ids
 * @listeners_known: false: @listeners says nothing
 * @blocked_by:  borrowed sentences naming foreign chains, "ip filter FORWARD (hook
 * forward, policy drop)"
 */
struct mapping_state {
	enum mapping_condition condition;
	int64_t connections;
	int64_t total;
	int64_t bytes_in, bytes_out;
	uint32_t remaining;
	uint64_t expires;
	struct upstream_view upstream;
	struct endpoint endpoints[STATE_ENDPOINTS_MAX];
	size_t n_endpoints;
	uint64_t shadowed_by[STATE_SHADOWS_MAX];
	size_t n_shadowed_by;
	struct listener listeners[REFUSAL_LISTENERS_MAX];
	size_t n_listeners;
	bool listeners_known;
	const char *const *blocked_by;
	size_t n_blocked_by;
};

/**
 * api_parse() - bytes to JSON, strictly
 * @ret:  new reference
 * @why:  on failure VERDICT_BAD_REQUEST (with line and column) or VERDICT_TOO_LARGE
 *
 * Return: 0, -EINVAL (see @why), -EMSGSIZE (over API_DOCUMENT_MAX), -ENOMEM.
 */
int api_parse(const char *bytes, size_t len, json_t **ret, struct problem *why);

/**
 * api_decode_change() - one change
 * @json: borrowed
 * @ret:  for change_done(); written on success only; an added mapping is resolved, origin
 *        and owner are not set
 * @why:  on -EINVAL: VERDICT_BAD_REQUEST, index -1
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int api_decode_change(json_t *json, struct change *ret, struct problem *why);

/** api_decode_patch() - what "set" holds, and drain: a CHANGE_UPDATE without selector.
 * The rest as api_decode_change() */
int api_decode_patch(json_t *json, struct change *ret, struct problem *why);

/**
 * api_decode_changes() - an object, or an array of objects
 * @list: changes are appended
 * @why:  as above, with index set for an array; VERDICT_TOO_LARGE over API_LIST_MAX
 *
 * Return: 0, -EINVAL, -EMSGSIZE, -ENOMEM.
 */
int api_decode_changes(json_t *json, struct change_list *list, struct problem *why);

/* New references, or NULL when there is no memory. */
json_t *api_encode_change(const struct change *change);
json_t *api_encode_mapping(const struct mapping *m, const struct mapping_state *state);
/**
 * api_write_mapping() - the text of api_encode_mapping(), compact, for long lists
 * @buf:   no NUL is written
 * @room:  of @buf, in bytes
 * @state: may be NULL: without the live fields
 *
 * Return: how long the text is; where that is more than @room, @buf holds nothing of use.
 */
size_t api_write_mapping(char *buf, size_t room, const struct mapping *m,
			 const struct mapping_state *state);
/** {"type":"about:blank","title":"Conflict","status":409,"code":"conflict",
 * "detail":"...","cure":"...","index":1}; cure and index only where there are any */
json_t *api_encode_problem(const struct problem *p);

/** {"address":"0.0.0.0","port":22,"uid":0,"inode":12345} */
json_t *api_encode_listener(const struct listener *listener);
int api_decode_listener(json_t *json, uint8_t protocol, struct listener *ret);

/**
 * api_decode_mapping() - what api_encode_mapping() wrote; unknown keys are skipped here,
 * since a newer natd may say more
 * @ret:   its details are a reference of the caller's
 * @state: all but blocked_by, which is NULL (read it from @json). May be NULL
 *
 * An origin or a state that is not known is a newer natd's, and taken for "admin" and
 * "active"; a wish and a state upstream for "default" and "off"; @json has the word.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int api_decode_mapping(json_t *json, struct mapping *ret, struct mapping_state *state);
/** Return: 0 or -EINVAL; an unknown code becomes VERDICT_FAULT */
int api_decode_problem(json_t *json, struct problem *ret);

/* "2025-01-31T12:00:00Z" and NUL */
#define API_TIME_STRLEN 24
/** seconds since 1970 <-> RFC 3339 in UTC */
const char *api_time_format(uint64_t seconds, char buf[static API_TIME_STRLEN]);
int api_time_parse(const char *text, uint64_t *ret); /* 0 or -EINVAL */
