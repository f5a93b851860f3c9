/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Automatic ports.
 */

#include <criterion/criterion.h>
#include <string.h>

#include "story.h"

static const struct port_range ten[] = { { 40000, 40009 } };
static const struct port_range two_pools[] = { { 1000, 1001 }, { 40000, 40003 } };
static const struct port_range some_reserved[] = { { 80, 80 }, { 40001, 40009 } };

/* The external port that one request gets, or 0 with the verdict of its refusal. */
static uint16_t port_of(struct table *table, const char *request,
			const struct conditions *at, struct rights *rights,
			struct refusal *ret)
{
	struct change_list list = make_list(request);
	const struct result *results;
	struct plan *plan;
	uint16_t port = 0;
	size_t n;

	list.rights = rights_ref(rights);
	cr_assert_eq(table_stage(table, &list, 1, at, &plan), 0);
	results = plan_results(plan, 0, &n);
	if (plan_refused(plan, 0))
		plan_refusal(plan, 0, ret);
	else
		port = results[n - 1].mapping->external.port;
	table_commit(table, plan);
	plan_free(plan);
	change_list_done(&list);
	return port;
}

static uint16_t range_of(struct table *table, const char *internal, uint16_t n,
			 const struct conditions *at)
{
	struct change_list list = make_list(internal);
	const struct result *results;
	struct plan *plan;
	uint16_t port = 0;
	size_t n_results;

	list.changes[0].mapping.n_ports = n;
	cr_assert_eq(table_stage(table, &list, 1, at, &plan), 0);
	results = plan_results(plan, 0, &n_results);
	if (!plan_refused(plan, 0))
		port = results[0].mapping->external.port;
	table_commit(table, plan);
	plan_free(plan);
	change_list_done(&list);
	return port;
}

Test(ports, the_internal_number_comes_first)
{
	struct conditions at = ordinary;
	struct table *table = make_loaded("tcp 80 192.168.1.10:80");
	struct refusal why;

	at.pool = (struct port_list){ ten, 1 };
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:8080", &at, NULL, &why),
		     8080);
	cr_expect_eq(port_of(table, "+udp auto 192.168.1.11:80", &at, NULL, &why), 80);
	/* even for even */
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:80", &at, NULL, &why), 40000);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.12:80", &at, NULL, &why), 40002);
	/* a pinhole at its own number is in nobody's way */
	cr_expect_eq(port_of(table, "+tcp auto [2001:db8::10]:80", &at, NULL, &why), 80);
	cr_expect_eq(table_find_id(table, 6)->n_ports, 1);
	cr_expect(mapping_is_pinhole(table_find_id(table, 6)));
	table_free(table);
}

Test(ports, class_and_parity_are_kept_where_that_is_possible)
{
	struct conditions at = ordinary;
	struct table *table = make_loaded("tcp 81 192.168.1.10:81");
	struct refusal why;

	at.pool = (struct port_list){ two_pools, 2 };
	at.random = 2;
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:81", &at, NULL, &why), 1001);
	/* class before parity, then parity, then what is left */
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.12:81", &at, NULL, &why), 1000);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.13:81", &at, NULL, &why), 40001);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.14:81", &at, NULL, &why), 40003);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.15:81", &at, NULL, &why), 40000);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.16:81", &at, NULL, &why), 40002);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.17:81", &at, NULL, &why), 0);
	cr_expect_eq(why.verdict, VERDICT_NO_PORT);
	table_free(table);
}

Test(ports, what_is_reserved_or_listened_on_is_not_chosen)
{
	const struct listener listeners[] = {
		{ .local = { address_any4, 22 }, .protocol = IPPROTO_TCP },
		{ .local = { address_any4, 40000 }, .protocol = IPPROTO_TCP },
	};
	struct conditions at = ordinary;
	struct table *table = make_table(10);
	struct refusal why;

	at.pool = (struct port_list){ ten, 1 };
	at.reserved = (struct port_list){ some_reserved, 2 };
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:80", &at, NULL, &why), 40000);
	at.listeners = (struct listener_list){ listeners, 2 };
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:22", &at, NULL, &why), 0);
	cr_expect_eq(why.verdict, VERDICT_NO_PORT);
	cr_expect_eq(why.pool.n, 1);
	cr_expect_eq(why.pool.taken, 1);
	cr_expect_eq(why.pool.listened, 0);
	cr_expect_eq(port_of(table, "+udp auto 192.168.1.11:22", &at, NULL, &why), 22);
	at.reserved.n = 1;
	/* 40000 is listened on as well: the next even one */
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:22", &at, NULL, &why), 40002);
	table_free(table);
}

/* Its internal number is one of them, and no pinhole although its host is not known. */
Test(ports, a_range_to_a_host_without_address_gets_no_listeners_port)
{
	const struct listener listener = {
		.local = { address_any6, 40002 },
		.protocol = IPPROTO_TCP,
	};
	const struct lan_prefix lan = { .lan = "lan0" };
	struct conditions at = ordinary;
	struct table *table = make_table(10);

	at.pool = (struct port_list){ ten, 1 };
	at.lans = (struct lan_prefix_list){ &lan, 1 };
	at.listeners = (struct listener_list){ &listener, 1 };
	change_table(table, "+tcp 40002-40004 [::10]:40002", &at);
	cr_expect_eq(table_size(table), 1, "a pinhole passes the gateway");
	cr_expect_eq(range_of(table, "+tcp auto [::10]:40002 web", 3, &at), 40004);
	table_free(table);
}

Test(ports, both_protocols_get_the_same)
{
	struct conditions at = ordinary;
	struct table *table = make_loaded("tcp 53 192.168.1.10:53\n"
					  "udp 40001 192.168.1.10:1\n"
					  "tcp 40003 192.168.1.10:1");
	struct refusal why;

	at.pool = (struct port_list){ ten, 1 };
	cr_expect_eq(port_of(table, "+tcp,udp auto 192.168.1.11:53", &at, NULL, &why),
		     40005);
	cr_expect_eq(table_find_id(table, 4)->external.port, 40005);
	cr_expect_eq(table_find_id(table, 5)->external.port, 40005);
	cr_expect_eq(table_find_id(table, 5)->protocol, IPPROTO_UDP);
	table_free(table);
}

Test(ports, a_range_gets_ports_in_a_row)
{
	struct conditions at = ordinary;
	struct table *table = make_loaded("tcp 8001 192.168.1.10:1\n"
					  "tcp 40002 192.168.1.10:1\n"
					  "udp 5000-5009 192.168.1.10:5000");

	at.pool = (struct port_list){ ten, 1 };
	/* with a hole at 8001 it would not be what was asked for */
	cr_expect_eq(range_of(table, "+tcp auto 192.168.1.11:8000", 4, &at), 40004);
	cr_expect_eq(range_of(table, "+tcp auto 192.168.1.12:8000", 4, &at), 0);
	cr_expect_eq(range_of(table, "+tcp auto 192.168.1.12:8000", 2, &at), 40000);
	cr_expect_eq(range_of(table, "+tcp auto 192.168.1.12:9000", 4, &at), 9000);
	cr_expect_eq(range_of(table, "+udp auto 192.168.1.12:5008", 2, &at), 40000);
	cr_expect_eq(range_of(table, "+tcp auto 192.168.1.12:10000", 20000, &at), 10000);
	/* at other numbers it would be larger than such a range may be */
	cr_expect_eq(range_of(table, "+tcp auto 192.168.1.13:10000", 20000, &at), 0);
	table_free(table);
}

Test(ports, asking_again_gives_the_same)
{
	struct conditions at = ordinary;
	struct table *table =
		make_loaded("tcp 80 192.168.1.10:80\ntcp 81 192.168.1.10:1");
	struct refusal why;

	at.pool = (struct port_list){ ten, 1 };
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.10:80", &at, NULL, &why), 80);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:80 web", &at, NULL, &why),
		     40000);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:80 web", &at, NULL, &why),
		     40000);
	cr_expect_eq(table_size(table), 3);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.12:80 web", &at, NULL, &why), 0);
	cr_expect_eq(why.verdict, VERDICT_NAME_TAKEN);
	table_free(table);
}

Test(ports, only_what_one_may_have_is_chosen)
{
	const struct grant grant = {
		.rule = "group \"family\"",
		.map = { { 40005, 40006 }, { 1, 1023 } },
		.n_map = 2,
		.quota = 2,
		.max_lifetime = GRANT_UNLIMITED,
	};
	struct rights *rights = rights_new(1000, false, &grant, 1);
	struct conditions at = ordinary;
	struct table *table = make_table(100);
	struct refusal why;

	at.pool = (struct port_list){ ten, 1 };
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:22", &at, rights, &why),
		     40006);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:8080", &at, rights, &why),
		     40005);
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:23", &at, rights, &why), 0);
	cr_expect_eq(why.verdict, VERDICT_NOT_PERMITTED);
	cr_expect_eq(why.denial.missing, RIGHT_MAP);
	rights_unref(rights);
	table_free(table);
}

/* For some remote hosts alone it would be free, and take what is another's. */
Test(ports, what_is_anothers_is_not_chosen)
{
	const struct grant grant = {
		.rule = "group \"family\"",
		.map = { { 40004, 40005 } },
		.n_map = 1,
		.quota = 10,
		.max_lifetime = GRANT_UNLIMITED,
	};
	struct rights *rights = rights_new(1000, false, &grant, 1);
	struct conditions at = ordinary;
	struct table *table = make_loaded("tcp 40004 192.168.1.9:1");
	struct refusal why;

	at.pool = (struct port_list){ ten, 1 };
	cr_expect_eq(port_of(table, "+tcp auto 192.168.1.11:40004 from=10.0.0.0/8", &at,
			     rights, &why),
		     40005);
	rights_unref(rights);
	table_free(table);
}

#define POOL_SIZE 16384

Test(ports, the_pool_is_given_out_to_the_last_and_then_counted, .timeout = 60)
{
	struct conditions at = ordinary;
	struct table *table = make_table(65535);
	struct change_list list = make_list("+tcp 80 192.168.1.9:80");
	struct change change = make_add("tcp auto 192.168.1.10:80");
	struct change_list more = make_list("+tcp auto 192.168.1.11:80");
	struct refusal why;
	struct plan *plan;

	change.mapping.owner_uid = 1000;
	for (unsigned int i = 0; i < POOL_SIZE; i++) {
		change.mapping.internal.port = 80;
		change.mapping.internal.addr.s6_addr[14] = (uint8_t)(i >> 8);
		if (i >= POOL_SIZE / 2)
			change.mapping.owner_uid = 1001 + i % 2;
		change_list_add(&list, &change);
	}
	at.random = 7;
	cr_assert_eq(table_stage(table, &list, 1, &at, &plan), 0);
	cr_expect_not(plan_refused(plan, 0));
	cr_expect_eq(plan_size(plan), POOL_SIZE + 1);
	table_commit(table, plan);
	plan_free(plan);

	cr_assert_eq(table_stage(table, &more, 1, &at, &plan), 0);
	cr_assert(plan_refused(plan, 0));
	plan_refusal(plan, 0, &why);
	cr_expect_eq(why.verdict, VERDICT_NO_PORT);
	cr_expect_eq(why.pool.pool.first, 49152);
	cr_expect_eq(why.pool.pool.last, 65535);
	cr_expect_eq(why.pool.n, POOL_SIZE);
	cr_expect_eq(why.pool.taken, POOL_SIZE);
	cr_expect_str_eq(why.pool.top, "uid:1000");
	cr_expect_eq(why.pool.top_n, POOL_SIZE / 2);
	plan_free(plan);
	change_list_done(&list);
	change_list_done(&more);
	table_free(table);
}

/* The router above us may choose another one as well. */
Test(ports, one_that_natd_chose_is_remembered_as_such)
{
	struct table *table = make_table(10);

	change_table(table, "+tcp auto 192.168.1.10:80\n+tcp 81 192.168.1.10:81",
		     &ordinary);
	cr_expect(table_find_id(table, 1)->auto_port);
	cr_expect_not(table_find_id(table, 2)->auto_port);
	change_table(table, "~#1: name=web\n~#2: off", &ordinary);
	cr_expect(table_find_id(table, 1)->auto_port);
	cr_expect_not(table_find_id(table, 2)->auto_port);
	cr_expect_eq(change_table(table, "+tcp auto 192.168.1.10:80", &ordinary),
		     VERDICT_UNCHANGED);
	table_free(table);
}
