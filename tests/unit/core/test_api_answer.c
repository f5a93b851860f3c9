/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What natctl reads: all that natd writes, and what a newer natd may write. */

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

static struct mapping make_full(const char *text, uint64_t id)
{
	struct mapping m = make_mapping(text);

	m.id = id;
	m.created = 1738324800;
	m.changed = 1738324860;
	return m;
}

static void expect_same(const struct mapping *a, const struct mapping *b)
{
	cr_expect_eq(a->id, b->id);
	cr_expect_eq(a->created, b->created);
	cr_expect_eq(a->changed, b->changed);
	cr_expect(endpoint_equal(&a->external, &b->external));
	cr_expect(endpoint_equal(&a->internal, &b->internal));
	cr_expect(address_equal(&a->host, &b->host));
	cr_expect_eq(a->n_ports, b->n_ports);
	cr_expect_eq(a->suffix, b->suffix);
	cr_expect_eq(a->lifetime, b->lifetime);
	cr_expect_eq(a->owner_uid, b->owner_uid);
	cr_expect_eq(a->changed_by, b->changed_by);
	cr_expect_eq(a->protocol, b->protocol);
	cr_expect_eq(a->origin, b->origin);
	cr_expect_eq(a->enabled, b->enabled);
	cr_expect_eq(a->upstream, b->upstream);
	cr_expect_str_eq(a->name, b->name);
	cr_expect(details_equal(a->details, b->details));
}

static const char *const texts[] = {
	"tcp 8080 192.168.1.10:80 web",
	"udp 443 [2001:db8::10]:443",
	"tcp 8443 [2001:db8::10]:443",
	"tcp 443 [fd00::10]:443",
	"sctp 9000-9003 192.168.1.10:8000 lease=3600",
	"udplite 1-65535 192.168.1.10:1 comment=mine",
	"tcp 25 192.168.1.10:25 at=203.0.113.7 from=10.0.0.0/8,198.51.100.7/32",
	"tcp 443 [::10]:443 upstream=no",
	"tcp 8443 [::10]:443 lan=lan0 from=2001:db8::/32",
};

Test(api_answer, a_mapping_reads_back)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mapping_state state = {
			.connections = -1, .total = 41, .bytes_in = 7, .bytes_out = -1,
			.remaining = 77, .expires = 1738328400,
		}, read;
		struct mapping m = make_full(texts[i], i + 1), again;
		json_t *json;

		m.origin = i % 2 ? ORIGIN_CONFIG : ORIGIN_ADMIN;
		m.owner_uid = m.changed_by = i % 2 ? 0 : UINT32_MAX;
		m.enabled = i % 3;
		json = api_encode_mapping(&m, &state);
		json_object_set_new(json, "colour", json_string("a later natd's"));
		cr_assert_eq(api_decode_mapping(json, &again, &read), 0, "%s", texts[i]);
		expect_same(&m, &again);
		details_unref(again.details);
		cr_expect(read.connections == -1 && read.total == 41);
		cr_expect(read.bytes_in == 7 && read.bytes_out == -1);
		cr_expect_eq(read.remaining, m.lifetime ? 77 : 0);
		cr_expect_eq(read.expires, m.lifetime ? 1738328400 : 0);
		cr_expect(!read.blocked_by && !read.n_blocked_by);
		cr_assert_eq(api_decode_mapping(json, &again, NULL), 0);
		details_unref(again.details);
		details_unref(m.details);
		json_decref(json);
	}
}

Test(api_answer, a_host_suffix_with_a_host_reads_back)
{
	static const struct in6_addr prefix = { { { 0x20, 0x01, 0x0d, 0xb8 } } };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mapping m = make_full(texts[i], i + 1), again;
		json_t *json;

		mapping_settle_host(&m, &prefix);
		json = api_encode_mapping(&m, NULL);
		cr_assert_eq(api_decode_mapping(json, &again, NULL), 0, "%s", texts[i]);
		expect_same(&m, &again);
		cr_expect_eq(mapping_kind(&again), mapping_kind(&m), "%s", texts[i]);
		details_unref(again.details);
		details_unref(m.details);
		json_decref(json);
	}
}

static json_t *encode_upstream(const struct mapping *m, const struct upstream_view *view)
{
	const struct mapping_state state = { .upstream = *view };

	return api_encode_mapping(m, &state);
}

Test(api_answer, what_becomes_of_a_mapping_upstream_reads_back)
{
	struct mapping m = make_full("tcp 80 192.168.1.10:80 upstream=required", 1),
		       again;
	struct mapping_state read;
	struct upstream_view view = {
		.wan = "wan0",
		.expires = 1738332000,
		.renews = 1738328400,
		.why = "port 80 is taken by another client of the router (718)",
	};

	cr_assert_eq(endpoint_parse("[2001:db8::5]:81", &view.external), 0);
	for (int i = 1; i < UPSTREAM_STATES * UPSTREAM_SPEECHES; i++) {
		json_t *json;

		view.state = (enum upstream_state)(i % UPSTREAM_STATES);
		view.speech = (enum upstream_speech)(i / UPSTREAM_STATES);
		json = encode_upstream(&m, &view);
		cr_assert_eq(api_decode_mapping(json, &again, &read), 0);
		json_decref(json);
		cr_expect_eq(again.upstream, UPSTREAM_REQUIRED);
		cr_expect_eq(read.upstream.state, view.state);
		cr_expect_str_eq(read.upstream.why, view.why);
		cr_expect_eq(endpoint_equal(&read.upstream.external, &view.external),
			     view.state == UPSTREAM_STATE_MAPPED);
		if (view.state == UPSTREAM_STATE_OFF)
			continue;
		cr_expect_str_eq(read.upstream.wan, "wan0");
		cr_expect(read.upstream.speech == view.speech ||
			  view.state == UPSTREAM_STATE_NO_ROUTER);
		cr_expect_eq(read.upstream.expires, view.expires);
		cr_expect_eq(read.upstream.renews, view.renews);
	}
}

/* What an older natd does not say, and a newer one may. */
Test(api_answer, words_upstream_that_are_not_known_are_passed_over)
{
	static const struct {
		const char *upstream;
		int r;
	} cases[] = {
		{ NULL, 0 },
		{ "null", -EINVAL },
		{ "[]", -EINVAL },
		{ "{}", 0 },
		{ "{\"wish\":\"perhaps\",\"state\":\"musing\"}", 0 },
		{ "{\"wish\":1,\"state\":2,\"protocol\":3,\"problem\":4}", 0 },
		{ "{\"external\":\"home\"}", -EINVAL },
		{ "{\"external\":\"1.2.3.4\"}", -EINVAL },
		{ "{\"expires\":\"soon\"}", -EINVAL },
		{ "{\"renews\":7}", -EINVAL },
		{ "{\"interface\":\"a-name-that-is-too-long\"}", 0 },
	};
	struct mapping m = make_full("tcp 80 192.168.1.10:80", 1);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *json = api_encode_mapping(&m, NULL);
		struct mapping_state read = { .upstream.state = UPSTREAM_STATE_MAPPED };
		struct mapping again;

		json_object_del(json, "upstream");
		if (cases[i].upstream)
			json_object_set_new(
				json, "upstream",
				json_loads(cases[i].upstream, JSON_DECODE_ANY, NULL));
		cr_expect_eq(api_decode_mapping(json, &again, &read), cases[i].r, "%s",
			     cases[i].upstream);
		json_decref(json);
		if (cases[i].r < 0)
			continue;
		cr_expect_eq(read.upstream.state, UPSTREAM_STATE_OFF);
		cr_expect_eq(again.upstream, UPSTREAM_DEFAULT);
		cr_expect_lt(strlen(read.upstream.wan), IFNAMSIZ);
	}
}

Test(api_answer, what_is_in_the_way_of_a_mapping_reads_back)
{
	struct mapping_state state = {
		.condition = CONDITION_SHADOWED,
		.endpoints = { { .port = 80 }, { .port = 80 } },
		.n_endpoints = 2,
		.shadowed_by = { 3, 4 },
		.n_shadowed_by = 2,
		.listeners = { { .local.port = 22, .uid = 7, .inode = 12345 },
			       { .local.port = 23, .uid = UINT32_MAX } },
		.n_listeners = 2,
		.listeners_known = true,
	}, read;
	struct mapping m = make_full("udp 80 192.168.1.10:80", 1), again;
	json_t *json;

	cr_assert_eq(address_parse("203.0.113.5", &state.endpoints[0].addr), 0);
	cr_assert_eq(address_parse("2001:db8::5", &state.endpoints[1].addr), 0);
	json = api_encode_mapping(&m, &state);
	cr_assert_eq(api_decode_mapping(json, &again, &read), 0);
	cr_expect_eq(read.condition, CONDITION_SHADOWED);
	cr_assert_eq(read.n_endpoints, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect(endpoint_equal(&read.endpoints[i], &state.endpoints[i]));
	cr_assert_eq(read.n_shadowed_by, 2);
	cr_expect(read.shadowed_by[0] == 3 && read.shadowed_by[1] == 4);
	cr_assert(read.listeners_known && read.n_listeners == 2);
	cr_expect_eq(read.listeners[0].protocol, IPPROTO_UDP);
	cr_expect(read.listeners[0].uid == 7 && read.listeners[0].inode == 12345);
	cr_expect(read.listeners[1].uid == UINT32_MAX && !read.listeners[1].inode);
	json_decref(json);
}

Test(api_answer, live_fields_that_are_left_out_are_not_known)
{
	struct mapping m = make_full("tcp 8080 192.168.1.10:80", 1), again;
	struct mapping_state state;
	json_t *json = api_encode_mapping(&m, NULL);

	cr_assert_eq(api_decode_mapping(json, &again, &state), 0);
	cr_expect(state.connections == -1 && state.total == -1);
	cr_expect(state.bytes_in == -1 && state.bytes_out == -1);
	cr_expect_not(state.listeners_known);
	cr_expect_eq(state.condition, CONDITION_ACTIVE);
	json_decref(json);
}

static json_t *replace(json_t *json, const char *key, const char *value)
{
	json_t *array = parse(value);

	json_object_set(json, key, json_array_get(array, 0));
	json_decref(array);
	return json;
}

Test(api_answer, what_a_newer_natd_knows_does_no_harm)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ "origin", "[\"upnp\"]" },
		{ "state", "[\"asleep\"]" },
		{ "changed_by", "[\"the weather\"]" },
		{ "listeners", "[[]]" },
		{ "from", "[[]]" },
		{ "lease", "[null]" },
	};
	const struct mapping_state state = { .connections = 3 };
	struct mapping m = make_full("tcp 8080 192.168.1.10:80 web", 7), read;
	struct mapping_state known;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *json = api_encode_mapping(&m, &state);

		replace(json, cases[i].key, cases[i].value);
		if (i == 0)
			replace(json, "owner", "[\"192.168.1.10\"]");
		cr_expect_eq(api_decode_mapping(json, &read, &known), 0, "%s",
			     cases[i].key);
		cr_expect_eq(read.origin, ORIGIN_ADMIN);
		cr_expect_eq(known.condition, CONDITION_ACTIVE);
		json_decref(json);
	}
}

/* More than natd tells of today: the first ones are taken. */
Test(api_answer, more_than_there_is_room_for_is_cut_off)
{
	const struct mapping_state state = { .connections = 3 };
	struct mapping m = make_full("tcp 8080 192.168.1.10:80 web", 7), read;
	json_t *json = api_encode_mapping(&m, &state);
	json_t *listener =
		parse("{\"address\":\"::\",\"port\":22,\"uid\":0,\"inode\":1}");
	struct mapping_state known;

	replace(json, "endpoints", "[[]]");
	replace(json, "listeners", "[[]]");
	for (int i = 1; i < 100; i++) {
		json_array_append_new(json_object_get(json, "endpoints"),
				      json_string("203.0.113.5:80"));
		json_array_append_new(json_object_get(json, "shadowed_by"),
				      json_integer(i));
		json_array_append(json_object_get(json, "listeners"), listener);
	}
	cr_assert_eq(api_decode_mapping(json, &read, &known), 0);
	cr_expect_eq(known.n_endpoints, STATE_ENDPOINTS_MAX);
	cr_expect_eq(known.n_shadowed_by, STATE_SHADOWS_MAX);
	cr_expect_eq(known.shadowed_by[STATE_SHADOWS_MAX - 1], STATE_SHADOWS_MAX);
	cr_expect_eq(known.n_listeners, REFUSAL_LISTENERS_MAX);
	json_decref(listener);
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
		{ "protocol", "[\"dccp\"]" },
		{ "external", NULL },
		{ "external", "[{\"address\":null}]" },
		{ "external", "[{\"port\":80}]" },
		{ "external", "[{\"address\":null,\"port\":0}]" },
		{ "external", "[{\"address\":null,\"port\":65536}]" },
		{ "external", "[{\"address\":\"x\",\"port\":1}]" },
		{ "external", "[{\"address\":7,\"port\":1}]" },
		{ "external", "[{\"address\":null,\"port\":9,\"end_port\":8}]" },
		{ "external", "[{\"address\":null,\"port\":9,\"end_port\":65536}]" },
		{ "external", "[{\"address\":null,\"port\":9,\"end_port\":\"10\"}]" },
		{ "internal", NULL },
		{ "internal", "[{\"address\":null,\"port\":80}]" },
		{ "internal", "[{\"address\":\"10.0.0.1\",\"port\":80,\"host\":7}]" },
		{ "internal", "[{\"address\":\"10.0.0.1\",\"port\":80,\"interface\":"
			      "\"abcdefghijklmnop\"}]" },
		{ "from", "[[7]]" },
		{ "from", "[[\"10.0.0.1/8\"]]" },
		{ "comment", "[\"a\\u001b\"]" },
		{ "changed", "[\"yesterday\"]" },
		{ "lease", "[{}]" },
		{ "lease", "[{\"lifetime\":0}]" },
		{ "lease", "[{\"lifetime\":315360001}]" },
		{ "lease", "[{\"lifetime\":60,\"remaining\":-1,"
			   "\"expires\":\"2025-01-31T12:00:00Z\"}]" },
		{ "lease", "[{\"lifetime\":60,\"remaining\":60}]" },
		{ "endpoints", "[[7]]" },
		{ "endpoints", "[[\"203.0.113.5\"]]" },
		{ "shadowed_by", "[[0]]" },
		{ "listeners", "[[{\"address\":\"::\",\"port\":0,\"uid\":0}]]" },
		{ "listeners", "[[{\"address\":7,\"port\":1,\"uid\":0}]]" },
		{ "bytes_in", "[-1]" },
		{ "bytes_out", "[\"7\"]" },
		{ "origin", NULL },
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
		json_t *json = api_encode_mapping(&m, &state);

		json_object_del(json, cases[i].key);
		if (cases[i].value)
			replace(json, cases[i].key, cases[i].value);
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
