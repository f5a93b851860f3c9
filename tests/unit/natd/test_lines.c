/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Long lists: NDJSON both ways, streams that outlive changes, documents at the limit. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "tests/unit/natd/api_fixture.h"

#define LINES "application/x-ndjson"

static struct api api;

static void start(void)
{
	api_start(&api);
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(lines, .init = start, .fini = stop, .timeout = 120);

/* @n changes, a line each; NUL-terminated, to be freed. */
static char *make_lines(size_t n)
{
	char *text = malloc(n * 160 + 1);
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(
			text + at,
			"{\"protocol\":\"%s\",\"external\":{\"port\":%zu},"
			"\"internal\":{\"address\":\"192.168.1.10\",\"port\":80},"
			"\"name\":\"n%zu\"}\n",
			i < 65535 ? "tcp" : "udp", i % 65535 + 1, i);
	return text;
}

static json_t *next_line(char **at)
{
	char *end = strchr(*at, '\n');
	json_error_t error;
	json_t *json;

	cr_assert_not_null(end, "a line lacks its end: %.80s", *at);
	json = json_loadb(*at, (size_t)(end - *at), JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(json, "%s: %.200s", error.text, *at);
	*at = end + 1;
	return json;
}

Test(lines, a_list_of_60000_lines_is_taken_and_answered_line_by_line)
{
	char *text = make_lines(60000), *at, value[256];
	struct reply reply;
	json_t *line;

	api_ask(&api, "POST /v1/mappings", LINES, text, &reply);
	cr_assert_eq(reply.status, 201, "%s", reply.body);
	cr_expect_str_eq(reply_header(&reply, "content-type", value), LINES);
	cr_expect_eq(table_size(api.gw->table), 60000);
	at = reply.body;
	for (int i = 0; i < 60000; i++) {
		line = next_line(&at);
		cr_assert_eq(number_of(line, "index"), i);
		cr_assert_str_eq(text_of(line, "verdict"), "added");
		cr_assert_eq(json_integer_value(
				     json_array_get(json_object_get(line, "ids"), 0)),
			     i + 1);
		json_decref(line);
	}
	line = next_line(&at);
	cr_expect_eq(number_of(line, "changes"), 60000);
	cr_expect_eq(number_of(line, "ended"), 0);
	cr_expect_eq(*at, 0);
	json_decref(line);
	reply_done(&reply);
	free(text);
}

Test(lines, more_than_the_limit_is_too_large)
{
	char *text = make_lines(65536);
	struct reply reply;
	json_t *why;

	api_ask(&api, "POST /v1/mappings", LINES, text, &reply);
	cr_assert_eq(reply.status, 413);
	why = reply_parse(&reply);
	cr_expect_str_eq(text_of(why, "code"), "too-large");
	cr_expect_eq(number_of(why, "index"), 65535);
	cr_expect_eq(table_size(api.gw->table), 0);
	json_decref(why);
	reply_done(&reply);
	free(text);
}

Test(lines, a_bad_line_is_named_and_the_rest_is_read_away)
{
	char *lines = make_lines(20000), *text;
	struct conn conn;
	struct reply reply;
	json_t *why;

	cr_assert_gt(
		asprintf(&text, "\n\r\n%.*s{\"protocol\":\"tcp\",}\n%s", 1, "\n", lines),
		0);
	conn_open(&api, &conn);
	conn_request(&conn, "POST /v1/mappings", LINES, text);
	conn_reply(&conn, false, &reply);
	cr_assert_eq(reply.status, 400);
	why = reply_parse(&reply);
	cr_expect_eq(number_of(why, "index"), 0);
	cr_expect_eq(strncmp(text_of(why, "detail"), "Line 4", 6), 0, "%s",
		     text_of(why, "detail"));
	cr_expect_eq(table_size(api.gw->table), 0);
	reply_done(&reply);
	/* and the connection goes on */
	conn_request(&conn, "GET /v1/status", NULL, NULL);
	conn_reply(&conn, false, &reply);
	cr_expect_eq(reply.status, 200);
	reply_done(&reply);
	conn_close(&conn);
	json_decref(why);
	free(lines);
	free(text);
}

Test(lines, a_line_may_lack_its_end_and_others_may_be_empty)
{
	char *at;
	struct reply reply;
	json_t *line;

	api_ask(&api, "POST /v1/mappings", LINES,
		"\r\n\n{\"protocol\":\"tcp,udp\",\"external\":{\"port\":53},\"internal\":{"
		"\"address\":\"192.168.1.1\"}}\r\n\n{\"action\":\"remove\",\"protocol\":\"udp\","
		"\"external\":{\"port\":53}}",
		&reply);
	cr_assert_eq(reply.status, 201, "%s", reply.body);
	at = reply.body;
	line = next_line(&at);
	cr_expect_eq(json_array_size(json_object_get(line, "ids")), 2);
	json_decref(line);
	line = next_line(&at);
	cr_expect_str_eq(text_of(line, "verdict"), "removed");
	json_decref(line);
	line = next_line(&at);
	cr_expect_eq(number_of(line, "changes"), 2);
	json_decref(line);
	reply_done(&reply);
}

Test(lines, the_last_line_without_an_end_is_judged_too)
{
	struct reply reply;
	json_t *why;

	api_ask(&api, "POST /v1/mappings", LINES,
		"{\"action\":\"remove\",\"id\":1}\n{\"act", &reply);
	cr_assert_eq(reply.status, 400);
	why = reply_parse(&reply);
	cr_expect_eq(number_of(why, "index"), 1);
	cr_expect_eq(strncmp(text_of(why, "detail"), "Line 2, column ", 15), 0, "%s",
		     text_of(why, "detail"));
	json_decref(why);
	reply_done(&reply);
}

Test(lines, no_lines_at_all_change_nothing)
{
	struct reply reply;

	api_ask(&api, "POST /v1/mappings", LINES, "", &reply);
	cr_expect_eq(reply.status, 200);
	cr_expect_str_eq(reply.body, "{\"changes\":0,\"ended\":0}\n");
	reply_done(&reply);
}

Test(lines, the_last_line_says_that_connections_could_not_be_ended)
{
	struct reply reply;

	api.gw->pending = true;
	api_ask(&api, "POST /v1/mappings", LINES, "", &reply);
	cr_expect_eq(reply.status, 200);
	cr_expect_str_eq(reply.body, "{\"changes\":0,\"ended\":0,\"pending\":true}\n");
	reply_done(&reply);
}

Test(lines, a_line_that_is_too_long_is_too_large)
{
	char *text = malloc(20001);
	struct reply reply;
	json_t *why;

	memset(text, ' ', 20000);
	text[20000] = 0;
	api_ask(&api, "POST /v1/mappings", LINES, text, &reply);
	cr_assert_eq(reply.status, 413);
	why = reply_parse(&reply);
	cr_expect(strstr(text_of(why, "detail"), "16384"), "%s", text_of(why, "detail"));
	cr_expect(strstr(text_of(why, "detail"), "Line 1"), "%s", text_of(why, "detail"));
	json_decref(why);
	reply_done(&reply);
	free(text);
}

Test(lines, a_refusal_of_the_table_is_a_problem_with_its_index)
{
	struct reply reply;
	json_t *why;
	char value[256];

	api_ask(&api, "POST /v1/mappings", LINES,
		"{\"protocol\":\"tcp\",\"external\":{\"port\":53},\"internal\":{\"address\":"
		"\"192.168.1.1\"}}\n{\"action\":\"remove\",\"id\":99}\n",
		&reply);
	cr_assert_eq(reply.status, 404);
	cr_expect_str_eq(reply_header(&reply, "content-type", value),
			 "application/problem+json");
	why = reply_parse(&reply);
	cr_expect_eq(number_of(why, "index"), 1);
	cr_expect_eq(table_size(api.gw->table), 0);
	json_decref(why);
	reply_done(&reply);
}

/* ------------------------------------------------------------ lists that go out */

static void ask_for_lines(struct conn *conn, const char *path)
{
	char head[160];

	snprintf(head, sizeof(head),
		 "%s HTTP/1.1\r\nHost: x\r\nAccept: text/plain, " LINES ";q=0.9\r\n\r\n",
		 path);
	conn_say(conn, head);
}

Test(lines, a_list_of_60000_is_one_array_in_order_of_id)
{
	json_t *list, *m;
	size_t i;

	fake_gateway_fill(api.gw, 60000);
	list = api_json(&api, "GET /v1/mappings", NULL, 200);
	cr_assert_eq(json_array_size(list), 60000);
	json_array_foreach (list, i, m)
		cr_assert_eq(number_of(m, "id"), (long long)i + 1);
	cr_expect_eq(api.gw->n_counts, 1);
	json_decref(list);
}

Test(lines, a_list_line_by_line_when_asked)
{
	struct conn conn;
	struct reply reply;
	char *at, value[256];

	fake_gateway_fill(api.gw, 1000);
	conn_open(&api, &conn);
	ask_for_lines(&conn, "GET /v1/mappings");
	conn_reply(&conn, false, &reply);
	cr_expect_str_eq(reply_header(&reply, "content-type", value), LINES);
	at = reply.body;
	for (int i = 1; i <= 1000; i++) {
		json_t *line = next_line(&at);

		cr_assert_eq(number_of(line, "id"), i);
		json_decref(line);
	}
	cr_expect_eq(*at, 0);
	reply_done(&reply);
	ask_for_lines(&conn, "GET /v1/mappings?name=none");
	conn_reply(&conn, false, &reply);
	cr_expect_eq(reply.status, 200);
	cr_expect_str_eq(reply.body, "");
	reply_done(&reply);
	ask_for_lines(&conn, "POST /v1/flush");
	conn_reply(&conn, false, &reply);
	cr_expect_eq(strncmp(reply.body,
			     "{\"index\":0,\"verdict\":\"removed\",\"ids\":[1]}\n", 42),
		     0, "%.80s", reply.body);
	reply_done(&reply);
	conn_close(&conn);
}

static void remove_id(uint64_t id)
{
	struct change change = { .kind = CHANGE_REMOVE, .selector.id = id };
	struct change_list list = { 0 };
	struct plan *plan;

	cr_assert_eq(change_list_add(&list, &change), 0);
	cr_assert_eq(table_stage(api.gw->table, &list, 1, &api.gw->at, &plan), 0);
	table_commit(api.gw->table, plan);
	plan_free(plan);
	change_list_done(&list);
}

/* The client does not read, so that the stream stands still where the socket is full. */
Test(lines, a_list_survives_that_the_table_changes_under_it)
{
	struct conn conn;
	struct reply reply;
	json_t *list, *m;
	long long last = 0;
	size_t i, n_odd = 0;

	fake_gateway_fill(api.gw, 20000);
	conn_open(&api, &conn);
	conn_request(&conn, "GET /v1/mappings", NULL, NULL);
	api_settle(&api);
	for (uint64_t id = 2; id <= 20000; id += 2)
		remove_id(id);
	conn_reply(&conn, false, &reply);
	list = reply_parse(&reply);
	json_array_foreach (list, i, m) {
		cr_assert_gt(number_of(m, "id"), last);
		last = number_of(m, "id");
		n_odd += last % 2;
	}
	cr_expect_eq(n_odd, 10000, "what was there all the time is in the list once");
	cr_expect_lt(json_array_size(list), 20000);
	json_decref(list);
	reply_done(&reply);
	conn_close(&conn);
}

Test(lines, a_list_ends_when_all_is_removed_under_it)
{
	struct conn conn;
	struct reply reply;
	json_t *list;

	fake_gateway_fill(api.gw, 20000);
	conn_open(&api, &conn);
	conn_request(&conn, "GET /v1/mappings", NULL, NULL);
	api_settle(&api);
	for (uint64_t id = 1; id <= 20000; id++)
		remove_id(id);
	conn_reply(&conn, false, &reply);
	list = reply_parse(&reply);
	cr_expect(json_array_size(list) > 0 && json_array_size(list) < 20000);
	json_decref(list);
	reply_done(&reply);
	conn_close(&conn);
}

Test(lines, who_hangs_up_in_the_middle_of_a_list_harms_nobody)
{
	struct conn conn;

	fake_gateway_fill(api.gw, 20000);
	conn_open(&api, &conn);
	conn_request(&conn, "GET /v1/mappings", NULL, NULL);
	api_settle(&api);
	conn_close(&conn);
	api_settle(&api);
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
}

Test(lines, a_flush_of_60000_is_answered_whole)
{
	json_t *done;

	fake_gateway_fill(api.gw, 60000);
	done = api_json(&api, "POST /v1/flush", NULL, 200);
	cr_expect_eq(json_array_size(json_object_get(done, "results")), 60000);
	cr_expect_eq(table_size(api.gw->table), 0);
	json_decref(done);
}

/* ------------------------------------------------------------ documents */

static char *make_document(size_t len)
{
	char *text = malloc(len + 1);

	memset(text, ' ', len);
	memcpy(text, "[{\"action\":\"remove\",\"name\":\"none\"}", 34);
	text[len - 1] = ']';
	text[len] = 0;
	return text;
}

Test(lines, a_document_of_a_mebibyte_is_read_and_one_byte_more_is_not)
{
	char *text = make_document(API_DOCUMENT_MAX);

	json_decref(api_refused(&api, "POST /v1/mappings", text, "not-found"));
	free(text);
	text = make_document(API_DOCUMENT_MAX + 1);
	json_decref(api_refused(&api, "POST /v1/mappings", text, "too-large"));
	free(text);
}

Test(lines, a_document_that_does_not_say_its_length_has_the_same_limit)
{
	char *text = make_document(100000), head[32];
	struct conn conn;
	struct reply reply;

	conn_open(&api, &conn);
	conn_say(&conn, "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
			"chunked\r\n\r\n");
	snprintf(head, sizeof(head), "%x\r\n", 100000);
	for (int i = 0; i < 11; i++) {
		conn_say(&conn, head);
		conn_say(&conn, text);
		conn_say(&conn, "\r\n");
	}
	conn_say(&conn, "0\r\n\r\n");
	conn_reply(&conn, false, &reply);
	cr_expect_eq(reply.status, 413);
	json_decref(reply_parse(&reply));
	reply_done(&reply);
	conn_request(&conn, "GET /v1/status", NULL, NULL);
	conn_reply(&conn, false, &reply);
	cr_expect_eq(reply.status, 200);
	reply_done(&reply);
	conn_close(&conn);
	free(text);
}

Test(lines, many_large_lists_at_once_are_refused_before_memory_is_short)
{
	char *text = make_lines(65000);
	const size_t half = strlen(text) - 10;
	struct conn conns[9];
	struct reply reply;
	size_t busy = 0, taken = 0;
	char head[160];

	snprintf(head, sizeof(head),
		 "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Type: " LINES
		 "\r\nContent-Length: %zu\r\n\r\n",
		 strlen(text));
	for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
		conn_open(&api, &conns[i]);
		conn_say(&conns[i], head);
		conn_send(&conns[i], text, half);
		api_settle(&api);
	}
	for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
		conn_say(&conns[i], text + half);
		conn_reply(&conns[i], false, &reply);
		busy += reply.status == 503;
		taken += reply.status < 300;
		reply_done(&reply);
		conn_close(&conns[i]);
	}
	cr_expect_gt(busy, 0);
	cr_expect_gt(taken, 2);
	cr_expect_eq(busy + taken, ARRAY_SIZE(conns));
	/* and what they held is given back */
	api_ask(&api, "POST /v1/mappings", LINES, text, &reply);
	cr_expect_eq(reply.status, 200);
	reply_done(&reply);
	free(text);
}

Test(lines, who_never_ends_a_refused_body_is_cut_off)
{
	char *text = calloc(1, 1024 * 1024 + 1);
	struct conn conn;
	bool open = true;

	memset(text, 'x', 1024 * 1024);
	conn_open(&api, &conn);
	conn_say(&conn, "POST /v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Type: " LINES
			"\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 64 && open; i++)
		open = conn_try_send(&conn, "100000\r\n", 8) &&
		       conn_try_send(&conn, text, 1024 * 1024) &&
		       conn_try_send(&conn, "\r\n", 2);
	cr_expect_not(open);
	cr_expect(conn_is_closed(&conn));
	conn_close(&conn);
	free(text);
}
