/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The STUN server by its name. */

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "up_world.h"

TestSuite(upstream_resolve, .fini = up_world_end);

static struct in6_addr addr(const char *text)
{
	struct in6_addr ret;

	cr_assert_eq(address_parse(text, &ret), 0);
	return ret;
}

static void prepare(const char *first, const char *second)
{
	up_world_prepare(SIM_PCP);
	W.options.stun.port = 3478;
	strcpy(W.options.stun_name, "stun.example.org");
	W.stun_sees = addr("8.8.8.8");
	W.name_lifetime = 300;
	if (first)
		W.names[0] = addr(first);
	if (second)
		W.names[1] = addr(second);
}

static struct upstream_server_view server(void)
{
	struct upstream_server_view view;

	cr_assert(upstream_server_view(W.up, &view));
	return view;
}

static bool is_asked(const char *text)
{
	return up_is(W.last[JOB_STUN_BIND].router, text);
}

Test(upstream_resolve, a_server_with_an_address_needs_no_name_server)
{
	up_world_prepare(SIM_PCP);
	up_start(NULL, 0);
	cr_expect_not(upstream_server_view(W.up, &(struct upstream_server_view){ 0 }));
	up_world_end();
	up_world_prepare(SIM_PCP);
	W.options.stun = (struct endpoint){ addr("1.1.1.1"), 3478 };
	up_start(NULL, 0);
	up_run(HOUR);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 0);
	cr_expect(server().n == 1 && up_is(server().addrs[0], "1.1.1.1"));
}

Test(upstream_resolve, the_name_is_asked_for_and_then_the_server)
{
	prepare("1.1.1.1", NULL);
	up_start(NULL, 0);
	cr_expect_eq(W.jobs[JOB_STUN_BIND], 0);
	up_run(10 * SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 1);
	cr_expect_str_eq(W.last[JOB_RESOLVE].url, "stun.example.org");
	cr_expect(is_asked("1.1.1.1") && W.last[JOB_STUN_BIND].router_port == 3478);
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
	cr_expect(server().n == 1 && !server().problem);
}

Test(upstream_resolve, nobody_asks_where_nobody_wants_to_know)
{
	prepare("1.1.1.1", NULL);
	W.options.enable = false;
	up_start(NULL, 0);
	up_run(HOUR);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 0);
	up_world_end();
	prepare("1.1.1.1", NULL);
	W.n_links = 0;
	up_start(NULL, 0);
	up_run(HOUR);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 0, "without a WAN");
	up_link("wan0", 2, "fe80::1", "2001:db8:1::2");
	sim_init(&W.routers[W.n_routers++], "fe80::1", "::", 0);
	up_links_changed();
	up_run(HOUR);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 0, "of IPv6 alone");
}

Test(upstream_resolve, one_question_serves_all_wans)
{
	prepare("1.1.1.1", NULL);
	up_link("wan1", 3, "192.168.5.1", "192.168.5.2");
	sim_init(&W.routers[W.n_routers++], "192.168.5.1", "8.8.8.8", SIM_PCP);
	up_start(NULL, 0);
	up_run(10 * SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 1);
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
	cr_expect(up_is(up_link_view(1).stun, "8.8.8.8"));
}

static const struct lifetime {
	uint32_t told;
	uint64_t kept;
} lifetimes[] = {
	{ 0, MINUTE },	       { 1, MINUTE },
	{ 59, MINUTE },	       { 61, 61 * SECOND },
	{ 300, 300 * SECOND }, { 86400, 24 * HOUR },
	{ 86401, 24 * HOUR },  { UINT32_MAX, 24 * HOUR },
};

Test(upstream_resolve, a_lifetime_is_believed_from_a_minute_to_a_day)
{
	for (size_t i = 0; i < ARRAY_SIZE(lifetimes); i++) {
		prepare("1.1.1.1", NULL);
		W.options.check = 10 * MINUTE;
		W.name_lifetime = lifetimes[i].told;
		up_start(NULL, 0);
		up_run(lifetimes[i].kept - SECOND);
		cr_expect_eq(W.jobs[JOB_RESOLVE], 1, "%u", lifetimes[i].told);
		up_run(2 * SECOND);
		cr_expect_eq(W.jobs[JOB_RESOLVE], 2, "%u", lifetimes[i].told);
		up_world_end();
	}
	prepare(NULL, NULL);
}

Test(upstream_resolve, the_next_address_is_taken_where_one_is_silent)
{
	prepare("1.1.1.1", "1.1.1.2");
	W.stun_at = addr("1.1.1.2");
	up_start(NULL, 0);
	up_run(2 * MINUTE);
	cr_expect(is_asked("1.1.1.2"));
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
	cr_expect_eq(W.jobs[JOB_RESOLVE], 1);
	/* name servers tell them in another order: it stays the one that answers */
	W.names[0] = addr("1.1.1.2");
	W.names[1] = addr("1.1.1.1");
	up_run(5 * MINUTE);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 2);
	cr_expect(is_asked("1.1.1.2"));
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
}

Test(upstream_resolve, a_server_that_moved_is_asked_where_it_is_after_the_lifetime)
{
	prepare("1.1.1.1", NULL);
	up_start(NULL, 0);
	up_run(MINUTE);
	W.names[0] = addr("1.1.1.9");
	up_run(4 * MINUTE - 2 * SECOND);
	cr_expect(is_asked("1.1.1.1"));
	up_run(5 * SECOND);
	cr_expect(is_asked("1.1.1.9"), "at once");
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
}

Test(upstream_resolve, a_server_that_falls_silent_is_looked_for)
{
	prepare("1.1.1.1", NULL);
	W.name_lifetime = 86400;
	W.stun_at = addr("1.1.1.1");
	up_start(NULL, 0);
	up_run(10 * MINUTE);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 1);
	W.names[0] = W.stun_at = addr("1.1.1.9");
	up_run(5 * MINUTE);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 2);
	cr_expect(is_asked("1.1.1.9"));
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
}

Test(upstream_resolve, a_server_that_stays_silent_is_looked_for_ever_more_seldom)
{
	prepare("1.1.1.1", NULL);
	W.options.check = SECOND;
	W.stun_sees = address_any4;
	W.name_lifetime = 86400;
	up_start(NULL, 0);
	up_run(10 * MINUTE);
	cr_expect(W.jobs[JOB_RESOLVE] > 4 && W.jobs[JOB_RESOLVE] < 9, "%zu",
		  W.jobs[JOB_RESOLVE]);
	W.jobs[JOB_RESOLVE] = 0;
	up_run(24 * HOUR);
	cr_expect(W.jobs[JOB_RESOLVE] > 90 && W.jobs[JOB_RESOLVE] < 100, "%zu",
		  W.jobs[JOB_RESOLVE]);
	W.stun_sees = addr("8.8.8.8");
	up_run(MINUTE);
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
}

static const struct problem {
	int result;
	const char *words;
} problems[] = {
	{ -ENOENT, "there is no such name" },
	{ -ENODATA, "it has no IPv4 address" },
	{ -EADDRNOTAVAIL, "it has no address that a server can have" },
	{ -EDESTADDRREQ, "no name server is set up" },
	{ -EPROTO, "the name server's answer cannot be read" },
	{ -ETIMEDOUT, "no name server answers" },
	{ -EOPNOTSUPP, "no name server answers" },
};

Test(upstream_resolve, what_is_wrong_with_a_name_is_said_and_it_is_asked_for_ever)
{
	for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
		const struct problem *p = &problems[i];

		prepare("1.1.1.1", NULL);
		W.named = p->result;
		up_start(NULL, 0);
		up_run(SECOND);
		cr_assert(server().problem, "%d", p->result);
		cr_expect_str_eq(server().problem, p->words);
		cr_expect(strstr(up_link_view(0).why, p->words), "%s",
			  up_link_view(0).why);
		cr_expect(up_link_view(0).found, "nothing else suffers");
		up_run(10 * MINUTE);
		cr_expect(W.jobs[JOB_RESOLVE] > 4 && W.jobs[JOB_RESOLVE] < 9, "%zu",
			  W.jobs[JOB_RESOLVE]);
		W.jobs[JOB_RESOLVE] = 0;
		up_run(24 * HOUR);
		cr_expect(W.jobs[JOB_RESOLVE] > 90 && W.jobs[JOB_RESOLVE] < 100, "%zu",
			  W.jobs[JOB_RESOLVE]);
		W.named = 0;
		up_run(15 * MINUTE + 10 * SECOND);
		cr_expect(!server().problem && up_is(up_link_view(0).stun, "8.8.8.8"));
		cr_expect_not(strstr(up_link_view(0).why, "STUN"));
		up_world_end();
	}
	prepare(NULL, NULL);
}

Test(upstream_resolve, what_was_known_is_used_while_name_servers_are_silent)
{
	prepare("1.1.1.1", NULL);
	up_start(NULL, 0);
	up_run(MINUTE);
	W.named = -ETIMEDOUT;
	up_run(HOUR);
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
	cr_expect(!server().problem && server().n == 1);
	W.named = -ENOENT;
	up_run(16 * MINUTE);
	cr_expect(up_is(up_link_view(0).stun, "0.0.0.0"), "the name is gone");
	cr_expect_str_eq(server().problem, "there is no such name");
	W.jobs[JOB_STUN_BIND] = 0;
	up_run(MINUTE);
	cr_expect_eq(W.jobs[JOB_STUN_BIND], 0);
}

Test(upstream_resolve, another_wan_is_a_reason_to_ask_again)
{
	prepare("1.1.1.1", NULL);
	W.named = -ETIMEDOUT;
	up_start(NULL, 0);
	up_run(HOUR);
	W.named = 0;
	W.jobs[JOB_RESOLVE] = 0;
	W.links[0].source = W.links[0].addresses[0] = addr("192.168.0.3");
	up_links_changed();
	up_run(11 * SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 1);
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
}

Test(upstream_resolve, so_is_a_configuration_that_is_read_again)
{
	prepare("1.1.1.1", NULL);
	W.named = -EDESTADDRREQ;
	up_start(NULL, 0);
	up_run(HOUR);
	W.named = 0;
	cr_assert_eq(upstream_configure(W.up, &W.options, W.now), 0);
	up_run(11 * SECOND);
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
}

static void configure(const char *name)
{
	strcpy(W.options.stun_name, name);
	cr_assert_eq(upstream_configure(W.up, &W.options, W.now), 0);
	up_turn();
}

Test(upstream_resolve, another_name_is_another_server)
{
	prepare("1.1.1.1", NULL);
	up_start(NULL, 0);
	up_run(MINUTE);
	configure("stun.example.org");
	up_run(SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 1, "it is the same");
	W.names[0] = addr("1.1.1.9");
	configure("other.example.org");
	cr_expect_eq(server().n, 0);
	up_run(SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 2);
	cr_expect_str_eq(W.last[JOB_RESOLVE].url, "other.example.org");
	cr_expect(is_asked("1.1.1.9"));
	W.options.stun.addr = addr("1.1.1.7");
	configure("");
	up_run(SECOND);
	cr_expect(is_asked("1.1.1.7"));
	up_run(HOUR);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 2);
}

Test(upstream_resolve, a_worker_that_dies_of_it_is_no_answer)
{
	struct worker_answer late = { .kind = ANSWER_JOB, .job = JOB_RESOLVE };

	prepare("1.1.1.1", NULL);
	W.delay = 10 * MINUTE;
	up_start(NULL, 0);
	cr_assert_eq(W.jobs[JOB_RESOLVE], 1);
	late.serial = W.last[JOB_RESOLVE].serial;
	late.addresses[0] = addr("6.6.6.6");
	upstream_worker_gone(W.up, WORKER_RESOLVER, W.now);
	cr_expect_str_eq(server().problem, "no name server answers");
	upstream_answer(W.up, &late, W.now);
	cr_expect_eq(server().n, 0, "nobody waits for that any more");
	up_run(11 * SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 2);
}

Test(upstream_resolve, a_worker_that_says_nothing_is_given_up)
{
	prepare("1.1.1.1", NULL);
	W.delay = HOUR;
	up_start(NULL, 0);
	up_run((WORKER_RESOLVER_SECONDS + 11) * SECOND);
	cr_expect_str_eq(server().problem, "no name server answers");
	up_run(10 * SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 2);
}

Test(upstream_resolve, what_could_not_be_sent_is_due_again)
{
	prepare("1.1.1.1", NULL);
	W.delay = HOUR;
	up_start(NULL, 0);
	upstream_unsent(W.up, W.last[JOB_RESOLVE].serial, W.now);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 1);
	up_run(SECOND);
	cr_expect_eq(W.jobs[JOB_RESOLVE], 2);
}
