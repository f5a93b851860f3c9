/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* @at reads, @put writes; a word never gets longer, so they may share the line */
struct cutter {
	char *at;
	char *put;
	struct flaw *why;
};

static int take_quoted(struct cutter *c, char quote)
{
	for (c->at++; *c->at && *c->at != quote; c->at++) {
		if (quote == '"' && *c->at == '\\' && c->at[1] &&
		    strchr("\"\\", c->at[1]))
			c->at++;
		*c->put++ = *c->at;
	}
	if (!*c->at)
		return flaw_set(c->why, "a %c is not closed.", quote);
	c->at++;
	return 0;
}

static int take_word(struct cutter *c)
{
	int r = 0;

	while (r == 0 && *c->at && !strchr(" \t", *c->at)) {
		if (*c->at == '\'' || *c->at == '"') {
			r = take_quoted(c, *c->at);
			continue;
		}
		if (*c->at == '\\')
			c->at++;
		if (!*c->at)
			return flaw_set(c->why, "a backslash ends the line. Write a "
						"command on one line.");
		*c->put++ = *c->at++;
	}
	return r;
}

static int take_words(struct cutter *c, struct words *words)
{
	for (;;) {
		bool last;

		c->at += strspn(c->at, " \t");
		if (!*c->at || *c->at == '#')
			return 0;
		words->words[words->n++] = c->put;
		if (take_word(c) < 0)
			return -EINVAL;
		/* the NUL may fall upon the blank that @at still stands on */
		last = !*c->at;
		*c->put++ = '\0';
		if (last)
			return 0;
		c->at++;
	}
}

int words_split(char *line, struct words *ret, struct flaw *why)
{
	struct cutter c = { .at = line, .put = line, .why = why };
	struct words words = { 0 };

	/* a word and a blank take two characters */
	words.words = calloc(strlen(line) / 2 + 1, sizeof(*words.words));
	if (!words.words) {
		flaw_set(why, "out of memory");
		return -ENOMEM;
	}
	if (take_words(&c, &words) < 0) {
		words_done(&words);
		return -EINVAL;
	}
	*ret = words;
	return 0;
}

void words_done(struct words *words)
{
	free(words->words);
	memset(words, 0, sizeof(*words));
}
