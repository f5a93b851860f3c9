/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/config/config_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* deepest nesting of braces told apart; ours is 3 */
#define DEPTH_MAX 16

/**
 * struct scanner
 * @assigns: the last token was "=": a brace that follows begins a list
 */
struct scanner {
	struct config_text *out;
	char *text;
	size_t len, at;
	unsigned int line;
	unsigned int depth, opened[DEPTH_MAX];
	bool assigns;
	struct config_text_flaw *why;
};

static int refuse(struct scanner *s, unsigned int line, const char *what)
{
	*s->why = (struct config_text_flaw){ line, what };
	return -EINVAL;
}

static char ahead(const struct scanner *s)
{
	if (s->at + 1 >= s->len)
		return '\0';
	return s->text[s->at + 1];
}

/* A control character is refused everywhere: nobody types it, and it hides what follows.
 */
static int take_character(struct scanner *s)
{
	unsigned char c = (unsigned char)s->text[s->at];

	if (c == '\n')
		s->line++;
	else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
		return refuse(s, s->line, "a control character");
	s->at++;
	return 0;
}

static void blank_line_comment(struct scanner *s)
{
	while (s->at < s->len && s->text[s->at] != '\n')
		s->text[s->at++] = ' ';
}

static int blank_block_comment(struct scanner *s)
{
	unsigned int start = s->line;

	memset(s->text + s->at, ' ', 2);
	for (s->at += 2; s->at < s->len; s->at++) {
		if (s->text[s->at] == '*' && ahead(s) == '/') {
			memset(s->text + s->at, ' ', 2);
			s->at += 2;
			return 0;
		}
		if (s->text[s->at] == '\n')
			s->line++;
		else
			s->text[s->at] = ' ';
	}
	return refuse(s, start, "a comment that is not closed: \"*/\" is missing");
}

static int skip_string(struct scanner *s)
{
	unsigned int start = s->line;
	char quote = s->text[s->at++];
	int r = 0;

	while (s->at < s->len && r == 0) {
		if (s->text[s->at] == quote) {
			s->at++;
			return 0;
		}
		if (quote == '"' && s->text[s->at] == '$' && ahead(s) == '{')
			return refuse(s, s->line,
				      "\"${\": variables are not replaced here");
		if (s->text[s->at] == '\\' && s->at + 1 < s->len)
			s->at++;
		r = take_character(s);
	}
	return r < 0 ? r
		     : refuse(s, start, "a text that is not closed: a quote is missing");
}

static bool ends_word(char c)
{
	return c != '\0' && strchr(" #\"'\t\n\r={}()+,", c);
}

/* In the middle of a word, "//" is part of it. */
static int skip_word(struct scanner *s)
{
	int r = 0;

	while (s->at < s->len && r == 0 && !ends_word(s->text[s->at])) {
		if (s->text[s->at] == '*')
			return refuse(s, s->line, "\"*\" outside of quotes");
		if (s->text[s->at] == '$' && ahead(s) == '{')
			return refuse(s, s->line,
				      "\"${\": variables are not replaced here");
		r = take_character(s);
	}
	return r;
}

static int take_brace(struct scanner *s)
{
	if (s->text[s->at++] == '{') {
		if (s->depth == 0)
			s->out->blocks[s->out->n_blocks++] = s->line;
		else if (s->depth == 1 && !s->assigns)
			s->out->inner[s->out->n_inner++] = s->line;
		if (s->depth == DEPTH_MAX)
			return refuse(s, s->line, "too many blocks inside of each other");
		s->opened[s->depth++] = s->line;
		return 0;
	}
	if (s->depth == 0)
		return refuse(s, s->line, "\"}\" that closes nothing");
	s->depth--;
	return 0;
}

static int take_word(struct scanner *s)
{
	char c = s->text[s->at];
	int r;

	if (c == '"' || c == '\'')
		r = skip_string(s);
	else if (c == '{' || c == '}')
		r = take_brace(s);
	else
		r = ends_word(c) ? take_character(s) : skip_word(s);
	s->assigns = c == '=';
	return r;
}

static int take_token(struct scanner *s)
{
	char c = s->text[s->at];

	if (c == '#' || (c == '/' && ahead(s) == '/')) {
		blank_line_comment(s);
		return 0;
	}
	if (c == '/' && ahead(s) == '*')
		return blank_block_comment(s);
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return take_character(s);
	return take_word(s);
}

static size_t count_braces(const struct config_text *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->bytes[i] == '{';
	return n;
}

int config_text_clean(struct config_text *text, struct config_text_flaw *why)
{
	struct scanner s = {
		.out = text,
		.text = text->bytes,
		.len = text->len,
		.line = 1,
		.why = why,
	};
	int r;

	text->blocks = calloc(count_braces(text) + 1, sizeof(*text->blocks));
	text->inner = calloc(count_braces(text) + 1, sizeof(*text->inner));
	if (!text->blocks || !text->inner)
		return -ENOMEM;
	while (s.at < s.len) {
		r = take_token(&s);
		if (r < 0)
			return r;
	}
	if (s.depth > 0)
		return refuse(&s, s.opened[s.depth - 1],
			      "\"{\" that is not closed: \"}\" is missing");
	text->lines = s.line;
	if (s.len > 0 && s.text[s.len - 1] == '\n')
		text->lines--;
	return 0;
}

void config_text_done(struct config_text *text)
{
	free(text->blocks);
	free(text->inner);
	text->blocks = text->inner = NULL;
	text->n_blocks = text->n_inner = 0;
}
