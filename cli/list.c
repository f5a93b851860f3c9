/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/blocked.h"
#include "cli/columns.h"
#include "cli/list_filters.h"
#include "cli/notes.h"
#include "cli/services.h"
#include "cli/text.h"
#include "cli/upstream.h"
#include "cli/verb.h"
#include "core/api.h"
#include "core/duration.h"
#include "core/ndjson.h"

/* "198.51.100.0/24 and 63 more" */
#define FROM_STRLEN (PREFIX_STRLEN + 16)

enum cell {
	CELL_ID,
	CELL_NAME,
	CELL_PROTO,
	CELL_EXTERNAL,
	CELL_UPSTREAM,
	CELL_SERVICE,
	CELL_INTERNAL,
	CELL_FROM,
	CELL_LEASE,
	CELL_CONNECTIONS,
	CELL_TOTAL,
	CELL_IN,
	CELL_OUT,
	CELL_ORIGIN,
	CELL_OWNER,
	CELL_STATE,
	CELL_COMMENT,
	CELL_COUNT,
};

static const struct column columns[CELL_COUNT] = {
	[CELL_ID] = { .name = "ID", .right = true },
	[CELL_NAME] = { .name = "NAME", .cut = true },
	[CELL_PROTO] = { .name = "PROTO" },
	[CELL_EXTERNAL] = { .name = "EXTERNAL" },
	[CELL_UPSTREAM] = { .name = "UPSTREAM", .sparse = true },
	[CELL_SERVICE] = { .name = "SERVICE", .hidden = true },
	[CELL_INTERNAL] = { .name = "INTERNAL" },
	[CELL_FROM] = { .name = "FROM", .sparse = true, .spare = 1 },
	[CELL_LEASE] = { .name = "LEASE", .right = true, .sparse = true, .spare = 2 },
	[CELL_CONNECTIONS] = { .name = "CONNECTIONS", .right = true, .spare = 3 },
	[CELL_TOTAL] = { .name = "TOTAL", .right = true, .spare = 4 },
	[CELL_IN] = { .name = "IN", .right = true, .spare = 6 },
	[CELL_OUT] = { .name = "OUT", .right = true, .spare = 6 },
	[CELL_ORIGIN] = { .name = "ORIGIN", .spare = 5 },
	[CELL_OWNER] = { .name = "OWNER", .hidden = true },
	[CELL_STATE] = { .name = "STATE" },
	[CELL_COMMENT] = { .name = "COMMENT", .cut = true, .hidden = true },
};

/* a list on its way from natd to the screen */
struct listing {
	struct session *session;
	struct ndjson lines;
	struct columns *table;
	struct column columns[CELL_COUNT];
	struct blocked blocked;
	struct notes notes;
	size_t n;
	bool wide;
};

/* "*:8080" for any WAN address, "[2001:db8::10]:443" of a pinhole */
static const char *external_text(const struct mapping *m,
				 char buf[static MAPPING_ENDPOINT_STRLEN])
{
	char text[MAPPING_ENDPOINT_STRLEN], addr[INET6_ADDRSTRLEN];
	const bool any = address_is_any(&m->external.addr);

	mapping_format_external(m, text);
	buf[0] = '\0';
	if (any)
		text_append(buf, MAPPING_ENDPOINT_STRLEN, "*:");
	else if (mapping_is_pinhole(m))
		text_append(buf, MAPPING_ENDPOINT_STRLEN,
			    "[%s]:", address_format(&m->external.addr, addr));
	text_append(buf, MAPPING_ENDPOINT_STRLEN, "%s", text);
	return buf;
}

static const char *from_text(const struct mapping *m, char buf[static FROM_STRLEN])
{
	char prefix[PREFIX_STRLEN];
	const struct prefix *remotes;
	size_t n;

	remotes = mapping_remotes(m, &n);
	buf[0] = '\0';
	if (n)
		text_append(buf, FROM_STRLEN, "%s", prefix_format(&remotes[0], prefix));
	if (n > 1)
		text_append(buf, FROM_STRLEN, " +%zu", n - 1);
	return buf;
}

static const char *bytes_text(int64_t n, char buf[static TEXT_BYTES_STRLEN])
{
	return n < 0 ? "-" : text_bytes((uint64_t)n, buf);
}

/* natd says null for what it could not read */
static const char *live_text(int64_t n, char buf[static TEXT_COUNT_STRLEN])
{
	return n < 0 ? "?" : text_count((uint64_t)n, buf);
}

/* A newer natd may know states that we do not, an older one none. */
static const char *state_text(json_t *json, const struct mapping *m,
			      const struct mapping_state *state, char buf[static 24])
{
	const char *word = json_string_value(json_object_get(json, "state"));
	const bool blocked = json_array_size(json_object_get(json, "blocked_by")) > 0;
	enum mapping_condition condition;

	if (!word && !m->enabled)
		return "disabled";
	if (word && condition_parse(word, &condition) < 0) {
		snprintf(buf, 24, "%s", word);
		return text_clean(buf);
	}
	return notes_word(state, blocked);
}

static int add_row(struct listing *l, json_t *json, const struct mapping *m,
		   const struct mapping_state *state)
{
	char external[MAPPING_ENDPOINT_STRLEN], internal[MAPPING_ENDPOINT_STRLEN];
	char connections[TEXT_COUNT_STRLEN], total[TEXT_COUNT_STRLEN];
	char in[TEXT_BYTES_STRLEN], out[TEXT_BYTES_STRLEN], lease[DURATION_STRLEN];
	char upstream[UPSTREAM_CELL_STRLEN];
	char id[24], owner[OWNER_STRLEN], from[FROM_STRLEN], word[24];
	const char *cells[CELL_COUNT];

	snprintf(id, sizeof(id), "%" PRIu64, m->id);
	cells[CELL_ID] = id;
	cells[CELL_NAME] = m->name;
	cells[CELL_PROTO] = protocol_name(m->protocol);
	cells[CELL_EXTERNAL] = external_text(m, external);
	cells[CELL_UPSTREAM] = upstream_cell(m, &state->upstream, upstream);
	cells[CELL_SERVICE] = l->wide ? services_name(m->protocol, m->external.port) : "";
	cells[CELL_INTERNAL] = text_clean((char *)mapping_format_internal(m, internal));
	cells[CELL_FROM] = from_text(m, from);
	cells[CELL_LEASE] = m->lifetime ? duration_format(state->remaining, lease) : "";
	cells[CELL_CONNECTIONS] = live_text(state->connections, connections);
	cells[CELL_TOTAL] = live_text(state->total, total);
	cells[CELL_IN] = bytes_text(state->bytes_in, in);
	cells[CELL_OUT] = bytes_text(state->bytes_out, out);
	cells[CELL_ORIGIN] = origin_name((enum origin)m->origin);
	cells[CELL_OWNER] = mapping_owner(m, owner);
	cells[CELL_STATE] = state_text(json, m, state, word);
	cells[CELL_COMMENT] = mapping_comment(m);
	return columns_add(l->table, cells);
}

static int take_mapping(struct listing *l, json_t *json, const struct mapping *m,
			const struct mapping_state *state)
{
	if (l->session->quiet) {
		printf("%" PRIu64 "\n", m->id);
		return 0;
	}
	if (blocked_add(&l->blocked, m->id, json_object_get(json, "blocked_by")) < 0 ||
	    notes_add(&l->notes, m, state) < 0)
		return -ENOMEM;
	return add_row(l, json, m, state);
}

static int take_line(void *userdata, const char *line, size_t len)
{
	CLEANUP(json_decref)
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct listing *l = userdata;
	struct mapping_state state;
	struct mapping m;
	int r;

	r = api_decode_mapping(json, &m, &state);
	if (r < 0)
		return r;
	l->n++;
	r = take_mapping(l, json, &m, &state);
	details_unref(m.details);
	return r;
}

static int take_bytes(void *userdata, const char *bytes, size_t len)
{
	struct listing *l = userdata;
	int r = ndjson_feed(&l->lines, bytes, len, take_line, l);

	if (r == 0)
		return 0;
	session_unread(l->session, r);
	return -ECANCELED;
}

static int print_listing(struct listing *l, bool filtered)
{
	if (l->session->quiet)
		return EXIT_DONE;
	if (!l->n) {
		puts(filtered ? "no forward fits" : "no forwards");
		return EXIT_DONE;
	}
	if (!l->wide)
		columns_fit(l->table, stdout);
	if (columns_print(l->table, stdout) < 0 || notes_print(&l->notes, stdout) < 0)
		return session_unread(l->session, -ENOMEM);
	blocked_print(&l->blocked, stdout);
	return EXIT_DONE;
}

static int list_people(struct listing *l, const struct request *request)
{
	struct answer answer;
	int r, status;

	memcpy(l->columns, columns, sizeof(columns));
	for (size_t i = 0; l->wide && i < CELL_COUNT; i++)
		l->columns[i].hidden = l->columns[i].sparse = false;
	/* it says nothing to those who have no router above them */
	l->columns[CELL_UPSTREAM].sparse = true;
	if (columns_new(l->columns, CELL_COUNT, &l->table) < 0)
		return session_unread(l->session, -ENOMEM);
	status = session_ask(l->session, request, take_bytes, l, &answer);
	if (status != EXIT_DONE)
		return status;
	answer_done(&answer);
	r = ndjson_end(&l->lines, take_line, l);
	if (r < 0)
		return session_unread(l->session, r);
	return print_listing(l, strchr(request->path, '?') != NULL);
}

static int list_run(struct session *session, const struct args *args)
{
	struct listing l = { .session = session, .wide = args_has(args, "--wide") };
	struct request request = { .method = "GET" };
	struct query query;
	struct flaw why;
	int status;

	query_begin(&query, "/v1/mappings");
	if (filters_read(args, &query, &why) < 0)
		return session_usage(session, "%s", why.text);
	request.path = query.path;
	if (session->json)
		return session_call(session, &request, NULL);

	request.accept = "application/x-ndjson";
	status = list_people(&l, &request);
	ndjson_done(&l.lines);
	columns_free(l.table);
	blocked_done(&l.blocked);
	notes_done(&l.notes);
	return status;
}

const struct verb verb_list = {
	.name = "list",
	.also = "ls show print get",
	.usage = "[--name NAME] [--to ADDRESS[:PORT]] [--proto PROTO] [--port PORT] "
		 "[--state STATE] [--owner OWNER] [--problems] [--wide]",
	.summary = "show forwards and their connections",
	.help = "STATE is ok, disabled, waiting (its address, its host, or the router that it\n"
		"must have is not there yet), shadowed or partly (others take all or a part\n"
		"of it), in-use (a program of the gateway listens there), or blocked (a chain\n"
		"of another program would drop what it lets in); below the table it is said\n"
		"why. CONNECTIONS are those now live, TOTAL those since the forward is there,\n"
		"IN and OUT bytes, where natd counts them. FROM and LEASE (what is left of it)\n"
		"are there where there are any; UPSTREAM where a router above us is asked: the\n"
		"address and port that the internet sees, or asking, refused, unanswered, no\n"
		"router. A narrow terminal has fewer columns; --wide has all.\n"
		"\n"
		"  natctl list\n"
		"  natctl list --problems\n"
		"  natctl list --to 192.168.1.10 --proto tcp\n"
		"  natctl list --json | jq '.[] | select(.connections > 0)'\n"
		"  natctl remove $(natctl list -q --to 192.168.1.10)\n",
	.run = list_run,
};
