/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * verb - one thing natctl can do
 *
 * One file per verb, each ending in its const struct verb; verb.c lists them. The usage
 * text is the grammar (cli/grammar.h): an option or operand that is not in it is refused
 * before the verb runs.
 */

#include "cli/args.h"
#include "cli/session.h"

/**
 * struct verb
 * @name:    what people type
 * @also:    other words people try for it, set apart by blanks; they are answered with
 *           "did you mean", not taken
 * @usage:   grammar of what follows the name
 * @summary: its line in "natctl help"
 * @help:    paragraphs and examples, each line ended
 * @changes: it changes forwards, and can be part of an --atomic list
 * @run:     does it; @args fit the grammar. Return: exit status
 */
struct verb {
	const char *name;
	const char *also;
	const char *usage;
	const char *summary;
	const char *help;
	bool changes;
	int (*run)(struct session *session, const struct args *args);
};

/* in the order of "natctl help"; NULL ends it */
extern const struct verb *const verbs[];

/* options that go with every verb, and those that stand without one */
extern const char verb_common_usage[];
extern const char verb_alone_usage[];

extern const struct verb verb_add, verb_remove, verb_renew, verb_enable, verb_disable,
	verb_move, verb_rename, verb_comment, verb_upstream, verb_list, verb_lookup,
	verb_connections, verb_status, verb_resync, verb_reload, verb_flush, verb_watch,
	verb_help, verb_version;

const struct verb *verb_find(const char *name); /* or NULL */
/** verb_nearest() - the verb that was probably meant by @name, or NULL */
const struct verb *verb_nearest(const char *name);

/** verb_print_overview() - what "natctl help" prints */
void verb_print_overview(FILE *out);
/** verb_print_help() - what "natctl help VERB" prints */
void verb_print_help(FILE *out, const struct verb *verb);
