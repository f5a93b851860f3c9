/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * resource_answer - what became of changes, as text
 *
 * A plan is the engine's and gone after its callback, and an answer may be as long as the
 * list: so what it says is kept in short and written as the client takes it.
 */

#include "natd/api/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/common/log.h"
#include "natd/events/events.h"

/**
 * struct kept - a result
 * @shadowed: listeners whose port an added mapping took
 */
struct kept {
	uint64_t id;
	uint32_t change;
	uint32_t ended;
	uint32_t shadowed;
	enum verdict verdict;
};

/**
 * struct results
 * @pending:  ending connections failed; said where it is so
 * @mappings: one for each of @kept; NULL in NDJSON, which tells ids only
 * @listeners: REFUSAL_LISTENERS_MAX for each of @kept, where there is any; or NULL
 * @at:       what is written next
 */
struct results {
	bool lines, single, pending;
	size_t n, at, n_changes, ended;
	struct kept *kept;
	struct mapping *mappings;
	struct listener (*listeners)[REFUSAL_LISTENERS_MAX];
};

static void results_free(void *userdata)
{
	struct results *results = userdata;

	for (size_t i = 0; results->mappings && i < results->n; i++)
		details_unref(results->mappings[i].details);
	free(results->listeners);
	free(results->kept);
	free(results->mappings);
	free(results);
}

static void keep(struct results *results, size_t i, const struct answer *answer,
		 const struct result *result)
{
	struct kept *kept = &results->kept[i];

	*kept = (struct kept){
		.id = result->mapping->id,
		.change = (uint32_t)result->change,
		.verdict = result->verdict,
	};
	if (result->effect != SIZE_MAX)
		kept->ended = plan_effect_at(answer->plan, result->effect)->ended;
	if (results->listeners)
		kept->shadowed = (uint32_t)plan_shadowed(answer->plan, result,
							 results->listeners[i]);
	if (!results->mappings)
		return;
	results->mappings[i] = *result->mapping;
	details_ref(results->mappings[i].details);
}

static bool any_shadowed(const struct result *result, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (result[i].shadowed)
			return true;
	return false;
}

/* Return: false: no memory. */
static bool make_room(struct results *results, const struct result *result)
{
	results->kept = calloc(results->n + 1, sizeof(*results->kept));
	if (!results->kept)
		return false;
	if (results->lines)
		return true;
	results->mappings = calloc(results->n + 1, sizeof(*results->mappings));
	if (!results->mappings || !any_shadowed(result, results->n))
		return results->mappings;
	results->listeners = calloc(results->n, sizeof(*results->listeners));
	return results->listeners;
}

/* Return: owned by the caller, or NULL (no memory). */
static struct results *keep_all(const struct answer *answer, bool lines, bool single)
{
	const struct result *result;
	struct results *results;

	results = calloc(1, sizeof(*results));
	if (!results)
		return NULL;
	*results = (struct results){
		.lines = lines,
		.single = single && !lines,
		.n_changes = answer->changes->n,
		.ended = answer->ended,
		.pending = answer->pending,
	};
	result = plan_results(answer->plan, answer->request, &results->n);
	if (!make_room(results, result)) {
		results_free(results);
		return NULL;
	}
	for (size_t i = 0; i < results->n; i++)
		keep(results, i, answer, &result[i]);
	return results;
}

/* Return: the first result after @at that is of another change. */
static size_t end_of_change(const struct results *results, size_t at)
{
	size_t end = at + 1;

	while (end < results->n && results->kept[end].change == results->kept[at].change)
		end++;
	return end;
}

/* "tcp,udp" where one was there already: something was added. */
static const char *verdict_of(const struct results *results, size_t at, size_t end)
{
	for (; at < end; at++)
		if (results->kept[at].verdict != VERDICT_UNCHANGED)
			return outcome_of(results->kept[at].verdict)->code;
	return outcome_of(VERDICT_UNCHANGED)->code;
}

static void write_line(const struct results *results, size_t end, struct buffer *buffer)
{
	buffer_put(buffer, "{\"index\":");
	buffer_number(buffer, results->kept[results->at].change);
	buffer_put(buffer, ",\"verdict\":\"");
	buffer_put(buffer, verdict_of(results, results->at, end));
	buffer_put(buffer, "\",\"ids\":[");
	for (size_t i = results->at; i < end; i++) {
		if (i > results->at)
			buffer_put(buffer, ",");
		buffer_number(buffer, results->kept[i].id);
	}
	buffer_put(buffer, "]}\n");
}

static const char *pending(const struct results *results)
{
	return results->pending ? ",\"pending\":true" : "";
}

/* Of all mappings of a change: "tcp,udp" may shadow one of each. */
static void write_shadows(const struct results *results, size_t end,
			  struct buffer *buffer)
{
	bool begun = false;

	for (size_t i = results->at; i < end; i++) {
		for (uint32_t k = 0; k < results->kept[i].shadowed; k++) {
			json_t *json = api_encode_listener(&results->listeners[i][k]);
			char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

			buffer_put(buffer, begun ? "," : ",\"shadows\":[");
			begun = true;
			if (text)
				buffer_put(buffer, text);
			else
				buffer->failed = true;
			free(text);
			json_decref(json);
		}
	}
	if (begun)
		buffer_put(buffer, "]");
}

static void write_object(const struct results *results, size_t end, struct buffer *buffer)
{
	uint64_t ended = 0;

	buffer_printf(buffer, "{\"verdict\":\"%s\",\"mappings\":[",
		      verdict_of(results, results->at, end));
	for (size_t i = results->at; i < end; i++) {
		if (i > results->at)
			buffer_put(buffer, ",");
		buffer_mapping(buffer, &results->mappings[i], NULL);
		ended += results->kept[i].ended;
	}
	buffer_printf(buffer, "],\"ended\":%" PRIu64 "%s", ended,
		      results->single ? pending(results) : "");
	write_shadows(results, end, buffer);
	buffer_put(buffer, "}");
}

static void write_change(struct results *results, struct buffer *buffer)
{
	const size_t end = end_of_change(results, results->at);

	if (results->lines) {
		write_line(results, end, buffer);
	} else {
		if (!results->single)
			buffer_put(buffer, results->at ? "," : "{\"results\":[");
		write_object(results, end, buffer);
	}
	results->at = end;
}

static void write_end(const struct results *results, struct buffer *buffer)
{
	if (results->lines)
		buffer_printf(buffer, "{\"changes\":%zu,\"ended\":%zu%s}\n",
			      results->n_changes, results->ended, pending(results));
	else if (!results->single)
		buffer_printf(buffer, "%s],\"ended\":%zu%s}",
			      results->n ? "" : "{\"results\":[", results->ended,
			      pending(results));
}

static bool on_more(void *userdata, struct buffer *buffer)
{
	struct results *results = userdata;

	while (results->at < results->n) {
		write_change(results, buffer);
		if (buffer->len >= STREAM_BATCH || buffer->failed)
			return true;
	}
	write_end(results, buffer);
	return false;
}

/* ------------------------------------------------------------ refusals */

static void name_place(const struct request *request, const struct mapping *m,
		       struct problem *why)
{
	const struct config *config;
	unsigned int line;
	char described[MAPPING_STRLEN];

	config = gateway_config(request_gateway(request));
	line = config_line(config, m);
	if (!line)
		return;
	if (m->name[0])
		snprintf(described, sizeof(described), "\"%s\"", m->name);
	else
		mapping_describe(m, described);
	snprintf(why->detail, sizeof(why->detail), "%s is declared at %.200s:%u.",
		 described, config->path, line);
}

/* Those that have an id: the others are of the list that was refused. */
static json_t *encode_holders(const struct refusal *refusal)
{
	json_t *array = json_array();

	for (size_t i = 0; i < refusal->n_holders && array; i++) {
		const struct mapping *holder = refusal->holders[i];

		if (!holder->id ||
		    json_array_append_new(array, api_encode_mapping(holder, NULL)) == 0)
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static json_t *encode_listeners(const struct refusal *refusal)
{
	json_t *array = json_array();

	for (size_t i = 0; i < refusal->n_listeners && i < REFUSAL_LISTENERS_MAX; i++) {
		if (json_array_append_new(
			    array, api_encode_listener(&refusal->listeners[i])) == 0)
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

/* What is in the way, beside the sentence; NULL: nothing, or no memory for it. */
static json_t *encode_obstacles(const struct refusal *refusal)
{
	json_t *more = json_object();
	int r = 0;

	if (refusal->n_holders)
		r = json_object_set_new(more, "holders", encode_holders(refusal));
	if (r == 0 && refusal->n_listeners)
		r = json_object_set_new(more, "listeners", encode_listeners(refusal));
	if (r == 0)
		return more;
	json_decref(more);
	return NULL;
}

static void tell_refusal(const struct request *request, const struct problem *why)
{
	events_tell_refusal(gateway_events(request_gateway(request)), request->peer.uid,
			    request->peer.pid, why);
}

static void answer_refusal(struct request *request, const struct answer *answer,
			   bool single)
{
	const struct result *results;
	struct refusal refusal;
	struct problem why;
	size_t n;

	results = plan_results(answer->plan, answer->request, &n);
	plan_refusal(answer->plan, answer->request, &refusal);
	problem_of_refusal(&refusal, &answer->changes->changes[results[0].change],
			   (uint64_t)time(NULL), &why);
	why.index = single ? -1 : (int64_t)results[0].change;
	if (why.verdict == VERDICT_OF_CONFIG)
		name_place(request, refusal.holders[0], &why);
	tell_refusal(request, &why);
	reply_problem(request, &why, encode_obstacles(&refusal));
}

/* ------------------------------------------------------------ the whole */

static void count(const struct answer *answer, size_t n[static VERDICT_COUNT])
{
	const struct result *results;
	size_t n_results;

	results = plan_results(answer->plan, answer->request, &n_results);
	for (size_t i = 0; i < n_results; i++)
		n[results[i].verdict]++;
}

static void log_done(const struct request *request, const struct answer *answer,
		     const size_t n[static VERDICT_COUNT])
{
	const struct result *results;
	char described[MAPPING_STRLEN], ended[TEXT_PHRASE_STRLEN];
	char changes[TEXT_PHRASE_STRLEN];
	size_t n_results;

	text_things(answer->ended, "connection", ended);
	results = plan_results(answer->plan, answer->request, &n_results);
	if (n_results == 1) {
		log_info("uid %u (pid %d): %s %s; %s ended.", request->peer.uid,
			 request->peer.pid, outcome_of(results[0].verdict)->code,
			 mapping_describe(results[0].mapping, described), ended);
		return;
	}
	log_info(
		"uid %u (pid %d): %s: %zu added, %zu changed, %zu removed, %zu unchanged; "
		"%s ended.",
		request->peer.uid, request->peer.pid,
		text_things(answer->changes->n, "change", changes), n[VERDICT_ADDED],
		n[VERDICT_CHANGED], n[VERDICT_REMOVED], n[VERDICT_UNCHANGED], ended);
}

void change_answer(struct request *request, const struct answer *answer, bool single)
{
	size_t n[VERDICT_COUNT] = { 0 };
	struct results *results;

	request->decided = answer->problem ? answer->problem->verdict == VERDICT_UNKNOWN
					   : !plan_refused(answer->plan, answer->request);
	if (answer->problem) {
		log_info("uid %u (pid %d): the change failed: %s", request->peer.uid,
			 request->peer.pid, answer->problem->detail);
		tell_refusal(request, answer->problem);
		reply_problem(request, answer->problem, NULL);
		return;
	}
	if (plan_refused(answer->plan, answer->request)) {
		answer_refusal(request, answer, single);
		return;
	}
	count(answer, n);
	log_done(request, answer, n);
	results = keep_all(answer, request->lines, single);
	if (results)
		reply_stream(request, n[VERDICT_ADDED] ? MHD_HTTP_CREATED : MHD_HTTP_OK,
			     results->lines, on_more, results, results_free);
	else
		reply_no_memory(request);
}
