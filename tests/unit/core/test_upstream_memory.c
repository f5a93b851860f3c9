/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Running out of memory changes nothing that was, is said, and is made up for; and many
 * slots cost no more each than few.
 */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "heap.h"
#include "up_world.h"

TestSuite(upstream_memory, .fini = up_world_end);

#define MANY 4000

static void zeros(void *buf, size_t n)
{
	static uint64_t counter;

	memset(buf, 0, n);
	counter++;
	memcpy(buf, &counter, n < sizeof(counter) ? n : sizeof(counter));
}

static int make_one(void *userdata)
{
	struct upstream *up;
	int r = upstream_new(userdata, zeros, &up);

	if (r == 0)
		upstream_free(up);
	return r;
}

Test(upstream_memory, making_one_without_any_fails_cleanly)
{
	struct upstream_options options;

	upstream_options_default(&options);
	cr_expect_eq(heap_exhaust(make_one, &options), 6);
}

/** struct attempt - on a state machine of its own, since what is done cannot be undone */
struct attempt {
	struct upstream_options options;
	struct upstream_link link;
	struct upstream_row row;
	struct mapping mapping;
	int (*act)(struct upstream *up, const struct attempt *a);
};

static int attempt(void *userdata)
{
	struct attempt *a = userdata;
	struct upstream *up;
	int r;

	heap_pause();
	cr_assert_eq(upstream_new(&a->options, zeros, &up), 0);
	heap_resume();
	r = a->act(up, a);
	upstream_free(up);
	return r;
}

static int restore(struct upstream *up, const struct attempt *a)
{
	return upstream_restore(up, &a->row);
}

static int set_links(struct upstream *up, const struct attempt *a)
{
	int r = upstream_set_links(up, &a->link, 1, 1000);

	cr_assert_eq(upstream_link_count(up), r == 0);
	return r;
}

static int follow(struct upstream *up, const struct attempt *a)
{
	struct upstream_view view;
	int r;

	heap_pause();
	cr_assert_eq(upstream_set_links(up, &a->link, 1, 1000), 0);
	heap_resume();
	r = upstream_follow(up, &a->mapping, 1000);
	upstream_view(up, a->mapping.id, &view);
	cr_assert_eq(view.state, r == 0 ? UPSTREAM_STATE_NO_ROUTER : UPSTREAM_STATE_OFF);
	return r;
}

static int configure(struct upstream *up, const struct attempt *a)
{
	struct upstream_options options = a->options;

	heap_pause();
	options.policy = UPSTREAM_NONE;
	cr_assert_eq(upstream_configure(up, &options, 1000), 0);
	cr_assert_eq(upstream_set_links(up, &a->link, 1, 1000), 0);
	cr_assert_eq(upstream_follow(up, &a->mapping, 1000), 0);
	heap_resume();
	return upstream_configure(up, &a->options, 1000);
}

static struct attempt an_attempt(void)
{
	struct attempt a = { .mapping = up_mapping(1, IPPROTO_TCP, 8000, 20) };

	up_world_prepare(0);
	a.options = W.options;
	a.link = W.links[0];
	a.row = (struct upstream_row){
		.id = 1, .wan = "wan0", .protocol = IPPROTO_TCP, .internal_port = 80
	};
	a.row.router = a.link.gateway;
	a.row.internal = a.link.source;
	a.row.external = address_any4;
	return a;
}

Test(upstream_memory, whatever_is_told_without_any_is_as_it_was)
{
	static int (*const acts[])(struct upstream *,
				   const struct attempt *) = { restore, set_links, follow,
							       configure };

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct attempt a = an_attempt();

		a.act = acts[i];
		cr_expect_gt(heap_exhaust(attempt, &a), 1, "%zu", i);
	}
}

Test(upstream_memory, a_mapping_that_had_no_memory_is_asked_for_a_second_later)
{
	const struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	up_world_begin(SIM_PCP);
	up_run(SECOND);
	heap_fail_at(2);
	cr_expect_eq(upstream_follow(W.up, &m, W.now), -ENOMEM);
	heap_fail_at(0);
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_OFF);
	cr_expect_str_eq(up_view(1).why, "there is no memory to ask for it");
	up_run(2 * SECOND);
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_MAPPED);
}

Test(upstream_memory, answers_jobs_rows_and_events_need_none)
{
	static const unsigned int speaks[] = { SIM_PCP, SIM_NATPMP, SIM_IGD };

	for (size_t i = 0; i < 3; i++) {
		const struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 3);
		size_t before;

		up_world_begin(speaks[i]);
		up_follow(&m);
		before = heap_blocks();
		up_run(HOUR);
		cr_expect_eq(up_view(1).state, UPSTREAM_STATE_MAPPED);
		cr_expect_eq(heap_blocks(), before);
		up_world_end();
	}
}

/* ------------------------------------------------------------ many of them */

static double seconds_of(size_t n)
{
	struct timespec begin, end;
	struct worker_job job;
	struct upstream_row row;
	uint64_t now = 1000;
	bool gone;

	W.options.policy = UPSTREAM_ALL;
	cr_assert_eq(upstream_new(&W.options, zeros, &W.up), 0);
	cr_assert_eq(upstream_set_links(W.up, W.links, 1, now), 0);
	upstream_begin(W.up, now);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (size_t i = 0; i < n; i++) {
		const struct mapping m =
			up_mapping(1 + i, IPPROTO_TCP, (uint16_t)(1 + i), 1);

		cr_assert_eq(upstream_follow(W.up, &m, now), 0);
	}
	for (size_t jobs = 0; jobs < 3 * n; now = upstream_due(W.up)) {
		while (upstream_next_row(W.up, &row, &gone))
			continue;
		upstream_rows_saved(W.up, now);
		while (upstream_next_job(W.up, WORKER_DATAGRAM, now, &job)) {
			struct worker_answer answer;

			jobs++;
			if (sim_answer(&W.routers[0], &job, now, &answer))
				upstream_answer(W.up, &answer, now);
		}
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	upstream_free(W.up);
	W.up = NULL;
	return (double)(end.tv_sec - begin.tv_sec) +
	       (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

/* Others have the processor, too. */
static double least_of(size_t n)
{
	double least = seconds_of(n);

	for (int i = 0; i < 4; i++) {
		const double again = seconds_of(n);

		least = again < least ? again : least;
	}
	return least;
}

/* The simulated router refuses: its own table is small, and searched. */
Test(upstream_memory, four_thousand_slots_cost_no_more_each_than_four_hundred)
{
	double few, many;

	up_world_prepare(SIM_PCP);
	W.routers[0].pcp_error = 8;
	few = least_of(MANY / 10);
	many = least_of(MANY);
	/* quadratic would be 100 times */
	cr_expect_lt(many, 40 * few + 0.05, "%f s and %f s", few, many);
}
