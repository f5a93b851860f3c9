/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_lines - a body in NDJSON, cut anywhere
 *
 * The lines are those that a splitter on one screen finds, however the bytes come in; and
 * natd takes, or refuses with the same words, the same list. Of two bytes 0xff N, which
 * no JSON has, 66 * N letters are made, so that long lines need no long inputs.
 */

#include <errno.h>
#include <string.h>

#include "core/ndjson.h"
#include "core/text.h"
#include "natd/api/body.h"
#include "tests/fuzz/fuzz.h"

#define STRETCH	 66
#define TEXT_MAX (128 * 1024)

struct text {
	char *bytes;
	size_t len;
};

static struct text stretch(const uint8_t *data, size_t size)
{
	struct text text = { malloc(TEXT_MAX), 0 };
	char *exact;

	hold(text.bytes);
	for (size_t i = 0; i < size && text.len < TEXT_MAX - STRETCH * UINT8_MAX; i++) {
		if (data[i] == 0xff && i + 1 < size) {
			size_t n = STRETCH * (size_t)data[++i];

			memset(text.bytes + text.len, 'x', n);
			text.len += n;
		} else {
			text.bytes[text.len++] = (char)data[i];
		}
	}
	/* so that a sanitizer sees a step beyond */
	exact = realloc(text.bytes, text.len ? text.len : 1);
	hold(exact);
	text.bytes = exact;
	return text;
}

/* ------------------------------------------------------------ the splitter */

static int on_line(void *userdata, const char *line, size_t len)
{
	hold(len > 0 && len <= NDJSON_LINE_MAX && line[len] == '\0');
	hold(!memchr(line, '\n', len));
	digest_add(userdata, line, len + 1);
	return 0;
}

/* What the splitter should do. */
static int split_plainly(const struct text *text, struct digest *d)
{
	const char *at = text->bytes, *end = at + text->len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);

		if (len && at[len - 1] == '\r')
			len--;
		if (len > NDJSON_LINE_MAX)
			return -EMSGSIZE;
		digest_add(d, at, len);
		if (len)
			digest_add(d, "", 1);
		at = stop ? stop + 1 : end;
	}
	return 0;
}

static int split(const struct text *text, struct dice *dice, struct digest *d)
{
	struct ndjson nd = { 0 };
	size_t at = 0, n;
	int r = 0;

	for (; r == 0 && at < text->len; at += n) {
		n = dice ? dice_piece(dice, text->len - at) : text->len;
		r = ndjson_feed(&nd, text->bytes + at, n, on_line, d);
	}
	if (r == 0)
		r = ndjson_end(&nd, on_line, d);
	ndjson_done(&nd);
	return r;
}

static void check_splitter(const struct text *text, struct dice *dice)
{
	struct digest plain = { 0 }, whole = { 0 }, pieces = { 0 };
	int r = split_plainly(text, &plain);

	hold(split(text, NULL, &whole) == r);
	hold(split(text, dice, &pieces) == r);
	hold(whole.sum == plain.sum && whole.len == plain.len);
	hold(pieces.sum == plain.sum && pieces.len == plain.len);
}

/* ------------------------------------------------------------ natd's body */

static void feed(struct body *body, const struct text *text, struct dice *dice)
{
	size_t n;

	for (size_t at = 0; at < text->len; at += n) {
		n = dice ? dice_piece(dice, text->len - at) : text->len;
		hold(body_feed(body, text->bytes + at, n) == 0);
	}
	body_end(body);
}

static void hold_same(const struct body *a, const struct body *b)
{
	hold(a->refused == b->refused && a->list.n == b->list.n);
	hold(a->document.len == b->document.len);
	hold(!a->document.len ||
	     memcmp(a->document.bytes, b->document.bytes, a->document.len) == 0);
	if (!a->refused)
		return;
	hold(a->why.verdict == b->why.verdict && a->why.index == b->why.index);
	hold(strcmp(a->why.detail, b->why.detail) == 0 && a->why.detail[0]);
	for (const char *c = a->why.detail; *c; c++)
		hold(text_is_plain(*c));
}

static void check_body(enum body_kind kind, const struct text *text, struct dice *dice)
{
	struct body whole, pieces;
	size_t shared = 0;

	body_init(&whole, kind, &shared);
	body_init(&pieces, kind, &shared);
	feed(&whole, text, NULL);
	feed(&pieces, text, dice);
	hold_same(&whole, &pieces);
	body_done(&whole);
	body_done(&pieces);
	hold(shared == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dice dice = dice_of(data, size);
	struct text text = stretch(data, size);

	check_splitter(&text, &dice);
	check_body(BODY_LINES, &text, &dice);
	check_body(BODY_DOCUMENT, &text, &dice);
	check_body(BODY_NONE, &text, &dice);
	free(text.bytes);
	return 0;
}
