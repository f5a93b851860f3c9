/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Answers that come later, and clients and servers that are gone by then. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
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

TestSuite(waiting, .init = start, .fini = stop, .timeout = 60);

#define GET "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"

static void expect_status(struct conn *conn, int status)
{
	struct reply reply;

	conn_reply(conn, false, &reply);
	cr_expect_eq(reply.status, status, "%d instead of %d: %s", reply.status, status,
		     reply.body);
	reply_done(&reply);
}

static void ask_and_wait(struct conn *conn)
{
	conn_open(&api, conn);
	conn_request(conn, "POST /v1/mappings", NULL, API_WEB);
	api_settle(&api);
	cr_assert_eq(api.gw->engine.n_waiting, 1);
}

Test(waiting, an_answer_may_take_its_time)
{
	struct conn conn, other;

	api.gw->on_demand = true;
	ask_and_wait(&conn);
	conn_open(&api, &other);
	conn_request(&other, "GET /v1/status", NULL, NULL);
	expect_status(&other, 200);
	engine_turn(&api.gw->engine);
	expect_status(&conn, 201);
	conn_request(&conn, "GET /v1/status", NULL, NULL);
	expect_status(&conn, 200);
	conn_close(&conn);
	conn_close(&other);
}

Test(waiting, the_next_request_waits_for_the_answer_of_the_one_before)
{
	struct conn conn;

	api.gw->on_demand = true;
	conn_open(&api, &conn);
	conn_request(&conn, "POST /v1/mappings", NULL, API_WEB);
	conn_say(&conn, GET);
	api_settle(&api);
	engine_turn(&api.gw->engine);
	expect_status(&conn, 201);
	expect_status(&conn, 200);
	conn_close(&conn);
}

Test(waiting, a_client_gone_while_it_waited_is_no_harm)
{
	struct conn conn;

	api.gw->on_demand = true;
	ask_and_wait(&conn);
	conn_close(&conn);
	api_settle(&api);
	engine_turn(&api.gw->engine);
	api_settle(&api);
	cr_expect_eq(table_size(api.gw->table), 1, "it was asked for, so it is done");
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
}

Test(waiting, a_server_that_ends_while_clients_wait_hangs_up)
{
	struct conn conn[2];

	api.gw->on_demand = true;
	ask_and_wait(&conn[0]);
	conn_open(&api, &conn[1]);
	conn_request(&conn[1], "POST /v1/mappings", "application/x-ndjson", API_WEB);
	api_settle(&api);
	cr_assert_eq(api.gw->engine.n_waiting, 2);
	server_free(api.server);
	api.server = NULL;
	/* the callbacks come after the server is gone */
	engine_turn(&api.gw->engine);
	for (size_t i = 0; i < ARRAY_SIZE(conn); i++) {
		cr_expect(conn_is_closed(&conn[i]));
		cr_expect_eq(conn[i].n, 0);
		conn_close(&conn[i]);
	}
}

Test(waiting, a_reload_answered_after_the_server_is_gone_is_no_harm)
{
	static const struct problem flaw = { .verdict = VERDICT_BAD_CONFIG,
					     .detail = "x" };
	struct conn conn;

	api.gw->reload_later = true;
	api.gw->on_demand = true;
	api.gw->reload_problem = &flaw;
	conn_open(&api, &conn);
	conn_request(&conn, "POST /v1/reload", NULL, NULL);
	api_settle(&api);
	server_free(api.server);
	api.server = NULL;
	engine_turn(&api.gw->engine);
	conn_close(&conn);
}

Test(waiting, refusals_reach_nobody_when_the_server_is_gone)
{
	struct conn conn;

	fake_gateway_declare(api.gw, "web", 8080, 12);
	api.gw->on_demand = true;
	conn_open(&api, &conn);
	conn_request(&conn, "DELETE /v1/mappings/1", NULL, NULL);
	api_settle(&api);
	server_free(api.server);
	api.server = NULL;
	engine_turn(&api.gw->engine);
	conn_close(&conn);
	cr_expect_eq(table_size(api.gw->table), 1);
}

Test(waiting, many_clients_are_served_together)
{
	struct conn conns[60];
	char body[160], length[160];

	api.gw->on_demand = true;
	for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
		conn_open(&api, &conns[i]);
		snprintf(
			body, sizeof(body),
			"{\"protocol\":\"tcp\",\"external\":{\"port\":%zu},\"internal\":{"
			"\"address\":\"192.168.1.10\"}}",
			i + 1);
		snprintf(
			length, sizeof(length),
			"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
			strlen(body));
		conn_say(&conns[i], length);
		conn_say(&conns[i], body);
	}
	api_settle(&api);
	cr_expect_eq(api.gw->engine.n_waiting, ARRAY_SIZE(conns));
	engine_turn(&api.gw->engine);
	for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
		expect_status(&conns[i], 201);
		conn_close(&conns[i]);
	}
	cr_expect_eq(table_size(api.gw->table), ARRAY_SIZE(conns));
}

/* One client reads a long list as fast as it comes; the other's change is not behind it.
 */
Test(waiting, a_long_list_keeps_nobody_waiting)
{
	struct conn reader, other;
	struct reply reply;
	size_t before;

	fake_gateway_fill(api.gw, 60000);
	conn_open(&api, &reader);
	conn_request(&reader, "GET /v1/mappings", NULL, NULL);
	reader.in = malloc(65536);
	for (before = 0; before < 100000; api_turn(&api, 0)) {
		ssize_t n = recv(reader.fd, reader.in, 65536, 0);

		before += n > 0 ? (size_t)n : 0;
	}
	conn_open(&api, &other);
	conn_request(&other, "DELETE /v1/mappings/60000", NULL, NULL);
	while (table_size(api.gw->table) == 60000) {
		ssize_t n = recv(reader.fd, reader.in, 65536, 0);

		before += n > 0 ? (size_t)n : 0;
		api_turn(&api, 0);
	}
	cr_expect_lt(before, 2000000, "%zu bytes of the list went first", before);
	conn_reply(&other, false, &reply);
	cr_expect_eq(reply.status, 200);
	reply_done(&reply);
	conn_close(&other);
	conn_close(&reader);
}
