/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * launcher - load system call filters, then become another program
 *
 *	launcher OWN FILTERS PROGRAM [ARGUMENT]...
 *
 * OWN and FILTERS are descriptors: the one that launcher itself was executed by, and one
 * that filters.py's lines are read from. Every "filter" begins one more, the last of
 *which has to let execve through. Calls that this machine does not have are left out, as
 * systemd does with the members of a group; no_new_privs must have been set.
 */

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"

static _Noreturn void die(const char *what, int error)
{
	fprintf(stderr, "launcher: %s: %s\n", what, strerror(error));
	exit(EXIT_FAILURE);
}

static uint32_t action_of(const char *word)
{
	if (strcmp(word, "allow") == 0)
		return SCMP_ACT_ALLOW;
	if (strcmp(word, "kill") == 0)
		return SCMP_ACT_KILL_PROCESS;
	if (strncmp(word, "errno:", 6) == 0)
		return SCMP_ACT_ERRNO((uint32_t)strtoul(word + 6, NULL, 10));
	die(word, EINVAL);
}

static enum scmp_compare operator_of(const char *word)
{
	static const struct {
		const char *word;
		enum scmp_compare operator;
	} known[] = {
		{ "eq", SCMP_CMP_EQ },
		{ "ne", SCMP_CMP_NE },
		{ "lt", SCMP_CMP_LT },
		{ "gt", SCMP_CMP_GT },
		{ "masked", SCMP_CMP_MASKED_EQ },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(word, known[i].word) == 0)
			return known[i].operator;
	die(word, EINVAL);
}

static const char *next_word(char **save)
{
	const char *word = strtok_r(NULL, " \n", save);

	if (!word)
		die("a line that ends early", EINVAL);
	return word;
}

/* Return: false = there is no further argument in the line. */
static bool read_argument(char **save, struct scmp_arg_cmp *ret)
{
	const char *index = strtok_r(NULL, " \n", save);

	if (!index)
		return false;
	ret->arg = (unsigned int)strtoul(index, NULL, 10);
	ret->op = operator_of(next_word(save));
	ret->datum_a = strtoull(next_word(save), NULL, 10);
	ret->datum_b =
		ret->op == SCMP_CMP_MASKED_EQ ? strtoull(next_word(save), NULL, 10) : 0;
	return true;
}

static void add_rule(scmp_filter_ctx filter, const char *action, char **save)
{
	const char *call = next_word(save);
	struct scmp_arg_cmp arguments[2];
	unsigned int n = 0;
	int number, r;

	number = seccomp_syscall_resolve_name(call);
	if (number < 0)
		return;
	while (n < ARRAY_SIZE(arguments) && read_argument(save, &arguments[n]))
		n++;
	r = seccomp_rule_add_array(filter, action_of(action), number, n, arguments);
	if (r < 0)
		die(call, -r);
}

static void load(scmp_filter_ctx filter)
{
	int r = filter ? seccomp_load(filter) : 0;

	if (r < 0)
		die("a filter is not taken", -r);
	seccomp_release(filter);
}

static scmp_filter_ctx begin(const char *action)
{
	scmp_filter_ctx filter = seccomp_init(action_of(action));

	/* no_new_privs is what the unit says, not what libseccomp likes */
	if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) < 0)
		die("a filter", ENOMEM);
	return filter;
}

static void load_filters(FILE *lines)
{
	scmp_filter_ctx filter = NULL;
	char line[256], *save = NULL;

	while (fgets(line, sizeof(line), lines)) {
		const char *word = strtok_r(line, " \n", &save);

		if (word && strcmp(word, "filter") == 0) {
			load(filter);
			filter = begin(next_word(&save));
		} else if (word && filter) {
			add_rule(filter, word, &save);
		} else {
			die("a rule of no filter", EINVAL);
		}
	}
	load(filter);
}

int main(int argc, char *argv[])
{
	FILE *lines;

	if (argc < 4)
		die("usage: launcher OWN FILTERS PROGRAM [ARGUMENT]...", EINVAL);
	close(atoi(argv[1]));
	lines = fdopen(atoi(argv[2]), "re");
	if (!lines)
		die("the filters", errno);
	load_filters(lines);
	fclose(lines);
	execv(argv[3], argv + 3);
	die(argv[3], errno);
}
