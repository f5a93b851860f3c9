/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

#define DOTS "..."

bool text_is_plain(char c)
{
	return c >= ' ' && c <= '~';
}

static size_t width(char c)
{
	return text_is_plain(c) ? 1 : 4;
}

static bool fits(const char *text, size_t len, size_t size)
{
	size_t total = 0;

	for (size_t i = 0; i < len && total < size; i++)
		total += width(text[i]);
	return total < size;
}

static void put(char *at, char c)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char byte = (unsigned char)c;

	if (text_is_plain(c)) {
		*at = c;
		return;
	}
	at[0] = '\\';
	at[1] = 'x';
	at[2] = digits[byte >> 4];
	at[3] = digits[byte & 15];
}

const char *text_escape(const char *text, size_t len, char *buf, size_t size)
{
	const bool whole = fits(text, len, size);
	const size_t end = whole ? size - 1 : size - sizeof(DOTS);
	size_t at = 0;

	assert(size >= 8);
	for (size_t i = 0; i < len && at + width(text[i]) <= end; i++) {
		put(buf + at, text[i]);
		at += width(text[i]);
	}
	strcpy(buf + at, whole ? "" : DOTS);
	return buf;
}

char *text_digits(uint64_t n, char *at)
{
	char digits[TEXT_DIGITS_MAX];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(at, digits + first, sizeof(digits) - first);
	return at + sizeof(digits) - first;
}

const char *text_count(uint64_t n, char buf[static TEXT_COUNT_STRLEN])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

const char *text_things(uint64_t n, const char *thing,
			char buf[static TEXT_PHRASE_STRLEN])
{
	const size_t len = strlen(thing);
	const char *plural = len && thing[len - 1] == 's' ? "es" : "s";
	char count[TEXT_COUNT_STRLEN];

	snprintf(buf, TEXT_PHRASE_STRLEN, "%s %.30s%s", n ? text_count(n, count) : "no",
		 thing, n == 1 ? "" : plural);
	return buf;
}
