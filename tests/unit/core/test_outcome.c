/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "make.h"

Test(outcome, every_verdict_has_its_code_and_reads_back)
{
	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		const struct outcome *outcome = outcome_of((enum verdict)i);
		enum verdict verdict = VERDICT_COUNT;

		cr_assert_eq(outcome_by_code(outcome->code, &verdict), 0, "%s",
			     outcome->code);
		cr_expect_eq((size_t)verdict, i, "%s", outcome->code);
		cr_expect(outcome->title && *outcome->title);
		cr_expect_eq(outcome->http < 400, outcome->exit == 0, "%s",
			     outcome->code);
	}
}

Test(outcome, an_unknown_code_is_no_verdict)
{
	enum verdict verdict = VERDICT_BUSY;

	cr_expect_eq(outcome_by_code("gone", &verdict), -EINVAL);
	cr_expect_eq(outcome_by_code("", &verdict), -EINVAL);
	cr_expect_eq(verdict, VERDICT_BUSY);
}

/* The table of errors in docs/api.md against the one in outcome.c, both ways. */
Test(outcome, the_documentation_says_the_same)
{
	FILE *doc = fopen(API_MD, "r");
	char line[512], code[64];
	size_t documented = 0, errors = 0;
	int http, exit_status;
	enum verdict verdict;

	cr_assert_not_null(doc, "%s", API_MD);
	while (fgets(line, sizeof(line), doc)) {
		if (sscanf(line, "| `%63[a-z-]` | %d | %d |", code, &http,
			   &exit_status) != 3)
			continue;
		documented++;
		cr_assert_eq(outcome_by_code(code, &verdict), 0, "%s", code);
		cr_expect_eq(outcome_of(verdict)->http, http, "%s", code);
		cr_expect_eq(outcome_of(verdict)->exit, exit_status, "%s", code);
	}
	fclose(doc);
	for (size_t i = 0; i < VERDICT_COUNT; i++)
		errors += outcome_of((enum verdict)i)->exit != 0;
	cr_expect_eq(documented, errors);
}

Test(problem, is_written_whole)
{
	struct problem p;

	memset(&p, 'x', sizeof(p));
	problem_set(&p, VERDICT_TOO_LARGE, "Send less.", "%d bytes.", 7);
	cr_expect_eq(p.verdict, VERDICT_TOO_LARGE);
	cr_expect_eq(p.index, -1);
	cr_expect_str_eq(p.detail, "7 bytes.");
	cr_expect_str_eq(p.cure, "Send less.");
	problem_set(&p, VERDICT_FAULT, NULL, "no.");
	cr_expect_str_eq(p.cure, "");
}

Test(problem, no_control_byte_comes_through)
{
	struct problem p;

	problem_set(&p, VERDICT_FAULT, "a\tb", "%s", "x\x1b[2Jy\nz\x7f");
	cr_expect_str_eq(p.detail, "x?[2Jy?z?");
	cr_expect_str_eq(p.cure, "a?b");
}

Test(problem, a_sentence_that_was_cut_ends_in_dots_and_whole_characters)
{
	struct problem p;
	char text[600];

	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = shift; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa4", 2);
		text[sizeof(text) - 1] = '\0';
		problem_set(&p, VERDICT_FAULT, text, "%s", text);
		cr_expect_str_eq(p.detail + strlen(p.detail) - 3, "...");
		cr_expect_neq((unsigned char)p.detail[strlen(p.detail) - 4], 0xc3);
		cr_expect_str_eq(p.cure + strlen(p.cure) - 3, "...");
		cr_expect_neq((unsigned char)p.cure[strlen(p.cure) - 4], 0xc3);
	}
}

#define DAY 86400
#define NOW (100 * DAY)

static struct mapping holder_of(const char *text, uint64_t id, enum origin origin,
				uint64_t age)
{
	struct mapping m = make_mapping(text);

	m.id = id;
	m.origin = origin;
	m.created = NOW - age;
	return m;
}

static void expect_refusal(enum verdict verdict, const struct change *change,
			   const struct mapping *holder, const char *detail,
			   const char *cure)
{
	struct problem p;

	problem_of_refusal(verdict, change, &holder, holder ? 1 : 0, NOW, &p);
	cr_expect_eq(p.verdict, verdict);
	cr_expect_str_eq(p.detail, detail);
	cr_expect_str_eq(p.cure, cure);
}

Test(refusal, a_conflict_names_who_holds_the_port_and_since_when)
{
	struct change change = make_add("tcp,udp 8080 192.168.1.66:80");
	struct mapping holder;

	holder = holder_of("tcp 8080 192.168.1.10:80 web", 7, ORIGIN_CONFIG, 3 * DAY);
	expect_refusal(
		VERDICT_CONFLICT, &change, &holder,
		"tcp 8080 is taken by \"web\" -> 192.168.1.10:80 (added by config, "
		"3 days ago).",
		"Remove it first, or choose another port.");

	holder = holder_of("udp 8080 192.168.1.10:80", 7, ORIGIN_ADMIN, 300);
	expect_refusal(VERDICT_CONFLICT, &change, &holder,
		       "udp 8080 is taken by 192.168.1.10:80 (mapping 7, added by admin, "
		       "5 minutes ago).",
		       "Remove it first, or choose another port.");

	holder.id = 0;
	expect_refusal(
		VERDICT_CONFLICT, &change, &holder,
		"udp 8080 is taken by 192.168.1.10:80 (asked for earlier in the same "
		"list).",
		"Remove it first, or choose another port.");
}

Test(refusal, the_same_under_another_name_is_a_conflict_of_names)
{
	struct change change = make_add("tcp 8080 192.168.1.10:80 other");
	struct mapping holder;

	holder = holder_of("tcp 8080 192.168.1.10:80 web", 7, ORIGIN_ADMIN, 0);
	expect_refusal(
		VERDICT_CONFLICT, &change, &holder,
		"tcp 8080 -> 192.168.1.10:80 is there already, named \"web\" (added by "
		"admin, just now).",
		"Ask for it without a name, or remove it first.");

	holder = holder_of("tcp 8080 192.168.1.10:80", 7, ORIGIN_ADMIN, 0);
	expect_refusal(
		VERDICT_CONFLICT, &change, &holder,
		"tcp 8080 -> 192.168.1.10:80 is there already, without a name (mapping "
		"7, added by admin, just now).",
		"Ask for it without a name, or remove it first.");
}

Test(refusal, the_age_is_in_the_largest_whole_unit)
{
	static const struct {
		uint64_t age;
		const char *text;
	} cases[] = {
		{ 0, "just now" },
		{ 59, "just now" },
		{ 60, "1 minute ago" },
		{ 3599, "59 minutes ago" },
		{ 3600, "1 hour ago" },
		{ DAY - 1, "23 hours ago" },
		{ DAY, "1 day ago" },
		{ 99 * DAY, "99 days ago" },
		{ (uint64_t)-1000, "just now" }, /* a clock that was set back */
	};
	struct change change = make_add("tcp 8080 192.168.1.66:80");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mapping m = holder_of("tcp 8080 192.168.1.10:80 web", 7,
					     ORIGIN_ADMIN, cases[i].age);
		const struct mapping *holder = &m;
		struct problem p;

		problem_of_refusal(VERDICT_CONFLICT, &change, &holder, 1, NOW, &p);
		cr_expect_not_null(strstr(p.detail, cases[i].text), "%s", p.detail);
	}
}

Test(refusal, a_taken_name_tells_what_it_stands_for)
{
	struct change change = make_add("tcp 9090 192.168.1.10:80 web");
	struct mapping holder =
		holder_of("tcp 8080 [2001:db8::10]:80 web", 7, ORIGIN_CONFIG, DAY);

	expect_refusal(
		VERDICT_NAME_TAKEN, &change, &holder,
		"The name \"web\" stands for tcp 8080 -> [2001:db8::10]:80 (added by "
		"config, 1 day ago).",
		"Choose another name, or remove it first.");
}

Test(refusal, not_found_repeats_what_was_asked_for)
{
	static const struct {
		const char *selector, *detail;
	} cases[] = {
		{ "tcp 8080", "No mapping fits tcp 8080." },
		{ "#7", "No mapping fits id 7." },
		{ "web", "No mapping fits name \"web\"." },
		{ "8080", "No mapping fits port 8080." },
		{ "udp 53 dns #9", "No mapping fits udp 53 name \"dns\" id 9." },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct change change = make_remove(cases[i].selector);

		expect_refusal(VERDICT_NOT_FOUND, &change, NULL, cases[i].detail,
			       "natctl list shows what is there.");
	}
}

Test(refusal, ambiguous_names_the_ids)
{
	struct change change = make_remove("tcp 443");
	struct mapping m[6];
	const struct mapping *fits[6];
	struct problem p;

	for (size_t i = 0; i < 6; i++) {
		m[i] = holder_of("tcp 443 [2001:1111:2222:3333:4444:5555:6666:7777]:443",
				 0, ORIGIN_ADMIN, 0);
		m[i].id = UINT64_MAX - i;
		fits[i] = &m[i];
	}
	m[0] = holder_of("tcp 443 192.168.1.10:443", 4, ORIGIN_ADMIN, 0);
	m[1] = holder_of("tcp 443 [2001:db8::10]:443", 0, ORIGIN_ADMIN, 0);
	problem_of_refusal(VERDICT_AMBIGUOUS, &change, fits, 2, NOW, &p);
	cr_expect_str_eq(p.detail,
			 "tcp 443 fits 2 mappings: 4 (-> 192.168.1.10:443), one of "
			 "the same list (-> [2001:db8::10]:443).");
	cr_expect_str_eq(p.cure, "Name the one that is meant by its id.");

	problem_of_refusal(VERDICT_AMBIGUOUS, &change, fits + 2, 4, NOW, &p);
	cr_expect_not_null(strstr(p.detail, "18446744073709551610 (-> ["), "%s",
			   p.detail);
	problem_of_refusal(VERDICT_AMBIGUOUS, &change, fits, 6, NOW, &p);
	cr_expect_str_eq(p.detail + strlen(p.detail) - 12, " and others.", "%s",
			 p.detail);
}

Test(refusal, what_is_of_the_file_is_removed_from_the_file)
{
	struct change change = make_remove("web");
	struct mapping holder =
		holder_of("tcp 8080 192.168.1.10:80 web", 7, ORIGIN_CONFIG, DAY);

	expect_refusal(VERDICT_OF_CONFIG, &change, &holder,
		       "tcp 8080 \"web\" -> 192.168.1.10:80 belongs to the configuration "
		       "file.",
		       "Remove it from the configuration file and reload.");
}

Test(refusal, a_full_table_says_what_found_no_room)
{
	static const char *const protocols[] = { "tcp", "udp", "tcp,udp" };
	char text[64], detail[128];

	for (size_t i = 0; i < 3; i++) {
		struct change change;

		snprintf(text, sizeof(text), "%s 8080 192.168.1.10:80", protocols[i]);
		snprintf(detail, sizeof(detail),
			 "There is no room for %s 8080: the table is full.",
			 protocols[i]);
		change = make_add(text);
		expect_refusal(VERDICT_TABLE_FULL, &change, NULL, detail,
			       "Remove mappings that are no longer needed.");
	}
}

Test(refusal, other_verdicts_get_their_title)
{
	struct change change = make_remove("web");

	expect_refusal(VERDICT_BUSY, &change, NULL, "Service Unavailable.", "");
}
