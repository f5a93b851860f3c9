/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/grammar.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool next_word(const char **at, char ret[static GRAMMAR_WORD_MAX])
{
	const char *start = *at + strspn(*at, " ");
	size_t len = strcspn(start, " ");

	*at = start + len;
	snprintf(ret, GRAMMAR_WORD_MAX, "%.*s", (int)len, start);
	return len > 0;
}

static bool drop_end(char *word, const char *end)
{
	const size_t len = strlen(word), n = strlen(end);

	if (len < n || strcmp(word + len - n, end) != 0)
		return false;
	word[len - n] = '\0';
	return true;
}

static bool opens_option(const char *word)
{
	return word[0] == '[' && word[1] == '-';
}

/* @word has been read and opens an option: read the rest of it */
static void finish_option(const char **at, const char *word, struct grammar_option *ret,
			  char spellings[static GRAMMAR_WORD_MAX])
{
	char *last, *equals;

	memset(ret, 0, sizeof(*ret));
	snprintf(spellings, GRAMMAR_WORD_MAX, "%s", word + 1);
	last = strchr(spellings, ']') || !next_word(at, ret->value) ? spellings
								    : ret->value;
	ret->repeats = drop_end(last, "...");
	drop_end(last, "]");
	equals = strstr(spellings, "[=");
	if (equals && drop_end(spellings, "]")) {
		ret->may_lack = true;
		snprintf(ret->value, sizeof(ret->value), "%s", equals + 2);
		*equals = '\0';
	}

	last = strrchr(spellings, '|');
	snprintf(ret->name, sizeof(ret->name), "%s", last ? last + 1 : spellings);
}

bool grammar_next_option(const char **at, struct grammar_option *ret,
			 char spellings[static GRAMMAR_WORD_MAX])
{
	char word[GRAMMAR_WORD_MAX];

	while (next_word(at, word)) {
		if (!opens_option(word))
			continue;
		finish_option(at, word, ret, spellings);
		return true;
	}
	return false;
}

static bool spells(const char *spellings, const char *option)
{
	size_t len = strlen(option);

	for (const char *s = spellings; s; s = strchr(s, '|')) {
		s += *s == '|';
		if (!strncmp(s, option, len) && (s[len] == '\0' || s[len] == '|'))
			return true;
	}
	return false;
}

bool grammar_option(const char *usage, const char *option, struct grammar_option *ret)
{
	char spellings[GRAMMAR_WORD_MAX];
	struct grammar_option o;

	while (grammar_next_option(&usage, &o, spellings)) {
		if (!spells(spellings, option))
			continue;
		*ret = o;
		return true;
	}
	return false;
}

/* The next operand, or "|"; options are passed over. */
static bool next_operand(const char **at, char ret[static GRAMMAR_WORD_MAX])
{
	char spellings[GRAMMAR_WORD_MAX];
	struct grammar_option o;

	while (next_word(at, ret)) {
		if (!opens_option(ret))
			return true;
		finish_option(at, ret, &o, spellings);
	}
	return false;
}

static bool repeats(const char *word)
{
	size_t len = strlen(word);

	return len > 3 && !strcmp(word + len - 3, "...");
}

void grammar_operands(const char *usage, size_t *ret_min, size_t *ret_max)
{
	size_t min = 0, max = 0, least = SIZE_MAX, most = 0;
	char word[GRAMMAR_WORD_MAX];

	while (next_operand(&usage, word)) {
		if (!strcmp(word, "|")) {
			least = min < least ? min : least;
			most = max > most ? max : most;
			min = max = 0;
			continue;
		}
		min += word[0] != '[';
		max = repeats(word) ? SIZE_MAX : max + 1;
	}
	*ret_min = min < least ? min : least;
	*ret_max = max > most ? max : most;
}

const char *grammar_operand(const char *usage, size_t i,
			    char buf[static GRAMMAR_WORD_MAX])
{
	while (next_operand(&usage, buf) && strcmp(buf, "|") != 0) {
		if (i-- == 0)
			return buf;
	}
	buf[0] = '\0';
	return buf;
}
