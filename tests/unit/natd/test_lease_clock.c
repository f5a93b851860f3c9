/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/lease_clock.h"

#define SECOND	 UINT64_C(1000)
#define HOUR	 (3600 * SECOND)
#define NOW	 (UINT64_C(1795000000) * SECOND) /* late in 2026 */
#define RTC_LOST (UINT64_C(30) * SECOND)	 /* half a minute into 1970 */

static const uint8_t first_boot[16] = { 1, 2, 3 }, second_boot[16] = { 9, 8, 7 };
static const uint8_t unknown_boot[16];

/* What the lease clock shows at @boottime, as lease_clock_now() has it. */
static uint64_t shows(const struct lease_clock *clock, uint64_t boottime)
{
	return boottime + (uint64_t)clock->offset;
}

/* As lease_clock_anchor() has it, at a moment of the test's choice. */
static struct lease_anchor anchor_at(const struct lease_clock *clock, uint64_t boottime,
				     uint64_t wall)
{
	struct lease_anchor anchor = {
		.offset = clock->offset,
		.lease = shows(clock, boottime),
		.wall = wall,
	};

	memcpy(anchor.boot, clock->boot, sizeof(anchor.boot));
	return anchor;
}

static struct lease_clock begun(uint64_t boottime, uint64_t wall)
{
	const struct lease_anchor none = { .lease = 0 };
	struct lease_clock clock;

	lease_clock_go_on(&clock, &none, first_boot, boottime, wall);
	return clock;
}

/* ------------------------------------------------------------ going on */

Test(lease_clock, begins_as_the_wall_clock)
{
	struct lease_clock clock = begun(5 * SECOND, NOW);

	cr_expect_eq(shows(&clock, 5 * SECOND), NOW);
	cr_expect_eq(shows(&clock, 65 * SECOND), NOW + 60 * SECOND);
	cr_expect_arr_eq(clock.boot, first_boot, 16);
}

/*
 * natd stopped at 100 s of CLOCK_BOOTTIME, with an anchor; it starts again as the case
 * says. What should have passed on the lease clock?
 */
struct restart {
	const char *what;
	const uint8_t *boot;
	uint64_t boottime, wall, passed;
};

static const struct restart restarts[] = {
	{ "at once", first_boot, 101 * SECOND, NOW + SECOND, SECOND },
	{ "wall clock an hour on", first_boot, 101 * SECOND, NOW + HOUR, SECOND },
	{ "wall clock an hour back", first_boot, 101 * SECOND, NOW - HOUR, SECOND },
	{ "wall clock back to 1970", first_boot, 101 * SECOND, RTC_LOST, SECOND },
	{ "suspended for an hour", first_boot, 100 * SECOND + HOUR, NOW + HOUR, HOUR },
	{ "suspended, wall clock lost", first_boot, 100 * SECOND + HOUR, RTC_LOST, HOUR },
	{ "rebooted in a minute", second_boot, 20 * SECOND, NOW + 60 * SECOND,
	  60 * SECOND },
	{ "off for a year", second_boot, 20 * SECOND, NOW + 8760 * HOUR, 8760 * HOUR },
	{ "rebooted, wall clock lost", second_boot, 30 * SECOND, RTC_LOST, 30 * SECOND },
	{ "rebooted, wall clock a little back", second_boot, 20 * SECOND,
	  NOW - 5 * SECOND, 20 * SECOND },
	{ "up for a day, wall clock wrong", second_boot, 24 * HOUR, NOW + HOUR,
	  24 * HOUR },
	{ "/proc does not tell", unknown_boot, 101 * SECOND, NOW + SECOND, 101 * SECOND },
};

Test(lease_clock, goes_on_as_time_does)
{
	struct lease_clock before = begun(0, NOW - 100 * SECOND);
	struct lease_anchor anchor = anchor_at(&before, 100 * SECOND, NOW);

	for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
		const struct restart *c = &restarts[i];
		struct lease_clock clock;

		lease_clock_go_on(&clock, &anchor, c->boot, c->boottime, c->wall);
		cr_expect_eq(shows(&clock, c->boottime) - anchor.lease, c->passed,
			     "%s: %lld", c->what,
			     (long long)(shows(&clock, c->boottime) - anchor.lease));
		cr_expect_arr_eq(clock.boot, c->boot, 16, "%s", c->what);
	}
}

/* Nothing tells whether it is the same boot: the wall clock does, either way. */
Test(lease_clock, without_a_boot_id_it_follows_the_wall_clock)
{
	const struct lease_anchor none = { .lease = 0 };
	struct lease_clock clock;
	struct lease_anchor anchor;

	lease_clock_go_on(&clock, &none, unknown_boot, HOUR, NOW);
	anchor = anchor_at(&clock, 2 * HOUR, NOW + HOUR);
	lease_clock_go_on(&clock, &anchor, unknown_boot, 2 * HOUR + SECOND,
			  NOW + HOUR + SECOND);
	cr_expect_eq(shows(&clock, 2 * HOUR + SECOND), NOW + HOUR + SECOND);
	lease_clock_go_on(&clock, &anchor, unknown_boot, 2 * HOUR + SECOND, NOW);
	cr_expect_eq(shows(&clock, 2 * HOUR + SECOND), NOW + HOUR, "not back");
}

/* The machine has no clock of its own: it starts in 1970, and learns the time later. */
Test(lease_clock, a_clock_that_was_set_right_after_the_start_does_no_harm)
{
	struct lease_clock clock = begun(20 * SECOND, RTC_LOST);
	struct lease_anchor anchor;

	/* a new anchor when it was set */
	anchor = anchor_at(&clock, 60 * SECOND, NOW);
	cr_expect_eq(anchor.lease, RTC_LOST + 40 * SECOND);
	lease_clock_go_on(&clock, &anchor, second_boot, 20 * SECOND, RTC_LOST);
	cr_expect_eq(shows(&clock, 20 * SECOND), anchor.lease + 20 * SECOND);
	anchor = anchor_at(&clock, 60 * SECOND, NOW + HOUR);
	lease_clock_go_on(&clock, &anchor, first_boot, 20 * SECOND, NOW + 2 * HOUR);
	cr_expect_eq(shows(&clock, 20 * SECOND), anchor.lease + HOUR);
}

Test(lease_clock, never_goes_back_over_a_thousand_restarts)
{
	struct lease_clock clock = begun(SECOND, NOW);
	uint64_t boottime = SECOND, last = shows(&clock, boottime), wall;
	uint8_t boot[16] = { 1 };

	srand(5);
	for (int i = 0; i < 1000; i++) {
		struct lease_anchor anchor;

		wall = NOW + (uint64_t)rand() % (1000 * HOUR);
		anchor = anchor_at(&clock, boottime, wall);
		if (rand() % 2) {
			boot[1]++;
			boot[2] = (uint8_t)(boot[2] + !boot[1]);
			boottime = 0;
		}
		boottime += (uint64_t)rand() % HOUR;
		wall = NOW + (uint64_t)rand() % (1000 * HOUR);
		lease_clock_go_on(&clock, &anchor, boot, boottime, wall);
		cr_assert_geq(shows(&clock, boottime), last, "restart %d", i);
		last = shows(&clock, boottime);
	}
}

/* ------------------------------------------------------------ this machine's clocks */

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000000;
}

/* @a and @b are of the same moment, but for the time between two calls. */
static bool same_moment(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) < 2 * SECOND;
}

Test(lease_clock, a_restart_of_natd_is_no_event)
{
	const struct lease_anchor none = { .lease = 0 };
	struct lease_clock clock, again;
	struct lease_anchor anchor;
	uint64_t now;

	cr_assert_eq(lease_clock_begin(&clock, &none), 0);
	now = lease_clock_now(&clock);
	cr_expect(same_moment(now, read_clock(CLOCK_REALTIME)));
	lease_clock_anchor(&clock, &anchor);
	cr_expect(same_moment(anchor.lease, now));
	cr_expect(same_moment(anchor.wall, read_clock(CLOCK_REALTIME)));
	cr_expect_neq(memcmp(anchor.boot, unknown_boot, 16), 0);
	cr_assert_eq(lease_clock_begin(&again, &anchor), 0);
	cr_expect_eq(again.offset, clock.offset);
	cr_expect_geq(lease_clock_now(&again), now);
}

Test(lease_clock, of_yesterdays_boot_a_day_has_passed)
{
	const uint64_t day = 24 * HOUR;
	struct lease_anchor anchor = {
		.boot = { 1 },
		.lease = 77,
		.wall = read_clock(CLOCK_REALTIME) - 1000 * day,
	};
	struct lease_clock clock;

	cr_assert_eq(lease_clock_begin(&clock, &anchor), 0);
	cr_expect(same_moment(lease_clock_now(&clock), 77 + 1000 * day));
}

Test(lease_clock, tells_when_a_timer_has_to_fire)
{
	struct lease_clock clock = { .offset = (int64_t)NOW };

	cr_expect_eq(lease_clock_boottime(&clock, NOW + 5), 5000);
	cr_expect_eq(lease_clock_boottime(&clock, NOW - 5), 0, "over before the boot");
	clock.offset = -1000;
	cr_expect_eq(lease_clock_boottime(&clock, 5), 1005000);
}

Test(lease_clock, is_never_zero)
{
	struct lease_clock clock = { .offset = INT64_MIN / 2 };

	cr_expect_eq(lease_clock_now(&clock), 1);
}

/* ------------------------------------------------------------ when it is set */

/* Nobody may set the clock of the machine that runs the tests: the kernel's word is a
 * descriptor that becomes readable. */
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new,
			   struct itimerspec *old);
int __real_timerfd_create(int clock, int flags);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *new,
			   struct itimerspec *old);

static struct {
	bool stands_in;
	int fd, fails;
	unsigned int armed;
	bool cancels;
} timer;

int __wrap_timerfd_create(int clock, int flags)
{
	if (!timer.stands_in)
		return __real_timerfd_create(clock, flags);
	cr_expect_eq(clock, CLOCK_REALTIME);
	if (timer.fails == EMFILE) {
		errno = EMFILE;
		return -1;
	}
	timer.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return timer.fd;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new,
			   struct itimerspec *old)
{
	if (!timer.stands_in)
		return __real_timerfd_settime(fd, flags, new, old);
	timer.armed++;
	timer.cancels = flags & TFD_TIMER_CANCEL_ON_SET;
	errno = timer.fails;
	return timer.fails ? -1 : 0;
}

static void count(void *userdata)
{
	++*(int *)userdata;
}

Test(lease_clock, somebody_who_sets_the_clock_is_noticed)
{
	sd_event_source *source = NULL;
	sd_event *event = NULL;
	const uint64_t one = 1;
	int n = 0;

	timer.stands_in = true;
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(lease_clock_watch(event, count, &n, &source), 0);
	cr_expect(timer.cancels);
	cr_expect_eq(sd_event_run(event, 0), 0);
	cr_expect_eq(n, 0);
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(write(timer.fd, &one, sizeof(one)), sizeof(one));
		cr_expect_gt(sd_event_run(event, 1000000), 0);
		cr_expect_eq(n, i);
		cr_expect_eq(timer.armed, 1 + (unsigned int)i, "armed for the next time");
	}
	sd_event_source_unref(source);
	cr_expect_lt(write(timer.fd, &one, sizeof(one)), 0, "closed with its source");
	sd_event_unref(event);
}

Test(lease_clock, a_clock_that_cannot_be_watched_is_said)
{
	sd_event_source *source = NULL;
	sd_event *event = NULL;
	int n = 0;

	cr_assert_geq(sd_event_new(&event), 0);
	timer.stands_in = true;
	timer.fails = EMFILE;
	cr_expect_eq(lease_clock_watch(event, count, &n, &source), -EMFILE);
	timer.fails = EINVAL;
	cr_expect_eq(lease_clock_watch(event, count, &n, &source), -EINVAL);
	cr_expect_null(source);
	/* set between two calls of ours: it is armed */
	timer.fails = ECANCELED;
	cr_expect_eq(lease_clock_watch(event, count, &n, &source), 0);
	sd_event_source_unref(source);
	sd_event_unref(event);
}

/* The kernel takes what is asked of it, and says nothing while nobody sets the clock. */
Test(lease_clock, the_kernel_knows_such_a_timer)
{
	sd_event_source *source = NULL;
	sd_event *event = NULL;
	int n = 0;

	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(lease_clock_watch(event, count, &n, &source), 0);
	cr_expect_eq(sd_event_run(event, 1000), 0);
	cr_expect_eq(n, 0);
	sd_event_source_unref(source);
	sd_event_unref(event);
}
