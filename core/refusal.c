/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The sentences for what table_stage() refuses: the dispatch, and what is in the way.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/refusal_private.h"
#include "core/text.h"

/* "added by config, 3 days ago", with an id in front */
#define HISTORY_STRLEN 96
/* as many as a person reads, and as a sentence has room for */
#define NAMED_MAX 4
/* "18446744073709551615 (-> [address]:port), " */
#define NAMED_STRLEN (MAPPING_ENDPOINT_STRLEN + 32)
/* protocol, address and ports, with a remote prefix */
#define PLACE_STRLEN (24 + MAPPING_ENDPOINT_STRLEN + 8 + PREFIX_STRLEN)

static void format_age(uint64_t created, uint64_t now, char *buf, size_t size)
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" } };
	const uint64_t age = now > created ? now - created : 0;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		const uint64_t n = age / units[i].seconds;

		if (n > 0) {
			snprintf(buf, size, "%" PRIu64 " %s%s ago", n, units[i].unit,
				 n == 1 ? "" : "s");
			return;
		}
	}
	snprintf(buf, size, "just now");
}

/* A mapping without a name is called by its id; one without an id is of the same list. */
static const char *history(const struct mapping *m, uint64_t now,
			   char buf[HISTORY_STRLEN])
{
	char id[32] = "", age[40];

	if (!m->id) {
		snprintf(buf, HISTORY_STRLEN, "asked for earlier in the same list");
		return buf;
	}
	if (!m->name[0])
		snprintf(id, sizeof(id), "mapping %" PRIu64 ", ", m->id);
	format_age(m->created, now, age, sizeof(age));
	snprintf(buf, HISTORY_STRLEN, "%sadded by %s, %s", id,
		 origin_name((enum origin)m->origin), age);
	return buf;
}

/* A remote prefix that both are for, or NULL when they are for anybody. */
static const struct prefix *common_remote(const struct mapping *a,
					  const struct mapping *b)
{
	const struct prefix *of_a, *of_b;
	size_t n_a, n_b;

	of_a = mapping_remotes(a, &n_a);
	of_b = mapping_remotes(b, &n_b);
	for (size_t i = 0; i < n_a; i++) {
		for (size_t j = 0; j < n_b; j++) {
			if (prefix_equal(&of_a[i], &of_b[j]))
				return &of_a[i];
		}
	}
	return NULL;
}

/* @m cut down to the external ports that @asked has as well. */
static struct mapping cut(const struct mapping *m, const struct mapping *asked)
{
	const uint16_t last = mapping_last_port(m), last_asked = mapping_last_port(asked);
	struct mapping common = *m;

	if (asked->external.port > common.external.port)
		common.external.port = asked->external.port;
	common.n_ports = (uint16_t)((last < last_asked ? last : last_asked) -
				    common.external.port + 1);
	return common;
}

/* What of @holder's place was asked for: 'udp 203.0.113.7:9001-9003', with the prefix
 * that both are for. Of a change that adds nothing it is all of it. */
static const char *disputed(const struct change *change, const struct mapping *holder,
			    char buf[PLACE_STRLEN])
{
	char text[MAPPING_ENDPOINT_STRLEN], prefix[PREFIX_STRLEN];
	const struct prefix *remote = NULL;
	struct mapping common = *holder;

	if (change->kind == CHANGE_ADD) {
		struct mapping asked = change->mapping;

		mapping_resolve(&asked);
		common = cut(holder, &asked);
		remote = common_remote(&asked, holder);
	}
	snprintf(buf, PLACE_STRLEN, "%s %s", protocol_name(holder->protocol),
		 mapping_format_external(&common, text));
	if (remote)
		text_append(buf, PLACE_STRLEN, " from %s", prefix_format(remote, prefix));
	text_append(buf, PLACE_STRLEN, common.n_ports == 1 ? " is" : " are");
	return buf;
}

static bool is_same(const struct change *change, const struct mapping *holder)
{
	const struct prefix *of_asked, *of_holder;
	struct mapping asked;
	size_t n, n_held;

	if (change->kind != CHANGE_ADD)
		return false;
	asked = change->mapping;
	mapping_resolve(&asked);
	if (asked.n_ports != holder->n_ports || asked.suffix != holder->suffix ||
	    asked.external.port != holder->external.port ||
	    !endpoint_equal(&asked.internal, &holder->internal))
		return false;
	of_asked = mapping_remotes(&asked, &n);
	of_holder = mapping_remotes(holder, &n_held);
	if (n != n_held)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!prefix_equal(&of_asked[i], &of_holder[i]))
			return false;
	}
	return true;
}

/* The same mapping is there, with another name, or it is another's to renew. */
static void there_already(const struct change *change, const struct mapping *holder,
			  uint64_t now, struct problem *ret)
{
	const char *asked = change->mapping.name;
	const bool renamed = *asked && strcmp(asked, holder->name) != 0;
	char internal[MAPPING_ENDPOINT_STRLEN], external[MAPPING_ENDPOINT_STRLEN];
	char when[HISTORY_STRLEN], owner[OWNER_STRLEN] = "";
	const bool named = holder->name[0];

	mapping_format_internal(holder, internal);
	mapping_format_external(holder, external);
	history(holder, now, when);
	if (!renamed)
		mapping_owner(holder, owner);
	problem_set(ret, VERDICT_CONFLICT,
		    renamed ? "Ask for it without a name, or rename it: natctl rename."
			    : "Only who added it, and who may do all, can renew it.",
		    "%s %s -> %s is there already, %s%s%s%s%s (%s).",
		    protocol_name(holder->protocol), external, internal,
		    named ? "named \"" : "without a name", holder->name,
		    named ? "\"" : "", renamed ? "" : ", and belongs to ", owner, when);
}

static void conflict(const struct change *change, const struct mapping *holder,
		     uint64_t now, struct problem *ret)
{
	const bool plain = mapping_slots(holder) == 1 && !mapping_is_range(holder) &&
			   !common_remote(holder, holder);
	char place[PLACE_STRLEN], when[HISTORY_STRLEN], text[MAPPING_STRLEN];
	const bool named = plain && holder->name[0];

	if (is_same(change, holder)) {
		there_already(change, holder, now, ret);
		return;
	}
	disputed(change, holder, place);
	history(holder, now, when);
	if (plain)
		mapping_format_internal(holder, text);
	else
		mapping_describe(holder, text);
	problem_set(ret, VERDICT_CONFLICT, "Remove it first, or choose another port.",
		    "%s taken by %s%s%s%s (%s).", place, named ? "\"" : "",
		    named ? holder->name : "", named ? "\" -> " : "", text, when);
}

static void name_taken(const struct mapping *holder, uint64_t now, struct problem *ret)
{
	char internal[MAPPING_ENDPOINT_STRLEN], external[MAPPING_ENDPOINT_STRLEN];
	char when[HISTORY_STRLEN];

	problem_set(ret, VERDICT_NAME_TAKEN, "Choose another name, or remove it first.",
		    "The name \"%s\" stands for %s %s -> %s (%s).", holder->name,
		    protocol_name(holder->protocol),
		    mapping_format_external(holder, external),
		    mapping_format_internal(holder, internal),
		    history(holder, now, when));
}

/* tcp 8080, name "web", id 7: what was given, in words */
static const char *describe_selector(const struct selector *s,
				     char buf[static ASKED_STRLEN])
{
	buf[0] = '\0';
	if (s->protocol)
		text_append(buf, ASKED_STRLEN, " %s", protocol_name(s->protocol));
	if (s->port)
		text_append(buf, ASKED_STRLEN, s->protocol ? " %u" : " port %u", s->port);
	if (s->name[0])
		text_append(buf, ASKED_STRLEN, " name \"%s\"", s->name);
	if (s->id)
		text_append(buf, ASKED_STRLEN, " id %" PRIu64, s->id);
	return buf[0] ? buf + 1 : "this";
}

const char *refusal_ports(const struct change *change, char buf[static ASKED_STRLEN])
{
	char protocols[PROTOCOLS_STRLEN], external[MAPPING_ENDPOINT_STRLEN];

	if (change->kind != CHANGE_ADD)
		return describe_selector(&change->selector, buf);
	snprintf(buf, ASKED_STRLEN, "%s %s",
		 protocols_format(change->protocols, protocols),
		 mapping_format_external(&change->mapping, external));
	return buf;
}

const char *refusal_asked(const struct change *change, char buf[static ASKED_STRLEN])
{
	char internal[MAPPING_ENDPOINT_STRLEN];

	if (change->kind != CHANGE_ADD)
		return describe_selector(&change->selector, buf);
	refusal_ports(change, buf);
	text_append(buf, ASKED_STRLEN, " -> %s",
		    mapping_format_internal(&change->mapping, internal));
	return buf;
}

static void ambiguous(const struct change *change, const struct mapping *const *fits,
		      size_t n, struct problem *ret)
{
	char selector[ASKED_STRLEN], internal[MAPPING_ENDPOINT_STRLEN];
	char list[NAMED_MAX * NAMED_STRLEN] = "";

	for (size_t i = 0; i < n && i < NAMED_MAX; i++) {
		if (i > 0)
			text_append(list, sizeof(list), ", ");
		if (fits[i]->id)
			text_append(list, sizeof(list), "%" PRIu64, fits[i]->id);
		else
			text_append(list, sizeof(list), "one of the same list");
		text_append(list, sizeof(list), " (-> %s)",
			    mapping_format_internal(fits[i], internal));
	}
	problem_set(ret, VERDICT_AMBIGUOUS, "Name the one that is meant by its id.",
		    "%s fits %zu mappings: %s%s.",
		    describe_selector(&change->selector, selector), n, list,
		    n > NAMED_MAX ? " and others" : "");
}

static void of_config(const struct change *change, const struct mapping *holder,
		      struct problem *ret)
{
	char text[MAPPING_STRLEN];

	problem_set(ret, VERDICT_OF_CONFIG,
		    change->kind == CHANGE_UPDATE
			    ? "Change it in the configuration file and reload."
			    : "Remove it from the configuration file and reload.",
		    "%s belongs to the configuration file.",
		    mapping_describe(holder, text));
}

static void bad_request(const struct refusal *refusal, const struct change *change,
			struct problem *ret)
{
	char asked[ASKED_STRLEN];

	problem_set(
		ret, VERDICT_BAD_REQUEST, NULL, "%s %s: %s", refusal_asked(change, asked),
		change->kind == CHANGE_ADD ? "is not possible" : "cannot be changed so",
		refusal->flaw ? refusal->flaw : "Something is wrong with it.");
}

void problem_of_refusal(const struct refusal *refusal, const struct change *change,
			uint64_t now, struct problem *ret)
{
	char text[ASKED_STRLEN];

	switch (refusal->verdict) {
	case VERDICT_CONFLICT:
		conflict(change, refusal->holders[0], now, ret);
		return;
	case VERDICT_NAME_TAKEN:
		name_taken(refusal->holders[0], now, ret);
		return;
	case VERDICT_NOT_FOUND:
		problem_set(ret, VERDICT_NOT_FOUND, "natctl list shows what is there.",
			    "No mapping fits %s.",
			    describe_selector(&change->selector, text));
		return;
	case VERDICT_AMBIGUOUS:
		ambiguous(change, refusal->holders, refusal->n_holders, ret);
		return;
	case VERDICT_OF_CONFIG:
		of_config(change, refusal->holders[0], ret);
		return;
	case VERDICT_TABLE_FULL:
		problem_set(ret, VERDICT_TABLE_FULL,
			    "Remove mappings that are no longer needed.",
			    "There is no room for %s: the table is full.",
			    refusal_ports(change, text));
		return;
	case VERDICT_PORT_IN_USE:
		refusal_port_in_use(refusal, change, ret);
		return;
	case VERDICT_NO_PORT:
		refusal_no_port(refusal, change, ret);
		return;
	case VERDICT_NO_PROTOCOL:
		refusal_no_protocol(refusal, change, ret);
		return;
	case VERDICT_NO_UPSTREAM:
		refusal_no_upstream(change, ret);
		return;
	case VERDICT_BAD_REQUEST:
		bad_request(refusal, change, ret);
		return;
	case VERDICT_NOT_PERMITTED:
		refusal_not_permitted(refusal, change, ret);
		return;
	case VERDICT_ADDED:
	case VERDICT_REMOVED:
	case VERDICT_CHANGED:
	case VERDICT_UNCHANGED:
	case VERDICT_NO_RESOURCE:
	case VERDICT_BAD_METHOD:
	case VERDICT_TOO_LARGE:
	case VERDICT_BAD_CONFIG:
	case VERDICT_FAULT:
	case VERDICT_UNKNOWN:
	case VERDICT_BUSY:
		break;
	}
	problem_set(ret, refusal->verdict, NULL, "%s.",
		    outcome_of(refusal->verdict)->title);
}
