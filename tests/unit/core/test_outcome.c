/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/outcome.h"

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

Test(outcome, the_codes_of_answers_are_kept)
{
	static const struct {
		enum verdict verdict;
		const char *code;
		int http, exit;
	} cases[] = {
		{ VERDICT_ADDED, "added", 201, 0 },
		{ VERDICT_REMOVED, "removed", 200, 0 },
		{ VERDICT_CHANGED, "changed", 200, 0 },
		{ VERDICT_UNCHANGED, "unchanged", 200, 0 },
		{ VERDICT_CONFLICT, "conflict", 409, 1 },
		{ VERDICT_PORT_IN_USE, "port-in-use", 409, 1 },
		{ VERDICT_NO_PORT, "no-port", 507, 1 },
		{ VERDICT_NO_PROTOCOL, "no-protocol", 422, 1 },
		{ VERDICT_NO_UPSTREAM, "no-upstream", 422, 1 },
		{ VERDICT_NOT_PERMITTED, "not-permitted", 403, 1 },
		{ VERDICT_UNKNOWN, "outcome-unknown", 500, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct outcome *outcome = outcome_of(cases[i].verdict);

		cr_expect_str_eq(outcome->code, cases[i].code);
		cr_expect_eq(outcome->http, cases[i].http, "%s", cases[i].code);
		cr_expect_eq(outcome->exit, cases[i].exit, "%s", cases[i].code);
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
