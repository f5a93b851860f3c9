/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The API's codec runs out of memory at every place where it needs some. */

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/api.h"
#include "heap.h"
#include "make.h"

/* jansson's allocations too go through the heap that can fail. */
static void wrap_jansson(void)
{
	json_set_alloc_funcs(malloc, free);
}

static const char document[] =
	"[{\"protocol\":\"tcp,udp\",\"external\":{\"port\":8080},\"name\":\"web\","
	"\"internal\":{\"address\":\"192.168.1.10\",\"port\":80},"
	"\"from\":[\"10.0.0.0/8\"],\"comment\":\"a\"},"
	"{\"action\":\"update\",\"id\":7,\"set\":{\"comment\":\"b\"}},"
	"{\"action\":\"remove\",\"id\":7,\"name\":\"web\",\"protocol\":\"tcp\","
	"\"external\":{\"port\":8080}}]";

static int decode(void *userdata)
{
	struct change_list list = { 0 };
	int r;

	r = api_decode_changes(userdata, &list, &(struct problem){ 0 });
	cr_assert_eq(list.n, r == 0 ? 3 : 0);
	change_list_done(&list);
	return r;
}

Test(api_memory, decoding_without_any_appends_nothing, .init = wrap_jansson)
{
	struct problem why;
	json_t *json;

	cr_assert_eq(api_parse(document, strlen(document), &json, &why), 0);
	cr_expect_eq(heap_exhaust(decode, json), 4);
	json_decref(json);
}

/* Within a string jansson does not tell "no memory" from "no string". */
Test(api_memory, parsing_without_any_loses_nothing, .init = wrap_jansson)
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
static const struct mapping_state state = {
	.connections = 1,
	.total = 2,
	.bytes_in = 3,
	.bytes_out = 4,
	.remaining = 5,
	.upstream = { .state = UPSTREAM_STATE_REFUSED, .wan = "wan0", .why = "no" },
	.n_endpoints = 1,
	.n_shadowed_by = 1,
	.blocked_by = blocked_by,
	.n_blocked_by = 2,
};

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
	cr_expect_gt(heap_exhaust(attempt, &encoding), 10);
	json_decref(want);
}

Test(api_memory, encoding_without_any_gives_the_whole_or_null, .init = wrap_jansson)
{
	struct change add = make_add("tcp,udp 9000-9003 192.168.1.10:80 web off lease=60 "
				     "from=10.0.0.0/8,198.51.100.0/24 comment=a");
	struct change remove = make_remove("#7 tcp 8080 web");
	struct change update = make_update("web: name=a lease=60 comment=b off "
					   "to=192.168.1.11:80");
	struct mapping m = make_mapping("tcp 443 [2001:db8::10]:443 web");
	struct problem p;

	add.force = add.drain = remove.drain = update.drain = true;
	problem_set(&p, VERDICT_CONFLICT, "cure", "\xff");
	p.index = 1;
	exhaust_encoding(encode_change, &add, api_encode_change(&add));
	exhaust_encoding(encode_change, &remove, api_encode_change(&remove));
	exhaust_encoding(encode_change, &update, api_encode_change(&update));
	exhaust_encoding(encode_mapping, &m, api_encode_mapping(&m, &state));
	exhaust_encoding(encode_problem, &p, api_encode_problem(&p));
	change_done(&add);
	change_done(&update);
}

static int read_mapping(void *userdata)
{
	struct mapping m;
	int r;

	r = api_decode_mapping(userdata, &m, NULL);
	if (r == 0)
		details_unref(m.details);
	return r;
}

static int read_patch(void *userdata)
{
	struct change change;
	int r;

	r = api_decode_patch(userdata, &change, &(struct problem){ 0 });
	if (r == 0)
		change_done(&change);
	return r;
}

Test(api_memory, reading_without_any_loses_nothing, .init = wrap_jansson)
{
	struct mapping m = make_mapping("tcp 80 192.168.1.10:80 comment=a");
	json_t *json;

	m.id = 7;
	json = api_encode_mapping(&m, NULL);
	cr_expect_eq(heap_exhaust(read_mapping, json), 2);
	json_decref(json);
	details_unref(m.details);
	json = json_pack("{s:s}", "comment", "b");
	cr_expect_eq(heap_exhaust(read_patch, json), 2);
	json_decref(json);
}
