/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_http_head - natctl's reading of an HTTP answer, head and body
 *
 * Beside what the sanitizers see it is held that a head is never longer than what was
 * given, that values stand in their range, and that a body read byte by byte is the body
 * read at once.
 */

#include <errno.h>
#include <string.h>

#include "cli/http.h"
#include "tests/fuzz/fuzz.h"

static int sink(void *userdata, const char *bytes, size_t len)
{
	digest_add(userdata, bytes, len);
	return 0;
}

/* Return: what http_body_feed() does in the end; @used: bytes in all */
static ssize_t read_body(const struct http_head *head, const char *bytes, size_t len,
			 size_t step, struct digest *d, size_t *used)
{
	struct http_body body;

	http_body_init(&body, head);
	*used = 0;
	while (*used < len && !http_body_complete(&body)) {
		size_t n = len - *used < step ? len - *used : step;
		ssize_t r = http_body_feed(&body, bytes + *used, n, sink, d);

		if (r < 0)
			return r;
		hold((size_t)r <= n);
		*used += (size_t)r;
	}
	return http_body_complete(&body);
}

static void check_body(const struct http_head *head, const char *bytes, size_t len)
{
	struct digest whole = { 0 }, pieces = { 0 };
	size_t whole_used, pieces_used;
	ssize_t a = read_body(head, bytes, len, len, &whole, &whole_used);
	ssize_t b = read_body(head, bytes, len, 1, &pieces, &pieces_used);

	hold(a == b && whole.sum == pieces.sum && whole.len == pieces.len);
	hold(a < 0 || whole_used == pieces_used);
	hold(head->content_length < 0 || whole.len <= (size_t)head->content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct http_head head;
	ssize_t n = http_parse_head(bytes, size, &head);

	if (n <= 0) {
		hold(n == 0 || n == -EBADMSG || n == -EMSGSIZE);
		hold(n != 0 || size < HTTP_HEAD_MAX);
		return 0;
	}
	hold((size_t)n <= size && n <= HTTP_HEAD_MAX);
	hold(head.status >= 100 && head.status <= 599);
	hold(head.content_length >= -1 && (head.content_length < 0 || !head.chunked));
	hold(memchr(head.content_type, '\0', sizeof(head.content_type)) != NULL);
	check_body(&head, bytes + n, size - (size_t)n);
	return 0;
}
