/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The datagram worker, confined, and what routers say unasked. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kernel/netns.h"
#include "worker_fixture.h"

static struct worker worker;
static struct program router;

/* @options of the router, "" = there is none */
static void begin(const char *options)
{
	link_up();
	if (*options)
		router = router_start(options);
	worker = worker_start(WORKER_DATAGRAM);
}

static void end(void)
{
	worker_stop(&worker);
	if (router.pid)
		program_stop(&router);
}

/* The worker has done all that it was told before. */
static void settle(void)
{
	struct worker_job job = job_of(JOB_STUN_BIND);

	job.router_port = 9; /* nobody there */
	cr_assert_eq(worker_answers(&worker, &job).result, -ECONNREFUSED);
}

static void listen_to(const char *who, enum worker_job_kind kind)
{
	struct worker_job job = job_of(kind);

	job.router = address(who);
	worker_ask(&worker, &job);
}

Test(worker_unasked, announcements_of_the_router_are_heard)
{
	struct in6_addr external;
	struct worker_answer answer;
	unsigned int heard = 0;

	begin(ROUTER_ADDRESS);
	external = address("1.2.3.4");
	listen_to(ROUTER_ADDRESS, JOB_LISTEN);
	listen_to(ROUTER_ADDRESS, JOB_LISTEN); /* twice is fine */
	settle();
	program_say(&router, "announce\nnotify\nbyebye\n");
	for (int i = 0; i < 4; i++) {
		cr_assert(worker_hear(&worker, 5000, &answer), "heard %#x", heard);
		heard |= 1u << answer.kind;
		cr_assert_eq(answer.serial, 0u);
		cr_assert_eq(answer.ifindex, link_index());
		if (answer.kind == ANSWER_SSDP_ALIVE)
			cr_assert_str_eq(answer.url, ROUTER_URL);
		if (answer.kind == ANSWER_NATPMP_ANNOUNCE)
			cr_assert(address_equal(&answer.external, &external));
	}
	cr_assert_eq(heard, 1u << ANSWER_PCP_ANNOUNCE | 1u << ANSWER_NATPMP_ANNOUNCE |
				    1u << ANSWER_SSDP_ALIVE | 1u << ANSWER_SSDP_BYEBYE);
	end();
}

Test(worker_unasked, announcements_of_others_are_not)
{
	struct worker_answer answer;
	struct program other;

	begin(ROUTER_ADDRESS);
	other = router_start(OTHER_ADDRESS);
	listen_to(ROUTER_ADDRESS, JOB_LISTEN);
	settle();
	program_say(&other, "announce\nnotify\nbyebye\n");
	program_say(&router, "notify\n");
	cr_assert(worker_hear(&worker, 5000, &answer));
	cr_assert_eq(answer.kind, ANSWER_SSDP_ALIVE);
	cr_assert(!worker_hear(&worker, 300, &answer));
	program_stop(&other);
	end();
}

Test(worker_unasked, who_is_ignored_is_heard_no_more)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS);
	listen_to(ROUTER_ADDRESS, JOB_LISTEN);
	listen_to(OTHER_ADDRESS, JOB_LISTEN);
	listen_to(ROUTER_ADDRESS, JOB_IGNORE);
	settle();
	program_say(&router, "announce\nnotify\nbyebye\n");
	cr_assert(!worker_hear(&worker, 500, &answer));
	listen_to(OTHER_ADDRESS, JOB_IGNORE);
	settle();
	netns_run("test $(ss -Hlun 'sport = :1900 or sport = :5350' | wc -l) = 0");
	listen_to(ROUTER_ADDRESS, JOB_LISTEN);
	settle();
	program_say(&router, "notify\n");
	cr_assert(worker_hear(&worker, 5000, &answer));
	end();
}

Test(worker_unasked, a_flood_of_notifications_is_cut_down, .timeout = 60)
{
	struct worker_answer answer;
	unsigned int n = 0;
	long began;

	begin(ROUTER_ADDRESS);
	listen_to(ROUTER_ADDRESS, JOB_LISTEN);
	settle();
	began = netns_milliseconds();
	program_say(&router, "flood\n");
	while (worker_hear(&worker, 1000, &answer))
		n += answer.kind == ANSWER_SSDP_ALIVE;
	cr_assert_gt(n, 0u);
	cr_assert_leq(n, 40 + 8 * (unsigned int)(netns_milliseconds() - began) / 1000);
	settle();
	end();
}

Test(worker_unasked, an_interface_that_is_not_there_cannot_be_listened_on)
{
	struct worker_job job;

	begin("");
	job = job_of(JOB_LISTEN);
	job.ifindex = 4711;
	cr_assert_eq(worker_answers(&worker, &job).result, -ENODEV);
	end();
}

Test(worker_unasked, it_listens_to_so_many_and_no_more)
{
	struct worker_job job;

	begin("");
	for (unsigned int i = 0; i < 16; i++) {
		char who[32];

		snprintf(who, sizeof(who), "192.168.1.%u", 100 + i);
		listen_to(who, JOB_LISTEN);
	}
	job = job_of(JOB_LISTEN);
	cr_assert_eq(worker_answers(&worker, &job).result, -EMFILE);
	end();
}

Test(worker_unasked, a_port_that_another_program_has_for_itself_is_an_answer)
{
	const struct sockaddr_in taken = { .sin_family = AF_INET,
					   .sin_port = htons(5350) };
	struct worker_job job;
	int fd;

	begin("");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&taken, sizeof(taken)), 0);
	job = job_of(JOB_LISTEN);
	cr_assert_eq(worker_answers(&worker, &job).result, -EADDRINUSE);
	close(fd);
	end();
}
