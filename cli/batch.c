/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/atomic.h"
#include "cli/command.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "cli/words.h"

/* These are natctl's as a whole. */
static const char *misplaced(const struct args *args)
{
	static const char *const options[] = { "--file", "--atomic", "--socket",
					       "--timeout", "--version" };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (args_has(args, options[i]))
			return options[i];
	}
	return NULL;
}

static int refuse_atomic(const struct session *session, const struct verb *verb)
{
	char list[256] = "";

	for (size_t i = 0; verbs[i]; i++) {
		if (verbs[i]->changes)
			text_append(list, sizeof(list), "%s%s", *list ? ", " : "",
				    verbs[i]->name);
	}
	return session_usage(session,
			     "%s cannot be part of an --atomic list; what can: %s.",
			     verb->name, list);
}

static int run_args(struct session *session, const struct args *args)
{
	const char *option = misplaced(args);

	if (option)
		return session_usage(session,
				     "%s cannot stand in a file of commands. "
				     "Give it to natctl itself.",
				     option);
	if (!args->verb)
		return session_usage(session, "the verb is missing. See: natctl help");
	if (session->atomic && !args->verb->changes)
		return refuse_atomic(session, args->verb);
	return command_run(session, args);
}

static int run_words(struct session *session, const struct words *words)
{
	struct args args;
	struct flaw why;
	int r, status;

	if (!words->n)
		return EXIT_DONE;
	r = args_parse(words->words, words->n, &args, &why);
	if (r == -ENOMEM)
		return session_fault(session, "%s", why.text);
	if (r < 0)
		return session_usage(session, "%s", why.text);
	status = run_args(session, &args);
	args_done(&args);
	return status;
}

/* @line without its end */
static int run_line(struct session *session, char *line, size_t len)
{
	struct words words;
	struct flaw why;
	int r, status;

	if (strlen(line) != len)
		return session_usage(session,
				     "a NUL byte in the line. Is this a text file?");
	r = words_split(line, &words, &why);
	if (r == -ENOMEM)
		return session_fault(session, "%s", why.text);
	if (r < 0)
		return session_usage(session, "%s", why.text);
	status = run_words(session, &words);
	words_done(&words);
	return status;
}

static size_t chomp(char *line, size_t len)
{
	if (len && line[len - 1] == '\n')
		line[--len] = '\0';
	if (len && line[len - 1] == '\r')
		line[--len] = '\0';
	return len;
}

/* Who reads our output line by line gets each answer before the next command is read. */
static int run_lines(struct session *session, FILE *file, const char *path)
{
	int highest = EXIT_DONE;
	size_t room = 0;
	char *line = NULL;
	ssize_t len;

	while (highest < EXIT_NATD && (len = getline(&line, &room, file)) >= 0) {
		int status;

		session->line++;
		status = run_line(session, line, chomp(line, (size_t)len));
		highest = status > highest ? status : highest;
		fflush(stdout);
	}
	free(line);
	session->line = 0;
	if (ferror(file)) {
		int status = session_usage(session, "cannot read %s: %s", path,
					   strerror(errno));

		highest = status > highest ? status : highest;
	}
	return highest;
}

static int run_atomic(struct session *session, FILE *file, const char *path)
{
	struct atomic atomic = { 0 };
	int status;

	session->atomic = &atomic;
	status = run_lines(session, file, path);
	if (status == EXIT_DONE)
		status = atomic_send(session);
	else
		session_usage(session, "nothing was changed, because of --atomic.");
	session->atomic = NULL;
	atomic_done(&atomic);
	return status;
}

int batch_run(struct session *session, const char *path, bool atomic)
{
	bool own = strcmp(path, "-") != 0;
	FILE *file = own ? fopen(path, "re") : stdin;
	int status;

	if (!file)
		return session_usage(session, "cannot read %s: %s", path,
				     strerror(errno));
	status =
		atomic ? run_atomic(session, file, path) : run_lines(session, file, path);
	if (own)
		fclose(file);
	return status;
}
