/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * natctl - asks natd; see natctl(1)
 *
 * A verb is a file that ends in its struct verb (cli/verb.h); verb.c lists them.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/values.h"
#include "cli/verb.h"

#define DEFAULT_SOCKET	"/run/natd/api.sock"
#define DEFAULT_TIMEOUT 30

/* Return: exit status. */
static int open_client(const struct args *args, struct session *session)
{
	const char *path = args_option(args, "--socket");
	const char *seconds = args_option(args, "--timeout");
	unsigned int timeout = DEFAULT_TIMEOUT;
	struct flaw why;
	int r;

	if (path && !*path)
		return session_usage(session,
				     "--socket is empty. Leave it out for " DEFAULT_SOCKET
				     ".");
	if (!path)
		path = getenv("NATD_SOCKET");
	if (!path || !*path)
		path = DEFAULT_SOCKET;
	if (seconds && value_timeout(seconds, &timeout, &why) < 0)
		return session_usage(session, "%s", why.text);

	r = client_new(path, timeout, &session->client);
	if (r == -ENAMETOOLONG)
		return session_usage(session,
				     "no socket can have a path of %zu bytes, 107 is the "
				     "most. Name a shorter one than %s",
				     strlen(path), path);
	return r < 0 ? session_fault(session, "out of memory") : EXIT_DONE;
}

static int run(struct session *session, const struct args *args)
{
	const char *file = args_option(args, "--file");

	if (!file && args_has(args, "--atomic"))
		return session_usage(session, "--atomic goes with -f FILE only.");
	if (file && args->verb)
		return session_usage(session,
				     "-f reads its commands from %s. Leave out %s.", file,
				     args->verb->name);
	if (!file)
		return command_run(session, args);
	session->json = args_has(args, "--json");
	session->quiet = args_has(args, "--quiet");
	return batch_run(session, file, args_has(args, "--atomic"));
}

static int natctl(const struct args *args)
{
	struct session session = { 0 };
	int status;

	if (args_has(args, "--version")) {
		puts("natctl " NATD_VERSION);
		return EXIT_DONE;
	}
	if (!args->verb && !args_has(args, "--file") && !args_has(args, "--atomic")) {
		const bool asked = args_has(args, "--help");

		verb_print_overview(asked ? stdout : stderr);
		return asked ? EXIT_DONE : EXIT_USAGE;
	}
	status = open_client(args, &session);
	if (status == EXIT_DONE)
		status = run(&session, args);
	client_free(session.client);
	return status;
}

/* Output that nobody got is no success. */
static int close_output(int status)
{
	const struct session none = { 0 };

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return session_fault(&none, "cannot write the output: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	const struct session none = { 0 };
	struct args args;
	struct flaw why;
	int r, status;

	r = args_parse((const char *const *)argv + 1, argc > 0 ? (size_t)argc - 1 : 0,
		       &args, &why);
	if (r < 0)
		return r == -ENOMEM ? session_fault(&none, "%s", why.text)
				    : session_usage(&none, "%s", why.text);
	status = natctl(&args);
	args_done(&args);
	return close_output(status);
}
