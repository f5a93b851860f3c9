/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a plan is told as. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "natd/events/events.h"
#include "tests/unit/core/make.h"

#define FIRST 1000

static struct events *events;
static struct events_reader reader;
static struct buffer text;
static struct table *table;
static uint64_t lease_now;

static void on_wake(void *userdata)
{
}

static void set_up(void)
{
	static const uint64_t since = FIRST - 1;
	static const uint8_t seed[16] = { 1 };

	text = (struct buffer){ 0 };
	lease_now = 1;
	table = table_new(65535, seed);
	cr_assert_eq(events_new(FIRST, &events), 0);
	events_join(events, &reader, &since, on_wake, NULL);
}

static void tear_down(void)
{
	events_leave(&reader);
	events_free(events);
	buffer_done(&text);
	table_free(table);
}

TestSuite(events_of_plans, .init = set_up, .fini = tear_down, .timeout = 60);

/* The next lines, NUL-terminated in @text; the state must be @wanted. */
static const char *read_on(enum events_state wanted)
{
	text.len = 0;
	cr_assert_eq(events_read(&reader, &text), wanted);
	buffer_add(&text, "", 1);
	text.len--;
	return text.bytes;
}

static void expect_in(const char *where, const char *what)
{
	cr_expect_not_null(strstr(where, what), "%s is not in: %s", what, where);
}

/* "+8080>80" adds it to port 80 of a host, "-8080" removes it. */
static void add_words(struct change_list *list, const char *words)
{
	for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ') {
		unsigned int port, to = 0;
		struct change change;
		char line[64];

		cr_assert_geq(sscanf(at + 1, "%u>%u", &port, &to), 1);
		if (*at == '+')
			snprintf(line, sizeof(line), "tcp %u 192.168.1.10:%u", port, to);
		else
			snprintf(line, sizeof(line), "tcp %u", port);
		change = *at == '+' ? make_add(line) : make_remove(line);
		cr_assert_eq(change_list_add(list, &change), 0);
	}
}

static const char *told_lists(struct change_list *lists, size_t n,
			      enum events_state state)
{
	struct conditions at = ordinary;
	struct plan *plan;

	at.lease_now = lease_now;
	cr_assert_eq(table_stage(table, lists, n, &at, &plan), 0);
	for (size_t i = 0; i < n; i++)
		cr_assert(!plan_refused(plan, i), "request %zu", i);
	for (size_t i = 0; i < plan_size(plan); i++)
		plan_effect(plan, i)->ended = (uint32_t)i + 1;
	table_commit(table, plan);
	events_tell_plan(events, plan);
	plan_free(plan);
	for (size_t i = 0; i < n; i++)
		change_list_done(&lists[i]);
	return read_on(state);
}

/* Each of @requests is a request of its own; all are one plan. */
static const char *told(const char *const *requests, size_t n, enum events_state state)
{
	struct change_list lists[4] = { 0 };

	for (size_t i = 0; i < n; i++)
		add_words(&lists[i], requests[i]);
	return told_lists(lists, n, state);
}

/* What make_list() reads, as one request. */
static const char *told_list(const char *changes)
{
	struct change_list list = make_list(changes);

	return told_lists(&list, 1, EVENTS_NONE);
}

static const char *told_one(const char *words)
{
	return told(&words, 1, EVENTS_NONE);
}

/* "added 8080>80", "changed 8080>80 from 81", with a "*" where it has the id that it had:
 * of every line in order, from the JSON that it must be */
static const char *summary(const char *lines)
{
	static char all[1024];
	size_t len = 0;

	all[0] = 0;
	for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
		size_t n = (size_t)(strchr(line, '\n') - line);
		json_t *json = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
		struct mapping m, before = { 0 };

		cr_assert_not_null(json, "%s", line);
		cr_assert_eq(
			api_decode_mapping(json_object_get(json, "mapping"), &m, NULL), 0,
			"%s", line);
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s %u>%u",
					len ? ", " : "",
					json_string_value(json_object_get(json, "event")),
					m.external.port, m.internal.port);
		if (json_object_get(json, "before")) {
			cr_assert_eq(api_decode_mapping(json_object_get(json, "before"),
							&before, NULL),
				     0);
			len += (size_t)snprintf(all + len, sizeof(all) - len,
						" from %u%s", before.internal.port,
						m.id == before.id ? "*" : "");
			details_unref(before.details);
		}
		details_unref(m.details);
		json_decref(json);
	}
	return all;
}

Test(events_of_plans, a_plan_is_told_by_what_it_makes_of_each_endpoint)
{
	static const struct {
		const char *words, *wanted;
	} cases[] = {
		{ "+1>10 +2>20", "added 1>10, added 2>20" },
		{ "-1", "removed 1>10" },
		{ "-2 +2>21", "changed 2>21 from 20" },
		{ "-2 +3>30 +2>22 +4>40",
		  "added 3>30, changed 2>22 from 21, added 4>40" },
		{ "-2 +2>23 -2 +2>24", "changed 2>24 from 22" },
		{ "-2 +2>25 -2", "removed 2>24" },
		{ "+9>90 -9", "" },
		{ "+9>90 -9 +9>91 +8>80", "added 9>91, added 8>80" },
		{ "-9 +9>91", "changed 9>91 from 91" },
		{ "-3 -4 +3>31 +5>50", "removed 4>40, changed 3>31 from 30, added 5>50" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = summary(told_one(cases[i].words));

		cr_expect_str_eq(got, cases[i].wanted, "%s: %s", cases[i].words, got);
	}
}

Test(events_of_plans, an_update_is_a_change_of_the_same_mapping)
{
	static const struct {
		const char *list, *wanted;
	} cases[] = {
		{ "+tcp 1 10.0.0.1:10 a\n+tcp 2 10.0.0.1:20 b lease=60",
		  "added 1>10, added 2>20" },
		{ "~a: to=10.0.0.1:11", "changed 1>11 from 10*" },
		{ "~a: off\n~b: lease=90",
		  "changed 1>11 from 11*, changed 2>20 from 20*" },
		{ "~a: name=c\n~c: to=10.0.0.1:12\n~c: on", "changed 1>12 from 11*" },
		{ "+tcp 3 10.0.0.1:30 d\n~d: to=10.0.0.1:31", "added 3>31" },
		{ "~d: to=10.0.0.1:32\n-d", "removed 3>31" },
		{ "~c: to=10.0.0.1:13\n-c\n+tcp 1 10.0.0.1:14 e",
		  "changed 1>14 from 12" },
		{ "+tcp 4 10.0.0.1:40 f\n~f: off\n-f", "" },
		{ "-e\n+tcp 1 10.0.0.1:15 e\n~e: comment=x", "changed 1>15 from 14" },
		/* its external address is its host's */
		{ "+tcp 443 [2001:db8::1]:443 six", "added 443>443" },
		{ "~six: to=[2001:db8::2]:443", "changed 443>443 from 443*" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = summary(told_list(cases[i].list));

		cr_expect_str_eq(got, cases[i].wanted, "%s: %s", cases[i].list, got);
	}
}

Test(events_of_plans, an_update_tells_what_was_before_and_how_many_ended)
{
	told_list("+tcp 1 10.0.0.1:10 a comment=one");
	told_list("~a: comment=two");
	expect_in(text.bytes, "\"comment\":\"two\",");
	expect_in(strstr(text.bytes, "\"before\":"), "\"comment\":\"one\",");
	expect_in(text.bytes, ",\"ended\":1}\n");
	told_list("~a: comment=three\n~a: off");
	expect_in(strstr(text.bytes, "\"before\":"), "\"comment\":\"two\",");
	expect_in(text.bytes, ",\"ended\":3}\n");
}

/* What comes of it the gateway tells, who knows what else the mapping waits for. */
Test(events_of_plans, what_the_router_above_us_says_is_nobodys_change)
{
	told_list("+tcp 80 192.168.1.10:80 web upstream=required");
	cr_expect_str_eq(told_list("~web: held"), "");
	cr_expect_str_eq(told_list("~web: lost\n~web: held"), "");
	cr_expect_str_eq(told_list("~web: lost"), "");
	expect_in(told_list("~web: held\n~web: name=site"), "\"event\":\"changed\"");
	expect_in(told_list("~site: name=web\n~web: lost"), "\"event\":\"changed\"");
	expect_in(told_list("~web: upstream=no"), "\"event\":\"changed\"");
}

Test(events_of_plans, a_lease_that_ended_is_told_by_its_own_word)
{
	told_list("+tcp 1 10.0.0.1:10 a lease=60\n+tcp 2 10.0.0.1:20 b lease=60\n"
		  "+tcp 3 10.0.0.1:30 c");
	lease_now = 59999;
	cr_expect_str_eq(told_list("xtcp 1"), "", "it goes on");
	lease_now = 61000;
	cr_expect_str_eq(summary(told_list("xtcp 1\n-c")), "expired 1>10, removed 3>30");
	cr_expect_str_eq(summary(told_list("-b")), "removed 2>20", "before it was over");
}

Test(events_of_plans, of_several_at_one_port_each_goes_on_from_its_own)
{
	static const struct {
		const char *list, *wanted;
	} cases[] = {
		{ "+tcp 1 10.0.0.1:10 a from=10.0.0.0/8\n+tcp 1 10.0.0.1:11 b "
		  "from=10.1.0.0/16\n+tcp 1 10.0.0.1:12 c",
		  "added 1>10, added 1>11, added 1>12" },
		{ "-a\n-b\n-c\n+tcp 1 10.0.0.1:22 c\n+tcp 1 10.0.0.1:21 b "
		  "from=10.1.0.0/16\n+tcp 1 10.0.0.1:20 a from=10.0.0.0/8",
		  "changed 1>22 from 12, changed 1>21 from 11, changed 1>20 from 10" },
		/* for others than before */
		{ "-a\n-b\n+tcp 1 10.0.0.1:31 b from=10.1.0.0/16\n+tcp 1 10.0.0.1:30 a "
		  "from=10.2.0.0/16",
		  "changed 1>31 from 21, changed 1>30 from 20" },
		{ "-a\n-b\n+tcp 1 10.0.0.1:40 a from=172.16.0.0/12",
		  "removed 1>31, changed 1>40 from 30" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = summary(told_list(cases[i].list));

		cr_expect_str_eq(got, cases[i].wanted, "%s: %s", cases[i].list, got);
	}
}

Test(events_of_plans, what_two_requests_do_is_not_one_change)
{
	static const char *const requests[] = { "+1>10", "-1", "+1>11" };

	cr_expect_str_eq(summary(told(requests, 3, EVENTS_NONE)),
			 "added 1>10, removed 1>10, added 1>11");
}

Test(events_of_plans, ended_connections_are_those_of_all_steps)
{
	told_one("+1>10");
	expect_in(text.bytes, ",\"ended\":1}\n");
	told_one("-1 +2>20 +1>11");
	expect_in(text.bytes, ",\"ended\":2}\n");
	expect_in(text.bytes, ",\"ended\":4}\n");
}

Test(events_of_plans, what_the_ring_cannot_hold_is_numbered_and_lost)
{
	const size_t n = EVENTS_MAX + 1000;
	char *words = calloc(n, 16), *at = words;
	const char *request = words;

	for (size_t i = 1; i <= n; i++)
		at += sprintf(at, "+%zu>80 ", i);
	events_wait(&reader);
	told(&request, 1, EVENTS_MORE);
	expect_in(text.bytes,
		  "{\"event\":\"lost\",\"from\":1000,\"to\":1999}\n{\"seq\":2000,");
	free(words);
}
