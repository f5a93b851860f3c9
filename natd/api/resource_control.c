/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * resource_control - what is asked of natd as a whole
 */

#include "natd/api/resources.h"

#include "core/cleanup.h"
#include "natd/common/log.h"

DEFINE_CLEANUP(json_decref, json_t *)

/* Nothing, or {}. Return: true; else it was refused, and answered. */
static bool is_bare(struct request *request)
{
	CLEANUP(json_decref) json_t *json = NULL;
	struct problem why;

	if (!request->body.document.len)
		return true;
	json = body_parse(&request->body);
	if (!json) {
		reply_problem(request, &request->body.why, NULL);
		return false;
	}
	if (json_is_object(json) && !json_object_size(json))
		return true;
	problem_set(&why, VERDICT_BAD_REQUEST, "Send nothing, or {}.",
		    "This request takes no parameters.");
	reply_problem(request, &why, NULL);
	return false;
}

void control_status(struct request *request)
{
	reply_json(request, MHD_HTTP_OK, gateway_status(request_gateway(request)));
}

void control_resync(struct request *request)
{
	struct ruleset_report report = { 0 };
	struct problem why;

	if (!is_bare(request))
		return;
	if (gateway_resync(request_gateway(request), &report, &why) < 0) {
		reply_problem(request, &why, NULL);
		return;
	}
	log_info("uid %u (pid %d): resync: %zu added, %zu removed, %zu other%s.",
		 request->peer.uid, request->peer.pid, report.added, report.removed,
		 report.other, report.rewritten ? ", rules rewritten" : "");
	reply_json(request, MHD_HTTP_OK,
		   json_pack("{s:b,s:b,s:b,s:I,s:I,s:I}", "created", report.created,
			     "replaced", report.replaced, "rewritten", report.rewritten,
			     "added", (json_int_t)report.added, "removed",
			     (json_int_t)report.removed, "other",
			     (json_int_t)report.other));
}

static void on_reloaded(void *userdata, size_t added, size_t removed,
			const struct problem *why)
{
	struct request *request = userdata;

	if (why) {
		log_info("uid %u (pid %d): reload failed: %s", request->peer.uid,
			 request->peer.pid, why->detail);
		reply_problem(request, why, NULL);
	} else {
		log_info("uid %u (pid %d): reload: %zu added, %zu removed.",
			 request->peer.uid, request->peer.pid, added, removed);
		reply_json(request, MHD_HTTP_OK,
			   json_pack("{s:I,s:I}", "added", (json_int_t)added, "removed",
				     (json_int_t)removed));
	}
	request_drop(request);
}

void control_reload(struct request *request)
{
	if (!is_bare(request))
		return;
	request_hold(request);
	if (gateway_reload(request_gateway(request), on_reloaded, request) == 0)
		return;
	request_drop(request);
	reply_no_memory(request);
}
