/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/gateway/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/cleanup.h"
#include "natd/common/kill_point.h"
#include "natd/common/log.h"
#include "natd/gateway/engine.h"

/* rows that nobody waits for */
#define LAZY_MS 1000
/* after the store refused; or is not to be written to, and nobody has said that it may */
#define RETRY_MS 5000
/* jobs, events and rows of one turn: the loop serves others */
#define JOBS_MAX   64
#define EVENTS_MAX 256
#define ROWS_MAX   512

/**
 * struct uplink
 * @turn:       what is to be done in the next turn of the loop
 * @timer:      at upstream_due(), @save_at or @retry_at
 * @save_at:    when lazy rows are written; 0 = none wait
 * @blocked_to: the store is not tried before; 0 = it may be
 * @resolving:  serial of what the resolver was asked last; answered, it is dismissed, so
 *              that the next one reads /etc/resolv.conf as it is then
 * @unnamed:    that the server is not known was said, and why; NULL: not
 * @refused_kinds: of jobs that no worker takes: bits of enum worker_job_kind
 */
struct uplink {
	struct uplink_parts parts;
	struct upstream *upstream;
	struct workers *workers;
	sd_event_source *turn, *timer;
	bool begun;
	uint64_t save_at, blocked_to;
	uint32_t refused_kinds;
	uint64_t resolving;
	const char *unnamed;
	struct store_upstream_change *rows;
	size_t n_rows, room;
	char problem[192];
};

DEFINE_CLEANUP(uplink_free, struct uplink *)

uint64_t uplink_now(const struct uplink *uplink)
{
	return lease_clock_now(uplink->parts.clock);
}

struct upstream *uplink_upstream(struct uplink *uplink)
{
	return uplink->upstream;
}

const struct workers *uplink_workers(const struct uplink *uplink)
{
	return uplink->workers;
}

bool uplink_saved(const struct uplink *uplink)
{
	int turn = SD_EVENT_OFF;

	sd_event_source_get_enabled(uplink->turn, &turn);
	return turn == SD_EVENT_OFF && !uplink->save_at && !uplink->blocked_to;
}

const char *uplink_problem(const struct uplink *uplink)
{
	if (!workers_nursery_lives(uplink->workers))
		return "The process that starts natd's workers is gone: no router can be "
		       "asked. Start natd again; the forwards stay meanwhile.";
	return uplink->problem;
}

void uplink_kick(struct uplink *uplink)
{
	if (uplink->begun)
		sd_event_source_set_enabled(uplink->turn, SD_EVENT_ONESHOT);
}

void uplink_go_on(struct uplink *uplink)
{
	uplink->blocked_to = 0;
	uplink_kick(uplink);
}

/* ------------------------------------------------------------ rows */

static int keep_row(struct uplink *uplink, const struct upstream_row *row, bool gone)
{
	struct store_upstream_change *more;

	if (uplink->n_rows == uplink->room) {
		size_t room = uplink->room ? 2 * uplink->room : 16;

		more = reallocarray(uplink->rows, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		uplink->rows = more;
		uplink->room = room;
	}
	uplink->rows[uplink->n_rows++] = (struct store_upstream_change){
		.row = *row,
		.gone = gone,
	};
	return 0;
}

/* Return: 0; 1: some of them are waited for, or there are more; -ENOMEM */
static int collect_rows(struct uplink *uplink)
{
	struct upstream_row row;
	bool gone;
	int r;

	uplink->n_rows = 0;
	upstream_rows_anew(uplink->upstream);
	while (uplink->n_rows < ROWS_MAX &&
	       upstream_next_row(uplink->upstream, &row, &gone)) {
		r = keep_row(uplink, &row, gone);
		if (r < 0)
			return r;
	}
	return upstream_waits_for_rows(uplink->upstream) || uplink->n_rows == ROWS_MAX;
}

static void complain(struct uplink *uplink, int error)
{
	char text[sizeof(uplink->problem)];

	snprintf(text, sizeof(text),
		 "What is asked of the router above us cannot be noted in the store: %s. "
		 "Nothing new is asked for until it can.",
		 strerror(-error));
	if (strcmp(text, uplink->problem))
		log_error("%s", text);
	memcpy(uplink->problem, text, sizeof(text));
}

static void write_rows(struct uplink *uplink, uint64_t now)
{
	int r;

	if (!uplink->parts.may_write(uplink->parts.userdata)) {
		uplink->blocked_to = now + RETRY_MS;
		return;
	}
	KILL_POINT(KILL_UPSTREAM_ROWS);
	r = store_put_upstream(uplink->parts.store, uplink->rows, uplink->n_rows);
	if (r < 0) {
		complain(uplink, r);
		uplink->blocked_to = now + RETRY_MS;
		return;
	}
	KILL_POINT(KILL_UPSTREAM_SAVED);
	uplink->problem[0] = 0;
	uplink->save_at = 0;
	upstream_rows_saved(uplink->upstream, now);
	if (uplink->n_rows == ROWS_MAX)
		uplink_kick(uplink);
}

static void save_rows(struct uplink *uplink, uint64_t now)
{
	int urgent;

	if (uplink->blocked_to > now)
		return;
	uplink->blocked_to = 0;
	urgent = collect_rows(uplink);
	if (urgent < 0) {
		complain(uplink, urgent);
		uplink->blocked_to = now + RETRY_MS;
	} else if (!uplink->n_rows) {
		uplink->problem[0] = 0;
		uplink->save_at = 0;
	} else if (urgent || (uplink->save_at && uplink->save_at <= now)) {
		write_rows(uplink, now);
	} else if (!uplink->save_at) {
		uplink->save_at = now + LAZY_MS;
	}
}

/* ------------------------------------------------------------ jobs */

/* A fault of natd's own: said once for each kind, and an answer like any other. */
static void refuse_job(struct uplink *uplink, const struct worker_job *job, uint64_t now)
{
	const struct worker_answer answer = {
		.serial = job->serial,
		.kind = ANSWER_JOB,
		.job = job->kind,
		.result = -EINVAL,
		.ifindex = job->ifindex,
		.router = job->router,
	};
	char router[INET6_ADDRSTRLEN];

	if (!(uplink->refused_kinds & 1u << job->kind))
		log_error("A question to router %s is none that a worker takes (kind "
			  "%u): it is not asked.",
			  address_format(&job->router, router), job->kind);
	uplink->refused_kinds |= 1u << job->kind;
	upstream_answer(uplink->upstream, &answer, now);
}

/* A worker is started when there is something for it to do. */
static void send_jobs(struct uplink *uplink, enum worker_role role, uint64_t now)
{
	struct worker_job job;
	int r;

	for (int i = 0; i < JOBS_MAX; i++) {
		if (!upstream_next_job(uplink->upstream, role, now, &job))
			return;
		workers_want(uplink->workers, role, true);
		r = workers_send(uplink->workers, role, &job);
		if (r == -EINVAL) {
			refuse_job(uplink, &job, now);
			continue;
		}
		if (r < 0) {
			upstream_unsent(uplink->upstream, job.serial, now);
			return;
		}
		if (role == WORKER_RESOLVER)
			uplink->resolving = job.serial;
		KILL_POINT(KILL_UPSTREAM_ASKED);
	}
}

static void on_worker_answer(void *userdata, enum worker_role role,
			     const struct worker_answer *answer)
{
	struct uplink *uplink = userdata;

	upstream_answer(uplink->upstream, answer, uplink_now(uplink));
	if (role == WORKER_RESOLVER && answer->serial == uplink->resolving)
		workers_want(uplink->workers, role, false);
	KILL_POINT(KILL_UPSTREAM_TOLD);
	uplink_kick(uplink);
}

static void on_worker_state(void *userdata, enum worker_role role, bool up)
{
	struct uplink *uplink = userdata;

	if (!up)
		upstream_worker_gone(uplink->upstream, role, uplink_now(uplink));
	if (!up && role == WORKER_RESOLVER)
		workers_want(uplink->workers, role, false);
	uplink_kick(uplink);
}

/* ------------------------------------------------------------ turns */

/* That a mapping is held is on disk soon: whoever starts then has to find by what. */
static void save_now(struct uplink *uplink, uint64_t now)
{
	if (!uplink->save_at)
		return;
	uplink->save_at = now;
	save_rows(uplink, now);
}

static void tell_events(struct uplink *uplink, uint64_t now)
{
	struct upstream_event event;

	for (int i = 0; i < EVENTS_MAX; i++) {
		if (!upstream_next_event(uplink->upstream, &event))
			return;
		if (event.kind == UPSTREAM_EVENT_HELD && event.held)
			save_now(uplink, now);
		uplink->parts.happened(uplink->parts.userdata, &event);
	}
	uplink_kick(uplink);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return b && b < a ? b : a;
}

static void rearm(struct uplink *uplink)
{
	const uint64_t now = uplink_now(uplink); /* turns take their time */
	uint64_t due = upstream_due(uplink->upstream);

	/* while the store is not tried, rows that wait are not due */
	due = earlier(due, uplink->blocked_to ? uplink->blocked_to : uplink->save_at);
	if (due == UINT64_MAX) {
		sd_event_source_set_enabled(uplink->timer, SD_EVENT_OFF);
		return;
	}
	/* not in this very turn: what is due and cannot be done now would keep the loop
	 * from all else */
	if (due <= now)
		due = now + 1;
	sd_event_source_set_time(uplink->timer,
				 lease_clock_boottime(uplink->parts.clock, due));
	sd_event_source_set_enabled(uplink->timer, SD_EVENT_ONESHOT);
}

/* Phrases of upstream_server_view() are compared by where they stand. */
static void tell_server(struct uplink *uplink)
{
	struct upstream_server_view view;

	if (!upstream_server_view(uplink->upstream, &view))
		view.problem = NULL;
	if (view.problem == uplink->unnamed)
		return;
	if (view.problem)
		log_warning("The STUN server's name: %s.", view.problem);
	else if (view.n)
		log_info("The STUN server's name is known.");
	uplink->unnamed = view.problem;
}

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct uplink *uplink = userdata;
	uint64_t now = uplink_now(uplink);

	upstream_tick(uplink->upstream, now);
	save_rows(uplink, now);
	for (int role = 0; role < WORKER_ROLES; role++)
		send_jobs(uplink, (enum worker_role)role, now);
	tell_events(uplink, now);
	tell_server(uplink);
	rearm(uplink);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	uplink_kick(userdata);
	return 0;
}

void uplink_begin(struct uplink *uplink)
{
	uplink->begun = true;
	upstream_begin(uplink->upstream, uplink_now(uplink));
	uplink_kick(uplink);
}

/* ------------------------------------------------------------ making and ending */

/* Nonces that somebody could guess would let him take mappings away: no fallback. */
static void random_bytes(void *buf, size_t n)
{
	if (getrandom(buf, n, 0) != (ssize_t)n) {
		log_error("The kernel gives no random numbers: %s.", strerror(errno));
		abort();
	}
}

static void on_row(void *userdata, const struct upstream_row *row)
{
	struct uplink *uplink = userdata;
	const char *flaw = upstream_row_flaw(row);
	int r;

	r = upstream_restore(uplink->upstream, row);
	if (r < 0)
		log_warning(
			"What was asked of the router above us is not known any more, "
			"row %llu: %s.",
			(unsigned long long)row->id, flaw ? flaw : strerror(-r));
}

static int restore(struct uplink *uplink)
{
	int r;

	r = store_upstream(uplink->parts.store, on_row, uplink);
	if (r == -EUCLEAN) {
		log_warning(
			"Some of what was asked of the router above us cannot be read "
			"in the store: it ends there when its lifetime is over.");
		return 0;
	}
	return r;
}

static int make_sources(struct uplink *uplink)
{
	sd_event *event = uplink->parts.event;
	int r;

	/* A timer that is always due, not a deferred source: that one, when it goes on by
	 * itself, is for ever the first of its priority, and keeps all others from their
	 * turn. */
	r = sd_event_add_time(event, &uplink->turn, CLOCK_MONOTONIC, 0, 1, on_turn,
			      uplink);
	if (r >= 0)
		r = sd_event_source_set_priority(uplink->turn, ENGINE_PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_enabled(uplink->turn, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &uplink->timer, CLOCK_BOOTTIME, 0, 1000,
				      on_timer, uplink);
	if (r >= 0)
		r = sd_event_source_set_enabled(uplink->timer, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

int uplink_new(const struct uplink_parts *parts, const struct upstream_options *options,
	       struct uplink **ret)
{
	CLEANUP(uplink_free) struct uplink *uplink = calloc(1, sizeof(*uplink));
	struct workers_parts workers = {
		.event = parts->event,
		.nursery = parts->nursery,
		.answer = on_worker_answer,
		.state = on_worker_state,
		.userdata = uplink,
	};
	int r;

	if (!uplink)
		return -ENOMEM;
	uplink->parts = *parts;
	r = upstream_new(options, random_bytes, &uplink->upstream);
	if (r == 0)
		r = make_sources(uplink);
	if (r == 0)
		r = workers_new(&workers, &uplink->workers);
	if (r == 0)
		r = restore(uplink);
	if (r < 0)
		return r;
	*ret = TAKE(uplink);
	return 0;
}

/* What is lazy would be said wrong by the next natd until the router was asked. */
static void save_the_rest(struct uplink *uplink)
{
	const uint64_t now = uplink_now(uplink);

	do {
		uplink->blocked_to = 0;
		uplink->save_at = now;
		save_rows(uplink, now);
	} while (uplink->n_rows == ROWS_MAX && !uplink->blocked_to);
}

void uplink_free(struct uplink *uplink)
{
	if (!uplink)
		return;
	if (uplink->begun)
		save_the_rest(uplink);
	sd_event_source_disable_unref(uplink->turn);
	sd_event_source_disable_unref(uplink->timer);
	workers_free(uplink->workers);
	upstream_free(uplink->upstream);
	free(uplink->rows);
	free(uplink);
}
