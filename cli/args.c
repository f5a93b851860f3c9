/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/args.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "cli/verb.h"
#include "core/mapping.h"

#define USAGE_MAX 256

/* words that are still to be sorted */
struct rest {
	const char *const *words;
	size_t n;
	size_t next;
};

static bool option_find(const char *word, struct grammar_option *ret)
{
	if (grammar_option(verb_common_usage, word, ret) ||
	    grammar_option(verb_alone_usage, word, ret))
		return true;
	for (size_t i = 0; verbs[i]; i++) {
		if (grammar_option(verbs[i]->usage, word, ret))
			return true;
	}
	return false;
}

static void nearest_among(const char *usage, const char *word, size_t *least,
			  char ret[static GRAMMAR_WORD_MAX])
{
	char spellings[GRAMMAR_WORD_MAX];
	struct grammar_option o;

	while (grammar_next_option(&usage, &o, spellings)) {
		size_t d = text_distance(word, o.name);

		if (d < *least) {
			*least = d;
			memcpy(ret, o.name, sizeof(o.name));
		}
	}
}

static int flaw_unknown_option(struct flaw *why, const char *word)
{
	char nearest[GRAMMAR_WORD_MAX] = "";
	size_t least = 3;

	nearest_among(verb_common_usage, word, &least, nearest);
	nearest_among(verb_alone_usage, word, &least, nearest);
	for (size_t i = 0; verbs[i]; i++)
		nearest_among(verbs[i]->usage, word, &least, nearest);

	if (nearest[0])
		return flaw_set(why, "unknown option %s. Did you mean %s?", word,
				nearest);
	return flaw_set(why, "unknown option %s. See: natctl help", word);
}

const char *args_option_at(const struct args *args, const char *name, size_t i)
{
	for (size_t j = 0; j < args->n_options; j++) {
		if (!strcmp(args->options[j].name, name) && i-- == 0)
			return args->options[j].value;
	}
	return NULL;
}

const char *args_option(const struct args *args, const char *name)
{
	return args_option_at(args, name, 0);
}

bool args_has(const struct args *args, const char *name)
{
	return args_option(args, name) != NULL;
}

static int put_option(struct args *args, const struct grammar_option *o,
		      const char *value, struct flaw *why)
{
	struct args_option *given = &args->options[args->n_options];

	if (!o->repeats && args_has(args, o->name))
		return flaw_set(why, "%s is given twice. Leave one out.", o->name);
	memcpy(given->name, o->name, sizeof(given->name));
	given->value = value;
	args->n_options++;
	return 0;
}

/* @value: what stood in the same word, or NULL */
static int take_option(struct args *args, struct rest *rest,
		       const struct grammar_option *o, const char *value,
		       struct flaw *why)
{
	if (!o->value[0] || (o->may_lack && !value))
		return put_option(args, o, "", why);
	if (!value && rest->next < rest->n)
		value = rest->words[rest->next++];
	if (!value)
		return flaw_set(why, "%s needs a value: %s %s", o->name, o->name,
				o->value);
	return put_option(args, o, value, why);
}

static int take_long(struct args *args, struct rest *rest, const char *word,
		     struct flaw *why)
{
	const char *equals = strchr(word, '=');
	char name[GRAMMAR_WORD_MAX];
	struct grammar_option o;

	snprintf(name, sizeof(name), "%.*s", equals ? (int)(equals - word) : -1, word);
	if (!option_find(name, &o))
		return flaw_unknown_option(why, name);
	if (equals && !o.value[0])
		return flaw_set(why, "%s takes no value. Write just %s.", name, name);
	return take_option(args, rest, &o, equals ? equals + 1 : NULL, why);
}

/* "-q", "-qf FILE", "-fFILE" */
static int take_short(struct args *args, struct rest *rest, const char *word,
		      struct flaw *why)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const char name[] = { '-', *letter, '\0' };
		struct grammar_option o;
		int r;

		if (!option_find(name, &o))
			return flaw_unknown_option(why, letter == word + 1 ? word : name);
		r = take_option(args, rest, &o, letter[1] ? letter + 1 : NULL, why);
		if (r < 0 || o.value[0])
			return r;
	}
	return 0;
}

static int take_verb(struct args *args, const char *word, struct flaw *why)
{
	const struct verb *nearest;

	args->verb = verb_find(word);
	if (args->verb)
		return 0;
	nearest = verb_nearest(word);
	if (nearest)
		return flaw_set(why, "unknown verb %s. Did you mean %s?", word,
				nearest->name);
	return flaw_set(why, "unknown verb %s. See: natctl help", word);
}

static bool is_operand(const char *word)
{
	return word[0] != '-' || !word[1] || isdigit((unsigned char)word[1]);
}

static int sort_words(struct args *args, struct rest *rest, struct flaw *why)
{
	bool options_over = false;
	int r = 0;

	while (r == 0 && rest->next < rest->n) {
		const char *word = rest->words[rest->next++];

		if (!options_over && !strcmp(word, "--"))
			options_over = true;
		else if (!options_over && !is_operand(word))
			r = word[1] == '-' ? take_long(args, rest, word, why)
					   : take_short(args, rest, word, why);
		else if (!args->verb)
			r = take_verb(args, word, why);
		else
			args->operands[args->n_operands++] = word;
	}
	return r;
}

/* the letters of all short clusters, and one more for each word */
static size_t options_at_most(const char *const *words, size_t n)
{
	size_t most = 1;

	for (size_t i = 0; i < n; i++)
		most += words[i][0] == '-' ? strlen(words[i]) : 0;
	return most;
}

int args_parse(const char *const *words, size_t n, struct args *ret, struct flaw *why)
{
	struct rest rest = { .words = words, .n = n };
	struct args args = { 0 };
	int r = -ENOMEM;

	args.operands = calloc(n + 1, sizeof(*args.operands));
	args.options = calloc(options_at_most(words, n), sizeof(*args.options));
	if (args.operands && args.options)
		r = sort_words(&args, &rest, why);
	else
		flaw_set(why, "out of memory");

	if (r < 0)
		args_done(&args);
	else
		*ret = args;
	return r;
}

void args_done(struct args *args)
{
	free(args->operands);
	free(args->options);
	memset(args, 0, sizeof(*args));
}

static int check_options(const struct args *args, struct flaw *why)
{
	struct grammar_option o;

	for (size_t i = 0; i < args->n_options; i++) {
		const char *name = args->options[i].name;

		if (grammar_option(verb_common_usage, name, &o) ||
		    grammar_option(args->verb->usage, name, &o))
			continue;
		if (grammar_option(verb_alone_usage, name, &o))
			return flaw_set(why, "%s stands without a verb. Leave out %s.",
					name, args->verb->name);
		return flaw_set(why, "%s does not go with %s. See: natctl help %s", name,
				args->verb->name, args->verb->name);
	}
	return 0;
}

/* Of "PROTO PORT WISH | ID|NAME WISH" the one that the first word speaks for. */
static const char *alternative(const struct args *args, char buf[static USAGE_MAX])
{
	const char *usage = args->verb->usage, *bar = strstr(usage, " | ");
	uint8_t bits;

	if (!bar || !args->n_operands)
		return usage;
	if (protocols_parse(args->operands[0], &bits) < 0)
		return bar + strlen(" | ");
	snprintf(buf, USAGE_MAX, "%.*s", (int)(bar - usage), usage);
	return buf;
}

/* Is @word more likely to belong behind a port? Of a forward that is there already the
 * port is a number, where a new one may have a service, or "auto". */
static bool is_behind_port(const char *word, bool is_new)
{
	return strpbrk(word, ".:") || (!is_new && word[strspn(word, "0123456789-")]);
}

/* In "tcp yes" and "tcp 192.168.1.10" it is the port, in "tcp 8080" what comes behind. */
static size_t missing(const struct args *args, const char *usage)
{
	const bool is_new = usage == args->verb->usage;
	char operand[GRAMMAR_WORD_MAX];

	if (args->n_operands == 2 && is_behind_port(args->operands[1], is_new) &&
	    !strcmp(grammar_operand(usage, 1, operand), "PORT"))
		return 1;
	return args->n_operands;
}

static int flaw_missing(const struct args *args, const char *usage, struct flaw *why)
{
	const char *name = args->verb->name;
	char operand[GRAMMAR_WORD_MAX];

	if (strstr(usage, " | "))
		return flaw_set(why, "%s: the forward is missing. Usage: natctl %s %s",
				name, name, usage);
	return flaw_set(why, "%s: %s is missing. Usage: natctl %s %s", name,
			grammar_operand(usage, missing(args, usage), operand), name,
			usage);
}

int args_check(const struct args *args, struct flaw *why)
{
	char buf[USAGE_MAX];
	const char *meant = alternative(args, buf);
	const char *usage = args->verb->usage, *name = args->verb->name;
	size_t min, max, most;

	if (check_options(args, why) < 0)
		return -EINVAL;
	grammar_operands(meant, &min, &most);
	if (args->n_operands < min)
		return flaw_missing(args, meant, why);
	grammar_operands(usage, &min, &max);
	if (args->n_operands > max)
		return flaw_set(why, "%s: %s is one word too many. Usage: natctl %s%s%s",
				name, args->operands[max], name, *usage ? " " : "",
				usage);
	return 0;
}
