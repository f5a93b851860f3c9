/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"

/*
 * Bytes of the UTF-8 sequence at @s that a terminal may see; 0 = none. Overlong forms,
 * surrogates and what lies beyond U+10FFFF are no UTF-8 (RFC 3629).
 */
static size_t harmless(const unsigned char *s)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t len;
	} forms[] = {
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, /* C1 controls left out */
		{ 0xc3, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (*s < 0x80)
		return *s >= 0x20 && *s != 0x7f;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = 2;

		if (s[0] < forms[i].first_min || s[0] > forms[i].first_max)
			continue;
		if (s[1] < forms[i].second_min || s[1] > forms[i].second_max)
			return 0;
		while (n < forms[i].len && (s[n] & 0xc0) == 0x80)
			n++;
		return n == forms[i].len ? n : 0;
	}
	return 0;
}

char *text_clean(char *text)
{
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		size_t n = harmless(at);

		if (!n)
			*at = '?';
		at += n ? n : 1;
	}
	return text;
}

#define DISTANCE_MAX 32

static size_t least_of(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Optimal string alignment: rows 0..2 are the last three of the matrix. */
size_t text_distance(const char *a, const char *b)
{
	size_t rows[3][DISTANCE_MAX + 1], n = strlen(a), m = strlen(b);

	if (n > DISTANCE_MAX || m > DISTANCE_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
		const size_t *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			row[j] = least_of(row[j - 1] + 1, above[j] + 1,
					  above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && above2[j - 2] + 1 < row[j])
				row[j] = above2[j - 2] + 1;
		}
	}
	return rows[n % 3][m];
}

const char *text_age(uint64_t seconds, char buf[static TEXT_PHRASE_STRLEN])
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {
		{ 365 * 86400, "year" }, { 86400, "day" }, { 3600, "hour" },
		{ 60, "minute" },	 { 1, "second" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (seconds >= units[i].seconds)
			return text_things(seconds / units[i].seconds, units[i].name,
					   buf);
	}
	snprintf(buf, TEXT_PHRASE_STRLEN, "0 seconds");
	return buf;
}

const char *text_moment(uint64_t at, uint64_t now, char buf[static TEXT_PHRASE_STRLEN])
{
	char day[24] = "?", age[TEXT_PHRASE_STRLEN];
	time_t t = (time_t)at;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
	if (at <= now)
		snprintf(buf, TEXT_PHRASE_STRLEN, "%s (%.30s ago)", day,
			 text_age(now - at, age));
	else
		snprintf(buf, TEXT_PHRASE_STRLEN, "%s", day);
	return buf;
}

const char *text_bytes(uint64_t n, char buf[static TEXT_BYTES_STRLEN])
{
	static const char units[] = "KMGTPE";
	uint64_t tenths = n;
	size_t unit = 0;

	if (n < 1024) {
		snprintf(buf, TEXT_BYTES_STRLEN, "%u", (unsigned int)n);
		return buf;
	}
	while (tenths >= 1024 * 1024) {
		tenths /= 1024;
		unit++;
	}
	tenths = tenths * 10 / 1024;
	snprintf(buf, TEXT_BYTES_STRLEN, "%u.%u%c", (unsigned int)(tenths / 10),
		 (unsigned int)(tenths % 10), units[unit]);
	return buf;
}

const char *text_quote(const char *text, char *buf, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = 0;

	for (; *text && len + 4 <= size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && (isalnum(c) || strchr("-._~", c))) {
			buf[len++] = *text;
			continue;
		}
		buf[len++] = '%';
		buf[len++] = hex[c >> 4];
		buf[len++] = hex[c & 15];
	}
	buf[len] = '\0';
	return buf;
}
