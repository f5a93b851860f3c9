/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/changes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/atomic.h"
#include "cli/text.h"
#include "core/api.h"

DEFINE_CLEANUP(free, char *)

const char *changes_ended(uint64_t ended, char buf[static CHANGES_ENDED_STRLEN])
{
	char things[TEXT_PHRASE_STRLEN];

	buf[0] = '\0';
	if (ended)
		snprintf(buf, CHANGES_ENDED_STRLEN, ", %s ended",
			 text_things(ended, "connection", things));
	return buf;
}

void changes_warn(const struct session *session, const json_t *answer)
{
	if (json_is_true(json_object_get(answer, "pending")))
		session_fault(session,
			      "connections of what was changed may go on: natd could not "
			      "end them. It tries again with the next change; natctl "
			      "resync makes it try now.");
}

static const char *verdict_words(const char *code)
{
	enum verdict verdict;

	if (!code || outcome_by_code(code, &verdict) < 0)
		return NULL;
	if (verdict == VERDICT_ADDED)
		return "added";
	if (verdict == VERDICT_REMOVED)
		return "removed";
	return verdict == VERDICT_UNCHANGED ? "already there" : NULL;
}

static void print_mapping(const struct session *session, const char *verdict,
			  const struct mapping *m, uint64_t ended)
{
	char text[MAPPING_STRLEN], suffix[CHANGES_ENDED_STRLEN];

	if (!session->quiet)
		printf("%s %" PRIu64 ": %s%s\n", verdict, m->id,
		       text_clean((char *)mapping_describe(m, text)),
		       changes_ended(ended, suffix));
	else if (strcmp(verdict, "removed") != 0)
		printf("%" PRIu64 "\n", m->id);
}

static int print_result(const struct session *session, const json_t *result)
{
	const char *verdict =
		verdict_words(json_string_value(json_object_get(result, "verdict")));
	json_int_t ended = json_integer_value(json_object_get(result, "ended"));
	const json_t *mappings = json_object_get(result, "mappings");
	size_t n = json_array_size(mappings);

	if (!verdict || !json_is_array(mappings) || ended < 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct mapping m;

		if (api_decode_mapping(json_array_get(mappings, i), &m, NULL) < 0)
			return -EINVAL;
		print_mapping(session, verdict, &m, i + 1 == n ? (uint64_t)ended : 0);
	}
	return 0;
}

int changes_print(const struct session *session, json_t *answer)
{
	const json_t *results = json_object_get(answer, "results");
	json_t *result;
	int r = 0;
	size_t i;

	if (results && !json_is_array(results))
		return -EINVAL;
	if (!results)
		r = print_result(session, answer);
	json_array_foreach (results, i, result) {
		r = print_result(session, result);
		if (r < 0)
			break;
	}
	if (r == 0)
		changes_warn(session, answer);
	return r;
}

/* New reference; an object for one change, an array for more. */
static json_t *encode(const struct change *changes, size_t n)
{
	CLEANUP(json_decref) json_t *array = NULL;

	if (n == 1)
		return api_encode_change(changes);
	array = json_array();
	for (size_t i = 0; array && i < n; i++) {
		if (json_array_append_new(array, api_encode_change(&changes[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

static int gather(struct session *session, const struct change *changes, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = atomic_add(session->atomic, &changes[i], session->line);
	if (r == -E2BIG)
		return session_usage(session,
				     "more than %d changes. Split the file, or leave out "
				     "--atomic.",
				     API_LIST_MAX);
	return r < 0 ? session_fault(session, "out of memory") : EXIT_DONE;
}

int changes_make(struct session *session, const struct change *changes, size_t n)
{
	CLEANUP(json_decref) json_t *json = NULL;
	CLEANUP(free) char *body = NULL;
	struct request request = {
		.method = "POST",
		.path = "/v1/mappings",
		.type = "application/json",
	};

	if (session->atomic)
		return gather(session, changes, n);
	json = encode(changes, n);
	body = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!body)
		return session_fault(session, "out of memory");
	request.body = body;
	request.len = strlen(body);
	return session_call(session, &request, changes_print);
}
