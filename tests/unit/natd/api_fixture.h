/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * api_fixture - the server with a fake gateway behind it, and a client in the same
 * process
 *
 * The client waits by turning the server's loop. Everything it waits for is bounded.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "natd/api/server.h"
#include "tests/fake/credentials.h"
#include "tests/fake/gateway.h"

struct api {
	sd_event *event;
	struct gateway *gw;
	struct server *server;
	char dir[64], path[96];
};

void api_start(struct api *api);
void api_stop(struct api *api);
/** api_turn() - one turn of the loop, at most @milliseconds long */
void api_turn(struct api *api, unsigned int milliseconds);
/** api_settle() - until nothing happens for 20 ms */
void api_settle(struct api *api);

/** struct conn - a client's connection; @in holds what was received and not used yet */
struct conn {
	struct api *api;
	int fd;
	char *in;
	size_t n, room;
	bool eof;
};

/** struct reply - @body is NUL-terminated beyond @len; @head too, in lower case names */
struct reply {
	int status;
	char *head;
	char *body;
	size_t len, room;
};

void conn_open(struct api *api, struct conn *ret);
void conn_close(struct conn *conn);
void conn_send(struct conn *conn, const char *bytes, size_t len);
/** conn_try_send() - Return: false when the other side has hung up */
bool conn_try_send(struct conn *conn, const char *bytes, size_t len);
void conn_say(struct conn *conn, const char *text);
/** conn_reply() - wait for a whole answer. @head: of a HEAD request, so without a body */
void conn_reply(struct conn *conn, bool head, struct reply *ret);
/** conn_is_closed() - wait for the end of the stream */
bool conn_is_closed(struct conn *conn);
/** conn_request() - method and path, content type (or NULL) and body (or NULL) */
void conn_request(struct conn *conn, const char *method_and_path, const char *type,
		  const char *body);

void reply_done(struct reply *reply);
/** reply_header() - value of a header into @buf, "" = not there; returns @buf */
const char *reply_header(const struct reply *reply, const char *name,
			 char buf[static 256]);
/** reply_parse() - the body, which must be strict JSON; new reference */
json_t *reply_parse(const struct reply *reply);

/** api_ask() - a request on a connection of its own */
void api_ask(struct api *api, const char *method_and_path, const char *type,
	     const char *body, struct reply *ret);
/** api_json() - the same, with the status it must have; new reference */
json_t *api_json(struct api *api, const char *method_and_path, const char *body,
		 int status);
/** api_count() - how many mappings "GET /v1/mappings" + @query lists */
size_t api_count(struct api *api, const char *query);
/** api_refused() - the same, of a problem document, with the code it must have. New
 * reference */
json_t *api_refused(struct api *api, const char *method_and_path, const char *body,
		    const char *code);

const char *text_of(json_t *json, const char *key); /* "" where it is not there */
long long number_of(json_t *json, const char *key); /* -1 where it is not there */
json_t *first_of(json_t *json, const char *key);    /* of an array; borrowed, or NULL */

/* changes that tests ask for */
#define API_WEB                                                                          \
	"{\"protocol\":\"tcp\",\"external\":{\"port\":8080},\"internal\":{\"address\":"  \
	"\"192.168.1.10\",\"port\":80},\"name\":\"web\"}"
#define API_DNS                                                                          \
	"{\"protocol\":\"tcp,udp\",\"external\":{\"port\":53},\"internal\":{"            \
	"\"address\":\"192.168.1.11\"}}"
