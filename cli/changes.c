/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/changes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/atomic.h"
#include "cli/notes.h"
#include "cli/process.h"
#include "cli/text.h"
#include "core/api.h"
#include "core/duration.h"

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

const char *changes_describe(const struct mapping *m,
			     char buf[static CHANGES_MAPPING_STRLEN])
{
	char text[MAPPING_STRLEN], lease[DURATION_STRLEN];

	snprintf(buf, CHANGES_MAPPING_STRLEN, "%s", mapping_describe(m, text));
	if (m->lifetime)
		text_append(buf, CHANGES_MAPPING_STRLEN, ", for %s",
			    duration_format(m->lifetime, lease));
	if (!m->enabled)
		text_append(buf, CHANGES_MAPPING_STRLEN, ", disabled");
	if (m->upstream != UPSTREAM_DEFAULT)
		text_append(buf, CHANGES_MAPPING_STRLEN, ", upstream %s",
			    upstream_wish_name((enum upstream_wish)m->upstream));
	return text_clean(buf);
}

/**
 * struct printing - an answer on its way to the screen
 * @change:  what was asked first, or NULL
 */
struct printing {
	const struct session *session;
	const struct change *change;
};

static bool is_update(const struct printing *p)
{
	return p->change && p->change->kind == CHANGE_UPDATE;
}

/* Did natd choose the port? */
static bool is_automatic(const struct printing *p)
{
	return p->change && p->change->kind == CHANGE_ADD &&
	       !p->change->mapping.external.port;
}

static const char *verdict_words(const struct printing *p, const char *code)
{
	enum verdict verdict;

	if (!code || outcome_by_code(code, &verdict) < 0)
		return NULL;
	if (verdict == VERDICT_ADDED)
		return "added";
	if (verdict == VERDICT_REMOVED)
		return "removed";
	if (verdict == VERDICT_CHANGED)
		return "changed";
	if (verdict != VERDICT_UNCHANGED)
		return NULL;
	return is_update(p) ? "already so" : "already there";
}

/* Silent about its own failures: the change is made. */
static json_t *get_mapping(const struct session *session, uint64_t id)
{
	struct request request = { .method = "GET" };
	struct answer answer;
	json_t *json = NULL;
	struct flaw why;
	char path[64];

	snprintf(path, sizeof(path), "/v1/mappings/%" PRIu64, id);
	request.path = path;
	if (client_ask(session->client, &request, NULL, NULL, &answer, &why) < 0)
		return NULL;
	if (answer_is_good(&answer) && answer.len)
		json = json_loadb(answer.body, answer.len, JSON_REJECT_DUPLICATES, NULL);
	answer_done(&answer);
	return json;
}

/* An answer to a change has no live fields: whether a given address is ours is asked. */
static bool is_waiting(const struct session *session, const struct mapping *m)
{
	CLEANUP(json_decref) json_t *json = NULL;
	const char *state;

	if (!m->enabled || address_is_any(&m->external.addr) || mapping_is_pinhole(m))
		return false;
	json = get_mapping(session, m->id);
	state = json_string_value(json_object_get(json, "state"));
	return state && !strcmp(state, "waiting");
}

uint16_t changes_port(const struct session *session, uint64_t id)
{
	CLEANUP(json_decref) json_t *json = get_mapping(session, id);
	const json_int_t port = json_integer_value(
		json_object_get(json_object_get(json, "external"), "port"));

	return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Whether the router above us holds it is asked likewise. */
static void print_required(const struct session *session, uint64_t id)
{
	CLEANUP(json_decref) json_t *json = get_mapping(session, id);
	char why[UPSTREAM_WHY_STRLEN + 64];
	struct mapping_state state;
	struct mapping m;

	if (!json || api_decode_mapping(json, &m, &state) < 0)
		return;
	if (state.condition == CONDITION_WAITING) {
		notes_why(&m, &state, why, sizeof(why));
		printf("  waiting: %s. See: natctl %s%s%s\n", why,
		       m.name[0] ? "lookup " : "list", m.name,
		       m.name[0] ? " --wait" : "");
	}
	details_unref(m.details);
}

static void print_waiting(const struct session *session, const struct mapping *m)
{
	char addr[INET6_ADDRSTRLEN];

	if (m->suffix && address_is_any(&m->host))
		puts("  waiting: its LAN has no IPv6 prefix now");
	else if (m->enabled && m->upstream == UPSTREAM_REQUIRED)
		print_required(session, m->id);
	else if (is_waiting(session, m))
		printf("  waiting: %s is no address of the WAN now\n",
		       address_format(&m->external.addr, addr));
}

static void print_mapping(const struct printing *p, const char *verdict,
			  const struct mapping *m, uint64_t ended)
{
	char text[CHANGES_MAPPING_STRLEN], suffix[CHANGES_ENDED_STRLEN];

	printf("%s %" PRIu64 ": %s%s\n", verdict, m->id, changes_describe(m, text),
	       changes_ended(ended, suffix));
	if (strcmp(verdict, "removed") != 0)
		print_waiting(p->session, m);
}

/* @before: what was printed last; a port is said once for all protocols that have it */
static void print_quiet(const struct printing *p, const char *verdict,
			const struct mapping *m, uint16_t *before)
{
	if (is_update(p) || !strcmp(verdict, "removed"))
		return;
	if (!is_automatic(p))
		printf("%" PRIu64 "\n", m->id);
	else if (*before != m->external.port)
		printf("%u\n", m->external.port);
	*before = m->external.port;
}

static void print_shadows(const struct printing *p, const json_t *result)
{
	const json_t *shadows = json_object_get(result, "shadows");
	char text[PROCESS_LISTENER_STRLEN];
	json_t *element;
	size_t i;

	if (p->session->quiet)
		return;
	json_array_foreach (shadows, i, element) {
		struct listener listener;

		if (api_decode_listener(element, 0, &listener) == 0)
			printf("  gets nothing from the WAN any more: %s\n",
			       process_describe(&listener, text));
	}
}

static int print_result(const struct printing *p, const json_t *result)
{
	const char *verdict =
		verdict_words(p, json_string_value(json_object_get(result, "verdict")));
	json_int_t ended = json_integer_value(json_object_get(result, "ended"));
	const json_t *mappings = json_object_get(result, "mappings");
	size_t n = json_array_size(mappings);
	uint16_t before = 0;

	if (!verdict || !json_is_array(mappings) || ended < 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct mapping m;

		if (api_decode_mapping(json_array_get(mappings, i), &m, NULL) < 0)
			return -EINVAL;
		if (p->session->quiet)
			print_quiet(p, verdict, &m, &before);
		else
			print_mapping(p, verdict, &m, i + 1 == n ? (uint64_t)ended : 0);
		details_unref(m.details);
	}
	print_shadows(p, result);
	return 0;
}

static int print_answer(const struct printing *p, const json_t *answer)
{
	const json_t *results = json_object_get(answer, "results");
	json_t *result;
	int r = 0;
	size_t i;

	if (results && !json_is_array(results))
		return -EINVAL;
	if (!results)
		r = print_result(p, answer);
	json_array_foreach (results, i, result) {
		r = print_result(p, result);
		if (r < 0)
			break;
	}
	if (r == 0)
		changes_warn(p->session, answer);
	return r;
}

int changes_print(const struct session *session, json_t *answer)
{
	const struct printing printing = { .session = session };

	return print_answer(&printing, answer);
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

static int ask(struct session *session, const struct request *request,
	       const struct change *change)
{
	CLEANUP(json_decref) json_t *answer = NULL;
	const struct printing printing = { .session = session, .change = change };
	int status;

	if (session->json)
		return session_call(session, request, NULL);
	status = session_read(session, request, &answer);
	if (status == EXIT_DONE && print_answer(&printing, answer) < 0)
		return session_garbled(session);
	return status;
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
	return ask(session, &request, changes);
}
