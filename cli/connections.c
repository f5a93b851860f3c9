/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/changes.h"
#include "cli/columns.h"
#include "cli/list_filters.h"
#include "cli/select.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "core/duration.h"
#include "core/ndjson.h"

/* of what natd says in a cell */
#define CELL_STRLEN 96

static const struct column columns[] = {
	{ .name = "ID", .right = true },
	{ .name = "NAME", .cut = true },
	{ .name = "PROTO" },
	{ .name = "REMOTE" },
	{ .name = "EXTERNAL", .spare = 1 },
	{ .name = "INTERNAL" },
	{ .name = "STATE" },
	{ .name = "AGE", .right = true, .sparse = true, .spare = 3 },
	{ .name = "TIMEOUT", .right = true, .spare = 2 },
	{ .name = "IN", .right = true, .sparse = true, .spare = 4 },
	{ .name = "OUT", .right = true, .sparse = true, .spare = 4 },
};

struct listing {
	struct session *session;
	struct ndjson lines;
	struct columns *table;
	size_t n;
};

static const char *text_of(const json_t *json, const char *key,
			   char buf[static CELL_STRLEN])
{
	const char *text = json_string_value(json_object_get(json, key));

	snprintf(buf, CELL_STRLEN, "%s", text ? text : "");
	return text_clean(buf);
}

static const char *bytes_of(const json_t *json, const char *key,
			    char buf[static TEXT_BYTES_STRLEN])
{
	const json_t *n = json_object_get(json, key);

	if (!json_is_integer(n) || json_integer_value(n) < 0)
		return "-";
	return text_bytes((uint64_t)json_integer_value(n), buf);
}

static const char *seconds_of(const json_t *json, const char *key,
			      char buf[static DURATION_STRLEN])
{
	const json_t *n = json_object_get(json, key);

	if (!json_is_integer(n) || json_integer_value(n) < 0)
		return "-";
	return duration_format((uint64_t)json_integer_value(n), buf);
}

static int add_row(struct listing *l, const json_t *json)
{
	static const char *const keys[] = { "name",	"protocol", "remote",
					    "external", "internal", "state" };
	char texts[ARRAY_SIZE(keys)][CELL_STRLEN], id[24];
	char age[DURATION_STRLEN], timeout[DURATION_STRLEN];
	char in[TEXT_BYTES_STRLEN], out[TEXT_BYTES_STRLEN];
	const char *cells[ARRAY_SIZE(columns)] = { id };

	snprintf(id, sizeof(id), "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(json, "mapping")));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		cells[i + 1] = text_of(json, keys[i], texts[i]);
	cells[7] = seconds_of(json, "age", age);
	cells[8] = seconds_of(json, "timeout", timeout);
	cells[9] = bytes_of(json, "bytes_in", in);
	cells[10] = bytes_of(json, "bytes_out", out);
	return columns_add(l->table, cells);
}

static int take_line(void *userdata, const char *line, size_t len)
{
	CLEANUP(json_decref)
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct listing *l = userdata;

	if (!json_is_integer(json_object_get(json, "mapping")) ||
	    !json_is_string(json_object_get(json, "remote")))
		return -EINVAL;
	l->n++;
	if (l->session->quiet)
		return 0;
	return add_row(l, json);
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

static int list_people(struct listing *l, const struct request *request)
{
	struct answer answer;
	int r, status;

	if (columns_new(columns, ARRAY_SIZE(columns), &l->table) < 0)
		return session_unread(l->session, -ENOMEM);
	status = session_ask(l->session, request, take_bytes, l, &answer);
	if (status != EXIT_DONE)
		return status;
	answer_done(&answer);
	r = ndjson_end(&l->lines, take_line, l);
	if (r < 0)
		return session_unread(l->session, r);
	if (l->session->quiet)
		return EXIT_DONE;
	columns_fit(l->table, stdout);
	if (l->n && columns_print(l->table, stdout) < 0)
		return session_unread(l->session, -ENOMEM);
	if (!l->n)
		puts("no connections");
	return EXIT_DONE;
}

/*
 * Nobody's connections and those of a forward that is not there are one empty list: who
 * mistyped a name is told so.
 */
static int check_chosen(struct session *session, const struct selector *chosen)
{
	struct request request = { .method = "GET" };
	json_t *answer;
	struct query query;
	char path[48];
	size_t n;
	int status;

	snprintf(path, sizeof(path), "/v1/mappings/%" PRIu64, chosen->id);
	query_begin(&query, chosen->id ? path : "/v1/mappings");
	if (chosen->name[0])
		query_add(&query, "name", chosen->name);
	request.path = query.path;
	status = session_read(session, &request, &answer);
	if (status != EXIT_DONE)
		return status;
	n = json_array_size(answer);
	json_decref(answer);
	if (chosen->id || n)
		return EXIT_DONE;
	session_fault(session, "no forward is called %s. See: natctl list", chosen->name);
	return EXIT_REFUSED;
}

static int list(struct session *session, const char *path)
{
	struct listing l = { .session = session };
	struct request request = { .method = "GET", .path = path };
	int status;

	if (session->json)
		return session_call(session, &request, NULL);
	request.accept = "application/x-ndjson";
	status = list_people(&l, &request);
	ndjson_done(&l.lines);
	columns_free(l.table);
	return status;
}

static int print_ended(const struct session *session, json_t *answer)
{
	const json_t *ended = json_object_get(answer, "ended");
	char things[TEXT_PHRASE_STRLEN];

	if (!json_is_integer(ended) || json_integer_value(ended) < 0)
		return -EINVAL;
	if (!session->quiet)
		printf("%s ended\n", text_things((uint64_t)json_integer_value(ended),
						 "connection", things));
	changes_warn(session, answer);
	return 0;
}

static int read_query(const struct args *args, struct query *query,
		      struct selector *ret_chosen, struct flaw *why)
{
	char id[24];

	query_begin(query, "/v1/connections");
	if (args->n_operands && select_word(args->operands[0], ret_chosen, why) < 0)
		return -EINVAL;
	snprintf(id, sizeof(id), "%" PRIu64, ret_chosen->id);
	if (ret_chosen->id)
		query_add(query, "mapping", id);
	if (ret_chosen->name[0])
		query_add(query, "name", ret_chosen->name);
	if (filters_read(args, query, why) < 0)
		return -EINVAL;
	if (args_has(args, "--kill") && query->mark == '?')
		return flaw_set(why,
				"connections --kill: say which: a forward, --proto or "
				"--remote PREFIX. All are 0.0.0.0/0 and ::/0.");
	return 0;
}

static int connections_run(struct session *session, const struct args *args)
{
	struct request request = { .method = "DELETE" };
	struct selector chosen = { 0 };
	struct query query;
	struct flaw why;
	int status;

	if (read_query(args, &query, &chosen, &why) < 0)
		return session_usage(session, "%s", why.text);
	if (args->n_operands) {
		status = check_chosen(session, &chosen);
		if (status != EXIT_DONE)
			return status;
	}
	if (!args_has(args, "--kill"))
		return list(session, query.path);
	request.path = query.path;
	return session_call(session, &request, print_ended);
}

const struct verb verb_connections = {
	.name = "connections",
	.also = "conns conntrack flows sessions",
	.usage = "[ID|NAME] [--remote PREFIX] [--proto PROTO] [--kill]",
	.summary = "show the live connections of forwards, or end them",
	.help = "Of one forward, or of all. STATE is the connection tracker's; TIMEOUT is when\n"
		"it forgets a connection on which nothing comes. AGE, IN and OUT are there\n"
		"with accounting = yes in natd.conf. With --kill they are ended.\n"
		"\n"
		"  natctl connections web\n"
		"  natctl connections --remote 198.51.100.0/24 --kill\n"
		"  natctl connections --json | jq -r '.[].remote'\n",
	.run = connections_run,
};
