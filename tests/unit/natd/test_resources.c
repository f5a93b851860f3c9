/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What each resource answers, as docs/api.md says. */

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

TestSuite(resources, .init = start, .fini = stop, .timeout = 60);

Test(resources, an_empty_list_is_an_empty_array)
{
	json_t *list = api_json(&api, "GET /v1/mappings", NULL, 200);

	cr_assert(json_is_array(list));
	cr_assert_eq(json_array_size(list), 0);
	json_decref(list);
}

Test(resources, what_was_added_is_listed_as_asked_by_whom_and_when)
{
	json_t *answer = api_json(&api, "POST /v1/mappings", API_WEB, 201);
	json_t *list = api_json(&api, "GET /v1/mappings", NULL, 200);
	json_t *m = json_array_get(list, 0);
	uint64_t created, now = (uint64_t)time(NULL);

	cr_expect_str_eq(text_of(answer, "verdict"), "added");
	cr_expect_eq(number_of(answer, "ended"), 0);
	cr_expect_eq(number_of(first_of(answer, "mappings"), "id"), 1);
	cr_expect_null(json_object_get(first_of(answer, "mappings"), "connections"));
	cr_assert_eq(json_array_size(list), 1);
	cr_expect_str_eq(text_of(m, "name"), "web");
	cr_expect_str_eq(text_of(m, "origin"), "admin");
	cr_expect_str_eq(text_of(m, "owner"), "uid:1000");
	cr_expect_eq(number_of(m, "connections"), 2);
	cr_expect(json_is_true(json_object_get(m, "enabled")));
	cr_assert_eq(api_time_parse(text_of(m, "created"), &created), 0);
	cr_expect(created <= now && created + 60 > now);
	json_decref(answer);
	json_decref(list);
}

Test(resources, live_fields_are_the_counts_and_null_where_nobody_knows)
{
	json_t *m, *list;

	api.gw->blocked_by = "ip filter FORWARD (hook forward, policy drop)";
	fake_gateway_fill(api.gw, 2);
	list = api_json(&api, "GET /v1/mappings", NULL, 200);
	m = json_array_get(list, 0);
	cr_expect(json_is_null(json_object_get(m, "connections_total")));
	cr_expect_str_eq(json_string_value(first_of(m, "blocked_by")),
			 api.gw->blocked_by);
	m = json_array_get(list, 1);
	cr_expect_eq(number_of(m, "connections"), 4);
	cr_expect_eq(number_of(m, "connections_total"), 41);
	json_decref(list);
}

Test(resources, asking_again_is_200_and_unchanged)
{
	json_decref(api_json(&api, "POST /v1/mappings", API_WEB, 201));
	json_t *answer = api_json(&api, "POST /v1/mappings", API_WEB, 200);

	cr_expect_str_eq(text_of(answer, "verdict"), "unchanged");
	cr_expect_eq(number_of(first_of(answer, "mappings"), "id"), 1);
	json_decref(answer);
}

Test(resources, both_protocols_are_one_answer_with_two_mappings)
{
	api.gw->ended = 3;
	json_t *answer = api_json(&api, "POST /v1/mappings", API_DNS, 201);

	cr_expect_eq(json_array_size(json_object_get(answer, "mappings")), 2);
	cr_expect_eq(number_of(answer, "ended"), 3);
	json_decref(answer);
}

Test(resources, one_of_two_protocols_missing_is_added)
{
	json_decref(
		api_json(&api, "POST /v1/mappings",
			 "{\"protocol\":\"udp\",\"external\":{\"port\":53},\"internal\":"
			 "{\"address\":\"192.168.1.11\"}}",
			 201));
	json_t *answer = api_json(&api, "POST /v1/mappings", API_DNS, 201);

	cr_expect_str_eq(text_of(answer, "verdict"), "added");
	cr_expect_eq(json_array_size(json_object_get(answer, "mappings")), 2);
	json_decref(answer);
}

Test(resources, a_list_is_answered_in_its_order)
{
	api.gw->ended = 4;
	json_t *answer = api_json(&api, "POST /v1/mappings",
				  "[" API_WEB "," API_DNS
				  ",{\"action\":\"remove\",\"name\":\"web\"}]",
				  201);
	json_t *results = json_object_get(answer, "results");

	cr_assert_eq(json_array_size(results), 3);
	cr_expect_str_eq(text_of(json_array_get(results, 0), "verdict"), "added");
	cr_expect_eq(number_of(json_array_get(results, 0), "ended"), 4);
	cr_expect_eq(
		json_array_size(json_object_get(json_array_get(results, 1), "mappings")),
		2);
	cr_expect_str_eq(text_of(json_array_get(results, 2), "verdict"), "removed");
	cr_expect_eq(number_of(answer, "ended"), 4);
	json_decref(answer);
}

static bool is_pending(json_t *answer)
{
	return json_is_true(json_object_get(answer, "pending"));
}

Test(resources, it_is_said_where_connections_could_not_be_ended)
{
	json_t *answer = api_json(&api, "POST /v1/mappings", API_WEB, 201);

	cr_expect_null(json_object_get(answer, "pending"));
	json_decref(answer);
	api.gw->pending = true;
	answer = api_json(&api, "POST /v1/mappings", API_DNS, 201);
	cr_expect(is_pending(answer));
	json_decref(answer);
	answer = api_json(&api, "POST /v1/flush", "", 200);
	cr_expect(is_pending(answer));
	cr_expect_null(json_object_get(first_of(answer, "results"), "pending"));
	json_decref(answer);
}

Test(resources, an_empty_list_of_changes_is_done_at_once)
{
	json_t *answer = api_json(&api, "POST /v1/mappings", "[]", 200);

	cr_expect_eq(json_array_size(json_object_get(answer, "results")), 0);
	cr_expect(json_is_array(json_object_get(answer, "results")));
	cr_expect_eq(number_of(answer, "ended"), 0);
	json_decref(answer);
}

Test(resources, a_list_of_one_is_a_list)
{
	json_t *answer = api_json(&api, "POST /v1/mappings", "[" API_WEB "]", 201);

	cr_expect_eq(json_array_size(json_object_get(answer, "results")), 1);
	json_decref(answer);
}

Test(resources, one_mapping_is_got_and_deleted_by_its_id)
{
	json_decref(api_json(&api, "POST /v1/mappings", API_WEB, 201));
	json_t *m = api_json(&api, "GET /v1/mappings/1", NULL, 200);
	json_t *gone = api_json(&api, "DELETE /v1/mappings/1", NULL, 200);

	cr_expect_eq(number_of(m, "id"), 1);
	cr_expect_eq(number_of(m, "connections"), 2);
	cr_expect_str_eq(text_of(gone, "verdict"), "removed");
	json_decref(api_refused(&api, "GET /v1/mappings/1", NULL, "not-found"));
	json_decref(api_refused(&api, "DELETE /v1/mappings/1", NULL, "not-found"));
	json_decref(m);
	json_decref(gone);
}

Test(resources, filters_take_what_fits)
{
	static const struct {
		const char *query;
		size_t n;
	} cases[] = {
		{ "", 4 },
		{ "?name=web", 1 },
		{ "?name=none", 0 },
		{ "?protocol=udp", 1 },
		{ "?port=53", 2 },
		{ "?port=53&protocol=udp", 1 },
		{ "?to=192.168.1.11", 2 },
		{ "?to=192.168.1.11:53", 2 },
		{ "?to=192.168.1.10:81", 0 },
		{ "?to=%5B2001:db8::1%5D:443", 1 },
		{ "?to=2001:db8::1", 1 },
		{ "?name=web&port=53", 0 },
	};

	json_decref(api_json(&api, "POST /v1/mappings",
			     "[" API_WEB "," API_DNS
			     ",{\"protocol\":\"tcp\",\"external\":{\"port\":"
			     "443},\"internal\":{\"address\":\"2001:db8::1\"}}]",
			     201));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(api_count(&api, cases[i].query), cases[i].n, "%s",
			     cases[i].query);
}

Test(resources, status_is_the_gateways)
{
	json_t *status = api_json(&api, "GET /v1/status", NULL, 200);

	cr_expect_eq(number_of(status, "mappings"), 0);
	json_decref(status);
}

Test(resources, resync_tells_what_differed)
{
	static const struct problem fault = { .verdict = VERDICT_FAULT,
					      .index = -1,
					      .detail = "The kernel refused: x (y)." };

	api.gw->report =
		(struct ruleset_report){ .rewritten = true, .added = 3, .other = 2 };
	json_t *report = api_json(&api, "POST /v1/resync", NULL, 200);

	cr_expect(json_is_false(json_object_get(report, "created")));
	cr_expect(json_is_false(json_object_get(report, "replaced")));
	cr_expect(json_is_true(json_object_get(report, "rewritten")));
	cr_expect_eq(number_of(report, "added"), 3);
	cr_expect_eq(number_of(report, "removed"), 0);
	cr_expect_eq(number_of(report, "other"), 2);
	json_decref(report);
	api.gw->resync_problem = &fault;
	report = api_refused(&api, "POST /v1/resync", "{}", "fault");
	cr_expect_str_eq(text_of(report, "detail"), fault.detail);
	json_decref(report);
	json_decref(api_refused(&api, "POST /v1/resync", "{\"x\":1}", "bad-request"));
	json_decref(api_refused(&api, "POST /v1/resync", "[]", "bad-request"));
	json_decref(api_refused(&api, "POST /v1/resync", "{", "bad-request"));
}

Test(resources, reload_answers_now_or_later)
{
	static const struct problem flaw = {
		.verdict = VERDICT_BAD_CONFIG,
		.index = -1,
		.detail = "/etc/natd/natd.conf:3: what is this?"
	};

	for (int later = 0; later < 2; later++) {
		api.gw->reload_later = later;
		api.gw->reload_problem = NULL;
		json_t *done = api_json(&api, "POST /v1/reload", NULL, 200);

		cr_expect_eq(number_of(done, "added"), 2);
		cr_expect_eq(number_of(done, "removed"), 1);
		json_decref(done);
		api.gw->reload_problem = &flaw;
		done = api_refused(&api, "POST /v1/reload", "{}", "bad-config");
		cr_expect_str_eq(text_of(done, "detail"), flaw.detail);
		json_decref(done);
	}
}

Test(resources, flush_leaves_the_files_unless_told)
{
	fake_gateway_declare(api.gw, "web", 8080, 12);
	json_decref(api_json(&api, "POST /v1/mappings", API_DNS, 201));
	json_t *done = api_json(&api, "POST /v1/flush", NULL, 200);

	cr_expect_eq(json_array_size(json_object_get(done, "results")), 2);
	cr_expect_str_eq(text_of(first_of(done, "results"), "verdict"), "removed");
	cr_expect_eq(table_size(api.gw->table), 1);
	json_decref(done);
	json_decref(api_json(&api, "POST /v1/flush", "{\"all\":false}", 200));
	cr_expect_eq(table_size(api.gw->table), 1);
	json_decref(api_json(&api, "POST /v1/flush", "{\"all\":true}", 200));
	cr_expect_eq(table_size(api.gw->table), 0);
}
