/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/http.h"
#include "core/cleanup.h"

/* a piece of the head; not NUL-terminated */
struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && !strncasecmp(s.at, word, s.len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span span_trim(struct span s)
{
	while (s.len && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

/* RFC 9110 5.6.2 */
static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (!c || c >= 0x80 || (!isalnum(c) && !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return s.len > 0;
}

static bool has_controls(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static int parse_status_line(struct span line, struct http_head *head)
{
	const char *at = line.at;

	if (line.len < 12 || memcmp(at, "HTTP/1.", 7) != 0 || has_controls(line))
		return -EBADMSG;
	if ((at[7] != '0' && at[7] != '1') || at[8] != ' ')
		return -EBADMSG;
	if (at[9] < '1' || at[9] > '5' || !isdigit((unsigned char)at[10]) ||
	    !isdigit((unsigned char)at[11]) || (line.len > 12 && at[12] != ' '))
		return -EBADMSG;

	head->keep_alive = at[7] == '1';
	head->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
	return 0;
}

static int take_length(struct span value, struct http_head *head)
{
	int64_t n = 0;

	/* 15 digits cannot overflow, and no answer is that long */
	if (head->content_length >= 0 || !value.len || value.len > 15)
		return -EBADMSG;
	for (size_t i = 0; i < value.len; i++) {
		if (!isdigit((unsigned char)value.at[i]))
			return -EBADMSG;
		n = n * 10 + (value.at[i] - '0');
	}
	head->content_length = n;
	return 0;
}

static int take_encoding(struct span value, struct http_head *head)
{
	if (head->chunked || !span_is(value, "chunked"))
		return -EBADMSG;
	head->chunked = true;
	return 0;
}

static int take_connection(struct span value, struct http_head *head)
{
	while (value.len) {
		const char *comma = memchr(value.at, ',', value.len);
		size_t n = comma ? (size_t)(comma - value.at) : value.len;

		if (span_is(span_trim((struct span){ value.at, n }), "close"))
			head->keep_alive = false;
		n += comma != NULL;
		value.at += n;
		value.len -= n;
	}
	return 0;
}

static int take_type(struct span value, struct http_head *head)
{
	const char *semicolon = memchr(value.at, ';', value.len);
	size_t i = 0;

	if (semicolon)
		value.len = (size_t)(semicolon - value.at);
	value = span_trim(value);
	if (head->content_type[0] || value.len >= sizeof(head->content_type))
		return -EBADMSG;
	for (; i < value.len; i++)
		head->content_type[i] = (char)tolower((unsigned char)value.at[i]);
	head->content_type[i] = '\0';
	return 0;
}

static int parse_field(struct span line, struct http_head *head)
{
	static const struct {
		const char *name;
		int (*take)(struct span value, struct http_head *head);
	} fields[] = {
		{ "Content-Length", take_length },
		{ "Transfer-Encoding", take_encoding },
		{ "Connection", take_connection },
		{ "Content-Type", take_type },
	};
	const char *colon = memchr(line.at, ':', line.len);
	struct span name, value;

	if (!colon || has_controls(line))
		return -EBADMSG;
	name = (struct span){ line.at, (size_t)(colon - line.at) };
	value = span_trim((struct span){ colon + 1, line.len - name.len - 1 });
	if (!is_token(name))
		return -EBADMSG;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (span_is(name, fields[i].name))
			return fields[i].take(value, head);
	}
	return 0;
}

/* Lines end in CR LF, all of them; @len ends behind the empty one. */
static int parse_lines(const char *bytes, size_t len, struct http_head *head)
{
	const char *at = bytes, *end = bytes + len - 2;
	int r = 0;

	while (r == 0 && at < end) {
		const char *eol = memmem(at, (size_t)(end + 2 - at), "\r\n", 2);
		struct span line = { at, (size_t)(eol - at) };

		r = at == bytes ? parse_status_line(line, head) : parse_field(line, head);
		at = eol + 2;
	}
	if (r == 0 && head->chunked && head->content_length >= 0)
		return -EBADMSG;
	return r;
}

ssize_t http_parse_head(const char *bytes, size_t len, struct http_head *ret)
{
	static const char version[] = "HTTP/1.";
	size_t window = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	size_t n = len < sizeof(version) - 1 ? len : sizeof(version) - 1;
	struct http_head head = { .content_length = -1 };
	const char *end;

	/* said at once, not when a peer that speaks another language falls silent */
	if (n && memcmp(bytes, version, n) != 0)
		return -EBADMSG;
	end = window ? memmem(bytes, window, "\r\n\r\n", 4) : NULL;
	if (!end)
		return window == HTTP_HEAD_MAX ? -EMSGSIZE : 0;

	window = (size_t)(end - bytes) + 4;
	if (parse_lines(bytes, window, &head) < 0)
		return -EBADMSG;
	*ret = head;
	return (ssize_t)window;
}
