/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include "cli/verb.h"

int command_run(struct session *session, const struct args *args)
{
	struct session mine = *session;
	struct flaw why;

	if (args_has(args, "--help")) {
		verb_print_help(stdout, args->verb);
		return EXIT_DONE;
	}
	if (args_check(args, &why) < 0)
		return session_usage(session, "%s", why.text);
	mine.json |= args_has(args, "--json");
	mine.quiet |= args_has(args, "--quiet");
	return args->verb->run(&mine, args);
}
