/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The sentences for what is not to be had: ports of programs, of an exhausted pool, of a
 * protocol that the kernel does not know, and what the access block does not allow.
 */

#include <stdio.h>
#include <string.h>

#include "core/duration.h"
#include "core/refusal_private.h"
#include "core/text.h"

/* prefixes and ranges of a rule that a sentence names, and room for them */
#define LISTED_MAX    4
#define LISTED_STRLEN (LISTED_MAX * (PREFIX_STRLEN + 2) + 32)

void refusal_port_in_use(const struct refusal *refusal, const struct change *change,
			 struct problem *ret)
{
	char ports[ASKED_STRLEN], listener[LISTENER_STRLEN];
	char list[REFUSAL_LISTENERS_MAX * (LISTENER_STRLEN + 2) + 32] = "";
	const bool adds = change->kind == CHANGE_ADD;
	const bool one = adds && change->mapping.n_ports <= 1;
	struct change asked = *change;
	const size_t n = refusal->n_listeners;
	const size_t named = n < REFUSAL_LISTENERS_MAX ? n : REFUSAL_LISTENERS_MAX;

	for (size_t i = 0; i < named; i++) {
		const bool last = i + 1 == n;

		text_append(list, sizeof(list), "%s%s",
			    !i	   ? ""
			    : last ? " and "
				   : ", ",
			    listener_describe(&refusal->listeners[i], listener));
	}
	if (n > named)
		text_append(list, sizeof(list), " and %zu more", n - named);
	/* of "tcp,udp" only one protocol has them */
	if (n > 0)
		asked.protocols = protocol_bit(refusal->listeners[0].protocol);
	problem_set(ret, VERDICT_PORT_IN_USE,
		    adds ? "Choose another port, or take it with --force: from the WAN "
			   "the mapping is reached then, and what listens there only "
			   "from the LAN."
			 : "Leave the port inside as it is, or end what listens there.",
		    "%s%s is used by %s of this machine that listen%s on %s.",
		    one	   ? ""
		    : adds ? "A part of "
			   : "A port of ",
		    refusal_ports(&asked, ports), n == 1 ? "a program" : "programs",
		    n == 1 ? "s" : "", list);
}

/* "of its 16384 ports 16380 serve mappings (most of them, 9000, of uid:1000) and 4
 * programs of this machine" */
static void describe_use(const struct pool_use *use, char *buf, size_t size)
{
	const size_t used = use->taken + use->listened;

	text_append(buf, size, "of its %zu ports %zu serve mappings", use->n, use->taken);
	if (use->top_n > 0)
		text_append(buf, size, " (most of them, %zu, of %s)", use->top_n,
			    use->top);
	text_append(buf, size, " and %zu %s of this machine", use->listened,
		    use->listened == 1 ? "program" : "programs");
	if (use->n > used)
		text_append(buf, size, "; %zu are free, but not for all that is asked",
			    use->n - used);
}

void refusal_no_port(const struct refusal *refusal, const struct change *change,
		     struct problem *ret)
{
	const struct pool_use *use = &refusal->pool;
	const unsigned int wanted = change->mapping.n_ports;
	char protocols[PROTOCOLS_STRLEN], what[64] = "No port is", used[256] = "";

	if (wanted > 1)
		snprintf(what, sizeof(what), "No %u ports in a row are", wanted);
	describe_use(use, used, sizeof(used));
	problem_set(ret, VERDICT_NO_PORT,
		    "Remove mappings that are no longer needed, ask for a certain port, "
		    "or make the pool larger in natd.conf.",
		    "%s free for %s in the pool %u-%u: %s.", what,
		    protocols_format(change->protocols, protocols), use->pool.first,
		    use->pool.last, used);
}

/* Where there is NAT at all, TCP and UDP are translated: the lack is of the others. */
static uint8_t lacking(uint8_t asked)
{
	const unsigned int others = asked & ~(PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP);

	return others ? (uint8_t)others : asked;
}

void refusal_no_protocol(const struct refusal *refusal, const struct change *change,
			 struct problem *ret)
{
	const bool adds = change->kind == CHANGE_ADD || refusal->n_holders == 0;
	const uint8_t bits = adds ? lacking(change->protocols)
				  : protocol_bit(refusal->holders[0]->protocol);
	const char *cure = "Use another protocol: natctl status shows which ones this "
			   "kernel translates.";
	char protocols[PROTOCOLS_STRLEN];

	if (bits == PROTOCOL_BIT_UDPLITE)
		cure = "It takes a kernel with CONFIG_NF_CT_PROTO_UDPLITE, and "
		       "sysctl net.netfilter.nf_conntrack_checksum=0.";
	if (bits == PROTOCOL_BIT_SCTP)
		cure = "The kernel must be built with CONFIG_NF_CT_PROTO_SCTP.";
	problem_set(ret, VERDICT_NO_PROTOCOL, cure,
		    "The running kernel does not translate %s.",
		    protocols_format(bits, protocols));
}

void refusal_no_upstream(const struct change *change, struct problem *ret)
{
	char text[ASKED_STRLEN];

	problem_set(ret, VERDICT_NO_UPSTREAM,
		    "Have it asked with upstream { enable = yes  policy = chosen } in "
		    "natd.conf, or leave upstream at default.",
		    "The router above us cannot be asked for %s: the configuration has "
		    "that switched off.",
		    refusal_asked(change, text));
}

static void list_ports(const struct grant *grant, char buf[static LISTED_STRLEN])
{
	for (size_t i = 0; i < grant->n_map && i < LISTED_MAX; i++) {
		const struct port_range *range = &grant->map[i];

		text_append(buf, LISTED_STRLEN, "%s%u", i ? ", " : "", range->first);
		if (range->last > range->first)
			text_append(buf, LISTED_STRLEN, "-%u", range->last);
	}
	if (grant->n_map > LISTED_MAX)
		text_append(buf, LISTED_STRLEN, " and others");
}

static void list_prefixes(const struct grant *grant, char buf[static LISTED_STRLEN])
{
	char prefix[PREFIX_STRLEN];

	for (size_t i = 0; i < grant->n_internal && i < LISTED_MAX; i++)
		text_append(buf, LISTED_STRLEN, "%s%s", i ? ", " : "",
			    prefix_format(&grant->internal[i], prefix));
	if (grant->n_internal > LISTED_MAX)
		text_append(buf, LISTED_STRLEN, " and others");
}

/* What the rule allows, to stand behind its name: "external ports 1024-65535" */
static void describe_limit(const struct denial *denial, char *buf, size_t size)
{
	char list[LISTED_STRLEN] = "", duration[DURATION_STRLEN];

	switch (denial->missing) {
	case RIGHT_MAP:
		list_ports(denial->grant, list);
		text_append(buf, size, "external ports %s", list);
		return;
	case RIGHT_PRIVILEGED:
		text_append(buf, size, "no external ports below 1024");
		return;
	case RIGHT_INTERNAL:
		list_prefixes(denial->grant, list);
		text_append(buf, size, "internal addresses in %s", list);
		return;
	case RIGHT_LIFETIME:
		text_append(buf, size, "leases of at most %s, and nothing without one",
			    duration_format(denial->limit, duration));
		return;
	case RIGHT_QUOTA:
		text_append(buf, size, "%u mapping%s at a time, and there are as many",
			    denial->limit, denial->limit == 1 ? "" : "s");
		return;
	case RIGHT_FORCE:
		text_append(buf, size, "no ports that programs of this machine use");
		return;
	case RIGHT_ANY:
	case RIGHT_OWN:
		break;
	}
	text_append(buf, size, "no mappings");
}

static const char *cure_of(enum right missing)
{
	switch (missing) {
	case RIGHT_MAP:
	case RIGHT_PRIVILEGED:
		return "Choose another external port, or port 0 for one that is allowed.";
	case RIGHT_INTERNAL:
		return "Choose another internal address.";
	case RIGHT_LIFETIME:
		return "Ask for a lease that is no longer, with --lease TIME.";
	case RIGHT_QUOTA:
		return "Remove a mapping of yours that is no longer needed.";
	case RIGHT_FORCE:
		return "Choose another port.";
	case RIGHT_OWN:
		return "Only who added it, and who may do all, can change or remove it.";
	case RIGHT_ANY:
		break;
	}
	return "Ask as root or as a member of natd's group, or have it allowed in the "
	       "access block of natd.conf.";
}

static void not_owner(const struct mapping *holder, struct problem *ret)
{
	char described[MAPPING_STRLEN], owner[OWNER_STRLEN];

	problem_set(ret, VERDICT_NOT_PERMITTED, cure_of(RIGHT_OWN), "%s belongs to %s.",
		    mapping_describe(holder, described), mapping_owner(holder, owner));
}

void refusal_not_permitted(const struct refusal *refusal, const struct change *change,
			   struct problem *ret)
{
	const char *what = change->kind == CHANGE_ADD ? "" : "A change of ";
	const struct denial *denial = &refusal->denial;
	char text[ASKED_STRLEN], limit[LISTED_STRLEN + 64] = "";
	const char *asked = refusal_asked(change, text);

	if (denial->missing == RIGHT_OWN && refusal->n_holders > 0) {
		not_owner(refusal->holders[0], ret);
		return;
	}
	if (!denial->grant) {
		problem_set(ret, VERDICT_NOT_PERMITTED, cure_of(RIGHT_ANY),
			    "%s%s is not permitted: no rule of the access block speaks "
			    "of who asks.",
			    what, asked);
		return;
	}
	describe_limit(denial, limit, sizeof(limit));
	problem_set(ret, VERDICT_NOT_PERMITTED, cure_of(denial->missing),
		    "%s%s is not permitted: %s allows %s.", what, asked,
		    denial->grant->rule, limit);
}
