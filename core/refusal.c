/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * refusal - the sentences for what table_stage() refuses
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/outcome.h"

/* "added by config, 3 days ago", with an id in front */
#define HISTORY_STRLEN 96
/* a selector in words */
#define SELECTOR_STRLEN 160
/* as many as a person reads, and as a sentence has room for */
#define NAMED_MAX 4
/* " 18446744073709551615 (-> [address]:port)," */
#define NAMED_STRLEN (ENDPOINT_STRLEN + 32)

static void format_age(uint64_t created, uint64_t now, char *buf, size_t size)
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" } };
	const uint64_t age = now > created ? now - created : 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
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

static void conflict(const struct change *change, const struct mapping *holder,
		     uint64_t now, struct problem *ret)
{
	const bool named = holder->name[0];
	char internal[ENDPOINT_STRLEN], when[HISTORY_STRLEN];

	endpoint_format(&holder->internal, internal);
	history(holder, now, when);
	if (endpoint_equal(&holder->internal, &change->mapping.internal)) {
		problem_set(ret, VERDICT_CONFLICT,
			    "Ask for it without a name, or remove it first.",
			    "%s %u -> %s is there already, %s%s%s (%s).",
			    protocol_name(holder->protocol), holder->external.port,
			    internal, named ? "named \"" : "without a name", holder->name,
			    named ? "\"" : "", when);
		return;
	}
	problem_set(ret, VERDICT_CONFLICT, "Remove it first, or choose another port.",
		    "%s %u is taken by %s%s%s%s (%s).", protocol_name(holder->protocol),
		    holder->external.port, named ? "\"" : "", holder->name,
		    named ? "\" -> " : "", internal, when);
}

static void name_taken(const struct mapping *holder, uint64_t now, struct problem *ret)
{
	char internal[ENDPOINT_STRLEN], when[HISTORY_STRLEN];

	problem_set(ret, VERDICT_NAME_TAKEN, "Choose another name, or remove it first.",
		    "The name \"%s\" stands for %s %u -> %s (%s).", holder->name,
		    protocol_name(holder->protocol), holder->external.port,
		    endpoint_format(&holder->internal, internal),
		    history(holder, now, when));
}

static void append(char buf[SELECTOR_STRLEN], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(char buf[SELECTOR_STRLEN], const char *format, ...)
{
	const size_t at = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + at, SELECTOR_STRLEN - at, format, args);
	va_end(args);
}

/* tcp 8080, name "web", id 7: what was given, in words */
static const char *describe_selector(const struct selector *s, char buf[SELECTOR_STRLEN])
{
	buf[0] = '\0';
	if (s->protocol)
		append(buf, " %s", protocol_name(s->protocol));
	if (s->port)
		append(buf, s->protocol ? " %u" : " port %u", s->port);
	if (s->name[0])
		append(buf, " name \"%s\"", s->name);
	if (s->id)
		append(buf, " id %" PRIu64, s->id);
	return buf[0] ? buf + 1 : "this";
}

static void ambiguous(const struct change *change, const struct mapping *const *fits,
		      size_t n, struct problem *ret)
{
	char selector[SELECTOR_STRLEN], internal[ENDPOINT_STRLEN];
	char list[NAMED_MAX * NAMED_STRLEN] = "";
	size_t at = 0;

	for (size_t i = 0; i < n && i < NAMED_MAX; i++) {
		endpoint_format(&fits[i]->internal, internal);
		if (fits[i]->id)
			at += (size_t)snprintf(list + at, sizeof(list) - at,
					       "%s%" PRIu64 " (-> %s)", i ? ", " : "",
					       fits[i]->id, internal);
		else
			at += (size_t)snprintf(list + at, sizeof(list) - at,
					       "%sone of the same list (-> %s)",
					       i ? ", " : "", internal);
	}
	problem_set(ret, VERDICT_AMBIGUOUS, "Name the one that is meant by its id.",
		    "%s fits %zu mappings: %s%s.",
		    describe_selector(&change->selector, selector), n, list,
		    n > NAMED_MAX ? " and others" : "");
}

static void table_full(const struct change *change, struct problem *ret)
{
	const char *protocols = "udp";

	if (change->protocols & PROTOCOL_BIT_TCP)
		protocols = change->protocols & PROTOCOL_BIT_UDP ? "tcp,udp" : "tcp";
	problem_set(ret, VERDICT_TABLE_FULL, "Remove mappings that are no longer needed.",
		    "There is no room for %s %u: the table is full.", protocols,
		    change->mapping.external.port);
}

void problem_of_refusal(enum verdict verdict, const struct change *change,
			const struct mapping *const *holder, size_t n_holders,
			uint64_t now, struct problem *ret)
{
	char text[SELECTOR_STRLEN > MAPPING_STRLEN ? SELECTOR_STRLEN : MAPPING_STRLEN];

	switch (verdict) {
	case VERDICT_CONFLICT:
		conflict(change, holder[0], now, ret);
		return;
	case VERDICT_NAME_TAKEN:
		name_taken(holder[0], now, ret);
		return;
	case VERDICT_NOT_FOUND:
		problem_set(ret, verdict, "natctl list shows what is there.",
			    "No mapping fits %s.",
			    describe_selector(&change->selector, text));
		return;
	case VERDICT_AMBIGUOUS:
		ambiguous(change, holder, n_holders, ret);
		return;
	case VERDICT_OF_CONFIG:
		problem_set(ret, verdict,
			    "Remove it from the configuration file and reload.",
			    "%s belongs to the configuration file.",
			    mapping_describe(holder[0], text));
		return;
	case VERDICT_TABLE_FULL:
		table_full(change, ret);
		return;
	case VERDICT_ADDED:
	case VERDICT_REMOVED:
	case VERDICT_UNCHANGED:
	case VERDICT_BAD_REQUEST:
	case VERDICT_NOT_PERMITTED:
	case VERDICT_NO_RESOURCE:
	case VERDICT_BAD_METHOD:
	case VERDICT_TOO_LARGE:
	case VERDICT_BAD_CONFIG:
	case VERDICT_FAULT:
	case VERDICT_UNKNOWN:
	case VERDICT_BUSY:
		break;
	}
	problem_set(ret, verdict, NULL, "%s.", outcome_of(verdict)->title);
}
