/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * events_tell - from a plan, or a refusal, to events
 *
 * Theory of operation
 *
 * An event tells what a request made of a mapping or an external endpoint, not by which
 * steps. So the effects of a request are put into chains, and each is told where its last
 * effect stands. An effect goes on where the one before it left the same mapping; an
 * addition goes on from a removal at the same external endpoint, of one for the same
 * remote prefixes before another.
 */

#include "natd/events/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

/** struct link - of an effect: the ones before and after it in its chain, or NONE */
struct link {
	size_t before, after;
};

typedef int (*comparison)(const struct effect *a, const struct effect *b);

/**
 * struct chains - of a plan's effects
 * @order: all effects, sorted as was needed last; NULL: each is a chain by itself
 */
struct chains {
	const struct plan *plan;
	struct link *links;
	size_t *order;
	comparison compare;
};

/* ------------------------------------------------------------ what belongs together */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_ids(const struct effect *a, const struct effect *b)
{
	int r = compare_numbers(a->request, b->request);

	return r ? r : compare_numbers(a->mapping->id, b->mapping->id);
}

static int compare_endpoints(const struct effect *a, const struct effect *b)
{
	const struct mapping *m = a->mapping, *n = b->mapping;
	int r = compare_numbers(a->request, b->request);

	if (r == 0)
		r = compare_numbers(m->protocol, n->protocol);
	if (r == 0)
		r = compare_numbers(m->external.port, n->external.port);
	if (r == 0)
		r = memcmp(&m->external.addr, &n->external.addr,
			   sizeof(m->external.addr));
	return r;
}

static int compare_remotes(const struct effect *a, const struct effect *b)
{
	const struct prefix *m, *n;
	size_t n_m, n_n;
	int r = compare_endpoints(a, b);

	if (r)
		return r;
	m = mapping_remotes(a->mapping, &n_m);
	n = mapping_remotes(b->mapping, &n_n);
	r = compare_numbers(n_m, n_n);
	for (size_t i = 0; r == 0 && i < n_m; i++) {
		r = memcmp(&m[i].addr, &n[i].addr, sizeof(m[i].addr));
		if (r == 0)
			r = compare_numbers(m[i].len, n[i].len);
	}
	return r;
}

static int compare_effects(const void *left, const void *right, void *userdata)
{
	const size_t a = *(const size_t *)left, b = *(const size_t *)right;
	const struct chains *chains = userdata;
	int r = chains->compare(plan_effect_at(chains->plan, a),
				plan_effect_at(chains->plan, b));

	return r ? r : compare_numbers(a, b);
}

/* ------------------------------------------------------------ chains */

static void link_effects(struct chains *chains, size_t before, size_t after)
{
	chains->links[before].after = after;
	chains->links[after].before = before;
}

/* What a mapping goes through; all of it is one chain. */
static void link_steps(struct chains *chains, size_t begin, size_t end)
{
	for (; begin + 1 < end; begin++)
		link_effects(chains, chains->order[begin], chains->order[begin + 1]);
}

static bool is_open(const struct chains *chains, size_t i, enum change_kind kind)
{
	const struct link *link = &chains->links[i];

	return plan_effect_at(chains->plan, i)->kind == kind &&
	       (kind == CHANGE_REMOVE ? link->after : link->before) == NONE;
}

/* An addition goes on from the oldest removal that is not gone on from. */
static void link_successors(struct chains *chains, size_t begin, size_t end)
{
	const size_t *order = chains->order;
	size_t removed = begin;

	for (size_t at = begin; at < end; at++) {
		if (!is_open(chains, order[at], CHANGE_ADD))
			continue;
		while (removed < at && !is_open(chains, order[removed], CHANGE_REMOVE))
			removed++;
		if (removed < at)
			link_effects(chains, order[removed], order[at]);
	}
}

/* Sort by @compare, and hand what is equal to @link, in the order in which it happened.
 */
static void link_equal(struct chains *chains, comparison compare,
		       void (*link)(struct chains *chains, size_t begin, size_t end))
{
	const struct plan *plan = chains->plan;
	const size_t n = plan_size(plan);
	size_t *order = chains->order;
	size_t begin = 0;

	chains->compare = compare;
	qsort_r(order, n, sizeof(*order), compare_effects, chains);
	for (size_t end = 1; end <= n; end++) {
		if (end < n && compare(plan_effect_at(plan, order[begin]),
				       plan_effect_at(plan, order[end])) == 0)
			continue;
		link(chains, begin, end);
		begin = end;
	}
}

static bool has(const struct plan *plan, enum change_kind kind)
{
	for (size_t i = 0; i < plan_size(plan); i++)
		if (plan_effect_at(plan, i)->kind == kind)
			return true;
	return false;
}

static void link_all(struct chains *chains, bool replaced)
{
	for (size_t i = 0; i < plan_size(chains->plan); i++)
		chains->order[i] = i;
	link_equal(chains, compare_ids, link_steps);
	if (!replaced)
		return;
	link_equal(chains, compare_remotes, link_successors);
	link_equal(chains, compare_endpoints, link_successors);
}

/* Without memory for @order each step is told by itself. Return: false: without any. */
static bool make_chains(const struct plan *plan, struct chains *ret)
{
	const bool replaced = has(plan, CHANGE_ADD) && has(plan, CHANGE_REMOVE);
	const size_t n = plan_size(plan);

	*ret = (struct chains){ .plan = plan };
	ret->links = calloc(n + 1, sizeof(*ret->links));
	if (!ret->links)
		return false;
	for (size_t i = 0; i < n; i++)
		ret->links[i] = (struct link){ NONE, NONE };
	if (replaced || has(plan, CHANGE_UPDATE))
		ret->order = calloc(n + 1, sizeof(*ret->order));
	if (ret->order)
		link_all(ret, replaced);
	return true;
}

/* ------------------------------------------------------------ telling */

/** struct story - what a chain made of @before, NULL = nothing; the same of @after
 * @held: all of it is what the router above us says */
struct story {
	const struct mapping *before, *after;
	bool expired, held;
	uint64_t ended;
};

static struct story story_of(const struct chains *chains, size_t last)
{
	const struct effect *effect = plan_effect_at(chains->plan, last);
	struct story story = { .expired = effect->expired, .held = true };

	if (effect->kind != CHANGE_REMOVE)
		story.after = effect->mapping;
	for (size_t i = last; i != NONE; i = chains->links[i].before) {
		effect = plan_effect_at(chains->plan, i);
		story.ended += effect->ended;
		story.held &= effect->held;
	}
	switch (effect->kind) {
	case CHANGE_ADD:
		break;
	case CHANGE_UPDATE:
		story.before = effect->before;
		break;
	case CHANGE_REMOVE:
		story.before = effect->mapping;
		break;
	}
	return story;
}

static bool is_told(const struct chains *chains, size_t i)
{
	struct story story;

	if (chains->links[i].after != NONE)
		return false;
	story = story_of(chains, i);
	/* what is nobody's change: what comes of it is told (gateway_hosts.c) */
	return !story.held && (story.before || story.after);
}

static enum event_kind kind_of(const struct story *story)
{
	if (!story->before)
		return EVENT_ADDED;
	if (story->after)
		return EVENT_CHANGED;
	return story->expired ? EVENT_EXPIRED : EVENT_REMOVED;
}

static void tell_story(struct events *events, const struct story *story,
		       struct buffer *buffer)
{
	const enum event_kind kind = kind_of(story);

	buffer->len = 0;
	buffer_put(buffer, "\"mapping\":");
	buffer_mapping(buffer, story->after ? story->after : story->before, NULL);
	if (kind == EVENT_CHANGED) {
		buffer_put(buffer, ",\"before\":");
		buffer_mapping(buffer, story->before, NULL);
	}
	buffer_printf(buffer, ",\"ended\":%" PRIu64, story->ended);
	if (buffer->failed)
		events_skip(events, 1);
	else
		events_put(events, kind, buffer->bytes, buffer->len);
}

static void tell_chains(struct events *events, const struct chains *chains)
{
	struct buffer buffer = { 0 };
	struct story story;
	size_t n = 0;

	for (size_t i = 0; i < plan_size(chains->plan); i++)
		n += is_told(chains, i);
	/* what would push itself out of the ring is not written */
	for (size_t i = 0; i < plan_size(chains->plan); i++) {
		if (!is_told(chains, i))
			continue;
		story = story_of(chains, i);
		if (n-- > EVENTS_MAX)
			events_skip(events, 1);
		else
			tell_story(events, &story, &buffer);
	}
	buffer_done(&buffer);
}

void events_tell_plan(struct events *events, const struct plan *plan)
{
	struct chains chains;

	if (!make_chains(plan, &chains)) {
		events_skip(events, plan_size(plan));
		return;
	}
	tell_chains(events, &chains);
	free(chains.order);
	free(chains.links);
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
