/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * http - requests between libmicrohttpd and the resources
 *
 * A request lives as long as its connection works on it and as long as a callback is
 * outstanding that was given it: both hold a reference.
 */

#include <jansson.h>
#include <microhttpd.h>
#include <sys/queue.h>

#include "natd/access/peer.h"
#include "natd/api/body.h"
#include "natd/events/stream.h"
#include "natd/gateway/gateway.h"

struct client;
struct server;
struct request;

#define LINES_TYPE "application/x-ndjson"
#define JSON_TYPE  "application/json"

/**
 * struct route - one method of one resource
 * @path:    as it stands; one that ends in '/' is followed by an id
 * @handle:  called when the request is whole. Answers now (reply_*), or holds the request
 *           and answers later
 * @may:     MAY_*: what it takes
 * @takes_body, @takes_lines: may have a JSON document, NDJSON
 * @filters: NULL-terminated names of query parameters, or NULL
 */
struct route {
	const char *method;
	const char *path;
	void (*handle)(struct request *request);
	unsigned int may;
	bool takes_body, takes_lines;
	const char *const *filters;
};

/**
 * struct request
 * @connection: NULL when the client is gone: only the reference is left to be dropped
 * @server:     good while there is a @connection
 * @gw:         good always
 * @client:     good while there is a @connection
 * @peer:       as judged when the request began, good always
 * @id:         of the path
 * @head:       it is a HEAD
 * @lines:      answer in NDJSON where there is a list
 */
struct request {
	LIST_ENTRY(request) link;
	unsigned int references;
	struct MHD_Connection *connection;
	struct server *server;
	struct gateway *gw;
	struct client *client;
	struct peer peer;
	const struct route *route;
	uint64_t id;
	bool head, lines;
	struct body body;

	TAILQ_ENTRY(request) next; /* while it is waiting */
	bool waiting, admitted;
	bool handled, suspended;
	bool large;   /* much memory is free once it is answered */
	bool decided; /* an answer that cannot be made must not deny the change */
	struct MHD_Response *response;
	unsigned int status;
};

LIST_HEAD(request_list, request);
TAILQ_HEAD(request_queue, request);

/** request_hold() - for a callback; it must call request_drop() */
void request_hold(struct request *request);
void request_drop(struct request *request);

struct gateway *request_gateway(const struct request *request);

/** request_rights() - of who asks; the request has a connection
 * @ret: a reference of the caller's. Return: 0 or -ENOMEM */
int request_rights(const struct request *request, struct rights **ret);

/** request_header() - value of a header, borrowed, "" = not there */
const char *request_header(const struct request *request, const char *name);
/** request_length() - as announced; 0 where it is not */
unsigned long long request_length(const struct request *request);
/** request_judge() - may it go on? Sets route, id, lines, body.kind
 * Return: 0; else a negative errno, the refusal in @why, and @allow as resource_find() */
int request_judge(struct request *request, const char *method, const char *path,
		  char *allow, struct problem *why);
/** request_parameter() - value of a query parameter, borrowed, or NULL */
const char *request_parameter(const struct request *request, const char *name);

/*
 * The answer, once for each request. Nothing happens when the client is gone. Without
 * memory the answer says so.
 */

/** @json: taken over; NULL = no memory */
void reply_json(struct request *request, unsigned int status, json_t *json);
/** @more: object whose members the document gets as well, taken over; may be NULL */
void reply_problem(struct request *request, const struct problem *problem, json_t *more);
/** @lines: NDJSON, else JSON; the rest as for stream_response() */
void reply_stream(struct request *request, unsigned int status, bool lines,
		  stream_more more, void *state, void (*free_state)(void *state));
void reply_no_memory(struct request *request);
/** @response: NDJSON, taken over; NULL = no memory. The request has a connection */
void reply_response(struct request *request, unsigned int status,
		    struct MHD_Response *response);

/** resource_find() - the route of a path and method, and the id in the path
 * Return: NULL: @why is written; @allow is, where the path is there and the method is not
 */
const struct route *resource_find(const char *method, const char *path, uint64_t *ret_id,
				  struct problem *why, char *allow, size_t allow_room);
#define ALLOW_STRLEN 64

/** reply_make_no_memory() - made at start, since later there is none. NULL: nor is there
 * now */
struct MHD_Response *reply_make_no_memory(void);
struct MHD_Response *reply_make_untold(void);

/** http_schedule() - let libmicrohttpd run */
void http_schedule(struct server *server);

/** reply_unheard() - a whole answer in one piece for one who was not let in, malloc()ed
 */
char *reply_unheard(const struct problem *problem, size_t *ret_len);
