/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The datagram worker, confined, and routers that are well and ill. */

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "natd/workers/worker.h"
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

static struct worker_answer ask(enum worker_job_kind kind)
{
	struct worker_job job = job_of(kind);

	return worker_answers(&worker, &job);
}

/* The worker has done all that it was told before. */
static void settle(void)
{
	struct worker_job job = job_of(JOB_STUN_BIND);

	job.router_port = 9; /* nobody there */
	cr_assert_eq(worker_answers(&worker, &job).result, -ECONNREFUSED);
}

/* ------------------------------------------------------------ a router that is well */

Test(worker_datagram, every_question_is_answered)
{
	struct in6_addr external, us;
	struct worker_answer answer;

	begin(ROUTER_ADDRESS);
	external = address("1.2.3.4");
	us = address(OUR_ADDRESS);
	answer = ask(JOB_PCP_ANNOUNCE);
	cr_assert_eq(answer.result, 0);
	answer = ask(JOB_PCP_MAP);
	cr_assert_eq(answer.result, 0);
	cr_assert(address_equal(&answer.external, &external));
	cr_assert_eq(answer.external_port, 8080);
	cr_assert_eq(answer.lifetime, 120u);
	answer = ask(JOB_NATPMP_ADDRESS);
	cr_assert_eq(answer.result, 0);
	cr_assert(address_equal(&answer.external, &external));
	answer = ask(JOB_NATPMP_MAP);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.external_port, 8080);
	answer = ask(JOB_STUN_BIND);
	cr_assert_eq(answer.result, 0);
	cr_assert(address_equal(&answer.external, &us));
	cr_assert_neq(answer.external_port, 0);
	end();
}

Test(worker_datagram, a_search_is_answered_with_the_description)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS);
	answer = ask(JOB_SSDP_SEARCH);
	cr_assert_eq(answer.result, 0);
	cr_assert_str_eq(answer.url, ROUTER_URL);
	cr_assert_str_eq(answer.text, "fake/1 UPnP/1.1 router/1");
	cr_assert_eq(answer.boot_id, 1234u);
	end();
}

static void ipv6_answers(const char *router_address, const char *source)
{
	static const enum worker_job_kind kinds[] = { JOB_PCP_ANNOUNCE, JOB_PCP_MAP,
						      JOB_STUN_BIND };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct worker_job job = job_of(kinds[i]);

		job.router = address(router_address);
		job.source = job.internal = address(source);
		job.external = address_any6;
		cr_assert_eq(worker_answers(&worker, &job).result, 0, "%u", kinds[i]);
	}
}

Test(worker_datagram, ipv6_routers_answer)
{
	begin("2001:db8:1::1");
	ipv6_answers("2001:db8:1::1", OUR_ADDRESS6);
	end();
}

Test(worker_datagram, a_link_local_router_answers_a_global_source)
{
	begin("fe80::1%lan0");
	ipv6_answers("fe80::1", OUR_ADDRESS6);
	end();
}

/* ------------------------------------------------------------ who cannot be asked */

Test(worker_datagram, nobody_there_is_an_answer)
{
	static const enum worker_job_kind kinds[] = { JOB_PCP_ANNOUNCE, JOB_PCP_MAP,
						      JOB_NATPMP_ADDRESS, JOB_NATPMP_MAP,
						      JOB_STUN_BIND };

	begin("");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		cr_assert_eq(ask(kinds[i]).result, -ECONNREFUSED, "%u", kinds[i]);
	end();
}

Test(worker_datagram, each_question_gets_the_refusal_that_is_its_own)
{
	struct worker_job jobs[8];
	struct worker_answer answer;
	unsigned int refused = 0;

	begin("");
	for (size_t i = 0; i < 8; i++) {
		jobs[i] = job_of(JOB_PCP_MAP);
		worker_ask(&worker, &jobs[i]);
	}
	while (refused != 0xff && worker_hear(&worker, 2000, &answer)) {
		cr_assert_eq(answer.result, -ECONNREFUSED);
		refused |= 1u << (answer.serial - jobs[0].serial);
	}
	cr_assert_eq(refused, 0xffu);
	end();
}

Test(worker_datagram, a_source_that_is_not_ours_is_an_answer)
{
	struct worker_job job;

	begin("");
	job = job_of(JOB_PCP_ANNOUNCE);
	job.source = address("192.168.1.77");
	cr_assert_eq(worker_answers(&worker, &job).result, -EADDRNOTAVAIL);
	end();
}

Test(worker_datagram, no_way_to_the_router_is_an_answer)
{
	int result;

	begin("");
	netns_run("ip link set wan0 down");
	result = ask(JOB_PCP_ANNOUNCE).result;
	cr_assert(result == -ENETUNREACH || result == -ENETDOWN, "%d", result);
	netns_run("ip link set wan0 up");
	settle();
	end();
}

Test(worker_datagram, jobs_of_others_are_refused)
{
	begin("");
	cr_assert_eq(ask(JOB_IGD_OPEN).result, -EOPNOTSUPP);
	end();
}

Test(worker_datagram, what_is_no_job_ends_it)
{
	int status;

	link_up();
	worker = worker_start(WORKER_DATAGRAM);
	cr_assert_eq(send(worker.fd, "hello", 5, MSG_NOSIGNAL), 5);
	status = worker_wait(&worker, 5);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNREADABLE, "%#x",
		  (unsigned int)status);
}

Test(worker_datagram, packets_leave_by_the_interface_that_is_meant)
{
	struct worker_job job;

	begin(ROUTER_ADDRESS);
	netns_run(
		"ip link add decoy type veth peer name decoy1 && ip link set decoy up &&"
		"ip link set decoy1 up && ip addr add 192.168.1.2/32 dev decoy &&"
		"ip route add 192.168.1.1/32 dev decoy");
	job = job_of(JOB_PCP_ANNOUNCE);
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	end();
}

/* ------------------------------------------------------------ routers that are ill */

static const struct ill {
	const char *options;
	enum worker_job_kind kind;
} silent[] = {
	{ ROUTER_ADDRESS " --datagram silent", JOB_PCP_MAP },
	{ ROUTER_ADDRESS " --datagram garbage", JOB_PCP_MAP },
	{ ROUTER_ADDRESS " --datagram garbage", JOB_PCP_ANNOUNCE },
	{ ROUTER_ADDRESS " --datagram garbage", JOB_NATPMP_MAP },
	{ ROUTER_ADDRESS " --datagram garbage", JOB_NATPMP_ADDRESS },
	{ ROUTER_ADDRESS " --datagram garbage", JOB_SSDP_SEARCH },
	{ ROUTER_ADDRESS " --datagram garbage", JOB_STUN_BIND },
	{ ROUTER_ADDRESS " --datagram truncated", JOB_PCP_MAP },
	{ ROUTER_ADDRESS " --datagram truncated", JOB_PCP_ANNOUNCE },
	{ ROUTER_ADDRESS " --datagram truncated", JOB_NATPMP_MAP },
	{ ROUTER_ADDRESS " --datagram truncated", JOB_NATPMP_ADDRESS },
	{ ROUTER_ADDRESS " --datagram truncated", JOB_STUN_BIND },
	{ ROUTER_ADDRESS " --datagram wrong-nonce", JOB_PCP_MAP },
	{ ROUTER_ADDRESS " --datagram wrong-nonce", JOB_STUN_BIND },
	{ ROUTER_ADDRESS " --other " OTHER_ADDRESS " --datagram elsewhere", JOB_PCP_MAP },
	{ ROUTER_ADDRESS " --other " OTHER_ADDRESS " --datagram elsewhere",
	  JOB_NATPMP_ADDRESS },
	{ ROUTER_ADDRESS " --other " OTHER_ADDRESS " --datagram elsewhere",
	  JOB_SSDP_SEARCH },
	{ ROUTER_ADDRESS " --other " OTHER_ADDRESS " --datagram elsewhere",
	  JOB_STUN_BIND },
};

/* Nothing of what they say is an answer, and the worker serves on. */
Test(worker_datagram, what_is_no_answer_is_dropped, .timeout = 120)
{
	link_up();
	worker = worker_start(WORKER_DATAGRAM);
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		struct worker_job job = job_of(silent[i].kind);

		router = router_start(silent[i].options);
		worker_silent(&worker, &job);
		settle();
		program_stop(&router);
	}
	router = router_start(ROUTER_ADDRESS);
	cr_assert_eq(ask(JOB_PCP_MAP).result, 0);
	end();
}

Test(worker_datagram, a_port_that_makes_no_sense_is_passed_on)
{
	begin(ROUTER_ADDRESS " --datagram port-zero");
	for (size_t i = 0; i < 2; i++) {
		const struct worker_answer answer =
			ask(i == 0 ? JOB_PCP_MAP : JOB_NATPMP_MAP);

		cr_expect_eq(answer.result, 0);
		cr_expect_eq(answer.external_port, 0);
		cr_expect_gt(answer.lifetime, 0);
	}
	end();
}

Test(worker_datagram, a_router_that_speaks_nat_pmp_only_says_so)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --datagram natpmp-only");
	answer = ask(JOB_PCP_MAP);
	cr_assert_eq(answer.natpmp, 1);
	cr_assert_eq(answer.result, 1);
	answer = ask(JOB_PCP_ANNOUNCE);
	cr_assert_eq(answer.natpmp, 1);
	end();
}

Test(worker_datagram, a_router_that_speaks_pcp_only_refuses_nat_pmp)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --datagram pcp-only");
	answer = ask(JOB_NATPMP_ADDRESS);
	cr_assert_eq(answer.result, 1);
	cr_assert_eq(answer.natpmp, 0);
	end();
}

Test(worker_datagram, refusals_are_passed_on)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --datagram refusing");
	answer = ask(JOB_PCP_MAP);
	cr_assert_eq(answer.result, 10);
	cr_assert_eq(answer.lifetime, 60u);
	cr_assert_eq(answer.external_port, 0);
	cr_assert_eq(ask(JOB_NATPMP_MAP).result, 2);
	cr_assert_eq(ask(JOB_NATPMP_ADDRESS).result, 2);
	cr_assert_eq(ask(JOB_STUN_BIND).result, 500);
	end();
}

Test(worker_datagram, a_head_alone_answers_the_last_question_that_has_no_answer)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --datagram head-only");
	for (int i = 0; i < 3; i++) {
		answer = ask(JOB_PCP_MAP);
		cr_assert_eq(answer.result, 8);
		cr_assert_eq(answer.lifetime, 30u);
	}
	end();
}

Test(worker_datagram, contradicting_answers_are_both_passed_on)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --datagram contradicting");
	job = job_of(JOB_PCP_MAP);
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	cr_assert(worker_hear(&worker, 2000, &answer));
	cr_assert_eq(answer.serial, job.serial);
	cr_assert_eq(answer.result, 8);
	end();
}

Test(worker_datagram, an_address_that_is_not_global_is_passed_on)
{
	struct in6_addr external;
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --datagram not-global");
	external = address("192.168.77.1");
	answer = ask(JOB_PCP_MAP);
	cr_assert(address_equal(&answer.external, &external));
	end();
}

Test(worker_datagram, a_description_on_another_host_is_refused)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --other " OTHER_ADDRESS " --datagram located-elsewhere");
	answer = ask(JOB_SSDP_SEARCH);
	cr_assert_eq(answer.result, -EXDEV);
	cr_assert_str_empty(answer.url);
	end();
}

/* ------------------------------------------------------------ floods, and natd's pace */

Test(worker_datagram, a_flood_of_answers_holds_up_nobody, .timeout = 60)
{
	struct worker_job flooded, job;
	struct worker_answer answer;
	struct program other;
	unsigned int n = 0;

	begin(ROUTER_ADDRESS " --datagram flood");
	other = router_start(OTHER_ADDRESS);
	flooded = job_of(JOB_PCP_MAP);
	worker_ask(&worker, &flooded);
	cr_assert(worker_hear(&worker, 5000, &answer));
	for (int i = 0; i < 20; i++) {
		job = job_of(JOB_PCP_MAP);
		job.router = address(OTHER_ADDRESS);
		worker_ask(&worker, &job);
		do {
			cr_assert(worker_hear(&worker, 2000, &answer));
			n += answer.serial == flooded.serial;
		} while (answer.serial != job.serial);
	}
	cr_assert_leq(n, 16u); /* of 50,000 */
	program_stop(&other);
	end();
}

Test(worker_datagram, a_natd_that_does_not_read_loses_answers_and_nothing_else)
{
	struct worker_job job;
	struct worker_answer answer;
	unsigned int asked = 0;

	begin(ROUTER_ADDRESS);
	job = job_of(JOB_PCP_ANNOUNCE);
	/* until the worker's own queue is full of answers, and some are lost */
	for (; asked < 2000; asked++) {
		job.serial++;
		if (send(worker.fd, &job, sizeof(job), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			poll(NULL, 0, 1);
	}
	while (worker_hear(&worker, 500, &answer))
		cr_assert_eq(answer.job, JOB_PCP_ANNOUNCE);
	cr_assert_eq(ask(JOB_PCP_MAP).result, 0);
	end();
}

Test(worker_datagram, many_routers_share_its_sockets)
{
	struct worker_job job;

	begin("");
	for (unsigned int i = 0; i < 40; i++) {
		job = job_of(JOB_STUN_BIND);
		job.router_port = (uint16_t)(4000 + i);
		cr_assert_eq(worker_answers(&worker, &job).result, -ECONNREFUSED, "%u",
			     i);
	}
	end();
}

Test(worker_datagram, it_ends_when_natd_does)
{
	begin("");
	settle();
	end();
}
