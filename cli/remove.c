/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "cli/changes.h"
#include "cli/select.h"
#include "cli/verb.h"

DEFINE_CLEANUP(free, struct change *)

static int make(struct session *session, const struct selection *selection, bool drain)
{
	CLEANUP(free) struct change *changes = NULL;

	changes = calloc(selection->n, sizeof(*changes));
	if (!changes)
		return session_fault(session, "out of memory");
	for (size_t i = 0; i < selection->n; i++) {
		changes[i].kind = CHANGE_REMOVE;
		changes[i].drain = drain;
		changes[i].selector = selection->selectors[i];
	}
	return changes_make(session, changes, selection->n);
}

static int remove_run(struct session *session, const struct args *args)
{
	struct selection selection = { 0 };
	struct flaw why;
	int status, r = select_read(args, 0, &selection, &why);

	if (r == -ENOMEM)
		return session_fault(session, "%s", why.text);
	if (r < 0)
		return session_usage(session, "%s", why.text);
	status = make(session, &selection, args_has(args, "--drain"));
	selection_done(&selection);
	return status;
}

const struct verb verb_remove = {
	.name = "remove",
	.also = "rm delete del close unmap drop",
	.usage = "PROTO PORT [--drain] | ID|NAME... [--drain]",
	.summary = "remove forwards, and end their connections",
	.help = "By protocol and external port, or by any number of ids and names: all of\n"
		"them or, when one cannot be removed, none. A name stands for all forwards\n"
		"that carry it. With --drain what is established goes on until it ends.\n"
		"\n"
		"  natctl remove tcp 8080\n"
		"  natctl remove web --drain\n"
		"  natctl remove 7 8 9\n",
	.changes = true,
	.run = remove_run,
};
