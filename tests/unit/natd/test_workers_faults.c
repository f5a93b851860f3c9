/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "workers_fixture.h"

static int be_unreadable(void *userdata)
{
	struct worker_status status;

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_DATAGRAM, true);
	BOX_CHECK(UNTIL(world.up[WORKER_DATAGRAM]));
	BOX_CHECK(send_job(WORKER_DATAGRAM, 1, 'g') == 0);
	BOX_CHECK(UNTIL(world.n_rests == 1));
	status = status_now(WORKER_DATAGRAM);
	BOX_CHECK(!strcmp(status.end, "killed by signal 9 (Killed)"), "%s", status.end);
	BOX_CHECK(world.answers == 1 && UNTIL(world.up[WORKER_DATAGRAM]));
	return world_end();
}

Test(workers_faults, one_that_says_nonsense_is_ended, .timeout = 30)
{
	box_run(be_unreadable, NULL);
}

/* An answer to what only the other worker is asked for. */
static int answer_for_another(void *userdata)
{
	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	/* its own answer, and then others */
	BOX_CHECK(send_job(WORKER_IGD, 5, 'F') == 0);
	BOX_CHECK(UNTIL(world.n_rests == 1) && world.answers == 1);
	return world_end();
}

Test(workers_faults, one_that_answers_for_another_is_ended, .timeout = 30)
{
	box_run(answer_for_another, NULL);
}

static int fill_queue(void *userdata)
{
	pid_t pid;
	int n = 0, r;

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	pid = status_now(WORKER_IGD).pid;
	kill(pid, SIGSTOP);
	while ((r = send_job(WORKER_IGD, 1, 0)) == 0)
		n++;
	BOX_CHECK(r == -EAGAIN && n > 20, "%d %d", r, n);
	BOX_CHECK(world.up[WORKER_IGD]);
	kill(pid, SIGCONT);
	BOX_CHECK(UNTIL(world.answers == (unsigned int)n));
	kill(pid, SIGKILL);
	BOX_CHECK(is_gone(pid) && send_job(WORKER_IGD, 1, 0) == -ENOTCONN);
	return world_end();
}

Test(workers_faults, a_full_queue_is_told, .timeout = 30)
{
	box_run(fill_queue, NULL);
}

static int fail_to_fork(void *userdata)
{
	struct worker_status status;

	fork_fail(2, EAGAIN);
	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.n_rests == 1));
	status = status_now(WORKER_IGD);
	BOX_CHECK(!strcmp(status.end,
			  "could not be started: Resource temporarily unavailable"),
		  "%s", status.end);
	BOX_CHECK(status.ended_at && !status.up && world.downs == 0);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	BOX_CHECK(status_now(WORKER_IGD).restarts == 0);
	return world_end();
}

Test(workers_faults, one_that_could_not_be_started_is_tried_again, .timeout = 30)
{
	box_run(fail_to_fork, NULL);
}

static int fail_to_watch(void *userdata)
{
	if (world_begin())
		return 1;
	world.fail_add_io = -ENOMEM;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.n_rests == 1) && world.ups == 0);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	return world_end();
}

Test(workers_faults, one_that_cannot_be_listened_to_is_ended_and_tried_again,
     .timeout = 30)
{
	box_run(fail_to_watch, NULL);
}

static int lose_nursery(void *userdata)
{
	struct worker_status status;

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	BOX_CHECK(send_job(WORKER_IGD, 9, 0) == 0 && UNTIL(world.serial == 9));
	kill(world.nursery.pid, SIGKILL);
	BOX_CHECK(UNTIL(!workers_nursery_lives(world.workers)));
	BOX_CHECK(world.downs == 1 && !world.up[WORKER_IGD]);
	status = status_now(WORKER_IGD);
	BOX_CHECK(!status.up && !strcmp(status.end, "ended with the nursery"), "%s",
		  status.end);
	/* natd goes on, without */
	workers_want(world.workers, WORKER_DATAGRAM, true);
	workers_want(world.workers, WORKER_IGD, false);
	workers_want(world.workers, WORKER_IGD, true);
	for (int i = 0; i < 20; i++)
		BOX_CHECK(sd_event_run(world.event, 1000) >= 0);
	BOX_CHECK(world.ups == 1 && send_job(WORKER_IGD, 1, 0) == -ENOTCONN);
	return world_end();
}

Test(workers_faults, without_the_nursery_natd_goes_on, .timeout = 30)
{
	box_run(lose_nursery, NULL);
}

/* The test in the nursery's place: what it says out of turn changes nothing. */
static int hear_nonsense(void *userdata)
{
	const struct nursery_report wrong[] = {
		{ NURSERY_ENDED, WORKER_IGD, 1, SIGKILL },
		{ NURSERY_FAILED, WORKER_IGD, 0, -EAGAIN },
		{ 77, WORKER_IGD, 1, 0 },
		{ NURSERY_STARTED, WORKER_IGD, 1, 0 }, /* without a socket */
	};
	struct nursery real;
	struct nursery_request request;
	struct workers_parts borrowed;
	int ends[2];

	if (world_begin())
		return 1;
	workers_free(world.workers);
	real = world.nursery;
	BOX_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	world.nursery = (struct nursery){ .fd = ends[0] };
	borrowed = world_parts();
	BOX_CHECK(workers_new(&borrowed, &world.workers) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		BOX_CHECK(send(ends[1], &wrong[i], sizeof(wrong[i]), 0) > 0);
	BOX_CHECK(send(ends[1], "x", 1, 0) == 1);
	for (int i = 0; i < 20; i++)
		sd_event_run(world.event, 1000);
	BOX_CHECK(world.ups == 0 && world.downs == 0 && world.n_rests == 0);
	BOX_CHECK(workers_nursery_lives(world.workers));
	/* it is asked, and hangs up */
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(recv(ends[1], &request, sizeof(request), 0) == sizeof(request));
	BOX_CHECK(request.kind == NURSERY_START && request.role == WORKER_IGD);
	close(ends[1]);
	BOX_CHECK(UNTIL(!workers_nursery_lives(world.workers)) && world.downs == 0);
	workers_free(world.workers);
	world.workers = NULL;
	close(ends[0]);
	world.nursery = real;
	return world_end();
}

Test(workers_faults, what_the_nursery_says_out_of_turn_changes_nothing, .timeout = 30)
{
	box_run(hear_nonsense, NULL);
}

static int fail_new(void *userdata)
{
	struct workers *workers = NULL;
	struct workers_parts borrowed;

	if (world_begin())
		return 1;
	borrowed = world_parts();
	world.fail_calloc = 1;
	BOX_CHECK(workers_new(&borrowed, &workers) == -ENOMEM);
	world.fail_calloc = 0;
	world.fail_add_time = -ECHILD;
	BOX_CHECK(workers_new(&borrowed, &workers) == -ECHILD);
	world.fail_add_time = 0;
	world.fail_add_io = -ENOSPC;
	BOX_CHECK(workers_new(&borrowed, &workers) == -ENOSPC && !workers);
	/* none was ever started */
	world.nursery.fd = -world.nursery.fd;
	BOX_CHECK(workers_new(&borrowed, &workers) == 0);
	BOX_CHECK(!workers_nursery_lives(workers));
	workers_want(workers, WORKER_IGD, true);
	workers_free(workers);
	world.nursery.fd = -world.nursery.fd;
	return world_end();
}

Test(workers_faults, what_they_cannot_be_made_for_is_told, .timeout = 30)
{
	box_run(fail_new, NULL);
}
