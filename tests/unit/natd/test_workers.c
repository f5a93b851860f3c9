/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "box.h"
#include "core/cleanup.h"
#include "workers_fixture.h"

/* ------------------------------------------------------------ up and down */

static int serve(void *userdata)
{
	struct worker_status status;

	if (world_begin())
		return 1;
	BOX_CHECK(workers_nursery_lives(world.workers));
	sd_event_run(world.event, 1000);
	BOX_CHECK(world.ups == 0 && send_job(WORKER_IGD, 1, 0) == -ENOTCONN);
	for (uint32_t role = 0; role < WORKER_ROLES; role++) {
		workers_want(world.workers, role, true);
		workers_want(world.workers, role, true);
		BOX_CHECK(UNTIL(world.up[role]));
		BOX_CHECK(send_job(role, 100 + role, 0) == 0);
		BOX_CHECK(UNTIL(world.serial == 100 + role));
		status = status_now(role);
		BOX_CHECK(status.up && status.pid == world.answered_by);
		BOX_CHECK(status.restarts == 0 && status.ended_at == 0 && !status.end[0]);
	}
	return world_end();
}

Test(workers, are_started_when_they_are_wanted_and_answer, .timeout = 30)
{
	box_run(serve, NULL);
}

/* natd looks at what it sends: a worker that cannot read it would end. */
static int send_nonsense(void *userdata)
{
	struct worker_job job = { .serial = 1, .kind = JOB_IGD_OPEN, .ifindex = 1 };

	if (world_begin())
		return 1;
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &job.router);
	BOX_CHECK(workers_send(world.workers, WORKER_IGD, &job) == -EINVAL);
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	BOX_CHECK(workers_send(world.workers, WORKER_IGD, &job) == -EINVAL);
	job.kind = JOB_LISTEN;
	BOX_CHECK(workers_send(world.workers, WORKER_IGD, &job) == -EINVAL,
		  "another role's");
	BOX_CHECK(send_job(WORKER_IGD, 7, 0) == 0 && UNTIL(world.serial == 7));
	BOX_CHECK(world.downs == 0);
	return world_end();
}

Test(workers, are_sent_nothing_that_is_no_job, .timeout = 30)
{
	box_run(send_nonsense, NULL);
}

static int dismiss(void *userdata)
{
	struct worker_status status;
	pid_t pid;

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	pid = status_now(WORKER_IGD).pid;
	workers_want(world.workers, WORKER_IGD, false);
	BOX_CHECK(world.downs == 0, "state is told from the loop");
	BOX_CHECK(!status_now(WORKER_IGD).up && send_job(WORKER_IGD, 1, 0) == -ENOTCONN);
	BOX_CHECK(UNTIL(world.downs == 1) && is_gone(pid));
	status = status_now(WORKER_IGD);
	BOX_CHECK(!status.end[0] && status.restarts == 0, "%s", status.end);
	/* back, and away before it is there, and back */
	workers_want(world.workers, WORKER_IGD, true);
	workers_want(world.workers, WORKER_IGD, false);
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	BOX_CHECK(status_now(WORKER_IGD).restarts == 0 && world.n_rests == 0);
	workers_want(world.workers, WORKER_IGD, false);
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.ups == 3) && world.downs == 2);
	return world_end();
}

Test(workers, go_when_they_are_not_wanted_any_more, .timeout = 30)
{
	box_run(dismiss, NULL);
}

static int dismiss_unborn(void *userdata)
{
	struct nursery_report said;
	int fd;

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	workers_want(world.workers, WORKER_IGD, false);
	BOX_CHECK(UNTIL(status_now(WORKER_IGD).ended_at != 0));
	BOX_CHECK(world.ups == 0 && world.downs == 0);
	/* nobody is there: one can be started */
	workers_free(world.workers);
	BOX_CHECK(started(&world.nursery, WORKER_IGD, &fd) > 0);
	BOX_CHECK(nursery_hear(&world.nursery, &said, &fd) == -EAGAIN);
	world.workers = NULL;
	return world_end();
}

Test(workers, one_that_comes_when_it_is_not_wanted_any_more_is_ended, .timeout = 30)
{
	box_run(dismiss_unborn, NULL);
}

static int dismiss_in_answer(void *userdata)
{
	if (world_begin())
		return 1;
	world.unwanted_by_answer = true;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	for (int i = 1; i < 5; i++)
		BOX_CHECK(send_job(WORKER_IGD, (uint64_t)i, 0) == 0);
	BOX_CHECK(UNTIL(world.downs == 1) && world.answers == 1);
	return world_end();
}

Test(workers, one_may_be_dismissed_for_its_answer, .timeout = 30)
{
	box_run(dismiss_in_answer, NULL);
}

static int leave(void *userdata)
{
	pid_t pid;

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	pid = status_now(WORKER_IGD).pid;
	workers_free(world.workers);
	BOX_CHECK(is_gone(pid));
	world.workers = NULL;
	workers_free(NULL);
	return world_end();
}

Test(workers, end_with_natds_side_of_them, .timeout = 30)
{
	box_run(leave, NULL);
}

/* ------------------------------------------------------------ killed */

static int kill_often(void *userdata)
{
	const unsigned int times = 100;

	if (world_begin())
		return 1;
	for (uint32_t role = 0; role < WORKER_ROLES; role++)
		workers_want(world.workers, role, true);
	for (unsigned int i = 1; i <= times; i++) {
		const enum worker_role role = i % 2 ? WORKER_IGD : WORKER_DATAGRAM;
		struct worker_status status;

		BOX_CHECK(UNTIL(world.up[0] && world.up[1]));
		BOX_CHECK(send_job(role, i, 0) == 0 && UNTIL(world.serial == i));
		world.ahead += 61;
		BOX_CHECK(kill(status_now(role).pid, SIGKILL) == 0);
		BOX_CHECK(UNTIL(world.downs == i));
		status = status_now(role);
		BOX_CHECK(!status.up);
		BOX_CHECK(UNTIL(world.up[role]));
		status = status_now(role);
		BOX_CHECK(time(NULL) - (time_t)status.ended_at < 5);
		BOX_CHECK(!strcmp(status.end, "killed by signal 9 (Killed)"), "%s",
			  status.end);
		BOX_CHECK(status.restarts == (i + 1) / 2, "%u", i);
	}
	/* every time it had been up for a minute */
	for (size_t i = 0; i < world.n_rests; i++)
		BOX_CHECK(world.rests[i] == USEC_PER_SEC / 10);
	BOX_CHECK(world.answers == times);
	return world_end();
}

Test(workers, killed_a_hundred_times_they_are_back_each_time, .timeout = 100)
{
	box_run(kill_often, NULL);
}

static int kill_at_once(void *userdata)
{
	static const uint64_t wanted[] = {
		1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300
	};

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		BOX_CHECK(UNTIL(world.ups == i + 1));
		kill(status_now(WORKER_IGD).pid, SIGKILL);
		BOX_CHECK(UNTIL(world.n_rests == i + 1));
		BOX_CHECK(world.rests[i] == wanted[i] * USEC_PER_SEC / 10, "%zu: %llu", i,
			  (unsigned long long)world.rests[i]);
	}
	BOX_CHECK(UNTIL(world.ups == ARRAY_SIZE(wanted) + 1));
	world.ahead += 60;
	kill(status_now(WORKER_IGD).pid, SIGKILL);
	BOX_CHECK(UNTIL(world.n_rests == ARRAY_SIZE(wanted) + 1));
	BOX_CHECK(world.rests[ARRAY_SIZE(wanted)] == USEC_PER_SEC / 10);
	return world_end();
}

Test(workers, wait_longer_each_time_up_to_half_a_minute, .timeout = 60)
{
	box_run(kill_at_once, NULL);
}

static int rest_unwanted(void *userdata)
{
	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_IGD, true);
	BOX_CHECK(UNTIL(world.up[WORKER_IGD]));
	kill(status_now(WORKER_IGD).pid, SIGKILL);
	BOX_CHECK(UNTIL(world.n_rests == 1));
	workers_want(world.workers, WORKER_IGD, false);
	for (int i = 0; i < 20; i++)
		sd_event_run(world.event, 1000);
	BOX_CHECK(world.ups == 1);
	return world_end();
}

Test(workers, one_that_rests_and_is_not_wanted_stays_down, .timeout = 30)
{
	box_run(rest_unwanted, NULL);
}

static int answer_and_end(void *userdata)
{
	struct worker_status status;

	if (world_begin())
		return 1;
	workers_want(world.workers, WORKER_DATAGRAM, true);
	BOX_CHECK(UNTIL(world.up[WORKER_DATAGRAM]));
	for (uint64_t i = 1; i <= 50; i++)
		BOX_CHECK(send_job(WORKER_DATAGRAM, i, i == 50 ? 'e' : 0) == 0);
	BOX_CHECK(is_gone(status_now(WORKER_DATAGRAM).pid));
	BOX_CHECK(UNTIL(world.downs == 1));
	BOX_CHECK(world.answers == 50 && world.serial == 50);
	BOX_CHECK(UNTIL(world.n_rests == 1));
	status = status_now(WORKER_DATAGRAM);
	BOX_CHECK(!strcmp(status.end, "exit status 7"), "%s", status.end);
	return world_end();
}

Test(workers, what_one_answered_before_its_end_is_not_lost, .timeout = 30)
{
	box_run(answer_and_end, NULL);
}

/* ------------------------------------------------------------ one that was taken over */

static int64_t msec_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: how many messages of a worker that floods natd takes in a second, and in how
 * many turns of its loop; in the others it serves somebody else. */
static int flood_a_second(char letter, unsigned int *ret_turns)
{
	int64_t until;

	if (world_begin())
		return -1;
	workers_want(world.workers, WORKER_DATAGRAM, true);
	if (!UNTIL(world.up[WORKER_DATAGRAM]) || send_job(WORKER_DATAGRAM, 1, letter) < 0)
		return -1;
	*ret_turns = 0;
	until = msec_now() + 1000;
	while (msec_now() < until) {
		const unsigned int before = world.answers;

		sd_event_run(world.event, 20000);
		*ret_turns += world.answers > before;
	}
	return status_now(WORKER_DATAGRAM).up && !world_end() ? (int)world.answers : -1;
}

static int hear_flood(void *userdata)
{
	unsigned int turns;
	int n = flood_a_second('F', &turns);

	BOX_CHECK(n > 0 && n <= 1000 && turns <= 120, "%d in %u turns", n, turns);
	return 0;
}

static int hear_unasked_flood(void *userdata)
{
	unsigned int turns;
	int n = flood_a_second('f', &turns);

	BOX_CHECK(n >= 256 && n <= 256 + 2 * 64, "%d", n);
	return 0;
}

Test(workers, one_that_floods_natd_is_heard_so_often_and_no_more, .timeout = 30)
{
	box_run(hear_flood, NULL);
	box_run(hear_unasked_flood, NULL);
}
