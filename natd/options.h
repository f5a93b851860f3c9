/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * options - natd's command line
 */

enum task { TASK_RUN, TASK_CHECK, TASK_TEARDOWN, TASK_RECOVER };

/* 0 done, 1 natd could not do its work, 2 wrong usage or configuration */
#define EXIT_USAGE 2
/* ... and -1 no exit status: natd goes on */
#define GO_ON (-1)

struct options {
	enum task task;
	const char *config, *state, *socket;
};

/**
 * options_parse() - what is not said stays in @ret as it is
 * Return: GO_ON; or the exit status: --help and --version have been answered, what is
 * wrong has been said.
 */
int options_parse(int argc, char *argv[], struct options *ret);
