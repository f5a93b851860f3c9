/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Who may what by the API, where the configuration has an access block. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "tests/unit/natd/api_fixture.h"

#define KID   1000
#define OTHER 1001

static struct api api;

static const struct access_rule rules[] = {
	{ .id = KID,
	  .grant = { .rule = "user 1000 (natd.conf:12)",
		     .map = { { 80, 80 }, { 1024, 65535 } },
		     .n_map = 2,
		     .quota = 2,
		     .max_lifetime = 86400 } },
	{ .id = OTHER,
	  .grant = { .rule = "user 1001 (natd.conf:15)",
		     .map = { { 1, 65535 } },
		     .n_map = 1,
		     .quota = GRANT_UNLIMITED,
		     .max_lifetime = GRANT_UNLIMITED } },
};

static void become(uid_t uid)
{
	fake_credentials.uid = uid;
	fake_credentials.member = false;
}

static void start(void)
{
	become(KID);
	api_start(&api);
	api.gw->config.access = (struct access){ .given = true };
	memcpy(api.gw->config.access.rules, rules, sizeof(rules));
	api.gw->config.access.n = ARRAY_SIZE(rules);
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(rights, .init = start, .fini = stop, .timeout = 60);

static const char *addition(const char *port, const char *more)
{
	static char body[256];

	snprintf(body, sizeof(body),
		 "{\"protocol\":\"tcp\",\"external\":{\"port\":%s},\"internal\":{"
		 "\"address\":\"192.168.1.10\",\"port\":2222}%s}",
		 port, more);
	return body;
}

static void expect_denied(const char *request, const char *body, const char *says)
{
	json_t *why = api_refused(&api, request, body, "not-permitted");

	cr_expect_not_null(strstr(text_of(why, "detail"), says), "%s: %s", says,
			   text_of(why, "detail"));
	json_decref(why);
}

Test(rights, what_a_rule_grants_is_done_and_belongs_to_who_asked)
{
	json_t *answer = api_json(&api, "POST /v1/mappings",
				  addition("8080", ",\"lease\":60"), 201);

	cr_expect_str_eq(text_of(first_of(answer, "mappings"), "owner"), "uid:1000");
	json_decref(answer);
	json_decref(api_json(&api, "PATCH /v1/mappings/1", "{\"enabled\":false}", 200));
	json_decref(api_json(&api, "DELETE /v1/mappings/1", NULL, 200));
}

Test(rights, what_no_rule_grants_is_refused_by_the_rule)
{
	static const struct {
		const char *port, *more, *says;
	} cases[] = {
		{ "443", ",\"lease\":60", "user 1000 (natd.conf:12)" },
		{ "80", ",\"lease\":60", "below 1024" },
		{ "8080", "", "leases of at most 1d" },
		{ "8080", ",\"lease\":86401", "leases of at most 1d" },
		{ "9999", ",\"lease\":60,\"force\":true", "programs of this machine" },
	};
	struct listener listener = { .protocol = IPPROTO_TCP };

	cr_assert_eq(endpoint_parse("0.0.0.0:9999", &listener.local), 0);
	api.gw->at.listeners = (struct listener_list){ &listener, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_denied("POST /v1/mappings", addition(cases[i].port, cases[i].more),
			      cases[i].says);
	cr_expect_eq(table_size(api.gw->table), 0);
}

Test(rights, no_more_than_the_quota)
{
	for (int i = 0; i < 2; i++)
		json_decref(api_json(&api, "POST /v1/mappings",
				     addition("0", i ? ",\"lease\":60,\"name\":\"b\""
						     : ",\"lease\":60,\"name\":\"a\""),
				     201));
	expect_denied("POST /v1/mappings", addition("9000", ",\"lease\":60"),
		      "2 mappings at a time");
	json_decref(api_json(&api, "DELETE /v1/mappings/1", NULL, 200));
}

Test(rights, others_mappings_are_seen_and_not_touched)
{
	become(OTHER);
	json_decref(api_json(&api, "POST /v1/mappings", addition("8080", ""), 201));
	become(KID);
	json_decref(api_json(&api, "GET /v1/mappings/1", NULL, 200));
	expect_denied("DELETE /v1/mappings/1", NULL, "belongs to uid:1001");
	expect_denied("PATCH /v1/mappings/1", "{\"enabled\":false}",
		      "belongs to uid:1001");
	cr_expect_eq(table_size(api.gw->table), 1);
	become(0);
	json_decref(api_json(&api, "PATCH /v1/mappings/1", "{\"enabled\":false}", 200));
	json_decref(api_json(&api, "DELETE /v1/mappings/1", NULL, 200));
}

Test(rights, a_flush_removes_what_is_ones_own)
{
	fake_gateway_declare(api.gw, "declared", 100, 7);
	become(OTHER);
	json_decref(api_json(&api, "POST /v1/mappings", addition("8080", ""), 201));
	json_decref(api_json(&api, "POST /v1/mappings", addition("8081", ""), 201));
	become(KID);
	json_decref(api_json(&api, "POST /v1/mappings", addition("8082", ",\"lease\":60"),
			     201));
	for (int all = 0; all < 2; all++) {
		json_decref(api_json(&api, "POST /v1/flush",
				     all ? "{\"all\":true}" : NULL, 200));
		cr_expect_eq(table_size(api.gw->table), 3);
	}
	become(0);
	json_decref(api_json(&api, "POST /v1/flush", NULL, 200));
	cr_expect_eq(table_size(api.gw->table), 1);
	json_decref(api_json(&api, "POST /v1/flush", "{\"all\":true}", 200));
	cr_expect_eq(table_size(api.gw->table), 0);
}

Test(rights, natd_as_a_whole_is_for_those_who_may_do_all)
{
	expect_denied("POST /v1/resync", NULL,
		      "uid 1000 may look and change mappings, but may not do that");
	expect_denied("POST /v1/reload", NULL,
		      "uid 1000 may look and change mappings, but may not do that");
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	become(0);
	json_decref(api_json(&api, "POST /v1/resync", NULL, 200));
	json_decref(api_json(&api, "POST /v1/reload", NULL, 200));
}

Test(rights, who_may_look_looks_alone)
{
	static const char *const looks[] = { "GET /v1/mappings", "GET /v1/status",
					     "GET /v1/connections" };
	static const char *const others[] = { "POST /v1/flush", "POST /v1/resync",
					      "DELETE /v1/mappings/1",
					      "DELETE /v1/connections" };

	become(2000);
	expect_denied(looks[0], NULL, "uid 2000 may not talk to natd");
	api.gw->config.access.look = true;
	fake_gateway_fill(api.gw, 1);
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		json_decref(api_json(&api, looks[i], NULL, 200));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		expect_denied(others[i], NULL, "may look, but may not do that");
	expect_denied("POST /v1/mappings", addition("8080", ""), "may look, but may not");
	expect_denied("PATCH /v1/mappings/1", "{\"name\":null}", "may look, but may not");
	cr_expect_eq(table_size(api.gw->table), 1);
}
