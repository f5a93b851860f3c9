/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a router refuses, what it offers instead, and what makes no sense.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/natpmp.h"
#include "core/pcp.h"
#include "up_world.h"

TestSuite(upstream_refused, .fini = up_world_end);

static void follow(uint64_t id, uint8_t protocol, uint16_t port)
{
	const struct mapping m = up_mapping(id, protocol, port, 1);

	up_follow(&m);
}

static void follow_auto(uint64_t id, uint16_t port)
{
	struct mapping m = up_mapping(id, IPPROTO_TCP, port, 1);

	m.auto_port = true;
	up_follow(&m);
}

static const struct sim_entry *held(uint8_t protocol, uint16_t port)
{
	return sim_find(&W.routers[0], protocol, &W.links[0].source, port);
}

#define expect_state(id, is) cr_expect_eq(up_view(id).state, UPSTREAM_STATE_##is)

/* ------------------------------------------------------------ refused */

Test(upstream_refused, refusals_are_said_in_words_with_their_number)
{
	static const struct {
		unsigned int code;
		const char *words;
	} cases[] = {
		{ PCP_NOT_AUTHORIZED, "(PCP 2)" },
		{ PCP_NO_RESOURCES, "(PCP 8)" },
		{ PCP_USER_EX_QUOTA, "(PCP 10)" },
		{ PCP_CANNOT_PROVIDE_EXTERNAL, "(PCP 11)" },
		{ 99, "(PCP 99)" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		up_world_prepare(SIM_PCP);
		W.routers[0].pcp_error = cases[i].code;
		up_start(NULL, 0);
		follow(1, IPPROTO_TCP, 8080);
		up_run(SECOND);
		expect_state(1, REFUSED);
		cr_expect(strstr(up_view(1).why, cases[i].words), "%s", up_view(1).why);
		cr_expect_eq(up_count(UPSTREAM_EVENT_REFUSED), 1);
		cr_expect_str_eq(up_last(UPSTREAM_EVENT_REFUSED)->why, up_view(1).why);
		cr_expect_eq(up_link_view(0).refused, 1);
		up_world_end();
	}
}

Test(upstream_refused, nat_pmp_refuses_too)
{
	for (unsigned int code = 2; code <= 4; code++) {
		char number[16];

		up_world_prepare(SIM_NATPMP);
		W.routers[0].natpmp_error = code;
		up_start(NULL, 0);
		follow(1, IPPROTO_TCP, 8080);
		up_run(SECOND);
		expect_state(1, REFUSED);
		snprintf(number, sizeof(number), "(NAT-PMP %u)", code);
		cr_expect(strstr(up_view(1).why, number), "%s", up_view(1).why);
		up_world_end();
	}
}

Test(upstream_refused, a_refusal_is_waited_out)
{
	up_world_prepare(SIM_PCP);
	W.routers[0].pcp_error = PCP_NO_RESOURCES;
	W.routers[0].error_lifetime = 1800;
	up_start(NULL, 0);
	follow(1, IPPROTO_TCP, 8080);
	up_run(27 * MINUTE - SECOND);
	cr_expect_eq(W.jobs[JOB_PCP_MAP], 1);
	W.routers[0].pcp_error = 0;
	up_run(7 * MINUTE);
	expect_state(1, MAPPED);
}

Test(upstream_refused, refused_without_a_lifetime_is_after_5_minutes_and_ever_later)
{
	up_world_prepare(SIM_NATPMP);
	W.routers[0].natpmp_error = NATPMP_NO_RESOURCES;
	up_start(NULL, 0);
	follow(1, IPPROTO_TCP, 8080);
	up_run(6 * HOUR);
	cr_assert_geq(W.jobs[JOB_NATPMP_MAP], 7);
	for (size_t i = 1; i < 7; i++) {
		const uint64_t wait = i < 5 ? (5 * MINUTE) << (i - 1) : HOUR;
		const uint64_t was =
			W.times[JOB_NATPMP_MAP][i] - W.times[JOB_NATPMP_MAP][i - 1];

		cr_expect_geq(was, wait * 9 / 10, "%zu", i);
		cr_expect_leq(was, wait * 11 / 10 + 100, "%zu", i);
	}
}

Test(upstream_refused, pcp_that_maps_nothing_is_left_out_for_an_hour)
{
	up_world_prepare(SIM_PCP | SIM_NATPMP);
	W.routers[0].pcp_maps = false;
	up_start(NULL, 0);
	follow(1, IPPROTO_TCP, 8080);
	up_run(10 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_eq(up_view(1).speech, UPSTREAM_NATPMP);
	W.jobs[JOB_PCP_ANNOUNCE] = 0;
	W.routers[0].up = false;
	up_run(50 * MINUTE);
	cr_expect_eq(W.jobs[JOB_PCP_ANNOUNCE], 0);
	up_run(30 * MINUTE);
	cr_expect_neq(W.jobs[JOB_PCP_ANNOUNCE], 0);
}

/* ------------------------------------------------------------ another port */

Test(upstream_refused, another_port_that_is_not_wanted_is_given_back)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		up_world_prepare(speaks[i]);
		W.routers[0].lie_other_port = i == 0;
		up_start(NULL, 0);
		if (i == 1)
			sim_foreign(&W.routers[0], IPPROTO_TCP, 8080);
		if (i == 2)
			sim_foreign(&W.routers[0], IPPROTO_TCP, 8080);
		follow(1, IPPROTO_TCP, 8080);
		up_run(MINUTE);
		expect_state(1, REFUSED);
		cr_expect(strstr(up_view(1).why,
				 i == 2 ? "port 8080 is taken" : "instead of 8080"),
			  "%s", up_view(1).why);
		cr_expect_eq(sim_ours(&W.routers[0]), 0, "case %zu", i);
		cr_expect_eq(W.routers[0].wronged, 0);
		up_world_end();
	}
}

Test(upstream_refused, another_port_is_taken_where_natd_chose_the_first)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD,
					       SIM_IGD | SIM_IGD2 };

	for (size_t i = 0; i < 4; i++) {
		up_world_begin(speaks[i]);
		sim_foreign(&W.routers[0], IPPROTO_TCP, 8080);
		follow_auto(1, 8080);
		up_run(MINUTE);
		expect_state(1, MAPPED);
		cr_expect_neq(up_view(1).external.port, 8080);
		cr_expect_eq(up_view(1).external.port,
			     held(IPPROTO_TCP, 8080)->external_port);
		cr_expect_eq(W.routers[0].wronged, 0);
		up_forget(1);
		up_run(MINUTE);
		cr_expect_eq(sim_ours(&W.routers[0]), 0);
		up_world_end();
	}
}

Test(upstream_refused, another_port_is_taken_where_the_configuration_says_so)
{
	up_world_prepare(SIM_PCP);
	sim_foreign(&W.routers[0], IPPROTO_TCP, 8080);
	up_start(NULL, 0);
	follow(1, IPPROTO_TCP, 8080);
	up_run(MINUTE);
	expect_state(1, REFUSED);
	W.options.other_port = true;
	upstream_configure(W.up, &W.options, W.now);
	up_run(MINUTE);
	expect_state(1, MAPPED);
	cr_expect_neq(up_view(1).external.port, 8080);
	W.options.other_port = false;
	upstream_configure(W.up, &W.options, W.now);
	up_run(MINUTE);
	expect_state(1, REFUSED);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
}

Test(upstream_refused, answers_without_sense_are_never_held)
{
	for (size_t i = 0; i < 3; i++) {
		up_world_prepare(SIM_PCP);
		W.routers[0].lie_port_0 = i == 0;
		W.routers[0].lie_internal = i == 1;
		W.routers[0].lie_address = i == 2;
		up_start(NULL, 0);
		follow(1, IPPROTO_TCP, 8080);
		up_run(MINUTE);
		expect_state(1, REFUSED);
		cr_expect(strstr(up_view(1).why, "makes no sense: "), "%s",
			  up_view(1).why);
		cr_expect_eq(up_count(UPSTREAM_EVENT_MAPPED), 0);
		up_forget(1);
		up_run(MINUTE);
		cr_expect_eq(sim_ours(&W.routers[0]), 0);
		cr_expect_eq(W.n_rows, 0);
		up_world_end();
	}
}

/* A fault of natd's: said in words, and neither asked without end nor waited for. */
Test(upstream_refused, what_cannot_be_asked_is_refused_in_words)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };
	static const enum worker_job_kind kinds[] = { JOB_PCP_MAP, JOB_NATPMP_MAP,
						      JOB_IGD_READ };

	for (size_t i = 0; i < 3; i++) {
		struct worker_answer answer = { .kind = ANSWER_JOB,
						.job = kinds[i],
						.result = -EINVAL,
						.ifindex = 2 };

		up_world_begin(speaks[i]);
		up_run(10 * SECOND);
		W.routers[0].up = false;
		follow(1, IPPROTO_TCP, 8080);
		up_run(100);
		cr_assert_eq(W.jobs[kinds[i]], 1, "case %zu", i);
		answer.serial = W.last[kinds[i]].serial;
		answer.router = W.routers[0].addr;
		upstream_answer(W.up, &answer, W.now);
		expect_state(1, REFUSED);
		cr_expect(strstr(up_view(1).why, "natd cannot put this question"), "%s",
			  up_view(1).why);
		up_run(MINUTE);
		cr_expect_eq(W.jobs[kinds[i]], 1, "asked again at once, case %zu", i);
		up_world_end();
	}
}

Test(upstream_refused, a_withdrawal_that_cannot_be_asked_stays_pending)
{
	struct worker_answer answer = {
		.kind = ANSWER_JOB, .job = JOB_PCP_MAP, .result = -EINVAL, .ifindex = 2
	};

	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	up_run(MINUTE);
	expect_state(1, MAPPED);
	W.routers[0].up = false;
	up_forget(1);
	up_run(100);
	answer.serial = W.last[JOB_PCP_MAP].serial;
	answer.router = W.routers[0].addr;
	upstream_answer(W.up, &answer, W.now);
	cr_expect_eq(upstream_pending(W.up), 1);
	W.routers[0].up = true;
	up_run(MINUTE);
	cr_expect_eq(upstream_pending(W.up), 0);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
}

/* RFC 6886 3.5: how one says that the feature is switched off. */
Test(upstream_refused, nat_pmp_that_is_switched_off_is_not_spoken)
{
	struct worker_answer off = { .kind = ANSWER_JOB,
				     .job = JOB_NATPMP_ADDRESS,
				     .result = NATPMP_NOT_AUTHORIZED,
				     .ifindex = 2 };

	up_world_prepare(SIM_IGD);
	W.options.order[0] = UPSTREAM_NATPMP;
	W.options.order[1] = UPSTREAM_IGD;
	W.options.n_order = 2;
	up_start(NULL, 0);
	off.serial = W.last[JOB_NATPMP_ADDRESS].serial;
	off.router = W.routers[0].addr;
	upstream_answer(W.up, &off, W.now);
	up_run(10 * SECOND);
	cr_expect(up_link_view(0).found);
	cr_expect_eq(up_link_view(0).speech, UPSTREAM_IGD);
}

/* The first answer was lost, the second one refuses: the router holds it all the same. */
Test(upstream_refused, what_may_have_been_granted_before_is_withdrawn)
{
	up_world_begin(SIM_PCP);
	up_run(SECOND);
	W.delay = 4000;
	follow(1, IPPROTO_TCP, 8080);
	up_run(4 * SECOND);
	cr_assert_eq(W.jobs[JOB_PCP_MAP], 2);
	cr_assert_eq(sim_ours(&W.routers[0]), 1);
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		if (W.messages[i].is_answer)
			W.messages[i].at = 0;
	}
	W.routers[0].pcp_error = PCP_NOT_AUTHORIZED;
	W.delay = 2;
	up_run(10 * SECOND);
	expect_state(1, REFUSED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	up_forget(1);
	up_run(MINUTE);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	cr_expect_eq(W.n_rows, 0);
}
