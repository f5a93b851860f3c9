/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cli/args.h"
#include "cli/verb.h"
#include "core/cleanup.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__ })

static struct flaw why;

static int parse_n(const char *const *words, size_t n, struct args *ret)
{
	why.text[0] = '\0';
	return args_parse(words, n, ret, &why);
}

#define parse(ret, ...) parse_n(WORDS(__VA_ARGS__), ARRAY_SIZE(WORDS(__VA_ARGS__)), ret)

Test(grammar, declares_options)
{
	static const char usage[] =
		"PROTO [-q|--quiet] [X] [--to ADDRESS[:PORT]] [--all]";
	struct grammar_option o;

	cr_assert(grammar_option(usage, "-q", &o));
	cr_expect_str_eq(o.name, "--quiet");
	cr_expect_str_eq(o.value, "");
	cr_assert(grammar_option(usage, "--to", &o));
	cr_expect_str_eq(o.value, "ADDRESS[:PORT]");
	cr_expect(grammar_option(usage, "--all", &o));

	cr_expect_not(grammar_option(usage, "--qu", &o));
	cr_expect_not(grammar_option(usage, "--quiet2", &o));
	cr_expect_not(grammar_option(usage, "PROTO", &o));
	cr_expect_not(grammar_option(usage, "", &o));
	cr_expect_not(grammar_option("", "-q", &o));
}

Test(grammar, options_may_repeat_or_lack_their_value)
{
	static const char usage[] = "NAME [--from PREFIX]... [--wait[=SECONDS]] [--all]";
	struct grammar_option o;
	size_t min, max;

	cr_assert(grammar_option(usage, "--from", &o));
	cr_expect_str_eq(o.value, "PREFIX");
	cr_expect(o.repeats && !o.may_lack);
	cr_assert(grammar_option(usage, "--wait", &o));
	cr_expect_str_eq(o.name, "--wait");
	cr_expect_str_eq(o.value, "SECONDS");
	cr_expect(!o.repeats && o.may_lack);
	cr_assert(grammar_option(usage, "--all", &o));
	cr_expect(!o.value[0] && !o.repeats && !o.may_lack);
	grammar_operands(usage, &min, &max);
	cr_expect(min == 1 && max == 1);
}

Test(grammar, counts_operands)
{
	static const struct {
		const char *usage;
		size_t min, max;
	} usages[] = {
		{ "", 0, 0 },
		{ "[--all]", 0, 0 },
		{ "PROTO PORT ADDRESS[:PORT] [--name NAME]", 3, 3 },
		{ "[--name NAME] [VERB]", 0, 1 },
		{ "PROTO PORT | ID|NAME...", 1, SIZE_MAX },
		{ "A | B C [D]", 1, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(usages); i++) {
		size_t min, max;

		grammar_operands(usages[i].usage, &min, &max);
		cr_expect_eq(min, usages[i].min, "%s: %zu", usages[i].usage, min);
		cr_expect_eq(max, usages[i].max, "%s: %zu", usages[i].usage, max);
	}
}

Test(grammar, names_operands)
{
	static const char usage[] = "PROTO [--name NAME] PORT | ID";
	char buf[GRAMMAR_WORD_MAX];

	cr_expect_str_eq(grammar_operand(usage, 0, buf), "PROTO");
	cr_expect_str_eq(grammar_operand(usage, 1, buf), "PORT");
	cr_expect_str_eq(grammar_operand(usage, 2, buf), "");
	cr_expect_str_eq(grammar_operand("", 0, buf), "");
}

Test(verbs, have_usage_texts_that_are_grammars)
{
	for (size_t i = 0; verbs[i]; i++) {
		const char *at = verbs[i]->usage;
		char spellings[GRAMMAR_WORD_MAX];
		struct grammar_option o, same;
		size_t min, max;

		cr_expect_eq(verb_find(verbs[i]->name), verbs[i]);
		grammar_operands(at, &min, &max);
		cr_expect_leq(min, max, "%s", verbs[i]->name);
		while (grammar_next_option(&at, &o, spellings)) {
			cr_expect_eq(strncmp(o.name, "--", 2), 0, "%s", o.name);
			cr_expect_not(grammar_option(verb_common_usage, o.name, &same),
				      "%s of %s is common", o.name, verbs[i]->name);
		}
	}
}

/* What an option means is looked up before the verb is known. */
Test(verbs, agree_on_what_an_option_takes)
{
	char a[GRAMMAR_WORD_MAX];
	struct grammar_option o, other;

	for (size_t i = 0; verbs[i]; i++) {
		const char *at = verbs[i]->usage;

		while (grammar_next_option(&at, &o, a)) {
			for (size_t j = 0; verbs[j]; j++)
				cr_expect(!grammar_option(verbs[j]->usage, o.name,
							  &other) ||
						  !*o.value == !*other.value,
					  "%s", o.name);
		}
	}
}

Test(verbs, are_suggested_for_what_is_near)
{
	static const struct {
		const char *typed, *meant;
	} words[] = {
		{ "lsit", "list" },	{ "lis", "list" },	{ "ls", "list" },
		{ "adds", "add" },	{ "delete", "remove" }, { "rm", "remove" },
		{ "stauts", "status" }, { "x", NULL },		{ "xyz", NULL },
		{ "frobnicate", NULL }, { "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct verb *near = verb_nearest(words[i].typed);

		if (words[i].meant)
			cr_expect(near && !strcmp(near->name, words[i].meant), "%s",
				  words[i].typed);
		else
			cr_expect_null(near, "%s", words[i].typed);
	}
}

static void expect_web(const struct args *args)
{
	cr_expect_eq(args->verb, &verb_add);
	cr_assert_eq(args->n_operands, 3);
	cr_expect_str_eq(args->operands[0], "tcp");
	cr_expect_str_eq(args->operands[2], "h");
	cr_assert(args_has(args, "--name"));
	cr_expect_str_eq(args_option(args, "--name"), "web");
	cr_expect(args_has(args, "--quiet"));
	cr_expect_not(args_has(args, "--json"));
	cr_expect_eq(args_check(args, &why), 0, "%s", why.text);
}

Test(args, options_may_stand_anywhere)
{
	struct args args;

	cr_assert_eq(parse(&args, "-q", "--name", "web", "add", "tcp", "80", "h"), 0);
	expect_web(&args);
	args_done(&args);
	cr_assert_eq(parse(&args, "add", "--quiet", "tcp", "80", "--name=web", "h"), 0);
	expect_web(&args);
	args_done(&args);
	cr_assert_eq(parse(&args, "add", "-q", "--name", "web", "--", "tcp", "80", "h"),
		     0);
	expect_web(&args);
	args_done(&args);
}

Test(args, two_dashes_end_the_options)
{
	struct args args;

	cr_assert_eq(parse(&args, "add", "--", "--name", "-q"), 0);
	cr_expect_eq(args.n_options, 0);
	cr_expect_eq(args.n_operands, 2);
	args_done(&args);
}

Test(args, short_options_may_share_a_word)
{
	static const char *const forms[][3] = {
		{ "-qf", "-" },
		{ "-qf-" },
		{ "-q", "-f-" },
		{ "-q", "--file=-" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct args args;

		cr_assert_eq(parse_n(forms[i], forms[i][1] ? 2 : 1, &args), 0);
		cr_expect_str_eq(args_option(&args, "--file"), "-");
		cr_expect(args_has(&args, "--quiet"));
		cr_expect_null(args.verb);
		args_done(&args);
	}
}

Test(args, a_dash_and_negative_numbers_are_operands)
{
	struct args args;

	cr_assert_eq(parse(&args, "remove", "-", "-1"), 0);
	cr_expect_eq(args.n_operands, 2);
	args_done(&args);
}

Test(args, a_value_may_be_empty_or_begin_with_a_dash)
{
	struct args args;

	cr_assert_eq(parse(&args, "list", "--name=", "--to", "--json"), 0);
	cr_expect_str_eq(args_option(&args, "--name"), "");
	cr_expect_str_eq(args_option(&args, "--to"), "--json");
	cr_expect_not(args_has(&args, "--json"));
	args_done(&args);
}

Test(args, an_option_may_come_several_times_and_a_value_be_left_out)
{
	struct args args;

	cr_assert_eq(parse(&args, "add", "--from", "a", "tcp", "--from=b"), 0);
	cr_expect_str_eq(args_option_at(&args, "--from", 0), "a");
	cr_expect_str_eq(args_option_at(&args, "--from", 1), "b");
	cr_expect_null(args_option_at(&args, "--from", 2));
	args_done(&args);

	cr_assert_eq(parse(&args, "lookup", "--wait", "web"), 0);
	cr_expect_str_eq(args_option(&args, "--wait"), "");
	cr_expect_eq(args.n_operands, 1);
	args_done(&args);
	cr_assert_eq(parse(&args, "lookup", "--wait=30", "web"), 0);
	cr_expect_str_eq(args_option(&args, "--wait"), "30");
	args_done(&args);
}

Test(args, nothing_is_fine)
{
	struct args args;

	cr_assert_eq(parse_n(NULL, 0, &args), 0);
	cr_expect_null(args.verb);
	args_done(&args);
}

Test(args, what_is_wrong_is_named)
{
	static const struct {
		const char *words[4];
		const char *sentence;
	} wrong[] = {
		{ { "lsit" }, "unknown verb lsit. Did you mean list?" },
		{ { "x" }, "unknown verb x. See: natctl help" },
		{ { "--jsno" }, "unknown option --jsno. Did you mean --json?" },
		{ { "-json" }, "unknown option -json. Did you mean --json?" },
		{ { "-qx" }, "unknown option -x. See: natctl help" },
		{ { "--frobnicate" }, "unknown option --frobnicate. See: natctl help" },
		{ { "list", "--name" }, "--name needs a value: --name NAME" },
		{ { "-f" }, "--file needs a value: --file FILE" },
		{ { "-q", "--quiet" }, "--quiet is given twice. Leave one out." },
		{ { "-qq" }, "--quiet is given twice. Leave one out." },
		{ { "--all=1" }, "--all takes no value. Write just --all." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct args args;
		size_t n = 0;

		while (wrong[i].words[n])
			n++;
		cr_expect_eq(parse_n(wrong[i].words, n, &args), -EINVAL);
		cr_expect_str_eq(why.text, wrong[i].sentence);
	}
}

static void expect_misfit(const char *const *words, size_t n, const char *start)
{
	struct args args;

	cr_assert_eq(parse_n(words, n, &args), 0);
	cr_expect_eq(args_check(&args, &why), -EINVAL);
	cr_expect_eq(strncmp(why.text, start, strlen(start)), 0, "%s", why.text);
	args_done(&args);
}

Test(args, what_does_not_fit_the_verb_is_named)
{
	expect_misfit(WORDS("status", "--all"), 2, "--all does not go with status. ");
	expect_misfit(WORDS("status", "--atomic"), 2,
		      "--atomic stands without a verb. Leave out status.");
	expect_misfit(WORDS("add", "tcp"), 2,
		      "add: PORT is missing. Usage: natctl add PROTO");
	expect_misfit(WORDS("flush", "x"), 2,
		      "flush: x is one word too many. Usage: natctl flush [--all]");
	expect_misfit(WORDS("reload", "x"), 2,
		      "reload: x is one word too many. Usage: natctl reload");
}
