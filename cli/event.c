/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/event.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/changes.h"
#include "cli/text.h"
#include "cli/upstream.h"
#include "core/api.h"
#include "core/duration.h"

/* a sentence of natd's, and what natctl adds to it */
#define SENTENCE_STRLEN 1200

static const char *text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static bool read_mapping(const struct event *event, const char *key, struct mapping *ret)
{
	json_t *json = json_object_get(event->json, key);

	return json && api_decode_mapping(json, ret, NULL) == 0;
}

/* ------------------------------------------------------------ reading */

/* FNV-1a; two things with one key merely wait for each other. */
static uint64_t hash(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	while (len--)
		sum = (sum ^ *at++) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t key_of(const struct event *event)
{
	const uint64_t start = UINT64_C(0xcbf29ce484222325);
	struct mapping m;

	if (!read_mapping(event, "mapping", &m))
		return hash(start, event->word, strlen(event->word));
	details_unref(m.details);
	return hash(hash(hash(start, &m.protocol, sizeof(m.protocol)), &m.external.port,
			 sizeof(m.external.port)),
		    &m.external.addr, sizeof(m.external.addr));
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

int event_read(const char *line, size_t len, struct event *ret)
{
	static const char *const of_stream[] = { "start", "reset", "lost", "dropped",
						 NULL };
	static const char *const gaps[] = { "reset", "lost", NULL };
	struct event event = { 0 };
	json_t *seq;

	event.json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	event.word = text_at(event.json, "event");
	seq = json_object_get(event.json, strcmp(event.word, "lost") ? "seq" : "to");
	if (!event.word[0] || (seq && json_integer_value(seq) < 0)) {
		json_decref(event.json);
		return -EINVAL;
	}
	event.seq = (uint64_t)json_integer_value(seq);
	event.happened = !is_one_of(event.word, of_stream);
	event.gap = is_one_of(event.word, gaps);
	event.key = key_of(&event);
	*ret = event;
	return 0;
}

void event_done(struct event *event)
{
	json_decref(event->json);
	event->json = NULL;
}

/* ------------------------------------------------------------ words */

/* How one mapping was altered; another in its place says where it led. */
static void say_difference(const struct mapping *m, const struct mapping *before,
			   char *buf, size_t size)
{
	char was[MAPPING_ENDPOINT_STRLEN], lease[DURATION_STRLEN];

	mapping_format_internal(before, was);
	if (m->id != before->id)
		text_append(buf, size, ", was %" PRIu64 " -> %s", before->id, was);
	else if (!endpoint_equal(&m->internal, &before->internal))
		text_append(buf, size, ", was -> %s", was);
	if (m->id != before->id)
		return;
	if (strcmp(m->name, before->name) != 0)
		text_append(buf, size, ", was \"%s\"", before->name);
	if (m->enabled != before->enabled)
		text_append(buf, size, ", %s", m->enabled ? "enabled" : "disabled");
	if (strcmp(mapping_comment(m), mapping_comment(before)) != 0)
		text_append(buf, size, ", comment \"%s\"", mapping_comment(m));
	if (m->upstream != before->upstream)
		text_append(buf, size, ", upstream %s",
			    upstream_wish_name((enum upstream_wish)m->upstream));
	if (m->lifetime)
		text_append(buf, size, ", for %s", duration_format(m->lifetime, lease));
	else if (before->lifetime)
		text_append(buf, size, ", for good");
}

static void say_before(const struct event *event, const struct mapping *m, char *buf,
		       size_t size)
{
	struct mapping before;

	if (!read_mapping(event, "before", &before))
		return;
	say_difference(m, &before, buf, size);
	details_unref(before.details);
}

static void say_mapping(const struct event *event, char *buf, size_t size)
{
	json_int_t ended = json_integer_value(json_object_get(event->json, "ended"));
	char text[CHANGES_MAPPING_STRLEN], suffix[CHANGES_ENDED_STRLEN];
	const bool is_new = !strcmp(event->word, "added");
	struct mapping m;

	if (!read_mapping(event, "mapping", &m))
		return;
	text_append(buf, size, "%" PRIu64 ": %s", m.id,
		    is_new ? changes_describe(&m, text) : mapping_describe(&m, text));
	say_before(event, &m, buf, size);
	text_append(buf, size, "%s",
		    changes_ended(ended > 0 ? (uint64_t)ended : 0, suffix));
	details_unref(m.details);
}

static void say_refused(const struct event *event, char *buf, size_t size)
{
	const json_t *uid = json_object_get(event->json, "uid");
	const json_t *problem = json_object_get(event->json, "problem");

	if (json_is_integer(uid))
		snprintf(buf, size, "uid %" JSON_INTEGER_FORMAT ": %s",
			 json_integer_value(uid), text_at(problem, "detail"));
	else
		snprintf(buf, size, "%s", text_at(problem, "detail"));
}

static void say_addresses(const struct event *event, char *buf, size_t size)
{
	static const struct {
		const char *key, *words;
	} lists[] = { { "added", "is new" }, { "lost", "is lost" } };
	const json_t *addresses = json_object_get(event->json, "addresses");
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *list = json_object_get(addresses, lists[i].key);
		const json_t *address;
		size_t j;

		json_array_foreach (list, j, address) {
			const char *text = json_string_value(address);

			if (!text || size - len < 2 * INET6_ADDRSTRLEN)
				return;
			len += (size_t)snprintf(buf + len, size - len, "%s%.46s %s",
						len ? ", " : "", text, lists[i].words);
		}
	}
}

static void say_repair(const struct event *event, char *buf, size_t size)
{
	const json_t *by = json_object_get(event->json, "by");
	const json_t *pid = json_object_get(by, "pid");
	const char *process = text_at(by, "process");
	const char *what = json_is_true(json_object_get(event->json, "created"))
				   ? "deleted"
				   : "changed";

	if (json_is_integer(pid))
		snprintf(buf, size,
			 "the kernel's table, %s by %.64s (pid %" JSON_INTEGER_FORMAT ")",
			 what, *process ? process : "somebody", json_integer_value(pid));
	else
		snprintf(buf, size, "the kernel's table, %s by %.64s", what,
			 *process ? process : "somebody");
}

static void say_foreign(const struct event *event, char *buf, size_t size)
{
	snprintf(buf, size, "%s: %s", text_at(event->json, "chain"),
		 text_at(event->json, "state"));
}

static void say_router(const struct event *event, char *buf, size_t size)
{
	const bool found = !strcmp(event->word, "upstream-found");

	snprintf(buf, size, "%s: the router %s %s %s", text_at(event->json, "interface"),
		 text_at(event->json, "router"),
		 found ? "speaks" : "no longer answers by",
		 upstream_protocol(text_at(event->json, "protocol")));
}

static void say_external(const struct event *event, char *buf, size_t size)
{
	const char *address = text_at(event->json, "address");

	snprintf(buf, size, "%s: the router %s has %s", text_at(event->json, "interface"),
		 text_at(event->json, "router"),
		 *address ? address : "no external address");
}

static void say_upstream(const struct event *event, char *buf, size_t size)
{
	const char *external = text_at(event->json, "external");
	const char *problem = text_at(event->json, "problem");
	char text[MAPPING_STRLEN];
	struct mapping m;

	if (!read_mapping(event, "mapping", &m))
		return;
	text_append(buf, size, "%" PRIu64 ": %s", m.id, mapping_describe(&m, text));
	if (!strcmp(event->word, "upstream-refused"))
		text_append(buf, size, ": %s", problem);
	else if (*external)
		text_append(buf, size, ", seen by the internet at %s", external);
	else
		text_append(buf, size, ", held by the router above us");
	details_unref(m.details);
}

static void say_start(const struct event *event, char *buf, size_t size)
{
	snprintf(buf, size, "what happens from now on, behind %" PRIu64, event->seq);
}

static void say_reset(const struct event *event, char *buf, size_t size)
{
	snprintf(buf, size,
		 "natd was started anew; what happened before is not known. natctl list "
		 "shows what is so");
}

static void say_lost(const struct event *event, char *buf, size_t size)
{
	const json_int_t from = json_integer_value(json_object_get(event->json, "from"));
	const uint64_t n = event->seq - (uint64_t)from + 1;
	char things[TEXT_PHRASE_STRLEN];

	snprintf(buf, size, "%s that natd no longer has. natctl list shows what is so",
		 text_things(n, "event", things));
}

static void say_dropped(const struct event *event, char *buf, size_t size)
{
	snprintf(buf, size, "natctl did not keep up, and natd went on without it");
}

static const struct {
	const char *word;
	void (*say)(const struct event *event, char *buf, size_t size);
} sayings[] = {
	{ "added", say_mapping },
	{ "changed", say_mapping },
	{ "removed", say_mapping },
	{ "expired", say_mapping },
	{ "waiting", say_mapping },
	{ "active", say_mapping },
	{ "refused", say_refused },
	{ "wan-address", say_addresses },
	{ "repaired", say_repair },
	{ "foreign-drop", say_foreign },
	{ "upstream-found", say_router },
	{ "upstream-lost", say_router },
	{ "upstream-mapped", say_upstream },
	{ "upstream-refused", say_upstream },
	{ "external-address", say_external },
	{ "start", say_start },
	{ "reset", say_reset },
	{ "lost", say_lost },
	{ "dropped", say_dropped },
};

static void print_time(const struct event *event, FILE *out)
{
	char text[24] = "?";
	uint64_t seconds;
	struct tm tm;
	time_t t;

	if (api_time_parse(text_at(event->json, "time"), &seconds) < 0)
		seconds = (uint64_t)time(NULL);
	t = (time_t)seconds;
	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s  ", text);
}

void event_print(const struct event *event, FILE *out)
{
	char sentence[SENTENCE_STRLEN] = "", word[EVENT_LABEL_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(sayings); i++)
		if (!strcmp(sayings[i].word, event->word))
			sayings[i].say(event, sentence, sizeof(sentence));
	print_time(event, out);
	snprintf(word, sizeof(word), "%s", event->word);
	fprintf(out, "%-16s  %s\n", text_clean(word), text_clean(sentence));
}

const char *event_label(const struct event *event, char buf[static EVENT_LABEL_STRLEN])
{
	snprintf(buf, EVENT_LABEL_STRLEN, "%.40s %" PRIu64, event->word, event->seq);
	return text_clean(buf);
}
