/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/http.h"
#include "core/cleanup.h"

#define OK     "HTTP/1.1 200 OK\r\n"
#define LENGTH "Content-Length: 5\r\n"

/* what a body is put into; refuses more than @room */
struct copy {
	char bytes[256];
	size_t len, room;
};

static int put(void *userdata, const char *bytes, size_t len)
{
	struct copy *copy = userdata;

	if (copy->len + len > copy->room)
		return -ECANCELED;
	memcpy(copy->bytes + copy->len, bytes, len);
	copy->len += len;
	return 0;
}

static ssize_t parse(const char *text, struct http_head *ret)
{
	return http_parse_head(text, strlen(text), ret);
}

Test(http, reads_what_it_needs_of_a_head)
{
	static const char text[] = OK
		"Server: natd\r\ncontent-TYPE:\tApplication/JSON ; charset=utf-8\r\n" LENGTH
		"\r\nhello";
	struct http_head head;

	cr_assert_eq(parse(text, &head), (ssize_t)strlen(text) - 5);
	cr_expect_eq(head.status, 200);
	cr_expect_eq(head.content_length, 5);
	cr_expect_str_eq(head.content_type, "application/json");
	cr_expect(head.keep_alive);
	cr_expect_not(head.chunked);
}

Test(http, waits_for_the_whole_head)
{
	static const char text[] = OK LENGTH "\r\n";
	struct http_head head = { .status = 7 };

	for (size_t len = 0; len < strlen(text); len++)
		cr_expect_eq(http_parse_head(text, len, &head), 0, "after %zu bytes",
			     len);
	cr_expect_eq(head.status, 7, "touched before it was whole");
	cr_expect_eq(parse(text, &head), (ssize_t)strlen(text));
}

Test(http, takes_heads_that_are_right)
{
	static const struct {
		const char *text;
		int status, keep_alive, chunked;
		int64_t length;
	} heads[] = {
		{ OK "\r\n", 200, 1, 0, -1 },
		{ "HTTP/1.1 204\r\n\r\n", 204, 1, 0, -1 },
		{ "HTTP/1.0 200 OK\r\n\r\n", 200, 0, 0, -1 },
		{ "HTTP/1.1 599 \r\n\r\n", 599, 1, 0, -1 },
		{ OK "Connection: close\r\n\r\n", 200, 0, 0, -1 },
		{ OK "Connection: x , CLOSE\r\n\r\n", 200, 0, 0, -1 },
		{ OK "Connection: keep-alive\r\n\r\n", 200, 1, 0, -1 },
		{ OK "Connection: closer\r\n\r\n", 200, 1, 0, -1 },
		{ OK "Transfer-Encoding: Chunked\r\n\r\n", 200, 1, 1, -1 },
		{ OK "Content-Length: 0\r\n\r\n", 200, 1, 0, 0 },
		{ OK "Content-Length: 999999999999999\r\n\r\n", 200, 1, 0,
		  999999999999999 },
		{ OK "X-Empty:\r\nX: \xc3\xa4\r\n\r\n", 200, 1, 0, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct http_head head;

		cr_assert_eq(parse(heads[i].text, &head), (ssize_t)strlen(heads[i].text),
			     "%s", heads[i].text);
		cr_expect_eq(head.status, heads[i].status, "%s", heads[i].text);
		cr_expect_eq(head.keep_alive, heads[i].keep_alive, "%s", heads[i].text);
		cr_expect_eq(head.chunked, heads[i].chunked, "%s", heads[i].text);
		cr_expect_eq(head.content_length, heads[i].length, "%s", heads[i].text);
	}
}

Test(http, refuses_heads_that_are_wrong_or_ambiguous)
{
	static const char *const heads[] = {
		"S",
		"HTTP/2",
		"http/1.1 200 OK\r\n\r\n",
		"HTTP/1.2 200 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 20\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 200 O\x01K\r\n\r\n",
		OK "no colon\r\n\r\n",
		OK ": nameless\r\n\r\n",
		OK "Content-Length : 5\r\n\r\n",
		OK " folded: x\r\n\r\n",
		OK "X: a\r\n folded\r\n\r\n",
		OK "X: a\nY: b\r\n\r\n",
		OK "X: a\rb\r\n\r\n",
		OK "X: \x7f\r\n\r\n",
		OK "X\xc3\xa4: a\r\n\r\n",
		OK LENGTH LENGTH "\r\n",
		OK LENGTH "Transfer-Encoding: chunked\r\n\r\n",
		OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
		OK "Content-Length:\r\n\r\n",
		OK "Content-Length: -5\r\n\r\n",
		OK "Content-Length: +5\r\n\r\n",
		OK "Content-Length: 5, 5\r\n\r\n",
		OK "Content-Length: 0x5\r\n\r\n",
		OK "Content-Length: 9999999999999999\r\n\r\n",
		OK "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
		OK
		"Content-Type: 0123456789012345678901234567890123456789012345678901234567890123\r\n\r\n",
	};
	struct http_head head;

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		cr_expect_eq(parse(heads[i], &head), -EBADMSG, "%s", heads[i]);
	cr_expect_eq(http_parse_head(OK "X: a\0b\r\n\r\n",
				     sizeof(OK "X: a\0b\r\n\r\n") - 1, &head),
		     -EBADMSG, "a NUL byte");
}

Test(http, a_head_has_an_end)
{
	static char text[2 * HTTP_HEAD_MAX];
	struct http_head head;

	memset(text, 'x', sizeof(text));
	memcpy(text, OK "X: ", strlen(OK "X: "));
	cr_expect_eq(http_parse_head(text, HTTP_HEAD_MAX - 1, &head), 0);
	cr_expect_eq(http_parse_head(text, HTTP_HEAD_MAX, &head), -EMSGSIZE);
	cr_expect_eq(http_parse_head(text, sizeof(text), &head), -EMSGSIZE);

	memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	cr_expect_eq(http_parse_head(text, sizeof(text), &head), HTTP_HEAD_MAX);
}

static struct http_body body_of(const char *head_text)
{
	struct http_head head;
	struct http_body body;

	cr_assert_gt(parse(head_text, &head), 0);
	http_body_init(&body, &head);
	return body;
}

static struct http_body chunked_body(void)
{
	return body_of(OK "Transfer-Encoding: chunked\r\n\r\n");
}

Test(http, a_counted_body_ends_where_it_should)
{
	struct http_body body = body_of(OK LENGTH "\r\n");
	struct copy copy = { .room = 256 };

	cr_expect_eq(http_body_feed(&body, "he", 2, put, &copy), 2);
	cr_expect_not(http_body_complete(&body));
	cr_expect_eq(http_body_feed(&body, "lloHTTP/1.1", 11, put, &copy), 3);
	cr_expect(http_body_complete(&body));
	cr_expect_eq(http_body_feed(&body, "x", 1, put, &copy), 0);
	cr_expect_str_eq(copy.bytes, "hello");
}

Test(http, answers_without_a_body_are_complete_at_once)
{
	static const char *const heads[] = {
		OK "Content-Length: 0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\n" LENGTH "\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct http_body body = body_of(heads[i]);

		cr_expect(http_body_complete(&body), "%s", heads[i]);
	}
}

Test(http, a_body_without_length_ends_with_the_connection)
{
	struct http_body body = body_of(OK "\r\n");
	struct copy copy = { .room = 256 };

	cr_expect(http_body_ends_with_connection(&body));
	cr_expect_eq(http_body_feed(&body, "hello", 5, put, &copy), 5);
	cr_expect_not(http_body_complete(&body));
	cr_expect_str_eq(copy.bytes, "hello");

	body = body_of(OK LENGTH "\r\n");
	cr_expect_not(http_body_ends_with_connection(&body));
}

Test(http, chunks_may_be_cut_anywhere)
{
	static const char text[] = "3\r\nhel\r\n0A ; ext=\"x\"\r\nlo, world!\r\n000\r\n"
				   "Trailer: x\r\nAnother: y\r\n\r\n";

	for (size_t step = 1; step <= strlen(text); step++) {
		struct http_body body = chunked_body();
		struct copy copy = { .room = 256 };

		for (size_t at = 0; at < strlen(text); at += step) {
			size_t n = strlen(text) - at < step ? strlen(text) - at : step;

			cr_assert_not(http_body_complete(&body));
			cr_assert_eq(http_body_feed(&body, text + at, n, put, &copy),
				     (ssize_t)n);
		}
		cr_expect(http_body_complete(&body), "in steps of %zu", step);
		cr_expect_str_eq(copy.bytes, "hello, world!");
	}
}

Test(http, refuses_what_is_no_chunk)
{
	static const char *const bodies[] = {
		"x\r\n",	   "\r\n",
		"-1\r\n",	   " 3\r\nhel\r\n",
		"3\nhel\r\n",	   "3\rhel",
		"3\r\nhello\r\n",  "3\r\nhel\rx",
		"3\r\nhel\n",	   "1000000000000000\r\n",
		"3;a\nhel\r\n",	   "0\r\n\n",
		"0\r\nX: y\n\r\n", "0\r\n\rx",
		"0\r\nX: y\rz",	   "3 \r\nhelX",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct http_body body = chunked_body();
		struct copy copy = { .room = 256 };

		cr_expect_eq(
			http_body_feed(&body, bodies[i], strlen(bodies[i]), put, &copy),
			-EBADMSG, "%s", bodies[i]);
	}
}

Test(http, what_is_skipped_has_an_end)
{
	static char text[HTTP_SKIP_MAX + 8];
	struct http_body body = chunked_body();
	struct copy copy = { .room = 256 };

	memset(text, 'x', sizeof(text));
	memcpy(text, "3;", 2);
	cr_expect_eq(http_body_feed(&body, text, sizeof(text), put, &copy), -EMSGSIZE);

	body = chunked_body();
	memcpy(text, "0\r\n", 3);
	cr_expect_eq(http_body_feed(&body, text, sizeof(text), put, &copy), -EMSGSIZE);
}

Test(http, a_sink_that_stops_is_heard)
{
	struct http_body body = chunked_body();
	struct copy copy = { .room = 2 };

	cr_expect_eq(http_body_feed(&body, "3\r\nhel\r\n", 8, put, &copy), -ECANCELED);
}
