/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The verbs that alter a forward which is there: renew, enable, disable, move, rename,
 * comment, upstream.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/changes.h"
#include "cli/select.h"
#include "cli/values.h"
#include "cli/verb.h"

DEFINE_CLEANUP(free, struct change *)

static int complain(struct session *session, int r, const struct flaw *why)
{
	if (r == -ENOMEM)
		return session_fault(session, "out of memory");
	return session_usage(session, "%s", why->text);
}

static int make(struct session *session, const struct selection *selection,
		const struct patch *patch, bool drain)
{
	CLEANUP(free) struct change *changes = NULL;

	changes = calloc(selection->n, sizeof(*changes));
	if (!changes)
		return session_fault(session, "out of memory");
	for (size_t i = 0; i < selection->n; i++) {
		changes[i].kind = CHANGE_UPDATE;
		changes[i].drain = drain;
		changes[i].selector = selection->selectors[i];
		changes[i].patch = *patch;
	}
	return changes_make(session, changes, selection->n);
}

static int update(struct session *session, const struct args *args, size_t tail,
		  const struct patch *patch)
{
	struct selection selection = { 0 };
	struct flaw why;
	int status, r = select_read(args, tail, &selection, &why);

	if (r < 0)
		return complain(session, r, &why);
	status = make(session, &selection, patch, args_has(args, "--drain"));
	selection_done(&selection);
	return status;
}

/* What is given to one forward, or to one of each protocol: of "7 TEXT", "tcp 80 TEXT"
 * the last. @cure: where a word is too many */
static int read_tail(const struct args *args, const char *cure, const char **ret,
		     struct flaw *why)
{
	uint8_t bits;

	if (args->n_operands > 2 && protocols_parse(args->operands[0], &bits) < 0) {
		flaw_set(why, "%s: %s is one word too many. %s", args->verb->name,
			 args->operands[2], cure);
		return -EINVAL;
	}
	*ret = args->operands[args->n_operands - 1];
	return 0;
}

static int read_text(const struct args *args, const char **ret, struct flaw *why)
{
	return read_tail(args, "A text of several words stands in quotes.", ret, why);
}

/* ------------------------------------------------------------------ the verbs */

static int renew_run(struct session *session, const struct args *args)
{
	const char *lease = args_option(args, "--lease");
	struct patch patch = { .set = PATCH_LIFETIME };
	struct flaw why;

	if (!lease)
		return session_usage(session,
				     "renew: --lease TIME is missing. Say how "
				     "long from now: --lease 1h; 0 is for ever.");
	if (value_lease(lease, &patch.lifetime, &why) < 0)
		return session_usage(session, "%s", why.text);
	return update(session, args, 0, &patch);
}

static int enable_run(struct session *session, const struct args *args)
{
	const struct patch patch = { .set = PATCH_ENABLED, .enabled = true };

	return update(session, args, 0, &patch);
}

static int disable_run(struct session *session, const struct args *args)
{
	const struct patch patch = { .set = PATCH_ENABLED };

	return update(session, args, 0, &patch);
}

/* A service's port inside is that of the protocols that are named, if any are. */
static int read_host(const struct args *args, struct target *ret, struct flaw *why)
{
	uint8_t bits = 0;
	const char *text;

	if (read_tail(args, "Address and port are one: 192.168.1.10:80.", &text, why) < 0)
		return -EINVAL;
	protocols_parse(args->operands[0], &bits);
	return value_host(text, bits, ret, why);
}

static int move_run(struct session *session, const struct args *args)
{
	struct patch patch = { .set = PATCH_INTERNAL };
	struct target target = { 0 };
	struct flaw why;
	int status;

	if (read_host(args, &target, &why) < 0)
		return session_usage(session, "%s", why.text);
	patch.internal.addr = target.addr;
	patch.internal.port = target.ports.first;
	patch.suffix = target.suffix;
	if (target.ports.first != target.ports.last)
		patch.n_ports = (uint16_t)(target.ports.last - target.ports.first + 1);
	if (details_new(target.lan, "", NULL, 0, &patch.details) < 0)
		return session_fault(session, "out of memory");
	status = update(session, args, 1, &patch);
	details_unref(patch.details);
	return status;
}

static int rename_run(struct session *session, const struct args *args)
{
	struct patch patch = { .set = PATCH_NAME };
	const char *name;
	struct flaw why;

	if (read_text(args, &name, &why) < 0 || (*name && value_name(name, &why) < 0))
		return session_usage(session, "%s", why.text);
	snprintf(patch.name, sizeof(patch.name), "%s", name);
	return update(session, args, 1, &patch);
}

static int comment_run(struct session *session, const struct args *args)
{
	struct patch patch = { .set = PATCH_COMMENT };
	const char *comment;
	struct flaw why;
	int status;

	if (read_text(args, &comment, &why) < 0 || value_comment(comment, &why) < 0)
		return session_usage(session, "%s", why.text);
	if (details_new("", comment, NULL, 0, &patch.details) < 0)
		return session_fault(session, "out of memory");
	status = update(session, args, 1, &patch);
	details_unref(patch.details);
	return status;
}

static int upstream_run(struct session *session, const struct args *args)
{
	struct patch patch = { .set = PATCH_UPSTREAM };
	const char *wish;
	struct flaw why;

	if (read_tail(args, "Give it to one forward after the other.", &wish, &why) < 0 ||
	    value_wish("upstream", wish, &patch.upstream, &why) < 0)
		return session_usage(session, "%s", why.text);
	return update(session, args, 1, &patch);
}

const struct verb verb_renew = {
	.name = "renew",
	.also = "extend lease prolong",
	.usage = "PROTO PORT [--lease TIME] | ID|NAME... [--lease TIME]",
	.summary = "give forwards a new lease, counted from now",
	.help = "TIME is written as 90s, 15m, 1h, 7d, 1w or 1h30m. With 0 they stay until\n"
		"they are removed. All of them are renewed or none.\n"
		"\n"
		"  natctl renew game --lease 1h\n"
		"  natctl renew tcp 8080 --lease 7d\n",
	.changes = true,
	.run = renew_run,
};

const struct verb verb_enable = {
	.name = "enable",
	.also = "on activate resume",
	.usage = "PROTO PORT | ID|NAME...",
	.summary = "put forwards into force again",
	.help = "What disable, or add --disabled, has put aside.\n"
		"\n"
		"  natctl enable web\n",
	.changes = true,
	.run = enable_run,
};

const struct verb verb_disable = {
	.name = "disable",
	.also = "off deactivate pause suspend stop",
	.usage = "PROTO PORT [--drain] | ID|NAME... [--drain]",
	.summary = "put forwards aside, and end their connections",
	.help = "They stay in the list, and keep their ports. With --drain what is\n"
		"established goes on until it ends.\n"
		"\n"
		"  natctl disable web\n"
		"  natctl disable tcp 8080 --drain\n",
	.changes = true,
	.run = disable_run,
};

const struct verb verb_move = {
	.name = "move",
	.also = "redirect retarget target",
	.usage = "PROTO PORT ADDRESS[:PORT] [--drain] | ID|NAME ADDRESS[:PORT] [--drain]",
	.summary = "lead forwards to another host inside",
	.help = "ADDRESS is written as with add, and is of the family that the forward has.\n"
		"Without :PORT the port inside stays; of a range its first is enough. Of a\n"
		"name all forwards that carry it are led there. Connections are ended; with\n"
		"--drain those that are established go on to where they were.\n"
		"\n"
		"  natctl move web 192.168.1.11\n"
		"  natctl move tcp 8080 192.168.1.11:8000 --drain\n"
		"  natctl move tcp https ::11%lan0\n",
	.changes = true,
	.run = move_run,
};

const struct verb verb_rename = {
	.name = "rename",
	.also = "mv name",
	.usage = "PROTO PORT NEWNAME | ID|NAME NEWNAME",
	.summary = "give a forward another name",
	.help = "Of a name all forwards that carry it are renamed. With '' there is no name\n"
		"any more. Connections go on.\n"
		"\n"
		"  natctl rename web www\n"
		"  natctl rename tcp 8080 www\n",
	.changes = true,
	.run = rename_run,
};

const struct verb verb_comment = {
	.name = "comment",
	.also = "note describe annotate",
	.usage = "PROTO PORT TEXT | ID|NAME TEXT",
	.summary = "give a forward a note for people",
	.help = "At most 127 bytes; natctl list --wide shows it. With '' there is none any\n"
		"more.\n"
		"\n"
		"  natctl comment web 'the children'\\''s server'\n",
	.changes = true,
	.run = comment_run,
};

const struct verb verb_upstream = {
	.name = "upstream",
	.also = "router above uplink",
	.usage = "PROTO PORT WISH | ID|NAME WISH",
	.summary = "have the router above us asked for a forward, or not",
	.help = "WISH is default: as natd.conf has it; yes; no: it stays here; or required: it is\n"
		"in force only while that router holds it.\n"
		"\n"
		"  natctl upstream web yes\n"
		"  natctl upstream tcp 8080 default\n",
	.changes = true,
	.run = upstream_run,
};
