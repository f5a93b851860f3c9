/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is refused, how it is said, and that nothing changes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "tests/unit/natd/api_fixture.h"

static struct api api;

static void start(void)
{
	fake_credentials.uid = 1000;
	api_start(&api);
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(refusals, .init = start, .fini = stop, .timeout = 60);

Test(refusals, a_bad_id_is_refused_by_its_text)
{
	static const char *const bad[] = {
		"abc",
		"0",
		"-1",
		"+1",
		"1x",
		"01",
		"1.0",
		"18446744073709551616",
		"99999999999999999999999",
		"%201",
		"1%00",
		"1%0a",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char request[80];

		snprintf(request, sizeof(request), "GET /v1/mappings/%s", bad[i]);
		json_decref(api_refused(&api, request, NULL, "bad-request"));
		snprintf(request, sizeof(request), "DELETE /v1/mappings/%s", bad[i]);
		json_decref(api_refused(&api, request, NULL, "bad-request"));
		snprintf(request, sizeof(request), "PATCH /v1/mappings/%s", bad[i]);
		json_decref(api_refused(&api, request, "{\"name\":null}", "bad-request"));
	}
	json_decref(api_refused(&api, "GET /v1/mappings/18446744073709551615", NULL,
				"not-found"));
}

Test(refusals, a_wrong_parameter_is_refused_by_name)
{
	static const struct {
		const char *request, *says;
	} cases[] = {
		{ "GET /v1/mappings?colour=red", "colour" },
		{ "GET /v1/mappings?name", "name" },
		{ "GET /v1/mappings?name=", "name" },
		{ "GET /v1/mappings?name=a%00b", "name" },
		{ "GET /v1/mappings?name=%1b[31m", "\\x1b" },
		{ "GET /v1/mappings?%ff=1", "\\xff" },
		{ "GET /v1/mappings?port=0", "port" },
		{ "GET /v1/mappings?port=65536", "65536" },
		{ "GET /v1/mappings?port=80&port=81", "twice" },
		{ "GET /v1/mappings?protocol=dccp", "dccp" },
		{ "GET /v1/mappings?protocol=tcp,udp", "tcp,udp" },
		{ "GET /v1/mappings?state=asleep", "state" },
		{ "GET /v1/mappings?state=", "state" },
		{ "GET /v1/mappings?problems=yes", "problems" },
		{ "GET /v1/mappings?owner=", "owner" },
		{ "GET /v1/mappings?owner=uid:99999999999999999999", "owner" },
		{ "DELETE /v1/mappings/1?drain=yes", "drain" },
		{ "DELETE /v1/mappings/1?drain=", "drain" },
		{ "DELETE /v1/mappings/1?force=true", "force" },
		{ "PATCH /v1/mappings/1?drain=true", "drain" },
		{ "GET /v1/mappings?to=host", "host" },
		{ "GET /v1/status?x=1", "x" },
		{ "GET /v1/mappings/1?name=web", "name" },
		{ "POST /v1/reload?now=1", "now" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *why = api_refused(&api, cases[i].request, NULL, "bad-request");

		cr_expect(strstr(text_of(why, "detail"), cases[i].says), "%s: %s",
			  cases[i].request, text_of(why, "detail"));
		json_decref(why);
	}
}

Test(refusals, no_such_path_and_no_such_method)
{
	static const char *const unknown[] = {
		"GET /",
		"GET /v1",
		"GET /v1/mappings/",
		"GET /v1/mappings/1/x",
		"GET /v2/mappings",
		"POST /v1/mapping",
		"GET //v1/mappings",
		"DELETE /v1/%0a%c3",
	};
	static const struct {
		const char *request, *allow;
	} wrong[] = {
		{ "PUT /v1/mappings", "GET, HEAD, POST" },
		{ "DELETE /v1/mappings", "GET, HEAD, POST" },
		{ "POST /v1/mappings/1", "GET, HEAD, PATCH, DELETE" },
		{ "PUT /v1/mappings/x", "GET, HEAD, PATCH, DELETE" },
		{ "PATCH /v1/mappings", "GET, HEAD, POST" },
		{ "POST /v1/connections", "GET, HEAD, DELETE" },
		{ "POST /v1/status", "GET, HEAD" },
		{ "GET /v1/reload", "POST" },
		{ "HEAD /v1/flush", "POST" },
		{ "OPTIONS /v1/resync", "POST" },
	};
	char value[256];

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		json_decref(api_refused(&api, unknown[i], NULL, "no-resource"));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct reply reply;
		struct conn conn;

		conn_open(&api, &conn);
		conn_request(&conn, wrong[i].request, NULL, NULL);
		conn_reply(&conn, !strncmp(wrong[i].request, "HEAD", 4), &reply);
		cr_expect_eq(reply.status, 405, "%s", wrong[i].request);
		cr_expect_str_eq(reply_header(&reply, "allow", value), wrong[i].allow);
		reply_done(&reply);
		conn_close(&conn);
	}
}

Test(refusals, flush_takes_nothing_but_all)
{
	static const char *const bad[] = { "{\"all\":1}",
					   "{\"al\":true}",
					   "[]",
					   "true",
					   "{\"all\":true,\"all\":true}",
					   "{\"all\":true,\"x\":1}",
					   "{\"all\":true} x" };

	fake_gateway_fill(api.gw, 3);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		json_decref(api_refused(&api, "POST /v1/flush", bad[i], "bad-request"));
	cr_expect_eq(table_size(api.gw->table), 3);
}

Test(refusals, faults_of_the_engine_are_told)
{
	static const struct problem cases[] = {
		{ .verdict = VERDICT_FAULT, .index = -1, .detail = "The store refused." },
		{ .verdict = VERDICT_UNKNOWN, .index = -1, .detail = "Nobody knows." },
		{ .verdict = VERDICT_BUSY, .index = -1, .detail = "No changes now." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		api.gw->problem = &cases[i];
		json_t *why = api_refused(&api, "POST /v1/mappings", API_WEB,
					  outcome_of(cases[i].verdict)->code);

		cr_expect_str_eq(text_of(why, "detail"), cases[i].detail);
		json_decref(why);
	}
}

Test(refusals, without_memory_every_resource_says_so)
{
	static const char *const requests[] = {
		"GET /v1/mappings", "GET /v1/mappings/1", "DELETE /v1/mappings/1",
		"GET /v1/status",   "POST /v1/reload",	  "POST /v1/flush",
	};

	fake_gateway_fill(api.gw, 1);
	api.gw->no_memory = true;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct reply reply;
		json_t *why;

		api_ask(&api, requests[i], NULL, NULL, &reply);
		cr_expect_eq(reply.status, 500, "%s", requests[i]);
		why = reply_parse(&reply);
		cr_expect_str_eq(text_of(why, "code"), "fault");
		json_decref(why);
		reply_done(&reply);
	}
	cr_expect_eq(table_size(api.gw->table), 1);
}

Test(refusals, bad_changes_are_refused_and_change_nothing)
{
	static const struct {
		const char *body, *code;
	} cases[] = {
		{ "", "bad-request" },
		{ " ", "bad-request" },
		{ "nonsense", "bad-request" },
		{ "7", "bad-request" },
		{ "{}", "bad-request" },
		{ API_WEB API_WEB, "bad-request" },
		{ "{\"action\":\"add\",\"action\":\"add\"}", "bad-request" },
		{ "{\"action\":\"remove\",\"id\":1,\"colour\":1}", "bad-request" },
		{ "{\"action\":\"remove\",\"name\":\"a\\u0000b\"}", "bad-request" },
		{ "{\"action\":\"remove\",\"name\":\"\\u001b[0m\"}", "bad-request" },
		{ "{\"action\":\"remove\",\"name\":\"\xff\"}", "bad-request" },
		{ "{\"protocol\":\"tcp\",\"external\":{\"port\":0},\"internal\":{\"address\":"
		  "\"192.168.1.1\"}}",
		  "bad-request" },
		{ "[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]", "bad-request" },
		{ "[" API_WEB ",{\"action\":\"remove\",\"name\":\"none\"}]",
		  "not-found" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_decref(api_refused(&api, "POST /v1/mappings", cases[i].body,
					cases[i].code));
		cr_expect_eq(table_size(api.gw->table), 0, "%s", cases[i].body);
	}
}

Test(refusals, content_types_are_looked_at)
{
	static const struct {
		const char *type;
		int status;
	} cases[] = {
		{ "application/json", 201 },
		{ "Application/JSON; charset=utf-8", 200 },
		{ "application/x-ndjson", 200 },
		{ "application/x-www-form-urlencoded", 200 },
		{ "application/jsonx", 400 },
		{ "text/plain", 400 },
		{ "\x1b[31m", 400 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reply reply;

		api_ask(&api, "POST /v1/mappings", cases[i].type, API_WEB, &reply);
		cr_expect_eq(reply.status, cases[i].status, "%s: %s", cases[i].type,
			     reply.body);
		reply_done(&reply);
	}
}

Test(refusals, a_conflict_names_the_holder_and_changes_nothing)
{
	json_decref(api_json(&api, "POST /v1/mappings", API_WEB, 201));
	json_t *why = api_refused(&api, "POST /v1/mappings",
				  "[" API_DNS
				  ",{\"protocol\":\"tcp\",\"external\":{\"port\":8080},"
				  "\"internal\":{\"address\":\"192.168.1.99\"}}]",
				  "conflict");

	cr_expect_eq(number_of(why, "index"), 1);
	cr_expect(strstr(text_of(why, "detail"), "192.168.1.10:80"));
	cr_expect_str_eq(text_of(first_of(why, "holders"), "name"), "web");
	cr_expect_eq(table_size(api.gw->table), 1);
	json_decref(why);
}

Test(refusals, a_refusal_of_one_change_has_no_index)
{
	json_t *why =
		api_refused(&api, "POST /v1/mappings",
			    "{\"action\":\"remove\",\"name\":\"none\"}", "not-found");

	cr_expect_null(json_object_get(why, "index"));
	json_decref(why);
}

Test(refusals, a_holder_of_the_same_list_is_not_listed)
{
	json_t *why = api_refused(&api, "POST /v1/mappings",
				  "[" API_WEB
				  ",{\"protocol\":\"tcp\",\"external\":{\"port\":8080},"
				  "\"internal\":{\"address\":\"192.168.1.99\"}}]",
				  "conflict");
	json_t *holder;
	size_t i;

	cr_expect_eq(number_of(why, "index"), 1);
	json_array_foreach (json_object_get(why, "holders"), i, holder)
		cr_expect_gt(number_of(holder, "id"), 0);
	cr_expect_eq(table_size(api.gw->table), 0);
	json_decref(why);
}

Test(refusals, what_the_file_declares_is_refused_with_file_and_line)
{
	fake_gateway_declare(api.gw, "web", 8080, 12);
	json_t *why = api_refused(&api, "DELETE /v1/mappings/1", NULL, "of-config");

	cr_expect(strstr(text_of(why, "detail"),
			 "\"web\" is declared at /etc/natd/natd.conf:12."),
		  "%s", text_of(why, "detail"));
	json_decref(why);
}

Test(refusals, one_of_several_that_fit_is_asked_for)
{
	json_decref(api_json(
		&api, "POST /v1/mappings",
		"[{\"protocol\":\"tcp\",\"external\":{\"port\":443},\"internal\":{"
		"\"address\":\"192.168.1.10\"}},{\"protocol\":\"tcp\",\"external\":"
		"{\"port\":443},\"internal\":{\"address\":\"2001:db8::1\"}}]",
		201));
	json_t *why =
		api_refused(&api, "POST /v1/mappings",
			    "{\"action\":\"remove\",\"protocol\":\"tcp\",\"external\":{"
			    "\"port\":443}}",
			    "ambiguous");

	cr_expect_eq(json_array_size(json_object_get(why, "holders")), 2);
	cr_expect_eq(table_size(api.gw->table), 2);
	json_decref(why);
}

Test(refusals, a_full_table_takes_no_more)
{
	static const uint8_t seed[16] = { 7 };

	table_free(api.gw->table);
	api.gw->table = table_new(1, seed);
	json_t *why = api_refused(&api, "POST /v1/mappings", API_DNS, "table-full");

	cr_expect_eq(table_size(api.gw->table), 0);
	json_decref(why);
}
