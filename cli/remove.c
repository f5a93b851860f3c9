/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/changes.h"
#include "cli/values.h"
#include "cli/verb.h"

DEFINE_CLEANUP(free, struct change *)

/* "tcp 8080", "tcp,udp 8080" */
static int read_ports(const struct args *args, struct change *changes, size_t *n,
		      struct flaw *why)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	const char *proto = args->operands[0];
	uint8_t bits;
	uint16_t port;

	if (args->n_operands < 2)
		return flaw_set(why,
				"remove %s: the port is missing. "
				"Usage: natctl remove PROTO PORT",
				proto);
	if (args->n_operands > 2)
		return flaw_set(why,
				"remove: %s is one word too many. "
				"Usage: natctl remove PROTO PORT",
				args->operands[2]);
	if (value_protocols(proto, &bits, why) < 0 ||
	    value_port(args->operands[1], &port, why) < 0)
		return -EINVAL;

	*n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!(bits & (1u << i)))
			continue;
		changes[*n].kind = CHANGE_REMOVE;
		changes[*n].selector.protocol = protocols[i];
		changes[(*n)++].selector.port = port;
	}
	return 0;
}

/* "7", "web" */
static int read_one(const char *word, struct change *change, struct flaw *why)
{
	struct selector *s = &change->selector;

	change->kind = CHANGE_REMOVE;
	if (isdigit((unsigned char)*word))
		return value_id(word, &s->id, why);
	if (value_name(word, why) < 0)
		return -EINVAL;
	snprintf(s->name, sizeof(s->name), "%s", word);
	return 0;
}

static int read_changes(const struct args *args, struct change *changes, size_t *n,
			struct flaw *why)
{
	uint8_t bits;
	int r = 0;

	if (protocols_parse(args->operands[0], &bits) == 0)
		return read_ports(args, changes, n, why);
	for (size_t i = 0; r == 0 && i < args->n_operands; i++)
		r = read_one(args->operands[i], &changes[i], why);
	*n = args->n_operands;
	return r;
}

static int remove_run(struct session *session, const struct args *args)
{
	CLEANUP(free) struct change *changes = NULL;
	struct flaw why;
	size_t n = 0;

	changes = calloc(args->n_operands + 1, sizeof(*changes));
	if (!changes)
		return session_fault(session, "out of memory");
	if (read_changes(args, changes, &n, &why) < 0)
		return session_usage(session, "%s", why.text);
	return changes_make(session, changes, n);
}

const struct verb verb_remove = {
	.name = "remove",
	.also = "rm delete del close unmap drop",
	.usage = "PROTO PORT | ID|NAME...",
	.summary = "remove forwards, and end their connections",
	.help = "By protocol and external port, or by any number of ids and names: all of\n"
		"them or, when one cannot be removed, none. A name stands for all forwards\n"
		"that carry it.\n"
		"\n"
		"  natctl remove tcp 8080\n"
		"  natctl remove web\n"
		"  natctl remove 7 8 9\n",
	.run = remove_run,
};
