/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * command - runs what the words of a command line, or of a line in a file, ask for
 */

#include "cli/args.h"
#include "cli/session.h"

/** command_run() - the one command in @args, which has a verb. Return: exit status */
int command_run(struct session *session, const struct args *args);

/**
 * batch_run() - the commands in @path, one a line; "-" = stdin
 * @atomic: one request of all add and remove lines
 *
 * What cannot be done is said with its line, and the next is tried, but for natd's faults
 * (EXIT_NATD): there it ends. Return: the highest exit status of all.
 */
int batch_run(struct session *session, const char *path, bool atomic);
