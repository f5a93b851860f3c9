/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>

#include "core/cleanup.h"
#include "core/duration.h"

Test(duration, is_read_as_people_write_it)
{
	static const struct {
		const char *text;
		int result;
		uint32_t seconds;
	} cases[] = {
		{ "90", 0, 90 },
		{ "90s", 0, 90 },
		{ "15m", 0, 900 },
		{ "1h", 0, 3600 },
		{ "7d", 0, 604800 },
		{ "2w", 0, 1209600 },
		{ "1h30m", 0, 5400 },
		{ "1d0h1s", 0, 86401 },
		{ "0", 0, 0 },
		{ "4294967295", 0, UINT32_MAX },
		{ "4294967296", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "7102w", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "h", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 },
		{ "1h 30m", -EINVAL, 0 },
		{ "-1h", -EINVAL, 0 },
		{ "1m1h", -EINVAL, 0 },
		{ "1h1h", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 },
		{ "1.5h", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t seconds = 7;

		cr_expect_eq(duration_parse(cases[i].text, &seconds), cases[i].result,
			     "%s", cases[i].text);
		cr_expect_eq(seconds, cases[i].result ? 7 : cases[i].seconds, "%s",
			     cases[i].text);
	}
}

Test(duration, is_written_with_its_two_largest_units)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 59, "59s" },
		{ 60, "1m" },
		{ 3599, "59m59s" },
		{ 3600, "1h" },
		{ 5400, "1h30m" },
		{ 3601, "1h" },
		{ 86399, "23h59m" },
		{ 604800, "1w" },
		{ 600000, "6d22h" },
		{ UINT32_MAX, "7101w3d" },
	};
	char buf[DURATION_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(duration_format(cases[i].seconds, buf), cases[i].text);
	duration_format(UINT64_MAX, buf);
	cr_expect_lt(strlen(buf), sizeof(buf));
}
