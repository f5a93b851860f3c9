/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ndjson.h"

static const char sample[] = "{\"a\":1}\n\r\n\n{\"b\":\"\r\"}\r\n\r\r\n x \n{\"last\":1}";
static const char sample_lines[] = "<{\"a\":1}><{\"b\":\"\r\"}><\r>< x ><{\"last\":1}>";

/** struct got - the lines that came, each in <> */
struct got {
	char text[256];
	size_t len;
};

static int take_line(void *userdata, const char *line, size_t len)
{
	struct got *got = userdata;

	cr_assert_eq(line[len], '\0');
	cr_assert_lt(got->len + len + 3, sizeof(got->text));
	got->text[got->len] = '<';
	memcpy(got->text + got->len + 1, line, len);
	got->text[got->len + 1 + len] = '>';
	got->len += len + 2;
	return 0;
}

static void feed(struct ndjson *nd, struct got *got, const char *bytes, size_t len)
{
	/* a copy of its own, so that a sanitizer sees a read beyond it */
	char *piece = malloc(len ? len : 1);

	memcpy(piece, bytes, len);
	cr_assert_eq(ndjson_feed(nd, piece, len, take_line, got), 0);
	free(piece);
}

static void expect_sample(struct ndjson *nd, struct got *got)
{
	cr_assert_eq(ndjson_end(nd, take_line, got), 0);
	ndjson_done(nd);
	cr_expect_eq(got->len, strlen(sample_lines));
	cr_expect_arr_eq(got->text, sample_lines, strlen(sample_lines), "%.*s",
			 (int)got->len, got->text);
}

Test(ndjson, lines_do_not_depend_on_where_the_pieces_end)
{
	const size_t len = strlen(sample);

	for (size_t first = 0; first <= len; first++) {
		for (size_t second = first; second <= len; second++) {
			struct ndjson nd = { 0 };
			struct got got = { 0 };

			feed(&nd, &got, sample, first);
			feed(&nd, &got, sample + first, second - first);
			feed(&nd, &got, sample + second, len - second);
			expect_sample(&nd, &got);
		}
	}
}

Test(ndjson, single_bytes_make_the_same_lines)
{
	struct ndjson nd = { 0 };
	struct got got = { 0 };

	for (const char *at = sample; *at; at++)
		feed(&nd, &got, at, 1);
	expect_sample(&nd, &got);
}

Test(ndjson, no_bytes_make_no_lines)
{
	struct ndjson nd = { 0 };
	struct got got = { 0 };

	cr_expect_eq(ndjson_feed(&nd, NULL, 0, take_line, &got), 0);
	cr_expect_eq(ndjson_end(&nd, take_line, &got), 0);
	ndjson_done(&nd);
	cr_expect_eq(got.len, 0);
}

static int count_line(void *userdata, const char *line, size_t len)
{
	size_t *longest = userdata;

	if (len > *longest)
		*longest = len;
	return 0;
}

/* Feeds a line of @len bytes and @end in pieces of @piece bytes. */
static int feed_long(size_t len, const char *end, size_t piece, size_t *longest)
{
	const size_t total = len + strlen(end);
	char *bytes = malloc(total);
	struct ndjson nd = { 0 };
	int r = 0;

	memset(bytes, 'x', len);
	memcpy(bytes + len, end, strlen(end));
	for (size_t at = 0; at < total && r == 0; at += piece)
		r = ndjson_feed(&nd, bytes + at, total - at < piece ? total - at : piece,
				count_line, longest);
	if (r == 0)
		r = ndjson_end(&nd, count_line, longest);
	ndjson_done(&nd);
	free(bytes);
	return r;
}

Test(ndjson, a_line_has_at_most_its_maximum)
{
	static const char *const ends[] = { "", "\n", "\r\n", "\r" };
	static const size_t pieces[] = { 1, 1000, 1000000 };

	for (size_t e = 0; e < 4; e++) {
		for (size_t p = 0; p < 3; p++) {
			size_t longest = 0;

			cr_expect_eq(
				feed_long(NDJSON_LINE_MAX, ends[e], pieces[p], &longest),
				0);
			cr_expect_eq(longest, NDJSON_LINE_MAX);
			longest = 0;
			cr_expect_eq(feed_long(NDJSON_LINE_MAX + 1, ends[e], pieces[p],
					       &longest),
				     -EMSGSIZE);
			cr_expect_eq(longest, 0);
		}
	}
}

Test(ndjson, too_long_is_told_before_the_line_ends)
{
	struct ndjson nd = { 0 };
	size_t longest = 0, fed = 0;
	int r = 0;

	for (; r == 0 && fed < 2 * NDJSON_LINE_MAX; fed++)
		r = ndjson_feed(&nd, "x", 1, count_line, &longest);
	cr_expect_eq(r, -EMSGSIZE);
	cr_expect_eq(fed, NDJSON_LINE_MAX + 1);
	ndjson_done(&nd);
}

static int stop_at_b(void *userdata, const char *line, size_t len)
{
	++*(int *)userdata;
	return line[0] == 'b' ? 42 : 0;
}

Test(ndjson, what_the_callback_says_stops_and_is_returned)
{
	struct ndjson nd = { 0 };
	int lines = 0;

	cr_expect_eq(ndjson_feed(&nd, "a\nb\nc\n", 6, stop_at_b, &lines), 42);
	cr_expect_eq(lines, 2);
	ndjson_done(&nd);

	cr_expect_eq(ndjson_feed(&nd, "b", 1, stop_at_b, &lines), 0);
	cr_expect_eq(ndjson_end(&nd, stop_at_b, &lines), 42);
	ndjson_done(&nd);
}
