/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A natd that starts finds out whether the router has started, too, while it was not
 * there: by the epoch that stands in the rows. */

#include <string.h>

#include "core/cleanup.h"
#include "core/natpmp.h"
#include "core/pcp.h"
#include "up_world.h"

#define N 5

static struct mapping table[40];

static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP };

TestSuite(upstream_epoch, .fini = up_world_end);

static size_t asked(void)
{
	return W.jobs[JOB_PCP_MAP] + W.jobs[JOB_NATPMP_MAP];
}

static size_t count(enum upstream_state state, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += up_view(table[i].id).state == state;
	return found;
}

/* @n mappings that need the router have it, and it has been there for an hour. */
static void hold_and_stop(unsigned int speech, size_t n)
{
	up_world_begin(speech);
	up_run(HOUR);
	for (size_t i = 0; i < n; i++) {
		table[i] = up_mapping(i + 1, IPPROTO_TCP, (uint16_t)(8000 + i), 1);
		table[i].upstream = UPSTREAM_REQUIRED;
		up_follow(&table[i]);
	}
	up_run(MINUTE + 10 * SECOND);
	cr_assert_eq(count(UPSTREAM_STATE_MAPPED, n), n);
	for (size_t i = 0; i < n; i++)
		table[i].held = true;
	up_kill();
}

static void start_again(size_t n)
{
	up_forget_events();
	memset(W.jobs, 0, sizeof(W.jobs));
	up_start(table, n);
}

static bool is_found(void)
{
	return up_link_view(0).found;
}

static bool are_held(void)
{
	return sim_ours(&W.routers[0]) == N && count(UPSTREAM_STATE_MAPPED, N) == N;
}

/* ------------------------------------------------------------ what rows say */

Test(upstream_epoch, stands_in_a_row_when_the_router_has_granted_it)
{
	for (size_t i = 0; i < 2; i++) {
		hold_and_stop(speaks[i], 1);
		cr_assert_eq(W.n_rows, 1);
		cr_expect_neq(W.rows[0].epoch_at, 0);
		cr_expect_gt(W.rows[0].epoch, 3600);
		cr_expect_leq(W.rows[0].epoch - W.rows[0].epoch_at / 1000, 1);
		up_world_end();
	}
}

Test(upstream_epoch, does_not_stand_where_nothing_is_granted_or_upnp_has_none)
{
	static const unsigned int all[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		const struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

		up_world_begin(all[i]);
		W.routers[0].pcp_error = PCP_NOT_AUTHORIZED;
		W.routers[0].natpmp_error = NATPMP_NO_RESOURCES;
		up_follow(&m);
		up_run(20 * SECOND);
		cr_assert_eq(W.n_rows, 1);
		cr_expect_eq(W.rows[0].epoch_at, 0);
		cr_expect_eq(W.rows[0].epoch, 0);
		up_world_end();
	}
}

/* What NAT-PMP's check tells every minute. */
Test(upstream_epoch, is_not_written_because_it_is_told_anew)
{
	struct upstream_row before;

	hold_and_stop(SIM_NATPMP, 1);
	start_again(1);
	up_run(MINUTE);
	before = W.rows[0];
	up_run(30 * MINUTE);
	cr_expect_gt(W.jobs[JOB_NATPMP_ADDRESS], 30);
	cr_expect_arr_eq(&W.rows[0], &before, sizeof(before));
	up_run(HOUR);
	cr_expect_neq(W.rows[0].epoch, before.epoch, "with the renewal");
}

/* ------------------------------------------------------------ it went on */

Test(upstream_epoch, that_goes_on_has_nothing_asked_twice_and_nothing_doubted)
{
	static const uint64_t away[] = { 0, SECOND, MINUTE, 55 * MINUTE, 110 * MINUTE };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(away); i++) {
		hold_and_stop(speaks[i % 2], N);
		W.now += away[i / 2];
		start_again(N);
		cr_expect_eq(count(UPSTREAM_STATE_MAPPED, N), N);
		cr_assert(up_run_until(is_found, 5 * SECOND));
		cr_expect_eq(count(UPSTREAM_STATE_MAPPED, N), N, "case %zu", i);
		up_run(30 * SECOND);
		cr_expect(are_held());
		cr_expect_eq(asked(), N, "case %zu: %zu", i, asked());
		cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 0);
		up_world_end();
	}
}

/* RFC 6887 8.5 allows a clock that is wrong by 1 in 16; RFC 6886 3.6 by 1 in 8. */
Test(upstream_epoch, that_is_a_little_slow_or_fast_goes_on)
{
	for (size_t i = 0; i < 4; i++) {
		hold_and_stop(speaks[i % 2], N);
		W.now += HOUR;
		W.routers[0].booted += i / 2 ? 2 * MINUTE : -2 * MINUTE;
		start_again(N);
		cr_assert(up_run_until(is_found, 5 * SECOND));
		cr_expect_eq(count(UPSTREAM_STATE_MAPPED, N), N, "case %zu", i);
		up_world_end();
	}
}

/* ------------------------------------------------------------ it began anew */

Test(upstream_epoch, that_began_meanwhile_has_all_asked_again_at_once)
{
	static const uint64_t away[] = { 10 * SECOND, MINUTE, 55 * MINUTE, 110 * MINUTE };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(away); i++) {
		hold_and_stop(speaks[i % 2], N);
		W.now += away[i / 2] / 2;
		sim_restart(&W.routers[0], W.now);
		W.now += away[i / 2] / 2;
		start_again(N);
		cr_assert(up_run_until(is_found, 5 * SECOND));
		cr_expect_eq(count(UPSTREAM_STATE_ASKING, N), N, "case %zu", i);
		cr_assert(up_run_until(are_held, 2 * SECOND), "case %zu", i);
		cr_expect_eq(asked(), N, "case %zu: %zu", i, asked());
		up_run(30 * SECOND);
		cr_expect_eq(asked(), N, "case %zu: %zu", i, asked());
		/* it is asked and grants: the kernel goes on with them */
		cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 0);
		cr_expect_eq(up_count(UPSTREAM_EVENT_REFUSED), 0);
		for (size_t row = 0; row < W.n_rows; row++)
			cr_expect_lt(W.rows[row].epoch, 60 * 60);
		up_world_end();
	}
}

Test(upstream_epoch, that_began_meanwhile_and_refuses_holds_nothing)
{
	for (size_t i = 0; i < 2; i++) {
		hold_and_stop(speaks[i], N);
		sim_restart(&W.routers[0], W.now);
		W.routers[0].pcp_error = PCP_NOT_AUTHORIZED;
		W.routers[0].natpmp_error = NATPMP_NO_RESOURCES;
		W.now += MINUTE;
		start_again(N);
		up_run(2 * SECOND);
		cr_expect_eq(count(UPSTREAM_STATE_REFUSED, N), N, "case %zu", i);
		cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), N);
		cr_expect_not(up_last(UPSTREAM_EVENT_HELD)->held);
		up_world_end();
	}
}

/* Of a router that holds them they would be held until their lifetime is over. */
Test(upstream_epoch, that_began_meanwhile_and_falls_silent_holds_nothing)
{
	for (size_t i = 0; i < 4; i++) {
		const bool began = i / 2;

		hold_and_stop(speaks[i % 2], N);
		if (began)
			sim_restart(&W.routers[0], W.now);
		W.now += MINUTE;
		start_again(N);
		cr_assert(up_run_until(is_found, 5 * SECOND));
		W.routers[0].up = false;
		up_run(10 * MINUTE);
		cr_expect_eq(count(UPSTREAM_STATE_MAPPED, N), began ? 0 : N, "case %zu",
			     i);
		cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), began ? N : 0);
		up_world_end();
	}
}

/* Killed when a part of it was back: of each row its own epoch counts. */
Test(upstream_epoch, is_told_apart_for_each_row)
{
	const size_t n = ARRAY_SIZE(table);

	for (size_t i = 0; i < 2; i++) {
		hold_and_stop(speaks[i], n);
		start_again(n);
		up_run(MINUTE);
		sim_restart(&W.routers[0], W.now);
		up_announce(i ? ANSWER_NATPMP_ANNOUNCE : ANSWER_PCP_ANNOUNCE,
			    &W.routers[0]);
		up_run(n / 2 * 20);
		cr_assert_gt(sim_ours(&W.routers[0]), 5);
		cr_assert_lt(sim_ours(&W.routers[0]), n - 5);
		up_kill();
		start_again(n);
		cr_assert(up_run_until(is_found, 5 * SECOND));
		for (size_t k = 0; k < n; k++) {
			const struct upstream_row *row =
				up_row(IPPROTO_TCP, table[k].external.port);

			cr_expect_eq(up_view(table[k].id).state,
				     row->epoch < 60 ? UPSTREAM_STATE_MAPPED
						     : UPSTREAM_STATE_ASKING);
		}
		cr_expect_gt(count(UPSTREAM_STATE_MAPPED, n), 4);
		cr_expect_gt(count(UPSTREAM_STATE_ASKING, n), 4);
		up_run(5 * SECOND);
		cr_expect_eq(count(UPSTREAM_STATE_MAPPED, n), n);
		up_world_end();
	}
}

/* What was to be given up, and is wanted before the router was asked to. */
Test(upstream_epoch, that_is_over_is_no_reason_to_keep_what_leaves)
{
	const size_t n = ARRAY_SIZE(table);

	for (int began = 0; began < 2; began++) {
		hold_and_stop(SIM_PCP, n);
		if (began)
			sim_restart(&W.routers[0], W.now);
		W.now += MINUTE;
		start_again(0);
		cr_assert(up_run_until(is_found, 5 * SECOND));
		up_follow(&table[n - 1]);
		cr_expect_eq(up_view(n).state,
			     began ? UPSTREAM_STATE_ASKING : UPSTREAM_STATE_MAPPED);
		up_run(MINUTE);
		cr_expect_eq(up_view(n).state, UPSTREAM_STATE_MAPPED);
		cr_expect_eq(sim_ours(&W.routers[0]), 1);
		up_world_end();
	}
}

static void restore(uint64_t id, enum upstream_speech speech, uint32_t epoch)
{
	struct upstream_row *row = &W.rows[W.n_rows++];

	*row = (struct upstream_row){
		.id = id,
		.epoch = epoch,
		.epoch_at = W.now - MINUTE + id,
		.expires = W.now + HOUR,
		.wan = "wan0",
		.router = W.links[0].gateway,
		.internal = W.links[0].source,
		.internal_port = (uint16_t)(8000 + id),
		.external_port = (uint16_t)(8000 + id),
		.protocol = IPPROTO_TCP,
		.speech = (uint8_t)speech,
	};
	address_parse("8.8.8.8", &row->external);
	table[id] = up_mapping(id, IPPROTO_TCP, row->internal_port, 1);
}

/* Each protocol has one of its own. */
Test(upstream_epoch, of_another_protocol_says_nothing)
{
	up_world_prepare(SIM_NATPMP);
	W.routers[0].booted = W.now - HOUR;
	W.options.order[0] = UPSTREAM_NATPMP;
	W.options.n_order = 1;
	restore(0, UPSTREAM_NATPMP, 59 * 60);
	W.rows[0].id = table[0].id = 7;
	restore(1, UPSTREAM_PCP, 1000000000);
	start_again(2);
	cr_assert(up_run_until(is_found, 5 * SECOND));
	cr_expect_eq(up_view(7).state, UPSTREAM_STATE_MAPPED);
}

/* ------------------------------------------------------------ the clock */

/* Over a reboot the lease clock may be wrong, by what the wall clock is; without its
 * anchor it may be behind. The router's is not. */
static void step_clock(int64_t ms)
{
	W.now += (uint64_t)ms;
	W.routers[0].booted += (uint64_t)ms;
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
		if (W.routers[0].entries[i].expires)
			W.routers[0].entries[i].expires += (uint64_t)ms;
	}
}

Test(upstream_epoch, is_believed_to_be_another_at_worst_when_our_clock_is_wrong)
{
	static const int64_t steps[] = { -30 * (int64_t)MINUTE, -5 * (int64_t)MINUTE,
					 30 * (int64_t)MINUTE };

	for (size_t i = 0; i < 4 * ARRAY_SIZE(steps); i++) {
		hold_and_stop(speaks[i % 2], N);
		W.now += MINUTE;
		if (i / 2 % 2)
			sim_restart(&W.routers[0], W.now);
		W.now += MINUTE;
		step_clock(steps[i / 4]);
		start_again(N);
		cr_assert(up_run_until(is_found, 5 * SECOND));
		if (i / 2 % 2)
			cr_expect_eq(count(UPSTREAM_STATE_ASKING, N), N, "case %zu", i);
		cr_assert(up_run_until(are_held, 2 * SECOND), "case %zu", i);
		up_run(30 * SECOND);
		cr_expect_eq(asked(), N, "case %zu: %zu", i, asked());
		cr_expect_eq(up_count(UPSTREAM_EVENT_HELD), 0);
		up_world_end();
	}
}
