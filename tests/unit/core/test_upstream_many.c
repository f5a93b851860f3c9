/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * 60,000 slots at one router: what a turn and a check of the router cost does not grow
 * with how many there are, and each costs little memory.
 */

#include <time.h>

#include "core/pcp.h"
#include "heap.h"
#include "up_world.h"

#define FEW	  500
#define MANY	  60000
#define CHECKS	  400
#define SLOT_COST 1024 /* bytes, with the mapping that it is for */

static struct upstream *up;
static uint64_t now;
static unsigned int refusal;
static size_t asked;
static struct in6_addr router, external;

static void zeros(void *buf, size_t n)
{
	memset(buf, 0, n);
}

static void answer(const struct worker_job *job)
{
	const bool map = job->kind == JOB_PCP_MAP || job->kind == JOB_NATPMP_MAP;
	struct worker_answer said = { .serial = job->serial,
				      .kind = ANSWER_JOB,
				      .job = job->kind,
				      .result = map ? (int)refusal : 0,
				      .ifindex = job->ifindex,
				      .router = job->router,
				      .internal = job->internal,
				      .external = external,
				      .epoch = (uint32_t)(now / 1000),
				      .lifetime = map ? 86400 : 0,
				      .internal_port = job->internal_port,
				      .external_port = job->internal_port,
				      .protocol = job->protocol };

	memcpy(said.nonce, job->nonce, sizeof(said.nonce));
	upstream_answer(up, &said, now);
}

static void save_rows(void)
{
	struct upstream_row row;
	bool gone;

	upstream_rows_anew(up);
	while (upstream_next_row(up, &row, &gone))
		continue;
	upstream_rows_saved(up, now);
}

static void take_turn(void)
{
	struct upstream_event event;
	struct worker_job job;

	while (upstream_next_job(up, WORKER_DATAGRAM, now, &job)) {
		asked += job.kind == JOB_PCP_MAP || job.kind == JOB_NATPMP_MAP;
		if (job.kind != JOB_LISTEN)
			answer(&job);
	}
	while (upstream_next_event(up, &event))
		continue;
}

/* @n slots, all of them asked for. */
static void begin(enum upstream_speech speech, unsigned int result, size_t n)
{
	struct upstream_link link = { .wan = "wan0", .ifindex = 2, .n_addresses = 1 };
	struct upstream_options options;

	upstream_options_default(&options);
	options.enable = true;
	options.check = 1000;
	options.lifetime = 86400;
	options.order[0] = (uint8_t)speech;
	options.n_order = 1;
	refusal = result;
	asked = 0;
	now = 1000;
	address_parse("192.168.0.1", &router);
	address_parse("192.168.0.2", &link.source);
	address_parse("8.8.8.8", &external);
	link.gateway = router;
	link.addresses[0] = link.source;
	cr_assert_eq(upstream_new(&options, zeros, &up), 0);
	cr_assert_eq(upstream_set_links(up, &link, 1, now), 0);
	upstream_begin(up, now);
	for (size_t i = 0; i < n; i++) {
		const struct mapping m =
			up_mapping(1 + i, IPPROTO_TCP, (uint16_t)(1 + i), 1);

		cr_assert_eq(upstream_follow(up, &m, now), 0);
	}
	take_turn();
	save_rows();
	while (asked < n) {
		now += 20;
		take_turn();
		if (now % 10000 == 0)
			save_rows();
	}
	save_rows();
}

static double cpu(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

/* Turns of an idle natd, with a check of the router in each. */
static double cost_of_checks(void)
{
	const double began = cpu();

	for (size_t i = 0; i < CHECKS; i++) {
		now += 1200;
		upstream_tick(up, now);
		take_turn();
		cr_assert_not(upstream_waits_for_rows(up));
		cr_assert_geq(upstream_due(up), now);
	}
	return cpu() - began;
}

/* Rows that have time, and are looked through with each turn until it has come. */
static double cost_of_lazy_rows(void)
{
	double began;

	external.s6_addr[15] ^= 1;
	now += 1200;
	take_turn();
	began = cpu();
	for (size_t i = 0; i < CHECKS; i++)
		cr_assert_not(upstream_waits_for_rows(up));
	return cpu() - began;
}

static double least_cost(enum upstream_speech speech, unsigned int result, size_t n,
			 double (*cost)(void))
{
	double least = 1e9;

	begin(speech, result, n);
	for (int i = 0; i < 3; i++) {
		const double again = cost();

		least = again < least ? again : least;
	}
	upstream_free(up);
	return least;
}

static void expect_constant(enum upstream_speech speech, unsigned int result,
			    double (*cost)(void))
{
	const double few = least_cost(speech, result, FEW, cost);
	const double many = least_cost(speech, result, MANY, cost);

	/* as many times as there are slots would be 120 */
	cr_expect_lt(many, 12 * few + 0.002, "%f s and %f s", few, many);
}

Test(upstream_many, a_check_costs_the_same_whatever_is_held, .timeout = 120)
{
	expect_constant(UPSTREAM_PCP, 0, cost_of_checks);
}

Test(upstream_many, a_check_costs_the_same_whatever_is_refused, .timeout = 120)
{
	expect_constant(UPSTREAM_PCP, PCP_USER_EX_QUOTA, cost_of_checks);
}

Test(upstream_many, rows_that_have_time_cost_nothing_meanwhile, .timeout = 120)
{
	expect_constant(UPSTREAM_NATPMP, 0, cost_of_lazy_rows);
}

Test(upstream_many, a_slot_costs_at_most_a_kilobyte, .timeout = 120)
{
	const size_t before = heap_held();

	begin(UPSTREAM_PCP, 0, MANY);
	cr_expect_lt((heap_held() - before) / MANY, SLOT_COST, "%zu bytes each",
		     (heap_held() - before) / MANY);
	upstream_free(up);
	cr_expect_eq(heap_held(), before);
}
