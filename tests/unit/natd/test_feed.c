/* SPDX-License-Identifier: GPL-2.0-or-later */

/* GET /v1/events: a stream of any length, of clients of every manner. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "natd/api/server_private.h"
#include "tests/unit/natd/api_fixture.h"

static struct api api;

static void start(void)
{
	fake_credentials.uid = 0;
	api_start(&api);
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(feed, .init = start, .fini = stop, .timeout = 120);

#define CHAIN	 "\"chain\":\"ip a b (hook forward, policy drop)\",\"state\":\"gone\""
#define PATIENCE 2000 /* turns of at most 10 ms */

/** struct stream - a client's end: @raw as it came, @text without the chunks' frames */
struct stream {
	struct conn conn;
	char *raw, *text;
	size_t n_raw, n_text;
	bool whole; /* the last chunk has come */
};

static void feed_open(struct stream *f, const char *path)
{
	struct reply reply;
	char value[256], request[128];

	*f = (struct stream){ 0 };
	conn_open(&api, &f->conn);
	snprintf(request, sizeof(request), "GET %s", path);
	conn_request(&f->conn, request, NULL, NULL);
	conn_reply(&f->conn, true, &reply);
	cr_assert_eq(reply.status, 200, "%d", reply.status);
	cr_expect_str_eq(reply_header(&reply, "content-type", value),
			 "application/x-ndjson");
	cr_expect_str_eq(reply_header(&reply, "transfer-encoding", value), "chunked");
	reply_done(&reply);
	f->n_raw = f->conn.n;
	f->raw = malloc(f->n_raw + 1);
	memcpy(f->raw, f->conn.in, f->n_raw);
	f->text = strdup("");
}

static void feed_close(struct stream *f)
{
	conn_close(&f->conn);
	free(f->raw);
	free(f->text);
}

static void unpack(struct stream *f)
{
	char *end;
	size_t n;

	f->raw[f->n_raw] = 0;
	while (!f->whole && (end = strstr(f->raw, "\r\n"))) {
		n = strtoul(f->raw, NULL, 16);
		end += 2;
		if (f->n_raw < (size_t)(end - f->raw) + n + 2)
			return;
		f->text = realloc(f->text, f->n_text + n + 1);
		memcpy(f->text + f->n_text, end, n);
		f->n_text += n;
		f->text[f->n_text] = 0;
		f->whole = n == 0;
		f->n_raw -= (size_t)(end - f->raw) + n + 2;
		memmove(f->raw, end + n + 2, f->n_raw + 1);
	}
}

/* Return: has something come? @closed is set when the server has hung up. */
static bool take_in(struct stream *f, bool *closed)
{
	ssize_t n;

	f->raw = realloc(f->raw, f->n_raw + 65536 + 1);
	n = recv(f->conn.fd, f->raw + f->n_raw, 65536, 0);
	*closed = n == 0 || (n < 0 && errno != EAGAIN);
	if (n > 0)
		f->n_raw += (size_t)n;
	unpack(f);
	return n > 0;
}

/* Wait for the next line. Return: owned by the caller, NULL: it is over. */
static json_t *feed_line(struct stream *f)
{
	bool closed = false;
	char *end;
	json_t *json;

	for (int i = 0; !(end = strchr(f->text, '\n')); i++) {
		if (f->whole || closed)
			return NULL;
		cr_assert_lt(i, PATIENCE, "nothing came");
		if (!take_in(f, &closed))
			api_turn(&api, 10);
	}
	json = json_loadb(f->text, (size_t)(end - f->text), JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(json, "%s", f->text);
	f->n_text -= (size_t)(end + 1 - f->text);
	memmove(f->text, end + 1, f->n_text + 1);
	return json;
}

static long long expect_event(struct stream *f, const char *word)
{
	json_t *json = feed_line(f);
	long long seq;

	cr_assert_not_null(json, "over before %s", word);
	cr_expect_str_eq(text_of(json, "event"), word);
	seq = number_of(json, "seq");
	json_decref(json);
	return seq;
}

static void happen(size_t n)
{
	for (size_t i = 0; i < n; i++)
		events_put(api.gw->events, EVENT_FOREIGN_DROP, CHAIN, strlen(CHAIN));
}

Test(feed, what_is_added_and_refused_and_removed_is_told)
{
	struct stream f;
	json_t *json;

	feed_open(&f, "/v1/events");
	cr_expect_eq(expect_event(&f, "start"), 0);
	json_decref(api_json(&api, "POST /v1/mappings", API_WEB, 201));
	json = feed_line(&f);
	cr_expect_str_eq(text_of(json, "event"), "added");
	cr_expect_eq(number_of(json, "seq"), 1);
	cr_expect_str_eq(text_of(json_object_get(json, "mapping"), "name"), "web");
	json_decref(json);
	json_decref(api_refused(&api, "DELETE /v1/mappings/77", NULL, "not-found"));
	json = feed_line(&f);
	cr_expect_str_eq(text_of(json, "event"), "refused");
	cr_expect_eq(number_of(json, "uid"), 0);
	cr_expect_eq(number_of(json, "pid"), 4711);
	cr_expect_str_eq(text_of(json_object_get(json, "problem"), "code"), "not-found");
	json_decref(json);
	json_decref(api_json(&api, "DELETE /v1/mappings/1", NULL, 200));
	cr_expect_eq(expect_event(&f, "removed"), 3);
	feed_close(&f);
}

Test(feed, a_fault_is_told_as_a_refusal_with_its_code)
{
	static const struct problem busy = { .verdict = VERDICT_BUSY,
					     .index = -1,
					     .detail = "Later." };
	struct stream f;
	json_t *json;

	feed_open(&f, "/v1/events");
	expect_event(&f, "start");
	api.gw->problem = &busy;
	json_decref(api_refused(&api, "POST /v1/mappings", API_WEB, "busy"));
	json = feed_line(&f);
	cr_expect_str_eq(text_of(json, "event"), "refused");
	cr_expect_str_eq(text_of(json_object_get(json, "problem"), "code"), "busy");
	json_decref(json);
	api.gw->problem = NULL;
	feed_close(&f);
}

Test(feed, a_refusal_is_told_also_when_who_asked_has_gone)
{
	struct conn conn;
	struct stream f;

	feed_open(&f, "/v1/events");
	expect_event(&f, "start");
	api.gw->on_demand = true;
	conn_open(&api, &conn);
	conn_request(&conn, "DELETE /v1/mappings/77", NULL, NULL);
	api_settle(&api);
	conn_close(&conn);
	api_settle(&api);
	engine_turn(&api.gw->engine);
	expect_event(&f, "refused");
	feed_close(&f);
}

Test(feed, what_is_refused_before_it_is_understood_is_no_event)
{
	struct stream f;

	feed_open(&f, "/v1/events");
	expect_event(&f, "start");
	json_decref(api_refused(&api, "POST /v1/mappings", "{}", "bad-request"));
	json_decref(api_refused(&api, "GET /v1/nothing", NULL, "no-resource"));
	happen(1);
	cr_expect_eq(expect_event(&f, "foreign-drop"), 1);
	feed_close(&f);
}

Test(feed, who_resumes_goes_on_behind_what_it_knows)
{
	struct stream f;

	happen(5);
	feed_open(&f, "/v1/events?since=3");
	cr_expect_eq(expect_event(&f, "foreign-drop"), 4);
	cr_expect_eq(expect_event(&f, "foreign-drop"), 5);
	feed_close(&f);
	feed_open(&f, "/v1/events?since=1764000000000000");
	cr_expect_eq(expect_event(&f, "reset"), 0);
	cr_expect_eq(expect_event(&f, "foreign-drop"), 1);
	feed_close(&f);
	happen(EVENTS_MAX);
	feed_open(&f, "/v1/events?since=3");
	expect_event(&f, "lost");
	cr_expect_eq(expect_event(&f, "foreign-drop"), 6);
	feed_close(&f);
}

Test(feed, a_number_that_is_none_is_refused)
{
	static const char *const bad[] = {
		"", "x", "-1", "+1", "1x", "0x1", "18446744073709551616"
	};
	char request[128];
	json_t *json;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(request, sizeof(request), "GET /v1/events?since=%s", bad[i]);
		json = api_refused(&api, request, NULL, "bad-request");
		cr_expect_not_null(strstr(text_of(json, "detail"), "since"));
		json_decref(json);
	}
	json_decref(api_refused(&api, "GET /v1/events?until=1", NULL, "bad-request"));
	json_decref(api_refused(&api, "POST /v1/events", NULL, "bad-method"));
	cr_expect_eq(api.server->n_feeds, 0);
}

Test(feed, a_head_tells_the_type_and_ends)
{
	struct conn conn;
	struct reply reply;
	char value[256];

	conn_open(&api, &conn);
	conn_request(&conn, "HEAD /v1/events", NULL, NULL);
	conn_reply(&conn, true, &reply);
	cr_expect_eq(reply.status, 200);
	cr_expect_str_eq(reply_header(&reply, "content-type", value),
			 "application/x-ndjson");
	reply_done(&reply);
	happen(1);
	api_settle(&api);
	cr_expect_eq(conn.n, 0);
	cr_expect_eq(api.server->n_feeds, 0);
	conn_close(&conn);
}

Test(feed, a_hundred_readers_hear_the_same)
{
	static struct stream feeds[100];

	for (size_t i = 0; i < ARRAY_SIZE(feeds); i++) {
		feed_open(&feeds[i], "/v1/events");
		expect_event(&feeds[i], "start");
	}
	cr_expect_eq(api.server->n_feeds, ARRAY_SIZE(feeds));
	json_decref(api_json(&api, "POST /v1/mappings", API_WEB, 201));
	happen(2);
	for (size_t i = 0; i < ARRAY_SIZE(feeds); i++) {
		cr_expect_eq(expect_event(&feeds[i], "added"), 1);
		cr_expect_eq(expect_event(&feeds[i], "foreign-drop"), 2);
		cr_expect_eq(expect_event(&feeds[i], "foreign-drop"), 3);
		feed_close(&feeds[i]);
	}
	api_settle(&api);
	cr_expect_eq(api.server->n_feeds, 0);
}

Test(feed, readers_are_bounded_for_each_user_and_in_all)
{
	static struct stream feeds[SERVER_FEEDS_MAX];
	size_t n = 0;

	fake_credentials.uid = 1000;
	while (n < SERVER_FEEDS_PER_UID)
		feed_open(&feeds[n++], "/v1/events");
	json_decref(api_refused(&api, "GET /v1/events", NULL, "busy"));
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	fake_credentials.uid = 0;
	while (n < SERVER_FEEDS_MAX - SERVER_FEEDS_KEPT)
		feed_open(&feeds[n++], "/v1/events");
	fake_credentials.uid = 1001;
	json_decref(api_refused(&api, "GET /v1/events", NULL, "busy"));
	fake_credentials.uid = 0;
	while (n < SERVER_FEEDS_MAX)
		feed_open(&feeds[n++], "/v1/events");
	json_decref(api_refused(&api, "GET /v1/events", NULL, "busy"));
	feed_close(&feeds[--n]);
	api_settle(&api);
	feed_open(&feeds[n++], "/v1/events");
	while (n)
		feed_close(&feeds[--n]);
}

Test(feed, one_who_hangs_up_is_forgotten_at_once)
{
	struct stream f;

	feed_open(&f, "/v1/events");
	expect_event(&f, "start");
	cr_expect_eq(api.server->n_feeds, 1);
	feed_close(&f);
	api_settle(&api);
	cr_expect_eq(api.server->n_feeds, 0);
	cr_expect_eq(api.server->n_clients, 0);
	happen(1);
	api_settle(&api);
}

Test(feed, one_who_says_no_more_is_still_told)
{
	struct stream f;

	feed_open(&f, "/v1/events");
	expect_event(&f, "start");
	cr_assert_eq(shutdown(f.conn.fd, SHUT_WR), 0);
	api_settle(&api);
	happen(1);
	expect_event(&f, "foreign-drop");
	feed_close(&f);
}

/* The client reads nothing for two rings; then it is told, in its last line. */
Test(feed, a_slow_reader_is_dropped_and_told)
{
	long long seq = 0, last = 0;
	json_t *json;
	struct stream f;

	feed_open(&f, "/v1/events");
	expect_event(&f, "start");
	for (size_t i = 0; i < 6 * EVENTS_MAX; i += 64) {
		happen(64);
		api_turn(&api, 0);
	}
	while ((json = feed_line(&f))) {
		seq = number_of(json, "seq");
		if (!strcmp(text_of(json, "event"), "dropped"))
			break;
		cr_assert_eq(seq, last + 1, "%lld after %lld", seq, last);
		last = seq;
		json_decref(json);
	}
	cr_assert_not_null(json, "it was not told");
	cr_expect_eq(seq, last, "it is told where to go on");
	json_decref(json);
	cr_expect_null(feed_line(&f), "the last line is not the last");
	feed_close(&f);
	api_settle(&api);
	cr_expect_eq(api.server->n_feeds, 0);
}

Test(feed, a_burst_is_no_fault_of_one_who_waited)
{
	struct stream f;

	feed_open(&f, "/v1/events");
	expect_event(&f, "start");
	api_settle(&api);
	happen(2 * EVENTS_MAX);
	expect_event(&f, "lost");
	for (long long i = EVENTS_MAX; i < 2 * EVENTS_MAX; i++)
		cr_assert_eq(expect_event(&f, "foreign-drop"), i + 1);
	feed_close(&f);
}

Test(feed, a_server_that_ends_hangs_up)
{
	struct stream f[2];

	feed_open(&f[0], "/v1/events");
	feed_open(&f[1], "/v1/events");
	expect_event(&f[0], "start");
	expect_event(&f[1], "start");
	api_settle(&api);
	happen(1); /* one turn before it would be sent */
	server_free(api.server);
	api.server = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		json_t *json;

		while ((json = feed_line(&f[i])))
			json_decref(json);
		cr_expect(!f[i].whole, "an end that is none of the stream's");
		feed_close(&f[i]);
	}
}

Test(feed, a_client_of_http_1_0_is_served_too)
{
	struct conn conn;
	struct reply reply;

	conn_open(&api, &conn);
	conn_say(&conn, "GET /v1/events HTTP/1.0\r\nHost: natd\r\n\r\n");
	conn_reply(&conn, true, &reply);
	cr_expect_eq(reply.status, 200);
	reply_done(&reply);
	happen(1);
	api_settle(&api);
	conn_close(&conn);
	api_settle(&api);
	cr_expect_eq(api.server->n_feeds, 0);
}
