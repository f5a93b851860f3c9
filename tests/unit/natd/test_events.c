/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The ring of events by itself: numbers, gaps, bounds. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "natd/events/events.h"
#include "natd/events/stream.h"

#define FIRST 1000

static struct events *events;
static struct events_reader reader;
static struct buffer text;
static unsigned int woken;

static void on_wake(void *userdata)
{
	(*(unsigned int *)userdata)++;
}

static void set_up(void)
{
	woken = 0;
	text = (struct buffer){ 0 };
	cr_assert_eq(events_new(FIRST, &events), 0);
	events_join(events, &reader, NULL, on_wake, &woken);
}

static void tear_down(void)
{
	events_leave(&reader);
	events_free(events);
	buffer_done(&text);
}

TestSuite(events, .init = set_up, .fini = tear_down, .timeout = 30);

static void put(const char *payload)
{
	events_put(events, EVENT_REPAIRED, payload, strlen(payload));
}

static void put_many(size_t n)
{
	for (size_t i = 0; i < n; i++)
		put("\"a\":1");
}

/* The next lines, NUL-terminated in @text; the state must be @wanted. */
static const char *read_on(enum events_state wanted)
{
	text.len = 0;
	cr_assert_eq(events_read(&reader, &text), wanted);
	buffer_add(&text, "", 1);
	text.len--;
	return text.bytes;
}

/* Read to the end. Return: how many lines; the last one is in @text. */
static size_t count_lines(void)
{
	size_t n = 0;
	enum events_state state;

	do {
		text.len = 0;
		state = events_read(&reader, &text);
		for (size_t i = 0; i < text.len; i++)
			n += text.bytes[i] == '\n';
	} while (state == EVENTS_MORE);
	cr_assert_eq(state, EVENTS_NONE);
	return n;
}

static void rejoin(uint64_t since)
{
	events_leave(&reader);
	events_join(events, &reader, &since, on_wake, &woken);
}

static void expect_start(const char *start)
{
	cr_expect_eq(strncmp(text.bytes, start, strlen(start)), 0, "%.200s", text.bytes);
}

static void expect_in(const char *where, const char *what)
{
	cr_expect_not_null(strstr(where, what), "%s is not in: %s", what, where);
}

Test(events, a_reader_without_a_number_hears_where_it_starts_and_what_comes_then)
{
	put("\"before\":1");
	events_leave(&reader);
	events_join(events, &reader, NULL, on_wake, &woken);
	expect_in(read_on(EVENTS_NONE), "{\"event\":\"start\",\"seq\":1000,");
	put("\"by\":2");
	read_on(EVENTS_NONE);
	expect_start("{\"seq\":1001,\"time\":\"");
	expect_in(text.bytes, "Z\",\"event\":\"repaired\",\"by\":2}\n");
	cr_expect_str_eq(read_on(EVENTS_NONE), "");
}

Test(events, every_kind_has_its_word)
{
	static const char *const words[] = {
		"added",  "changed", "removed",	    "expired",	"waiting",
		"active", "refused", "wan-address", "repaired", "foreign-drop",
	};
	char wanted[64];

	rejoin(FIRST - 1);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		events_put(events, (enum event_kind)i, "\"a\":1", 5);
		snprintf(wanted, sizeof(wanted), "\"event\":\"%s\",\"a\":1}\n", words[i]);
		expect_in(read_on(EVENTS_NONE), wanted);
	}
}

Test(events, who_resumes_hears_what_it_missed_and_nothing_else)
{
	put("\"n\":0");
	put("\"n\":1");
	put("\"n\":2");
	rejoin(FIRST);
	read_on(EVENTS_NONE);
	expect_start("{\"seq\":1001,");
	expect_in(text.bytes, "\"n\":2}\n");
	rejoin(FIRST + 2);
	cr_expect_str_eq(read_on(EVENTS_NONE), "");
}

Test(events, a_number_of_another_run_is_told_reset_and_then_all_of_this_run)
{
	static const uint64_t others[] = { 0, 1, FIRST - 2, FIRST + 2, UINT64_MAX };

	put("\"n\":0");
	put("\"n\":1");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		rejoin(others[i]);
		read_on(EVENTS_NONE);
		expect_start("{\"event\":\"reset\",\"seq\":999,");
		expect_in(text.bytes, "{\"seq\":1000,");
		expect_in(text.bytes, "{\"seq\":1001,");
	}
}

Test(events, runs_are_numbered_by_the_clock)
{
	struct events *later;
	struct events_reader old, new;

	cr_assert_eq(events_new(0, &later), 0);
	events_free(events);
	cr_assert_eq(events_new(0, &events), 0);
	events_join(later, &old, NULL, on_wake, &woken);
	events_join(events, &new, NULL, on_wake, &woken);
	cr_expect_gt(new.next, old.next);
	/* JSON's readers take numbers below 2^53 for certain */
	cr_expect_lt(new.next, UINT64_C(1) << 53);
	cr_expect_gt(old.next, UINT64_C(1700000000000000));
	events_free(later);
	events_leave(&new);
	events_join(events, &reader, NULL, on_wake, &woken);
}

Test(events, a_gap_is_told_as_lost_to_one_who_resumes)
{
	put_many(EVENTS_MAX + 10);
	rejoin(FIRST + 3);
	read_on(EVENTS_MORE);
	expect_start("{\"event\":\"lost\",\"from\":1004,\"to\":1009}\n"
		     "{\"seq\":1010,");
	cr_expect_lt(text.len, STREAM_BATCH + 1024);
	rejoin(FIRST + 9);
	cr_expect_eq(count_lines(), EVENTS_MAX);
}

Test(events, one_who_waited_when_the_ring_turned_over_is_told_lost_and_goes_on)
{
	read_on(EVENTS_NONE);
	events_wait(&reader);
	put_many(2 * EVENTS_MAX);
	cr_expect_eq(woken, 1, "once, and not for each");
	read_on(EVENTS_MORE);
	expect_in(text.bytes, "{\"event\":\"lost\",\"from\":1000,\"to\":5095}\n");
	cr_expect_gt(count_lines(), EVENTS_MAX / 2);
	put("\"after\":1");
	expect_in(read_on(EVENTS_NONE), "\"after\":1}");
}

Test(events, one_who_lags_behind_the_whole_ring_is_dropped_and_told)
{
	put_many(EVENTS_MAX);
	rejoin(FIRST - 1);
	read_on(EVENTS_MORE);
	put_many(EVENTS_MAX);
	read_on(EVENTS_OVER);
	expect_start("{\"event\":\"dropped\",\"seq\":");
	cr_expect_eq(strchr(text.bytes, '\n') + 1, text.bytes + text.len,
		     "it is the last line");
	/* and what it says is where to go on */
	rejoin(strtoull(text.bytes + 25, NULL, 10));
	expect_in(read_on(EVENTS_MORE), "{\"event\":\"lost\",\"from\":");
}

Test(events, nobody_is_woken_who_does_not_wait)
{
	put("\"a\":1");
	cr_expect_eq(woken, 0);
	events_wait(&reader);
	events_leave(&reader);
	put("\"a\":1");
	cr_expect_eq(woken, 0);
	events_wait(&reader);
	put("\"a\":1");
	put("\"a\":1");
	cr_expect_eq(woken, 1);
}

Test(events, bytes_are_bounded_as_numbers_are)
{
	const size_t len = 8000;
	char *payload = calloc(1, len + 1);
	const size_t held = EVENTS_BYTES_MAX / (len + 100);
	size_t n;

	memset(payload, 'x', len);
	memcpy(payload, "\"a\":\"", 5);
	payload[len - 1] = '"';
	for (size_t i = 0; i < EVENTS_MAX; i++)
		events_put(events, EVENT_REFUSED, payload, len);
	rejoin(FIRST);
	n = count_lines();
	cr_expect_geq(n, held, "%zu", n);
	cr_expect_leq(n, EVENTS_BYTES_MAX / len + 1, "%zu", n);
	free(payload);
}

Test(events, an_event_without_memory_is_lost_and_said_so)
{
	read_on(EVENTS_NONE);
	events_tell(events, EVENT_REPAIRED, NULL);
	events_tell(events, EVENT_REPAIRED, NULL);
	events_tell(events, EVENT_REPAIRED, json_pack("{s:i}", "a", 1));
	events_tell(events, EVENT_REPAIRED, NULL);
	read_on(EVENTS_NONE);
	expect_in(text.bytes,
		  "{\"event\":\"lost\",\"from\":1000,\"to\":1001}\n{\"seq\":1002");
	expect_in(text.bytes, "{\"event\":\"lost\",\"from\":1003,\"to\":1003}\n");
}

Test(events, a_refusal_tells_who_asked_where_that_is_known)
{
	struct problem why;

	problem_set(&why, VERDICT_CONFLICT, "Cure.", "Taken.");
	rejoin(FIRST - 1);
	events_tell_refusal(events, 1000, 4711, &why);
	events_tell_refusal(events, -1, 0, &why);
	read_on(EVENTS_NONE);
	expect_in(text.bytes,
		  "\"event\":\"refused\",\"uid\":1000,\"pid\":4711,\"problem\":{");
	expect_in(text.bytes, "\"code\":\"conflict\"");
	expect_in(text.bytes, "\"uid\":null,\"pid\":null,\"problem\":{");
}
