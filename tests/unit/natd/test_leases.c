/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/gateway/leases.h"
#include "tests/fake/alloc.h"

/*
 * A table that is nothing but ends of leases, and an engine that answers when the test
 * says so. Times of the timer are noted; with @hurry it fires at once, whatever they are.
 */

#define SECOND 1000u

static struct {
	uint64_t ends[20000]; /* by id, from 1; 0 = no lease, or gone */
	size_t n;
	int fail_expired, fail_submit, fail_timer;

	struct change_list list; /* of the open request */
	engine_answer done;
	void *userdata;
	unsigned int requests;

	bool hurry, refuses;
	uint64_t at; /* last the timer was set to, microseconds of CLOCK_BOOTTIME */
	unsigned int settings;
} world;

static struct lease_clock lease_clock;
static struct leases *leases;
static sd_event *event;

uint64_t table_next_expiry(const struct table *table)
{
	uint64_t first = 0;

	for (size_t i = 0; i < world.n; i++)
		if (world.ends[i] && (!first || world.ends[i] < first))
			first = world.ends[i];
	return first;
}

int table_expired(const struct table *table, uint64_t lease_now, size_t max,
		  struct change_list *ret)
{
	struct change change = { .kind = CHANGE_REMOVE, .expired = true };

	if (world.fail_expired)
		return -world.fail_expired;
	for (size_t i = 0; i < world.n && ret->n < max; i++) {
		if (!world.ends[i] || world.ends[i] > lease_now)
			continue;
		change.selector.id = i + 1;
		if (change_list_add(ret, &change) < 0)
			return -ENOMEM;
	}
	return 0;
}

int engine_submit(struct engine *engine, struct change_list *list, engine_answer done,
		  void *userdata)
{
	if (world.fail_submit) {
		change_list_done(list);
		return -world.fail_submit;
	}
	cr_assert_null(world.done, "one request at a time");
	world.list = *list;
	*list = (struct change_list){ 0 };
	world.done = done;
	world.userdata = userdata;
	world.requests++;
	return 0;
}

bool plan_refused(const struct plan *plan, size_t request)
{
	return world.refuses;
}

int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec);
int __real_sd_event_source_set_time(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_add_time(sd_event *e, sd_event_source **ret, clockid_t clock,
			     uint64_t usec, uint64_t accuracy,
			     sd_event_time_handler_t handler, void *userdata);
int __real_sd_event_add_time(sd_event *e, sd_event_source **ret, clockid_t clock,
			     uint64_t usec, uint64_t accuracy,
			     sd_event_time_handler_t handler, void *userdata);

int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec)
{
	world.at = usec;
	world.settings++;
	return __real_sd_event_source_set_time(source, world.hurry ? 0 : usec);
}

int __wrap_sd_event_add_time(sd_event *e, sd_event_source **ret, clockid_t clock,
			     uint64_t usec, uint64_t accuracy,
			     sd_event_time_handler_t handler, void *userdata)
{
	cr_expect_eq(clock, CLOCK_BOOTTIME);
	if (world.fail_timer)
		return -world.fail_timer;
	return __real_sd_event_add_time(e, ret, clock, usec, accuracy, handler, userdata);
}

static void set_up(void)
{
	const struct lease_anchor none = { .lease = 0 };

	cr_assert_eq(lease_clock_begin(&lease_clock, &none), 0);
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(leases_new(event, NULL, NULL, &lease_clock, &leases), 0);
}

static void tear_down(void)
{
	leases_free(leases);
	change_list_done(&world.list);
	sd_event_unref(event);
}

TestSuite(leases, .init = set_up, .fini = tear_down, .timeout = 30);

static void end_at(size_t id, uint64_t lease)
{
	world.ends[id - 1] = lease;
	if (world.n < id)
		world.n = id;
}

/* Return: did anything happen, in at most @seconds? */
static bool turn(unsigned int seconds)
{
	return sd_event_run(event, seconds * UINT64_C(1000000)) > 0;
}

static void answer(const struct problem *problem)
{
	const struct answer said = {
		.problem = problem,
		.changes = &world.list,
	};
	engine_answer done = world.done;

	cr_assert_not_null(done);
	world.done = NULL;
	for (size_t i = 0; !problem && !world.refuses && i < world.list.n; i++)
		world.ends[world.list.changes[i].selector.id - 1] = 0;
	done(world.userdata, &said);
	change_list_done(&world.list);
}

static void fault(enum verdict verdict)
{
	const struct problem problem = { .verdict = verdict,
					 .detail = "The disk is full." };

	answer(&problem);
}

/* From now on, in milliseconds, the timer fires. */
static int64_t waits(void)
{
	uint64_t now = lease_clock_boottime(&lease_clock, lease_clock_now(&lease_clock));

	return ((int64_t)world.at - (int64_t)now) / 1000;
}

/* ------------------------------------------------------------ when */

Test(leases, without_a_lease_nothing_fires)
{
	leases_rearm(leases);
	cr_expect_eq(world.settings, 0);
	cr_expect_not(turn(0));
	end_at(1, lease_clock_now(&lease_clock) + 1);
	leases_rearm(leases);
	world.ends[0] = 0;
	leases_rearm(leases);
	cr_expect_not(turn(2), "removed before its time");
	cr_expect_eq(world.requests, 0);
}

Test(leases, the_timer_is_set_to_the_end_of_the_second)
{
	uint64_t next = lease_clock_now(&lease_clock) / SECOND * SECOND + 100 * SECOND;

	for (unsigned int ms = 0; ms <= 2000; ms += 250) {
		uint64_t end = (next + ms + SECOND - 1) / SECOND * SECOND;

		end_at(1, next + ms);
		leases_rearm(leases);
		cr_expect_eq(world.at, lease_clock_boottime(&lease_clock, end), "%u", ms);
	}
	/* another that ends sooner */
	end_at(2, next - 5 * SECOND);
	leases_rearm(leases);
	cr_expect_eq(world.at, lease_clock_boottime(&lease_clock, next - 5 * SECOND));
}

/* By the real timer: not before its time, and in the second after it. */
Test(leases, a_lease_ends_in_time)
{
	uint64_t end, now;

	/* whole seconds of the lease clock are due in a moment */
	lease_clock.offset +=
		(int64_t)(SECOND - 100 - lease_clock_now(&lease_clock) % SECOND);
	end = lease_clock_now(&lease_clock) + 50;
	end_at(1, end);
	end_at(2, end + 5000);
	leases_rearm(leases);
	cr_assert(turn(10));
	now = lease_clock_now(&lease_clock);
	cr_expect_geq(now, end);
	cr_expect_leq(now, end + SECOND);
	cr_assert_eq(world.requests, 1);
	cr_expect_eq(world.list.n, 1);
	cr_expect_eq(world.list.changes[0].selector.id, 1);
	cr_expect(world.list.changes[0].expired);
	cr_expect_null(world.list.rights, "it is nobody's request");
	answer(NULL);
	cr_expect_leq(waits(), 6000);
	cr_expect_geq(waits(), 3000);
}

Test(leases, all_of_one_second_are_one_request)
{
	uint64_t second = lease_clock_now(&lease_clock) / SECOND * SECOND - 10 * SECOND;

	world.hurry = true;
	for (size_t i = 1; i <= 10000; i++)
		end_at(i, second + 1 + i % SECOND);
	leases_rearm(leases);
	cr_expect_eq(world.at, lease_clock_boottime(&lease_clock, second + SECOND));
	cr_assert(turn(10));
	cr_expect_eq(world.list.n, 10000);
	/* whatever is committed meanwhile */
	leases_rearm(leases);
	cr_expect_not(turn(0));
	answer(NULL);
	cr_expect_not(turn(0));
	cr_expect_eq(world.requests, 1);
}

Test(leases, one_that_was_renewed_is_left_alone)
{
	world.hurry = true;
	end_at(1, lease_clock_now(&lease_clock) + 3600 * SECOND);
	leases_rearm(leases);
	world.hurry = false;
	cr_assert(turn(1));
	cr_expect_eq(world.requests, 0);
	cr_expect_gt(waits(), 3590 * (int64_t)SECOND);
}

/* ------------------------------------------------------------ what fails is done again
 */

static void expired_one(void)
{
	world.hurry = true;
	end_at(1, lease_clock_now(&lease_clock) - 5 * SECOND);
	leases_rearm(leases);
	cr_assert(turn(1));
	cr_assert_eq(world.requests, 1);
}

Test(leases, after_a_fault_it_asks_again_and_less_and_less_often)
{
	static const int64_t seconds[] = { 0, 1, 2, 4, 8, 16, 32, 60, 60, 60 };

	expired_one();
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		fault(VERDICT_FAULT);
		cr_expect_leq(waits(), seconds[i] * SECOND, "try %zu", i);
		cr_expect_geq(waits(), seconds[i] * SECOND - 900, "try %zu: %lld", i,
			      (long long)waits());
		/* what others commit does not hurry it */
		world.settings = 0;
		leases_rearm(leases);
		cr_expect_eq(world.settings, 0);
		cr_assert(turn(1));
		cr_assert_eq(world.requests, i + 2);
		cr_expect_eq(world.list.n, 1);
	}
	answer(NULL);
	cr_expect_eq(world.ends[0], 0);

	/* and the next fault is the first again */
	end_at(2, lease_clock_now(&lease_clock) - SECOND);
	leases_rearm(leases);
	cr_assert(turn(1));
	fault(VERDICT_BUSY);
	cr_expect_leq(waits(), 0);
}

Test(leases, a_refusal_is_asked_again)
{
	expired_one();
	world.refuses = true;
	answer(NULL);
	cr_expect_leq(waits(), 0, "at once");
	world.refuses = false;
	cr_assert(turn(1));
	answer(NULL);
	cr_expect_eq(world.ends[0], 0);
	cr_expect_eq(world.requests, 2);
}

Test(leases, without_memory_it_asks_again)
{
	world.hurry = true;
	end_at(1, lease_clock_now(&lease_clock) - SECOND);
	leases_rearm(leases);
	world.fail_expired = ENOMEM;
	cr_assert(turn(1));
	cr_expect_eq(world.requests, 0);
	world.fail_expired = 0;
	world.fail_submit = ENOMEM;
	cr_assert(turn(1));
	cr_expect_eq(world.requests, 0);
	world.fail_submit = 0;
	cr_assert(turn(1));
	cr_expect_eq(world.requests, 1);
}

Test(leases, what_is_too_large_for_one_transaction_is_several)
{
	size_t largest = 0, left = 0;

	world.hurry = true;
	for (size_t i = 1; i <= 20000; i++)
		end_at(i, lease_clock_now(&lease_clock) - SECOND);
	leases_rearm(leases);
	while (turn(0)) {
		if (world.list.n > 3000) {
			fault(VERDICT_TOO_LARGE);
			continue;
		}
		if (world.list.n > largest)
			largest = world.list.n;
		answer(NULL);
	}
	for (size_t i = 0; i < world.n; i++)
		left += world.ends[i] != 0;
	cr_expect_eq(left, 0);
	cr_expect_gt(largest, 1500);
	cr_expect_lt(world.requests, 30, "%u", world.requests);
	/* a single one that does not fit is a fault like others */
	end_at(1, lease_clock_now(&lease_clock) - SECOND);
	leases_rearm(leases);
	for (int i = 0; i < 40; i++) {
		cr_assert(turn(1));
		fault(VERDICT_TOO_LARGE);
	}
	cr_expect_gt(waits(), 10 * (int64_t)SECOND);
}

Test(leases, what_it_is_made_of_may_be_refused)
{
	struct leases *other = NULL;

	alloc_fail_at(1, false);
	cr_expect_eq(leases_new(event, NULL, NULL, &lease_clock, &other), -ENOMEM);
	alloc_fail_at(0, false);
	world.fail_timer = ECHILD;
	cr_expect_eq(leases_new(event, NULL, NULL, &lease_clock, &other), -ECHILD);
	cr_expect_null(other);
	leases_free(NULL);
}
