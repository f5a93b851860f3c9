/* SPDX-License-Identifier: GPL-2.0-or-later */

/* HTTP as clients speak it, well and badly. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "natd/api/server_private.h"
#include "tests/unit/natd/api_fixture.h"

static struct api api;

static void start(void)
{
	api_start(&api);
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(http, .init = start, .fini = stop, .timeout = 60);

#define GET "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"

_Static_assert(sizeof(API_WEB) - 1 == 104, "the requests below announce it");

static void expect_status(struct conn *conn, int status)
{
	struct reply reply;

	conn_reply(conn, false, &reply);
	cr_expect_eq(reply.status, status, "%d instead of %d: %s", reply.status, status,
		     reply.body);
	reply_done(&reply);
}

Test(http, one_connection_serves_many_requests)
{
	struct conn conn;

	conn_open(&api, &conn);
	for (int i = 0; i < 50; i++) {
		conn_request(&conn, "POST /v1/mappings", NULL, API_WEB);
		expect_status(&conn, i ? 200 : 201);
		conn_request(&conn, "GET /v1/mappings", NULL, NULL);
		expect_status(&conn, 200);
		conn_request(&conn, "GET /v1/nothing", NULL, NULL);
		expect_status(&conn, 404);
		conn_request(&conn, "POST /v1/nothing", NULL, "{\"a\":1}");
		expect_status(&conn, 404);
	}
	conn_close(&conn);
}

Test(http, requests_that_come_together_are_answered_in_their_order)
{
	struct conn conn;

	conn_open(&api, &conn);
	conn_say(&conn,
		 GET "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n\r\n"
		     "{\"action\":\"remove\",\"id\":99}" GET
		     "PUT /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" GET);
	expect_status(&conn, 200);
	expect_status(&conn, 404);
	expect_status(&conn, 200);
	expect_status(&conn, 405);
	expect_status(&conn, 200);
	conn_close(&conn);
}

/* One of a client in each turn of the loop. */
Test(http, who_sends_many_requests_at_once_holds_up_nobody)
{
	struct conn flood, other;
	struct reply reply;
	int before = 0;

	conn_open(&api, &flood);
	for (int i = 0; i < 200; i++)
		conn_say(&flood, GET);
	conn_open(&api, &other);
	conn_say(&other, GET);
	conn_reply(&other, false, &reply);
	cr_expect_eq(reply.status, 200);
	reply_done(&reply);
	for (char buf[512]; recv(flood.fd, buf, sizeof(buf), MSG_PEEK) > 0; before++)
		expect_status(&flood, 200);
	cr_expect_lt(before, 100, "%d of the flood came first", before);
	for (; before < 200; before++)
		expect_status(&flood, 200);
	conn_close(&flood);
	conn_close(&other);
}

Test(http, a_request_may_come_byte_by_byte)
{
	const char *request =
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: 104\r\n\r\n" API_WEB;
	struct conn conn;

	conn_open(&api, &conn);
	for (const char *at = request; *at; at++) {
		conn_send(&conn, at, 1);
		while (sd_event_run(api.event, 0) > 0)
			;
	}
	expect_status(&conn, 201);
	conn_close(&conn);
	cr_expect_eq(table_size(api.gw->table), 1);
}

Test(http, a_body_may_come_in_chunks)
{
	struct conn conn;
	char chunk[16];

	conn_open(&api, &conn);
	conn_say(&conn, "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
			"chunked\r\n\r\n");
	for (const char *at = API_WEB; *at; at++) {
		snprintf(chunk, sizeof(chunk), "1\r\n%c\r\n", *at);
		conn_say(&conn, chunk);
	}
	conn_say(&conn, "0\r\n\r\n");
	expect_status(&conn, 201);
	conn_request(&conn, "GET /v1/status", NULL, NULL);
	expect_status(&conn, 200);
	conn_close(&conn);
}

Test(http, a_client_that_waits_for_100_gets_it_or_the_refusal)
{
	struct conn conn;

	conn_open(&api, &conn);
	conn_say(&conn,
		 "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		 "Content-Length: 104\r\n\r\n");
	expect_status(&conn, 100);
	conn_say(&conn, API_WEB);
	expect_status(&conn, 201);
	conn_say(&conn, "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
			"Content-Length: 104\r\n\r\n");
	expect_status(&conn, 404);
	conn_close(&conn);
}

Test(http, a_body_announced_too_large_is_refused_before_it_comes)
{
	struct conn conn;

	conn_open(&api, &conn);
	conn_say(&conn, "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: "
			"1000000000\r\n\r\n");
	expect_status(&conn, 413);
	cr_expect(conn_is_closed(&conn));
	conn_close(&conn);
}

Test(http, a_client_that_has_said_all_is_still_answered)
{
	struct conn conn;

	conn_open(&api, &conn);
	conn_request(&conn, "POST /v1/mappings", NULL, API_WEB);
	shutdown(conn.fd, SHUT_WR);
	expect_status(&conn, 201);
	conn_close(&conn);
}

Test(http, head_is_get_without_the_body)
{
	static const char *const paths[] = { "HEAD /v1/status", "HEAD /v1/mappings",
					     "HEAD /v1/mappings/1" };
	struct conn conn;
	struct reply reply;

	fake_gateway_fill(api.gw, 10);
	conn_open(&api, &conn);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		conn_request(&conn, paths[i], NULL, NULL);
		conn_reply(&conn, true, &reply);
		cr_expect_eq(reply.status, 200);
		reply_done(&reply);
	}
	conn_request(&conn, "GET /v1/status", NULL, NULL);
	expect_status(&conn, 200);
	conn_close(&conn);
}

Test(http, head_of_a_long_list_sends_no_body_either)
{
	struct conn conn;
	struct reply reply;

	fake_gateway_fill(api.gw, 1000);
	conn_open(&api, &conn);
	conn_request(&conn, "HEAD /v1/mappings", NULL, NULL);
	conn_reply(&conn, true, &reply);
	cr_expect_eq(reply.status, 200);
	cr_expect(conn_is_closed(&conn));
	cr_expect_eq(conn.n, 0, "%zu bytes came after the head", conn.n);
	reply_done(&reply);
	conn_close(&conn);
}

Test(http, http_1_0_ends_with_the_connection)
{
	struct conn conn;
	size_t len;

	fake_gateway_fill(api.gw, 1000);
	conn_open(&api, &conn);
	conn_say(&conn, "GET /v1/mappings HTTP/1.0\r\n\r\n");
	cr_expect(conn_is_closed(&conn));
	len = conn.n;
	cr_assert_gt(len, 100000);
	cr_expect_eq(conn.in[len - 1], ']');
	cr_expect_null(strcasestr(conn.in, "chunked"));
	conn_close(&conn);
}

Test(http, a_request_that_takes_no_body_refuses_one)
{
	static const char *const requests[] = { "GET /v1/status", "GET /v1/mappings",
						"DELETE /v1/mappings/1" };

	fake_gateway_fill(api.gw, 1);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		json_decref(api_refused(&api, requests[i], "{}", "bad-request"));
	cr_expect_eq(table_size(api.gw->table), 1);
}

Test(http, garbage_ends_the_connection_and_harms_nobody)
{
	static const char *const garbage[] = {
		"\x16\x03\x01\x02\x01\xfc\x03\x03\r\n\r\n",
		"GET\r\n\r\n",
		"GET /v1/status\r\n\r\n",
		"GET /v1/status HTTP/9.9\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\nno colon here\r\n\r\n",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: minus\r\n\r\n",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: "
		"99999999999999999999999\r\n\r\n",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
		"chunked\r\n\r\nzz\r\n",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
		"chunked\r\n\r\nffffffffffffffffff\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		struct conn conn;

		conn_open(&api, &conn);
		conn_try_send(&conn, garbage[i], strlen(garbage[i]));
		shutdown(conn.fd, SHUT_WR);
		cr_expect(conn_is_closed(&conn), "%zu", i);
		cr_expect(conn.n == 0 || strstr(conn.in, " 4") || strstr(conn.in, " 50"),
			  "%zu: %.60s", i, conn.in);
		conn_close(&conn);
	}
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	cr_expect_eq(api.gw->n_submitted, 0);
}

Test(http, a_head_that_is_too_large_is_refused)
{
	static const struct {
		size_t len;
		int status;
	} cases[] = { { 15000, 200 }, { 17000, 413 }, { 200000, 431 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *value = malloc(cases[i].len + 1);
		struct conn conn;

		memset(value, 'a', cases[i].len);
		value[cases[i].len] = 0;
		conn_open(&api, &conn);
		conn_say(&conn, "GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Long: ");
		conn_try_send(&conn, value, cases[i].len);
		conn_try_send(&conn, "\r\n\r\n", 4);
		expect_status(&conn, cases[i].status);
		conn_close(&conn);
		free(value);
	}
}

Test(http, a_path_that_is_too_long_is_refused)
{
	char *path = malloc(100001);
	struct conn conn;

	memset(path, 'a', 100000);
	path[100000] = 0;
	conn_open(&api, &conn);
	conn_say(&conn, "GET /");
	conn_try_send(&conn, path, 100000);
	conn_try_send(&conn, " HTTP/1.1\r\n\r\n", 13);
	expect_status(&conn, 414);
	conn_close(&conn);
	free(path);
}

Test(http, who_hangs_up_in_the_middle_of_a_request_changes_nothing)
{
	static const char *const halves[] = {
		"\r\n\r\n\r\n",
		"P",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Le",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: 104\r\n\r\n",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: 105\r\n\r\n" API_WEB,
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
		"Content-Length: 200\r\n\r\n" API_WEB "\n{\"act",
	};

	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		struct conn conn;

		conn_open(&api, &conn);
		conn_say(&conn, halves[i]);
		api_settle(&api);
		conn_close(&conn);
		api_settle(&api);
	}
	cr_expect_eq(api.gw->n_submitted, 0);
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
}

Test(http, a_body_longer_than_announced_is_the_next_requests_garbage)
{
	struct conn conn;

	conn_open(&api, &conn);
	conn_say(
		&conn,
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: 104\r\n\r\n" API_WEB
		"trailing\r\n\r\n");
	expect_status(&conn, 201);
	cr_expect(conn_is_closed(&conn));
	conn_close(&conn);
	cr_expect_eq(table_size(api.gw->table), 1);
}

Test(http, a_body_shorter_than_announced_is_waited_for)
{
	struct conn conn;

	conn_open(&api, &conn);
	conn_say(&conn,
		 "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: 104\r\n\r\n{");
	api_settle(&api);
	cr_expect_eq(api.gw->n_submitted, 0);
	conn_say(&conn, &API_WEB[1]);
	expect_status(&conn, 201);
	conn_close(&conn);
}

/* A request with some bytes changed, the same ones in each run. */
Test(http, broken_requests_harm_nobody)
{
	static const char whole[] =
		"POST /v1/mappings?name=web HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n68\r\n" API_WEB "\r\n0\r\n\r\n" GET
		"DELETE /v1/mappings/1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}" GET;
	unsigned int seed = 1;

	for (int i = 0; i < 500; i++) {
		char broken[sizeof(whole)];
		struct conn conn;

		memcpy(broken, whole, sizeof(whole));
		for (int n = rand_r(&seed) % 4; n >= 0; n--)
			broken[(size_t)rand_r(&seed) % sizeof(whole)] =
				(char)rand_r(&seed);
		conn_open(&api, &conn);
		conn_try_send(&conn, broken, sizeof(whole));
		while (sd_event_run(api.event, 0) > 0)
			;
		conn_close(&conn);
	}
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	api_settle(&api);
	cr_expect_eq(api.server->n_clients, 0);
	cr_expect_eq(api.server->bodies, 0);
	cr_expect(LIST_EMPTY(&api.server->requests));
}
