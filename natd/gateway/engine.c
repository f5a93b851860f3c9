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

#include "natd/gateway/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/kill_point.h"
#include "natd/common/log.h"
#include "natd/gateway/engine_private.h"

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
	r = endings_open(e);
	if (r < 0) {
		engine_free(e);
		return r;
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
 * The requests are freed; their plan lives on with the caller. Connections that they made
 * stale may go on where that is pending: without memory nobody knows whose.
 */
static void answer_plan(const struct turn *turn, const struct plan *plan)
{
	struct tally *tallies;

	tallies = calloc(turn->n + 1, sizeof(*tallies));
	for (size_t i = 0; tallies && turn->n && i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		tallies[effect->request].effects++;
		tallies[effect->request].ended += effect->ended;
	}
	for (size_t i = 0; i < turn->n; i++) {
		const struct answer answer = {
			.plan = plan,
			.changes = &turn->requests[i]->list,
			.request = i,
			.ended = tallies ? tallies[i].ended : 0,
			.pending = turn->pending && (!tallies || tallies[i].effects),
		};

		turn->requests[i]->done(turn->requests[i]->userdata, &answer);
		request_free(turn->requests[i]);
	}
	free(tallies);
}

void engine_finish(struct engine *e, struct turn *turn)
{
	if (plan_size(turn->plan)) {
		KILL_POINT(KILL_ENDED);
		if (e->parts.committed)
			e->parts.committed(e->parts.userdata, turn->plan);
	}
	answer_plan(turn, turn->plan);
	KILL_POINT(KILL_ANSWERED);
	plan_free(turn->plan);
	free(turn->requests);
	*turn = (struct turn){ 0 };
	if (e->first && e->turn)
		sd_event_source_set_enabled(e->turn, SD_EVENT_ONESHOT);
}

void engine_free(struct engine *e)
{
	struct problem stopping;

	if (!e)
		return;
	endings_close(e);
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

/* Takes the turn over; it is finished now or later. */
static void commit(struct engine *e, struct turn *turn)
{
	KILL_POINT(KILL_STORE_COMMITTED);
	table_commit(e->parts.table, turn->plan);
	KILL_POINT(KILL_TABLE_COMMITTED);
	endings_begin(e, turn);
}

/* The store can be read again: what became of the commit whose outcome was unknown? */
static void decide(struct engine *e)
{
	struct turn turn = { .plan = TAKE(e->undecided) };
	bool happened = store_sequence(e->parts.store) == e->undecided_sequence;

	log_notice(
		"The store can be read again: the change whose outcome was unknown %s.",
		happened ? "happened" : "did not happen");
	if (happened)
		commit(e, &turn);
	else
		plan_free(turn.plan);
	take_kernel_back(e);
	if (e->parts.decided)
		e->parts.decided(e->parts.userdata);
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
	const size_t elements = plan_slots(plan);

	if (elements <= RULESET_ELEMENTS_MAX)
		return 0;
	problem_set(why, VERDICT_TOO_LARGE, "Ask for it in several requests.",
		    "The request asks for %zu ports; one transaction holds %d.", elements,
		    RULESET_ELEMENTS_MAX);
	return -EREMOTEIO;
}

static int stage(struct engine *e, struct request **requests, size_t n, struct plan **ret)
{
	struct change_list *lists;
	struct conditions at;
	uint8_t listeners = 0;
	int r;

	lists = calloc(n, sizeof(*lists));
	if (!lists)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		lists[i] = requests[i]->list;
		for (size_t k = 0; k < lists[i].n; k++)
			listeners |= change_takes_ports(&lists[i].changes[k]);
	}
	e->parts.conditions(e->parts.userdata, listeners, &at);
	r = table_stage(e->parts.table, lists, n, &at, ret);
	free(lists);
	return r;
}

/*
 * Return: 0, and all requests are answered and freed, or will be, and @requests is taken
 * over; else the fault in @why, and nothing is.
 */
static int serve(struct engine *e, struct request **requests, size_t n,
		 struct problem *why)
{
	CLEANUP(plan_free) struct plan *plan = NULL;
	struct turn turn = { .requests = requests, .n = n };
	int r;

	r = stage(e, requests, n, &plan);
	if (r < 0)
		return r;
	/* one alone is not tried again; a long one would be in memory twice */
	if (n == 1 && !plan_refused(plan, 0))
		change_list_forget(&requests[0]->list);
	if (!plan_size(plan)) {
		turn.plan = TAKE(plan);
		engine_finish(e, &turn);
		return 0;
	}
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
	turn.plan = TAKE(plan);
	commit(e, &turn);
	return 0;
}

static int serve_alone(struct engine *e, struct request *request, struct problem *why)
{
	struct request **one = malloc(sizeof(*one));
	int r = -ENOMEM;

	if (one) {
		*one = request;
		r = serve(e, one, 1, why);
	}
	if (r < 0)
		free(one);
	return r;
}

/* Return: false: it is to wait, since connections of one before it are being ended */
static bool serve_one(struct engine *e, struct request *request)
{
	struct problem why;

	if (endings_are_open(e))
		return false;
	problem_set(&why, VERDICT_FAULT, "Try again; natd's log says more.",
		    "There is no memory. Nothing has changed.");
	if (e->undecided)
		problem_set(
			&why, VERDICT_BUSY, "Mend the disk that holds natd's state.",
			"The store cannot be read; no changes are taken until it can.");
	else if (serve_alone(e, request, &why) == 0)
		return true;
	log_debug("A request failed: %s", why.detail);
	answer_fault(request, &why);
	return true;
}

/* To the head of the queue, in their order. */
static void put_back(struct engine *e, struct request **requests, size_t n)
{
	for (; n > 0; n--) {
		requests[n - 1]->next = e->first;
		if (!e->first)
			e->last = &requests[n - 1]->next;
		e->first = requests[n - 1];
	}
}

/*
 * All at once; where the kernel refuses the whole, or it is too large, one by one, so
 * that one request's fault is not another's. Takes @requests over.
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
		if (r != -EREMOTEIO) {
			answer_fault(requests[i], &why);
		} else if (!serve_one(e, requests[i])) {
			put_back(e, requests + i, n - i);
			break;
		}
	}
	free(requests);
}

static struct request *take_first(struct engine *e)
{
	struct request *first = e->first;

	e->first = first->next;
	if (!e->first)
		e->last = &e->first;
	return first;
}

static void serve_waiting(struct engine *e)
{
	struct request **requests, *request;
	size_t n = 0;

	for (request = e->first; request; request = request->next)
		n++;
	requests = n ? calloc(n, sizeof(*requests)) : NULL;
	if (requests) {
		for (size_t i = 0; i < n; i++)
			requests[i] = take_first(e);
		serve_all(e, requests, n);
		return;
	}
	while (e->first && !endings_are_open(e))
		(void)serve_one(e, take_first(e));
}

void engine_turn(struct engine *e)
{
	if (endings_are_open(e))
		return;
	if (e->undecided && store_reopen(e->parts.store) == 0)
		decide(e);
	if (!endings_are_open(e))
		serve_waiting(e);
}
