/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Turns of natd/gateway/uplink.c: what one does is bounded and the rest is done in the
 * next ones, whatever fails is said and tried again. The workers are the test, and the
 * router above us an IGD that is found and says no more: then nothing but a turn itself
 * makes another one for half a minute.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "natd/common/log.h"
#include "natd/gateway/engine.h"
#include "natd/gateway/uplink.h"
#include "shelf.h"
#include "tests/fake/alloc.h"
#include "tests/fake/fault_vfs.h"
#include "tests/fake/workers.h"

#define URL	 "http://192.168.0.1:5000/rootDesc.xml"
#define MANY	 3000
#define TURN_MAX 512 /* rows of one */
#define SECONDS	 20  /* that anything is waited for */
#define RETRY_MS 5000

static struct shelf shelf;
static struct uplink *uplink;
static struct lease_clock lease;
static sd_event *event;
static sd_event_source *others, *later;
static struct worker_job open_job;
static size_t seen[JOB_KINDS], refusals, turns_of_others;
static size_t asked_whether;
static bool may_write = true;
static int read_result; /* of workers_send() */

/* ------------------------------------------------------------ the router */

static int on_later(sd_event_source *source, void *userdata)
{
	struct worker_answer answer = { .serial = open_job.serial,
					.kind = ANSWER_JOB,
					.job = open_job.kind,
					.ifindex = open_job.ifindex,
					.router = open_job.router,
					.igd = IGD_CONNECTED };

	address_parse("8.8.8.8", &answer.external);
	fake_workers.parts.answer(fake_workers.parts.userdata, WORKER_IGD, &answer);
	return 0;
}

static int take(enum worker_role role, const struct worker_job *job)
{
	seen[job->kind]++;
	if (job->kind == JOB_IGD_OPEN || job->kind == JOB_IGD_ADDRESS) {
		open_job = *job;
		sd_event_source_set_enabled(later, SD_EVENT_ONESHOT);
	}
	return job->kind == JOB_IGD_READ ? read_result : 0;
}

/* ------------------------------------------------------------ natd */

static bool may(void *userdata)
{
	asked_whether++;
	return may_write;
}

static void on_happened(void *userdata, const struct upstream_event *e)
{
	refusals += e->kind == UPSTREAM_EVENT_REFUSED;
}

/* A client who always has something to say, at the uplink's priority. */
static int on_others(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	turns_of_others++;
	return 0;
}

static void make_sources(void)
{
	cr_assert_geq(sd_event_add_defer(event, &later, on_later, NULL), 0);
	sd_event_source_set_enabled(later, SD_EVENT_OFF);
	cr_assert_geq(sd_event_add_io(event, &others, eventfd(1, EFD_CLOEXEC), EPOLLIN,
				      on_others, NULL),
		      0);
	sd_event_source_set_io_fd_own(others, true);
	sd_event_source_set_priority(others, ENGINE_PRIORITY);
	sd_event_source_set_enabled(others, SD_EVENT_OFF);
}

static void link_up(void)
{
	struct upstream_link link = { .wan = "wan0", .ifindex = 2, .n_addresses = 1 };

	address_parse("192.168.0.1", &link.gateway);
	address_parse("192.168.0.2", &link.source);
	link.addresses[0] = link.source;
	cr_assert_eq(
		upstream_set_links(uplink_upstream(uplink), &link, 1, uplink_now(uplink)),
		0);
}

static void follow(uint64_t id, uint8_t protocol, uint16_t port)
{
	struct mapping m = { .id = id,
			     .protocol = protocol,
			     .n_ports = 1,
			     .enabled = true,
			     .upstream = UPSTREAM_DEFAULT };

	m.external = (struct endpoint){ address_any4, port };
	address_parse("192.168.1.10", &m.host);
	m.internal = (struct endpoint){ m.host, port };
	cr_assert_eq(upstream_follow(uplink_upstream(uplink), &m, uplink_now(uplink)), 0);
}

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: false: it is not so within SECONDS */
static bool run_until(bool (*so)(void), void (*each)(void))
{
	const long end = milliseconds() + SECONDS * 1000L;

	while (!so()) {
		if (milliseconds() > end)
			return false;
		sd_event_run(event, 100000);
		if (each)
			each();
	}
	return true;
}

static void run_for(long ms)
{
	const long end = milliseconds() + ms;

	while (milliseconds() < end)
		sd_event_run(event, 10000);
}

/* Time that goes by at once. */
static void pass(int64_t ms)
{
	lease.offset += ms;
	uplink_kick(uplink);
}

static bool is_found(void)
{
	struct upstream_link_view view;

	upstream_link_view(uplink_upstream(uplink), 0, uplink_now(uplink), &view);
	return view.found;
}

static void begin(void)
{
	struct uplink_parts parts = {
		.store = NULL, .clock = &lease, .may_write = may, .happened = on_happened
	};
	struct upstream_options options;

	log_level(LOG_CRIT);
	fault_vfs_install();
	shelf_fresh(&shelf);
	cr_assert_geq(sd_event_new(&event), 0);
	make_sources();
	upstream_options_default(&options);
	options.enable = true;
	options.order[0] = UPSTREAM_IGD;
	options.n_order = 1;
	strcpy(options.url, URL);
	parts.event = event;
	parts.store = shelf.store;
	fake_workers.take = take;
	cr_assert_eq(uplink_new(&parts, &options, &uplink), 0);
	link_up();
	uplink_begin(uplink);
	cr_assert(run_until(is_found, NULL));
	run_for(50);
}

static void end(void)
{
	uplink_free(uplink);
	sd_event_source_unref(later);
	sd_event_source_unref(others);
	sd_event_unref(event);
	shelf_done(&shelf);
}

static void on_row(void *userdata, const struct upstream_row *row)
{
	++*(size_t *)userdata;
}

static size_t rows(void)
{
	size_t n = 0;

	cr_assert_eq(store_upstream(shelf.store, on_row, &n), 0);
	return n;
}

/* ------------------------------------------------------------ turns */

static size_t rows_before, others_before;

static bool all_rows(void)
{
	return rows() == MANY && uplink_saved(uplink);
}

/* One turn at most since the last look, unless others had theirs. */
static void turn_is_bounded(void)
{
	const size_t n = rows(), others_had = turns_of_others - others_before;

	cr_assert_leq(n - rows_before, TURN_MAX * (others_had + 1));
	rows_before = n;
	others_before = turns_of_others;
}

Test(uplink, thousands_of_rows_are_written_in_turns_and_others_have_theirs, .timeout = 60)
{
	begin();
	sd_event_source_set_enabled(others, SD_EVENT_ON);
	rows_before = others_before = turns_of_others = 0;
	for (uint16_t i = 1; i <= MANY; i++)
		follow(i, IPPROTO_TCP, i);
	uplink_kick(uplink);
	cr_expect(run_until(all_rows, turn_is_bounded), "%zu rows", rows());
	cr_expect_geq(turns_of_others, MANY / TURN_MAX - 2, "%zu", turns_of_others);
	end();
}

static bool all_refused(void)
{
	return refusals == MANY;
}

static size_t refusals_before;

static void events_are_bounded(void)
{
	cr_assert_leq(refusals - refusals_before, 256);
	refusals_before = refusals;
}

/* UPnP knows no SCTP: all of them are refused in one breath. */
Test(uplink, thousands_of_events_are_told_in_turns, .timeout = 60)
{
	begin();
	refusals = refusals_before = 0;
	for (uint16_t i = 1; i <= MANY; i++)
		follow(i, IPPROTO_SCTP, i);
	uplink_kick(uplink);
	cr_expect(run_until(all_refused, events_are_bounded), "%zu events", refusals);
	end();
}

static size_t jobs_before;

static void jobs_are_bounded(void)
{
	cr_assert_leq(seen[JOB_IGD_READ] - jobs_before, 64);
	jobs_before = seen[JOB_IGD_READ];
}

/* A fault of natd's: each is answered at once, so that one turn could go on for ever. */
Test(uplink, what_no_worker_takes_is_refused_in_words_and_in_turns, .timeout = 60)
{
	struct upstream_view view;

	begin();
	read_result = -EINVAL;
	refusals = jobs_before = 0;
	for (uint16_t i = 1; i <= MANY; i++)
		follow(i, IPPROTO_TCP, i);
	uplink_kick(uplink);
	cr_expect(run_until(all_refused, jobs_are_bounded), "%zu of them", refusals);
	cr_expect_eq(seen[JOB_IGD_READ], MANY);
	upstream_view(uplink_upstream(uplink), 1, &view);
	cr_expect_eq(view.state, UPSTREAM_STATE_REFUSED);
	cr_expect(strstr(view.why, "natd cannot put this question"), "%s", view.why);
	end();
}

/* ------------------------------------------------------------ faults */

static bool is_troubled(void)
{
	return uplink_problem(uplink)[0] != '\0';
}

static bool is_well(void)
{
	return !is_troubled() && uplink_saved(uplink);
}

static bool is_asked(void)
{
	return seen[JOB_IGD_READ] > 0;
}

/* Said, nothing asked, and tried again. */
static void expect_trouble(int error)
{
	cr_assert(run_until(is_troubled, NULL));
	cr_expect(strstr(uplink_problem(uplink), strerror(error)), "%s",
		  uplink_problem(uplink));
	cr_expect_not(uplink_saved(uplink));
	run_for(100);
	cr_expect_eq(seen[JOB_IGD_READ], 0);
	cr_expect_eq(rows(), 0);
}

static void expect_recovery(void)
{
	pass(RETRY_MS);
	cr_expect(run_until(is_well, NULL), "%s", uplink_problem(uplink));
	cr_expect(run_until(is_asked, NULL));
	cr_expect_eq(rows(), 1);
}

Test(uplink, rows_that_there_is_no_memory_for_are_tried_again, .timeout = 60)
{
	begin();
	follow(1, IPPROTO_TCP, 80);
	uplink_kick(uplink);
	alloc_fail_at(1, true);
	run_until(is_troubled, NULL);
	cr_assert_gt(alloc_fail_at(0, false), 0);
	expect_trouble(ENOMEM);
	expect_recovery();
	end();
}

Test(uplink, rows_that_the_disk_has_no_room_for_are_tried_again, .timeout = 60)
{
	begin();
	follow(1, IPPROTO_TCP, 80);
	fault_vfs_arm(1, true, false);
	fault_vfs.system_errno = ENOSPC;
	uplink_kick(uplink);
	cr_assert(run_until(is_troubled, NULL));
	pass(RETRY_MS);
	run_for(100);
	cr_expect(is_troubled(), "the disk is full still");
	fault_vfs_arm(0, false, false);
	expect_trouble(ENOSPC);
	expect_recovery();
	end();
}

/* Nothing is left that could not be written: nothing is wrong. */
Test(uplink, a_problem_is_over_with_what_it_was_about, .timeout = 60)
{
	begin();
	follow(1, IPPROTO_TCP, 80);
	fault_vfs_arm(1, true, false);
	uplink_kick(uplink);
	cr_assert(run_until(is_troubled, NULL));
	fault_vfs_arm(0, false, false);
	upstream_forget(uplink_upstream(uplink), 1, uplink_now(uplink));
	pass(RETRY_MS);
	cr_expect(run_until(is_well, NULL), "%s", uplink_problem(uplink));
	cr_expect_eq(rows(), 0);
	end();
}

/* ------------------------------------------------------------ a store that is not free
 */

/* It is told when it may write: nobody looks 50 times a second. */
Test(uplink, a_store_that_is_not_free_is_waited_for_and_not_looked_at, .timeout = 60)
{
	begin();
	may_write = false;
	asked_whether = 0;
	follow(1, IPPROTO_TCP, 80);
	uplink_kick(uplink);
	run_for(300);
	cr_expect_leq(asked_whether, 2, "%zu times", asked_whether);
	cr_expect_not(uplink_saved(uplink));
	cr_expect_eq(rows(), 0);
	cr_expect_eq(seen[JOB_IGD_READ], 0);
	may_write = true;
	uplink_go_on(uplink);
	run_for(50);
	cr_expect_eq(rows(), 1);
	cr_expect(run_until(is_asked, NULL));
	end();
}
