/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/api.h"
#include "core/cleanup.h"
#include "make.h"

static json_t *parse(const char *text)
{
	struct problem why = { 0 };
	json_t *json = NULL;

	cr_assert_eq(api_parse(text, strlen(text), &json, &why), 0, "%s", why.detail);
	return json;
}

static void expect_dumps(json_t *json, const char *text)
{
	char *dumped;

	cr_assert_not_null(json);
	dumped = json_dumps(json, JSON_COMPACT);
	cr_expect_str_eq(dumped, text);
	free(dumped);
	json_decref(json);
}

Test(api_parse, a_document_has_at_most_its_maximum)
{
	char *bytes = malloc(API_DOCUMENT_MAX + 1);
	json_t *json = NULL;
	struct problem why;

	memset(bytes, ' ', API_DOCUMENT_MAX + 1);
	memcpy(bytes, "[]", 2);
	cr_expect_eq(api_parse(bytes, API_DOCUMENT_MAX + 1, &json, &why), -EMSGSIZE);
	cr_expect_eq(why.verdict, VERDICT_TOO_LARGE);
	cr_expect_str_eq(why.detail,
			 "The document has 1048577 bytes; at most 1048576 are "
			 "taken.");
	cr_expect_str_eq(why.cure, "Send long lists as NDJSON.");
	cr_expect_null(json);
	cr_expect_eq(api_parse(bytes, API_DOCUMENT_MAX, &json, &why), 0);
	json_decref(json);
	free(bytes);
}

Test(api_parse, every_beginning_of_a_document_is_refused_without_harm)
{
	static const char text[] = "[{\"a\":\"x\\u00e4\\\"{\",\"b\":[1,2.5,true,null]}]";
	json_t *json = NULL;
	struct problem why;

	for (size_t len = 0; len < strlen(text); len++) {
		char *piece = malloc(len ? len : 1);

		memcpy(piece, text, len);
		cr_expect_eq(api_parse(piece, len, &json, &why), -EINVAL, "%zu bytes",
			     len);
		cr_expect_eq(why.verdict, VERDICT_BAD_REQUEST);
		cr_expect_eq(strncmp(why.detail, "line 1, column ", 15), 0, "%s",
			     why.detail);
		free(piece);
	}
	cr_expect_null(json);
	json_decref(parse(text));
}

Test(api_time, seconds_and_text_are_the_same_moment)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1738324800, "2025-01-31T12:00:00Z" },
		{ 951782399, "2000-02-28T23:59:59Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 4107542399, "2100-02-28T23:59:59Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" },
	};
	char buf[API_TIME_STRLEN];
	uint64_t seconds;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_str_eq(api_time_format(cases[i].seconds, buf), cases[i].text);
		cr_expect_eq(api_time_parse(cases[i].text, &seconds), 0, "%s",
			     cases[i].text);
		cr_expect_eq(seconds, cases[i].seconds, "%s", cases[i].text);
	}
	cr_expect_str_eq(api_time_format(UINT64_MAX, buf), "9999-12-31T23:59:59Z");
}

Test(api_time, text_that_is_no_time_is_refused)
{
	static const char *const texts[] = {
		"",
		"2025-01-31",
		"2025-01-31T12:00:00",
		"2025-01-31T12:00:00z",
		"2025-01-31 12:00:00Z",
		"2025-01-31T12:00:00+00:00",
		"2025-01-31T12:00:00.5Z",
		"2025-01-31T12:00:00Z ",
		" 2025-01-31T12:00:00Z",
		"2025-1-31T12:00:00Z",
		"2025-02-30T12:00:00Z",
		"2025-13-01T12:00:00Z",
		"2025-01-31T24:00:00Z",
		"2025-01-31T12:60:00Z",
		"2025-01-31T12:00:60Z",
		"1969-12-31T23:59:59Z",
		"10000-01-01T00:00:00Z",
	};
	uint64_t seconds = 7;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_eq(api_time_parse(texts[i], &seconds), -EINVAL, "%s", texts[i]);
	cr_expect_eq(seconds, 7);
}

static struct mapping make_full(const char *text, uint64_t id)
{
	struct mapping m = make_mapping(text);

	m.id = id;
	m.created = 1738324800;
	return m;
}

Test(api_encode, a_mapping_is_written_as_documented)
{
	const struct mapping_state state = { .connections = 3, .total = 41 };
	struct mapping m = make_full("tcp 8080 192.168.1.10:80 web", 7);

	expect_dumps(api_encode_mapping(&m, &state),
		     "{\"id\":7,\"name\":\"web\",\"protocol\":\"tcp\","
		     "\"external\":{\"address\":null,\"port\":8080},"
		     "\"internal\":{\"address\":\"192.168.1.10\",\"port\":80},"
		     "\"origin\":\"admin\",\"owner\":\"uid:0\",\"enabled\":true,"
		     "\"created\":\"2025-01-31T12:00:00Z\","
		     "\"connections\":3,\"connections_total\":41,\"blocked_by\":[]}");
}

Test(api_encode, what_is_not_known_is_null_or_left_out)
{
	static const char *const blocked_by[] = {
		"ip filter FORWARD (hook forward, policy drop)", "ip x\x1b\xff\"\\"
	};
	const struct mapping_state state = { -1, -1, blocked_by, 2 };
	struct mapping m = make_full("udp 443 [2001:db8::10]:443", 7);

	m.origin = ORIGIN_CONFIG;
	m.enabled = false;
	expect_dumps(api_encode_mapping(&m, &state),
		     "{\"id\":7,\"name\":null,\"protocol\":\"udp\","
		     "\"external\":{\"address\":\"2001:db8::10\",\"port\":443},"
		     "\"internal\":{\"address\":\"2001:db8::10\",\"port\":443},"
		     "\"origin\":\"config\",\"owner\":\"config\",\"enabled\":false,"
		     "\"created\":\"2025-01-31T12:00:00Z\","
		     "\"connections\":null,\"connections_total\":null,\"blocked_by\":["
		     "\"ip filter FORWARD (hook forward, policy drop)\","
		     "\"ip x\\\\x1b\\\\xff\\\"\\\\\"]}");
	expect_dumps(api_encode_mapping(&m, NULL),
		     "{\"id\":7,\"name\":null,\"protocol\":\"udp\","
		     "\"external\":{\"address\":\"2001:db8::10\",\"port\":443},"
		     "\"internal\":{\"address\":\"2001:db8::10\",\"port\":443},"
		     "\"origin\":\"config\",\"owner\":\"config\",\"enabled\":false,"
		     "\"created\":\"2025-01-31T12:00:00Z\"}");
}

static void expect_written_alike(const struct mapping *m,
				 const struct mapping_state *state)
{
	json_t *json = api_encode_mapping(m, state);
	char *text = json_dumps(json, JSON_COMPACT);
	const size_t len = strlen(text);

	cr_expect_eq(api_write_mapping(NULL, 0, m, state), len);
	/* of every size, so that a sanitizer sees a byte too many */
	for (size_t room = 0; room <= len; room++) {
		char *buf = malloc(room ? room : 1);

		cr_assert_eq(api_write_mapping(buf, room, m, state), len);
		if (room == len)
			cr_expect_arr_eq(buf, text, len, "%.*s not %s", (int)len, buf,
					 text);
		free(buf);
	}
	free(text);
	json_decref(json);
}

Test(api_write, is_byte_for_byte_what_is_encoded)
{
	static const char *const texts[] = {
		"tcp 1 10.0.0.1:65535",
		"udp 8080 192.168.255.1:80 web",
		"tcp 443 [2001:db8::10]:443 a-b_c.d",
		"tcp 8443 [2001:db8::10]:443",
		"udp 443 [fd00::10]:443",
	};
	static const char *const blocked_by[] = { "ip filter FORWARD",
						  "\"\\\n\x7f\xc3\xa4", "" };
	static const struct mapping_state states[] = {
		{ 0, 0, NULL, 0 },
		{ -1, -1, blocked_by, 1 },
		{ 3, INT64_MAX, blocked_by, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mapping m = make_full(texts[i], i * i * 1000000007);

		m.origin = i % 2 ? ORIGIN_ADMIN : ORIGIN_CONFIG;
		m.owner_uid = (uint32_t)i * 1000;
		m.enabled = i % 3;
		m.created = i * 123456789;
		expect_written_alike(&m, NULL);
		for (size_t s = 0; s < ARRAY_SIZE(states); s++)
			expect_written_alike(&m, &states[s]);
	}
}

Test(api_write, a_sentence_without_end_is_cut_alike)
{
	char sentence[2000];
	const char *const blocked_by[] = { sentence };
	const struct mapping_state state = { 0, 0, blocked_by, 1 };
	struct mapping m = make_full("tcp 8080 192.168.1.10:80", 1);

	memset(sentence, '"', sizeof(sentence));
	sentence[sizeof(sentence) - 1] = '\0';
	expect_written_alike(&m, &state);
}

Test(api_encode, a_problem_is_written_as_documented)
{
	struct problem p;

	problem_set(&p, VERDICT_CONFLICT, "Remove it first, or choose another port.",
		    "tcp 8080 is taken by \"web\".");
	p.index = 1;
	expect_dumps(
		api_encode_problem(&p),
		"{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,"
		"\"code\":\"conflict\",\"detail\":\"tcp 8080 is taken by \\\"web\\\".\","
		"\"cure\":\"Remove it first, or choose another port.\",\"index\":1}");
	problem_set(&p, VERDICT_FAULT, NULL, "no \xff UTF-8.");
	expect_dumps(
		api_encode_problem(&p),
		"{\"type\":\"about:blank\",\"title\":\"Internal Server Error\","
		"\"status\":500,\"code\":\"fault\",\"detail\":\"no \\\\xff UTF-8.\"}");
}

static void expect_same(const struct mapping *a, const struct mapping *b)
{
	cr_expect_eq(a->id, b->id);
	cr_expect_eq(a->created, b->created);
	cr_expect(endpoint_equal(&a->external, &b->external));
	cr_expect(endpoint_equal(&a->internal, &b->internal));
	cr_expect_eq(a->owner_uid, b->owner_uid);
	cr_expect_eq(a->protocol, b->protocol);
	cr_expect_eq(a->origin, b->origin);
	cr_expect_eq(a->enabled, b->enabled);
	cr_expect_str_eq(a->name, b->name);
}

Test(api_answer, a_mapping_reads_back)
{
	static const char *const texts[] = {
		"tcp 8080 192.168.1.10:80 web",
		"udp 443 [2001:db8::10]:443",
		"tcp 8443 [2001:db8::10]:443",
		"tcp 443 [fd00::10]:443",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mapping_state state = { .connections = -1, .total = 41 }, read;
		struct mapping m = make_full(texts[i], i + 1), again;
		json_t *json;

		m.origin = i % 2 ? ORIGIN_CONFIG : ORIGIN_ADMIN;
		m.owner_uid = i % 2 ? 0 : UINT32_MAX;
		m.enabled = i % 3;
		json = api_encode_mapping(&m, &state);
		json_object_set_new(json, "expires", json_string("a later natd's"));
		cr_assert_eq(api_decode_mapping(json, &again, &read), 0);
		expect_same(&m, &again);
		cr_expect(read.connections == -1 && read.total == 41);
		cr_expect(!read.blocked_by && !read.n_blocked_by);
		cr_expect_eq(api_decode_mapping(json, &again, NULL), 0);
		json_decref(json);
	}
}

Test(api_answer, live_fields_that_are_left_out_are_not_known)
{
	struct mapping m = make_full("tcp 8080 192.168.1.10:80", 1), again;
	struct mapping_state state;
	json_t *json = api_encode_mapping(&m, NULL);

	cr_assert_eq(api_decode_mapping(json, &again, &state), 0);
	cr_expect(state.connections == -1 && state.total == -1);
	json_decref(json);
}

Test(api_answer, a_value_that_cannot_be_is_refused)
{
	/* instead of what is there; null: nothing there at all */
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ "id", NULL },
		{ "id", "[0]" },
		{ "id", "[-1]" },
		{ "id", "[\"7\"]" },
		{ "name", NULL },
		{ "name", "[7]" },
		{ "name", "[\"a\\nb\"]" },
		{ "name", "[\"\"]" },
		{ "protocol", NULL },
		{ "protocol", "[\"sctp\"]" },
		{ "external", NULL },
		{ "external", "[{\"address\":null}]" },
		{ "external", "[{\"port\":80}]" },
		{ "external", "[{\"address\":null,\"port\":0}]" },
		{ "external", "[{\"address\":null,\"port\":65536}]" },
		{ "external", "[{\"address\":\"x\",\"port\":1}]" },
		{ "external", "[{\"address\":7,\"port\":1}]" },
		{ "internal", NULL },
		{ "internal", "[{\"address\":null,\"port\":80}]" },
		{ "origin", NULL },
		{ "origin", "[\"upnp\"]" },
		{ "owner", NULL },
		{ "owner", "[\"config\"]" },
		{ "owner", "[\"uid:\"]" },
		{ "owner", "[\"uid:-1\"]" },
		{ "owner", "[\"uid:1x\"]" },
		{ "owner", "[\"uid:4294967296\"]" },
		{ "owner", "[\"uid:99999999999999999999\"]" },
		{ "enabled", NULL },
		{ "enabled", "[1]" },
		{ "created", NULL },
		{ "created", "[\"yesterday\"]" },
		{ "connections", "[\"3\"]" },
		{ "connections", "[-1]" },
		{ "connections_total", "[1.5]" },
	};
	const struct mapping_state state = { .connections = 3, .total = 41 };
	struct mapping m = make_full("tcp 8080 192.168.1.10:80 web", 7);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping read = { .id = 99 };
		json_t *json = api_encode_mapping(&m, &state), *value;

		json_object_del(json, cases[i].key);
		if (cases[i].value) {
			value = parse(cases[i].value);
			json_object_set(json, cases[i].key, json_array_get(value, 0));
			json_decref(value);
		}
		cr_expect_eq(api_decode_mapping(json, &read, NULL), -EINVAL, "%s %s",
			     cases[i].key, cases[i].value);
		cr_expect_eq(read.id, 99, "written in spite of the failure");
		json_decref(json);
	}
}

Test(api_answer, the_files_mapping_has_no_other_owner)
{
	struct mapping m = make_full("tcp 8080 192.168.1.10:80", 7), read;
	json_t *json;

	m.origin = ORIGIN_CONFIG;
	json = api_encode_mapping(&m, NULL);
	json_object_set_new(json, "owner", json_string("uid:0"));
	cr_expect_eq(api_decode_mapping(json, &read, NULL), -EINVAL);
	json_decref(json);
}

Test(api_answer, what_is_no_object_is_no_mapping_and_no_problem)
{
	json_t *json = parse("[]");
	struct mapping m;
	struct problem p;

	cr_expect_eq(api_decode_mapping(json, &m, NULL), -EINVAL);
	cr_expect_eq(api_decode_problem(json, &p), -EINVAL);
	cr_expect_eq(api_decode_mapping(NULL, &m, NULL), -EINVAL);
	cr_expect_eq(api_decode_problem(NULL, &p), -EINVAL);
	json_decref(json);
}

Test(api_answer, a_problem_reads_back)
{
	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		struct problem p, again;
		json_t *json;

		problem_set(&p, (enum verdict)i, i % 2 ? "Do it again." : NULL,
			    "It failed %zu.", i);
		p.index = i % 3 ? -1 : (int64_t)i;
		json = api_encode_problem(&p);
		cr_assert_eq(api_decode_problem(json, &again), 0);
		cr_expect_eq(again.verdict, p.verdict);
		cr_expect_eq(again.index, p.index);
		cr_expect_str_eq(again.detail, p.detail);
		cr_expect_str_eq(again.cure, p.cure);
		json_decref(json);
	}
}

Test(api_answer, an_unknown_code_is_a_fault_and_a_strange_problem_is_refused)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "{\"code\":\"paused\",\"detail\":\"x\"}", 0 },
		{ "{\"code\":\"paused\",\"detail\":\"x\",\"cure\":null}", 0 },
		{ "{\"detail\":\"x\"}", -EINVAL },
		{ "{\"code\":\"fault\"}", -EINVAL },
		{ "{\"code\":7,\"detail\":\"x\"}", -EINVAL },
		{ "{\"code\":\"fault\",\"detail\":\"x\",\"index\":-1}", -EINVAL },
		{ "{\"code\":\"fault\",\"detail\":\"x\",\"index\":\"1\"}", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct problem p = { .verdict = VERDICT_BUSY };
		json_t *json = parse(cases[i].text);

		cr_expect_eq(api_decode_problem(json, &p), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(p.verdict, cases[i].r == 0 ? VERDICT_FAULT : VERDICT_BUSY);
		json_decref(json);
	}
}

Test(api_decode, an_added_mapping_is_enabled_resolved_and_without_origin)
{
	json_t *json = parse("{\"protocol\":\"tcp\",\"external\":{\"port\":443},"
			     "\"internal\":{\"address\":\"2001:db8::10\"}}");
	struct change change;
	struct problem why;

	memset(&change, 0x55, sizeof(change));
	cr_assert_eq(api_decode_change(json, &change, &why), 0);
	cr_expect_eq(change.kind, CHANGE_ADD);
	cr_expect_eq(mapping_kind(&change.mapping), MAPPING_PINHOLE6);
	cr_expect(change.mapping.enabled);
	cr_expect_eq(change.mapping.id, 0);
	cr_expect_eq(change.mapping.created, 0);
	cr_expect_not(change.config_too);
	json_decref(json);
}

Test(api_decode, changes_are_appended_up_to_a_limit)
{
	struct change_list list = { 0 };
	json_t *one = parse("{\"action\":\"remove\",\"id\":1}");
	struct change change;
	struct problem why;

	cr_assert_eq(api_decode_change(one, &change, &why), 0);
	for (size_t i = 0; i < API_LIST_MAX - 1; i++)
		cr_assert_eq(change_list_add(&list, &change), 0);
	cr_expect_eq(api_decode_changes(one, &list, &why), 0);
	cr_expect_eq(list.n, API_LIST_MAX);
	cr_expect_eq(api_decode_changes(one, &list, &why), -EMSGSIZE);
	cr_expect_eq(why.verdict, VERDICT_TOO_LARGE);
	cr_expect_eq(list.n, API_LIST_MAX);
	change_list_done(&list);
	json_decref(one);
}

/* What api_parse() lets through never holds one, but others may call. */
Test(api_decode, a_string_with_a_nul_is_refused)
{
	json_t *json = json_pack("{s:s%}", "action", "add\0x", (size_t)5);
	struct change change;
	struct problem why;

	cr_assert_not_null(json);
	cr_expect_eq(api_decode_change(json, &change, &why), -EINVAL);
	cr_expect_str_eq(why.detail, "action: has a NUL character.");
	json_decref(json);
}
