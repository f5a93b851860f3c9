/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "cli/changes.h"
#include "cli/values.h"
#include "cli/verb.h"

static unsigned int count_of(const struct port_range *ports)
{
	return ports->last - ports->first + 1u;
}

/* A range inside is as long as the one outside; of an automatic port it makes one. */
static int fit_ports(const struct port_range *external, const struct target *target,
		     struct mapping *m, struct flaw *why)
{
	const struct port_range *internal = &target->ports;
	const bool given = internal->first != 0;

	if (!external->first && !given)
		return flaw_set(why, "an automatic port needs the one inside. Write "
				     "ADDRESS:PORT.");
	if (external->first && internal->first != internal->last &&
	    count_of(external) != count_of(internal))
		return flaw_set(
			why,
			"outside it is %u port%s, inside %u. Give both as many, or "
			"inside the first alone.",
			count_of(external), count_of(external) > 1 ? "s" : "",
			count_of(internal));
	m->external.port = external->first;
	m->internal.port = given ? internal->first : external->first;
	m->n_ports =
		(uint16_t)(external->first ? count_of(external) : count_of(internal));
	return 0;
}

static int read_at(const struct args *args, struct mapping *m, struct flaw *why)
{
	const char *at = args_option(args, "--at");

	m->external.addr = address_any4;
	if (!at)
		return 0;
	if (value_external(at, &m->external.addr, why) < 0)
		return -EINVAL;
	if (address_is_ipv4(&m->external.addr) != address_is_ipv4(&m->internal.addr))
		return flaw_set(why,
				"--at %s is %s, and the host inside is not. Give both of "
				"one family.",
				at, address_is_ipv4(&m->external.addr) ? "IPv4" : "IPv6");
	return 0;
}

static int read_endpoints(const struct args *args, struct change *change,
			  struct target *target, struct flaw *why)
{
	struct mapping *m = &change->mapping;
	struct port_range ports;
	int r;

	r = value_protocols(args->operands[0], &change->protocols, why);
	if (r == 0)
		r = value_ports(args->operands[1], change->protocols, &ports, why);
	if (r == 0)
		r = value_host(args->operands[2], change->protocols, target, why);
	if (r == 0)
		r = fit_ports(&ports, target, m, why);
	if (r < 0)
		return r;
	m->internal.addr = target->addr;
	m->suffix = target->suffix;
	return read_at(args, m, why);
}

static int read_remotes(const struct args *args, const struct mapping *m,
			struct prefix remotes[static MAPPING_REMOTES_MAX], size_t *ret_n,
			struct flaw *why)
{
	const char *text;
	size_t n;

	for (n = 0; (text = args_option_at(args, "--from", n)); n++) {
		if (n == MAPPING_REMOTES_MAX)
			return flaw_set(why,
					"--from is given more than %d times. Take wider "
					"prefixes, or make several forwards.",
					MAPPING_REMOTES_MAX);
		if (value_prefix("--from", text, &remotes[n], why) < 0)
			return -EINVAL;
		if (prefix_is_ipv4(&remotes[n]) != address_is_ipv4(&m->internal.addr))
			return flaw_set(
				why,
				"--from %s is %s, and the host inside is not. Give "
				"prefixes of its family.",
				text, prefix_is_ipv4(&remotes[n]) ? "IPv4" : "IPv6");
	}
	*ret_n = n;
	return 0;
}

/* Return: 0, -EINVAL, -ENOMEM. */
static int read_details(const struct args *args, const struct target *target,
			struct mapping *m, struct flaw *why)
{
	const char *comment = args_option(args, "--comment");
	struct prefix remotes[MAPPING_REMOTES_MAX];
	size_t n = 0;
	int r;

	if (comment && value_comment(comment, why) < 0)
		return -EINVAL;
	r = read_remotes(args, m, remotes, &n, why);
	if (r < 0)
		return r;
	r = details_new(target->lan, comment ? comment : "", remotes, n, &m->details);
	return r < 0 ? -ENOMEM : 0;
}

static int read_options(const struct args *args, struct change *change, struct flaw *why)
{
	const char *name = args_option(args, "--name");
	const char *lease = args_option(args, "--lease");
	const char *wish = args_option(args, "--upstream");
	struct mapping *m = &change->mapping;

	m->enabled = !args_has(args, "--disabled");
	change->force = args_has(args, "--force");
	change->drain = args_has(args, "--drain");
	if (lease && value_lease(lease, &m->lifetime, why) < 0)
		return -EINVAL;
	if (wish && value_wish("--upstream", wish, &m->upstream, why) < 0)
		return -EINVAL;
	if (name && value_name(name, why) < 0)
		return -EINVAL;
	snprintf(m->name, sizeof(m->name), "%s", name ? name : "");
	return 0;
}

/* What natd would refuse in any case; an automatic port is none of its matters. */
static int check_mapping(const struct change *change, struct flaw *why)
{
	struct mapping m = change->mapping;
	const char *flaw;

	m.protocol = IPPROTO_TCP;
	if (!m.external.port)
		m.external.port = 1;
	mapping_resolve(&m);
	flaw = mapping_flaw(&m);
	return flaw ? flaw_set(why, "add: %s", flaw) : 0;
}

/* Return: 0, or -EINVAL or -ENOMEM. @change is for change_done() in any case. */
static int read_change(const struct args *args, struct change *change, struct flaw *why)
{
	struct target target = { 0 };
	int r;

	change->kind = CHANGE_ADD;
	r = read_endpoints(args, change, &target, why);
	if (r == 0)
		r = read_options(args, change, why);
	if (r == 0)
		r = read_details(args, &target, &change->mapping, why);
	if (r == 0)
		r = check_mapping(change, why);
	if (r == 0)
		mapping_resolve(&change->mapping);
	return r;
}

static int add_run(struct session *session, const struct args *args)
{
	struct change change = { 0 };
	struct flaw why;
	int status, r = read_change(args, &change, &why);

	if (r == -ENOMEM)
		status = session_fault(session, "out of memory");
	else if (r < 0)
		status = session_usage(session, "%s", why.text);
	else
		status = changes_make(session, &change, 1);
	change_done(&change);
	return status;
}

const struct verb verb_add = {
	.name = "add",
	.also = "new create forward open map",
	.usage = "PROTO PORT ADDRESS[:PORT] [--name NAME] [--from PREFIX]... "
		 "[--lease TIME] [--at ADDR] [--comment TEXT] [--upstream WISH] "
		 "[--force] [--drain] [--disabled]",
	.summary = "forward a port to a host inside",
	.help = "PROTO is tcp, udp, sctp, udplite, or several: tcp,udp. PORT is the one the\n"
		"world connects to: a number, a range like 9000-9003, a service like https,\n"
		"or auto, and natd chooses. ADDRESS is the host inside that serves; without\n"
		":PORT, the same port there. IPv6 addresses stand in brackets when a port\n"
		"follows; ::10 is the host with these last 64 bits in whatever prefix the LAN\n"
		"has, ::10%lan0 names the LAN. Asking again for what is there already is no\n"
		"error. With -q, only the ids are printed, of an automatic port the port.\n"
		"WISH says whether the router above us is asked for it as well: default (as\n"
		"natd.conf has it), yes, no, or required: then it waits until that router\n"
		"holds it.\n"
		"\n"
		"  natctl add tcp 8080 192.168.1.10:80 --name web\n"
		"  natctl add tcp,udp 9000-9003 192.168.1.10:8000\n"
		"  natctl add tcp https [::10%lan0]:443 --from 198.51.100.0/24\n"
		"  natctl add udp auto 192.168.1.10:5000 --name game --lease 1h\n",
	.changes = true,
	.run = add_run,
};
