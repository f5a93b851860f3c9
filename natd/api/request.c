/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * request - what the head of a request says
 */

#include "natd/api/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/api/server_private.h"

const char *request_parameter(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND,
					   name);
}

/* Is @type one of the media types of a Content-Type or Accept header? */
static bool names_type(const char *header, const char *type)
{
	const size_t len = strlen(type);

	while (*header) {
		header += strspn(header, " \t,");
		if (!strncasecmp(header, type, len) && strchr(" \t,;", header[len]))
			return true;
		header += strcspn(header, ",");
	}
	return false;
}

const char *request_header(const struct request *request, const char *name)
{
	const char *value;

	value = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
	return value ? value : "";
}

struct parameters {
	const char *const *known;
	const char *seen[8];
	size_t n_seen;
	struct problem *why;
};

static bool is_known(const struct parameters *p, const char *key)
{
	for (size_t i = 0; p->known && p->known[i]; i++)
		if (!strcmp(p->known[i], key))
			return true;
	return false;
}

static enum MHD_Result on_parameter(void *userdata, enum MHD_ValueKind kind,
				    const char *key, size_t key_len, const char *value,
				    size_t value_len)
{
	struct parameters *p = userdata;
	const char *flaw = NULL;
	char shown[64];

	if (!is_known(p, key))
		flaw = "is no parameter here";
	else if (!value)
		flaw = "lacks a value";
	else if (strlen(value) != value_len || p->n_seen == ARRAY_SIZE(p->seen))
		flaw = "has no usable value";
	for (size_t i = 0; i < p->n_seen && !flaw; i++)
		if (!strcmp(p->seen[i], key))
			flaw = "is given twice";
	if (flaw) {
		problem_set(p->why, VERDICT_BAD_REQUEST, NULL, "The parameter \"%s\" %s.",
			    text_escape(key, strlen(key), shown, sizeof(shown)), flaw);
		return MHD_NO;
	}
	p->seen[p->n_seen++] = key;
	return MHD_YES;
}

/* Return: 0, or -EINVAL and @why. */
static int check_parameters(struct MHD_Connection *connection, const struct route *route,
			    struct problem *why)
{
	struct parameters p = { .known = route->filters, .why = why };

	why->detail[0] = 0;
	MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, on_parameter, &p);
	return why->detail[0] ? -EINVAL : 0;
}

/* Return: 0, or -EINVAL and @why. */
static int choose_body(const char *type, const struct route *route, enum body_kind *ret,
		       struct problem *why)
{
	char shown[64];

	*ret = route->takes_body ? BODY_DOCUMENT : BODY_NONE;
	if (*ret == BODY_NONE || !type[0] || names_type(type, JSON_TYPE))
		return 0;
	/* what curl --data says when it is not told */
	if (names_type(type, "application/x-www-form-urlencoded"))
		return 0;
	if (route->takes_lines && names_type(type, LINES_TYPE)) {
		*ret = BODY_LINES;
		return 0;
	}
	problem_set(why, VERDICT_BAD_REQUEST,
		    route->takes_lines ? "Say " JSON_TYPE " or " LINES_TYPE "."
				       : "Say " JSON_TYPE ".",
		    "The Content-Type \"%s\" is not understood.",
		    text_escape(type, strlen(type), shown, sizeof(shown)));
	return -EINVAL;
}

static int check_head_size(struct MHD_Connection *connection, struct problem *why)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (!info || info->header_size <= SERVER_HEAD_MAX)
		return 0;
	problem_set(why, VERDICT_TOO_LARGE, NULL,
		    "A request's head may have %d bytes; this one has %zu.",
		    SERVER_HEAD_MAX, info->header_size);
	return -EMSGSIZE;
}

static int check_rights(const struct request *request, unsigned int may,
			struct problem *why)
{
	if (request->peer.may & may)
		return 0;
	problem_set(why, VERDICT_NOT_PERMITTED, "", "%s", "");
	peer_refusal(&request->peer, request->server->group, why->detail,
		     sizeof(why->detail), why->cure, sizeof(why->cure));
	return -EPERM;
}

int request_rights(const struct request *request, struct rights **ret)
{
	return access_rights(&gateway_config(request->gw)->access,
			     &request->client->credentials,
			     request->peer.may & MAY_CONTROL, ret);
}

unsigned long long request_length(const struct request *request)
{
	return strtoull(request_header(request, "Content-Length"), NULL, 10);
}

/* Rights first: who has none learns nothing else. */
int request_judge(struct request *request, const char *method, const char *path,
		  char *allow, struct problem *why)
{
	struct MHD_Connection *connection = request->connection;
	enum body_kind kind;
	int r;

	r = check_rights(request, MAY_LOOK | MAY_CHANGE, why);
	if (r == 0)
		r = check_head_size(connection, why);
	if (r < 0)
		return r;
	request->route =
		resource_find(method, path, &request->id, why, allow, ALLOW_STRLEN);
	if (!request->route)
		return -ENOENT;
	r = check_rights(request, request->route->may, why);
	if (r == 0)
		r = check_parameters(connection, request->route, why);
	if (r == 0)
		r = choose_body(request_header(request, "Content-Type"), request->route,
				&kind, why);
	if (r < 0)
		return r;
	request->body.kind = kind;
	request->lines = kind == BODY_LINES ||
			 names_type(request_header(request, "Accept"), LINES_TYPE);
	if (kind == BODY_DOCUMENT && request_length(request) > API_DOCUMENT_MAX) {
		problem_set(why, VERDICT_TOO_LARGE,
			    "Send it as " LINES_TYPE ", one change a line.",
			    "A JSON document may have %d bytes.", API_DOCUMENT_MAX);
		return -EMSGSIZE;
	}
	return 0;
}
