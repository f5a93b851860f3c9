/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Out of memory, events are lost, and said to be. The first allocation fails, then the
 * second, and so on until none is left to fail.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/conditions.h"
#include "natd/events/events.h"
#include "tests/unit/core/heap.h"

#define FIRST 1000
#define MANY  200

static struct table *table;
static struct plan *plan;

static void add(struct change_list *list, uint16_t port, uint16_t to)
{
	struct change change = { .kind = CHANGE_ADD, .protocols = PROTOCOL_BIT_TCP };

	change.mapping.origin = ORIGIN_ADMIN;
	change.mapping.enabled = true;
	change.mapping.external.port = port;
	change.mapping.internal.port = to;
	cr_assert_eq(address_parse("192.168.1.10", &change.mapping.internal.addr), 0);
	mapping_resolve(&change.mapping);
	cr_assert_eq(change_list_add(list, &change), 0);
}

static void remove_port(struct change_list *list, uint16_t port)
{
	const struct change change = {
		.kind = CHANGE_REMOVE,
		.selector = { .protocol = IPPROTO_TCP, .port = port },
	};

	cr_assert_eq(change_list_add(list, &change), 0);
}

/* Two additions and a change. */
static void set_up(void)
{
	static const uint8_t seed[16] = { 1 };
	static const struct conditions at = {
		.protocols = PROTOCOL_BIT_TCP,
		.listeners_known = true,
	};
	struct change_list list = { 0 };

	table = table_new(10, seed);
	add(&list, 1, 10);
	add(&list, 2, 20);
	remove_port(&list, 1);
	add(&list, 1, 11);
	cr_assert_eq(table_stage(table, &list, 1, &at, &plan), 0);
	cr_assert_eq(plan_size(plan), 4);
	table_commit(table, plan);
	change_list_done(&list);
}

static void tear_down(void)
{
	plan_free(plan);
	table_free(table);
}

/* Every number stands in a line, or between the two of a line "lost", in order. */
static uint64_t follow(const char *text)
{
	uint64_t wanted = FIRST;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		json_t *json =
			json_loadb(line, (size_t)(strchr(line, '\n') - line), 0, NULL);
		const char *from = json_object_get(json, "from") ? "from" : "seq";

		cr_assert_not_null(json, "%s", line);
		cr_expect_eq((uint64_t)json_integer_value(json_object_get(json, from)),
			     wanted, "%s", line);
		wanted++;
		if (json_object_get(json, "to"))
			wanted = (uint64_t)json_integer_value(
					 json_object_get(json, "to")) +
				 1;
		json_decref(json);
	}
	return wanted - FIRST;
}

static void on_wake(void *userdata)
{
}

static int tell_and_read(uint64_t *ret_told, int *ret_failed)
{
	static const uint64_t since = FIRST - 1;
	struct events_reader reader;
	struct buffer text = { 0 };
	struct events *events;
	int r;

	r = events_new(FIRST, &events);
	*ret_failed = r < 0;
	if (r < 0)
		return r;
	events_join(events, &reader, &since, on_wake, NULL);
	events_tell_plan(events, plan);
	events_put(events, EVENT_REPAIRED, "\"a\":1", 5);
	*ret_failed = heap_failed();
	heap_fail_at(0);
	cr_expect_eq(events_read(&reader, &text), EVENTS_NONE);
	buffer_add(&text, "", 1);
	*ret_told = follow(text.bytes);
	buffer_done(&text);
	events_leave(&reader);
	events_free(events);
	return 0;
}

Test(events_memory, what_there_is_no_memory_for_is_told_as_lost, .init = set_up,
     .fini = tear_down, .timeout = 30)
{
	const size_t before = heap_blocks();
	size_t n = 0;
	uint64_t told;
	int r, failed;

	do {
		cr_assert_lt(++n, MANY, "still failing");
		told = 0;
		heap_fail_at(n);
		r = tell_and_read(&told, &failed);
		heap_fail_at(0);
		cr_expect_eq(heap_blocks(), before, "failing the %zu. allocation leaks",
			     n);
		if (r < 0)
			cr_expect_eq(r, -ENOMEM);
		else /* the change may be told as its steps, or each of them as lost */
			cr_expect(told >= 3 && told <= 5, "%zu: %llu numbers", n,
				  (unsigned long long)told);
	} while (failed);
	cr_expect_gt(n, 5, "hardly anything was allocated");
	cr_expect_eq(told, 3, "two mappings, and a repair");
}
