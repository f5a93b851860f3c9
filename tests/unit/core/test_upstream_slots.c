/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What is asked of a router by PCP and NAT-PMP, and what becomes of it.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/natpmp.h"
#include "core/pcp.h"
#include "up_world.h"

TestSuite(upstream_slots, .fini = up_world_end);

static void follow(uint64_t id, uint8_t protocol, uint16_t port)
{
	const struct mapping m = up_mapping(id, protocol, port, 1);

	up_follow(&m);
}

static const struct sim_entry *held(uint8_t protocol, uint16_t port)
{
	return sim_find(&W.routers[0], protocol, &W.links[0].source, port);
}

#define expect_state(id, is) cr_expect_eq(up_view(id).state, UPSTREAM_STATE_##is)

/* ------------------------------------------------------------ asked and held */

Test(upstream_slots, a_mapping_is_asked_for_and_held)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		up_world_begin(speaks[i]);
		follow(1, IPPROTO_TCP, 8080);
		follow(2, IPPROTO_UDP, 8080);
		up_run(20 * SECOND);
		expect_state(1, MAPPED);
		expect_state(2, MAPPED);
		cr_expect_eq(sim_ours(&W.routers[0]), 2);
		cr_assert_not_null(held(IPPROTO_TCP, 8080));
		cr_expect_eq(held(IPPROTO_TCP, 8080)->external_port, 8080);
		cr_expect_eq(up_view(1).external.port, 8080);
		cr_expect_str_eq(up_view(1).wan, "wan0");
		cr_expect_eq(up_count(UPSTREAM_EVENT_MAPPED), 2);
		cr_expect_eq(up_last(UPSTREAM_EVENT_MAPPED)->external.port, 8080);
		cr_expect_eq(W.n_rows, 2);
		cr_expect_eq(up_link_view(0).held, 2);
		up_world_end();
	}
}

Test(upstream_slots, a_pcp_question_says_whose_port_and_where)
{
	const struct worker_job *job = &W.last[JOB_PCP_MAP];

	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_UDP, 8080);
	up_run(SECOND);
	cr_expect_eq(job->protocol, IPPROTO_UDP);
	cr_expect_eq(job->internal_port, 8080);
	cr_expect_eq(job->external_port, 8080);
	cr_expect(up_is(job->internal, "192.168.0.2"));
	cr_expect(up_is(job->source, "192.168.0.2"));
	cr_expect_eq(job->lifetime, 7200);
	cr_expect_eq(job->flags, JOB_FLAG_EXACT);
	cr_expect_arr_eq(job->nonce, W.rows[0].nonce, sizeof(job->nonce));
}

Test(upstream_slots, nothing_is_asked_before_its_row_is_saved)
{
	up_world_begin(SIM_PCP);
	up_run(SECOND);
	W.store_fails = true;
	follow(1, IPPROTO_TCP, 8080);
	up_run(MINUTE);
	cr_expect_eq(W.jobs[JOB_PCP_MAP], 0);
	expect_state(1, ASKING);
	W.store_fails = false;
	up_run(MINUTE);
	expect_state(1, MAPPED);
}

Test(upstream_slots, mappings_that_differ_in_who_may_connect_share_a_slot)
{
	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	follow(2, IPPROTO_TCP, 8080);
	up_run(SECOND);
	cr_expect_eq(W.n_rows, 1);
	up_forget(1);
	up_run(MINUTE);
	expect_state(2, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	up_forget(2);
	up_run(MINUTE);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_slots, a_range_is_a_question_for_each_port_and_more_than_64_are_none)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 9000, 64);

	up_world_begin(SIM_PCP);
	up_follow(&m);
	up_run(MINUTE);
	expect_state(1, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 64);
	cr_expect_eq(up_view(1).external.port, 9000);
	m.n_ports = 65;
	up_follow(&m);
	up_run(MINUTE);
	expect_state(1, OFF);
	cr_expect(strstr(up_view(1).why, "64 ports"), "%s", up_view(1).why);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	m.n_ports = 3;
	m.external.port = 9062;
	up_follow(&m);
	up_run(MINUTE);
	expect_state(1, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 3);
}

Test(upstream_slots, wishes_and_policies)
{
	static const bool goes[3][4] = {
		[UPSTREAM_ALL] = { true, true, false, true },
		[UPSTREAM_CHOSEN] = { false, true, false, true },
		[UPSTREAM_NONE] = { false, false, false, false },
	};

	up_world_begin(SIM_PCP);
	for (unsigned int wish = 0; wish < 4; wish++) {
		struct mapping m =
			up_mapping(1 + wish, IPPROTO_TCP, (uint16_t)(80 + wish), 1);

		m.upstream = (uint8_t)wish;
		up_follow(&m);
	}
	for (unsigned int policy = 0; policy < 3; policy++) {
		size_t n = 0;

		W.options.policy = policy;
		cr_assert_eq(upstream_configure(W.up, &W.options, W.now), 0);
		up_run(MINUTE);
		for (unsigned int wish = 0; wish < 4; wish++) {
			const bool there = held(IPPROTO_TCP, (uint16_t)(80 + wish));

			cr_expect_eq(there, goes[policy][wish], "%u %u", policy, wish);
			n += goes[policy][wish];
		}
		cr_expect_eq(W.n_rows, n);
	}
}

Test(upstream_slots, a_mapping_that_is_disabled_or_has_no_host_is_withdrawn)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	up_world_begin(SIM_PCP);
	up_follow(&m);
	up_run(SECOND);
	expect_state(1, MAPPED);
	m.enabled = false;
	up_follow(&m);
	up_run(SECOND);
	expect_state(1, OFF);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	m.enabled = true;
	m.host = address_any6;
	up_follow(&m);
	up_run(SECOND);
	expect_state(1, OFF);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
}

Test(upstream_slots, a_given_external_address_is_the_one_asked_for)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	up_world_prepare(SIM_PCP);
	address_parse("192.168.0.3", &W.links[0].addresses[1]);
	W.links[0].n_addresses = 2;
	up_start(NULL, 0);
	address_parse("192.168.0.3", &m.external.addr);
	up_follow(&m);
	up_run(SECOND);
	expect_state(1, MAPPED);
	cr_expect(up_is(W.last[JOB_PCP_MAP].internal, "192.168.0.3"));
	cr_expect(up_is(W.last[JOB_PCP_MAP].source, "192.168.0.3"));
	address_parse("192.168.7.7", &m.external.addr);
	up_follow(&m);
	up_run(SECOND);
	expect_state(1, OFF);
	cr_expect(strstr(up_view(1).why, "external address"), "%s", up_view(1).why);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
}

Test(upstream_slots, sctp_goes_by_pcp_only)
{
	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_SCTP, 8080);
	up_run(SECOND);
	expect_state(1, MAPPED);
	up_world_end();

	up_world_begin(SIM_NATPMP);
	follow(1, IPPROTO_SCTP, 8080);
	follow(2, IPPROTO_UDPLITE, 8080);
	up_run(MINUTE);
	expect_state(1, REFUSED);
	expect_state(2, REFUSED);
	cr_expect_str_eq(up_view(1).why, "NAT-PMP has no mappings of sctp");
	cr_expect_eq(W.jobs[JOB_NATPMP_MAP], 0);
	up_forget(1);
	up_run(SECOND);
	cr_expect_eq(W.n_rows, 0);
}

/* ------------------------------------------------------------ time */

Test(upstream_slots, pcp_is_renewed_between_a_half_and_five_eighths)
{
	uint64_t begin;

	for (up_seed = 1; up_seed < 20; up_seed++) {
		up_world_begin(SIM_PCP);
		/* a look at the router renews one, too */
		W.options.check = (uint32_t)(24 * HOUR);
		upstream_configure(W.up, &W.options, W.now);
		follow(1, IPPROTO_TCP, 8080);
		up_run(SECOND);
		begin = W.times[JOB_PCP_MAP][0];
		cr_assert_eq(W.jobs[JOB_PCP_MAP], 1);
		cr_expect_geq(up_view(1).renews, begin + 3600 * SECOND);
		cr_expect_leq(up_view(1).renews, begin + 4500 * SECOND + 10);
		cr_expect_geq(up_view(1).expires, begin + 7200 * SECOND);
		up_run(2 * HOUR);
		cr_expect_geq(W.jobs[JOB_PCP_MAP], 2);
		cr_expect_geq(W.times[JOB_PCP_MAP][1], begin + 3600 * SECOND);
		cr_expect_leq(W.times[JOB_PCP_MAP][1], begin + 4500 * SECOND + 10);
		expect_state(1, MAPPED);
		cr_expect_gt(up_view(1).expires, W.now);
		up_world_end();
	}
	up_seed = 1;
}

Test(upstream_slots, by_pcp_another_external_address_is_seen_with_the_next_look)
{
	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	follow(2, IPPROTO_TCP, 8081);
	up_run(SECOND);
	cr_assert_eq(W.jobs[JOB_PCP_MAP], 2);
	cr_assert_eq(address_parse("8.8.4.4", &W.routers[0].external), 0);
	up_run(W.options.check + SECOND);
	cr_expect(up_is(up_link_view(0).external, "8.8.4.4"));
	cr_expect(up_is(up_view(1).external.addr, "8.8.4.4"));
	cr_expect(up_is(up_view(2).external.addr, "8.8.4.4"));
	up_world_end();
}

Test(upstream_slots, nat_pmp_is_renewed_at_half)
{
	up_world_begin(SIM_NATPMP);
	follow(1, IPPROTO_TCP, 8080);
	up_run(2 * HOUR);
	cr_assert_eq(W.jobs[JOB_NATPMP_MAP], 2);
	cr_expect_leq(W.times[JOB_NATPMP_MAP][1] - W.times[JOB_NATPMP_MAP][0],
		      3600 * SECOND + 100);
	cr_expect_geq(W.times[JOB_NATPMP_MAP][1] - W.times[JOB_NATPMP_MAP][0],
		      3600 * SECOND);
}

Test(upstream_slots, a_short_lease_is_not_renewed_more_often_than_every_4_seconds)
{
	up_world_prepare(SIM_PCP);
	W.routers[0].lease_max = 1;
	up_start(NULL, 0);
	follow(1, IPPROTO_TCP, 8080);
	up_run(MINUTE);
	cr_expect_leq(W.jobs[JOB_PCP_MAP], 62);
	up_forget(1);
	up_run(MINUTE);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_slots, an_unanswered_pcp_question_is_asked_again_as_rfc_6887_says)
{
	up_world_begin(SIM_PCP);
	up_run(SECOND);
	W.options.check = HOUR;
	upstream_configure(W.up, &W.options, W.now);
	up_run(2 * MINUTE);
	W.loss = 100;
	follow(1, IPPROTO_TCP, 8080);
	up_run(2 * MINUTE);
	cr_assert_geq(W.jobs[JOB_PCP_MAP], 5);
	for (size_t i = 1; i < 5; i++) {
		const uint64_t wait = (3 * SECOND) << (i - 1);
		const uint64_t was =
			W.times[JOB_PCP_MAP][i] - W.times[JOB_PCP_MAP][i - 1];

		cr_expect_geq(was, wait * 9 / 10, "%zu", i);
		cr_expect_leq(was, wait * 11 / 10 + 1, "%zu", i);
	}
}

Test(upstream_slots, nat_pmp_is_asked_nine_times_and_with_the_next_check_again)
{
	up_world_begin(SIM_NATPMP);
	up_run(SECOND);
	W.options.check = 10 * MINUTE;
	upstream_configure(W.up, &W.options, W.now);
	up_run(2 * MINUTE);
	W.loss = 100;
	follow(1, IPPROTO_TCP, 8080);
	up_run(5 * MINUTE);
	cr_assert_eq(W.jobs[JOB_NATPMP_MAP], 9);
	for (size_t i = 1; i < 9; i++)
		cr_expect_eq(W.times[JOB_NATPMP_MAP][i] - W.times[JOB_NATPMP_MAP][i - 1],
			     UINT64_C(250) << (i - 1));
	expect_state(1, UNANSWERED);
	cr_expect_str_eq(up_view(1).why, "the router does not answer this question");
	W.loss = 0;
	up_run(10 * MINUTE);
	expect_state(1, MAPPED);
}

Test(upstream_slots, an_unanswered_renewal_holds_until_the_lifetime_is_over)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);
	uint64_t expires;

	m.upstream = UPSTREAM_REQUIRED;
	up_world_begin(SIM_PCP);
	up_follow(&m);
	up_run(SECOND);
	expires = up_view(1).expires;
	cr_assert_eq(up_count(UPSTREAM_EVENT_HELD), 1);
	W.routers[0].up = false;
	up_run(expires - W.now - 1);
	expect_state(1, MAPPED);
	cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 1);
	up_run(1);
	expect_state(1, NO_ROUTER);
	cr_assert_eq(up_count(UPSTREAM_EVENT_HELD), 2);
	cr_expect_not(up_last(UPSTREAM_EVENT_HELD)->held);
	W.routers[0].up = true;
	up_run(20 * MINUTE);
	expect_state(1, MAPPED);
	cr_expect(up_last(UPSTREAM_EVENT_HELD)->held);
}
