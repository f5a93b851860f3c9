/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "cli/changes.h"
#include "cli/values.h"
#include "cli/verb.h"

/* Return: 0, or -EINVAL. */
static int read_change(const struct args *args, struct change *change, struct flaw *why)
{
	const char *name = args_option(args, "--name");
	struct mapping *m = &change->mapping;
	int r;

	change->kind = CHANGE_ADD;
	m->external.addr = address_any4;
	m->enabled = true;
	r = value_protocols(args->operands[0], &change->protocols, why);
	if (r == 0)
		r = value_port(args->operands[1], &m->external.port, why);
	if (r == 0)
		r = value_host(args->operands[2], &m->internal, why);
	if (r == 0 && name)
		r = value_name(name, why);
	if (r < 0)
		return r;

	snprintf(m->name, sizeof(m->name), "%s", name ? name : "");
	if (!m->internal.port)
		m->internal.port = m->external.port;
	mapping_resolve(m);
	return 0;
}

static int add_run(struct session *session, const struct args *args)
{
	struct change change = { 0 };
	struct flaw why;

	if (read_change(args, &change, &why) < 0)
		return session_usage(session, "%s", why.text);
	return changes_make(session, &change, 1);
}

const struct verb verb_add = {
	.name = "add",
	.also = "new create forward open map",
	.usage = "PROTO PORT ADDRESS[:PORT] [--name NAME]",
	.summary = "forward a port to a host inside",
	.help = "PROTO is tcp, udp or tcp,udp. PORT is the one the world connects to, ADDRESS\n"
		"the host inside that serves. Without :PORT, the same port there. IPv6\n"
		"addresses stand in brackets when a port follows. Asking again for what is\n"
		"there already is no error. With -q, only the ids are printed.\n"
		"\n"
		"  natctl add tcp 8080 192.168.1.10:80 --name web\n"
		"  natctl add tcp,udp 5000 192.168.1.10\n"
		"  natctl add tcp 443 [2001:db8:1::10]:443\n",
	.run = add_run,
};
