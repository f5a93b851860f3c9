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

/* With an id, and made and changed when the documentation was. */
static struct mapping make_full(const char *text)
{
	struct mapping m = make_mapping(text);

	m.id = 7;
	m.created = 1738324800;
	m.changed = 1738324860;
	m.changed_by = 1000;
	return m;
}

#define AFTER_FROM                                                                       \
	"\"origin\":\"admin\",\"owner\":\"uid:0\",\"enabled\":true,\"comment\":null,"    \
	"\"created\":\"2025-01-31T12:00:00Z\",\"changed\":\"2025-01-31T12:01:00Z\","     \
	"\"changed_by\":\"uid:1000\",\"lease\":null"
#define NO_WISH ",\"upstream\":{\"wish\":\"default\"}"

Test(api_encode, a_mapping_is_written_as_documented)
{
	struct mapping_state state = {
		.condition = CONDITION_ACTIVE,
		.connections = 3,
		.total = 41,
		.bytes_in = 1200,
		.bytes_out = 0,
		.remaining = 3541,
		.expires = 1738328400,
		.n_endpoints = 2,
		.shadowed_by = { 3, 9 },
		.n_shadowed_by = 2,
		.listeners_known = true,
	};
	struct mapping m = make_full("tcp 9000-9003 192.168.1.10:8000 web lease=3600 "
				     "from=198.51.100.0/24,10.0.0.0/8 comment=mine");

	endpoint_parse("203.0.113.5:9000", &state.endpoints[0]);
	endpoint_parse("203.0.113.6:9000", &state.endpoints[1]);
	expect_dumps(
		api_encode_mapping(&m, &state),
		"{\"id\":7,\"name\":\"web\",\"protocol\":\"tcp\","
		"\"external\":{\"address\":null,\"port\":9000,\"end_port\":9003},"
		"\"internal\":{\"address\":\"192.168.1.10\",\"port\":8000,"
		"\"end_port\":8003,\"interface\":null,\"host\":\"192.168.1.10\"},"
		"\"from\":[\"10.0.0.0/8\",\"198.51.100.0/24\"],"
		"\"origin\":\"admin\",\"owner\":\"uid:0\",\"enabled\":true,"
		"\"comment\":\"mine\",\"created\":\"2025-01-31T12:00:00Z\","
		"\"changed\":\"2025-01-31T12:01:00Z\",\"changed_by\":\"uid:1000\","
		"\"lease\":{\"lifetime\":3600,\"remaining\":3541,"
		"\"expires\":\"2025-01-31T13:00:00Z\"},"
		"\"state\":\"active\","
		"\"endpoints\":[\"203.0.113.5:9000\",\"203.0.113.6:9000\"],"
		"\"upstream\":{\"wish\":\"default\",\"state\":\"off\",\"problem\":null},"
		"\"connections\":3,\"connections_total\":41,"
		"\"bytes_in\":1200,\"bytes_out\":0,\"blocked_by\":[],"
		"\"shadowed_by\":[3,9],\"listeners\":[]}");
	details_unref(m.details);
}

Test(api_encode, a_host_suffix_has_its_lan_and_no_host_while_there_is_no_prefix)
{
	const struct in6_addr prefix = { { { 0x20, 0x01, 0x0d, 0xb8 } } };
	struct mapping m = make_full("tcp 443 [::10]:443 lan=lan0");

	expect_dumps(
		api_encode_mapping(&m, NULL),
		"{\"id\":7,\"name\":null,\"protocol\":\"tcp\","
		"\"external\":{\"address\":null,\"port\":443,\"end_port\":443},"
		"\"internal\":{\"address\":\"::10\",\"port\":443,\"end_port\":443,"
		"\"interface\":\"lan0\",\"host\":null},\"from\":[]," AFTER_FROM NO_WISH
		"}");
	mapping_settle_host(&m, &prefix);
	expect_dumps(
		api_encode_mapping(&m, NULL),
		"{\"id\":7,\"name\":null,\"protocol\":\"tcp\","
		"\"external\":{\"address\":\"2001:db8::10\",\"port\":443,\"end_port\":443},"
		"\"internal\":{\"address\":\"::10\",\"port\":443,\"end_port\":443,"
		"\"interface\":\"lan0\",\"host\":\"2001:db8::10\"},\"from\":[]," AFTER_FROM NO_WISH
		"}");
	details_unref(m.details);
}

Test(api_encode, what_is_not_known_is_null)
{
	static const char *const blocked_by[] = {
		"ip filter FORWARD (hook forward, policy drop)", "ip x\x1b\xff\"\\"
	};
	const struct mapping_state state = {
		.condition = CONDITION_WAITING,
		.connections = -1,
		.total = -1,
		.bytes_in = -1,
		.bytes_out = -1,
		.blocked_by = blocked_by,
		.n_blocked_by = 2,
	};
	struct mapping m = make_full("udp 443 [2001:db8::10]:443 off");

	m.origin = ORIGIN_CONFIG;
	expect_dumps(
		api_encode_mapping(&m, &state),
		"{\"id\":7,\"name\":null,\"protocol\":\"udp\","
		"\"external\":{\"address\":\"2001:db8::10\",\"port\":443,\"end_port\":443},"
		"\"internal\":{\"address\":\"2001:db8::10\",\"port\":443,\"end_port\":443,"
		"\"interface\":null,\"host\":\"2001:db8::10\"},\"from\":[],"
		"\"origin\":\"config\",\"owner\":\"config\",\"enabled\":false,"
		"\"comment\":null,\"created\":\"2025-01-31T12:00:00Z\","
		"\"changed\":\"2025-01-31T12:01:00Z\",\"changed_by\":\"config\","
		"\"lease\":null,\"state\":\"waiting\",\"endpoints\":[],"
		"\"upstream\":{\"wish\":\"default\",\"state\":\"off\",\"problem\":null},"
		"\"connections\":null,\"connections_total\":null,"
		"\"bytes_in\":null,\"bytes_out\":null,\"blocked_by\":["
		"\"ip filter FORWARD (hook forward, policy drop)\","
		"\"ip x\\\\x1b\\\\xff\\\"\\\\\"],\"shadowed_by\":[],\"listeners\":null}");
}

static void expect_upstream(const struct mapping *m, const struct upstream_view *view,
			    const char *text)
{
	const struct mapping_state state = {
		.upstream = view ? *view : (struct upstream_view){ 0 }
	};
	json_t *json = api_encode_mapping(m, view ? &state : NULL);

	expect_dumps(json_incref(json_object_get(json, "upstream")), text);
	json_decref(json);
}

Test(api_encode, what_becomes_of_a_mapping_upstream_is_written_as_documented)
{
	struct mapping m = make_full("tcp 8080 192.168.1.10:80 upstream=required");
	struct upstream_view view = {
		.state = UPSTREAM_STATE_MAPPED,
		.wan = "wan0",
		.speech = UPSTREAM_NATPMP,
		.expires = 1738332000,
		.renews = 1738328400,
	};

	expect_upstream(&m, NULL, "{\"wish\":\"required\"}");
	endpoint_parse("51.15.0.9:9000", &view.external);
	expect_upstream(&m, &view,
			"{\"wish\":\"required\",\"state\":\"mapped\","
			"\"interface\":\"wan0\",\"protocol\":\"nat-pmp\","
			"\"external\":\"51.15.0.9:9000\","
			"\"expires\":\"2025-01-31T14:00:00Z\","
			"\"renews\":\"2025-01-31T13:00:00Z\",\"problem\":null}");
	/* mapped, and nobody knows at which address */
	view.external.addr = address_any4;
	view.expires = view.renews = 0;
	expect_upstream(&m, &view,
			"{\"wish\":\"required\",\"state\":\"mapped\","
			"\"interface\":\"wan0\",\"protocol\":\"nat-pmp\","
			"\"external\":null,\"expires\":null,\"renews\":null,"
			"\"problem\":null}");
}

Test(api_encode, what_is_not_mapped_upstream_says_why)
{
	struct mapping m = make_full("tcp 8080 192.168.1.10:80 upstream=yes");
	struct upstream_view view = {
		.state = UPSTREAM_STATE_REFUSED,
		.wan = "wan0",
		.speech = UPSTREAM_IGD,
		.external.port = 8080,
		.why = "says \"no\"\x1b[2J",
	};

	expect_upstream(&m, &view,
			"{\"wish\":\"yes\",\"state\":\"refused\","
			"\"interface\":\"wan0\",\"protocol\":\"upnp\","
			"\"external\":null,\"expires\":null,\"renews\":null,"
			"\"problem\":\"says \\\"no\\\"\\\\x1b[2J\"}");
	view.state = UPSTREAM_STATE_NO_ROUTER;
	view.wan[0] = view.why[0] = '\0';
	expect_upstream(&m, &view,
			"{\"wish\":\"yes\",\"state\":\"no-router\","
			"\"interface\":null,\"protocol\":null,"
			"\"external\":null,\"expires\":null,\"renews\":null,"
			"\"problem\":null}");
	view.state = UPSTREAM_STATE_OFF;
	strcpy(view.why, "more than 64 ports");
	m.upstream = UPSTREAM_NO;
	expect_upstream(&m, &view,
			"{\"wish\":\"no\",\"state\":\"off\","
			"\"problem\":\"more than 64 ports\"}");
}

Test(api_encode, a_lease_without_the_live_fields_has_its_lifetime)
{
	struct mapping m = make_full("udp 443 192.168.1.10:443 lease=90");
	json_t *json = api_encode_mapping(&m, NULL);

	expect_dumps(json_incref(json_object_get(json, "lease")), "{\"lifetime\":90}");
	json_decref(json);
}

static struct listener make_listener(const char *local, uint32_t inode)
{
	struct listener listener = { .protocol = IPPROTO_TCP, .uid = 0, .inode = inode };

	cr_assert_eq(endpoint_parse(local, &listener.local), 0, "%s", local);
	return listener;
}

Test(api_encode, a_listener_is_written_as_documented)
{
	const struct listener ssh = make_listener("0.0.0.0:22", 12345);
	const struct listener other = make_listener("[::]:22", 0);

	expect_dumps(api_encode_listener(&ssh),
		     "{\"address\":\"0.0.0.0\",\"port\":22,\"uid\":0,\"inode\":12345}");
	expect_dumps(api_encode_listener(&other),
		     "{\"address\":\"::\",\"port\":22,\"uid\":0,\"inode\":null}");
}

/* What the parser makes of the text, written again: so each string is escaped as it must
 * be, each number has one spelling, and nothing stands there twice. */
static void expect_written_well(const struct mapping *m,
				const struct mapping_state *state)
{
	const size_t len = api_write_mapping(NULL, 0, m, state);
	json_t *json = api_encode_mapping(m, state);
	char *text = json_dumps(json, JSON_COMPACT);

	cr_assert_eq(strlen(text), len, "%s", text);
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

static void fill_state(struct mapping_state *state)
{
	static const char *const blocked_by[] = { "ip filter FORWARD",
						  "\"\\\n\x7f\xc3\xa4", "" };

	*state = (struct mapping_state){
		.condition = CONDITION_SHADOWED,
		.connections = 3,
		.total = INT64_MAX,
		.bytes_in = INT64_MAX,
		.remaining = UINT32_MAX,
		.expires = UINT64_MAX,
		.upstream = {
			.state = UPSTREAM_STATE_MAPPED,
			.wan = "abc\"efghijklmno",
			.speech = UPSTREAM_PCP,
			.expires = UINT64_MAX,
			.why = "\"\\\n\xff",
		},
		.blocked_by = blocked_by,
		.n_blocked_by = ARRAY_SIZE(blocked_by),
		.n_endpoints = STATE_ENDPOINTS_MAX,
		.n_shadowed_by = STATE_SHADOWS_MAX,
		.n_listeners = REFUSAL_LISTENERS_MAX,
		.listeners_known = true,
	};
	endpoint_parse("[2001:db8::1]:65535", &state->upstream.external);
	for (size_t i = 0; i < STATE_ENDPOINTS_MAX; i++)
		endpoint_parse(i % 2 ? "[2001:db8::1]:65535" : "203.0.113.5:1",
			       &state->endpoints[i]);
	for (size_t i = 0; i < STATE_SHADOWS_MAX; i++)
		state->shadowed_by[i] = i ? INT64_MAX : 1;
	for (size_t i = 0; i < REFUSAL_LISTENERS_MAX; i++) {
		state->listeners[i] = make_listener(i % 2 ? "[::1]:1" : "10.0.0.1:65535",
						    (uint32_t)i * UINT32_MAX);
		state->listeners[i].uid = UINT32_MAX;
	}
}

Test(api_write, is_byte_for_byte_what_is_encoded)
{
	static const char *const texts[] = {
		"tcp 1 10.0.0.1:65535",
		"udp 8080 192.168.255.1:80 web",
		"tcp 443 [2001:db8::10]:443 a-b_c.d",
		"sctp 8443 [2001:db8::10]:443",
		"udplite 443 [fd00::10]:443",
		"tcp 1-65535 192.168.1.10:1 dmz lease=315360000",
		"udp 9000-9003 192.168.1.10:8000 at=203.0.113.7 comment=\"\\\xc3\xa4",
		"tcp 22 [::10]:22 from=2001:db8::/32,::/0,fd00::1/128 lan=abcdefghijklmno",
	};
	struct mapping_state states[2] = {
		{ .connections = -1, .total = -1, .bytes_in = -1, .bytes_out = -1 },
	};

	fill_state(&states[1]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mapping m = make_full(texts[i]);

		m.id = i * i * 1000000007;
		m.origin = i % 2 ? ORIGIN_ADMIN : ORIGIN_CONFIG;
		m.owner_uid = (uint32_t)i * 1000;
		m.enabled = i % 3;
		m.created = i * 123456789;
		expect_written_well(&m, NULL);
		for (size_t k = 0; k < ARRAY_SIZE(states); k++)
			expect_written_well(&m, &states[k]);
		details_unref(m.details);
	}
}

Test(api_write, a_sentence_without_end_is_cut)
{
	char sentence[2000];
	const char *const blocked_by[] = { sentence };
	const struct mapping_state state = { .blocked_by = blocked_by,
					     .n_blocked_by = 1 };
	struct mapping m = make_full("tcp 8080 192.168.1.10:80");

	memset(sentence, '"', sizeof(sentence));
	sentence[sizeof(sentence) - 1] = '\0';
	cr_expect_lt(api_write_mapping(NULL, 0, &m, &state), 2000);
	expect_written_well(&m, &state);
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
