/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/blocked.h"
#include "cli/columns.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/verb.h"
#include "core/api.h"
#include "core/ndjson.h"

#define QUERY_MAX 1024

static const struct column columns[] = {
	{ .name = "ID", .right = 1 },
	{ .name = "NAME", .cut = 1 },
	{ .name = "PROTO" },
	{ .name = "EXTERNAL" },
	{ .name = "INTERNAL" },
	{ .name = "CONNECTIONS", .right = 1 },
	{ .name = "TOTAL", .right = 1 },
	{ .name = "ORIGIN" },
	{ .name = "STATE" },
};

/* a list on its way from natd to the screen */
struct listing {
	struct session *session;
	struct ndjson lines;
	struct columns *table;
	struct blocked blocked;
	size_t n;
};

/* Return: 0, or -EINVAL. Values are quoted: that they are right does not say that they
 * mean nothing in a URL. */
static int check_filter(const char *option, const char *value, struct flaw *why)
{
	struct endpoint e;
	uint8_t protocol;
	uint16_t port;

	if (!strcmp(option, "--name"))
		return value_name(value, why);
	if (!strcmp(option, "--to"))
		return value_target(value, &e, why);
	if (!strcmp(option, "--port"))
		return value_port(value, &port, why);
	if (protocol_parse(value, &protocol) < 0)
		return flaw_set(why, "--proto %s: give tcp or udp.", value);
	return 0;
}

static int read_filters(const struct args *args, char path[static QUERY_MAX],
			struct flaw *why)
{
	static const struct {
		const char *option;
		const char *key;
	} filters[] = {
		{ "--name", "name" },
		{ "--to", "to" },
		{ "--proto", "protocol" },
		{ "--port", "port" },
	};
	size_t len = (size_t)snprintf(path, QUERY_MAX, "/v1/mappings");
	char mark = '?', value[256];

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const char *text = args_option(args, filters[i].option);

		if (!text)
			continue;
		if (check_filter(filters[i].option, text, why) < 0)
			return -EINVAL;
		len += (size_t)snprintf(path + len, QUERY_MAX - len, "%c%s=%s", mark,
					filters[i].key,
					text_quote(text, value, sizeof(value)));
		mark = '&';
	}
	return 0;
}

/* "*:8080" for any WAN address */
static const char *external_text(const struct endpoint *e,
				 char buf[static ENDPOINT_STRLEN])
{
	if (!address_is_any(&e->addr))
		return endpoint_format(e, buf);
	snprintf(buf, ENDPOINT_STRLEN, "*:%u", e->port);
	return buf;
}

/* natd says null for what it could not read */
static const char *live_text(int64_t n, char buf[static TEXT_COUNT_STRLEN])
{
	return n < 0 ? "?" : text_count((uint64_t)n, buf);
}

static int add_row(struct listing *l, const struct mapping *m,
		   const struct mapping_state *state, const json_t *blocked_by)
{
	char id[24], external[ENDPOINT_STRLEN], internal[ENDPOINT_STRLEN];
	char connections[TEXT_COUNT_STRLEN], total[TEXT_COUNT_STRLEN],
		name[sizeof(m->name)];
	const char *blocked = json_array_size(blocked_by) ? "blocked" : "ok";
	const char *const cells[] = {
		id,
		name,
		protocol_name(m->protocol),
		external_text(&m->external, external),
		endpoint_format(&m->internal, internal),
		live_text(state->connections, connections),
		live_text(state->total, total),
		origin_name((enum origin)m->origin),
		m->enabled ? blocked : "disabled",
	};

	_Static_assert(ARRAY_SIZE(cells) == ARRAY_SIZE(columns),
		       "a cell for each column");
	snprintf(id, sizeof(id), "%" PRIu64, m->id);
	memcpy(name, m->name, sizeof(name));
	text_clean(name);
	if (blocked_add(&l->blocked, m->id, blocked_by) < 0)
		return -ENOMEM;
	return columns_add(l->table, cells);
}

static int take_line(void *userdata, const char *line, size_t len)
{
	CLEANUP(json_decref)
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct listing *l = userdata;
	struct mapping_state state;
	struct mapping m;

	if (api_decode_mapping(json, &m, &state) < 0)
		return -EINVAL;
	l->n++;
	if (l->session->quiet) {
		printf("%" PRIu64 "\n", m.id);
		return 0;
	}
	return add_row(l, &m, &state, json_object_get(json, "blocked_by"));
}

static int complain(const struct listing *l, int r)
{
	if (r == -ENOMEM)
		return session_fault(l->session, "out of memory");
	return session_garbled(l->session);
}

static int take_bytes(void *userdata, const char *bytes, size_t len)
{
	struct listing *l = userdata;
	int r = ndjson_feed(&l->lines, bytes, len, take_line, l);

	if (r == 0)
		return 0;
	complain(l, r);
	return -ECANCELED;
}

static int print_listing(const struct listing *l, bool filtered)
{
	if (l->session->quiet)
		return EXIT_DONE;
	if (!l->n) {
		puts(filtered ? "no forward fits" : "no forwards");
		return EXIT_DONE;
	}
	if (columns_print(l->table, stdout) < 0)
		return complain(l, -ENOMEM);
	blocked_print(&l->blocked, stdout);
	return EXIT_DONE;
}

static int list_people(struct listing *l, const struct request *request)
{
	struct answer answer;
	int r, status;

	if (columns_new(columns, ARRAY_SIZE(columns), &l->table) < 0)
		return complain(l, -ENOMEM);
	status = session_ask(l->session, request, take_bytes, l, &answer);
	if (status != EXIT_DONE)
		return status;
	answer_done(&answer);
	r = ndjson_end(&l->lines, take_line, l);
	if (r < 0)
		return complain(l, r);
	return print_listing(l, strchr(request->path, '?') != NULL);
}

static int list_run(struct session *session, const struct args *args)
{
	struct listing l = { .session = session };
	struct request request = { .method = "GET" };
	char path[QUERY_MAX];
	struct flaw why;
	int status;

	if (read_filters(args, path, &why) < 0)
		return session_usage(session, "%s", why.text);
	request.path = path;
	if (session->json)
		return session_call(session, &request, NULL);

	request.accept = "application/x-ndjson";
	status = list_people(&l, &request);
	ndjson_done(&l.lines);
	columns_free(l.table);
	blocked_done(&l.blocked);
	return status;
}

const struct verb verb_list = {
	.name = "list",
	.also = "ls show print get",
	.usage = "[--name NAME] [--to ADDRESS[:PORT]] [--proto PROTO] [--port PORT]",
	.summary = "show forwards and their connections",
	.help = "STATE is ok, blocked (a chain of another program would drop what this forward\n"
		"lets in; it is named below the table) or disabled. CONNECTIONS are those now\n"
		"live, TOTAL those since the forward was put into the kernel.\n"
		"\n"
		"  natctl list\n"
		"  natctl list --to 192.168.1.10 --proto tcp\n"
		"  natctl list --json | jq '.[] | select(.connections > 0)'\n"
		"  natctl remove $(natctl list -q --to 192.168.1.10)\n",
	.run = list_run,
};
