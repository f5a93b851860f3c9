/* SPDX-License-Identifier: GPL-2.0-or-later */

/* How slots end, and what they live through: withdrawal, a router that forgets, a natd
 * that starts again. */

#include <errno.h>
#include <string.h>

#include "core/pcp.h"
#include "up_world.h"

TestSuite(upstream_life, .fini = up_world_end);

static void follow(uint64_t id, uint8_t protocol, uint16_t port)
{
	const struct mapping m = up_mapping(id, protocol, port, 1);

	up_follow(&m);
}

#define expect_state(id, is) cr_expect_eq(up_view(id).state, UPSTREAM_STATE_##is)

/* ------------------------------------------------------------ withdrawn */

Test(upstream_life, what_nobody_wants_is_withdrawn_with_its_nonce)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		up_world_begin(speaks[i]);
		follow(1, IPPROTO_TCP, 8080);
		up_run(20 * SECOND);
		cr_assert_eq(sim_ours(&W.routers[0]), 1);
		up_forget(1);
		cr_expect_eq(upstream_pending(W.up), 1);
		up_run(SECOND);
		cr_expect_eq(sim_ours(&W.routers[0]), 0, "case %zu", i);
		cr_expect_eq(W.n_rows, 0);
		cr_expect_eq(upstream_pending(W.up), 0);
		expect_state(1, OFF);
		up_world_end();
	}
}

Test(upstream_life, a_withdrawal_that_is_not_answered_goes_on_until_the_lifetime_is_over)
{
	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	up_run(SECOND);
	W.routers[0].up = false;
	up_forget(1);
	up_run(HOUR);
	cr_expect_eq(W.n_rows, 1);
	cr_expect_eq(upstream_pending(W.up), 1);
	cr_expect_gt(W.jobs[JOB_PCP_MAP], 10);
	up_run(HOUR);
	cr_expect_eq(W.n_rows, 0);
	cr_expect_eq(upstream_pending(W.up), 0);
}

Test(upstream_life, what_was_never_granted_is_not_withdrawn)
{
	up_world_prepare(SIM_PCP);
	W.routers[0].pcp_error = PCP_NOT_AUTHORIZED;
	up_start(NULL, 0);
	follow(1, IPPROTO_TCP, 8080);
	up_run(SECOND);
	W.jobs[JOB_PCP_MAP] = 0;
	up_forget(1);
	up_run(MINUTE);
	cr_expect_eq(W.jobs[JOB_PCP_MAP], 0);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_life, a_slot_that_is_wanted_again_keeps_its_nonce)
{
	struct upstream_row before;

	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	up_run(SECOND);
	before = *up_row(IPPROTO_TCP, 8080);
	W.routers[0].up = false;
	up_forget(1);
	up_run(MINUTE);
	W.routers[0].up = true;
	follow(2, IPPROTO_TCP, 8080);
	up_run(20 * MINUTE);
	expect_state(2, MAPPED);
	cr_assert_not_null(up_row(IPPROTO_TCP, 8080));
	cr_expect_arr_eq(up_row(IPPROTO_TCP, 8080)->nonce, before.nonce, 12);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
}

Test(upstream_life, teardown_withdraws_everything)
{
	up_world_begin(SIM_PCP);
	for (uint16_t i = 1; i <= 20; i++)
		follow(i, IPPROTO_TCP, (uint16_t)(8000 + i));
	up_run(5 * SECOND);
	cr_assert_eq(sim_ours(&W.routers[0]), 20);
	upstream_withdraw(W.up, W.now);
	cr_expect_eq(upstream_pending(W.up), 20);
	up_run(5 * SECOND);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	cr_expect_eq(upstream_pending(W.up), 0);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_life, switched_off_everything_is_withdrawn)
{
	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	up_run(SECOND);
	W.options.enable = false;
	upstream_configure(W.up, &W.options, W.now);
	up_run(SECOND);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	cr_expect_eq(W.n_rows, 0);
	expect_state(1, OFF);
	cr_expect_eq(W.jobs[JOB_IGNORE], 1);
	W.options.enable = true;
	upstream_configure(W.up, &W.options, W.now);
	up_run(MINUTE);
	expect_state(1, MAPPED);
}

Test(upstream_life, a_row_of_a_router_that_is_gone_waits_until_it_is_back_or_over)
{
	for (int back = 0; back < 2; back++) {
		up_world_begin(SIM_PCP);
		follow(1, IPPROTO_TCP, 8080);
		up_run(SECOND);
		W.n_links = 0;
		up_links_changed();
		up_run(SECOND);
		expect_state(1, NO_ROUTER);
		cr_expect_eq(W.n_rows, 1);
		up_forget(1);
		up_run(HOUR);
		cr_expect_eq(W.n_rows, 1);
		cr_expect_eq(upstream_pending(W.up), 0);
		if (back) {
			W.n_links = 1;
			up_links_changed();
			up_run(SECOND);
			cr_expect_eq(sim_ours(&W.routers[0]), 0);
		} else {
			up_run(HOUR);
		}
		cr_expect_eq(W.n_rows, 0, "back %d", back);
		up_world_end();
	}
}

/* ------------------------------------------------------------ held */

Test(upstream_life, a_required_mapping_is_held_when_all_of_it_is)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 9000, 4);

	m.upstream = UPSTREAM_REQUIRED;
	up_world_prepare(SIM_PCP);
	sim_foreign(&W.routers[0], IPPROTO_TCP, 9003);
	up_start(NULL, 0);
	up_follow(&m);
	up_run(MINUTE);
	expect_state(1, REFUSED);
	cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 0);
	sim_restart(&W.routers[0], W.now);
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++)
		W.routers[0].entries[i].protocol = 0;
	up_announce(ANSWER_PCP_ANNOUNCE, &W.routers[0]);
	up_run(5 * SECOND);
	expect_state(1, MAPPED);
	cr_assert_eq(up_count(UPSTREAM_EVENT_HELD), 1);
	cr_expect(up_last(UPSTREAM_EVENT_HELD)->held);
	cr_expect_eq(up_last(UPSTREAM_EVENT_HELD)->id, 1);
	m.held = true;
	up_follow(&m);
	up_run(SECOND);
	cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 1);
	m.held = false;
	up_follow(&m);
	up_run(SECOND);
	cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 2, "what the table has is not so");
	m.held = true;
	m.enabled = false;
	up_follow(&m);
	up_run(SECOND);
	cr_expect_not(up_last(UPSTREAM_EVENT_HELD)->held);
}

/* ------------------------------------------------------------ its table is lost */

Test(upstream_life, everything_is_back_5_seconds_after_a_restart_is_announced)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP };
	static const enum worker_answer_kind kinds[] = { ANSWER_PCP_ANNOUNCE,
							 ANSWER_NATPMP_ANNOUNCE };

	for (size_t i = 0; i < 2; i++) {
		up_world_begin(speaks[i]);
		for (uint16_t n = 1; n <= 200; n++)
			follow(n, IPPROTO_TCP, (uint16_t)(8000 + n));
		up_run(MINUTE);
		cr_assert_eq(sim_ours(&W.routers[0]), 200);
		sim_restart(&W.routers[0], W.now);
		up_announce(kinds[i], &W.routers[0]);
		up_run(5 * SECOND);
		cr_expect_eq(sim_ours(&W.routers[0]), 200, "case %zu", i);
		expect_state(1, MAPPED);
		cr_expect_eq(up_count(UPSTREAM_EVENT_LOST), 0);
		up_world_end();
	}
}

Test(upstream_life, a_restart_that_is_not_announced_is_seen_with_the_next_check)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		up_world_begin(speaks[i]);
		for (uint16_t n = 1; n <= 5; n++)
			follow(n, IPPROTO_TCP, (uint16_t)(8000 + n));
		up_run(10 * MINUTE);
		cr_assert_eq(sim_ours(&W.routers[0]), 5);
		sim_restart(&W.routers[0], W.now);
		up_run(62 * SECOND);
		cr_expect_eq(sim_ours(&W.routers[0]), 5, "case %zu", i);
		up_world_end();
	}
}

Test(upstream_life, a_router_whose_clock_runs_a_little_wrong_has_lost_nothing)
{
	up_world_begin(SIM_PCP);
	for (uint16_t n = 1; n <= 10; n++)
		follow(n, IPPROTO_TCP, (uint16_t)(8000 + n));
	up_run(10 * SECOND);
	W.jobs[JOB_PCP_MAP] = 0;
	for (int i = 0; i < 50; i++) {
		/* 32 of 1000 too fast: RFC 6887 8.5 allows one in 16 */
		W.routers[0].booted -= 32 * 60;
		up_run(MINUTE);
	}
	/* one with each check */
	cr_expect_leq(W.jobs[JOB_PCP_MAP], 51);
}

Test(upstream_life, each_check_of_pcp_renews_one_in_turn_which_tells_the_address)
{
	up_world_begin(SIM_PCP);
	for (uint16_t n = 1; n <= 5; n++)
		follow(n, IPPROTO_TCP, (uint16_t)(8000 + n));
	up_run(10 * SECOND);
	address_parse("9.9.9.9", &W.routers[0].external);
	up_run(65 * SECOND);
	cr_expect(up_is(up_link_view(0).external, "9.9.9.9"));
	for (uint64_t n = 1; n <= 5; n++)
		cr_expect(up_is(up_view(n).external.addr, "9.9.9.9"), "%" PRIu64, n);
	cr_expect_eq(up_count(UPSTREAM_EVENT_ADDRESS), 2);
}

Test(upstream_life, a_router_that_contradicts_itself_is_not_asked_all_the_time)
{
	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	up_run(10 * SECOND);
	W.jobs[JOB_PCP_MAP] = 0;
	for (int i = 0; i < 3600; i++) {
		sim_restart(&W.routers[0], W.now);
		up_announce(ANSWER_PCP_ANNOUNCE, &W.routers[0]);
		up_run(500);
		W.routers[0].booted = 0;
		up_announce(ANSWER_PCP_ANNOUNCE, &W.routers[0]);
		up_run(500);
	}
	/* with each check, and ever more seldom beside that */
	cr_expect_leq(W.jobs[JOB_PCP_MAP], 60 + 30, "%zu", W.jobs[JOB_PCP_MAP]);
}

/* ------------------------------------------------------------ natd starts again */

Test(upstream_life, after_a_restart_rows_are_taken_over_under_their_nonces)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);
	struct upstream_row before;

	m.upstream = UPSTREAM_REQUIRED;
	for (size_t i = 0; i < 3; i++) {
		up_world_begin(speaks[i]);
		m.held = false;
		up_follow(&m);
		up_run(20 * SECOND);
		cr_assert_eq(up_count(UPSTREAM_EVENT_HELD), 1);
		before = W.rows[0];
		up_kill();
		up_forget_events();
		memset(W.jobs, 0, sizeof(W.jobs));
		m.held = true;
		up_start(&m, 1);
		expect_state(1, MAPPED);
		cr_expect_eq(up_view(1).external.port, 8080);
		up_run(MINUTE);
		expect_state(1, MAPPED);
		cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 0);
		cr_expect_eq(up_count(UPSTREAM_EVENT_MAPPED), 0);
		cr_expect_eq(W.jobs[JOB_PCP_MAP] + W.jobs[JOB_NATPMP_MAP] +
				     W.jobs[JOB_IGD_MAP],
			     1, "renewed soon");
		cr_assert_eq(W.n_rows, 1);
		cr_expect_eq(W.rows[0].id, before.id);
		cr_expect_arr_eq(W.rows[0].nonce, before.nonce, sizeof(before.nonce));
		cr_expect_eq(sim_ours(&W.routers[0]), 1);
		up_world_end();
	}
}

Test(upstream_life, after_a_restart_what_nobody_wants_is_withdrawn)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		up_world_begin(speaks[i]);
		follow(1, IPPROTO_TCP, 8080);
		up_run(20 * SECOND);
		up_kill();
		up_start(NULL, 0);
		up_run(20 * SECOND);
		cr_expect_eq(sim_ours(&W.routers[0]), 0, "case %zu", i);
		cr_expect_eq(W.n_rows, 0);
		up_world_end();
	}
}

Test(upstream_life, what_the_router_spoke_before_is_what_it_is_withdrawn_in)
{
	up_world_begin(SIM_IGD);
	follow(1, IPPROTO_TCP, 8080);
	up_run(20 * SECOND);
	cr_assert_eq(W.rows[0].speech, UPSTREAM_IGD);
	up_kill();
	W.routers[0].speaks = SIM_IGD | SIM_PCP;
	up_start(NULL, 0);
	up_run(20 * SECOND);
	cr_expect_eq(up_link_view(0).speech, UPSTREAM_PCP);
	cr_expect_eq(W.jobs[JOB_IGD_UNMAP], 1);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_life, what_is_held_stays_in_the_speech_it_was_asked_for_in)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	up_world_begin(SIM_IGD);
	up_follow(&m);
	up_run(20 * SECOND);
	up_kill();
	W.routers[0].speaks = SIM_IGD | SIM_PCP;
	up_start(&m, 1);
	up_run(20 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_eq(up_view(1).speech, UPSTREAM_IGD);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	cr_expect_eq(W.n_rows, 1);
}

Test(upstream_life, what_is_wanted_moves_to_what_the_router_speaks_now)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	up_world_begin(SIM_IGD);
	up_follow(&m);
	up_run(20 * SECOND);
	up_kill();
	W.routers[0].speaks = SIM_IGD | SIM_PCP;
	W.options.order[0] = UPSTREAM_PCP;
	W.options.n_order = 1;
	up_start(&m, 1);
	up_run(20 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_eq(up_view(1).speech, UPSTREAM_PCP);
	cr_expect_eq(W.rows[0].speech, UPSTREAM_PCP);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	cr_expect_eq(W.n_rows, 1);
}

/* ------------------------------------------------------------ many of them */

Test(upstream_life, two_hundred_mappings_get_through_to_a_slow_router_that_loses_much)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		up_world_prepare(speaks[i]);
		W.loss = 25;
		W.delay = 150;
		up_start(NULL, 0);
		for (uint16_t n = 1; n <= 200; n++)
			follow(n, IPPROTO_TCP, (uint16_t)(8000 + n));
		up_run(HOUR);
		W.loss = 0;
		up_run(10 * MINUTE);
		cr_expect_eq(sim_ours(&W.routers[0]), 200, "case %zu", i);
		cr_expect_eq(up_link_view(0).held, 200, "case %zu", i);
		up_world_end();
	}
}

Test(upstream_life, a_router_that_is_silent_holds_up_none_of_another_wan)
{
	up_world_prepare(SIM_PCP);
	sim_init(&W.routers[W.n_routers++], "10.0.0.1", "9.9.9.9", SIM_PCP);
	W.routers[1].ifindex = 3;
	W.routers[1].pcp_error = 0;
	up_link("wan1", 3, "10.0.0.1", "10.0.0.2");
	up_start(NULL, 0);
	up_run(SECOND);
	W.routers[0].up = false;
	for (uint16_t n = 1; n <= 50; n++)
		follow(n, IPPROTO_TCP, (uint16_t)(8000 + n));
	up_run(3 * SECOND);
	cr_expect_eq(sim_ours(&W.routers[1]), 50);
	cr_expect_str_eq(up_view(1).wan, "wan1");
	expect_state(1, MAPPED);
}

/* ------------------------------------------------------------ our address changes */

static void move_to(const char *source)
{
	so(address_parse(source, &W.links[0].source) == 0);
	W.links[0].addresses[0] = W.links[0].source;
	up_links_changed();
}

Test(upstream_life, another_address_of_ours_is_asked_for_and_the_former_withdrawn)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_IGD };

	for (size_t i = 0; i < 2; i++) {
		up_world_begin(speaks[i]);
		follow(1, IPPROTO_TCP, 8080);
		up_run(20 * SECOND);
		move_to("192.168.0.3");
		up_run(20 * MINUTE);
		expect_state(1, MAPPED);
		cr_expect_not_null(
			sim_find(&W.routers[0], IPPROTO_TCP, &W.links[0].source, 8080));
		cr_expect_eq(sim_ours(&W.routers[0]), 1, "case %zu", i);
		cr_expect_eq(W.n_rows, 1);
		up_world_end();
	}
}

/* NAT-PMP has no internal address in its questions: asked from the new one it would be
 * the new mapping that goes. */
Test(upstream_life, nat_pmp_of_a_former_address_is_left_to_end_by_itself)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	m.auto_port = true;
	up_world_begin(SIM_NATPMP);
	up_follow(&m);
	up_run(20 * SECOND);
	move_to("192.168.0.3");
	up_run(MINUTE);
	cr_expect_eq(W.n_rows, 2);
	cr_expect_eq(sim_ours(&W.routers[0]), 2);
	cr_expect(up_is(W.last[JOB_NATPMP_MAP].source, "192.168.0.3"));
	cr_expect_neq(W.last[JOB_NATPMP_MAP].lifetime, 0);
	up_run(3 * HOUR);
	cr_expect_eq(W.n_rows, 1);
	expect_state(1, MAPPED);
}

Test(upstream_life, another_gateway_is_another_router)
{
	uint8_t nonce[WORKER_NONCE_LEN];

	up_world_begin(SIM_PCP);
	follow(1, IPPROTO_TCP, 8080);
	up_run(SECOND);
	memcpy(nonce, W.rows[0].nonce, sizeof(nonce));
	sim_init(&W.routers[W.n_routers++], "192.168.0.254", "9.9.9.9", SIM_PCP);
	address_parse("192.168.0.254", &W.links[0].gateway);
	up_links_changed();
	up_run(SECOND);
	expect_state(1, MAPPED);
	cr_expect(up_is(up_view(1).external.addr, "9.9.9.9"));
	cr_expect_eq(sim_ours(&W.routers[1]), 1);
	cr_expect_neq(memcmp(nonce, W.last[JOB_PCP_MAP].nonce, sizeof(nonce)), 0);
	cr_expect_eq(W.n_rows, 2);
	up_run(2 * HOUR);
	cr_expect_eq(W.n_rows, 1, "the former's lifetime is over");
}
