/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Who may, and what the gateway itself needs.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "story.h"

#define WEB "tcp 8080 192.168.1.10:80 web"

/* ssh on every address, a resolver on both families, one more on the LAN's address */
static struct listener listeners[] = {
	{ .local.port = 22, .protocol = IPPROTO_TCP, .uid = 7 },
	{ .local.port = 53, .protocol = IPPROTO_TCP },
	{ .local.port = 54, .protocol = IPPROTO_TCP },
};
static struct in6_addr wan;

static struct conditions with_listeners(void)
{
	struct conditions at = ordinary;

	listeners[0].local.addr = address_any4;
	listeners[1].local.addr = address_any6;
	cr_assert_eq(address_parse("192.168.1.1", &listeners[2].local.addr), 0);
	cr_assert_eq(address_parse("203.0.113.5", &wan), 0);
	at.listeners = (struct listener_list){ listeners, ARRAY_SIZE(listeners) };
	at.wan = (struct address_list){ &wan, 1 };
	return at;
}

Test(judgement, a_port_of_the_gateway_is_not_taken_unless_by_force)
{
	static const struct story stories[] = {
		{ "", "+tcp 22 192.168.1.10:22", "0:port-in-use:-1", "" },
		{ "", "+udp 22 192.168.1.10:22", "0:added:1", "+1" },
		{ "", "+tcp 53 192.168.1.10:22", "0:port-in-use:-1", "" },
		{ "", "+tcp 53 [fd00::1]:22", "0:port-in-use:-1", "" },
		{ "", "+tcp 54 192.168.1.10:22", "0:added:1", "+1" },
		{ "", "+tcp 1-65535 192.168.1.10:1", "0:port-in-use:-1", "" },
		{ "", "+tcp 20-30 192.168.1.10:120", "0:port-in-use:-1", "" },
		{ "", "+tcp 22 192.168.1.10:22 from=10.0.0.0/8", "0:port-in-use:-1", "" },
		{ "", "+tcp 22 192.168.1.10:22 at=203.0.113.5", "0:port-in-use:-1", "" },
		{ "", "+tcp 53 [2001:db8::10]:53", "0:added:1", "+1" },
		{ "", "^tcp 22 192.168.1.10:22", "0:added:1", "+1" },
		/* what is there is no matter of force any more */
		{ "tcp 22 192.168.1.10:22", "+tcp 22 192.168.1.10:22", "0:unchanged:1",
		  "" },
		{ "tcp 22 192.168.1.10:22", "^tcp 22 192.168.1.11:22", "0:conflict:1",
		  "" },
	};
	const struct conditions at = with_listeners();
	struct conditions blind = at;

	for (size_t i = 0; i < ARRAY_SIZE(stories); i++)
		expect_story(&stories[i], &at, NULL);
	blind.listeners_known = false;
	expect_story(&(struct story){ "", "+tcp 22 192.168.1.10:22", "0:added:1", "+1" },
		     &blind, NULL);
}

Test(judgement, listeners_are_named)
{
	const struct conditions at = with_listeners();
	struct change_list lists[] = {
		make_list("+tcp 1-65535 192.168.1.10:1"),
		make_list("+udp 1 192.168.1.10:1\n^tcp 20-60 192.168.1.10:1020"),
		make_list("^tcp 9 192.168.1.10:9"),
	};
	struct listener shadowed[REFUSAL_LISTENERS_MAX];
	struct table *table = make_table(10);
	const struct result *results;
	struct refusal why;
	struct plan *plan;
	size_t n;

	cr_assert_eq(table_stage(table, lists, 3, &at, &plan), 0);
	plan_refusal(plan, 0, &why);
	cr_expect_eq(why.verdict, VERDICT_PORT_IN_USE);
	cr_expect_eq(why.n_listeners, 2);
	cr_expect_eq(why.listeners[0].uid, 7);
	cr_expect_eq(why.listeners[1].local.port, 53);
	results = plan_results(plan, 1, &n);
	cr_expect_eq(results[0].shadowed, 0);
	cr_expect_eq(plan_shadowed(plan, &results[0], shadowed), 0);
	cr_expect_eq(results[1].shadowed, 2);
	cr_expect_eq(plan_shadowed(plan, &results[1], shadowed), 2);
	cr_expect_eq(shadowed[0].local.port, 22);
	results = plan_results(plan, 2, &n);
	cr_expect_eq(results[0].shadowed, 0);
	plan_free(plan);
	table_free(table);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		change_list_done(&lists[i]);
}

static struct rights *family(uint32_t uid)
{
	struct grant grant = {
		.rule = "group \"family\" (natd.conf:12)",
		.map = { { 1, 9000 } },
		.n_map = 1,
		.n_internal = 1,
		.quota = 2,
		.max_lifetime = 3600,
	};

	cr_assert_eq(prefix_parse("192.168.1.0/28", &grant.internal[0]), 0);
	return rights_new(uid, false, &grant, 1);
}

/* The refusal of a request by one of the family, told after everything it was asked with
 * has gone. */
static enum right missing_of(const char *loaded, const char *request)
{
	struct table *table = make_loaded(loaded);
	struct change_list list = make_list(request);
	const struct conditions at = with_listeners();
	struct refusal why;
	struct plan *plan;

	list.rights = family(1000);
	cr_assert_eq(table_stage(table, &list, 1, &at, &plan), 0);
	change_list_done(&list);
	cr_assert(plan_refused(plan, 0), "%s", request);
	plan_refusal(plan, 0, &why);
	cr_expect_eq(why.verdict, VERDICT_NOT_PERMITTED, "%s: %s", request,
		     outcome_of(why.verdict)->code);
	if (why.denial.missing == RIGHT_OWN) {
		cr_expect_eq(why.n_holders, 1);
		cr_expect_eq(why.holders[0]->id, 1);
	} else {
		cr_expect_str_eq(why.denial.grant->rule,
				 "group \"family\" (natd.conf:12)");
	}
	plan_free(plan);
	table_free(table);
	return why.denial.missing;
}

Test(judgement, what_is_missing_is_named)
{
	static const struct {
		const char *request;
		enum right missing;
	} cases[] = {
		{ "+tcp 9001 192.168.1.1:1 lease=60", RIGHT_MAP },
		{ "+tcp 8999-9001 192.168.1.1:1 lease=60", RIGHT_MAP },
		{ "+tcp 80 192.168.1.1:1 lease=60", RIGHT_PRIVILEGED },
		{ "^tcp 22 192.168.1.1:1 lease=60", RIGHT_FORCE },
		{ "+tcp 8081 192.168.1.99:1 lease=60", RIGHT_INTERNAL },
		{ "+tcp 8081 192.168.1.1:1", RIGHT_LIFETIME },
		{ "+tcp 8081 192.168.1.1:1 lease=3601", RIGHT_LIFETIME },
		{ "+tcp,udp 8081 192.168.1.1:1 lease=60\n"
		  "+tcp 8082 192.168.1.1:1 lease=60",
		  RIGHT_QUOTA },
		{ "-web", RIGHT_OWN },
		{ "+tcp 8080 192.168.1.1:1 lease=60 from=0.0.0.0/0", RIGHT_OWN },
		{ "+tcp 8080 192.168.1.1:1 lease=60 at=203.0.113.5", RIGHT_OWN },
		{ "+tcp 8070-8090 192.168.1.1:1 lease=60 from=10.0.0.0/8 off",
		  RIGHT_OWN },
		{ "~web: off", RIGHT_OWN },
		{ "+udp 8081 192.168.1.1:1 lease=60 mine\n~mine: lease=7200",
		  RIGHT_LIFETIME },
		{ "+udp 8081 192.168.1.1:1 lease=60 mine\n~mine: to=192.168.1.99:1",
		  RIGHT_INTERNAL },
		{ "+udp 8081 192.168.1.1:1 lease=60\n+udp 8081 192.168.1.1:1 lease=3601",
		  RIGHT_LIFETIME },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const enum right missing = missing_of(WEB, cases[i].request);

		cr_expect_eq(missing, cases[i].missing, "%s: %d", cases[i].request,
			     (int)missing);
	}
}

Test(judgement, a_mapping_belongs_to_who_made_it)
{
	struct rights *anna = family(1000), *bert = family(1001);
	static const struct story own = { "", "+" WEB " lease=60\n~web: name=site\n-site",
					  "0:added:1 1:changed:1 2:removed:1",
					  "+1 ~1 -1" };
	/* loaded ones belong to root */
	static const struct story others = { WEB, "+" WEB " lease=60", "0:conflict:1",
					     "" };

	/* but for ranges, which give way to anybody's single forwards */
	static const struct story beside[] = {
		{ "tcp 8000-8999 192.168.1.9:8000", "+tcp 8080 192.168.1.10:80 lease=60",
		  "0:added:2", "+2" },
		{ WEB, "+udp 8080 192.168.1.10:80 lease=60 from=10.0.0.0/8", "0:added:2",
		  "+2" },
		{ "tcp 8080 192.168.1.9:80 from=10.1.0.0/16",
		  "+tcp 8080 192.168.1.10:80 lease=60 from=10.0.0.0/8", "0:added:2",
		  "+2" },
		{ "tcp 80 192.168.1.9:80",
		  "+tcp auto 192.168.1.10:80 lease=60 from=10.0.0.0/8",
		  "0:not-permitted:-1", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
		expect_story(&beside[i], &ordinary, anna);
	expect_story(&own, &ordinary, anna);
	expect_story(&others, &ordinary, bert);
	rights_unref(anna);
	rights_unref(bert);
}

Test(judgement, owners_are_counted)
{
	struct table *table = make_table(1000);
	struct change_list list = make_list("+tcp 8080 192.168.1.1:1 lease=60");
	struct plan *plan;

	for (uint32_t uid = 100; uid-- > 0;) {
		list.changes[0].mapping.external.port = (uint16_t)(8000 + uid);
		list.rights = family(uid);
		cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
		cr_expect_eq(table_owned(table, uid), 0);
		table_commit(table, plan);
		plan_free(plan);
		rights_unref(list.rights);
		list.rights = NULL;
		cr_expect_eq(table_owned(table, uid), 1);
	}
	change_table(table, "ctcp 1 192.168.1.1:1", &ordinary);
	cr_expect_eq(table_owned(table, 0), 1);
	cr_expect_eq(table_find_id(table, 1)->owner_uid, 99);
	cr_expect_eq(table_find_id(table, 1)->changed_by, 99);
	cr_expect_eq(change_table(table, "-#100", &ordinary), VERDICT_REMOVED);
	cr_expect_eq(table_owned(table, 0), 0);
	cr_expect_eq(table_owned(table, 1), 1);
	change_list_done(&list);
	table_free(table);
}

#define RACES 1000

/* Both ask in one turn, or one after the other, now this one first and now that. */
Test(judgement, of_two_who_race_for_a_port_one_wins_each_time)
{
	struct table *table = make_table(2 * RACES);
	struct change_list lists[2] = {
		make_list("+tcp 1 192.168.1.1:1 lease=60\n+udp 1 192.168.1.1:1 lease=60"),
		make_list("+tcp 1 192.168.1.2:1 lease=60\n+udp 1 192.168.1.2:1 lease=60"),
	};
	size_t won[2] = { 0 };

	lists[0].rights = rights_new(1000, true, NULL, 0);
	lists[1].rights = rights_new(1001, true, NULL, 0);
	for (unsigned int i = 0; i < RACES; i++) {
		const struct change_list in_order[2] = { lists[i % 2], lists[1 - i % 2] };
		const size_t together = i % 4 < 2 ? 2 : 1;
		struct plan *plan;
		size_t refused = 0;

		for (size_t k = 0; k < 4; k++) {
			struct change *change = &lists[k / 2].changes[k % 2];

			change->mapping.external.port = (uint16_t)(2000 + i);
		}
		for (size_t k = 0; k < 2; k += together) {
			cr_assert_eq(table_stage(table, &in_order[k], together, &ordinary,
						 &plan),
				     0);
			for (size_t r = 0; r < together; r++)
				refused += plan_refused(plan, r);
			table_commit(table, plan);
			plan_free(plan);
		}
		cr_assert_eq(refused, 1);
		cr_assert_eq(table_size(table), 2 * (i + 1));
		won[table_find_id(table, 2 * i + 1)->owner_uid - 1000]++;
		cr_assert_eq(table_find_id(table, 2 * i + 2)->owner_uid,
			     table_find_id(table, 2 * i + 1)->owner_uid);
	}
	cr_expect_eq(won[0], RACES / 2);
	cr_expect_eq(won[1], RACES / 2);
	cr_expect_eq(table_owned(table, 1000), RACES);
	change_list_done(&lists[0]);
	change_list_done(&lists[1]);
	table_free(table);
}

Test(judgement, a_protocol_that_the_kernel_does_not_translate_is_refused)
{
	struct conditions at = ordinary;
	static const struct story stories[] = {
		{ "", "+sctp 1 192.168.1.1:1", "0:added:1", "+1" },
		{ "", "+tcp,udplite 1 192.168.1.1:1", "0:no-protocol:-1", "" },
	};

	at.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_SCTP;
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++)
		expect_story(&stories[i], &at, NULL);
}

#define NO_ROUTER "0:no-upstream:-1"

/* What the file wishes is judged when it is read: with another file it may wait. */
Test(judgement, a_router_that_is_not_to_be_asked_is_wished_for_in_vain)
{
	struct conditions at = ordinary;
	static const struct story stories[] = {
		{ "", "+tcp 80 192.168.1.10:80 upstream=no", "0:added:1", "+1" },
		{ "", "+tcp 80 192.168.1.10:80 upstream=default", "0:added:1", "+1" },
		{ "", "+tcp 80 192.168.1.10:80 upstream=yes", NO_ROUTER, "" },
		{ "", "+tcp,udp auto 192.168.1.10:80 upstream=required", NO_ROUTER, "" },
		{ "", "ctcp 80 192.168.1.10:80 upstream=required", "0:added:1", "+1" },
		{ "tcp 80 192.168.1.10:80", "~#1: upstream=yes", NO_ROUTER, "" },
		{ "tcp 80 192.168.1.10:80", "~#1: upstream=no", "0:changed:1", "~1" },
		/* what was asked for before goes on, and waits */
		{ "tcp 80 192.168.1.10:80 upstream=required", "~#1: upstream=yes",
		  NO_ROUTER, "" },
		{ "tcp 80 192.168.1.10:80 upstream=yes", "~#1: upstream=yes name=web",
		  "0:changed:1", "~1" },
		{ "tcp 80 192.168.1.10:80 upstream=required held", "~#1: lost",
		  "0:changed:1", "~1" },
		{ "tcp 80 192.168.1.10:80 upstream=yes", "~#1: upstream=default",
		  "0:changed:1", "~1" },
	};

	at.upstream = false;
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++)
		expect_story(&stories[i], &at, NULL);
}
