/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Built with a limit of one second. */

#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "natd/api/server_private.h"
#include "tests/unit/natd/api_fixture.h"

#define CHAIN "\"chain\":\"ip a b (hook forward, policy drop)\",\"state\":\"gone\""

static struct api api;

static void start(void)
{
	api_start(&api);
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(idle, .init = start, .fini = stop, .timeout = 60);

Test(idle, who_says_nothing_is_hung_up_on)
{
	static const char *const beginnings[] = {
		"",
		"GET /v1/sta",
		"POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
	};

	for (int i = 0; i < 3; i++) {
		struct conn conn;

		conn_open(&api, &conn);
		conn_say(&conn, beginnings[i]);
		cr_expect(conn_is_closed(&conn));
		conn_close(&conn);
	}
	api_settle(&api);
	cr_expect_eq(api.server->n_clients, 0);
}

/* A byte every 300 ms, and the limit for the whole is two seconds. */
Test(idle, whose_request_drips_is_hung_up_on)
{
	struct conn conn;
	int n = 0;

	conn_open(&api, &conn);
	while (conn_try_send(&conn, "G", 1)) {
		cr_assert_lt(n++, 20, "it still listens");
		for (int i = 0; i < 3; i++)
			api_turn(&api, 100);
	}
	cr_expect_gt(n, 4, "%d bytes", n);
	cr_expect(conn_is_closed(&conn));
	conn_close(&conn);
	api_settle(&api);
	cr_expect_eq(api.server->n_clients, 0);
}

Test(idle, who_does_not_read_is_hung_up_on)
{
	struct conn conn;

	fake_gateway_fill(api.gw, 20000);
	conn_open(&api, &conn);
	conn_request(&conn, "GET /v1/mappings", NULL, NULL);
	api_settle(&api);
	cr_assert_eq(api.server->n_clients, 1);
	while (api.server->n_clients)
		api_turn(&api, 100);
	conn_close(&conn);
}

Test(idle, who_waits_for_an_answer_is_not_idle)
{
	struct conn conn;
	struct reply reply;
	uint64_t start_usec, now;

	api.gw->on_demand = true;
	conn_open(&api, &conn);
	conn_request(&conn, "POST /v1/mappings", NULL,
		     "{\"action\":\"remove\",\"id\":1}");
	sd_event_now(api.event, CLOCK_MONOTONIC, &start_usec);
	do {
		api_turn(&api, 100);
		sd_event_now(api.event, CLOCK_MONOTONIC, &now);
	} while (now - start_usec < 2500000);
	engine_turn(&api.gw->engine);
	conn_reply(&conn, false, &reply);
	cr_expect_eq(reply.status, 404);
	reply_done(&reply);
	conn_close(&conn);
}

static void pass_time(uint64_t usec)
{
	uint64_t begin, now;

	sd_event_now(api.event, CLOCK_MONOTONIC, &begin);
	do {
		api_turn(&api, 100);
		sd_event_now(api.event, CLOCK_MONOTONIC, &now);
	} while (now - begin < usec);
}

Test(idle, who_waits_for_events_is_not_idle)
{
	struct conn conn;
	struct reply reply;

	conn_open(&api, &conn);
	conn_request(&conn, "GET /v1/events", NULL, NULL);
	conn_reply(&conn, true, &reply);
	reply_done(&reply);
	pass_time(2500000);
	cr_expect_eq(api.server->n_feeds, 1);
	events_put(api.gw->events, EVENT_FOREIGN_DROP, CHAIN, strlen(CHAIN));
	api_settle(&api);
	cr_expect_eq(api.server->n_feeds, 1);
	conn_close(&conn);
	api_settle(&api);
	cr_expect_eq(api.server->n_feeds, 0);
}

Test(idle, who_does_not_take_its_events_is_hung_up_on)
{
	struct conn conn;

	conn_open(&api, &conn);
	conn_request(&conn, "GET /v1/events", NULL, NULL);
	api_settle(&api);
	cr_assert_eq(api.server->n_feeds, 1);
	for (int i = 0; i < 100 * EVENTS_MAX; i++)
		events_put(api.gw->events, EVENT_FOREIGN_DROP, CHAIN, strlen(CHAIN));
	while (api.server->n_clients)
		api_turn(&api, 100);
	cr_expect_eq(api.server->n_feeds, 0);
	conn_close(&conn);
}
