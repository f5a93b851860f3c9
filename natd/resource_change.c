/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * resource_change - what alters mappings: from the body to the engine
 */

#include "natd/resources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "natd/server_private.h"

DEFINE_CLEANUP(json_decref, json_t *)

static void on_answer_single(void *userdata, const struct answer *answer)
{
	change_answer(userdata, answer, true);
	request_drop(userdata);
}

static void on_answer_list(void *userdata, const struct answer *answer)
{
	change_answer(userdata, answer, false);
	request_drop(userdata);
}

/* What a client cannot say itself. */
static void sign(const struct request *request, struct change_list *list)
{
	const uint64_t now = (uint64_t)time(NULL);

	for (size_t i = 0; i < list->n; i++) {
		struct mapping *m = &list->changes[i].mapping;

		if (list->changes[i].kind != CHANGE_ADD)
			continue;
		m->origin = ORIGIN_ADMIN;
		m->owner_uid = request->peer.uid;
		m->created = now;
	}
}

void change_submit(struct request *request, struct change_list *list, bool single)
{
	int r;

	sign(request, list);
	request->large = list->n > SERVER_LARGE_CHANGES;
	request_hold(request);
	r = engine_submit(gateway_engine(request_gateway(request)), list,
			  single ? on_answer_single : on_answer_list, request);
	if (r == 0)
		return;
	request_drop(request);
	reply_no_memory(request);
}

/* Return: the document, new reference; NULL: there is none, and it was refused. */
static json_t *parse_body(struct request *request)
{
	json_t *json;

	json = body_parse(&request->body);
	if (!json)
		reply_problem(request, &request->body.why, NULL);
	return json;
}

static void change_document(struct request *request)
{
	CLEANUP(json_decref) json_t *json = NULL;
	struct change_list list = { 0 };
	struct problem why;
	int r;

	json = parse_body(request);
	if (!json)
		return;
	r = api_decode_changes(json, &list, &why);
	buffer_done(&request->body.document);
	if (r == 0) {
		change_submit(request, &list, json_is_object(json));
		return;
	}
	change_list_done(&list);
	if (r == -ENOMEM)
		reply_no_memory(request);
	else
		reply_problem(request, &why, NULL);
}

void mappings_change(struct request *request)
{
	struct problem why;

	if (request->body.kind == BODY_LINES) {
		change_submit(request, &request->body.list, false);
	} else if (!request->body.document.len) {
		problem_set(&why, VERDICT_BAD_REQUEST, "Send one change, or a list.",
			    "The request has no body.");
		reply_problem(request, &why, NULL);
	} else {
		change_document(request);
	}
}

void mappings_remove(struct request *request)
{
	const struct change change = { .kind = CHANGE_REMOVE,
				       .selector.id = request->id };
	struct change_list list = { 0 };

	if (change_list_add(&list, &change) < 0)
		reply_no_memory(request);
	else
		change_submit(request, &list, true);
}

/* Return: 0; -ENOMEM. */
static int list_for_flush(const struct table *table, bool all, struct change_list *ret)
{
	const struct mapping *m;

	table_for_each (table, m) {
		struct change change = { .kind = CHANGE_REMOVE, .config_too = all };

		if (!all && m->origin == ORIGIN_CONFIG)
			continue;
		change.selector.id = m->id;
		if (change_list_add(ret, &change) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* {"all":true}, and nothing else. Return: 0, or -EINVAL and @why. */
static int decode_flush(json_t *json, bool *ret, struct problem *why)
{
	json_error_t error;
	int all = false;

	if (json_unpack_ex(json, &error, JSON_STRICT, "{s?b}", "all", &all) == 0) {
		*ret = all;
		return 0;
	}
	problem_set(why, VERDICT_BAD_REQUEST,
		    "Send {\"all\":true}, {\"all\":false} or nothing.",
		    "The body is an object with \"all\", true or false, or empty.");
	return -EINVAL;
}

/* Return: 0; -EINVAL: refused, and answered. */
static int read_flush(struct request *request, bool *ret)
{
	CLEANUP(json_decref) json_t *json = NULL;
	struct problem why;

	*ret = false;
	if (!request->body.document.len)
		return 0;
	json = parse_body(request);
	if (!json)
		return -EINVAL;
	if (decode_flush(json, ret, &why) == 0)
		return 0;
	reply_problem(request, &why, NULL);
	return -EINVAL;
}

void mappings_flush(struct request *request)
{
	struct change_list list = { 0 };
	bool all;

	if (read_flush(request, &all) < 0)
		return;
	if (list_for_flush(gateway_table(request_gateway(request)), all, &list) < 0) {
		change_list_done(&list);
		reply_no_memory(request);
		return;
	}
	change_submit(request, &list, false);
}
