/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/api/resources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/text.h"

static const struct route routes[] = {
	{ .method = "GET",
	  .path = "/v1/mappings",
	  .handle = mappings_list,
	  .may = MAY_LOOK,
	  .filters = mappings_filters },
	{ .method = "POST",
	  .path = "/v1/mappings",
	  .handle = mappings_change,
	  .may = MAY_CHANGE,
	  .takes_body = true,
	  .takes_lines = true },
	{ .method = "GET",
	  .path = "/v1/mappings/",
	  .handle = mappings_one,
	  .may = MAY_LOOK },
	{ .method = "PATCH",
	  .path = "/v1/mappings/",
	  .handle = mappings_patch,
	  .may = MAY_CHANGE,
	  .takes_body = true },
	{ .method = "DELETE",
	  .path = "/v1/mappings/",
	  .handle = mappings_remove,
	  .may = MAY_CHANGE,
	  .filters = remove_filters },
	{ .method = "GET",
	  .path = "/v1/connections",
	  .handle = connections_list,
	  .may = MAY_LOOK,
	  .filters = connections_filters },
	{ .method = "DELETE",
	  .path = "/v1/connections",
	  .handle = connections_end,
	  .may = MAY_CHANGE,
	  .filters = connections_filters },
	{ .method = "GET",
	  .path = "/v1/events",
	  .handle = events_stream,
	  .may = MAY_LOOK,
	  .filters = events_filters },
	{ .method = "GET",
	  .path = "/v1/status",
	  .handle = control_status,
	  .may = MAY_LOOK },
	{ .method = "POST",
	  .path = "/v1/resync",
	  .handle = control_resync,
	  .may = MAY_CONTROL,
	  .takes_body = true },
	{ .method = "POST",
	  .path = "/v1/reload",
	  .handle = control_reload,
	  .may = MAY_CONTROL,
	  .takes_body = true },
	{ .method = "POST",
	  .path = "/v1/flush",
	  .handle = mappings_flush,
	  .may = MAY_CHANGE,
	  .takes_body = true },
};

/* Return: what follows a path that ends in '/', "" where nothing may, NULL: another path.
 */
static const char *match(const struct route *route, const char *path)
{
	const size_t len = strlen(route->path);

	if (route->path[len - 1] != '/')
		return strcmp(route->path, path) ? NULL : "";
	if (strncmp(route->path, path, len) || !path[len] || strchr(path + len, '/'))
		return NULL;
	return path + len;
}

/* As natd writes it: digits, no zero in front. Return: 0 or -EINVAL. */
static int parse_id(const char *text, uint64_t *ret, struct problem *why)
{
	char shown[64];
	size_t digits = strspn(text, "0123456789");

	errno = 0;
	*ret = strtoull(text, NULL, 10);
	if (digits && !text[digits] && text[0] != '0' && !errno)
		return 0;
	problem_set(why, VERDICT_BAD_REQUEST, "natctl list shows the ids.",
		    "\"%s\" is no id of a mapping.",
		    text_escape(text, strlen(text), shown, sizeof(shown)));
	return -EINVAL;
}

static void add_method(char *allow, size_t room, const char *method)
{
	size_t len = strlen(allow);

	snprintf(allow + len, room - len, "%s%s", len ? ", " : "", method);
	if (!strcmp(method, "GET"))
		add_method(allow, room, "HEAD");
}

static const struct route *refuse(const char *method, const char *path, const char *allow,
				  struct problem *why)
{
	char shown[2][96];

	text_escape(path, strlen(path), shown[0], sizeof(shown[0]));
	text_escape(method, strlen(method), shown[1], sizeof(shown[1]));
	if (!allow[0]) {
		problem_set(why, VERDICT_NO_RESOURCE,
			    "There are /v1/mappings, /v1/connections, /v1/events, "
			    "/v1/status, /v1/resync, /v1/reload and /v1/flush.",
			    "There is no %s.", shown[0]);
		return NULL;
	}
	problem_set(why, VERDICT_BAD_METHOD, NULL, "%s does not take %s, but %s.",
		    shown[0], shown[1], allow);
	return NULL;
}

const struct route *resource_find(const char *method, const char *path, uint64_t *ret_id,
				  struct problem *why, char *allow, size_t allow_room)
{
	if (!strcmp(method, "HEAD"))
		method = "GET";
	allow[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const char *id = match(&routes[i], path);

		if (!id)
			continue;
		if (strcmp(routes[i].method, method)) {
			add_method(allow, allow_room, routes[i].method);
			continue;
		}
		allow[0] = 0;
		if (id[0] && parse_id(id, ret_id, why) < 0)
			return NULL;
		return &routes[i];
	}
	return refuse(method, path, allow, why);
}
