/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "cli/words.h"
#include "core/cleanup.h"

Test(text, is_made_harmless_to_terminals)
{
	static const struct {
		const char *text, *clean;
	} texts[] = {
		{ "tcp 8080 -> ~", "tcp 8080 -> ~" },
		{ "\x1b[2J\r\n\t\x7f", "?[2J????" },
		{ "\xc2\x9b"
		  "2J",
		  "??2J" },				    /* C1: CSI */
		{ "\xc2\xa0\xc3\xa4", "\xc2\xa0\xc3\xa4" }, /* U+A0, a umlaut */
		{ "\xe2\x82\xac", "\xe2\x82\xac" },	    /* euro */
		{ "\xf0\x9f\x8c\x8d", "\xf0\x9f\x8c\x8d" }, /* a globe */
		{ "\xc3", "?" },
		{ "\xe2\x82", "??" },
		{ "\xe2\x82x", "??x" },
		{ "\xc0\x9b", "??" },		/* overlong */
		{ "\xe0\x80\x9b", "???" },	/* overlong */
		{ "\xed\xa0\x80", "???" },	/* a surrogate */
		{ "\xf5\x80\x80\x80", "????" }, /* beyond U+10FFFF */
		{ "\x80\xff", "??" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char buf[64];

		strcpy(buf, texts[i].text);
		cr_expect_str_eq(text_clean(buf), texts[i].clean, "%s", texts[i].clean);
	}
}

Test(text, distance_counts_letters)
{
	char longest[40];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_eq(text_distance("list", "list"), 0);
	cr_expect_eq(text_distance("lsit", "list"), 1, "a swap");
	cr_expect_eq(text_distance("lis", "list"), 1);
	cr_expect_eq(text_distance("lists", "list"), 1);
	cr_expect_eq(text_distance("lost", "list"), 1);
	cr_expect_eq(text_distance("", "list"), 4);
	cr_expect_eq(text_distance("status", "add"), 5);
	cr_expect_eq(text_distance(longest, "list"), SIZE_MAX);
}

Test(text, numbers_are_grouped)
{
	char buf[TEXT_COUNT_STRLEN];

	cr_expect_str_eq(text_count(0, buf), "0");
	cr_expect_str_eq(text_count(999, buf), "999");
	cr_expect_str_eq(text_count(1000, buf), "1,000");
	cr_expect_str_eq(text_count(65535, buf), "65,535");
	cr_expect_str_eq(text_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
}

Test(text, things_agree_with_their_number)
{
	char buf[TEXT_PHRASE_STRLEN];

	cr_expect_str_eq(text_things(0, "connection", buf), "no connections");
	cr_expect_str_eq(text_things(1, "connection", buf), "1 connection");
	cr_expect_str_eq(text_things(1200, "connection", buf), "1,200 connections");
	cr_expect_str_eq(text_things(1, "WAN address", buf), "1 WAN address");
	cr_expect_str_eq(text_things(2, "WAN address", buf), "2 WAN addresses");
}

Test(text, ages_are_told_in_the_largest_unit)
{
	char buf[TEXT_PHRASE_STRLEN];

	cr_expect_str_eq(text_age(0, buf), "0 seconds");
	cr_expect_str_eq(text_age(1, buf), "1 second");
	cr_expect_str_eq(text_age(119, buf), "1 minute");
	cr_expect_str_eq(text_age(3 * 86400, buf), "3 days");
	cr_expect_str_eq(text_age(800 * 86400, buf), "2 years");
}

Test(text, moments_are_local_and_relative)
{
	char buf[TEXT_PHRASE_STRLEN];

	setenv("TZ", "UTC", 1);
	cr_expect_str_eq(text_moment(86400, 86400 + 7200, buf),
			 "1970-01-02 00:00:00 (2 hours ago)");
	cr_expect_str_eq(text_moment(86400, 0, buf), "1970-01-02 00:00:00", "the future");
	cr_expect_str_eq(text_moment(UINT64_MAX / 4, 0, buf), "?", "no such year");
}

Test(text, bytes_are_in_the_largest_unit)
{
	static const struct {
		uint64_t n;
		const char *text;
	} counts[] = {
		{ 0, "0" },
		{ 1023, "1023" },
		{ 1024, "1.0K" },
		{ 1300, "1.2K" },
		{ 1024 * 1024 - 1, "1023.9K" },
		{ 1024 * 1024, "1.0M" },
		{ UINT64_C(5) << 30, "5.0G" },
		{ UINT64_MAX, "15.9E" },
	};
	char buf[TEXT_BYTES_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		cr_expect_str_eq(text_bytes(counts[i].n, buf), counts[i].text);
}

Test(text, is_quoted_for_a_url)
{
	char buf[32];

	cr_expect_str_eq(text_quote("a-Z_0.9~", buf, sizeof(buf)), "a-Z_0.9~");
	cr_expect_str_eq(text_quote("[::1]:80&a b", buf, sizeof(buf)),
			 "%5B%3A%3A1%5D%3A80%26a%20b");
	cr_expect_str_eq(text_quote("\xc3\xa4", buf, sizeof(buf)), "%C3%A4");
	cr_expect_str_eq(text_quote("&&&", buf, 8), "%26%26");
}

static struct flaw why;

Test(words, are_cut_as_a_shell_would)
{
	static const struct {
		const char *line;
		const char *words[5];
	} lines[] = {
		{ "", { NULL } },
		{ " \t ", { NULL } },
		{ "# add tcp", { NULL } },
		{ "list", { "list" } },
		{ "  add\ttcp  80 ", { "add", "tcp", "80" } },
		{ "a # b", { "a" } },
		{ "a#b", { "a#b" } },
		{ "a '# b' \"# c\"", { "a", "# b", "# c" } },
		{ "'it''s' a\\ b \\#", { "its", "a b", "#" } },
		{ "\"a\\\"b\\\\c\\d\" '\\'", { "a\"b\\c\\d", "\\" } },
		{ "'' \"\" x", { "", "", "x" } },
		{ "a'b c'\"d\"e", { "ab cde" } },
		{ "a b c d e", { "a", "b", "c", "d", "e" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct words words;
		char line[64];

		strcpy(line, lines[i].line);
		cr_assert_eq(words_split(line, &words, &why), 0, "%s", lines[i].line);
		for (size_t j = 0; j < words.n; j++) {
			cr_assert_not_null(lines[i].words[j], "%s", lines[i].line);
			cr_expect_str_eq(words.words[j], lines[i].words[j]);
		}
		cr_expect(words.n == 5 || !lines[i].words[words.n], "%s", lines[i].line);
		words_done(&words);
	}
}

Test(words, half_quoted_lines_are_refused)
{
	static const struct {
		const char *line, *sentence;
	} lines[] = {
		{ "a 'b", "a ' is not closed." },
		{ "a \"b", "a \" is not closed." },
		{ "a \"b\\\"", "a \" is not closed." },
		{ "a \"b\\", "a \" is not closed." },
		{ "a b\\", "a backslash ends the line. Write a command on one line." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct words words;
		char line[64];

		strcpy(line, lines[i].line);
		cr_expect_eq(words_split(line, &words, &why), -EINVAL, "%s",
			     lines[i].line);
		cr_expect_str_eq(why.text, lines[i].sentence);
	}
}
