/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * client - requests to natd over one connection
 *
 * Opened at the first request and kept for the next; when natd has closed it in the
 * meantime it is opened anew. Nothing is ever sent twice.
 */

#include "cli/flaw.h"
#include "cli/http.h"
#include "core/cleanup.h"

/* bytes of an answer that is kept in memory */
#define CLIENT_ANSWER_MAX (64 * 1024 * 1024)

/**
 * struct request - all borrowed
 * @type: media type of the body; NULL = no body
 * @accept: media type wanted; NULL = application/json
 */
struct request {
	const char *method;
	const char *path;
	const char *accept;
	const char *type;
	const char *body;
	size_t len;
};

/**
 * struct answer - @body is the owner's to free with answer_done(), NUL-terminated at
 * @len; NULL when it went to a sink
 */
struct answer {
	int status;
	char type[64];
	char *body;
	size_t len;
};

void answer_done(struct answer *answer);
/** answer_is_good() - status 2xx, and JSON or NDJSON */
bool answer_is_good(const struct answer *answer);

struct client;

/**
 * client_new()
 * @path:    of natd's socket; copied
 * @timeout: seconds of silence after which natd is given up
 *
 * Return: 0, -ENOMEM, -ENAMETOOLONG.
 */
int client_new(const char *path, unsigned int timeout, struct client **ret);
void client_free(struct client *client); /* NULL is fine */
DEFINE_CLEANUP(client_free, struct client *)

const char *client_path(const struct client *client);
/** client_twin() - another to the same socket, with the same patience. Return: 0, -ENOMEM
 */
int client_twin(const struct client *client, struct client **ret);

/**
 * client_ask() - send a request, read the answer
 * @sink: NULL, or gets the body of a good answer piece by piece; it stops with
 * -ECANCELED, which is returned, @why untouched
 * @ret:  written on success only: natd has answered, be it yes or no
 * @why:  on failure: one line, with the cure
 *
 * Return: 0; -ENOENT, -ECONNREFUSED (natd is not running), -ENOTSOCK, -EPROTOTYPE,
 * -EACCES, -EAGAIN (takes no connection), -ETIMEDOUT, -ECONNRESET (ended in the middle),
 * -EBADMSG (not HTTP), -EMSGSIZE (over CLIENT_ANSWER_MAX), -ENOMEM, -ECANCELED (by
 * @sink), or another of connect(2).
 */
int client_ask(struct client *client, const struct request *request, http_sink sink,
	       void *userdata, struct answer *ret, struct flaw *why);

/**
 * struct client_stream - an answer without an end, zero-initialised
 * @refusal: the answer, when it was another; answer_done() frees it
 */
struct client_stream {
	bool begun;
	struct http_body body;
	struct answer refusal;
};

/** client_begin() - send a request whose answer is taken as it comes
 * Return: as client_ask() */
int client_begin(struct client *client, const struct request *request, struct flaw *why);
/** client_fd() - to be polled for reading; -1 = there is no connection */
int client_fd(const struct client *client);

/**
 * client_take() - what has come, without waiting for more
 *
 * Return: 1: there may be more; 0: natd has ended the answer; -EPROTO: it was another
 * answer, see @stream->refusal; -ECONNRESET: natd is gone; -ECANCELED, and others, as
 * client_ask(). But for 1 the connection is closed.
 */
int client_take(struct client *client, struct client_stream *stream, http_sink sink,
		void *userdata, struct flaw *why);
/** client_end() - have no more of it */
void client_end(struct client *client);
