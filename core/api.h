/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * api - mappings, changes and problems as JSON, both ways
 *
 * natd and natctl share it, so that one cannot say what the other does not read. Strict:
 * an unknown key, a key given twice, a value of the wrong type or out of range is
 * refused by name. docs/api.md is the contract.
 *
 * A mapping:
 *	{"id":7,"name":"web","protocol":"tcp",
 *	 "external":{"address":null,"port":8080},
 *	 "internal":{"address":"192.168.1.10","port":80},
 *	 "origin":"admin","owner":"uid:0","enabled":true,
 *	 "created":"2025-01-31T12:00:00Z",
 *	 "connections":3,"connections_total":41,"blocked_by":[]}
 * external.address null: any WAN address of the internal address's family.
 * name is null where there is none.
 *
 * A change that adds ("action" may be left out):
 *	{"action":"add","protocol":"tcp,udp","external":{"port":8080},
 *	 "internal":{"address":"192.168.1.10","port":80},"name":"web"}
 * internal.port left out: the external port. external.address may be null or left out;
 * of a pinhole also the internal address.
 *
 * A change that removes, by any of id, name, protocol with external port:
 *	{"action":"remove","id":7}
 *	{"action":"remove","name":"web"}
 *	{"action":"remove","protocol":"tcp","external":{"port":8080}}
 */

#include <jansson.h>

#include "core/connection.h"
#include "core/outcome.h"

/* a document (not NDJSON) of more bytes is refused */
#define API_DOCUMENT_MAX (1024 * 1024)
/* deepest nesting taken; ours is 3 */
#define API_DEPTH_MAX 16
/* changes in one request */
#define API_LIST_MAX 65535

/**
 * struct mapping_state - what is known of a mapping beside the table
 * @connections: live ones; -1 = not known
 * @total:       connections since its element is in the kernel; -1 = not known
 * @blocked_by:  borrowed sentences naming foreign chains, "ip filter FORWARD (hook
 * forward, policy drop)"
 */
struct mapping_state {
	int64_t connections;
	int64_t total;
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
 * @ret:  written on success only; an added mapping is resolved, origin and owner are
 *        not set
 * @why:  on failure: VERDICT_BAD_REQUEST, index -1
 *
 * Return: 0 or -EINVAL.
 */
int api_decode_change(json_t *json, struct change *ret, struct problem *why);

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

/**
 * api_decode_mapping() - what api_encode_mapping() wrote; unknown keys are skipped here,
 * since a newer natd may say more
 * @state: connections and total set; blocked_by NULL (read it from @json). May be NULL
 *
 * Return: 0 or -EINVAL.
 */
int api_decode_mapping(json_t *json, struct mapping *ret, struct mapping_state *state);
/** Return: 0 or -EINVAL; an unknown code becomes VERDICT_FAULT */
int api_decode_problem(json_t *json, struct problem *ret);

/* "2025-01-31T12:00:00Z" and NUL */
#define API_TIME_STRLEN 24
/** seconds since 1970 <-> RFC 3339 in UTC */
const char *api_time_format(uint64_t seconds, char buf[static API_TIME_STRLEN]);
int api_time_parse(const char *text, uint64_t *ret); /* 0 or -EINVAL */
