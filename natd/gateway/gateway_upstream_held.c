/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_upstream_held - whether the router above us holds a mapping that needs it: a
 * change of the table like every other, made again where it was not made
 */

#include <errno.h>
#include <stdlib.h>

#include "natd/common/log.h"
#include "natd/gateway/gateway_private.h"
#include "natd/gateway/gateway_upstream.h"

#define RETRY_USEC UINT64_C(1000000)

/**
 * struct upstream_held
 * @gw:       NULL: it is freed with the last of @asked
 * @asked:    changes that are not answered
 * @owed:     mappings that could not be altered; @n of them, room for @room
 * @all_owed: there was no memory to say which
 * @said:     that one of them could not be altered
 */
struct upstream_held {
	struct gateway *gw;
	sd_event_source *retry;
	uint64_t *owed;
	size_t n, room, asked;
	bool all_owed, said;
};

/** struct held_request - @id: the mapping that is to be altered */
struct held_request {
	struct upstream_held *held;
	uint64_t id;
};

static void rearm(struct upstream_held *held)
{
	sd_event_source_set_time_relative(held->retry, RETRY_USEC);
	sd_event_source_set_enabled(held->retry, SD_EVENT_ONESHOT);
}

/* Told what the table has, upstream says again where that is not so. While the engine
 * takes no changes, one is enough to see whether it does. */
static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct upstream_held *held = userdata;
	struct gateway *gw = held->gw;
	size_t left = engine_is_stuck(gw->engine) && held->n ? held->n - 1 : 0;

	if (held->all_owed) {
		held->all_owed = false;
		held->n = left = 0;
		gateway_upstream_follow_required(gw);
	}
	while (held->n > left) {
		const struct mapping *m = table_find_id(gw->table, held->owed[--held->n]);

		if (m)
			gateway_upstream_follow(gw, m);
	}
	if (held->n)
		rearm(held);
	uplink_kick(gateway_uplink(gw));
	return 0;
}

static void retry_later(struct upstream_held *held, uint64_t id)
{
	if (held->n == held->room) {
		const size_t room = held->room ? 2 * held->room : 16;
		uint64_t *more = reallocarray(held->owed, room, sizeof(*more));

		if (more) {
			held->owed = more;
			held->room = room;
		}
	}
	if (held->n < held->room)
		held->owed[held->n++] = id;
	else
		held->all_owed = true;
	rearm(held);
}

static void take_answer(struct upstream_held *held, uint64_t id,
			const struct answer *answer)
{
	struct refusal refusal;

	if (answer->problem) {
		if (!held->said)
			log_warning("A mapping that needs the router above us is not as "
				    "that has it: %s It is tried again.",
				    answer->problem->detail);
		held->said = true;
		retry_later(held, id);
		return;
	}
	held->said = false;
	if (!plan_refused(answer->plan, answer->request))
		return;
	plan_refusal(answer->plan, answer->request, &refusal);
	/* one that was removed meanwhile needs nothing */
	if (refusal.verdict != VERDICT_NOT_FOUND)
		retry_later(held, id);
}

static void on_answer(void *userdata, const struct answer *answer)
{
	struct held_request *request = userdata;
	struct upstream_held *held = request->held;

	held->asked--;
	if (held->gw)
		take_answer(held, request->id, answer);
	else if (!held->asked)
		free(held);
	free(request);
}

/* By itself: what is refused to one is not to the others. */
void held_submit(struct upstream_held *held, uint64_t id, bool is_held)
{
	const struct change change = {
		.kind = CHANGE_UPDATE,
		.config_too = true,
		.selector = { .id = id },
		.patch = { .set = PATCH_HELD, .held = is_held },
	};
	struct held_request *request = malloc(sizeof(*request));
	struct change_list list = { 0 };
	int r = -ENOMEM;

	if (request) {
		*request = (struct held_request){ held, id };
		r = change_list_add(&list, &change);
	}
	if (r == 0)
		r = engine_submit(held->gw->engine, &list, on_answer, request);
	change_list_done(&list);
	if (r == 0) {
		held->asked++;
		return;
	}
	free(request);
	retry_later(held, id);
}

int held_new(struct gateway *gw, struct upstream_held **ret)
{
	struct upstream_held *held = calloc(1, sizeof(*held));
	int r;

	if (!held)
		return -ENOMEM;
	held->gw = gw;
	r = sd_event_add_time_relative(gw->event, &held->retry, CLOCK_MONOTONIC, 0, 0,
				       on_retry, held);
	if (r >= 0)
		r = sd_event_source_set_enabled(held->retry, SD_EVENT_OFF);
	if (r < 0) {
		held_free(held);
		return r;
	}
	*ret = held;
	return 0;
}

void held_free(struct upstream_held *held)
{
	if (!held)
		return;
	held->retry = sd_event_source_disable_unref(held->retry);
	free(held->owed);
	held->gw = NULL;
	if (!held->asked)
		free(held);
}
