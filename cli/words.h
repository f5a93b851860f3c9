/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * words - a line cut into words, as a shell would
 *
 * Blanks part words; '...' keeps everything as it is, "..." all but \" and \\; outside
 * of quotes \ takes the next character as it is; # at the start of a word opens a
 * comment. There are no variables and no patterns.
 */

#include <stddef.h>

#include "cli/flaw.h"

/** struct words - owner of one heap array; the words lie in the line */
struct words {
	const char **words;
	size_t n;
};

/**
 * words_split()
 * @line: written over; must live as long as @ret
 * @ret:  written on success only; words_done() frees it
 *
 * Return: 0; -EINVAL when a quote is left open or a backslash ends the line; -ENOMEM.
 */
int words_split(char *line, struct words *ret, struct flaw *why);
void words_done(struct words *words);
