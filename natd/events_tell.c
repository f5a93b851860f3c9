/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * events_tell - from a plan, or a refusal, to events
 *
 * Theory of operation
 *
 * An event tells what a request made of an external endpoint, not by which steps: a
 * removal and an addition in one request are one change. So the effects of a request are
 * grouped by endpoint, and told where the last of a group stands.
 */

#include "natd/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/** struct group - of effects; @last is where it stands
 * @first: index of the first effect; SIZE_MAX = another effect is the last of its group
 */
struct group {
	size_t first;
	uint64_t ended;
};

static bool is_told(const struct plan *plan, const struct group *group, size_t last)
{
	return group->first != SIZE_MAX &&
	       (plan_effect_at(plan, group->first)->kind == CHANGE_REMOVE ||
		plan_effect_at(plan, last)->kind == CHANGE_ADD);
}

static int compare_keys(const struct effect *a, const struct effect *b)
{
	const struct mapping *m = a->mapping, *n = b->mapping;

	if (a->request != b->request)
		return a->request < b->request ? -1 : 1;
	if (m->protocol != n->protocol)
		return m->protocol < n->protocol ? -1 : 1;
	if (m->external.port != n->external.port)
		return m->external.port < n->external.port ? -1 : 1;
	return memcmp(&m->external.addr, &n->external.addr, sizeof(m->external.addr));
}

static int compare_effects(const void *left, const void *right, void *plan)
{
	const size_t a = *(const size_t *)left, b = *(const size_t *)right;
	int r = compare_keys(plan_effect_at(plan, a), plan_effect_at(plan, b));

	return r ? r : a < b ? -1 : 1;
}

static void group_apart(const struct plan *plan, struct group *groups)
{
	for (size_t i = 0; i < plan_size(plan); i++)
		groups[i] = (struct group){ i, plan_effect_at(plan, i)->ended };
}

/* Adjacent in @order are those of one endpoint, in the order in which they happened. */
static void group_ordered(const struct plan *plan, struct group *groups,
			  const size_t *order)
{
	for (size_t i = 1; i < plan_size(plan); i++) {
		struct group *before = &groups[order[i - 1]];

		if (compare_keys(plan_effect_at(plan, order[i - 1]),
				 plan_effect_at(plan, order[i])) != 0)
			continue;
		groups[order[i]].first = before->first;
		groups[order[i]].ended += before->ended;
		before->first = SIZE_MAX;
	}
}

static bool is_mixed(const struct plan *plan)
{
	for (size_t i = 1; i < plan_size(plan); i++)
		if (plan_effect_at(plan, i)->kind != plan_effect_at(plan, 0)->kind)
			return true;
	return false;
}

/* Without memory each step is told by itself. */
static void group_effects(const struct plan *plan, struct group *groups)
{
	size_t *order;

	group_apart(plan, groups);
	order = is_mixed(plan) ? calloc(plan_size(plan), sizeof(*order)) : NULL;
	if (!order)
		return;
	for (size_t i = 0; i < plan_size(plan); i++)
		order[i] = i;
	qsort_r(order, plan_size(plan), sizeof(*order), compare_effects,
		(void *)(uintptr_t)plan);
	group_ordered(plan, groups, order);
	free(order);
}

static void tell_group(struct events *events, const struct plan *plan,
		       const struct group *group, size_t last, struct buffer *buffer)
{
	const struct effect *begin = plan_effect_at(plan, group->first);
	const struct effect *end = plan_effect_at(plan, last);
	enum event_kind kind = EVENT_ADDED;

	if (end->kind == CHANGE_REMOVE)
		kind = EVENT_REMOVED;
	else if (begin->kind == CHANGE_REMOVE)
		kind = EVENT_CHANGED;
	buffer->len = 0;
	buffer_put(buffer, "\"mapping\":");
	buffer_mapping(buffer, kind == EVENT_REMOVED ? begin->mapping : end->mapping,
		       NULL);
	if (kind == EVENT_CHANGED) {
		buffer_put(buffer, ",\"before\":");
		buffer_mapping(buffer, begin->mapping, NULL);
	}
	buffer_printf(buffer, ",\"ended\":%" PRIu64, group->ended);
	if (buffer->failed)
		events_skip(events, 1);
	else
		events_put(events, kind, buffer->bytes, buffer->len);
}

void events_tell_plan(struct events *events, const struct plan *plan)
{
	struct buffer buffer = { 0 };
	struct group *groups;
	size_t n = 0;

	groups = calloc(plan_size(plan) + 1, sizeof(*groups));
	if (!groups) {
		events_skip(events, plan_size(plan));
		return;
	}
	group_effects(plan, groups);
	for (size_t i = 0; i < plan_size(plan); i++)
		n += is_told(plan, &groups[i], i);
	/* what would push itself out of the ring is not written */
	for (size_t i = 0; i < plan_size(plan); i++) {
		if (!is_told(plan, &groups[i], i))
			continue;
		if (n-- > EVENTS_MAX)
			events_skip(events, 1);
		else
			tell_group(events, plan, &groups[i], i, &buffer);
	}
	buffer_done(&buffer);
	free(groups);
}

void events_tell_refusal(struct events *events, int64_t uid, pid_t pid,
			 const struct problem *why)
{
	events_tell(events, EVENT_REFUSED,
		    json_pack("{s:o, s:o, s:o}", "uid",
			      uid < 0 ? json_null() : json_integer(uid), "pid",
			      pid ? json_integer(pid) : json_null(), "problem",
			      api_encode_problem(why)));
}
