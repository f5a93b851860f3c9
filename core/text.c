/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
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
