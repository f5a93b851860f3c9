/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cli/status.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "core/api.h"

void status_field(const char *label, const char *format, ...)
{
	char line[STATUS_LINE_STRLEN];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	printf("%-11s %s\n", label, text_clean(line));
}

const char *status_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t status_number(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

const char *status_moment(const json_t *object, const char *key,
			  char buf[static TEXT_PHRASE_STRLEN])
{
	uint64_t at;

	buf[0] = '\0';
	if (api_time_parse(status_string(object, key), &at) == 0)
		text_moment(at, (uint64_t)time(NULL), buf);
	return buf;
}

static void print_natd(const json_t *status)
{
	char started[TEXT_PHRASE_STRLEN], since[TEXT_PHRASE_STRLEN];
	const char *protection = status_string(status, "protection");

	status_field("natd", "%s, pid %" PRIu64 ", started %s",
		     status_string(status, "version"), status_number(status, "pid"),
		     status_moment(status, "started", started));
	if (*status_moment(status, "table_since", since))
		status_field("table", "%s, in force without a break since %s", protection,
			     since);
	else
		status_field("table", "%s", protection);
}

static void print_forwards(const json_t *status)
{
	char n[TEXT_COUNT_STRLEN], capacity[TEXT_COUNT_STRLEN];

	status_field("forwards", "%s of at most %s",
		     text_count(status_number(status, "mappings"), n),
		     text_count(status_number(status, "capacity"), capacity));
}

static void print_forwarding(const json_t *status)
{
	const json_t *forwarding = json_object_get(status, "forwarding");

	if (forwarding)
		status_field(
			"kernel", "forwards IPv4: %s, IPv6: %s",
			json_is_true(json_object_get(forwarding, "ipv4")) ? "yes" : "no",
			json_is_true(json_object_get(forwarding, "ipv6")) ? "yes" : "no");
}

static void append(char *line, size_t size, const char *before, const char *text)
{
	size_t len = strlen(line);

	snprintf(line + len, size - len, "%s%s", before, text);
}

static void print_link(const char *label, const json_t *link)
{
	const json_t *addresses = json_object_get(link, "addresses"), *address;
	const char *name = status_string(link, "interface");
	char list[STATUS_LINE_STRLEN] = "";
	size_t i;

	if (!json_is_true(json_object_get(link, "present"))) {
		status_field(label, "%s is not there", name);
		return;
	}
	json_array_foreach (addresses, i, address) {
		if (json_is_string(address))
			append(list, sizeof(list), i ? ", " : "",
			       json_string_value(address));
	}
	status_field(label, "%s %s, mtu %" PRIu64 ", %s", name,
		     json_is_true(json_object_get(link, "up")) ? "up" : "down",
		     status_number(link, "mtu"), *list ? list : "no address");
}

static void print_links(const json_t *status, const char *label)
{
	const json_t *links = json_object_get(status, label), *link;
	size_t i;

	json_array_foreach (links, i, link)
		print_link(label, link);
}

static void print_clamp(const json_t *status)
{
	const json_t *clamp = json_object_get(status, "clamp");

	if (json_is_integer(clamp))
		status_field("mss", "%" PRIu64 " bytes at most",
			     status_number(status, "clamp"));
	else if (!strcmp(status_string(status, "clamp"), "route"))
		status_field("mss", "clamped to the route's MTU");
	else if (clamp)
		status_field("mss", "not clamped");
}

static void print_accounting(const json_t *status)
{
	const json_t *accounting = json_object_get(status, "accounting");

	if (accounting)
		status_field("accounting", "%s", json_is_true(accounting) ? "on" : "off");
}

/* Those that the running kernel translates, and those that it does not. */
static void print_protocols(const json_t *status)
{
	json_t *protocols = json_object_get(status, "protocols"), *able;
	char yes[STATUS_LINE_STRLEN / 4] = "", no[STATUS_LINE_STRLEN / 4] = "";
	const char *name;

	json_object_foreach (protocols, name, able) {
		char *list = json_is_true(able) ? yes : no;

		append(list, sizeof(yes), *list ? ", " : "", name);
	}
	if (*yes || *no)
		status_field("protocols", "%s%s%s", *yes ? yes : "none",
			     *no ? "; not " : "", no);
}

static void print_pool(const json_t *status)
{
	const json_t *pools = json_object_get(status, "pool"), *pool;
	size_t i;

	json_array_foreach (pools, i, pool) {
		json_t *used = json_object_get(pool, "used"), *n;
		char line[STATUS_LINE_STRLEN / 2] = "", size[TEXT_COUNT_STRLEN];
		const char *protocol;

		json_object_foreach (used, protocol, n)
			text_append(line, sizeof(line), "%s%.16s %" JSON_INTEGER_FORMAT,
				    *line ? ", " : "; in use: ", protocol,
				    json_integer_value(n));
		status_field("pool", "%s, %s ports%s", status_string(pool, "ports"),
			     text_count(status_number(pool, "size"), size), line);
	}
}

static void print_snat(const json_t *status)
{
	const json_t *list = json_object_get(status, "snat"), *rule;
	size_t i;

	json_array_foreach (list, i, rule) {
		const char *to = status_string(rule, "to");

		status_field("snat", "%s leaves as %s%s", status_string(rule, "source"),
			     *to ? to : "itself",
			     json_is_true(json_object_get(rule, "one_to_one"))
				     ? ", one to one"
				     : "");
	}
}

static void print_ending(const json_t *status)
{
	const json_t *ending = json_object_get(status, "ending");
	const char *problem = status_string(ending, "problem");
	char things[TEXT_PHRASE_STRLEN];

	if (!status_number(ending, "pending") && !*problem)
		return;
	status_field("ending", "connections of %s wait to be ended%s%s",
		     text_things(status_number(ending, "pending"), "forward", things),
		     *problem ? ": " : "", problem);
}

static void print_dropped(const json_t *status)
{
	char refused[TEXT_COUNT_STRLEN], spoofed[TEXT_COUNT_STRLEN];
	char invalid[TEXT_COUNT_STRLEN];

	status_field("dropped",
		     "packets from outside: %s unasked, %s spoofed, %s invalid",
		     text_count(status_number(status, "refused"), refused),
		     text_count(status_number(status, "spoofed"), spoofed),
		     text_count(status_number(status, "invalid"), invalid));
}

static void print_repairs(const json_t *status)
{
	const json_t *repairs = json_object_get(status, "repairs");
	const json_t *last = json_object_get(repairs, "last");
	char count[TEXT_COUNT_STRLEN], at[TEXT_PHRASE_STRLEN],
		by[128] = "somebody unknown";
	const char *process = status_string(last, "process");
	uint64_t pid = status_number(last, "pid");

	if (!status_number(repairs, "count"))
		return;
	if (*process && pid)
		snprintf(by, sizeof(by), "%.80s (pid %" PRIu64 ")", process, pid);
	else if (*process)
		snprintf(by, sizeof(by), "%.80s", process);
	else if (pid)
		snprintf(by, sizeof(by), "pid %" PRIu64, pid);
	status_field("repaired", "%s times; the last time %s, after %s",
		     text_count(status_number(repairs, "count"), count),
		     status_moment(last, "at", at), by);
}

static void print_sentences(const json_t *status, const char *key, const char *label)
{
	const json_t *list = json_object_get(status, key), *sentence;
	size_t i;

	json_array_foreach (list, i, sentence) {
		if (json_is_string(sentence))
			status_field(label, "%s", json_string_value(sentence));
	}
}

static int status_print(const struct session *session, json_t *answer)
{
	if (!json_is_string(json_object_get(answer, "version")))
		return -EINVAL;
	if (session->quiet)
		return 0;
	print_natd(answer);
	print_forwards(answer);
	print_forwarding(answer);
	print_links(answer, "wan");
	print_links(answer, "lan");
	print_clamp(answer);
	print_protocols(answer);
	print_pool(answer);
	print_snat(answer);
	print_accounting(answer);
	status_print_upstream(answer);
	print_dropped(answer);
	print_ending(answer);
	print_repairs(answer);
	print_sentences(answer, "foreign_chains", "foreign");
	print_sentences(answer, "problems", "problem");
	if (!json_array_size(json_object_get(answer, "problems")))
		status_field("problems", "none known");
	return 0;
}

static int status_run(struct session *session, const struct args *args)
{
	const struct request request = { .method = "GET", .path = "/v1/status" };

	return session_call(session, &request, status_print);
}

const struct verb verb_status = {
	.name = "status",
	.also = "stat info state",
	.usage = "",
	.summary = "show how natd, its interfaces and its table are",
	.help = "upstream: whether the internet reaches a WAN: it is public, or mapped (by the\n"
		"router above us, which has that address), or behind NAT, or it is unknown.\n"
		"foreign: chains of other programs that may drop what natd forwards.\n"
		"problem: what natd knows to be wrong, and the cure.\n"
		"\n"
		"  natctl status\n"
		"  natctl status --json | jq -r .protection\n",
	.run = status_run,
};
