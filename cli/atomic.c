/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/atomic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/changes.h"
#include "cli/text.h"
#include "core/api.h"
#include "core/ndjson.h"

/* the answer, line by line */
struct reader {
	struct session *session;
	struct ndjson lines;
	size_t answered;
	bool complete;
};

int atomic_add(struct atomic *atomic, const struct change *change, size_t line)
{
	if (atomic->list.n >= API_LIST_MAX)
		return -E2BIG;
	if (atomic->list.n == atomic->room) {
		size_t room = atomic->room ? 2 * atomic->room : 64;
		size_t *lines = realloc(atomic->lines, room * sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		atomic->lines = lines;
		atomic->room = room;
	}
	atomic->lines[atomic->list.n] = line;
	return change_list_add(&atomic->list, change);
}

size_t atomic_line(const struct atomic *atomic, size_t i)
{
	return i < atomic->list.n ? atomic->lines[i] : 0;
}

void atomic_done(struct atomic *atomic)
{
	change_list_done(&atomic->list);
	free(atomic->lines);
	memset(atomic, 0, sizeof(*atomic));
}

static int write_change(FILE *stream, const struct change *change)
{
	CLEANUP(json_decref) json_t *json = api_encode_change(change);

	if (!json || json_dumpf(json, stream, JSON_COMPACT) < 0)
		return -ENOMEM;
	return putc('\n', stream) == EOF ? -ENOMEM : 0;
}

/* Return: 0, or -ENOMEM; @ret_bytes is the caller's to free. */
static int write_changes(const struct change_list *list, char **ret_bytes,
			 size_t *ret_len)
{
	char *bytes = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&bytes, &len);
	int r = stream ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = write_change(stream, &list->changes[i]);
	if (stream && fclose(stream) != 0)
		r = -ENOMEM;
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

/* The answer has ids alone: a port that natd chose is asked for. */
static void print_one(const struct session *session, const char *verdict,
		      struct mapping *m, bool automatic)
{
	char text[CHANGES_MAPPING_STRLEN];

	if (automatic)
		m->external.port = changes_port(session, m->id);
	if (!session->quiet)
		printf("%s %" PRIu64 ": %s\n", verdict, m->id, changes_describe(m, text));
	else if (automatic)
		printf("%u\n", m->external.port);
	else
		printf("%" PRIu64 "\n", m->id);
}

static void print_added(const struct session *session, const struct change *change,
			const char *verdict, const json_t *ids)
{
	const bool automatic = !change->mapping.external.port;
	size_t n = 0;

	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct mapping m = change->mapping;

		if (!(change->protocols & 1u << i))
			continue;
		m.id = (uint64_t)json_integer_value(json_array_get(ids, n++));
		m.protocol = protocol_at(i);
		print_one(session, verdict, &m, automatic);
	}
}

static void print_ids(const struct session *session, const char *verdict,
		      const struct selector *s, const json_t *ids)
{
	json_t *id;
	size_t i;

	if (session->quiet)
		return;
	fputs(verdict, stdout);
	json_array_foreach (ids, i, id)
		printf("%s %" PRId64, i ? "," : "", (int64_t)json_integer_value(id));
	if (s->name[0])
		printf(": \"%s\"", s->name);
	else if (!s->id)
		printf(": %s %u", protocol_name(s->protocol), s->port);
	putchar('\n');
}

static int print_verdict(const struct reader *reader, const json_t *json)
{
	const struct change_list *list = &reader->session->atomic->list;
	const char *verdict = json_string_value(json_object_get(json, "verdict"));
	const json_t *ids = json_object_get(json, "ids");
	json_int_t index = json_integer_value(json_object_get(json, "index"));
	const struct change *change;
	bool unchanged;

	if (!verdict || !json_is_array(ids) || index < 0 || (size_t)index >= list->n)
		return -EINVAL;
	change = &list->changes[index];
	unchanged = strcmp(verdict, "unchanged") == 0;
	if (change->kind == CHANGE_REMOVE)
		print_ids(reader->session, "removed", &change->selector, ids);
	else if (change->kind == CHANGE_UPDATE)
		print_ids(reader->session, unchanged ? "already so" : "changed",
			  &change->selector, ids);
	else
		print_added(reader->session, change,
			    unchanged ? "already there" : "added", ids);
	return 0;
}

static void print_end(const struct reader *reader, const json_t *json)
{
	json_int_t changes = json_integer_value(json_object_get(json, "changes"));
	json_int_t ended = json_integer_value(json_object_get(json, "ended"));
	char things[TEXT_PHRASE_STRLEN], suffix[CHANGES_ENDED_STRLEN];

	if (!reader->session->quiet && changes >= 0 && ended >= 0)
		printf("%s made together%s\n",
		       text_things((uint64_t)changes, "change", things),
		       changes_ended((uint64_t)ended, suffix));
	changes_warn(reader->session, json);
}

static int take_line(void *userdata, const char *line, size_t len)
{
	CLEANUP(json_decref)
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct reader *reader = userdata;

	if (json_object_get(json, "changes")) {
		reader->complete = true;
		print_end(reader, json);
		return 0;
	}
	reader->answered++;
	return print_verdict(reader, json);
}

/* Taken as a whole: what is printed of it may need the connection. */
static int ask(struct session *session, const struct request *request)
{
	struct reader reader = { .session = session };
	struct answer answer;
	int r, status = session_ask(session, request, NULL, NULL, &answer);

	if (status != EXIT_DONE)
		return status;
	r = ndjson_feed(&reader.lines, answer.body, answer.len, take_line, &reader);
	if (r == 0)
		r = ndjson_end(&reader.lines, take_line, &reader);
	if (r != 0 || !reader.complete || reader.answered != session->atomic->list.n)
		status = session_garbled(session);
	answer_done(&answer);
	ndjson_done(&reader.lines);
	return status;
}

int atomic_send(struct session *session)
{
	struct request request = {
		.method = "POST",
		.path = "/v1/mappings",
		.accept = "application/x-ndjson",
		.type = "application/x-ndjson",
	};
	char *body;
	int status;

	if (!session->atomic->list.n)
		return EXIT_DONE;
	if (write_changes(&session->atomic->list, &body, &request.len) < 0)
		return session_fault(session, "out of memory");
	request.body = body;
	status = session->json ? session_call(session, &request, NULL)
			       : ask(session, &request);
	free(body);
	return status;
}
