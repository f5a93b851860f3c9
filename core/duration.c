/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "core/duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

static const struct {
	char name;
	uint32_t seconds;
} units[] = {
	{ 'w', 7 * 86400 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
};

/* Digits alone: nobody means a blank or a sign. */
static int take_number(const char **at, uint64_t *ret)
{
	char *end;

	if (!strchr("0123456789", **at) || !**at)
		return -EINVAL;
	errno = 0;
	*ret = strtoull(*at, &end, 10);
	if (errno || *ret > UINT32_MAX)
		return -ERANGE;
	*at = end;
	return 0;
}

/* @next: index of the largest unit that may still come */
static int take_unit(const char **at, size_t *next, uint32_t *ret)
{
	for (size_t i = *next; i < ARRAY_SIZE(units); i++) {
		if (units[i].name != **at)
			continue;
		*next = i + 1;
		*ret = units[i].seconds;
		(*at)++;
		return 0;
	}
	return -EINVAL;
}

int duration_parse(const char *text, uint32_t *ret)
{
	const size_t digits = strspn(text, "0123456789");
	const bool bare = digits > 0 && !text[digits];
	uint64_t sum = 0, number;
	uint32_t unit = 1;
	size_t next = 0;
	int r;

	do {
		r = take_number(&text, &number);
		if (r == 0 && !bare)
			r = take_unit(&text, &next, &unit);
		if (r < 0)
			return r;
		sum += number * unit;
		if (sum > UINT32_MAX)
			return -ERANGE;
	} while (*text);
	*ret = (uint32_t)sum;
	return 0;
}

const char *duration_format(uint64_t seconds, char buf[static DURATION_STRLEN])
{
	size_t len = 0;
	int parts = 0;

	for (size_t i = 0; i < ARRAY_SIZE(units) && parts < 2; i++) {
		const uint64_t n = seconds / units[i].seconds;

		if (n == 0 && parts == 0)
			continue;
		parts++;
		if (n == 0)
			continue;
		len += (size_t)snprintf(buf + len, DURATION_STRLEN - len, "%" PRIu64 "%c",
					n, units[i].name);
		seconds -= n * units[i].seconds;
	}
	if (parts == 0)
		snprintf(buf, DURATION_STRLEN, "0s");
	return buf;
}
