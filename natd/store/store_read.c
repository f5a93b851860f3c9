/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "natd/store/store_private.h"

/* ------------------------------------------------------------ columns */

static int column_port(sqlite3_stmt *s, int column, uint16_t *ret)
{
	sqlite3_int64 port = sqlite3_column_int64(s, column);

	if (port < 1 || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

static int column_endpoint(sqlite3_stmt *s, int column, struct endpoint *ret)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	if (!text || column_port(s, column + 1, &ret->port) < 0)
		return -EINVAL;
	if (!strcmp(text, "*4"))
		ret->addr = address_any4;
	else if (!strcmp(text, "*6"))
		ret->addr = address_any6;
	else
		return address_parse(text, &ret->addr);
	return 0;
}

/* @m has its internal address already. */
static int column_external(sqlite3_stmt *s, int column, struct mapping *m)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	m->host = m->suffix ? address_any6 : m->internal.addr;
	if (!text || strcmp(text, "host") != 0)
		return column_endpoint(s, column, &m->external);
	m->external.addr = m->host;
	return column_port(s, column + 1, &m->external.port);
}

static int column_protocol(sqlite3_stmt *s, int column, uint8_t *ret)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text ? protocol_parse(text, ret) : -EINVAL;
}

static int column_origin(sqlite3_stmt *s, int column, uint8_t *ret)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	enum origin origin;

	if (!text || origin_parse(text, &origin) < 0)
		return -EINVAL;
	*ret = (uint8_t)origin;
	return 0;
}

static int column_upstream(sqlite3_stmt *s, int column, struct mapping *m)
{
	const char *words = (const char *)sqlite3_column_text(s, column);

	return words ? store_upstream_words_parse(words, m) : -EINVAL;
}

static int parse_remotes(const char *text, struct prefix *ret, size_t *ret_n)
{
	char one[PREFIX_STRLEN];
	size_t n = 0, len;

	for (; *text; text += len + (text[len] == ' ')) {
		len = strcspn(text, " ");
		if (len >= sizeof(one) || n == MAPPING_REMOTES_MAX)
			return -EINVAL;
		memcpy(one, text, len);
		one[len] = '\0';
		if (prefix_parse(one, &ret[n++]) < 0)
			return -EINVAL;
	}
	*ret_n = n;
	return 0;
}

static int column_details(sqlite3_stmt *s, int column, struct details **ret)
{
	const char *texts[3];
	struct prefix remotes[MAPPING_REMOTES_MAX];
	size_t n;
	int r;

	for (int i = 0; i < 3; i++) {
		texts[i] = (const char *)sqlite3_column_text(s, column + i);
		if (!texts[i])
			return -EINVAL;
	}
	if (strlen(texts[0]) >= IFNAMSIZ || strlen(texts[1]) > MAPPING_COMMENT_MAX ||
	    parse_remotes(texts[2], remotes, &n) < 0)
		return -EINVAL;
	r = details_new(texts[0], texts[1], remotes, n, ret);
	return r == -E2BIG ? -EINVAL : r;
}

/* Most have none of it. */
static bool has_details(sqlite3_stmt *s, int column)
{
	return sqlite3_column_bytes(s, column) || sqlite3_column_bytes(s, column + 1) ||
	       sqlite3_column_bytes(s, column + 2);
}

/* Columns as read_columns() and column_details() count them. */
#define LAN	 17
#define UPSTREAM 20
#define CHECKSUM 21

static int read_columns(sqlite3_stmt *s, struct mapping *m)
{
	const char *name = (const char *)sqlite3_column_text(s, 1);

	m->suffix = sqlite3_column_int64(s, 16) != 0;
	if (!name || strlen(name) > MAPPING_NAME_MAX ||
	    column_protocol(s, 2, &m->protocol) < 0 ||
	    column_endpoint(s, 5, &m->internal) < 0 || column_external(s, 3, m) < 0 ||
	    column_origin(s, 7, &m->origin) < 0 || column_port(s, 13, &m->n_ports) < 0)
		return -EINVAL;
	m->id = (uint64_t)sqlite3_column_int64(s, 0);
	strcpy(m->name, name);
	m->owner_uid = (uint32_t)sqlite3_column_int64(s, 8);
	m->enabled = sqlite3_column_int64(s, 9) != 0;
	m->created = (uint64_t)sqlite3_column_int64(s, 10);
	m->changed = (uint64_t)sqlite3_column_int64(s, 11);
	m->changed_by = (uint32_t)sqlite3_column_int64(s, 12);
	m->lifetime = (uint32_t)sqlite3_column_int64(s, 14);
	m->expires = (uint64_t)sqlite3_column_int64(s, 15);
	return column_upstream(s, UPSTREAM, m);
}

int store_read_mapping(sqlite3_stmt *s, struct mapping *ret)
{
	struct mapping m = { 0 };
	int r;

	r = read_columns(s, &m);
	if (r == 0 && has_details(s, LAN))
		r = column_details(s, LAN, &m.details);
	if (r < 0)
		return r;
	if (store_checksum_mapping(&m) != (uint64_t)sqlite3_column_int64(s, CHECKSUM)) {
		details_unref(m.details);
		return -EINVAL;
	}
	*ret = m;
	return 0;
}

/* of the present format, which the statements in store.c write */
#define COLUMNS                                                                          \
	"SELECT id, name, protocol, external_address, external_port, internal_address, " \
	"internal_port, origin, owner_uid, enabled, created, "

int store_select(sqlite3 *db, int64_t format, const char *order, sqlite3_stmt **ret)
{
	char sql[512];

	snprintf(sql, sizeof(sql), COLUMNS "%s, %s, checksum FROM mapping%s",
		 format == 1 ? "created, owner_uid, 1, 0, 0, 0, '', '', ''"
			     : "changed, changed_by, n_ports, lifetime, expires, suffix, "
			       "lan, comment, remotes",
		 format <= 2 ? "''" : "upstream", order);
	return sqlite3_prepare_v2(db, sql, -1, ret, NULL);
}

/* ------------------------------------------------------------ tables */

static int damaged_row(const struct store *store, uint64_t id, const char *how,
		       struct store_fault *why)
{
	char what[80];

	snprintf(what, sizeof(what), "mapping %" PRIu64 " %s", id, how);
	return store_say(store, -EUCLEAN, what, why);
}

/* What is read, and what it comes to; @table: NULL, only look. */
struct reading {
	struct store *store;
	struct table *table;
	struct store_meta meta, seen;
	struct store_fault *why;
};

static int load_mapping(struct reading *reading, const struct mapping *m)
{
	const struct store *store = reading->store;
	struct store_fault *why = reading->why;
	int r;

	if (m->id >= reading->meta.next_id)
		return damaged_row(store, m->id, "has an id that was never given", why);
	r = reading->table ? table_load(reading->table, m) : 0;
	if (r == -EEXIST)
		return damaged_row(store, m->id, "quarrels with another", why);
	if (r == -EINVAL)
		return damaged_row(store, m->id, "is no valid mapping", why);
	if (r == -ENOSPC) {
		snprintf(why->text, sizeof(why->text),
			 "%.400s: more than %zu mappings, which is all that natd takes",
			 store->path, table_capacity(reading->table));
		return r;
	}
	return r < 0 ? store_say(store, r, "reading mappings", why) : 0;
}

/* One row into the table and into what was seen. */
static int load_row(struct reading *reading, sqlite3_stmt *s)
{
	struct mapping m;
	int r;

	r = store_read_mapping(s, &m);
	if (r == -ENOMEM)
		return store_say(reading->store, r, "reading mappings", reading->why);
	if (r < 0)
		return damaged_row(reading->store, (uint64_t)sqlite3_column_int64(s, 0),
				   "does not fit its checksum", reading->why);
	reading->seen.rows++;
	reading->seen.digest += (uint64_t)sqlite3_column_int64(s, CHECKSUM);
	r = load_mapping(reading, &m);
	details_unref(m.details);
	return r;
}

static int load_rows(struct reading *reading, int64_t format)
{
	struct store *store = reading->store;
	sqlite3_stmt *s = NULL;
	int r, bad = 0;

	r = store_select(store->db, format, " ORDER BY id", &s);
	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(s);
		if (r != SQLITE_ROW)
			break;
		bad = load_row(reading, s);
		if (bad < 0)
			break;
	}
	sqlite3_finalize(s);
	if (bad < 0 || r == SQLITE_DONE)
		return bad;
	return store_say(store, store_errno(store->db, r), "reading mappings",
			 reading->why);
}

static int read_all(struct reading *reading, int64_t format)
{
	char what[128], mappings[TEXT_PHRASE_STRLEN];
	int r;

	r = load_rows(reading, format);
	if (r < 0)
		return r;
	if (reading->seen.rows == reading->meta.rows &&
	    reading->seen.digest == reading->meta.digest)
		return 0;
	snprintf(what, sizeof(what), "%s in it, not the %" PRIu64 " that were written",
		 text_things(reading->seen.rows, "mapping", mappings),
		 reading->meta.rows);
	return store_say(reading->store, -EUCLEAN, what, reading->why);
}

int store_load_all(struct store *store, struct table *table, struct store_fault *why)
{
	struct reading reading = {
		.store = store,
		.table = table,
		.meta = store->meta,
		.why = why,
	};
	int r;

	r = read_all(&reading, STORE_FORMAT);
	if (r == 0)
		table_set_next_id(table, store->meta.next_id);
	return r;
}

int store_verify(struct store *store, int64_t format, struct store_fault *why)
{
	struct reading reading = { .store = store, .why = why };
	int r;

	r = store_meta_read(store, &reading.meta);
	if (r < 0)
		return store_say(store, r, "its table meta", why);
	return read_all(&reading, format);
}

int store_meta_read(struct store *store, struct store_meta *ret)
{
	sqlite3_stmt *s = NULL;
	struct store_meta meta = { 0 };
	uint64_t checksum = 0;
	int r;

	r = sqlite3_prepare_v2(
		store->db, "SELECT sequence, next_id, rows, digest, checksum FROM meta",
		-1, &s, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	if (r == SQLITE_ROW) {
		meta.sequence = (uint64_t)sqlite3_column_int64(s, 0);
		meta.next_id = (uint64_t)sqlite3_column_int64(s, 1);
		meta.rows = (uint64_t)sqlite3_column_int64(s, 2);
		meta.digest = (uint64_t)sqlite3_column_int64(s, 3);
		checksum = (uint64_t)sqlite3_column_int64(s, 4);
	}
	sqlite3_finalize(s);
	if (r == SQLITE_DONE ||
	    (r == SQLITE_ROW && checksum != store_checksum_meta(&meta)))
		return -EUCLEAN;
	if (r != SQLITE_ROW)
		return store_errno(store->db, r);
	*ret = meta;
	return 0;
}

static int read_ending(sqlite3_stmt *s, store_ending on_ending, void *userdata)
{
	struct endpoint external;
	uint16_t last_port;
	uint8_t protocol;

	if (column_protocol(s, 0, &protocol) < 0 ||
	    column_endpoint(s, 1, &external) < 0 || column_port(s, 3, &last_port) < 0 ||
	    store_checksum_ending(protocol, &external, last_port) !=
		    (uint64_t)sqlite3_column_int64(s, 4))
		return -EUCLEAN;
	on_ending(userdata, protocol, &external, last_port);
	return 0;
}

int store_endings(struct store *store, store_ending on_ending, void *userdata)
{
	sqlite3_stmt *s = NULL;
	int r, bad = 0;

	r = sqlite3_prepare_v2(
		store->db,
		"SELECT protocol, external_address, external_port, last_port, checksum "
		"FROM ending",
		-1, &s, NULL);
	while (bad == 0 && (r == SQLITE_OK || r == SQLITE_ROW)) {
		r = sqlite3_step(s);
		if (r != SQLITE_ROW)
			break;
		bad = read_ending(s, on_ending, userdata);
	}
	sqlite3_finalize(s);
	return bad < 0 ? bad : store_errno(store->db, r);
}
