/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What status says of the routers above us, and of the processes that talk to them.
 */

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/status.h"
#include "cli/text.h"
#include "cli/upstream.h"
#include "core/api.h"

/* "2025-01-31 12:00:00 (in 30 minutes)", or "" */
static const char *ahead_of(const json_t *object, const char *key,
			    char buf[static 2 * TEXT_PHRASE_STRLEN])
{
	const uint64_t now = (uint64_t)time(NULL);
	char moment[TEXT_PHRASE_STRLEN], age[TEXT_PHRASE_STRLEN];
	uint64_t at;

	buf[0] = '\0';
	if (api_time_parse(status_string(object, key), &at) < 0)
		return buf;
	text_append(buf, 2 * TEXT_PHRASE_STRLEN, "%s", text_moment(at, now, moment));
	if (at > now)
		text_append(buf, 2 * TEXT_PHRASE_STRLEN, " (in %s)",
			    text_age(at - now, age));
	return buf;
}

/* Of IPv6, which nobody translates on the way, there is no verdict. */
static void print_verdict(const json_t *wan)
{
	const char *name = status_string(wan, "interface"),
		   *source = status_string(wan, "source");
	const char *word = status_string(wan, "verdict"),
		   *why = status_string(wan, "reason");
	const char *external = status_string(wan, "external");
	char verdict[64];

	if (strchr(source, ':'))
		snprintf(verdict, sizeof(verdict), "IPv6");
	else if (!strcmp(word, "mapped") && *external)
		snprintf(verdict, sizeof(verdict), "mapped (%.46s)", external);
	else
		snprintf(verdict, sizeof(verdict), "%.40s",
			 strcmp(word, "behind-nat") != 0 ? word
							 : "behind NAT, not mapped");
	status_field("upstream", "%s: %s%s%s", name, verdict, *why ? ": " : "", why);
}

static void print_router(const json_t *wan)
{
	const char *gateway = status_string(wan, "gateway"),
		   *name = status_string(wan, "name");
	const char *external = status_string(wan, "external"),
		   *stun = status_string(wan, "stun");
	const char *protocol = upstream_protocol(status_string(wan, "protocol"));
	char line[STATUS_LINE_STRLEN] = "";

	if (*gateway)
		text_append(line, sizeof(line), "%s%s%s", gateway,
			    *protocol ? ", speaks " : "", protocol);
	if (*name)
		text_append(line, sizeof(line), ", is called \"%s\"", name);
	if (*external)
		text_append(line, sizeof(line), ", has %s", external);
	if (*stun)
		text_append(line, sizeof(line), "%sSTUN sees %s", *line ? "; " : "",
			    stun);
	if (*line)
		status_field("  router", "%s", line);
}

static void print_asked(const json_t *wan)
{
	char answered[TEXT_PHRASE_STRLEN], ahead[2 * TEXT_PHRASE_STRLEN];

	if (json_is_true(json_object_get(wan, "found")))
		status_field("  ports",
			     "%" PRIu64 " held, %" PRIu64 " refused, %" PRIu64
			     " asked for",
			     status_number(wan, "held"), status_number(wan, "refused"),
			     status_number(wan, "asking"));
	if (*status_moment(wan, "answered", answered))
		status_field("  answered", "%s", answered);
	if (*ahead_of(wan, "renews", ahead))
		status_field("  renews", "%s", ahead);
	if (*ahead_of(wan, "tries", ahead))
		status_field("  next look", "%s", ahead);
}

/* Where nobody is to be asked, it is told of a WAN that needs it. */
static void print_wans(const json_t *status)
{
	const json_t *upstream = json_object_get(status, "upstream");
	const json_t *wans = json_object_get(upstream, "wans"), *wan;
	const bool enabled = json_is_true(json_object_get(upstream, "enabled"));
	size_t i;

	json_array_foreach (wans, i, wan) {
		if (!enabled && strcmp(status_string(wan, "verdict"), "behind-nat") != 0)
			continue;
		print_verdict(wan);
		if (!enabled)
			continue;
		print_router(wan);
		print_asked(wan);
	}
}

static void print_worker(const json_t *worker)
{
	const char *role = status_string(worker, "role"),
		   *end = status_string(worker, "end");
	const uint64_t restarts = status_number(worker, "restarts");
	const bool up = json_is_true(json_object_get(worker, "up"));
	/* this one is started for a question, and dismissed after it */
	const char *down = strcmp(role, "resolver") ? "down" : "at rest";
	char things[TEXT_PHRASE_STRLEN], at[TEXT_PHRASE_STRLEN];
	char again[TEXT_PHRASE_STRLEN + 16] = "";

	if (!*end && !restarts)
		return;
	if (restarts)
		snprintf(again, sizeof(again), ", restarted %s",
			 text_things(restarts, "time", things));
	status_field("worker", "%s is %s%s%s%s%s%s", role, up ? "up" : down, again,
		     *end ? "; last end: " : "", end,
		     *status_moment(worker, "ended", at) ? ", " : "", at);
}

static void print_workers(const json_t *status)
{
	const json_t *upstream = json_object_get(status, "upstream");
	const json_t *workers = json_object_get(upstream, "workers"), *worker;
	size_t i;

	json_array_foreach (workers, i, worker)
		print_worker(worker);
}

static void print_confined(const json_t *status)
{
	const json_t *confined = json_object_get(status, "confined");

	if (json_is_false(json_object_get(confined, "landlock")))
		status_field(
			"confined",
			"without Landlock, which the kernel does not offer: natd may "
			"open what its user may");
}

void status_print_upstream(const json_t *status)
{
	print_wans(status);
	print_workers(status);
	print_confined(status);
}
