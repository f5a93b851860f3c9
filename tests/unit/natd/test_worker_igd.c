/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The igd worker, confined, and devices that are well and ill. */

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "natd/workers/worker.h"
#include "tests/kernel/netns.h"
#include "worker_fixture.h"

#define ILL ROUTER_ADDRESS " --other " OTHER_ADDRESS " "

static struct worker worker;
static struct program router;

static void begin(const char *options)
{
	link_up();
	if (*options)
		router = router_start(options);
	worker = worker_start(WORKER_IGD);
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

/* ------------------------------------------------------------ a device that is well */

Test(worker_igd, a_device_is_opened)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS);
	answer = ask(JOB_IGD_OPEN);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.igd, IGD_V2 | IGD_CONNECTED | IGD_FIREWALL6);
	cr_assert_str_eq(answer.text, "Fake & router \\x1b[31m");
	end();
}

Test(worker_igd, a_device_of_version_1_is_opened)
{
	begin(ROUTER_ADDRESS " --http version-1");
	cr_assert_eq(ask(JOB_IGD_OPEN).igd, IGD_CONNECTED);
	cr_assert_eq(ask(JOB_IGD_MAP).result, 0);
	end();
}

Test(worker_igd, of_two_connections_the_one_that_is_up_is_used)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --http two-connections");
	answer = ask(JOB_IGD_OPEN);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.igd, IGD_V2 | IGD_CONNECTED);
	end();
}

Test(worker_igd, a_mapping_is_made_read_and_removed)
{
	static const uint8_t flags[] = { 0, JOB_FLAG_EXACT };

	begin(ROUTER_ADDRESS);
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct worker_job job = job_of(JOB_IGD_MAP);
		struct worker_answer answer;

		job.flags = flags[i];
		strcpy(job.text, "a <b> & \"c\"");
		answer = worker_answers(&worker, &job);
		cr_assert_eq(answer.result, 0);
		cr_assert_eq(answer.external_port, 8080);
		cr_assert_eq(answer.lifetime, 120u);
		answer = ask(JOB_IGD_READ);
		cr_assert_eq(answer.result, 0);
		cr_assert(address_equal(&answer.internal, &job.internal));
		cr_assert_eq(answer.internal_port, 8080);
		cr_assert_eq(answer.lifetime, 120u);
		cr_assert_str_eq(answer.text, job.text);
		cr_assert_eq(ask(JOB_IGD_UNMAP).result, 0);
		cr_assert_eq(ask(JOB_IGD_UNMAP).result, 714);
		cr_assert_eq(ask(JOB_IGD_READ).result, 714);
	}
	end();
}

Test(worker_igd, a_pinhole_is_made_updated_and_removed)
{
	struct worker_job job;

	begin(ROUTER_ADDRESS);
	job = job_of(JOB_IGD_PINHOLE);
	job.internal = address(OUR_ADDRESS6);
	cr_assert_eq(worker_answers(&worker, &job).unique, 7);
	job.serial++;
	job.unique = 7;
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	job.serial++;
	job.unique = 8;
	cr_assert_eq(worker_answers(&worker, &job).result, 704);
	job.serial++;
	job.kind = JOB_IGD_UNPINHOLE;
	cr_assert_eq(worker_answers(&worker, &job).result, 704);
	end();
}

Test(worker_igd, what_the_device_says_against_it_is_passed_on)
{
	struct worker_job job;

	begin(ROUTER_ADDRESS);
	job = job_of(JOB_IGD_MAP);
	job.external_port = 6060;
	cr_assert_eq(worker_answers(&worker, &job).result, 606);
	job.external_port = 7250;
	job.serial++;
	cr_assert_eq(worker_answers(&worker, &job).result, 725);
	job.lifetime = 0; /* for ever */
	job.serial++;
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	job.internal = address("192.168.1.3");
	job.serial++;
	cr_assert_eq(worker_answers(&worker, &job).result, 718);
	end();
}

Test(worker_igd, a_device_without_the_newer_action_takes_the_older)
{
	struct worker_answer answer;

	begin(ROUTER_ADDRESS " --soap no-any");
	answer = ask(JOB_IGD_MAP);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.external_port, 8080);
	end();
}

Test(worker_igd, an_entry_that_is_switched_off_is_none)
{
	begin(ROUTER_ADDRESS " --soap switched-off");
	cr_assert_eq(ask(JOB_IGD_MAP).result, 0);
	cr_assert_eq(ask(JOB_IGD_READ).result, 714);
	end();
}

Test(worker_igd, it_comes_from_the_address_that_is_meant)
{
	struct worker_job job;

	begin(ROUTER_ADDRESS);
	netns_run("ip addr add 192.168.1.3/24 dev wan0");
	job = job_of(JOB_IGD_MAP);
	job.source = address("192.168.1.3");
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	program_expect(&router, "connection " ROUTER_ADDRESS " 192.168.1.3");
	end();
}

Test(worker_igd, a_device_under_a_link_local_address_is_asked_from_a_global_one)
{
	struct worker_job job;

	begin("fe80::1%lan0");
	job = job_of(JOB_IGD_PINHOLE);
	job.router = address("fe80::1");
	job.source = job.internal = address(OUR_ADDRESS6);
	strcpy(job.url, "http://[fe80::1%25wan0]:5000/desc.xml");
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	program_expect(&router, " " OUR_ADDRESS6);
	end();
}

Test(worker_igd, a_device_that_came_back_as_another_is_read_anew)
{
	begin(ROUTER_ADDRESS);
	cr_assert_eq(ask(JOB_IGD_ADDRESS).igd, IGD_V2 | IGD_CONNECTED | IGD_FIREWALL6);
	program_stop(&router);
	cr_assert_eq(ask(JOB_IGD_ADDRESS).result, -ECONNREFUSED);
	router = router_start(ROUTER_ADDRESS " --http version-1");
	cr_assert_eq(ask(JOB_IGD_ADDRESS).igd, IGD_CONNECTED);
	end();
}

Test(worker_igd, what_is_known_is_not_read_again_until_it_is_opened)
{
	begin(ROUTER_ADDRESS);
	cr_assert_eq(ask(JOB_IGD_ADDRESS).result, 0);
	program_said(&router);
	cr_assert_eq(ask(JOB_IGD_READ).result, 714);
	cr_assert_str_eq(program_said(&router),
			 "connection " ROUTER_ADDRESS " " OUR_ADDRESS "\n");
	cr_assert_eq(ask(JOB_IGD_OPEN).result, 0);
	/* description, status, firewall */
	cr_assert_eq(strlen(program_said(&router)),
		     3 * strlen("connection " ROUTER_ADDRESS " " OUR_ADDRESS "\n"));
	end();
}

Test(worker_igd, more_devices_than_it_remembers_are_read_again)
{
	begin(ROUTER_ADDRESS);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 10; i++) {
			struct worker_job job = job_of(JOB_IGD_ADDRESS);

			snprintf(job.url, sizeof(job.url), "%s?%d", ROUTER_URL, i);
			cr_assert_eq(worker_answers(&worker, &job).result, 0);
		}
	}
	end();
}

/* ------------------------------------------------------------ who cannot be asked */

Test(worker_igd, nobody_there_is_an_answer)
{
	begin("");
	cr_assert_eq(ask(JOB_IGD_OPEN).result, -ECONNREFUSED);
	end();
}

Test(worker_igd, a_source_that_is_not_ours_is_an_answer)
{
	struct worker_job job;

	begin(ROUTER_ADDRESS);
	job = job_of(JOB_IGD_OPEN);
	job.source = address("192.168.1.77");
	cr_assert_eq(worker_answers(&worker, &job).result, -EADDRNOTAVAIL);
	end();
}

Test(worker_igd, a_router_that_drops_everything_costs_seconds, .timeout = 60)
{
	long began;

	begin("");
	on_router(
		"nft 'table inet f { chain i { type filter hook input priority 0; policy "
		"drop; }; }'");
	began = netns_milliseconds();
	cr_assert_eq(ask(JOB_IGD_OPEN).result, -ETIMEDOUT);
	cr_assert_lt(netns_milliseconds() - began, 12000);
	end();
}

Test(worker_igd, jobs_of_others_are_refused)
{
	begin("");
	cr_assert_eq(ask(JOB_PCP_ANNOUNCE).result, -EOPNOTSUPP);
	end();
}

Test(worker_igd, what_is_no_job_ends_it)
{
	int status;

	link_up();
	worker = worker_start(WORKER_IGD);
	cr_assert_eq(send(worker.fd, "hello", 5, MSG_NOSIGNAL), 5);
	status = worker_wait(&worker, 5);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNREADABLE, "%#x",
		  (unsigned int)status);
}

/* ------------------------------------------------------------ devices that are ill */

static const struct ill {
	const char *options;
	enum worker_job_kind kind;
	int result;
} ill[] = {
	{ ILL "--http garbage", JOB_IGD_OPEN, -EOPNOTSUPP },
	{ ILL "--http truncated", JOB_IGD_OPEN, -EOPNOTSUPP },
	{ ILL "--http empty", JOB_IGD_OPEN, -EPROTO },
	{ ILL "--http redirect", JOB_IGD_OPEN, 301 },
	{ ILL "--http not-found", JOB_IGD_OPEN, 404 },
	{ ILL "--http control-elsewhere", JOB_IGD_OPEN, -EXDEV },
	{ ILL "--http control-by-name", JOB_IGD_OPEN, -EXDEV },
	{ ILL "--http base-elsewhere", JOB_IGD_OPEN, -EXDEV },
	{ ILL "--http no-service", JOB_IGD_OPEN, -EOPNOTSUPP },
	{ ILL "--http deep", JOB_IGD_OPEN, -EOPNOTSUPP },
	{ ILL "--http chunk-huge", JOB_IGD_OPEN, -EOPNOTSUPP },
	{ ILL "--http chunk-nonsense", JOB_IGD_OPEN, -EPROTO },
	{ ILL "--http chunk-unended", JOB_IGD_OPEN, -EPROTO },
	{ ILL "--http length-negative", JOB_IGD_OPEN, -EOPNOTSUPP },
	{ ILL "--http silent", JOB_IGD_OPEN, -ETIMEDOUT },
	{ ILL "--soap garbage", JOB_IGD_ADDRESS, -EPROTO },
	{ ILL "--soap truncated", JOB_IGD_ADDRESS, -EPROTO },
	{ ILL "--soap empty", JOB_IGD_ADDRESS, -EPROTO },
	{ ILL "--soap redirect", JOB_IGD_MAP, -EPROTO },
	{ ILL "--soap error-500", JOB_IGD_MAP, -EPROTO },
	{ ILL "--soap other-action", JOB_IGD_MAP, -EPROTO },
	{ ILL "--soap deep", JOB_IGD_MAP, -EPROTO },
	{ ILL "--soap contradicting", JOB_IGD_MAP, 501 },
	{ ILL "--soap port-zero", JOB_IGD_MAP, 0 },
	{ ILL "--soap bad-number", JOB_IGD_MAP, -EPROTO },
	{ ILL "--soap bad-number", JOB_IGD_ADDRESS, -EPROTO },
	{ ILL "--soap not-global", JOB_IGD_ADDRESS, 0 },
	{ ILL "--soap silent", JOB_IGD_MAP, -ETIMEDOUT },
};

/* Each costs its own job, and no other host is ever talked to. */
Test(worker_igd, what_is_wrong_is_an_answer, .timeout = 120)
{
	struct program other;

	link_up();
	worker = worker_start(WORKER_IGD);
	other = router_start(OTHER_ADDRESS);
	for (size_t i = 0; i < sizeof(ill) / sizeof(ill[0]); i++) {
		int result;

		router = router_start(ill[i].options);
		result = ask(ill[i].kind).result;
		cr_assert_eq(result, ill[i].result, "%s: %d", ill[i].options, result);
		cr_assert(worker_lives(&worker));
		program_stop(&router);
	}
	cr_assert_str_empty(program_said(&other));
	program_stop(&other);
	router = router_start(ROUTER_ADDRESS);
	cr_assert_eq(ask(JOB_IGD_ADDRESS).result, 0);
	end();
}

Test(worker_igd, numbers_of_an_entry_are_not_believed)
{
	static const char *const modes[] = { "port-zero", "bad-number" };

	link_up();
	worker = worker_start(WORKER_IGD);
	for (size_t i = 0; i < 2; i++) {
		struct worker_job job = job_of(JOB_IGD_MAP);
		char options[128];

		snprintf(options, sizeof(options), "%s --soap %s", ROUTER_ADDRESS,
			 modes[i]);
		router = router_start(options);
		job.flags = JOB_FLAG_EXACT;
		cr_assert_eq(worker_answers(&worker, &job).result, 0);
		cr_assert_eq(ask(JOB_IGD_READ).result, -EPROTO);
		program_stop(&router);
	}
	router.pid = 0;
	end();
}

Test(worker_igd, a_pinhole_without_an_id_is_none)
{
	struct worker_job job;

	begin(ROUTER_ADDRESS " --soap port-zero");
	job = job_of(JOB_IGD_PINHOLE);
	job.internal = address(OUR_ADDRESS6);
	cr_assert_eq(worker_answers(&worker, &job).result, -EPROTO);
	end();
}

/* A drip keeps no worker longer than its 20 seconds; the next one serves. */
static void dies_of(const char *options, enum worker_job_kind kind)
{
	struct worker_job job;
	long began;
	int status;

	router = router_start(options);
	worker = worker_start(WORKER_IGD);
	job = job_of(kind);
	began = netns_milliseconds();
	worker_ask(&worker, &job);
	status = worker_wait(&worker, WORKER_IGD_SECONDS + 5);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM, "%s: %#x", options,
		  (unsigned int)status);
	cr_assert_geq(netns_milliseconds() - began, WORKER_IGD_SECONDS * 1000 - 100);
	program_stop(&router);
	router = router_start(ROUTER_ADDRESS);
	worker = worker_start(WORKER_IGD);
	cr_assert_eq(ask(JOB_IGD_ADDRESS).result, 0);
	end();
}

Test(worker_igd, a_drip_ends_the_worker, .timeout = 60)
{
	link_up();
	dies_of(ILL "--http drip", JOB_IGD_OPEN);
}

Test(worker_igd, a_drip_of_an_action_ends_the_worker, .timeout = 60)
{
	link_up();
	dies_of(ILL "--soap drip", JOB_IGD_MAP);
}

/* ------------------------------------------------------------ memory */

static const struct hungry {
	const char *options;
	enum worker_job_kind kind;
} hungry[] = {
	{ ILL "--http endless", JOB_IGD_OPEN },
	{ ILL "--soap endless", JOB_IGD_MAP },
	{ ILL "--http huge-head", JOB_IGD_OPEN },
	{ ILL "--soap huge-head", JOB_IGD_MAP },
	{ ILL "--http huge-length", JOB_IGD_OPEN },
	{ ILL "--http many-elements", JOB_IGD_OPEN },
};

/* An error, or the worker's end; never more memory than it may have. */
static void eat(const struct hungry *what)
{
	struct worker_job job;
	struct worker_answer answer;

	router = router_start(what->options);
	worker = worker_start_plain(WORKER_IGD);
	job = job_of(what->kind);
	worker_ask(&worker, &job);
	if (worker_hear(&worker, (WORKER_IGD_SECONDS + 5) * 1000, &answer)) {
		cr_assert_eq(answer.serial, job.serial);
		cr_assert_lt(answer.result, 0, "%s: %d", what->options, answer.result);
		cr_assert_leq(worker_peak(&worker), 64 * 1024, "%s", what->options);
		worker_stop(&worker);
	} else {
		int status = worker_wait(&worker, 5);

		cr_assert(WIFSIGNALED(status), "%s: %#x", what->options,
			  (unsigned int)status);
	}
	program_stop(&router);
}

Test(worker_igd, endless_bodies_and_heads_cost_bounded_memory, .timeout = 180)
{
	link_up();
	for (size_t i = 0; i < sizeof(hungry) / sizeof(hungry[0]); i++)
		eat(&hungry[i]);
	router = router_start(ROUTER_ADDRESS);
	worker = worker_start_plain(WORKER_IGD);
	cr_assert_eq(ask(JOB_IGD_ADDRESS).result, 0);
	end();
}
