/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * resources - what docs/api.md lists, a function for each method of each
 */

#include "natd/api/http.h"

void mappings_list(struct request *request);	/* GET /v1/mappings */
void mappings_one(struct request *request);	/* GET /v1/mappings/ID */
void mappings_change(struct request *request);	/* POST /v1/mappings */
void mappings_patch(struct request *request);	/* PATCH /v1/mappings/ID */
void mappings_remove(struct request *request);	/* DELETE /v1/mappings/ID */
void mappings_flush(struct request *request);	/* POST /v1/flush */
void events_stream(struct request *request);	/* GET /v1/events */
void connections_list(struct request *request); /* GET /v1/connections */
void connections_end(struct request *request);	/* DELETE /v1/connections */
void control_status(struct request *request);	/* GET /v1/status */
void control_resync(struct request *request);	/* POST /v1/resync */
void control_reload(struct request *request);	/* POST /v1/reload */

/** names of the parameters that mappings_list() takes, NULL-terminated */
extern const char *const mappings_filters[];
/** and events_stream(), mappings_remove(), connections_list() and connections_end() */
extern const char *const events_filters[];
extern const char *const remove_filters[];
extern const char *const connections_filters[];

/**
 * change_submit() - hand a list to the engine and answer with what becomes of it
 * @list:   taken over
 * @single: one change was asked for, not a list of one
 */
void change_submit(struct request *request, struct change_list *list, bool single);

/** change_answer() - answer with a plan's results, or its refusal */
void change_answer(struct request *request, const struct answer *answer, bool single);
