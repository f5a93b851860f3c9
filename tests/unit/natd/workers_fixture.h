/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * workers_fixture - natd's side of workers, in a world of the test's
 *
 * A real nursery with the workers of nursery_fixture.h. The clock goes @ahead, and a rest
 * is over at once; how long it would have been is noted.
 */

#include <stdlib.h>
#include <time.h>

#include "natd/workers/workers.h"
#include "nursery_fixture.h"

#define USEC_PER_SEC 1000000ULL

/**
 * struct world
 * @serial, @answered_by: of the last answer, and its worker
 * @unwanted_by_answer: the callback dismisses who answers
 * @ahead: seconds
 * @rests: microseconds
 * @fail_*: negative errno of the calls to come; of fail_add_io: of the next
 */
struct world {
	struct nursery nursery;
	sd_event *event;
	struct workers *workers;
	bool up[WORKER_ROLES];
	unsigned int ups, downs, answers;
	uint64_t serial; /* of the last answer */
	pid_t answered_by;
	bool unwanted_by_answer;

	int64_t ahead;	    /* seconds that the clock is */
	uint64_t rests[64]; /* microseconds; they are over at once */
	size_t n_rests;
	int fail_calloc, fail_add_io, fail_add_time;
};
extern struct world world;

struct workers_parts world_parts(void);
/** world_begin(), world_end() - around the body of a box. Return: 0, or it has failed */
int world_begin(void);
int world_end(void);

/* Turns of the loop until @number is @wanted; ten seconds at most. */
#define UNTIL(truth)                                                                     \
	({                                                                               \
		const time_t last = time(NULL) + 10;                                     \
		while (!(truth) && time(NULL) < last)                                    \
			sd_event_run(world.event, 20000);                                \
		truth;                                                                   \
	})

struct worker_status status_now(enum worker_role role);
/** send_job() - @letter: see nursery_fixture.h. Return: as workers_send() */
int send_job(enum worker_role role, uint64_t serial, char letter);
