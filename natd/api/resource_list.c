/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A list is written while it is sent, and the table may change in between: it goes on
 * with the mapping of the next greater id. So a list is the table at one moment only when
 * nothing was changed meanwhile; what was there all the time is in it once. The live
 * figures are all of the moment of the request.
 */

#include "natd/api/resources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/text.h"

DEFINE_CLEANUP(counts_free, struct counts *)

const char *const mappings_filters[] = {
	"name", "protocol", "port", "to", "state", "owner", "problems", NULL,
};

/**
 * struct filter - what is not set fits everything
 * @to: port 0: any
 * @problems: those alone that have some
 */
struct filter {
	char name[MAPPING_NAME_MAX + 1];
	char owner[OWNER_STRLEN];
	uint8_t protocol;
	uint16_t port;
	bool has_to, has_condition, problems;
	enum mapping_condition condition;
	struct endpoint to;
};

struct listing {
	struct gateway *gw;
	struct counts *counts;
	struct filter filter;
	uint64_t last; /* id that was written or passed over last */
	bool lines, begun;
};

static int refuse(struct problem *why, const char *parameter, const char *value,
		  const char *flaw)
{
	char shown[80];

	problem_set(why, VERDICT_BAD_REQUEST, NULL, "The parameter \"%s\": \"%s\" %s.",
		    parameter, text_escape(value, strlen(value), shown, sizeof(shown)),
		    flaw);
	return -EINVAL;
}

static int read_name(const char *value, struct filter *filter)
{
	if (mapping_name_flaw(value))
		return -EINVAL;
	memcpy(filter->name, value, strlen(value) + 1);
	return 0;
}

static int read_protocol(const char *value, struct filter *filter)
{
	return protocol_parse(value, &filter->protocol);
}

static int read_port(const char *value, struct filter *filter)
{
	return port_parse(value, &filter->port);
}

static int read_to(const char *value, struct filter *filter)
{
	filter->has_to = true;
	if (address_parse(value, &filter->to.addr) == 0)
		return 0;
	return endpoint_parse(value, &filter->to);
}

static int read_condition(const char *value, struct filter *filter)
{
	filter->has_condition = true;
	return condition_parse(value, &filter->condition);
}

static bool is_owner(const char *text)
{
	if (strcmp(text, "config") == 0)
		return true;
	return strncmp(text, "uid:", 4) == 0 && text[4] &&
	       !text[4 + strspn(text + 4, "0123456789")];
}

static int read_owner(const char *value, struct filter *filter)
{
	if (!is_owner(value) || strlen(value) >= sizeof(filter->owner))
		return -EINVAL;
	memcpy(filter->owner, value, strlen(value) + 1);
	return 0;
}

static int read_problems(const char *value, struct filter *filter)
{
	filter->problems = strcmp(value, "true") == 0;
	return filter->problems || strcmp(value, "false") == 0 ? 0 : -EINVAL;
}

/* Return: 0, or -EINVAL and @why. */
static int read_filter(const struct request *request, struct filter *ret,
		       struct problem *why)
{
	static const struct {
		const char *name;
		int (*read)(const char *value, struct filter *filter);
		const char *flaw;
	} parameters[] = {
		{ "name", read_name, "cannot be a mapping's name" },
		{ "protocol", read_protocol, "is none of tcp, udp, sctp, udplite" },
		{ "port", read_port, "is no port from 1 to 65535" },
		{ "to", read_to, "is neither an address nor address:port" },
		{ "state", read_condition,
		  "is none of active, disabled, waiting, shadowed" },
		{ "owner", read_owner, "is neither config nor like uid:1000" },
		{ "problems", read_problems, "is neither true nor false" },
	};
	const char *value;

	*ret = (struct filter){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		value = request_parameter(request, parameters[i].name);
		if (value && parameters[i].read(value, ret) < 0)
			return refuse(why, parameters[i].name, value, parameters[i].flaw);
	}
	return 0;
}

static bool fits_owner(const struct filter *filter, const struct mapping *m)
{
	char owner[OWNER_STRLEN];

	return !filter->owner[0] || strcmp(filter->owner, mapping_owner(m, owner)) == 0;
}

static bool fits(const struct filter *filter, const struct mapping *m)
{
	if (filter->protocol && filter->protocol != m->protocol)
		return false;
	if (filter->port &&
	    (filter->port < m->external.port || filter->port > mapping_last_port(m)))
		return false;
	if (filter->name[0] && strcmp(filter->name, m->name) != 0)
		return false;
	if (!fits_owner(filter, m))
		return false;
	if (!filter->has_to)
		return true;
	return (address_equal(&filter->to.addr, &m->internal.addr) ||
		address_equal(&filter->to.addr, &m->host)) &&
	       (!filter->to.port || (filter->to.port >= m->internal.port &&
				     filter->to.port - m->internal.port < m->n_ports));
}

/* What nobody asked for goes upstream where it can, and is no problem where it cannot. */
static bool lacks_upstream(const struct mapping *m, const struct upstream_view *view)
{
	if (!m->enabled || !mapping_asks_upstream(m))
		return false;
	switch (view->state) {
	case UPSTREAM_STATE_OFF:
	case UPSTREAM_STATE_REFUSED:
	case UPSTREAM_STATE_UNANSWERED:
		return true;
	case UPSTREAM_STATE_NO_ROUTER:
	case UPSTREAM_STATE_ASKING:
	case UPSTREAM_STATE_MAPPED:
		break;
	}
	return false;
}

static bool has_problem(const struct mapping *m, const struct mapping_state *state)
{
	switch (state->condition) {
	case CONDITION_WAITING:
	case CONDITION_SHADOWED:
		return true;
	case CONDITION_ACTIVE:
	case CONDITION_DISABLED:
		break;
	}
	return state->n_blocked_by || state->n_shadowed_by || state->n_listeners ||
	       lacks_upstream(m, &state->upstream);
}

static bool state_fits(const struct filter *filter, const struct mapping *m,
		       const struct mapping_state *state)
{
	if (filter->has_condition && filter->condition != state->condition)
		return false;
	return !filter->problems || has_problem(m, state);
}

static const struct mapping *next_after(const struct table *table, uint64_t id)
{
	const struct mapping *m;

	m = id ? table_find_id(table, id) : NULL;
	if (m || !id)
		return table_next(table, m);
	/* removed since, which is rare: look for its place from the start */
	do
		m = table_next(table, m);
	while (m && m->id < id);
	return m;
}

static void write_mapping(struct listing *listing, const struct mapping *m,
			  struct buffer *buffer)
{
	struct mapping_state state;

	counts_state(listing->counts, m, &state);
	if (!state_fits(&listing->filter, m, &state))
		return;
	if (listing->begun && !listing->lines)
		buffer_add(buffer, ",", 1);
	listing->begun = true;
	buffer_mapping(buffer, m, &state);
	if (listing->lines)
		buffer_add(buffer, "\n", 1);
}

static bool on_more(void *userdata, struct buffer *buffer)
{
	struct listing *listing = userdata;
	const struct table *table = gateway_table(listing->gw);
	const struct mapping *m;

	if (!listing->last && !listing->lines)
		buffer_add(buffer, "[", 1);
	for (m = next_after(table, listing->last); m; m = table_next(table, m)) {
		if (fits(&listing->filter, m))
			write_mapping(listing, m, buffer);
		listing->last = m->id;
		if (buffer->len >= STREAM_BATCH || buffer->failed)
			return true;
	}
	if (!listing->lines)
		buffer_add(buffer, "]", 1);
	return false;
}

static void listing_free(void *userdata)
{
	struct listing *listing = userdata;

	counts_free(listing->counts);
	free(listing);
}

void mappings_list(struct request *request)
{
	struct listing *listing;
	struct problem why;
	struct filter filter;

	if (read_filter(request, &filter, &why) < 0) {
		reply_problem(request, &why, NULL);
		return;
	}
	listing = calloc(1, sizeof(*listing));
	if (!listing || gateway_counts(request_gateway(request), &listing->counts) < 0) {
		free(listing);
		reply_no_memory(request);
		return;
	}
	listing->gw = request_gateway(request);
	listing->filter = filter;
	listing->lines = request->lines;
	reply_stream(request, MHD_HTTP_OK, listing->lines, on_more, listing,
		     listing_free);
}

void mappings_one(struct request *request)
{
	CLEANUP(counts_free) struct counts *counts = NULL;
	const struct change asked = { .kind = CHANGE_REMOVE, .selector.id = request->id };
	const struct refusal refusal = { .verdict = VERDICT_NOT_FOUND };
	struct mapping_state state;
	const struct mapping *m;
	struct problem why;

	m = table_find_id(gateway_table(request_gateway(request)), request->id);
	if (!m) {
		problem_of_refusal(&refusal, &asked, 0, &why);
		why.index = -1;
		reply_problem(request, &why, NULL);
		return;
	}
	if (gateway_counts(request_gateway(request), &counts) < 0) {
		reply_no_memory(request);
		return;
	}
	counts_state(counts, m, &state);
	reply_json(request, MHD_HTTP_OK, api_encode_mapping(m, &state));
}
