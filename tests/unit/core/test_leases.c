/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "story.h"

#define WEB "tcp 8080 192.168.1.10:80 web"

static struct conditions at_lease_time(uint64_t lease_now)
{
	struct conditions at = ordinary;

	at.lease_now = lease_now;
	return at;
}

Test(leases, end_when_they_were_granted_to)
{
	struct table *table = make_table(10);
	struct conditions at = at_lease_time(5000);
	struct change_list list = { 0 };

	cr_expect_eq(table_next_expiry(table), 0);
	change_table(table, "+" WEB " lease=60\n+udp 1 192.168.1.10:1 lease=30", &at);
	change_table(table, "+udp 2 192.168.1.10:1", &at);
	cr_expect_eq(table_find_id(table, 1)->expires, 65000);
	cr_expect_eq(table_find_id(table, 1)->lifetime, 60);
	cr_expect_eq(table_next_expiry(table), 35000);
	cr_assert_eq(table_expired(table, 34999, 10, &list), 0);
	cr_expect_eq(list.n, 0);
	cr_assert_eq(table_expired(table, 35000, 10, &list), 0);
	cr_assert_eq(list.n, 1);
	cr_expect_eq(list.changes[0].selector.id, 2);
	cr_assert_eq(table_expired(table, 65000, 1, &list), 0);
	cr_expect_eq(list.n, 2, "one more, %zu", list.n);
	change_list_done(&list);
	table_free(table);
}

/* RFC 6887 11.2.1: asking again renews. */
Test(leases, are_renewed_by_asking_again)
{
	struct table *table = make_table(10);
	struct conditions at = at_lease_time(0);
	struct conditions later = at_lease_time(50000);

	change_table(table, "+" WEB " lease=60\n+udp 1 192.168.1.10:1", &at);
	cr_expect_eq(change_table(table, "+" WEB " lease=60", &later), VERDICT_CHANGED);
	cr_expect_eq(table_find_id(table, 1)->expires, 110000);
	cr_expect_eq(table_next_expiry(table), 110000);
	/* who asks without a lease is content with one, and a static one is not cut */
	cr_expect_eq(change_table(table, "+" WEB, &later), VERDICT_UNCHANGED);
	cr_expect_eq(change_table(table, "+udp 1 192.168.1.10:1 lease=9", &later),
		     VERDICT_UNCHANGED);
	cr_expect_eq(table_find_id(table, 1)->expires, 110000);
	cr_expect_eq(change_table(table, "~web: lease=0", &later), VERDICT_CHANGED);
	cr_expect_eq(table_next_expiry(table), 0);
	table_free(table);
}

Test(leases, that_were_renewed_meanwhile_do_not_end)
{
	struct table *table = make_table(10);
	struct conditions at = at_lease_time(0), late = at_lease_time(60000);
	struct change_list lists[] = {
		make_list("~web: lease=60"),
		make_list("x#1\nx#2\nx#7\nx#3"),
	};
	const struct result *results;
	struct plan *plan;
	size_t n;

	change_table(table,
		     "+" WEB " lease=60\n+udp 1 192.168.1.10:1 lease=60\n"
		     "+udp 2 192.168.1.10:1",
		     &at);
	cr_assert_eq(table_stage(table, lists, 2, &late, &plan), 0);
	results = plan_results(plan, 1, &n);
	/* of one that is gone there is nothing to say */
	cr_assert_eq(n, 3);
	cr_expect_eq(results[0].verdict, VERDICT_UNCHANGED);
	cr_expect_eq(results[1].verdict, VERDICT_REMOVED);
	cr_expect_eq(results[2].verdict, VERDICT_UNCHANGED);
	cr_expect_eq(plan_size(plan), 2);
	cr_expect(plan_effect_at(plan, 1)->expired);
	cr_expect_not(plan_effect_at(plan, 0)->expired);
	table_commit(table, plan);
	plan_free(plan);
	cr_expect_eq(table_next_expiry(table), 120000);
	cr_expect_eq(table_size(table), 2);
	change_list_done(&lists[0]);
	change_list_done(&lists[1]);
	table_free(table);
}

Test(leases, of_a_dropped_plan_are_those_before_it)
{
	struct table *table = make_loaded(WEB " lease=60");
	struct change_list list =
		make_list("~web: lease=1\n+udp 1 192.168.1.10:1 lease=1");
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	cr_expect_eq(table_next_expiry(table), 60000);
	plan_free(plan);
	cr_expect_eq(table_next_expiry(table), 60000);
	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	table_commit(table, plan);
	plan_free(plan);
	cr_expect_eq(table_next_expiry(table), 1000);
	change_list_done(&list);
	table_free(table);
}

#define MANY  50000
#define ENDED 10000

/* Numbers 0 to ENDED end within the first second, the others one after the other. */
static struct table *many_leases(void)
{
	struct table *table = make_table(65535);
	struct mapping m = make_mapping("tcp 1 192.168.1.10:80");

	m.lifetime = 1000;
	for (uint64_t i = 0; i < MANY; i++) {
		const uint64_t k = i * 7919 % MANY;

		m.id = i + 1;
		m.external.port = (uint16_t)(i + 1);
		m.expires = k < ENDED ? 1000 + k % 1000 : 10000 + k;
		cr_assert_eq(table_load(table, &m), 0);
	}
	return table;
}

Test(leases, ten_thousand_of_fifty_end_in_one_plan, .timeout = 30)
{
	struct table *table = many_leases();
	struct conditions at = at_lease_time(2000);
	struct change_list list = { 0 };
	uint64_t last = 0, next;
	struct plan *plan;

	cr_expect_eq(table_next_expiry(table), 1000);
	cr_assert_eq(table_expired(table, 2000, SIZE_MAX, &list), 0);
	cr_expect_eq(list.n, ENDED);
	cr_assert_eq(table_stage(table, &list, 1, &at, &plan), 0);
	cr_expect_eq(plan_size(plan), ENDED);
	table_commit(table, plan);
	plan_free(plan);
	change_list_done(&list);
	cr_expect_eq(table_size(table), MANY - ENDED);

	/* the rest come in their order, to the last one */
	at.lease_now = UINT64_MAX;
	while ((next = table_next_expiry(table))) {
		cr_assert_gt(next, last);
		last = next;
		cr_assert_eq(table_expired(table, next, 1, &list), 0);
		cr_assert_eq(list.n, 1);
		cr_assert_eq(table_stage(table, &list, 1, &at, &plan), 0);
		table_commit(table, plan);
		plan_free(plan);
		change_list_done(&list);
	}
	cr_expect_eq(last, 10000 + MANY - 1);
	cr_expect_eq(table_size(table), 0);
	table_free(table);
}
