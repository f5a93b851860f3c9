/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cli/http.h"

enum body_state {
	BODY_DONE,
	BODY_COUNTED,	 /* @left bytes to go */
	BODY_TO_CLOSE,	 /* all that comes */
	CHUNK_SIZE,	 /* hex digits, @digits of them so far */
	CHUNK_EXTENSION, /* up to CR */
	CHUNK_SIZE_LF,
	CHUNK_DATA, /* @left bytes to go */
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_START, /* of a line: CR means the end of all */
	TRAILER_LINE,
	TRAILER_LF,
	LAST_LF,
};

/* more cannot be meant, and 15 digits cannot overflow */
#define CHUNK_DIGITS_MAX 15

void http_body_init(struct http_body *body, const struct http_head *head)
{
	*body = (struct http_body){ .state = BODY_TO_CLOSE };

	if (head->status < 200 || head->status == 204 || head->status == 304)
		body->state = BODY_DONE;
	else if (head->chunked)
		body->state = CHUNK_SIZE;
	else if (head->content_length >= 0) {
		body->left = (uint64_t)head->content_length;
		body->state = body->left ? BODY_COUNTED : BODY_DONE;
	}
}

bool http_body_complete(const struct http_body *body)
{
	return body->state == BODY_DONE;
}

bool http_body_ends_with_connection(const struct http_body *body)
{
	return body->state == BODY_TO_CLOSE;
}

static int expect(struct http_body *body, char c, char wanted, enum body_state next)
{
	if (c != wanted)
		return -EBADMSG;
	body->state = (int)next;
	return 0;
}

static int chunk_size(struct http_body *body, char c)
{
	static const char hex[] = "0123456789abcdef";
	const char *digit = c ? strchr(hex, tolower((unsigned char)c)) : NULL;

	if (digit) {
		body->left = body->left * 16 + (uint64_t)(digit - hex);
		return ++body->digits > CHUNK_DIGITS_MAX ? -EBADMSG : 0;
	}
	if (!body->digits)
		return -EBADMSG;
	if (c == ';' || c == ' ' || c == '\t') {
		body->state = CHUNK_EXTENSION;
		return 0;
	}
	return expect(body, c, '\r', CHUNK_SIZE_LF);
}

static int chunk_size_end(struct http_body *body, char c)
{
	body->digits = 0;
	return expect(body, c, '\n', body->left ? CHUNK_DATA : TRAILER_START);
}

/* Bytes we have no use for, up to the end of the line. */
static int skip(struct http_body *body, char c, enum body_state at_cr,
		enum body_state else_)
{
	if (++body->skipped > HTTP_SKIP_MAX)
		return -EMSGSIZE;
	if (c == '\n')
		return -EBADMSG;
	body->state = (int)(c == '\r' ? at_cr : else_);
	return 0;
}

/* One byte of what stands between the data. */
static int frame(struct http_body *body, char c)
{
	switch ((enum body_state)body->state) {
	case CHUNK_SIZE:
		return chunk_size(body, c);
	case CHUNK_EXTENSION:
		return skip(body, c, CHUNK_SIZE_LF, CHUNK_EXTENSION);
	case CHUNK_SIZE_LF:
		return chunk_size_end(body, c);
	case CHUNK_DATA_CR:
		return expect(body, c, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return expect(body, c, '\n', CHUNK_SIZE);
	case TRAILER_START:
		return skip(body, c, LAST_LF, TRAILER_LINE);
	case TRAILER_LINE:
		return skip(body, c, TRAILER_LF, TRAILER_LINE);
	case TRAILER_LF:
		return expect(body, c, '\n', TRAILER_START);
	case LAST_LF:
		return expect(body, c, '\n', BODY_DONE);
	case BODY_DONE:
	case BODY_COUNTED:
	case BODY_TO_CLOSE:
	case CHUNK_DATA:
		break;
	}
	return -EBADMSG;
}

static bool is_data(const struct http_body *body)
{
	return body->state == BODY_COUNTED || body->state == BODY_TO_CLOSE ||
	       body->state == CHUNK_DATA;
}

static int take_data(struct http_body *body, const char *bytes, size_t len,
		     http_sink sink, void *userdata)
{
	int r = sink(userdata, bytes, len);

	if (r != 0 || body->state == BODY_TO_CLOSE)
		return r;
	body->left -= len;
	if (!body->left)
		body->state = body->state == CHUNK_DATA ? CHUNK_DATA_CR : BODY_DONE;
	return 0;
}

ssize_t http_body_feed(struct http_body *body, const char *bytes, size_t len,
		       http_sink sink, void *userdata)
{
	size_t used = 0;
	int r = 0;

	while (r == 0 && used < len && !http_body_complete(body)) {
		size_t n = 1;

		if (is_data(body)) {
			n = len - used;
			if (body->state != BODY_TO_CLOSE && n > body->left)
				n = (size_t)body->left;
			r = take_data(body, bytes + used, n, sink, userdata);
		} else {
			r = frame(body, bytes[used]);
		}
		used += n;
	}
	return r ? r : (ssize_t)used;
}
