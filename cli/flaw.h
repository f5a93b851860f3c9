/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * flaw - one line for the person at the terminal: what is wrong, and the cure
 */

struct flaw {
	char text[1024];
};

/** flaw_set() - fill in, printf-like. Return: -EINVAL, so that a parser can return it */
int flaw_set(struct flaw *flaw, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
