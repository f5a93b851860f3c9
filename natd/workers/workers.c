/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 *	            started              ended
 *	IDLE -> STARTING -> UP -> ENDING -> RESTING -> STARTING
 *
 * Two things tell of an end: the worker's socket, and the nursery. What comes first ends
 * the talk; only the nursery's word, that the process is gone, lets another be asked for.
 * What lies in the socket by then has been answered, and is handed on first.
 */

#include "natd/workers/workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/log.h"

#define USEC_PER_MSEC	 1000ULL
#define USEC_PER_SEC	 1000000ULL
#define BACKOFF_MIN_USEC (100 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC (30 * USEC_PER_SEC)
/* up for so long, and what comes is a new trouble */
#define STEADY_USEC (60 * USEC_PER_SEC)
/* messages taken in before the rest of the loop has its turn, and how often that is:
 * some hundreds a second are more than all routers together have to say */
#define BURST	   8
#define TURNS	   10
#define TURNS_USEC (100 * USEC_PER_MSEC)
/* of what nobody asked for: a worker is strict with a router, and natd with a worker */
#define UNASKED_BURST	   256
#define UNASKED_PER_SECOND 64
/* reports of the nursery, likewise */
#define REPORTS 32
/* more than fit into a socket's buffer */
#define QUEUE_MAX 1024

enum stage { IDLE, STARTING, UP, ENDING, RESTING };

/**
 * struct worker - of one role
 * @fd:       -1: none
 * @told:     what @state was told last
 * @asked:    ended because natd wanted it so
 * @fell:     the last one ended by itself
 * @backoff:  microseconds, of the next rest
 * @up_since: microseconds of CLOCK_MONOTONIC
 * @unasked:  messages that may still come unasked; more since @counted, microseconds
 */
struct worker {
	struct workers *workers;
	enum worker_role role;
	enum stage stage;
	bool wanted, told, asked, fell;
	int fd;
	sd_event_source *io, *rest;
	uint64_t backoff, up_since, unasked, counted;
	struct worker_status status;
};

struct workers {
	struct workers_parts parts;
	sd_event_source *reports; /* NULL: the nursery is gone */
	struct worker of[WORKER_ROLES];
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

static void hang_up(struct worker *w)
{
	w->io = sd_event_source_disable_unref(w->io);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void set_up(struct worker *w, bool up)
{
	const struct workers_parts *parts = &w->workers->parts;

	w->status.up = w->told = up;
	parts->state(parts->userdata, w->role, up);
}

/* ------------------------------------------------------------ start */

static void rest(struct worker *w);

static void say_unstarted(struct worker *w, int error)
{
	snprintf(w->status.end, sizeof(w->status.end), "could not be started: %s",
		 strerror(-error));
	w->status.ended_at = (uint64_t)time(NULL);
	log_warning("The %s worker %s.", worker_role_name(w->role), w->status.end);
}

static void begin(struct worker *w)
{
	int r;

	if (!w->workers->reports)
		return;
	r = nursery_ask(w->workers->parts.nursery, NURSERY_START, w->role);
	w->stage = STARTING;
	if (r == 0)
		return;
	say_unstarted(w, r);
	rest(w);
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
	begin(userdata);
	return 0;
}

/* Until the next start, where one is wanted. */
static void rest(struct worker *w)
{
	const uint64_t usec = w->backoff;
	int r;

	w->stage = IDLE;
	if (!w->wanted || !w->workers->reports)
		return;
	w->backoff = 2 * usec < BACKOFF_MAX_USEC ? 2 * usec : BACKOFF_MAX_USEC;
	r = sd_event_source_set_time_relative(w->rest, usec);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->rest, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("The %s worker stays down: %s.", worker_role_name(w->role),
			  strerror(-r));
	else
		w->stage = RESTING;
}

/* ------------------------------------------------------------ end */

/* Its process may be there, or not any more: the nursery will say. The socket stays open
 * until then, or the worker would end by itself first; unless nothing else tells it to.
 */
static void part(struct worker *w)
{
	w->io = sd_event_source_disable_unref(w->io);
	w->stage = ENDING;
	w->status.up = false;
	if (nursery_ask(w->workers->parts.nursery, NURSERY_STOP, w->role) < 0)
		hang_up(w);
}

static bool is_of(const struct worker *w, const struct worker_answer *answer)
{
	return answer->kind == ANSWER_JOB ? job_role(answer->job) == w->role
					  : w->role == WORKER_DATAGRAM;
}

static bool may_speak_unasked(struct worker *w)
{
	const uint64_t now = now_usec();
	const uint64_t gained = (now - w->counted) * UNASKED_PER_SECOND / USEC_PER_SEC;

	if (gained > 0) {
		w->unasked = gained < UNASKED_BURST - w->unasked ? w->unasked + gained
								 : UNASKED_BURST;
		w->counted = now;
	}
	if (w->unasked == 0)
		return false;
	w->unasked--;
	return true;
}

/* Return: 1: a message was taken in; 0: there is none; -EPIPE: no more will come. */
static int take_message(struct worker *w)
{
	const struct workers_parts *parts = &w->workers->parts;
	/* one byte more than an answer has: what is longer is seen to be */
	char packet[sizeof(struct worker_answer) + 1];
	struct worker_answer answer;
	ssize_t n;

	n = recv(w->fd, packet, sizeof(packet), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPIPE;
	if (!worker_answer_valid(packet, (size_t)n, &answer) || !is_of(w, &answer)) {
		log_warning("The %s worker says what cannot be read: it is ended.",
			    worker_role_name(w->role));
		return -EPIPE;
	}
	if (answer.kind == ANSWER_JOB || may_speak_unasked(w))
		parts->answer(parts->userdata, w->role, &answer);
	return 1;
}

static int on_message(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker *w = userdata;
	int r = 1;

	/* who is answered may want no more of it */
	for (int i = 0; i < BURST && r > 0 && w->stage == UP; i++)
		r = take_message(w);
	if (r < 0 && w->stage == UP) {
		part(w);
		set_up(w, false);
	}
	return 0;
}

/* The process is gone, by what the nursery says, or with the nursery. */
static void bury(struct worker *w)
{
	int r = 1;

	for (int i = 0; i < QUEUE_MAX && r > 0 && w->stage == UP; i++)
		r = take_message(w);
	hang_up(w);
	w->stage = IDLE;
	if (w->told)
		set_up(w, false);
	w->status.ended_at = (uint64_t)time(NULL);
	w->status.pid = 0;
	if (now_usec() - w->up_since >= STEADY_USEC)
		w->backoff = BACKOFF_MIN_USEC;
}

/* ------------------------------------------------------------ what the nursery says */

static int on_started(struct worker *w, pid_t pid, int fd)
{
	int r;

	if (w->stage != STARTING || !w->wanted)
		return -ECANCELED;
	r = sd_event_add_io(w->workers->parts.event, &w->io, fd, EPOLLIN, on_message, w);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(w->io, TURNS_USEC, TURNS);
	if (r < 0) {
		w->io = sd_event_source_disable_unref(w->io);
		return r;
	}
	w->fd = fd;
	w->stage = UP;
	w->up_since = w->counted = now_usec();
	w->unasked = UNASKED_BURST;
	w->status.pid = pid;
	w->status.restarts += w->fell;
	w->fell = w->asked = false;
	/* one that comes for each question is no news */
	log_line(w->role == WORKER_RESOLVER ? LOG_DEBUG : LOG_INFO,
		 "The %s worker is up (pid %d).", worker_role_name(w->role), pid);
	set_up(w, true);
	return 0;
}

static void hear_started(struct worker *w, const struct nursery_report *report, int fd)
{
	int r = on_started(w, report->pid, fd);

	if (r == 0)
		return;
	close(fd);
	(void)nursery_ask(w->workers->parts.nursery, NURSERY_STOP, w->role);
	if (w->stage != STARTING)
		return;
	/* not wanted any more, or we have no memory: its end is waited for */
	w->asked = r == -ECANCELED;
	w->up_since = now_usec();
	w->status.pid = report->pid;
	w->stage = ENDING;
}

static void hear_failed(struct worker *w, const struct nursery_report *report)
{
	if (w->stage != STARTING)
		return;
	say_unstarted(w, report->status);
	rest(w);
}

static void hear_ended(struct worker *w, const struct nursery_report *report)
{
	if ((w->stage != UP && w->stage != ENDING) || w->status.pid != report->pid)
		return;
	bury(w);
	if (w->asked) {
		w->backoff = BACKOFF_MIN_USEC;
	} else {
		w->fell = true;
		nursery_describe_end(report->status, w->status.end,
				     sizeof(w->status.end));
		log_warning("The %s worker ended: %s.", worker_role_name(w->role),
			    w->status.end);
	}
	rest(w);
}

static void lose_nursery(struct workers *workers)
{
	log_error("The nursery is gone: no worker can be started until natd is started "
		  "again. Forwards are not concerned.");
	workers->reports = sd_event_source_disable_unref(workers->reports);
	for (size_t i = 0; i < WORKER_ROLES; i++) {
		struct worker *w = &workers->of[i];

		sd_event_source_set_enabled(w->rest, SD_EVENT_OFF);
		if (w->stage == UP || w->stage == ENDING) {
			bury(w);
			snprintf(w->status.end, sizeof(w->status.end),
				 "ended with the nursery");
		}
		w->stage = IDLE;
	}
}

static void hear(struct workers *workers, const struct nursery_report *report, int fd)
{
	struct worker *w = &workers->of[report->role];

	switch ((enum nursery_report_kind)report->kind) {
	case NURSERY_STARTED:
		hear_started(w, report, fd);
		break;
	case NURSERY_FAILED:
		hear_failed(w, report);
		break;
	case NURSERY_ENDED:
		hear_ended(w, report);
		break;
	}
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct workers *workers = userdata;
	struct nursery_report report;
	int r, worker_fd;

	for (int i = 0; i < REPORTS; i++) {
		r = nursery_hear(workers->parts.nursery, &report, &worker_fd);
		if (r == 0)
			hear(workers, &report, worker_fd);
		else if (r == -EPROTO)
			log_warning("The nursery says what cannot be read.");
		else
			break;
	}
	if (r == -EPIPE)
		lose_nursery(workers);
	return 0;
}

/* ------------------------------------------------------------ to natd */

static int prepare(struct workers *workers)
{
	const struct workers_parts *parts = &workers->parts;
	int r = 0;

	for (uint32_t i = 0; i < WORKER_ROLES && r >= 0; i++) {
		struct worker *w = &workers->of[i];

		r = sd_event_add_time(parts->event, &w->rest, CLOCK_MONOTONIC, 0,
				      USEC_PER_MSEC, on_rested, w);
		if (r >= 0)
			r = sd_event_source_set_enabled(w->rest, SD_EVENT_OFF);
	}
	if (r >= 0 && parts->nursery->fd >= 0)
		r = sd_event_add_io(parts->event, &workers->reports, parts->nursery->fd,
				    EPOLLIN, on_report, workers);
	return r < 0 ? r : 0;
}

int workers_new(const struct workers_parts *parts, struct workers **ret)
{
	struct workers *workers;
	int r;

	workers = calloc(1, sizeof(*workers));
	if (!workers)
		return -ENOMEM;
	workers->parts = *parts;
	for (uint32_t i = 0; i < WORKER_ROLES; i++)
		workers->of[i] = (struct worker){
			.workers = workers,
			.role = i,
			.fd = -1,
			.backoff = BACKOFF_MIN_USEC,
		};
	r = prepare(workers);
	if (r < 0) {
		workers_free(workers);
		return r;
	}
	*ret = workers;
	return 0;
}

void workers_free(struct workers *workers)
{
	if (!workers)
		return;
	for (uint32_t i = 0; i < WORKER_ROLES; i++) {
		struct worker *w = &workers->of[i];

		if (w->stage == STARTING || w->stage == UP)
			(void)nursery_ask(workers->parts.nursery, NURSERY_STOP, i);
		hang_up(w);
		sd_event_source_disable_unref(w->rest);
	}
	sd_event_source_disable_unref(workers->reports);
	free(workers);
}

static void dismiss(struct worker *w)
{
	switch (w->stage) {
	case UP:
		w->asked = true;
		part(w);
		break;
	case RESTING:
		sd_event_source_set_enabled(w->rest, SD_EVENT_OFF);
		w->stage = IDLE;
		break;
	case IDLE:
	case STARTING: /* ended when it is there */
	case ENDING:
		break;
	}
}

void workers_want(struct workers *workers, enum worker_role role, bool wanted)
{
	struct worker *w = &workers->of[role];

	if (w->wanted == wanted)
		return;
	w->wanted = wanted;
	if (!wanted) {
		dismiss(w);
	} else if (w->stage == IDLE) {
		w->backoff = BACKOFF_MIN_USEC;
		begin(w);
	}
}

int workers_send(struct workers *workers, enum worker_role role,
		 const struct worker_job *job)
{
	struct worker *w = &workers->of[role];
	struct worker_job copy;

	if (!worker_job_valid(job, sizeof(*job), &copy) || job_role(copy.kind) != role)
		return -EINVAL;
	if (w->stage != UP)
		return -ENOTCONN;
	if (send(w->fd, job, sizeof(*job), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? -EAGAIN
								      : -ENOTCONN;
}

void workers_status(const struct workers *workers, enum worker_role role,
		    struct worker_status *ret)
{
	*ret = workers->of[role].status;
}

bool workers_nursery_lives(const struct workers *workers)
{
	return workers->reports != NULL;
}
