/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What is promised about memory: how much a mapping takes, and that running out of it
 * changes nothing and loses nothing.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/api.h"
#include "core/cleanup.h"
#include "core/ndjson.h"
#include "heap.h"
#include "make.h"

#define MANY 60000
/* bytes per mapping, all included */
#define MAPPING_MAX 400
/* of the request, its effects and results, while it is judged */
#define PLAN_MAX 128

static void fill(struct change_list *list, size_t n)
{
	struct change change = make_add("tcp 1 192.168.1.10:80 n");

	for (size_t i = 0; i < n; i++) {
		change.mapping.external.port = (uint16_t)(i + 1);
		snprintf(change.mapping.name, sizeof(change.mapping.name), "n%zu", i);
		cr_assert_eq(change_list_add(list, &change), 0);
	}
}

Test(memory, sixty_thousand_mappings_take_400_bytes_each_at_most)
{
	struct change_list list = { 0 };
	const size_t before = heap_held();
	struct table *table = make_table(65535);
	size_t list_bytes, peak;
	struct plan *plan;

	list_bytes = heap_held();
	fill(&list, MANY);
	list_bytes = heap_held() - list_bytes;
	heap_reset_peak();
	cr_assert_eq(table_stage(table, &list, 1, &plan), 0);
	table_commit(table, plan);
	peak = heap_peak() - before - list_bytes;
	plan_free(plan);
	change_list_done(&list);

	cr_assert_eq(table_size(table), MANY);
	cr_expect_leq((heap_held() - before) / MANY, MAPPING_MAX, "%zu bytes each",
		      (heap_held() - before) / MANY);
	cr_expect_leq(peak / MANY, MAPPING_MAX + PLAN_MAX, "%zu bytes each while staged",
		      peak / MANY);
	table_free(table);
	cr_expect_eq(heap_held(), before);
}

/* Runs @attempt with the first, second, third... allocation failing, until it needs no
 * more of them; it fails with -ENOMEM, or finds a way without, and leaves nothing. */
static size_t exhaust(int (*attempt)(void *userdata), void *userdata)
{
	const size_t blocks = heap_blocks();
	int r, failed;
	size_t n = 0;

	do {
		heap_fail_at(++n);
		r = attempt(userdata);
		failed = heap_failed();
		heap_fail_at(0);
		cr_assert_eq(heap_blocks(), blocks, "allocation %zu: leak", n);
		cr_assert_eq(r, r == 0 ? 0 : -ENOMEM, "allocation %zu: %d", n, r);
		cr_assert_lt(n, 10000);
	} while (failed);
	cr_assert_eq(r, 0);
	return n;
}

#define LOADED                                                                           \
	"tcp 8080 192.168.1.10:80 web\n"                                                 \
	"udp 8080 192.168.1.10:80 web\n"                                                 \
	"tcp 443 [2001:db8::10]:443\n"                                                   \
	"tcp 443 [2001:db8::11]:443"

struct staging_attempt {
	struct table *table;
	struct change_list lists[4];
};

static int stage_and_drop(void *userdata)
{
	struct staging_attempt *a = userdata;
	struct plan *plan = NULL;
	const struct mapping *m = NULL;
	int r;

	r = table_stage(a->table, a->lists, ARRAY_SIZE(a->lists), &plan);
	cr_assert_eq(!plan, r < 0);
	plan_free(plan);
	cr_assert_eq(table_size(a->table), 4);
	cr_assert_eq(table_next_id(a->table), 5);
	for (uint64_t id = 1; id <= 4; id++) {
		m = table_next(a->table, m);
		cr_assert_eq(m, table_find_id(a->table, id));
		cr_assert_eq(m, table_find(a->table, m->protocol, &m->external));
	}
	cr_assert_null(table_next(a->table, m));
	return r;
}

Test(memory, staging_without_any_is_undone)
{
	struct staging_attempt a = {
		.table = make_loaded(LOADED),
		.lists = {
			make_list("-web\n+tcp,udp 8080 192.168.1.66:80 web\n-#5"),
			make_list("+tcp 1 192.168.1.10:1\n+tcp 1 192.168.1.11:1"),
			make_list("-tcp 443"),
			make_list("+tcp,udp 2 192.168.1.10:2\n+tcp,udp 3 192.168.1.10:3\n"
				  "+tcp,udp 4 192.168.1.10:2\n+tcp,udp 5 192.168.1.10:3"),
		},
	};

	cr_expect_gt(exhaust(stage_and_drop, &a), 15);
	for (size_t i = 0; i < ARRAY_SIZE(a.lists); i++)
		change_list_done(&a.lists[i]);
	table_free(a.table);
}

Test(memory, committing_needs_none)
{
	struct table *table = make_loaded(LOADED);
	struct change_list list = make_list("-web\n+tcp,udp 8080 192.168.1.66:80 web");
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &plan), 0);
	heap_fail_at(1);
	table_commit(table, plan);
	cr_expect_not(heap_failed());
	heap_fail_at(0);
	plan_free(plan);
	change_list_done(&list);
	table_free(table);
}

static int make_a_table(void *userdata)
{
	static const uint8_t seed[16];
	struct table *table = table_new(100, seed);

	if (!table)
		return -ENOMEM;
	table_free(table);
	return 0;
}

Test(memory, a_table_and_a_load_without_any_fail_cleanly)
{
	struct table *table = make_table(10);
	struct mapping m = make_mapping("tcp 8080 192.168.1.10:80");

	cr_expect_eq(exhaust(make_a_table, NULL), 3);
	m.id = 1;
	heap_fail_at(1);
	cr_expect_eq(table_load(table, &m), -ENOMEM);
	heap_fail_at(0);
	cr_expect_eq(table_size(table), 0);
	cr_expect_eq(table_load(table, &m), 0);
	table_free(table);
}

static int add_changes(void *userdata)
{
	struct change_list list = { 0 };
	struct change change = { 0 };
	size_t i;
	int r = 0;

	for (i = 0; i < 100 && r == 0; i++)
		r = change_list_add(&list, &change);
	cr_assert_eq(list.n, r == 0 ? 100 : i - 1);
	change_list_done(&list);
	cr_assert(!list.changes && !list.n && !list.room);
	return r;
}

static int ignore_line(void *userdata, const char *line, size_t len)
{
	return 0;
}

static int feed_lines(void *userdata)
{
	struct ndjson nd = { 0 };
	int r = ndjson_feed(&nd, "a\nb", 3, ignore_line, NULL);

	ndjson_done(&nd);
	return r;
}

Test(memory, lists_and_lines_without_any_fail_cleanly)
{
	cr_expect_gt(exhaust(add_changes, NULL), 3);
	cr_expect_eq(exhaust(feed_lines, NULL), 2);
}

/* jansson's allocations too go through the heap that can fail. */
static void wrap_jansson(void)
{
	json_set_alloc_funcs(malloc, free);
}

static const char document[] =
	"[{\"protocol\":\"tcp,udp\",\"external\":{\"port\":8080},\"name\":\"web\","
	"\"internal\":{\"address\":\"192.168.1.10\",\"port\":80}},"
	"{\"action\":\"remove\",\"id\":7,\"name\":\"web\",\"protocol\":\"tcp\","
	"\"external\":{\"port\":8080}}]";

static int decode(void *userdata)
{
	struct change_list list = { 0 };
	int r;

	r = api_decode_changes(userdata, &list, &(struct problem){ 0 });
	cr_assert_eq(list.n, r == 0 ? 2 : 0);
	change_list_done(&list);
	return r;
}

Test(memory, decoding_without_any_appends_nothing, .init = wrap_jansson)
{
	struct problem why;
	json_t *json;

	cr_assert_eq(api_parse(document, strlen(document), &json, &why), 0);
	cr_expect_eq(exhaust(decode, json), 2);
	json_decref(json);
}

/* Within a string jansson does not tell "no memory" from "no string". */
Test(memory, parsing_without_any_loses_nothing, .init = wrap_jansson)
{
	const size_t blocks = heap_blocks();
	struct problem why;
	size_t n = 0, enomem = 0;
	int r;

	do {
		json_t *json = NULL;

		heap_fail_at(++n);
		r = api_parse(document, strlen(document), &json, &why);
		heap_fail_at(0);
		cr_assert(r == 0 || r == -ENOMEM || r == -EINVAL);
		cr_assert_eq(!json, r < 0);
		enomem += r == -ENOMEM;
		json_decref(json);
		cr_assert_eq(heap_blocks(), blocks, "allocation %zu: leak", n);
	} while (r < 0);
	cr_expect_gt(enomem, 1);
}

/** struct encoding - what is encoded, and what that must give, or nothing */
struct encoding {
	const void *value;
	json_t *want;
};

static int expect_whole(json_t *json, const struct encoding *encoding)
{
	if (!json)
		return -ENOMEM;
	cr_assert(json_equal(json, encoding->want), "a piece of it");
	json_decref(json);
	return 0;
}

static int encode_change(void *userdata)
{
	struct encoding *encoding = userdata;

	return expect_whole(api_encode_change(encoding->value), encoding);
}

static const char *const blocked_by[] = { "a", "b" };
static const struct mapping_state state = { 1, 2, blocked_by, 2 };

static int encode_mapping(void *userdata)
{
	struct encoding *encoding = userdata;

	return expect_whole(api_encode_mapping(encoding->value, &state), encoding);
}

static int encode_problem(void *userdata)
{
	struct encoding *encoding = userdata;

	return expect_whole(api_encode_problem(encoding->value), encoding);
}

static void exhaust_encoding(int (*attempt)(void *userdata), const void *value,
			     json_t *want)
{
	struct encoding encoding = { value, want };

	cr_assert_not_null(want);
	cr_expect_gt(exhaust(attempt, &encoding), 10);
	json_decref(want);
}

Test(memory, encoding_without_any_gives_the_whole_or_null, .init = wrap_jansson)
{
	struct change add = make_add("tcp,udp 8080 192.168.1.10:80 web");
	struct change remove = make_remove("#7 tcp 8080 web");
	struct mapping m = make_mapping("tcp 443 [2001:db8::10]:443 web");
	struct problem p;

	problem_set(&p, VERDICT_CONFLICT, "cure", "\xff");
	p.index = 1;
	exhaust_encoding(encode_change, &add, api_encode_change(&add));
	exhaust_encoding(encode_change, &remove, api_encode_change(&remove));
	exhaust_encoding(encode_mapping, &m, api_encode_mapping(&m, &state));
	exhaust_encoding(encode_problem, &p, api_encode_problem(&p));
}
