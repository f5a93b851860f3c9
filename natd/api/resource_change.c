/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * resource_change - what alters mappings: from the body to the engine
 */

#include "natd/api/resources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/api/server_private.h"

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

/* What a client cannot say itself. Return: 0 or -ENOMEM. */
static int sign(const struct request *request, struct change_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct mapping *m = &list->changes[i].mapping;

		if (list->changes[i].kind != CHANGE_ADD)
			continue;
		m->origin = ORIGIN_ADMIN;
		m->owner_uid = request->peer.uid;
	}
	return request_rights(request, &list->rights);
}

void change_submit(struct request *request, struct change_list *list, bool single)
{
	const bool large = list->n > SERVER_LARGE_CHANGES;
	int r;

	r = sign(request, list);
	if (r < 0) {
		change_list_done(list);
		reply_no_memory(request);
		return;
	}
	request->large = large;
	request_hold(request);
	r = engine_submit(gateway_engine(request_gateway(request)), list,
			  single ? on_answer_single : on_answer_list, request);
	if (r == 0)
		return;
	request_drop(request);
	reply_no_memory(request);
}

/* Return: the document, new reference; NULL: there is none, and it was refused. */
static json_t *parse_body(struct request *request, const char *cure)
{
	struct problem why;
	json_t *json;

	if (!request->body.document.len) {
		problem_set(&why, VERDICT_BAD_REQUEST, cure, "The request has no body.");
		reply_problem(request, &why, NULL);
		return NULL;
	}
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

	json = parse_body(request, "Send one change, or a list.");
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
	if (request->body.kind == BODY_LINES)
		change_submit(request, &request->body.list, false);
	else
		change_document(request);
}

static void submit_one(struct request *request, struct change *change)
{
	struct change_list list = { 0 };
	int r;

	r = change_list_add(&list, change);
	change_done(change);
	if (r < 0)
		reply_no_memory(request);
	else
		change_submit(request, &list, true);
}

const char *const remove_filters[] = { "drain", NULL };

void mappings_remove(struct request *request)
{
	struct change change = { .kind = CHANGE_REMOVE, .selector.id = request->id };
	const char *drain = request_parameter(request, "drain");
	struct problem why;

	if (drain && strcmp(drain, "true") != 0 && strcmp(drain, "false") != 0) {
		problem_set(&why, VERDICT_BAD_REQUEST, NULL,
			    "The parameter \"drain\" is true or false.");
		reply_problem(request, &why, NULL);
		return;
	}
	change.drain = drain && *drain == 't';
	submit_one(request, &change);
}

void mappings_patch(struct request *request)
{
	CLEANUP(json_decref) json_t *json = NULL;
	struct change change;
	struct problem why;
	int r;

	json = parse_body(request, "Send what is to be set, {\"enabled\":false}.");
	if (!json)
		return;
	r = api_decode_patch(json, &change, &why);
	buffer_done(&request->body.document);
	if (r == 0) {
		change.selector.id = request->id;
		submit_one(request, &change);
	} else if (r == -ENOMEM) {
		reply_no_memory(request);
	} else {
		reply_problem(request, &why, NULL);
	}
}

/* Who may not do everything empties his own. Return: 0; -ENOMEM. */
static int list_for_flush(const struct request *request, bool all,
			  struct change_list *ret)
{
	const struct table *table = gateway_table(request_gateway(request));
	const bool others = request->peer.may & MAY_CONTROL;
	const struct mapping *m;

	table_for_each (table, m) {
		struct change change = { .kind = CHANGE_REMOVE, .config_too = all };

		if (!all && m->origin == ORIGIN_CONFIG)
			continue;
		if (!others &&
		    (m->origin == ORIGIN_CONFIG || m->owner_uid != request->peer.uid))
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
	json = parse_body(request, NULL);
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
	if (list_for_flush(request, all, &list) < 0) {
		change_list_done(&list);
		reply_no_memory(request);
		return;
	}
	change_submit(request, &list, false);
}
