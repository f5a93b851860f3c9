/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * reply - what goes back
 */

#include "natd/api/http.h"

#include <stdlib.h>
#include <string.h>

#include "natd/api/server_private.h"
#include "natd/common/log.h"

static void reply(struct request *request, unsigned int status,
		  struct MHD_Response *response, const char *type)
{
	struct server *server = request->server;

	if (response) {
		MHD_add_response_header(response, "Content-Type", type);
		MHD_add_response_header(response, "Cache-Control", "no-store");
		request->response = response;
		request->status = status;
	}
	/* Without a response there is server->no_memory or server->untold. */
	if (request->suspended) {
		request->suspended = false;
		MHD_resume_connection(request->connection);
		http_schedule(server);
	}
}

static struct MHD_Response *json_response(json_t *json)
{
	struct MHD_Response *response;
	char *text = NULL;

	if (json)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!text)
		return NULL;
	response = MHD_create_response_from_buffer(strlen(text), text,
						   MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	return response;
}

void reply_json(struct request *request, unsigned int status, json_t *json)
{
	if (request->connection)
		reply(request, status, json_response(json), JSON_TYPE);
	else
		json_decref(json);
}

void reply_no_memory(struct request *request)
{
	reply_json(request, 0, NULL);
}

void reply_stream(struct request *request, unsigned int status, bool lines,
		  stream_more more, void *state, void (*free_state)(void *state))
{
	if (request->connection)
		reply(request, status,
		      stream_response(more, state, free_state, request->head),
		      lines ? LINES_TYPE : JSON_TYPE);
	else
		free_state(state);
}

void reply_response(struct request *request, unsigned int status,
		    struct MHD_Response *response)
{
	reply(request, status, response, LINES_TYPE);
}

static json_t *encode_problem(const struct problem *problem, json_t *more)
{
	json_t *json;

	json = api_encode_problem(problem);
	if (json && more && json_object_update(json, more) < 0) {
		json_decref(json);
		json = NULL;
	}
	json_decref(more);
	return json;
}

void reply_problem(struct request *request, const struct problem *problem, json_t *more)
{
	log_debug("uid %u (pid %d) was refused: %s", request->peer.uid, request->peer.pid,
		  problem->detail);
	if (request->connection)
		reply(request, (unsigned int)outcome_of(problem->verdict)->http,
		      json_response(encode_problem(problem, more)),
		      "application/problem+json");
	else
		json_decref(more);
}

char *reply_unheard(const struct problem *problem, size_t *ret_len)
{
	const struct outcome *outcome = outcome_of(problem->verdict);
	struct buffer answer = { 0 };
	json_t *json = api_encode_problem(problem);
	char *text = NULL;

	if (json)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!text)
		return NULL;
	buffer_printf(&answer,
		      "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
		      "Connection: close\r\nContent-Length: %zu\r\n\r\n",
		      outcome->http, outcome->title, strlen(text));
	buffer_put(&answer, text);
	free(text);
	if (answer.failed)
		buffer_done(&answer);
	*ret_len = answer.len;
	return answer.bytes;
}

static struct MHD_Response *lasting_response(const struct problem *problem)
{
	struct MHD_Response *response = json_response(api_encode_problem(problem));

	if (response)
		MHD_add_response_header(response, "Content-Type",
					"application/problem+json");
	return response;
}

struct MHD_Response *reply_make_no_memory(void)
{
	struct problem problem;

	problem_set(&problem, VERDICT_FAULT, "Try again later.",
		    "There is no memory. Nothing has changed.");
	return lasting_response(&problem);
}

struct MHD_Response *reply_make_untold(void)
{
	struct problem problem;

	problem_set(&problem, VERDICT_UNKNOWN, "natctl list tells.",
		    "There is no memory to tell what became of the request.");
	return lasting_response(&problem);
}
