/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * To wait, events are asked for before the list is read: what comes into force in between
 * is told. Any event makes it look again, since an address, a mapping and a listener can
 * all be what was missing. Once it waits, a natd that goes away is waited for as well.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "cli/list_filters.h"
#include "cli/notes.h"
#include "cli/retry.h"
#include "cli/text.h"
#include "cli/upstream.h"
#include "cli/values.h"
#include "cli/verb.h"
#include "core/ndjson.h"

DEFINE_CLEANUP(free, char *)

#define WHY_STRLEN	 512
#define FOR_EVER	 UINT64_MAX
#define WAIT_MAX	 (365 * 86400)
#define ENDPOINTS_STRLEN 4096
/* beside exit statuses: natd has gone, and may come back */
#define LOST (-1)

/**
 * struct lookup
 * @found: endpoints, one a line; "" = there is none
 * @why:   why there is none
 * @own:   natd's endpoints, whatever the router above us makes of them
 * @until: when waiting ends, by retry_now(); 0 = it is not waited
 * @events: NULL before it waits
 * @lost:  why natd was not reached last
 */
struct lookup {
	struct session *session;
	struct client *events;
	struct retry retry;
	struct flaw lost;
	const char *name;
	struct query query;
	bool own;
	uint64_t until;
	char found[ENDPOINTS_STRLEN];
	char why[WHY_STRLEN];
};

/* ------------------------------------------------------------------ failures */

static int lose(struct lookup *l, const char *why)
{
	snprintf(l->lost.text, sizeof(l->lost.text), "%s", why);
	retry_tell_gone(&l->retry, l->session);
	return LOST;
}

/* Return: LOST, or an exit status. */
static int fail(struct lookup *l, int error, const struct flaw *why)
{
	if (l->events && retry_is_of_use(error))
		return lose(l, why->text);
	return session_fault(l->session, "%s", why->text);
}

/* A natd that is about to end has no place for anybody. Return: as fail() */
static int refuse(struct lookup *l, struct answer *answer)
{
	int status;

	if (l->events && answer->status == 503)
		status = lose(l, "natd has no place for this. Try again later.");
	else
		status = session_refused(l->session, answer);
	answer_done(answer);
	return status;
}

/* ------------------------------------------------------------------ the list */

/* Is @line, with its end, one of @lines? */
static bool has_line(const char *lines, const char *line)
{
	const size_t len = strlen(line);

	for (const char *at = lines; *at; at = strchr(at, '\n') + 1)
		if (!strncmp(at, line, len))
			return true;
	return false;
}

/* Of several protocols with one endpoint it is said once. */
static void put_endpoint(struct lookup *l, const struct mapping *m,
			 const struct endpoint *e)
{
	char text[ENDPOINT_STRLEN], line[ENDPOINT_STRLEN + 8] = "";

	text_append(line, sizeof(line), "%s", endpoint_format(e, text));
	if (m->n_ports > 1)
		text_append(line, sizeof(line), "-%u", e->port + m->n_ports - 1u);
	text_append(line, sizeof(line), "\n");
	if (!has_line(l->found, line) &&
	    strlen(l->found) + strlen(line) < ENDPOINTS_STRLEN)
		text_append(l->found, sizeof(l->found), "%s", line);
}

/* What is in force at the router above us is what the world sees of it. */
static void put_endpoints(struct lookup *l, const struct mapping *m,
			  const struct mapping_state *state)
{
	if (!l->own && state->n_endpoints && upstream_is_seen(&state->upstream)) {
		put_endpoint(l, m, &state->upstream.external);
		return;
	}
	for (size_t i = 0; i < state->n_endpoints; i++)
		put_endpoint(l, m, &state->endpoints[i]);
}

static int take_mapping(struct lookup *l, json_t *json)
{
	char why[WHY_STRLEN / 2];
	struct mapping_state state;
	struct mapping m;
	int r = api_decode_mapping(json, &m, &state);

	if (r < 0)
		return r;
	put_endpoints(l, &m, &state);
	if (!state.n_endpoints) {
		notes_why(&m, &state, why, sizeof(why));
		text_append(l->why, sizeof(l->why), "%s%s: %s", *l->why ? "; " : "",
			    protocol_name(m.protocol), why);
	}
	details_unref(m.details);
	return 0;
}

/* Return: exit status, or LOST; @ret_json is a new reference on EXIT_DONE. */
static int ask(struct lookup *l, json_t **ret_json)
{
	const struct request request = { .method = "GET", .path = l->query.path };
	struct answer answer;
	struct flaw why;
	json_t *json;
	int r;

	r = client_ask(l->session->client, &request, NULL, NULL, &answer, &why);
	if (r < 0)
		return fail(l, r, &why);
	if (!answer_is_good(&answer))
		return refuse(l, &answer);
	json = answer.len
		       ? json_loadb(answer.body, answer.len, JSON_REJECT_DUPLICATES, NULL)
		       : NULL;
	answer_done(&answer);
	if (!json_is_array(json)) {
		json_decref(json);
		return session_garbled(l->session);
	}
	*ret_json = json;
	return EXIT_DONE;
}

/* @list: replaced on EXIT_DONE. Return: exit status, or LOST. */
static int look(struct lookup *l, json_t **list)
{
	json_t *json = NULL, *element;
	int status;
	size_t i;

	status = ask(l, &json);
	if (status != EXIT_DONE)
		return status;
	json_decref(*list);
	*list = json;
	l->found[0] = l->why[0] = '\0';
	json_array_foreach (json, i, element) {
		if (take_mapping(l, element) < 0)
			return session_garbled(l->session);
	}
	return EXIT_DONE;
}

/* Return: exit status. */
static int print_json(const struct lookup *l, const json_t *list)
{
	CLEANUP(free) char *text = json_dumps(list, JSON_COMPACT);
	struct pass pass = { 0 };

	if (!text)
		return session_fault(l->session, "out of memory");
	session_pass(&pass, text, strlen(text));
	session_pass(&pass, "\n", 1);
	return EXIT_DONE;
}

static int answer(const struct lookup *l, const json_t *list)
{
	if (l->session->json) {
		if (print_json(l, list) != EXIT_DONE)
			return EXIT_NATD;
	} else if (!l->session->quiet) {
		fputs(l->found, stdout);
	}
	if (*l->found)
		return EXIT_DONE;
	if (json_array_size(list))
		session_fault(l->session, "%s has no external endpoint in force: %s.",
			      l->name, l->why);
	else
		session_fault(l->session, "no forward is called %s. See: natctl list",
			      l->name);
	return EXIT_REFUSED;
}

/* ------------------------------------------------------------------ waiting */

static int count_line(void *userdata, const char *line, size_t len)
{
	(*(size_t *)userdata)++;
	return 0;
}

struct reading {
	struct ndjson lines;
	size_t n;
};

static int take_bytes(void *userdata, const char *bytes, size_t len)
{
	struct reading *reading = userdata;

	return ndjson_feed(&reading->lines, bytes, len, count_line, &reading->n);
}

/* Milliseconds for poll(), of which a long wait takes several. */
static int patience(uint64_t until)
{
	const uint64_t now = retry_now(), left = until > now ? until - now : 0;

	return (int)(left < 60000 ? left : 60000);
}

static bool is_over(const struct lookup *l)
{
	return l->until != FOR_EVER && retry_now() >= l->until;
}

/* Return: EXIT_DONE; LOST, where natd ended the stream without a fault, too. */
static int take_events(struct lookup *l, struct client_stream *stream,
		       struct reading *reading)
{
	struct flaw why;
	int r = client_take(l->events, stream, take_bytes, reading, &why);

	if (r == -EPROTO)
		return refuse(l, &stream->refusal);
	if (r < 0)
		return fail(l, r, &why);
	if (stream->begun)
		retry_tell_back(&l->retry, l->session);
	return r ? EXIT_DONE : LOST;
}

/* Return: EXIT_DONE, *@ret_n being the events that came, 0 when the time is over; LOST;
 * EXIT_NATD. */
static int wait_event(struct lookup *l, struct client_stream *stream,
		      struct reading *reading, size_t *ret_n)
{
	const size_t before = reading->n;
	int status;

	while (reading->n == before && !is_over(l)) {
		struct pollfd p = { .fd = client_fd(l->events), .events = POLLIN };

		if (poll(&p, 1, patience(l->until)) <= 0)
			continue;
		status = take_events(l, stream, reading);
		if (status != EXIT_DONE)
			return status;
	}
	*ret_n = reading->n - before;
	return EXIT_DONE;
}

/* The list is read once the stream has begun, and then after each event. */
static int follow(struct lookup *l, struct reading *reading, json_t **list)
{
	const struct request request = { .method = "GET",
					 .path = "/v1/events",
					 .accept = "application/x-ndjson" };
	struct client_stream stream = { 0 };
	struct flaw why;
	size_t n = 1;
	int status, r = client_begin(l->events, &request, &why);

	if (r < 0)
		return fail(l, r, &why);
	for (;;) {
		status = wait_event(l, &stream, reading, &n);
		if (status != EXIT_DONE || !n)
			return status;
		status = look(l, list);
		if (status != EXIT_DONE || *l->found)
			return status;
	}
}

/* Return: false: the time is over. */
static bool pause_before_next(struct lookup *l)
{
	retry_later(&l->retry);
	while (!is_over(l) && retry_now() < l->retry.at)
		poll(NULL, 0, patience(l->retry.at < l->until ? l->retry.at : l->until));
	return !is_over(l);
}

static int wait_for(struct lookup *l, json_t **list)
{
	int status;

	if (client_twin(l->session->client, &l->events) < 0)
		return session_fault(l->session, "out of memory");
	do {
		struct reading reading = { 0 };

		status = follow(l, &reading, list);
		ndjson_done(&reading.lines);
		client_end(l->events);
	} while (status == LOST && pause_before_next(l));
	client_free(l->events);
	if (status != LOST)
		return status;
	return l->retry.gone ? session_fault(l->session, "%s", l->lost.text) : EXIT_DONE;
}

/* ------------------------------------------------------------------ the verb */

static int read_wait(const struct args *args, struct lookup *l, struct flaw *why)
{
	const char *text = args_option(args, "--wait");
	uint64_t seconds;

	if (!text)
		return 0;
	l->until = FOR_EVER;
	if (!*text)
		return 0;
	if (value_count("--wait", text, WAIT_MAX, &seconds, why) < 0)
		return -EINVAL;
	l->until = retry_now() + seconds * 1000;
	return 0;
}

static int lookup_run(struct session *session, const struct args *args)
{
	CLEANUP(json_decref) json_t *list = NULL;
	struct lookup l = { .session = session, .name = args->operands[0] };
	struct flaw why;
	int status;

	l.own = args_has(args, "--gateway");
	query_begin(&l.query, "/v1/mappings");
	if (value_name(l.name, &why) < 0 || read_wait(args, &l, &why) < 0)
		return session_usage(session, "%s", why.text);
	query_add(&l.query, "name", l.name);
	if (filters_read(args, &l.query, &why) < 0)
		return session_usage(session, "%s", why.text);

	status = look(&l, &list);
	if (status == EXIT_DONE && !*l.found && l.until)
		status = wait_for(&l, &list);
	return status == EXIT_DONE ? answer(&l, list) : status;
}

const struct verb verb_lookup = {
	.name = "lookup",
	.also = "resolve find where endpoint",
	.usage = "NAME [--proto PROTO] [--gateway] [--wait[=SECONDS]]",
	.summary = "print the external endpoint that a name has",
	.help = "Address and port at which the world reaches the forward now, one a line for\n"
		"each address; of a range all its ports. Where there is none it is said why,\n"
		"and the exit status is 1. With --wait it is waited until there is one, and\n"
		"for natd where it goes away meanwhile.\n"
		"\n"
		"Where a router above us holds the forward it is the endpoint there, as the\n"
		"internet sees it; with --gateway it is natd's own. --wait waits for that\n"
		"router where it is required (natctl upstream).\n"
		"\n"
		"  natctl lookup web\n"
		"  natctl lookup game --proto udp --wait=30\n",
	.run = lookup_run,
};
