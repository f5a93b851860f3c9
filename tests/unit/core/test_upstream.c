/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Whether a router is there, and what it speaks.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "up_world.h"

TestSuite(upstream, .fini = up_world_end);

static void follow_tcp(uint64_t id, uint16_t port)
{
	const struct mapping m = up_mapping(id, IPPROTO_TCP, port, 1);

	up_follow(&m);
}

Test(upstream, words_are_read_as_they_are_written)
{
	enum upstream_speech speech;
	enum upstream_state state;
	enum upstream_verdict verdict;

	for (unsigned int i = 0; i < UPSTREAM_SPEECHES; i++) {
		cr_assert_eq(upstream_speech_parse(upstream_speech_name(i), &speech), 0);
		cr_expect_eq(speech, i);
	}
	for (unsigned int i = 0; i < UPSTREAM_STATES; i++) {
		cr_assert_eq(upstream_state_parse(upstream_state_name(i), &state), 0);
		cr_expect_eq(state, i);
	}
	for (unsigned int i = 0; i <= UPSTREAM_UNKNOWN; i++) {
		cr_assert_eq(upstream_verdict_parse(upstream_verdict_name(i), &verdict),
			     0);
		cr_expect_eq(verdict, i);
	}
	cr_expect_eq(upstream_speech_parse("natpmp", &speech), -EINVAL);
	cr_expect_eq(upstream_state_parse("", &state), -EINVAL);
	cr_expect_eq(upstream_verdict_parse("PUBLIC", &verdict), -EINVAL);
}

Test(upstream, pcp_is_asked_at_0_250_750_and_1750_ms)
{
	uint64_t begin;

	up_world_begin(0);
	begin = W.now;
	up_run(10 * SECOND);
	cr_assert_eq(W.jobs[JOB_PCP_ANNOUNCE], 4);
	cr_expect_eq(W.times[JOB_PCP_ANNOUNCE][0] - begin, 0);
	cr_expect_eq(W.times[JOB_PCP_ANNOUNCE][1] - begin, 250);
	cr_expect_eq(W.times[JOB_PCP_ANNOUNCE][2] - begin, 750);
	cr_expect_eq(W.times[JOB_PCP_ANNOUNCE][3] - begin, 1750);
	cr_expect_eq(W.times[JOB_NATPMP_ADDRESS][0] - begin, 3750);
}

Test(upstream, then_nat_pmp_and_then_a_search_for_an_igd)
{
	up_world_begin(0);
	up_run(20 * SECOND);
	cr_expect_eq(W.jobs[JOB_PCP_ANNOUNCE], 4);
	cr_expect_eq(W.jobs[JOB_NATPMP_ADDRESS], 4);
	cr_expect_eq(W.jobs[JOB_SSDP_SEARCH], 2);
	cr_expect_eq(W.times[JOB_SSDP_SEARCH][1] - W.times[JOB_SSDP_SEARCH][0],
		     2 * SECOND);
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_OFF);
	cr_expect_not(up_link_view(0).found);
}

Test(upstream, a_router_is_found_in_the_first_protocol_that_it_speaks)
{
	static const struct {
		unsigned int speaks;
		enum upstream_speech speech;
	} cases[] = {
		{ SIM_PCP | SIM_NATPMP | SIM_IGD, UPSTREAM_PCP },
		{ SIM_PCP, UPSTREAM_PCP },
		{ SIM_NATPMP | SIM_IGD, UPSTREAM_NATPMP },
		{ SIM_IGD, UPSTREAM_IGD },
		{ SIM_IGD | SIM_IGD2, UPSTREAM_IGD },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		up_world_begin(cases[i].speaks);
		up_run(15 * SECOND);
		cr_expect(up_link_view(0).found, "case %zu", i);
		cr_expect_eq(up_link_view(0).speech, cases[i].speech, "case %zu", i);
		cr_expect_eq(up_count(UPSTREAM_EVENT_FOUND), 1, "case %zu", i);
		cr_expect_eq(up_last(UPSTREAM_EVENT_FOUND)->speech, cases[i].speech);
		up_world_end();
	}
}

Test(upstream, the_order_is_the_configurations)
{
	up_world_prepare(SIM_PCP | SIM_NATPMP | SIM_IGD);
	W.options.order[0] = UPSTREAM_IGD;
	W.options.order[1] = UPSTREAM_NATPMP;
	W.options.n_order = 2;
	up_start(NULL, 0);
	up_run(15 * SECOND);
	cr_expect_eq(up_link_view(0).speech, UPSTREAM_IGD);
	cr_expect_eq(W.jobs[JOB_PCP_ANNOUNCE], 0);
	cr_expect_str_eq(up_link_view(0).name, "Simulated router");
}

Test(upstream, who_answers_pcp_in_nat_pmp_is_asked_in_that_at_once)
{
	up_world_begin(SIM_NATPMP);
	up_run(100);
	cr_expect_eq(W.jobs[JOB_PCP_ANNOUNCE], 1);
	cr_expect(up_link_view(0).found);
	cr_expect_eq(up_link_view(0).speech, UPSTREAM_NATPMP);
}

Test(upstream, who_refuses_connections_is_not_waited_for)
{
	up_world_prepare(0);
	W.routers[0].up = false;
	W.routers[0].refusing = true;
	up_start(NULL, 0);
	up_run(100);
	cr_expect_eq(W.jobs[JOB_PCP_ANNOUNCE], 1);
	cr_expect_eq(W.jobs[JOB_NATPMP_ADDRESS], 1);
}

Test(upstream, where_nobody_answers_it_is_tried_again_ever_more_seldom)
{
	uint64_t times[8] = { 0 };
	size_t n = 0;

	up_world_begin(0);
	while (n < 8) {
		const size_t before = W.jobs[JOB_PCP_ANNOUNCE];

		up_run(SECOND);
		if (W.jobs[JOB_PCP_ANNOUNCE] > before &&
		    (n == 0 || W.now > times[n - 1] + 20 * SECOND))
			times[n++] = W.now;
		cr_assert_lt(W.now, 3 * HOUR);
	}
	for (size_t i = 1; i < 8; i++) {
		const uint64_t rest = i < 6 ? (30 * SECOND) << (i - 1) : 15 * MINUTE;

		cr_expect_geq(times[i] - times[i - 1], rest * 9 / 10, "%zu", i);
		cr_expect_leq(times[i] - times[i - 1], rest * 11 / 10 + 15 * SECOND,
			      "%zu", i);
	}
}

Test(upstream, an_announcement_ends_the_wait_and_once_a_second_only)
{
	up_world_begin(0);
	up_run(10 * MINUTE);
	W.routers[0].speaks = SIM_PCP;
	up_announce(ANSWER_PCP_ANNOUNCE, &W.routers[0]);
	up_run(10);
	cr_expect(up_link_view(0).found);

	W.routers[0].speaks = 0;
	up_run(5 * MINUTE);
	cr_assert_not(up_link_view(0).found);
	up_run(20 * SECOND);
	W.jobs[JOB_PCP_ANNOUNCE] = 0;
	for (int i = 0; i < 100; i++) {
		up_announce(ANSWER_PCP_ANNOUNCE, &W.routers[0]);
		up_run(10);
	}
	cr_expect_leq(W.jobs[JOB_PCP_ANNOUNCE], 4);
}

Test(upstream, alive_of_an_igd_ends_the_wait)
{
	up_world_begin(0);
	up_run(10 * MINUTE);
	W.routers[0].speaks = SIM_IGD;
	up_announce(ANSWER_SSDP_ALIVE, &W.routers[0]);
	up_run(15 * SECOND);
	cr_expect(up_link_view(0).found);
}

Test(upstream, an_announcement_of_anybody_else_is_none)
{
	struct sim_router other;

	up_world_begin(0);
	up_run(10 * MINUTE);
	W.routers[0].speaks = SIM_PCP;
	sim_init(&other, "192.168.0.9", "8.8.8.8", SIM_PCP);
	up_announce(ANSWER_PCP_ANNOUNCE, &other);
	up_run(SECOND);
	cr_expect_not(up_link_view(0).found);
}

Test(upstream, a_given_url_is_opened_without_a_search)
{
	up_world_prepare(SIM_IGD);
	strcpy(W.options.url, "http://192.168.0.1:5000/rootDesc.xml");
	W.options.order[0] = UPSTREAM_IGD;
	W.options.n_order = 1;
	up_start(NULL, 0);
	up_run(SECOND);
	cr_expect(up_link_view(0).found);
	cr_expect_eq(W.jobs[JOB_SSDP_SEARCH], 0);
}

Test(upstream, a_given_url_of_another_host_is_not_opened)
{
	up_world_prepare(SIM_IGD);
	strcpy(W.options.url, "http://192.168.0.9:5000/rootDesc.xml");
	up_start(NULL, 0);
	up_run(MINUTE);
	cr_expect_eq(W.jobs[JOB_IGD_OPEN], 0);
	cr_expect_eq(W.jobs[JOB_SSDP_SEARCH], 0);
}

/* An answer to the search that is under way. */
static void answer_search(const char *url)
{
	struct worker_answer answer = {
		.serial = W.last[JOB_SSDP_SEARCH].serial,
		.kind = ANSWER_JOB,
		.job = JOB_SSDP_SEARCH,
		.ifindex = 2,
		.router = W.routers[0].addr,
	};

	strcpy(answer.url, url);
	upstream_answer(W.up, &answer, W.now);
}

static void answer_open(int result, uint8_t igd)
{
	struct worker_answer answer = {
		.serial = W.last[JOB_IGD_OPEN].serial,
		.kind = ANSWER_JOB,
		.job = JOB_IGD_OPEN,
		.result = result,
		.ifindex = 2,
		.igd = igd,
		.router = W.routers[0].addr,
	};

	upstream_answer(W.up, &answer, W.now);
	W.igd_busy = 0;
	up_turn();
}

static void begin_search(size_t n)
{
	char url[64];

	up_world_prepare(0);
	W.options.order[0] = UPSTREAM_IGD;
	W.options.n_order = 1;
	/* what the simulated router answers is not waited for */
	W.delay = 3600 * 1000;
	up_start(NULL, 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(url, sizeof(url), "http://192.168.0.1:%zu/", 5000 + i);
		answer_search(url);
		answer_search(url);
	}
	up_run(2 * SECOND);
}

Test(upstream, of_several_devices_the_connected_one_is_taken)
{
	begin_search(3);
	cr_assert_str_eq(W.last[JOB_IGD_OPEN].url, "http://192.168.0.1:5000/");
	answer_open(0, 0);
	cr_assert_str_eq(W.last[JOB_IGD_OPEN].url, "http://192.168.0.1:5001/");
	answer_open(0, IGD_CONNECTED);
	cr_expect_eq(W.jobs[JOB_IGD_OPEN], 2);
	cr_expect_str_eq(W.last[JOB_IGD_ADDRESS].url, "http://192.168.0.1:5001/");
}

Test(upstream, where_none_is_connected_the_first_that_can_be_read_is_taken)
{
	begin_search(3);
	answer_open(-EPROTO, 0);
	answer_open(0, IGD_V2);
	answer_open(0, 0);
	cr_expect_str_eq(W.last[JOB_IGD_ADDRESS].url, "http://192.168.0.1:5001/");
}

Test(upstream, four_devices_are_opened_at_most)
{
	begin_search(9);
	for (int i = 0; i < 9; i++)
		answer_open(-ETIMEDOUT, 0);
	cr_expect_eq(W.jobs[JOB_IGD_OPEN], 4);
	cr_expect_eq(W.jobs[JOB_IGD_ADDRESS], 0);
}

Test(upstream, a_router_is_looked_at_with_every_check)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };
	static const enum worker_job_kind kinds[] = { JOB_PCP_ANNOUNCE,
						      JOB_NATPMP_ADDRESS,
						      JOB_IGD_ADDRESS };

	for (size_t i = 0; i < 3; i++) {
		size_t before;

		up_world_begin(speaks[i]);
		up_run(15 * SECOND);
		before = W.jobs[kinds[i]];
		up_run(10 * MINUTE);
		cr_expect_eq(W.jobs[kinds[i]] - before, 10, "case %zu", i);
		cr_expect_geq(up_link_view(0).answered, W.now - MINUTE, "case %zu", i);
		up_world_end();
	}
}

Test(upstream, three_checks_without_an_answer_are_a_router_lost)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		up_world_begin(speaks[i]);
		follow_tcp(1, 8080);
		up_run(20 * SECOND);
		cr_assert_eq(up_view(1).state, UPSTREAM_STATE_MAPPED, "case %zu", i);
		W.routers[0].up = false;
		up_run(3 * MINUTE);
		cr_expect_not(up_link_view(0).found, "case %zu", i);
		cr_expect_eq(up_count(UPSTREAM_EVENT_LOST), 1, "case %zu", i);
		cr_expect_eq(up_view(1).state, UPSTREAM_STATE_MAPPED,
			     "it keeps its lifetime, case %zu", i);
		W.routers[0].up = true;
		up_run(20 * MINUTE);
		cr_expect(up_link_view(0).found, "case %zu", i);
		cr_expect_eq(up_count(UPSTREAM_EVENT_FOUND), 2, "case %zu", i);
		up_world_end();
	}
}

Test(upstream, without_enable_nobody_is_asked_or_listened_to)
{
	up_world_prepare(SIM_PCP | SIM_NATPMP | SIM_IGD);
	W.options.enable = false;
	up_start(NULL, 0);
	follow_tcp(1, 8080);
	up_run(HOUR);
	for (size_t i = 0; i < JOB_KINDS; i++)
		cr_expect_eq(W.jobs[i], 0);
	cr_expect_eq(upstream_due(W.up), UINT64_MAX);
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_OFF);
}

Test(upstream, a_router_is_listened_to_and_again_when_that_failed)
{
	struct worker_answer failed = {
		.kind = ANSWER_JOB,
		.job = JOB_LISTEN,
		.result = -EADDRINUSE,
		.ifindex = 2,
	};

	up_world_begin(SIM_PCP);
	cr_assert_eq(W.jobs[JOB_LISTEN], 1);
	failed.serial = W.last[JOB_LISTEN].serial;
	failed.router = W.routers[0].addr;
	upstream_answer(W.up, &failed, W.now);
	up_run(2 * MINUTE);
	cr_expect_eq(W.jobs[JOB_LISTEN], 2);
	upstream_worker_gone(W.up, WORKER_DATAGRAM, W.now);
	up_run(10);
	cr_expect_eq(W.jobs[JOB_LISTEN], 3);
	W.n_links = 0;
	up_links_changed();
	up_run(10);
	cr_expect_eq(W.jobs[JOB_IGNORE], 1);
}

Test(upstream, what_could_not_be_sent_is_due_again_soon)
{
	struct worker_job job;
	size_t n = 0;

	up_world_prepare(SIM_PCP);
	W.options.enable = true;
	up_start(NULL, 0);
	W.now += HOUR;
	while (upstream_next_job(W.up, WORKER_DATAGRAM, W.now, &job) && n++ < 10)
		upstream_unsent(W.up, job.serial, W.now);
	cr_expect_leq(n, 2);
	cr_expect_gt(upstream_due(W.up), W.now);
	cr_expect_leq(upstream_due(W.up), W.now + 100);
	upstream_unsent(W.up, 0, W.now);
	upstream_unsent(W.up, 4711, W.now);
	up_run(10 * SECOND);
	cr_expect(up_link_view(0).found);
}

Test(upstream, another_link_is_looked_at_and_the_first_one_stays_as_it_is)
{
	up_world_begin(SIM_PCP);
	up_run(SECOND);
	sim_init(&W.routers[W.n_routers++], "10.0.0.1", "9.9.9.9", SIM_NATPMP);
	W.routers[1].ifindex = 3;
	up_link("wan1", 3, "10.0.0.1", "10.0.0.2");
	W.jobs[JOB_PCP_ANNOUNCE] = 0;
	up_links_changed();
	up_run(SECOND);
	cr_assert_eq(upstream_link_count(W.up), 2);
	cr_expect(up_link_view(0).found);
	cr_expect_str_eq(up_link_view(1).wan, "wan1");
	cr_expect_eq(up_link_view(1).speech, UPSTREAM_NATPMP);
	cr_expect_eq(up_count(UPSTREAM_EVENT_LOST), 0);
	cr_expect_eq(W.jobs[JOB_PCP_ANNOUNCE], 1);
}

Test(upstream, of_more_links_than_there_is_room_for_the_first_are_taken)
{
	struct upstream_link links[UPSTREAM_LINKS_MAX + 1];

	up_world_begin(0);
	for (size_t i = 0; i <= UPSTREAM_LINKS_MAX; i++) {
		links[i] = W.links[0];
		snprintf(links[i].wan, sizeof(links[i].wan), "wan%zu", i);
	}
	cr_expect_eq(upstream_set_links(W.up, links, UPSTREAM_LINKS_MAX + 1, W.now),
		     -E2BIG);
	cr_expect_eq(upstream_link_count(W.up), UPSTREAM_LINKS_MAX);
}

Test(upstream, its_own_address_of_a_nat_pmp_router_and_of_an_igd_is_followed)
{
	static const unsigned int speaks[] = { SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 2; i++) {
		const char *now_at = "8.8.8.8";

		up_world_begin(speaks[i]);
		follow_tcp(1, 8080);
		up_run(20 * SECOND);
		cr_assert_eq(up_count(UPSTREAM_EVENT_ADDRESS), 1);
		cr_expect(up_is(up_view(1).external.addr, now_at));
		now_at = "9.9.9.9";
		address_parse(now_at, &W.routers[0].external);
		up_run(2 * MINUTE);
		cr_expect_eq(up_count(UPSTREAM_EVENT_ADDRESS), 2, "case %zu", i);
		cr_expect_eq(up_count(UPSTREAM_EVENT_MAPPED), 2, "case %zu", i);
		cr_expect(up_is(up_view(1).external.addr, now_at));
		up_world_end();
	}
}

Test(upstream, pcp_says_its_address_with_a_mapping)
{
	const char *now_at = "8.8.8.8";

	up_world_begin(SIM_PCP);
	up_run(10 * SECOND);
	cr_expect(up_is(up_link_view(0).external, "0.0.0.0"));
	follow_tcp(1, 8080);
	follow_tcp(2, 8081);
	up_run(10 * SECOND);
	cr_expect(up_is(up_link_view(0).external, now_at));
	now_at = "9.9.9.9";
	address_parse(now_at, &W.routers[0].external);
	up_run(2 * HOUR);
	cr_expect(up_is(up_link_view(0).external, now_at));
	cr_expect(up_is(up_view(1).external.addr, now_at));
	cr_expect(up_is(up_view(2).external.addr, now_at));
	cr_expect_eq(up_count(UPSTREAM_EVENT_ADDRESS), 2);
	up_forget(1);
	up_forget(2);
	up_run(MINUTE);
	cr_expect(up_is(up_link_view(0).external, "0.0.0.0"));
}
