/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * workers - natd's side of them: started, restarted with backoff, talked to
 *
 * Never waits: what cannot be sent now is refused, what comes is handed on from the loop.
 * Of each worker some hundred messages a second are taken in, and of those that nobody
 * asked for 64: more than an honest one has to say. The rest of these is dropped.
 */

#include <systemd/sd-event.h>

#include "natd/workers/nursery.h"

struct workers;

/** struct worker_status - for GET /v1/status
 * @up:       started, and talking
 * @restarts: how often it was started again
 * @ended_at: seconds since 1970 of the last end, 0 = never
 * @end:      how it ended: "killed by signal 9 (Killed)", "exit status 1", "could not be
 *            started: ..."; "" = never
 */
struct worker_status {
	bool up;
	pid_t pid;
	uint64_t restarts;
	uint64_t ended_at;
	char end[96];
};

/** struct workers_parts - all borrowed until workers_free(); called from the loop
 * @answer: a message that worker_answer_valid() takes, from @role
 * @state:  a worker is up, or is gone with whatever it had been asked; in turns
 */
struct workers_parts {
	sd_event *event;
	const struct nursery *nursery;
	void (*answer)(void *userdata, enum worker_role role,
		       const struct worker_answer *answer);
	void (*state)(void *userdata, enum worker_role role, bool up);
	void *userdata;
};

/** workers_new() - Return: 0, -ENOMEM, what sd-event said. Starts nobody */
int workers_new(const struct workers_parts *parts, struct workers **ret);
void workers_free(struct workers *workers); /* NULL is fine; the workers end */

/** workers_want() - from now on @role is to be up (or not): it is started, and started
 * again 100 ms after its end, doubling to 30 s, and 100 ms again once it was up for a
 * minute. An unreadable message is an end, too: the worker is killed. So is one that is
 * not wanted any more; it takes no job from now on, and @state follows */
void workers_want(struct workers *workers, enum worker_role role, bool wanted);

/** workers_send() - Return: 0; -EINVAL (@job is none that worker_job_valid() takes, or
 * one of another role), -ENOTCONN (not up), -EAGAIN (its queue is full) */
int workers_send(struct workers *workers, enum worker_role role,
		 const struct worker_job *job);

void workers_status(const struct workers *workers, enum worker_role role,
		    struct worker_status *ret);
/** workers_nursery_lives() - false: no worker can be started any more until natd is */
bool workers_nursery_lives(const struct workers *workers);
