/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/notes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/process.h"
#include "cli/text.h"
#include "cli/upstream.h"

#define WHY_STRLEN 512

const char *notes_word(const struct mapping_state *state, bool blocked)
{
	switch (state->condition) {
	case CONDITION_DISABLED:
	case CONDITION_WAITING:
	case CONDITION_SHADOWED:
		return condition_name(state->condition);
	case CONDITION_ACTIVE:
		break;
	}
	if (blocked)
		return "blocked";
	if (state->n_shadowed_by)
		return "partly";
	return state->n_listeners ? "in-use" : "ok";
}

static void append_ids(const struct mapping_state *state, char *buf, size_t size)
{
	for (size_t i = 0; i < state->n_shadowed_by; i++)
		text_append(buf, size, "%s%" PRIu64, i ? ", " : "",
			    state->shadowed_by[i]);
}

static void why_waiting(const struct mapping *m, const struct mapping_state *state,
			char *buf, size_t size)
{
	const bool ours = address_is_any(&m->external.addr) || mapping_is_pinhole(m);
	char addr[INET6_ADDRSTRLEN];

	if (m->suffix && address_is_any(&m->host))
		text_append(buf, size, "its LAN has no IPv6 prefix now");
	else if (upstream_is_missing(m, &state->upstream) ||
		 (ours && m->upstream == UPSTREAM_REQUIRED))
		upstream_why(&state->upstream, buf, size);
	else if (address_is_any(&m->external.addr))
		text_append(buf, size, "the WAN has no %s address now",
			    mapping_is_ipv4(m) ? "IPv4" : "IPv6");
	else
		text_append(buf, size, "%s is no address of the WAN now",
			    address_format(&m->external.addr, addr));
}

void notes_why(const struct mapping *m, const struct mapping_state *state, char *buf,
	       size_t size)
{
	buf[0] = '\0';
	switch (state->condition) {
	case CONDITION_DISABLED:
		text_append(buf, size, "it is disabled");
		return;
	case CONDITION_WAITING:
		why_waiting(m, state, buf, size);
		return;
	case CONDITION_SHADOWED:
		text_append(buf, size, "all of it is taken by ");
		append_ids(state, buf, size);
		return;
	case CONDITION_ACTIVE:
		text_append(buf, size, "natd names no address for it");
		return;
	}
}

static void print_listeners(const struct notes *notes, const struct mapping *m,
			    const struct mapping_state *state)
{
	char text[PROCESS_LISTENER_STRLEN];

	for (size_t i = 0; i < state->n_listeners; i++)
		fprintf(notes->stream,
			"in use: %" PRIu64 ": gets nothing from the WAN: %s\n", m->id,
			process_describe(&state->listeners[i], text));
}

/* Of one that waits for the router above us it is said why it waits. */
static bool lacks_upstream(const struct mapping *m, const struct mapping_state *state)
{
	return state->condition != CONDITION_WAITING &&
	       upstream_is_problem(m, &state->upstream);
}

static void print_note(const struct notes *notes, const struct mapping *m,
		       const struct mapping_state *state)
{
	char why[WHY_STRLEN] = "";

	if (state->condition == CONDITION_WAITING ||
	    state->condition == CONDITION_SHADOWED) {
		notes_why(m, state, why, sizeof(why));
		fprintf(notes->stream, "%s: %" PRIu64 ": %s\n",
			condition_name(state->condition), m->id, why);
	} else if (state->n_shadowed_by) {
		append_ids(state, why, sizeof(why));
		fprintf(notes->stream, "partly: %" PRIu64 ": a part is taken by %s\n",
			m->id, why);
	}
	print_listeners(notes, m, state);
	if (!lacks_upstream(m, state))
		return;
	why[0] = '\0';
	upstream_why(&state->upstream, why, sizeof(why));
	fprintf(notes->stream, "not upstream: %" PRIu64 ": %s\n", m->id, why);
}

int notes_add(struct notes *notes, const struct mapping *m,
	      const struct mapping_state *state)
{
	if (state->condition != CONDITION_WAITING &&
	    state->condition != CONDITION_SHADOWED && !state->n_shadowed_by &&
	    !state->n_listeners && !lacks_upstream(m, state))
		return 0;
	if (notes->n++ >= NOTES_MAX)
		return 0;
	if (!notes->stream)
		notes->stream = open_memstream(&notes->text, &notes->len);
	if (!notes->stream)
		return -ENOMEM;
	print_note(notes, m, state);
	return 0;
}

int notes_print(struct notes *notes, FILE *out)
{
	if (!notes->n)
		return 0;
	if (fflush(notes->stream) != 0)
		return -ENOMEM;
	fprintf(out, "\n%s", notes->text);
	if (notes->n > NOTES_MAX)
		fprintf(out, "and %zu more, see: natctl list --json\n",
			notes->n - NOTES_MAX);
	return 0;
}

void notes_done(struct notes *notes)
{
	if (notes->stream)
		fclose(notes->stream);
	free(notes->text);
	*notes = (struct notes){ 0 };
}
