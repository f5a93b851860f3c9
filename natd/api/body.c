/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/api/body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

#define STR(x)	#x
#define TEXT(x) STR(x)

DEFINE_CLEANUP(json_decref, json_t *)

void body_init(struct body *body, enum body_kind kind, size_t *shared)
{
	*body = (struct body){ .kind = kind, .shared = shared, .line = 1 };
}

static void body_account(struct body *body)
{
	size_t now = body->document.room + body->list.room * sizeof(struct change);

	*body->shared += now - body->held;
	body->held = now;
}

void body_done(struct body *body)
{
	buffer_done(&body->document);
	ndjson_done(&body->lines);
	change_list_done(&body->list);
	if (body->shared)
		body_account(body);
}

void body_refuse(struct body *body)
{
	body->refused = true;
	body_done(body);
}

static void refuse_memory(struct body *body)
{
	problem_set(&body->why, VERDICT_FAULT, "Try again later.",
		    "There is no memory. Nothing has changed.");
	body_refuse(body);
}

static void feed_document(struct body *body, const char *bytes, size_t len)
{
	if (len > API_DOCUMENT_MAX - body->document.len) {
		problem_set(&body->why, VERDICT_TOO_LARGE,
			    "Send it as application/x-ndjson, one change a line.",
			    "A JSON document may have %d bytes.", API_DOCUMENT_MAX);
		body_refuse(body);
		return;
	}
	buffer_add(&body->document, bytes, len);
	if (body->document.failed)
		refuse_memory(body);
}

/* In front of the sentence, since an editor counts lines from 1 and indexes from 0. */
static void say_line(struct body *body)
{
	static const char of_parser[] = "line 1, ";
	const size_t skip = sizeof(of_parser) - 1;
	char detail[sizeof(body->why.detail)];
	bool has_column;

	memcpy(detail, body->why.detail, sizeof(detail));
	has_column = !strncmp(detail, of_parser, skip);
	body->why.index = (int64_t)body->list.n;
	snprintf(body->why.detail, sizeof(body->why.detail), "Line %llu%s %.470s",
		 (unsigned long long)body->line, has_column ? "," : ":",
		 has_column ? detail + skip : detail);
}

/* Return: 0; -EINVAL: see @body->why; -ENOMEM. */
static int decode_line(void *userdata, const char *line, size_t len)
{
	CLEANUP(json_decref) json_t *json = NULL;
	struct body *body = userdata;
	struct change change;
	int r;

	if (body->list.n == API_LIST_MAX) {
		problem_set(&body->why, VERDICT_TOO_LARGE, "Send several lists.",
			    "A list may have " TEXT(API_LIST_MAX) " changes.");
		return -EINVAL;
	}
	r = api_parse(line, len, &json, &body->why);
	if (r == 0)
		r = api_decode_change(json, &change, &body->why);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	r = change_list_add(&body->list, &change);
	change_done(&change);
	return r;
}

static void judge_line(struct body *body, int r)
{
	if (r == 0)
		return;
	if (r == -ENOMEM) {
		refuse_memory(body);
		return;
	}
	if (r == -EMSGSIZE)
		problem_set(&body->why, VERDICT_TOO_LARGE, NULL,
			    "A line may have " TEXT(NDJSON_LINE_MAX) " bytes.");
	say_line(body);
	body_refuse(body);
}

/* One line's end at a time: empty lines count for people, and ndjson skips them. */
static void feed_lines(struct body *body, const char *bytes, size_t len)
{
	while (len && !body->refused) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) + 1 : len;

		judge_line(body, ndjson_feed(&body->lines, bytes, n, decode_line, body));
		body->line += end != NULL;
		bytes += n;
		len -= n;
	}
}

static void check_shared(struct body *body)
{
	if (body->refused)
		return;
	body_account(body);
	if (*body->shared <= BODIES_MAX)
		return;
	problem_set(&body->why, VERDICT_BUSY, "Try again in a moment.",
		    "natd is reading too many large requests at once.");
	body_refuse(body);
}

int body_feed(struct body *body, const char *bytes, size_t len)
{
	if (body->refused) {
		body->drained += len;
		return body->drained > BODY_DRAIN_MAX ? -EMSGSIZE : 0;
	}
	switch (body->kind) {
	case BODY_NONE:
		problem_set(&body->why, VERDICT_BAD_REQUEST, NULL,
			    "This request takes no body.");
		body_refuse(body);
		break;
	case BODY_DOCUMENT:
		feed_document(body, bytes, len);
		break;
	case BODY_LINES:
		feed_lines(body, bytes, len);
		break;
	}
	check_shared(body);
	return 0;
}

void body_end(struct body *body)
{
	if (body->refused || body->kind != BODY_LINES)
		return;
	judge_line(body, ndjson_end(&body->lines, decode_line, body));
	check_shared(body);
}

json_t *body_parse(struct body *body)
{
	json_t *json;
	int r;

	r = api_parse(body->document.bytes ? body->document.bytes : "",
		      body->document.len, &json, &body->why);
	if (r == 0)
		return json;
	if (r == -ENOMEM)
		refuse_memory(body);
	else
		body_refuse(body);
	return NULL;
}
