/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The resolver, confined, and name servers that are well and ill. */

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/workers/worker.h"
#include "tests/kernel/netns.h"
#include "worker_fixture.h"

static struct worker worker;
static struct program names;
static char path[] = "/tmp/natd-resolv-XXXXXX";

static void remove_path(void)
{
	unlink(path);
}

/* In a mount namespace of our own: what a test of ours says stands in the file's place.
 */
static void resolv_conf(const char *text)
{
	static bool made;
	FILE *file;

	if (!made) {
		cr_assert_eq(unshare(CLONE_NEWNS), 0, "%s", strerror(errno));
		cr_assert_geq(close(mkstemp(path)), 0);
		atexit(remove_path);
		cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
		if (mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
			cr_skip_test("there is no /etc/resolv.conf to be replaced");
		made = true;
	}
	file = fopen(path, "we");
	cr_assert_not_null(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
}

static struct worker_answer ask(const char *name)
{
	struct worker_job job = job_of(JOB_RESOLVE);
	struct worker_answer answer;

	snprintf(job.url, sizeof(job.url), "%s", name);
	worker_ask(&worker, &job);
	cr_assert(worker_hear(&worker, WORKER_RESOLVER_SECONDS * 1000, &answer), "%s",
		  name);
	cr_assert_eq(answer.serial, job.serial);
	cr_assert_eq(answer.job, JOB_RESOLVE);
	return answer;
}

static void begin(const char *conf, struct worker (*start)(enum worker_role role))
{
	link_up();
	resolv_conf(conf);
	names = names_start(ROUTER_ADDRESS);
	worker = start(WORKER_RESOLVER);
}

static void end(void)
{
	worker_stop(&worker);
	program_stop(&names);
}

static bool has(const struct worker_answer *answer, size_t i, const char *text)
{
	char buf[INET6_ADDRSTRLEN];

	return !strcmp(address_format(&answer->addresses[i], buf), text);
}

#define ONE_SERVER "nameserver " ROUTER_ADDRESS "\noptions timeout:3 attempts:1\n"

static const struct reply {
	const char *name;
	int result;
	uint32_t lifetime;
} replies[] = {
	{ "well.example.org", 0, 300 },
	{ "well.example.org.", 0, 300 },
	{ "alias.example.org", 0, 150 },
	{ "by-tcp.example.org", 0, 300 },
	{ "huge-lifetime.example.org", 0, UINT32_MAX },
	{ "no-lifetime.example.org", 0, 0 },
	{ "one-good.example.org", 0, 300 },
	{ "unknown.example.org", -ENOENT, 0 },
	{ "none.example.org", -ENODATA, 0 },
	{ "loop.example.org", -ENODATA, 0 },
	{ "other-kind.example.org", -ENODATA, 0 },
	{ "short-address.example.org", -ENODATA, 0 },
	{ "long-address.example.org", -ENODATA, 0 },
	{ "loopback.example.org", -EADDRNOTAVAIL, 0 },
	{ "odd-addresses.example.org", -EADDRNOTAVAIL, 0 },
	{ "garbage-behind.example.org", -EPROTO, 0 },
	{ "pointers.example.org", -EPROTO, 0 },
	{ "truncated.example.org", -EPROTO, 0 },
	{ "counts-more.example.org", -EPROTO, 0 },
	{ "reserved-code.example.org", -EPROTO, 0 },
	{ "silent.example.org", -ETIMEDOUT, 0 },
	{ "fails.example.org", -ETIMEDOUT, 0 },
	{ "refuses.example.org", -ETIMEDOUT, 0 },
	{ "garbage.example.org", -ETIMEDOUT, 0 },
	{ "head-only.example.org", -ETIMEDOUT, 0 },
	{ "wrong-id.example.org", -ETIMEDOUT, 0 },
	{ "wrong-question.example.org", -ETIMEDOUT, 0 },
};

/* The worker lives on, and says so of each. */
static void ask_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		const struct worker_answer answer = ask(replies[i].name);

		cr_expect_eq(answer.result, replies[i].result, "%s: %d", replies[i].name,
			     answer.result);
		if (replies[i].result != 0)
			continue;
		cr_expect_eq(answer.lifetime, replies[i].lifetime, "%s: %u",
			     replies[i].name, answer.lifetime);
		cr_expect(has(&answer, 0, "9.8.7.6") && has(&answer, 1, "::"), "%s",
			  replies[i].name);
	}
}

Test(worker_resolver, every_answer_of_a_name_server_is_one_of_ours, .timeout = 120)
{
	begin(ONE_SERVER, worker_start);
	ask_all();
	end();
}

Test(worker_resolver, all_of_it_within_what_a_release_may, .timeout = 120)
{
	begin(ONE_SERVER, worker_start_plain);
	ask_all();
	cr_expect_leq(worker_peak(&worker), 64 * 1024);
	end();
}

Test(worker_resolver, a_few_of_many_addresses_are_passed_on, .timeout = 30)
{
	struct worker_answer answer;

	begin(ONE_SERVER, worker_start);
	answer = ask("many.example.org");
	cr_expect_eq(answer.result, 0);
	cr_expect(has(&answer, 0, "9.8.7.1") && has(&answer, 3, "9.8.7.4"));
	end();
}

Test(worker_resolver, name_servers_are_asked_by_ipv6_as_well, .timeout = 30)
{
	static const char *const servers[] = { "2001:db8:1::1", "fe80::1%wan0" };
	char conf[128];

	link_up();
	names = names_start("::");
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		snprintf(conf, sizeof(conf), "nameserver %s\n", servers[i]);
		resolv_conf(conf);
		worker = worker_start_plain(WORKER_RESOLVER);
		cr_expect_eq(ask("well.example.org").result, 0, "%s", servers[i]);
		cr_expect_eq(ask("by-tcp.example.org").result, 0, "%s", servers[i]);
		worker_stop(&worker);
	}
	program_stop(&names);
}

Test(worker_resolver, the_next_server_is_asked_where_one_is_not_there, .timeout = 30)
{
	begin("nameserver " OTHER_ADDRESS "\nnameserver " ROUTER_ADDRESS "\n",
	      worker_start_plain);
	cr_expect_eq(ask("well.example.org").result, 0);
	end();
}

Test(worker_resolver, a_short_name_is_looked_for_in_the_domains_of_the_file,
     .timeout = 30)
{
	begin(ONE_SERVER "search nowhere.example example.org\n", worker_start_plain);
	cr_expect_eq(ask("well").result, 0);
	program_expect(&names, "asked well.nowhere.example");
	end();
}

Test(worker_resolver, without_a_name_server_says_so, .timeout = 30)
{
	begin("# nothing\n", worker_start_plain);
	cr_expect_eq(ask("well.example.org").result, -EDESTADDRREQ);
	end();
}

Test(worker_resolver, each_start_reads_the_file_anew, .timeout = 30)
{
	begin("nameserver 127.0.0.1\n", worker_start_plain);
	cr_expect_eq(ask("well.example.org").result, -EDESTADDRREQ);
	resolv_conf(ONE_SERVER);
	cr_expect_eq(ask("well.example.org").result, -EDESTADDRREQ);
	worker_stop(&worker);
	worker = worker_start_plain(WORKER_RESOLVER);
	cr_expect_eq(ask("well.example.org").result, 0);
	end();
}

Test(worker_resolver, jobs_of_others_are_refused, .timeout = 30)
{
	struct worker_job job;

	begin(ONE_SERVER, worker_start);
	job = job_of(JOB_STUN_BIND);
	cr_expect_eq(worker_answers(&worker, &job).result, -EOPNOTSUPP);
	end();
}

Test(worker_resolver, what_is_no_job_ends_it, .timeout = 30)
{
	int status;

	begin(ONE_SERVER, worker_start);
	cr_assert_eq(send(worker.fd, "hello", 5, MSG_NOSIGNAL), 5);
	status = worker_wait(&worker, 10);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNREADABLE);
	program_stop(&names);
}

/* It is answered, or the worker ends by its alarm: in bounded time and memory. */
static void survive(const char *name)
{
	struct worker_job job = job_of(JOB_RESOLVE);
	const long began = netns_milliseconds();
	struct worker_answer answer;
	int status;

	snprintf(job.url, sizeof(job.url), "%s", name);
	worker = worker_start_plain(WORKER_RESOLVER);
	worker_ask(&worker, &job);
	if (worker_hear(&worker, (WORKER_RESOLVER_SECONDS + 3) * 1000, &answer)) {
		cr_expect_neq(answer.result, 0, "%s", name);
		cr_expect_leq(worker_peak(&worker), 64 * 1024);
		worker_stop(&worker);
		return;
	}
	status = worker_wait(&worker, 3);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM, "%s: %#x", name,
		  (unsigned int)status);
	cr_expect_geq(netns_milliseconds() - began, WORKER_RESOLVER_SECONDS * 1000 - 100);
}

Test(worker_resolver, a_drip_and_an_endless_answer_keep_nobody, .timeout = 120)
{
	link_up();
	resolv_conf(ONE_SERVER);
	names = names_start(ROUTER_ADDRESS);
	survive("drip.example.org");
	survive("endless.example.org");
	worker = worker_start(WORKER_RESOLVER);
	cr_expect_eq(ask("well.example.org").result, 0);
	end();
}
