/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/gateway/gateway_private.h"
#include "tests/fake/alloc.h"
#include "tests/unit/core/make.h"

static struct gateway gw;
static struct lan_prefix lans[] = { { .lan = "lan0" }, { .lan = "lan1" } };
static const struct lan_prefix_list lan_list = { .lans = lans, .n = ARRAY_SIZE(lans) };

static void start(void)
{
	gw.table = make_table(70000);
}

static void stop(void)
{
	table_free(gw.table);
}

TestSuite(gateway_diff, .init = start, .fini = stop, .timeout = 60);

static struct config *load(const char *forwards)
{
	struct config_flaw flaw = { "" };
	struct config *config = NULL;
	char *text = NULL;

	cr_assert_gt(asprintf(&text,
			      "wan { interfaces = {\"wan0\"} }\n"
			      "lan { interfaces = {\"lan0\", \"lan1\"} } "
			      "upstream { enable = yes }\n"
			      "%s",
			      forwards),
		     0);
	cr_assert_eq(config_load_buffer("/etc/natd/natd.conf", text, strlen(text),
					&config, &flaw),
		     0, "%s", flaw.text);
	free(text);
	return config;
}

/* "+ - ~", one for each change in order */
static const char *kinds_of(const struct change_list *list)
{
	static char text[64];
	size_t n = 0;

	for (; n < list->n && n < sizeof(text) - 1; n++)
		text[n] = list->changes[n].kind == CHANGE_ADD	   ? '+'
			  : list->changes[n].kind == CHANGE_REMOVE ? '-'
								   : '~';
	text[n] = 0;
	return text;
}

static void commit(const struct change_list *list)
{
	struct conditions at = ordinary;
	struct refusal refusal = { 0 };
	struct plan *plan = NULL;

	at.lans = lan_list;
	cr_assert_eq(table_stage(gw.table, list, 1, &at, &plan), 0);
	if (plan_refused(plan, 0))
		plan_refusal(plan, 0, &refusal);
	cr_assert_not(plan_refused(plan, 0), "%s", outcome_of(refusal.verdict)->code);
	table_commit(gw.table, plan);
	plan_free(plan);
}

/* The table has the forwards afterwards. Return: as kinds_of() */
static const char *apply(const char *forwards)
{
	struct config *config = load(forwards);
	struct change_list list = { 0 }, again = { 0 };
	const char *kinds;

	cr_assert_eq(gateway_diff(&gw, config, &list), 0);
	commit(&list);
	cr_assert_eq(gateway_diff(&gw, config, &again), 0);
	cr_expect_eq(again.n, 0, "then it is so: %s", kinds_of(&again));
	kinds = kinds_of(&list);
	change_list_done(&again);
	change_list_done(&list);
	config_free(config);
	return kinds;
}

#define FORWARD(name, words) "forward " name " { protocol = tcp " words " }\n"

/* ------------------------------------------------------------ one forward */

/* what is altered: how the forward was, how it is then */
static const struct {
	const char *before, *after, *kinds;
} alterations[] = {
	{ "port = 80 to = 192.168.1.10", "port = 80 to = 192.168.1.10", "" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = 192.168.1.11", "~" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = \"192.168.1.10:8080\"", "~" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = 192.168.1.10 comment = \"a\"",
	  "~" },
	{ "port = 80 to = 192.168.1.10 comment = \"a\"", "port = 80 to = 192.168.1.10",
	  "~" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = 192.168.1.10 enabled = no",
	  "~" },
	{ "port = 80 to = 192.168.1.10 enabled = no", "port = 80 to = 192.168.1.11",
	  "~" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = 192.168.1.10 force = yes", "" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = 192.168.1.10 upstream = no",
	  "~" },
	{ "port = 80 to = 192.168.1.10 upstream = yes",
	  "port = 80 to = 192.168.1.10 upstream = required", "~" },
	{ "port = 80 to = 192.168.1.10 upstream = required",
	  "port = 80 to = 192.168.1.10 upstream = required", "" },
	{ "port = 80 to = 192.168.1.10 upstream = required",
	  "port = 80 to = 192.168.1.10", "~" },
	{ "port = 80 to = 192.168.1.10", "port = 81 to = 192.168.1.10", "-+" },
	{ "port = 80 to = 192.168.1.10", "port = \"80-81\" to = 192.168.1.10", "-+" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = 192.168.1.10 at = 203.0.113.7",
	  "-+" },
	{ "port = 80 to = 192.168.1.10",
	  "port = 80 to = 192.168.1.10 from = {\"198.51.100.0/24\"}", "-+" },
	{ "port = 80 to = 192.168.1.10 from = {\"198.51.100.0/24\"}",
	  "port = 80 to = 192.168.1.10 from = {\"198.51.100.0/25\"}", "-+" },
	{ "port = 80 to = 192.168.1.10 from = {\"10.0.0.0/8\", \"198.51.100.0/24\"}",
	  "port = 80 to = 192.168.1.11 from = {\"198.51.100.0/24\", \"10.0.0.0/8\"}",
	  "~" },
	{ "port = \"80-89\" to = 192.168.1.10", "port = \"80-89\" to = 192.168.1.11",
	  "~" },
	{ "port = \"80-89\" to = 192.168.1.10", "port = \"80-88\" to = 192.168.1.10",
	  "-+" },
	{ "port = 80 to = 192.168.1.10", "port = 80 to = \"2001:db8:1::10\"", "-+" },
	{ "port = 80 to = \"2001:db8:1::10\"", "port = 80 to = \"2001:db8:1::11\"",
	  "-+" },
	{ "port = 80 to = \"2001:db8:1::10\"", "port = 80 to = \"[2001:db8:1::10]:81\"",
	  "-+" },
	{ "port = 80 to = \"[2001:db8:1::10]:81\"",
	  "port = 80 to = \"[2001:db8:1::10]:82\"", "~" },
	{ "port = 80 to = \"::10%lan0\"", "port = 80 to = \"::10%lan0\"", "" },
	{ "port = 80 to = \"::10%lan0\"", "port = 80 to = \"::11%lan0\"", "-+" },
	{ "port = 80 to = \"::10%lan0\"", "port = 80 to = \"::10%lan1\"", "-+" },
	{ "port = 80 to = \"[::10%lan0]:81\"", "port = 80 to = \"[::11%lan0]:81\"", "~" },
	{ "port = 80 to = \"[::10%lan0]:81\"", "port = 80 to = \"[::10%lan1]:81\"",
	  "-+" },
	{ "port = 80 to = \"[::10%lan0]:81\"", "port = 80 to = \"[2001:db8:1::10]:81\"",
	  "-+" },
};

Test(gateway_diff, a_forward_is_the_same_one_as_long_as_it_takes_the_same_packets)
{
	for (size_t i = 0; i < ARRAY_SIZE(alterations); i++) {
		const char *const words[] = { alterations[i].before,
					      alterations[i].after };
		const struct mapping *m;
		char forward[256];
		uint64_t id = 0;

		for (size_t j = 0; j < 2; j++) {
			const char *kinds;

			snprintf(forward, sizeof(forward), FORWARD("web", "%s"),
				 words[j]);
			kinds = apply(forward);
			cr_expect_str_eq(kinds, j ? alterations[i].kinds : "+",
					 "%s -> %s: %s", words[0], words[1], kinds);
			m = table_find_name(gw.table, "web", IPPROTO_TCP);
			cr_assert_not_null(m);
			if (j && strcmp(alterations[i].kinds, "-+") != 0)
				cr_expect_eq(m->id, id, "%s", words[1]);
			id = m->id;
		}
		cr_expect_str_eq(apply(""), "-");
		cr_expect_eq(table_size(gw.table), 0);
	}
}

Test(gateway_diff, another_name_is_no_other_forward)
{
	const struct mapping *m;

	cr_assert_str_eq(apply(FORWARD("web", "port = 80 to = 192.168.1.10")), "+");
	cr_assert_str_eq(apply(FORWARD("www", "port = 80 to = 192.168.1.10")), "~");
	m = table_find_name(gw.table, "www", IPPROTO_TCP);
	cr_assert_not_null(m);
	cr_expect_eq(m->id, 1);
	cr_expect_null(table_find_name(gw.table, "web", IPPROTO_TCP));
}

Test(gateway_diff, names_may_wander_from_one_forward_to_another)
{
	cr_assert_str_eq(apply(FORWARD("a", "port = 1 to = 192.168.1.10")
				       FORWARD("b", "port = 2 to = 192.168.1.10")),
			 "++");
	cr_assert_str_eq(apply(FORWARD("b", "port = 1 to = 192.168.1.10")
				       FORWARD("a", "port = 2 to = 192.168.1.10")),
			 "--++");
	cr_expect_eq(table_find_name(gw.table, "a", IPPROTO_TCP)->external.port, 2);
	cr_expect_eq(table_find_name(gw.table, "b", IPPROTO_TCP)->external.port, 1);
}

Test(gateway_diff, each_protocol_is_a_mapping_of_its_own)
{
	cr_assert_str_eq(apply(FORWARD("a", "port = 1 to = 192.168.1.10")), "+");
	cr_assert_str_eq(apply("forward a { protocol = \"udp,tcp,sctp\" port = 1 "
			       "to = 192.168.1.10 }"),
			 "+");
	cr_expect_eq(table_size(gw.table), 3);
	cr_expect_eq(table_find_name(gw.table, "a", IPPROTO_TCP)->id, 1);
	cr_assert_str_eq(apply("forward a { protocol = \"udp,sctp\" port = 1 "
			       "to = 192.168.1.11 }"),
			 "-~~");
	cr_expect_eq(table_size(gw.table), 2);
}

/* ------------------------------------------------------------ the others */

Test(gateway_diff, what_people_added_is_not_touched)
{
	struct change_list list = make_list("+tcp 80 192.168.1.10:80 web\n"
					    "+udp 53 192.168.1.10:53");

	commit(&list);
	change_list_done(&list);
	cr_expect_str_eq(apply(""), "");
	cr_expect_str_eq(apply(FORWARD("a", "port = 1 to = 192.168.1.10")), "+");
	cr_expect_str_eq(apply(""), "-");
	cr_expect_eq(table_size(gw.table), 2);
}

Test(gateway_diff, a_suffix_is_the_same_one_wherever_its_host_is)
{
	static const char forwards[] = FORWARD("a", "port = 80 to = \"::10%lan0\"")
		FORWARD("b", "port = 81 to = \"[::10%lan0]:82\"");
	size_t changed;

	cr_assert_str_eq(apply(forwards), "++");
	address_parse("2001:db8:1::", &lans[0].prefix);
	table_settle_hosts(gw.table, &lan_list, &changed);
	cr_assert_eq(changed, 2);
	cr_expect_str_eq(apply(forwards), "");
}

Test(gateway_diff, forwards_are_added_in_order_of_the_file)
{
	cr_assert_str_eq(apply(FORWARD("c", "port = 9 to = 192.168.1.10")
				       FORWARD("b", "port = 3 to = 192.168.1.10") FORWARD(
					       "a", "port = 5 to = 192.168.1.10")),
			 "+++");
	cr_expect_str_eq(table_find_id(gw.table, 1)->name, "c");
	cr_expect_str_eq(table_find_id(gw.table, 2)->name, "b");
	cr_expect_str_eq(table_find_id(gw.table, 3)->name, "a");
}

Test(gateway_diff, the_line_of_a_change_is_found)
{
	struct config *config;
	struct change_list list = { 0 };

	apply(FORWARD("a", "port = 1 to = 192.168.1.10"));
	config = load(FORWARD("b", "port = 2 to = 192.168.1.10")
			      FORWARD("a", "port = 1 to = 192.168.1.11"));
	cr_assert_eq(gateway_diff(&gw, config, &list), 0);
	cr_assert_str_eq(kinds_of(&list), "~+");
	cr_expect_eq(gateway_line(&gw, config, &list.changes[0]), 4);
	cr_expect_eq(gateway_line(&gw, config, &list.changes[1]), 3);
	list.changes[0].selector.id = 4711;
	cr_expect_eq(gateway_line(&gw, config, &list.changes[0]), 0);
	change_list_done(&list);
	config_free(config);
}

Test(gateway_diff, without_memory_it_says_so)
{
	struct config *config;
	unsigned int failed, n = 0;

	apply(FORWARD("a", "port = 1 to = 192.168.1.10")
		      FORWARD("b", "port = 2 to = 192.168.1.10"));
	config = load(FORWARD("a", "port = 1 to = 192.168.1.11")
			      FORWARD("c", "port = 3 to = 192.168.1.10"));
	do {
		struct change_list list = { 0 };
		int r;

		alloc_fail_at(++n, false);
		r = gateway_diff(&gw, config, &list);
		failed = alloc_fail_at(0, false);
		cr_expect_eq(r, failed ? -ENOMEM : 0);
		change_list_done(&list);
	} while (failed);
	cr_expect_gt(n, 4);
	config_free(config);
}
