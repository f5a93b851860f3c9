/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * Requests queue up while the loop reads what clients sent; that reads from all clients
 * at once, so that one turn serves all that has come. Everything up to the store's commit
 * may say no, and then nothing has changed anywhere. Nothing after it can.
 *
 * A commit that fails is neither yes nor no. The store is opened again and its sequence
 * number read: that decides. Where it cannot be read, the plan stays open, the kernel is
 * taken back to what the table says, and no change is taken until the store can be read;
 * every turn tries.
 */

#include "natd/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/ending.h"
#include "natd/kill_point.h"
#include "natd/log.h"

struct request {
	struct request *next;
	struct change_list list;
	engine_answer done;
	void *userdata;
};

struct engine {
	struct engine_parts parts;
	sd_event_source *turn;
	struct request *first, **last;
	struct plan *undecided; /* its commit's outcome is unknown */
	uint64_t undecided_sequence;
	bool strayed; /* the kernel holds what was taken back, and could not be told */
};

DEFINE_CLEANUP(plan_free, struct plan *)

static int on_turn(sd_event_source *source, void *userdata)
{
	engine_turn(userdata);
	return 0;
}

int engine_new(const struct engine_parts *parts, struct engine **ret)
{
	struct engine *e;
	int r;

	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->parts = *parts;
	e->last = &e->first;
	if (parts->event) {
		r = sd_event_add_defer(parts->event, &e->turn, on_turn, e);
		if (r >= 0)
			r = sd_event_source_set_priority(e->turn, ENGINE_PRIORITY);
		if (r >= 0)
			r = sd_event_source_set_enabled(e->turn, SD_EVENT_OFF);
		if (r < 0) {
			engine_free(e);
			return r;
		}
	}
	*ret = e;
	return 0;
}

static void request_free(struct request *request)
{
	change_list_done(&request->list);
	free(request);
}

static void answer_fault(struct request *request, const struct problem *problem)
{
	const struct answer answer = { .problem = problem };

	request->done(request->userdata, &answer);
	request_free(request);
}

/* of one request */
struct tally {
	size_t effects, ended;
};

/*
 * The requests are freed; their plan lives on with the caller. @pending: connections that
 * it made stale may go on. Without memory nobody knows whose.
 */
static void answer_plan(struct request **requests, size_t n, const struct plan *plan,
			bool pending)
{
	struct tally *tallies;

	tallies = calloc(n, sizeof(*tallies));
	for (size_t i = 0; tallies && i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		tallies[effect->request].effects++;
		tallies[effect->request].ended += effect->ended;
	}
	for (size_t i = 0; i < n; i++) {
		const struct answer answer = {
			.plan = plan,
			.changes = &requests[i]->list,
			.request = i,
			.ended = tallies ? tallies[i].ended : 0,
			.pending = pending && (!tallies || tallies[i].effects),
		};

		requests[i]->done(requests[i]->userdata, &answer);
		request_free(requests[i]);
	}
	free(tallies);
}

void engine_free(struct engine *e)
{
	struct problem stopping;

	if (!e)
		return;
	problem_set(&stopping, VERDICT_FAULT, "Ask again when natd runs.",
		    "natd is stopping; nothing has changed.");
	while (e->first) {
		struct request *request = e->first;

		e->first = request->next;
		answer_fault(request, &stopping);
	}
	plan_free(e->undecided);
	sd_event_source_unref(e->turn);
	free(e);
}

int engine_submit(struct engine *e, struct change_list *list, engine_answer done,
		  void *userdata)
{
	struct request *request;

	request = calloc(1, sizeof(*request));
	if (!request) {
		change_list_done(list);
		return -ENOMEM;
	}
	request->list = *list;
	*list = (struct change_list){ 0 };
	request->done = done;
	request->userdata = userdata;
	*e->last = request;
	e->last = &request->next;
	/* A defer source of ours can always be switched on. */
	if (e->turn)
		sd_event_source_set_enabled(e->turn, SD_EVENT_ONESHOT);
	return 0;
}

bool engine_is_stuck(const struct engine *e)
{
	return e->undecided;
}

static int add_keys(struct ending *ending, struct plan *plan)
{
	int r = 0;

	for (size_t i = 0; i < plan_size(plan) && r == 0; i++) {
		struct effect *effect = plan_effect(plan, i);

		ending->additions &= effect->kind == CHANGE_ADD;
		r = ending_add(ending, effect->mapping->protocol,
			       &effect->mapping->external, &effect->ended);
	}
	return r;
}

/* What could not be ended with an earlier change is tried again with this one. */
static void end_connections(struct engine *e, struct plan *plan)
{
	bool owed = e->parts.endings_owed;
	struct ending ending = { .additions = !owed };
	size_t ended;
	int r;

	r = add_keys(&ending, plan);
	if (r == 0 && owed)
		r = ending_add_owed(&ending, e->parts.store);
	if (r == 0)
		r = ending_run(&ending, &e->parts, owed, &ended);
	e->parts.endings_owed = r < 0;
	if (r == 0)
		store_endings_done(e->parts.store);
	else
		log_warning(
			"Connections of changed mappings may go on: %s. It is tried again "
			"with the next change, and by natctl resync.",
			strerror(-r));
	ending_done(&ending);
}

static void take_kernel_back(struct engine *e)
{
	struct ruleset_fault why = { "" };
	int r;

	r = e->parts.resync(e->parts.userdata, &why);
	e->strayed = r < 0;
	if (r < 0)
		log_error(
			"The kernel's table could not be taken back: %s (%s). It is tried "
			"again with the next change.",
			why.text, strerror(-r));
}

static void commit(struct engine *e, struct plan *plan)
{
	KILL_POINT(KILL_STORE_COMMITTED);
	table_commit(e->parts.table, plan);
	KILL_POINT(KILL_TABLE_COMMITTED);
	end_connections(e, plan);
	KILL_POINT(KILL_ENDED);
	if (e->parts.committed)
		e->parts.committed(e->parts.userdata, plan);
}

/* The store can be read again: what became of the commit whose outcome was unknown? */
static void decide(struct engine *e)
{
	struct plan *plan = TAKE(e->undecided);
	bool happened = store_sequence(e->parts.store) == e->undecided_sequence;

	log_notice(
		"The store can be read again: the change whose outcome was unknown %s.",
		happened ? "happened" : "did not happen");
	if (happened)
		commit(e, plan);
	plan_free(plan);
	take_kernel_back(e);
}

/* Return: 0 when it happened, -EIO when it did not, -EINPROGRESS when nobody knows. */
static int find_out(struct engine *e, uint64_t sequence)
{
	int r;

	r = store_reopen(e->parts.store);
	if (r < 0) {
		log_error(
			"The store failed in a commit and cannot be read: %s. Changes are "
			"refused until it can.",
			strerror(-r));
		return -EINPROGRESS;
	}
	return store_sequence(e->parts.store) == sequence ? 0 : -EIO;
}

static int apply(struct engine *e, const struct plan *plan, uint64_t sequence,
		 struct ruleset_fault *why)
{
	int r = -ESTALE;

	if (!e->strayed)
		r = ruleset_apply(e->parts.ruleset, plan, sequence, why);
	if (r != -ESTALE)
		return r;
	r = e->parts.resync(e->parts.userdata, why);
	if (r < 0)
		return r;
	e->strayed = false;
	return ruleset_apply(e->parts.ruleset, plan, sequence, why);
}

static int fault_of_store(int r, struct problem *why)
{
	const char *cure = "Look into natd's log.";

	if (r == -ENOSPC)
		cure = "Make room on the file system that holds natd's state.";
	else if (r == -EROFS)
		cure = "Make the file system that holds natd's state writable.";
	else if (r == -EBUSY)
		cure = "Another program has natd.db locked; let it end.";
	else if (r == -ENOENT)
		cure = "natd.db was moved or deleted while natd runs: put it back, or stop "
		       "natd and let natd --recover make a new one.";
	problem_set(why, VERDICT_FAULT, cure,
		    "The store refused: %s. Nothing has changed.", strerror(-r));
	return r;
}

static int fault_of_kernel(int r, const struct ruleset_fault *fault, struct problem *why)
{
	problem_set(
		why, VERDICT_FAULT,
		"natctl resync compares the kernel with the table; natd's log says more.",
		"The kernel refused: %s. Nothing has changed.",
		fault->text[0] ? fault->text : strerror(-r));
	return r;
}

static int leave_undecided(struct engine *e, struct plan *plan, uint64_t sequence,
			   struct problem *why)
{
	e->undecided = plan;
	e->undecided_sequence = sequence;
	take_kernel_back(e);
	problem_set(
		why, VERDICT_UNKNOWN, "Mend the disk; then natctl list tells.",
		"The store failed while it wrote and cannot be read: whether the change "
		"happened will be known when it can.");
	return -EINPROGRESS;
}

/*
 * From the store's transaction to its commit. Takes the plan over when the outcome is
 * unknown. -EREMOTEIO stands for "the kernel refused", whatever it said.
 */
static int make_durable(struct engine *e, struct plan **plan, struct problem *why)
{
	uint64_t sequence = store_sequence(e->parts.store) + 1;
	struct ruleset_fault fault = { "" };
	int r;

	r = store_begin(e->parts.store, *plan, table_next_id(e->parts.table));
	if (r < 0)
		return fault_of_store(r, why);
	KILL_POINT(KILL_STORE_BEGUN);
	r = apply(e, *plan, sequence, &fault);
	if (r < 0) {
		store_rollback(e->parts.store);
		fault_of_kernel(r, &fault, why);
		return -EREMOTEIO;
	}
	KILL_POINT(KILL_KERNEL_APPLIED);
	r = store_commit(e->parts.store);
	if (r == 0)
		return 0;
	log_error("The store's commit failed: %s.", strerror(-r));
	fault_of_store(r, why);
	r = find_out(e, sequence);
	if (r == -EINPROGRESS)
		return leave_undecided(e, TAKE(*plan), sequence, why);
	return r;
}

static int check_size(const struct plan *plan, struct problem *why)
{
	if (plan_size(plan) <= RULESET_ELEMENTS_MAX)
		return 0;
	problem_set(why, VERDICT_TOO_LARGE, "Ask for it in several requests.",
		    "The request makes %zu changes; one transaction holds %d.",
		    plan_size(plan), RULESET_ELEMENTS_MAX);
	return -EREMOTEIO;
}

/*
 * Return: 0, and all requests are answered and freed; else the fault in @why, and none.
 */
static int serve(struct engine *e, struct request **requests, size_t n,
		 struct problem *why)
{
	CLEANUP(plan_free) struct plan *plan = NULL;
	struct change_list *lists;
	int r;

	lists = calloc(n, sizeof(*lists));
	if (!lists)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		lists[i] = requests[i]->list;
	r = table_stage(e->parts.table, lists, n, &plan);
	free(lists);
	if (r < 0)
		return r;
	if (plan_size(plan)) {
		KILL_POINT(KILL_STAGED);
		r = check_size(plan, why);
		if (r == 0)
			r = make_durable(e, &plan, why);
		if (r == -EIO) {
			plan_free(TAKE(plan));
			take_kernel_back(e);
		}
		if (r < 0)
			return r;
		commit(e, plan);
	}
	answer_plan(requests, n, plan, plan_size(plan) && e->parts.endings_owed);
	KILL_POINT(KILL_ANSWERED);
	return 0;
}

static void serve_one(struct engine *e, struct request *request)
{
	struct problem why;

	problem_set(&why, VERDICT_FAULT, "Try again; natd's log says more.",
		    "There is no memory. Nothing has changed.");
	if (e->undecided)
		problem_set(
			&why, VERDICT_BUSY, "Mend the disk that holds natd's state.",
			"The store cannot be read; no changes are taken until it can.");
	else if (serve(e, &request, 1, &why) == 0)
		return;
	log_debug("A request failed: %s", why.detail);
	answer_fault(request, &why);
}

/*
 * All at once; where the kernel refuses the whole, or it is too large, one by one, so
 * that one request's fault is not another's.
 */
static void serve_all(struct engine *e, struct request **requests, size_t n)
{
	struct problem why;
	int r;

	problem_set(&why, VERDICT_FAULT, "Try again; natd's log says more.",
		    "There is no memory. Nothing has changed.");
	r = n > 1 && !e->undecided ? serve(e, requests, n, &why) : -EREMOTEIO;
	if (r == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (r == -EREMOTEIO)
			serve_one(e, requests[i]);
		else
			answer_fault(requests[i], &why);
	}
}

static struct request *take_all(struct engine *e)
{
	struct request *first = TAKE(e->first);

	e->last = &e->first;
	return first;
}

void engine_turn(struct engine *e)
{
	struct request **requests, *request;
	size_t n = 0;

	if (e->undecided && store_reopen(e->parts.store) == 0)
		decide(e);
	for (request = e->first; request; request = request->next)
		n++;
	if (!n)
		return;
	requests = calloc(n, sizeof(*requests));
	n = 0;
	for (struct request *next, *at = take_all(e); at; at = next) {
		next = at->next;
		if (requests)
			requests[n++] = at;
		else
			serve_one(e, at);
	}
	if (requests)
		serve_all(e, requests, n);
	free(requests);
}
