/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/siphash.h"
#include "core/text.h"

/* Key 00 01 .. 0f, input 00 01 .. of each length; made with a program that CPython's own
 * SipHash-1-3 was held against. */
Test(siphash, gives_what_others_give)
{
	static const uint8_t expected[][8] = {
		{ 0xdc, 0xc4, 0x0f, 0x05, 0x58, 0x01, 0xac, 0xab },
		{ 0x93, 0xca, 0x57, 0x7d, 0xf3, 0x9b, 0xf4, 0xc9 },
		{ 0x4d, 0xd4, 0xc7, 0x4d, 0x02, 0x9b, 0xcb, 0x82 },
		{ 0xfb, 0xf7, 0xdd, 0xe7, 0xb8, 0x0a, 0xf8, 0x8b },
		{ 0x28, 0x83, 0xd3, 0x88, 0x60, 0x57, 0x75, 0xcf },
		{ 0x67, 0x3b, 0x53, 0x49, 0x2f, 0xd5, 0xf9, 0xde },
		{ 0xa7, 0x22, 0x9f, 0xc5, 0x50, 0x2b, 0x0d, 0xc5 },
		{ 0x40, 0x11, 0xb1, 0x9b, 0x98, 0x7d, 0x92, 0xd3 },
		{ 0x8e, 0x9a, 0x29, 0x8d, 0x11, 0x95, 0x90, 0x36 },
		{ 0xe4, 0x3d, 0x06, 0x6c, 0xb3, 0x8e, 0xa4, 0x25 },
		{ 0x7f, 0x09, 0xff, 0x92, 0xee, 0x85, 0xde, 0x79 },
		{ 0x52, 0xc3, 0x4d, 0xf9, 0xc1, 0x18, 0xc1, 0x70 },
		{ 0xa2, 0xd9, 0xb4, 0x57, 0xb1, 0x84, 0xa3, 0x78 },
		{ 0xa7, 0xff, 0x29, 0x12, 0x0c, 0x76, 0x6f, 0x30 },
		{ 0x34, 0x5d, 0xf9, 0xc0, 0x11, 0xa1, 0x5a, 0x60 },
		{ 0x56, 0x99, 0x51, 0x2a, 0x6d, 0xd8, 0x20, 0xd3 },
		{ 0x66, 0x8b, 0x90, 0x7d, 0x1a, 0xdd, 0x4f, 0xcc },
		{ 0x0c, 0xd8, 0xdb, 0x63, 0x90, 0x68, 0xf2, 0x9c },
	};
	uint8_t key[16], input[ARRAY_SIZE(expected)];

	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof(input); i++)
		input[i] = i;
	for (size_t len = 0; len < ARRAY_SIZE(expected); len++) {
		const uint64_t hash = htole64(siphash13(key, input, len));

		cr_expect_arr_eq(&hash, expected[len], sizeof(hash), "length %zu", len);
	}
}

Test(siphash, every_byte_and_the_key_count)
{
	uint8_t key[16] = "sixteen letters", input[40] = { 0 };
	const uint64_t hash = siphash13(key, input, sizeof(input));

	for (size_t i = 0; i < sizeof(input); i++) {
		input[i] ^= 1;
		cr_expect_neq(siphash13(key, input, sizeof(input)), hash, "byte %zu", i);
		input[i] ^= 1;
	}
	cr_expect_neq(siphash13(key, input, sizeof(input) - 1), hash);
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] ^= 1;
		cr_expect_neq(siphash13(key, input, sizeof(input)), hash, "key byte %zu",
			      i);
		key[i] ^= 1;
	}
}

Test(text, what_is_not_printable_ascii_is_shown_as_hex)
{
	static const struct {
		const char *text;
		size_t len;
		const char *shown;
	} cases[] = {
		{ "web", 3, "web" },	  { "", 0, "" },
		{ "a\nb", 3, "a\\x0ab" }, { "\x1b[2J", 4, "\\x1b[2J" },
		{ "\0", 1, "\\x00" },	  { "\x7f\xff", 2, "\\x7f\\xff" },
		{ "~ ", 2, "~ " },
	};
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(
			text_escape(cases[i].text, cases[i].len, buf, sizeof(buf)),
			cases[i].shown);
}

Test(text, what_does_not_fit_ends_in_dots)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "1234567", "1234567" }, { "12345678", "1234..." },
		{ "123\n", "123\\x0a" },  { "1234\n", "1234..." },
		{ "1\n2\n", "1..." },	  { "123456\n", "1234..." },
	};
	char buf[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(text_escape(cases[i].text, strlen(cases[i].text), buf,
					     sizeof(buf)),
				 cases[i].shown);
}

Test(text, is_appended_as_far_as_it_fits)
{
	char buf[8] = "";

	text_append(buf, sizeof(buf), "%s-%d", "ab", 1);
	cr_expect_str_eq(buf, "ab-1");
	text_append(buf, sizeof(buf), "%s", "");
	cr_expect_str_eq(buf, "ab-1");
	text_append(buf, sizeof(buf), "%d", 23456);
	cr_expect_str_eq(buf, "ab-1234");
	text_append(buf, sizeof(buf), "more");
	cr_expect_str_eq(buf, "ab-1234");
}

Test(text, digits_are_those_of_printf)
{
	static const uint64_t numbers[] = { 0,	  9,	      10,	  255, 65535,
					    1000, UINT32_MAX, UINT64_MAX, 1 };
	char digits[TEXT_DIGITS_MAX + 1], printed[TEXT_DIGITS_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		*text_digits(numbers[i], digits) = '\0';
		snprintf(printed, sizeof(printed), "%" PRIu64, numbers[i]);
		cr_expect_str_eq(digits, printed);
	}
}

Test(text, hexadecimal_digits_are_read_when_there_are_just_so_many)
{
	static const char *const wrong[] = { "",       "00ff1",	 "00ff100", "00FF10",
					     "0xff10", "00f g0", "+0ff10",  "00ff1\xe9" };
	uint8_t bytes[3] = { 1, 2, 3 };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_eq(text_hex(wrong[i], bytes, 3), -EINVAL, "%s", wrong[i]);
	cr_expect(bytes[0] == 1 && bytes[1] == 2 && bytes[2] == 3);
	cr_expect_eq(text_hex("00ff1a", bytes, 3), 0);
	cr_expect(bytes[0] == 0 && bytes[1] == 0xff && bytes[2] == 0x1a);
}
