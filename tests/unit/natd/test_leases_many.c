/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../core/make.h"
#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/leases.h"
#include "tests/fake/parts.h"

/* Leases by the real table and the real engine; store and kernel are fakes. */

#define SECOND UINT64_C(1000)

static struct table *table;
static struct engine *engine;
static struct leases *leases;
static struct lease_clock lease_clock;
static sd_event *event;

/* What was committed. */
static size_t transactions, expired, others;

static struct address_list wan_addresses(void *userdata)
{
	return (struct address_list){ NULL, 0 };
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	return 0;
}

static void conditions(void *userdata, uint8_t listeners, struct conditions *ret)
{
	*ret = ordinary;
	ret->lease_now = lease_clock_now(&lease_clock);
}

static int resync(void *userdata, struct ruleset_fault *why)
{
	return 0;
}

static void committed(void *userdata, const struct plan *plan)
{
	transactions++;
	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		if (effect->kind == CHANGE_REMOVE && effect->expired)
			expired++;
		else
			others++;
	}
	leases_rearm(leases);
}

static void set_up(void)
{
	const struct lease_anchor none = { .lease = 0 };
	struct engine_parts parts = {
		.conditions = conditions,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.resync = resync,
		.committed = committed,
	};

	log_level(LOG_EMERG);
	fake = (struct fake_parts){ 0 };
	cr_assert_geq(sd_event_new(&event), 0);
	parts.event = event;
	parts.table = table = make_table(65535);
	cr_assert_eq(lease_clock_begin(&lease_clock, &none), 0);
	cr_assert_eq(engine_new(&parts, &engine), 0);
	cr_assert_eq(leases_new(event, table, engine, &lease_clock, &leases), 0);
}

static void tear_down(void)
{
	engine_free(engine);
	leases_free(leases);
	table_free(table);
	sd_event_unref(event);
}

TestSuite(leases_many, .init = set_up, .fini = tear_down, .timeout = 60);

/* @n mappings with ids from @first on, whose leases end at @end and up to @spread ms
 * later, each at another time. */
static void load(uint64_t first, size_t n, uint64_t end, uint64_t spread)
{
	for (size_t i = 0; i < n; i++) {
		struct mapping m = make_mapping("tcp 1 10.0.0.1:80");

		m.id = first + i;
		m.external.port = (uint16_t)(first + i);
		m.lifetime = end ? 3600 : 0;
		m.expires = end + i * spread / n;
		cr_assert_eq(table_load(table, &m), 0, "%zu", i);
	}
}

/* The beginning of a second of the lease clock, which is @ms away. */
static uint64_t second_in(uint64_t ms)
{
	uint64_t now = lease_clock_now(&lease_clock);
	uint64_t second = (now / SECOND + 1) * SECOND;

	lease_clock.offset += (int64_t)(second - now) - (int64_t)ms;
	return second;
}

/* Until @n leases have ended, or nothing more happens. */
static void run_until(size_t n)
{
	while (expired < n && sd_event_run(event, 20 * UINT64_C(1000000)) > 0)
		;
	cr_assert_eq(expired, n, "%zu", expired);
}

Test(leases_many, ten_thousand_that_end_in_one_second_are_one_transaction)
{
	uint64_t second = second_in(100);

	/* a minute later, and not at all */
	load(20001, 30000, second + 60 * SECOND, 3600 * SECOND);
	load(60001, 5, 0, 0);
	/* over while nobody looked: all of the second before this one's beginning */
	load(1, 10000, second - SECOND + 1, SECOND - 1);
	leases_rearm(leases);
	run_until(10000);
	cr_expect_geq(lease_clock_now(&lease_clock), second);
	cr_expect_leq(lease_clock_now(&lease_clock), second + 20 * SECOND);
	cr_expect_eq(transactions, 1, "%zu", transactions);
	cr_expect_eq(others, 0);
	cr_expect_eq(fake.store_sequence, 1);
	cr_expect_eq(fake.kernel, -10000);
	cr_expect_eq(table_size(table), 30005);
	cr_expect_null(table_find_id(table, 10000));
	cr_expect_not_null(table_find_id(table, 20001));
}

Test(leases_many, fifty_thousand_end_when_they_should)
{
	uint64_t second = second_in(50);

	load(1, 50000, second - 2 * SECOND, 4 * SECOND);
	leases_rearm(leases);
	while (table_size(table) > 0) {
		uint64_t first = table_next_expiry(table), now;

		cr_assert_gt(sd_event_run(event, 10 * UINT64_C(1000000)), 0);
		now = lease_clock_now(&lease_clock);
		cr_expect_leq(now - first, 3 * SECOND + SECOND, "%llu ms late",
			      (unsigned long long)(now - first));
	}
	cr_expect_eq(expired, 50000);
	/* one for what was over, one for each second that came */
	cr_expect_leq(transactions, 5, "%zu", transactions);
	cr_expect_eq(table_next_expiry(table), 0);
}

static void ignore(void *userdata, const struct answer *answer)
{
	cr_expect_null(answer->problem);
	*(enum verdict *)userdata =
		plan_results(answer->plan, answer->request, &(size_t){ 0 })->verdict;
}

/* In one and the same turn somebody asked for more time, and was first. */
Test(leases_many, one_that_is_renewed_in_time_stays)
{
	struct change renew = {
		.kind = CHANGE_UPDATE,
		.selector.id = 1,
		.patch = { .set = PATCH_LIFETIME, .lifetime = 60 },
	};
	struct change_list list = { 0 };
	enum verdict verdict = VERDICT_FAULT;

	load(1, 3, second_in(50) - SECOND, 0);
	cr_assert_eq(change_list_add(&list, &renew), 0);
	cr_assert_eq(engine_submit(engine, &list, ignore, &verdict), 0);
	leases_rearm(leases);
	run_until(2);
	cr_expect_eq(verdict, VERDICT_CHANGED);
	cr_expect_eq(table_size(table), 1);
	cr_expect_gt(table_find_id(table, 1)->expires,
		     lease_clock_now(&lease_clock) + 50 * SECOND);
}

/* And one that somebody removes. */
Test(leases_many, one_that_is_removed_in_time_is_in_nobodys_way)
{
	struct change remove = { .kind = CHANGE_REMOVE, .selector.id = 1 };
	struct change_list list = { 0 };
	enum verdict verdict = VERDICT_FAULT;

	load(1, 3, second_in(50) - SECOND, 0);
	cr_assert_eq(change_list_add(&list, &remove), 0);
	cr_assert_eq(engine_submit(engine, &list, ignore, &verdict), 0);
	leases_rearm(leases);
	run_until(2);
	cr_expect_eq(verdict, VERDICT_REMOVED);
	cr_expect_eq(table_size(table), 0);
}

Test(leases_many, a_full_disk_holds_them_up_and_loses_none)
{
	load(1, 100, second_in(50) - SECOND, 0);
	fake.fail_begin = ENOSPC;
	leases_rearm(leases);
	for (int i = 0; i < 4; i++)
		cr_assert_gt(sd_event_run(event, 2 * UINT64_C(1000000)), 0);
	cr_expect_eq(table_size(table), 100);
	fake.fail_begin = 0;
	run_until(100);
	cr_expect_eq(transactions, 1);
	cr_expect_eq(table_size(table), 0);
}
