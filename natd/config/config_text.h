/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * config_text - the bytes of natd.conf, made fit for libconfuse
 *
 * libconfuse 3.3 counts the line of a comment twice, takes the end of the file for the
 * end of every open block and comment, passes over characters it has no use for, and
 * replaces ${NAME} by the environment's. Here comments become blanks, and the rest is
 * refused, so that what libconfuse says of a line is true and what it takes is all there
 * is.
 */

#include <stddef.h>

/**
 * struct config_text
 * @bytes:    borrowed, altered in place
 * @lines:    their number
 * @blocks:   the line of every "{" that stands in no other, in order: libconfuse forgets
 *            where a block began
 * @n_blocks: their number
 * @inner:    the same of every "{" that begins a block inside of a block, and no list
 */
struct config_text {
	char *bytes;
	size_t len;
	unsigned int lines;
	unsigned int *blocks;
	size_t n_blocks;
	unsigned int *inner;
	size_t n_inner;
};

/** struct config_text_flaw - where and what; @what is borrowed for ever */
struct config_text_flaw {
	unsigned int line;
	const char *what;
};

/**
 * config_text_clean() - blank comments, refuse what is no text of ours
 * @text: bytes and len are set, the rest is zero
 *
 * Return: 0; -EINVAL with @why written; -ENOMEM.
 */
int config_text_clean(struct config_text *text, struct config_text_flaw *why);
/** config_text_done() - frees @blocks and @inner */
void config_text_done(struct config_text *text);
