/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * grammar - a usage text read as the grammar that it is
 *
 *	"PROTO PORT ADDRESS[:PORT] [--name NAME]"
 *	"PROTO PORT | ID|NAME..."
 *	"[-q|--quiet] [-f|--file FILE]"
 *
 * What help prints and what is accepted cannot differ, because they are one text. Words
 * are set apart by blanks: "[-" opens an option, whose word or words end in "]", or in
 * "]..." where it may be given several times; of "[--wait[=SECONDS]]" the value may be
 * left out. A word in brackets is an operand that may be left out, "..." one that may be
 * repeated, and " | " stands between whole alternatives.
 */

#include <stdbool.h>
#include <stddef.h>

#define GRAMMAR_WORD_MAX 40

/**
 * struct grammar_option
 * @name:  the long form, "--quiet"
 * @value: "FILE"; "" when it takes none
 * @may_lack: the value may be left out, and stands in one word with the name else
 * @repeats:  may be given several times
 */
struct grammar_option {
	char name[GRAMMAR_WORD_MAX];
	char value[GRAMMAR_WORD_MAX];
	bool may_lack;
	bool repeats;
};

/**
 * grammar_next_option() - the next option that a usage text declares
 * @at:     moves on; starts at the text
 * @spellings: "-q|--quiet"
 *
 * Return: false at the end of the text.
 */
bool grammar_next_option(const char **at, struct grammar_option *ret,
			 char spellings[static GRAMMAR_WORD_MAX]);

/** grammar_option() - does @usage declare @option, as "-q" or "--quiet"? */
bool grammar_option(const char *usage, const char *option, struct grammar_option *ret);

/** grammar_operands() - how many operands; *@ret_max is SIZE_MAX after "..." */
void grammar_operands(const char *usage, size_t *ret_min, size_t *ret_max);

/** grammar_operand() - the @i-th operand of the first alternative as written, or "" */
const char *grammar_operand(const char *usage, size_t i,
			    char buf[static GRAMMAR_WORD_MAX]);
