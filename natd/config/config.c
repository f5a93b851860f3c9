/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/conditions.h"
#include "natd/config/config_parse.h"

/* some 100,000 forwards */
#define CONFIG_BYTES_MAX (16 * 1024 * 1024)

DEFINE_CLEANUP(config_free, struct config *)
DEFINE_CLEANUP(free, void *)

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_forwards; i++)
		change_done(&config->forwards[i].change);
	free(config->forwards);
	free(config);
}

static struct config *config_new(const char *path)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	snprintf(config->path, sizeof(config->path), "%s", path);
	snprintf(config->user, sizeof(config->user), "natd");
	snprintf(config->group, sizeof(config->group), "natd");
	config->options.symmetry = SYMMETRY_UDP;
	upstream_options_default(&config->upstream);
	return config;
}

/* ------------------------------------------------------------ what only the whole shows
 */

static int by_line(const struct config_forward *a, const struct config_forward *b)
{
	return a->line < b->line ? -1 : a->line > b->line;
}

static int by_name(const void *left, const void *right)
{
	const struct config_forward *const *a = left, *const *b = right;
	int order = strcmp((*a)->change.mapping.name, (*b)->change.mapping.name);

	return order ? order : by_line(*a, *b);
}

static int refuse_same_names(struct config_reader *reader,
			     const struct config_forward **sorted, size_t n)
{
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 1; i < n; i++) {
		const char *name = sorted[i]->change.mapping.name;

		if (!strcmp(name, sorted[i - 1]->change.mapping.name))
			return config_flaw(reader, sorted[i]->line,
					   "forward %s stands in line %u already", name,
					   sorted[i - 1]->line);
	}
	return 0;
}

static unsigned int line_of_name(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_forwards; i++)
		if (!strcmp(config->forwards[i].change.mapping.name, name))
			return config->forwards[i].line;
	return 0;
}

static int refuse_forward(struct config_reader *reader,
			  const struct config_forward *forward,
			  const struct refusal *refusal)
{
	const struct mapping *holder;
	struct problem why;

	if (refusal->verdict != VERDICT_CONFLICT || refusal->n_holders == 0) {
		problem_of_refusal(refusal, &forward->change, 0, &why);
		return config_flaw(reader, forward->line, "forward %s: %.300s",
				   forward->change.mapping.name, why.detail);
	}
	holder = refusal->holders[0];
	return config_flaw(reader, forward->line,
			   "forward %s takes %s %u, which forward %s has (line %u)",
			   forward->change.mapping.name, protocol_name(holder->protocol),
			   forward->change.mapping.external.port, holder->name,
			   line_of_name(reader->config, holder->name));
}

static int refuse_first(struct config_reader *reader, const struct plan *plan)
{
	const struct config *config = reader->config;
	struct refusal refusal;

	for (size_t i = 0; i < config->n_forwards; i++) {
		if (!plan_refused(plan, i))
			continue;
		plan_refusal(plan, i, &refusal);
		return refuse_forward(reader, &config->forwards[i], &refusal);
	}
	return 0;
}

/* The table judges whether forwards are in each other's way, as it will when they are
 * added: it is given them once for trial. */
static int try_forwards(struct config_reader *reader, struct table *table,
			struct change_list *lists)
{
	const struct config *config = reader->config;
	struct lan_prefix lans[RULESET_LANS_MAX];
	const struct conditions at = {
		.protocols = UINT8_MAX,
		.lans = { .lans = lans, .n = config->options.n_lan },
	};
	struct plan *plan;
	int r;

	memset(lans, 0, sizeof(lans));
	for (size_t i = 0; i < config->options.n_lan; i++)
		memcpy(lans[i].lan, config->options.lan[i], IFNAMSIZ);
	for (size_t i = 0; i < config->n_forwards; i++)
		lists[i] = (struct change_list){
			.changes = &config->forwards[i].change,
			.n = 1,
		};
	r = table_stage(table, lists, config->n_forwards, &at, &plan);
	if (r < 0)
		return r;
	r = refuse_first(reader, plan);
	plan_free(plan);
	return r;
}

static int refuse_quarrels(struct config_reader *reader)
{
	static const uint8_t seed[16];
	const size_t n = reader->config->n_forwards;
	struct change_list *lists = calloc(n + 1, sizeof(*lists));
	struct table *table = table_new(n * PROTOCOL_COUNT + 1, seed);
	int r = -ENOMEM;

	if (lists && table)
		r = try_forwards(reader, table, lists);
	table_free(table);
	free(lists);
	return r;
}

static int check_whole(struct config_reader *reader)
{
	const struct config *config = reader->config;
	const struct config_forward **sorted;
	size_t n = config->n_forwards;
	int r;

	if (!reader->wan_line)
		return config_flaw(
			reader, reader->text->lines,
			"there is no wan block; it names the interface towards the "
			"internet: wan { interfaces = {\"eth0\"} }");
	sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &config->forwards[i];
	r = refuse_same_names(reader, sorted, n);
	free(sorted);
	if (r == 0)
		r = config_check_upstream(reader);
	return r < 0 ? r : refuse_quarrels(reader);
}

/* ------------------------------------------------------------ bytes and files */

static int read_text(struct config_reader *reader, struct config_text *text)
{
	struct config_text_flaw flaw;
	int r;

	r = config_text_clean(text, &flaw);
	if (r == -EINVAL)
		return config_flaw(reader, flaw.line, "%s", flaw.what);
	reader->text = text;
	if (r == 0)
		r = config_parse(reader);
	if (r == 0)
		r = check_whole(reader);
	return r;
}

int config_load_buffer(const char *path, const void *bytes, size_t len,
		       struct config **ret, struct config_flaw *why)
{
	CLEANUP(config_free) struct config *config = config_new(path);
	struct config_reader reader = { .config = config, .why = why };
	struct config_text text = { .len = len };
	int r = -ENOMEM;

	/* libconfuse's stream has at least one byte: fmemopen(3) may refuse none */
	text.bytes = malloc(len + 1);
	if (config && text.bytes) {
		memcpy(text.bytes, bytes, len);
		if (len == 0)
			text.bytes[text.len++] = '\n';
		r = read_text(&reader, &text);
	}
	config_text_done(&text);
	free(text.bytes);
	if (r == -ENOMEM)
		snprintf(why->text, sizeof(why->text), "%.400s: not enough memory", path);
	if (r == 0)
		*ret = TAKE(config);
	return r;
}

static int unreadable(const char *path, int error, struct config_flaw *why)
{
	snprintf(why->text, sizeof(why->text), "%.400s cannot be read: %s", path,
		 strerror(error));
	return -error;
}

/* libconfuse ends the process when its stream has a read error: it gets none. */
static int read_file(int fd, const char *path, void **ret, size_t *ret_len,
		     struct config_flaw *why)
{
	CLEANUP(free) void *bytes = malloc(CONFIG_BYTES_MAX + 1);
	size_t len = 0;
	ssize_t n;

	if (!bytes)
		return unreadable(path, ENOMEM, why);
	do {
		n = read(fd, (char *)bytes + len, CONFIG_BYTES_MAX + 1 - len);
		if (n < 0 && errno != EINTR)
			return unreadable(path, errno, why);
		len += n > 0 ? (size_t)n : 0;
	} while (n != 0 && len <= CONFIG_BYTES_MAX);
	if (len > CONFIG_BYTES_MAX) {
		snprintf(why->text, sizeof(why->text), "%.400s:1: longer than %d MiB",
			 path, CONFIG_BYTES_MAX / 1024 / 1024);
		return -EINVAL;
	}
	*ret = TAKE(bytes);
	*ret_len = len;
	return 0;
}

int config_load(const char *path, struct config **ret, struct config_flaw *why)
{
	CLEANUP(free) void *bytes = NULL;
	size_t len = 0;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return unreadable(path, errno, why);
	r = read_file(fd, path, &bytes, &len, why);
	close(fd);
	if (r < 0)
		return r;
	return config_load_buffer(path, bytes, len, ret, why);
}

const char *config_base_name(const struct config *config)
{
	const char *slash = strrchr(config->path, '/');

	return slash ? slash + 1 : config->path;
}

bool config_asks_upstream(const struct config *config)
{
	return config->upstream.enable && config->upstream.policy != UPSTREAM_NONE;
}

unsigned int config_line(const struct config *config, const struct mapping *m)
{
	const uint8_t bit = protocol_bit(m->protocol);

	for (size_t i = 0; m->origin == ORIGIN_CONFIG && i < config->n_forwards; i++) {
		const struct config_forward *forward = &config->forwards[i];
		const struct mapping *wanted = &forward->change.mapping;

		if (forward->change.protocols & bit && !strcmp(wanted->name, m->name))
			return forward->line;
	}
	return 0;
}
