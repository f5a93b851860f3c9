/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Changes of every kind, and what is told of what they made. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "tests/unit/natd/api_fixture.h"

static struct api api;
static struct in6_addr wan[2];
static struct listener listeners[2];
static struct lan_prefix lan = { .lan = "lan0" };

/* Two WAN addresses; ssh listens everywhere, and something on one of them. */
static void start(void)
{
	fake_credentials.uid = 1000;
	api_start(&api);
	cr_assert_eq(address_parse("203.0.113.5", &wan[0]), 0);
	cr_assert_eq(address_parse("203.0.113.6", &wan[1]), 0);
	api.gw->at.wan = (struct address_list){ wan, 2 };
	listeners[0] = (struct listener){ .protocol = IPPROTO_TCP, .inode = 12345 };
	cr_assert_eq(endpoint_parse("0.0.0.0:22", &listeners[0].local), 0);
	listeners[1] = (struct listener){ .protocol = IPPROTO_TCP, .uid = 7 };
	cr_assert_eq(endpoint_parse("203.0.113.6:8080", &listeners[1].local), 0);
	api.gw->at.listeners = (struct listener_list){ listeners, 2 };
	cr_assert_eq(address_parse("2001:db8:1::", &lan.prefix), 0);
	api.gw->at.lans = (struct lan_prefix_list){ &lan, 1 };
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(changes, .init = start, .fini = stop, .timeout = 60);

#define TO_PORT(port) "\"internal\":{\"address\":\"192.168.1.10\",\"port\":" port "}"

static json_t *add(const char *members)
{
	char body[512];

	snprintf(body, sizeof(body), "{\"protocol\":\"tcp\",%s}", members);
	return api_json(&api, "POST /v1/mappings", body, 201);
}

static void expect_dump(json_t *json, const char *wanted)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	cr_assert_not_null(text);
	cr_expect_str_eq(text, wanted);
	free(text);
}

/* One member of a mapping as it is listed. */
static void expect_listed(int id, const char *key, const char *wanted)
{
	char request[64];
	json_t *m;

	snprintf(request, sizeof(request), "GET /v1/mappings/%d", id);
	m = api_json(&api, request, NULL, 200);
	expect_dump(json_object_get(m, key), wanted);
	json_decref(m);
}

Test(changes, a_range_is_one_mapping)
{
	json_decref(
		add("\"external\":{\"port\":9000,\"end_port\":9003}," TO_PORT("8000")));
	expect_listed(1, "external",
		      "{\"address\":null,\"port\":9000,\"end_port\":9003}");
	expect_listed(1, "endpoints", "[\"203.0.113.5:9000\",\"203.0.113.6:9000\"]");
	expect_listed(1, "state", "\"active\"");
}

Test(changes, an_automatic_port_is_told)
{
	json_t *answer = add("\"external\":{\"port\":\"auto\"}," TO_PORT("8081"));

	expect_dump(json_object_get(first_of(answer, "mappings"), "external"),
		    "{\"address\":null,\"port\":8081,\"end_port\":8081}");
	json_decref(answer);
}

Test(changes, a_host_suffix_is_where_its_lan_is)
{
	json_decref(add("\"external\":{\"port\":443},\"internal\":{\"address\":\"::10\","
			"\"interface\":\"lan0\"}"));
	expect_listed(1, "internal",
		      "{\"address\":\"::10\",\"port\":443,\"end_port\":443,"
		      "\"interface\":\"lan0\",\"host\":\"2001:db8:1::10\"}");
	lan.prefix = address_any6;
	json_decref(
		add("\"external\":{\"port\":444},\"internal\":{\"address\":\"::10\"}"));
	expect_listed(2, "state", "\"waiting\"");
	expect_listed(2, "endpoints", "[]");
}

Test(changes, a_lease_is_told_and_renewed)
{
	json_t *answer = add("\"external\":{\"port\":8090},\"lease\":60," TO_PORT("80"));
	json_t *lease;

	expect_dump(json_object_get(first_of(answer, "mappings"), "lease"),
		    "{\"lifetime\":60}");
	json_decref(answer);
	answer = api_json(&api, "PATCH /v1/mappings/1", "{\"lease\":90}", 200);
	cr_expect_str_eq(text_of(answer, "verdict"), "changed");
	json_decref(answer);
	answer = api_json(&api, "GET /v1/mappings/1", NULL, 200);
	lease = json_object_get(answer, "lease");
	cr_expect_eq(number_of(lease, "lifetime"), 90);
	cr_expect_eq(number_of(lease, "remaining"), 90);
	cr_expect_eq(strlen(text_of(lease, "expires")), 20);
	json_decref(answer);
	json_decref(api_json(&api, "PATCH /v1/mappings/1", "{\"lease\":null}", 200));
	expect_listed(1, "lease", "null");
}

Test(changes, a_patch_sets_what_it_names_and_nothing_else)
{
	json_t *answer;

	json_decref(add(
		"\"external\":{\"port\":8090},\"name\":\"web\",\"comment\":\"a\"," TO_PORT(
			"80")));
	answer = api_json(&api, "PATCH /v1/mappings/1",
			  "{\"enabled\":false,\"name\":\"www\"}", 200);
	cr_expect_str_eq(text_of(answer, "verdict"), "changed");
	cr_expect_eq(number_of(first_of(answer, "mappings"), "id"), 1);
	cr_expect_str_eq(text_of(first_of(answer, "mappings"), "name"), "www");
	json_decref(answer);
	expect_listed(1, "state", "\"disabled\"");
	expect_listed(1, "comment", "\"a\"");
	expect_listed(1, "changed_by", "\"uid:1000\"");
	answer = api_json(&api, "PATCH /v1/mappings/1", "{\"enabled\":false}", 200);
	cr_expect_str_eq(text_of(answer, "verdict"), "unchanged");
	json_decref(answer);
	json_decref(api_json(&api, "PATCH /v1/mappings/1",
			     "{\"comment\":null,\"internal\":{\"address\":"
			     "\"192.168.1.11\",\"port\":81}}",
			     200));
	expect_listed(1, "comment", "null");
	expect_listed(1, "internal",
		      "{\"address\":\"192.168.1.11\",\"port\":81,\"end_port\":81,"
		      "\"interface\":null,\"host\":\"192.168.1.11\"}");
}

Test(changes, a_patch_that_cannot_be_is_refused)
{
	static const struct {
		const char *request, *body, *code;
	} cases[] = {
		{ "PATCH /v1/mappings/99", "{\"enabled\":false}", "not-found" },
		{ "PATCH /v1/mappings/1", "", "bad-request" },
		{ "PATCH /v1/mappings/1", "{}", "bad-request" },
		{ "PATCH /v1/mappings/1", "[]", "bad-request" },
		{ "PATCH /v1/mappings/1", "{\"drain\":true}", "bad-request" },
		{ "PATCH /v1/mappings/1", "{\"external\":{\"port\":1}}", "bad-request" },
		{ "PATCH /v1/mappings/1", "{\"name\":\"dns\"}", "name-taken" },
		{ "PATCH /v1/mappings/3", "{\"enabled\":false}", "of-config" },
	};

	json_decref(api_json(
		&api, "POST /v1/mappings",
		"[{\"protocol\":\"tcp\",\"external\":{\"port\":1}," TO_PORT(
			"1") "},{\"protocol\":\"tcp\",\"external\":{\"port\":53},"
			     "\"name\":\"dns\"," TO_PORT("53") "}]",
		201));
	fake_gateway_declare(api.gw, "declared", 100, 7);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *why =
			api_refused(&api, cases[i].request, cases[i].body, cases[i].code);

		cr_expect_null(json_object_get(why, "index"));
		json_decref(why);
	}
	expect_listed(1, "name", "null");
	expect_listed(3, "enabled", "true");
}

Test(changes, established_connections_go_on_where_that_is_asked_for)
{
	static const struct {
		const char *request, *body;
		bool drained;
	} cases[] = {
		{ "PATCH /v1/mappings/1", "{\"enabled\":false,\"drain\":true}", true },
		{ "PATCH /v1/mappings/1", "{\"enabled\":true}", false },
		{ "POST /v1/mappings",
		  "{\"action\":\"update\",\"name\":\"web\",\"set\":{\"enabled\":false},"
		  "\"drain\":true}",
		  true },
		{ "DELETE /v1/mappings/1?drain=true", NULL, true },
		{ "DELETE /v1/mappings/2?drain=false", NULL, false },
		{ "POST /v1/mappings", "{\"action\":\"remove\",\"id\":3,\"drain\":true}",
		  true },
		{ "DELETE /v1/mappings/4", NULL, false },
	};

	json_decref(api_json(&api, "POST /v1/mappings",
			     "{\"protocol\":\"tcp,udp,sctp\",\"external\":{\"port\":90},"
			     "\"name\":\"web\"," TO_PORT("90") "}",
			     201));
	json_decref(add("\"external\":{\"port\":91}," TO_PORT("91")));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_decref(api_json(&api, cases[i].request, cases[i].body, 200));
		cr_expect_eq(api.gw->drained, cases[i].drained, "%s %s", cases[i].request,
			     cases[i].body);
	}
	cr_expect_eq(table_size(api.gw->table), 0);
}

/* ------------------------------------------------------------ what is in the way */

#define SSH   "{\"address\":\"0.0.0.0\",\"port\":22,\"uid\":0,\"inode\":12345}"
#define PROXY "{\"address\":\"203.0.113.6\",\"port\":8080,\"uid\":7,\"inode\":null}"

Test(changes, the_port_of_a_program_is_refused_and_the_program_told)
{
	json_t *why = api_refused(
		&api, "POST /v1/mappings",
		"{\"protocol\":\"tcp\",\"external\":{\"port\":22}," TO_PORT("22") "}",
		"port-in-use");

	expect_dump(json_object_get(why, "listeners"), "[" SSH "]");
	cr_expect_null(json_object_get(why, "holders"));
	cr_expect_eq(table_size(api.gw->table), 0);
	json_decref(why);
	json_decref(
		add("\"external\":{\"port\":8080,\"address\":\"203.0.113.5\"}," TO_PORT(
			"80")));
}

Test(changes, a_program_that_is_shadowed_by_force_is_told)
{
	json_t *answer = add("\"external\":{\"port\":22},\"force\":true," TO_PORT("22"));

	expect_dump(json_object_get(answer, "shadows"), "[" SSH "]");
	json_decref(answer);
	expect_listed(1, "listeners", "[" SSH "]");
	answer = add(
		"\"external\":{\"port\":8000,\"end_port\":8100},\"force\":true," TO_PORT(
			"8000"));
	expect_dump(json_object_get(answer, "shadows"), "[" PROXY "]");
	json_decref(answer);
	answer = add("\"external\":{\"port\":9000},\"force\":true," TO_PORT("9000"));
	cr_expect_null(json_object_get(answer, "shadows"));
	json_decref(answer);
}

Test(changes, in_a_list_each_change_has_its_own_shadows)
{
	json_t *answer = api_json(
		&api, "POST /v1/mappings",
		"[{\"protocol\":\"tcp\",\"external\":{\"port\":1}," TO_PORT(
			"1") "},"
			     "{\"protocol\":\"udp,tcp\",\"external\":{\"port\":22},\"force\":true," TO_PORT(
				     "22") "}]",
		201);
	json_t *results = json_object_get(answer, "results");

	cr_expect_null(json_object_get(json_array_get(results, 0), "shadows"));
	expect_dump(json_object_get(json_array_get(results, 1), "shadows"), "[" SSH "]");
	json_decref(answer);
}

Test(changes, listeners_that_cannot_be_read_are_not_known)
{
	api.gw->at.listeners_known = false;
	json_decref(add("\"external\":{\"port\":22}," TO_PORT("22")));
	expect_listed(1, "listeners", "null");
}

Test(changes, a_wider_mapping_names_those_that_take_a_part_of_it)
{
	json_decref(
		add("\"external\":{\"port\":1000,\"end_port\":1999}," TO_PORT("1000")));
	json_decref(add("\"external\":{\"port\":1500}," TO_PORT("80")));
	json_decref(add("\"external\":{\"port\":1501}," TO_PORT("81")));
	expect_listed(1, "shadowed_by", "[2,3]");
	expect_listed(2, "shadowed_by", "[]");
}

Test(changes, a_protocol_that_the_kernel_lacks_is_refused)
{
	json_decref(api_refused(
		&api, "POST /v1/mappings",
		"{\"protocol\":\"udplite\",\"external\":{\"port\":22}," TO_PORT("22") "}",
		"no-protocol"));
}

Test(changes, an_exhausted_pool_is_told)
{
	static const struct port_range pool = { 50000, 50000 };

	api.gw->at.pool = (struct port_list){ &pool, 1 };
	json_decref(add("\"external\":{\"port\":50000}," TO_PORT("1")));
	json_t *why = api_refused(
		&api, "POST /v1/mappings",
		"{\"protocol\":\"tcp\",\"external\":{\"port\":0}," TO_PORT("22") "}",
		"no-port");

	cr_expect_not_null(strstr(text_of(why, "detail"), "50000"), "%s",
			   text_of(why, "detail"));
	json_decref(why);
}

Test(changes, what_becomes_of_a_mapping_upstream_is_told)
{
	api.gw->at.upstream = true;
	json_decref(
		add("\"external\":{\"port\":8090},\"upstream\":\"yes\"," TO_PORT("80")));
	expect_listed(1, "upstream",
		      "{\"wish\":\"yes\",\"state\":\"off\",\"problem\":null}");
	json_decref(api_json(&api, "PATCH /v1/mappings/1", "{\"upstream\":\"required\"}",
			     200));
	api.gw->upstream = (struct upstream_view){
		.state = UPSTREAM_STATE_ASKING,
		.wan = "wan0",
		.speech = UPSTREAM_PCP,
	};
	expect_listed(1, "state", "\"waiting\"");
	expect_listed(
		1, "upstream",
		"{\"wish\":\"required\",\"state\":\"asking\",\"interface\":\"wan0\","
		"\"protocol\":\"pcp\",\"external\":null,\"expires\":null,"
		"\"renews\":null,\"problem\":null}");
	api.gw->at.upstream = false;
	json_decref(api_refused(&api, "PATCH /v1/mappings/1", "{\"upstream\":\"yes\"}",
				"no-upstream"));
	json_decref(api_refused(&api, "POST /v1/mappings",
				"{\"protocol\":\"tcp\",\"external\":{\"port\":22},"
				"\"upstream\":\"yes\"," TO_PORT("22") "}",
				"no-upstream"));
}

/* ------------------------------------------------------------ filters */

/* With the wish of the policy nobody asked for it. */
Test(changes, what_is_not_held_upstream_is_a_problem_where_it_was_asked_for)
{
	static const struct {
		enum upstream_state state;
		size_t n;
	} cases[] = {
		{ UPSTREAM_STATE_OFF, 2 },     { UPSTREAM_STATE_NO_ROUTER, 1 },
		{ UPSTREAM_STATE_ASKING, 1 },  { UPSTREAM_STATE_MAPPED, 1 },
		{ UPSTREAM_STATE_REFUSED, 2 }, { UPSTREAM_STATE_UNANSWERED, 2 },
	};

	api.gw->at.upstream = true;
	json_decref(add("\"external\":{\"port\":1},\"upstream\":\"yes\"," TO_PORT("1")));
	json_decref(
		add("\"external\":{\"port\":2},\"upstream\":\"required\"," TO_PORT("2")));
	json_decref(add("\"external\":{\"port\":3}," TO_PORT("3")));
	json_decref(add("\"external\":{\"port\":4},\"enabled\":false,"
			"\"upstream\":\"yes\"," TO_PORT("4")));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		api.gw->upstream.state = cases[i].state;
		cr_expect_eq(api_count(&api, "?problems=true"), cases[i].n, "%s",
			     upstream_state_name(cases[i].state));
	}
	cr_expect_eq(api_count(&api, "?state=waiting"), 1);
}

Test(changes, filters_look_at_all_kinds)
{
	static const struct {
		const char *query;
		size_t n;
	} cases[] = {
		{ "", 6 },
		{ "?port=8999", 0 },
		{ "?port=9000", 1 },
		{ "?port=9003", 1 },
		{ "?port=9004", 0 },
		{ "?to=192.168.1.10:8003", 1 },
		{ "?to=192.168.1.10:8004", 0 },
		{ "?to=::10", 1 },
		{ "?to=2001:db8:1::10", 1 },
		{ "?to=%5B2001:db8:1::10%5D:443", 1 },
		{ "?protocol=sctp", 1 },
		{ "?state=active", 5 },
		{ "?state=disabled", 1 },
		{ "?state=waiting", 0 },
		{ "?owner=config", 1 },
		{ "?owner=uid:1000", 5 },
		{ "?owner=uid:1", 0 },
		{ "?problems=true", 1 },
		{ "?problems=false", 6 },
		{ "?problems=true&port=9000", 0 },
		{ "?problems=true&port=22", 1 },
	};

	fake_gateway_declare(api.gw, "declared", 100, 7);
	json_decref(api_json(
		&api, "POST /v1/mappings",
		"[{\"protocol\":\"tcp\",\"external\":{\"port\":9000,\"end_port\":9003}," TO_PORT(
			"8000") "},"
				"{\"protocol\":\"tcp\",\"external\":{\"port\":443},"
				"\"internal\":{\"address\":\"::10\"}},"
				"{\"protocol\":\"sctp\",\"external\":{\"port\":5},\"enabled\":false," TO_PORT(
					"5") "},"
					     "{\"protocol\":\"tcp\",\"external\":{\"port\":22},\"force\":true," TO_PORT(
						     "22") "},"
							   "{\"protocol\":\"tcp\",\"external\":{\"port\":23}," TO_PORT(
								   "23") "}]",
		201));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(api_count(&api, cases[i].query), cases[i].n, "%s",
			     cases[i].query);
	api.gw->blocked_by = "ip filter FORWARD (hook forward, policy drop)";
	cr_expect_eq(api_count(&api, "?problems=true"), 6);
}
