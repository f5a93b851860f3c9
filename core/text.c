/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

void text_append(char *buf, size_t size, const char *format, ...)
{
	const size_t at = strnlen(buf, size - 1);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + at, size - at, format, args);
	va_end(args);
}

char *text_digits(uint64_t n, char *at)
{
	char *end = at + 1;

	for (uint64_t rest = n; rest >= 10; rest /= 10)
		end++;
	for (char *digit = end; digit > at; n /= 10)
		*--digit = (char)('0' + n % 10);
	return end;
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

int text_hex(const char *text, uint8_t *ret, size_t n)
{
	if (strlen(text) != 2 * n || strspn(text, "0123456789abcdef") != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const char digits[] = { text[2 * i], text[2 * i + 1], '\0' };

		ret[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return 0;
}
