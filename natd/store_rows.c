/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "natd/store_private.h"

/* ------------------------------------------------------------ checksums */

#define FNV_PRIME UINT64_C(0x100000001b3)

/* FNV-1a, 64 bits: a changed byte always shows; it is against rot, not against people. */
static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ byte[i]) * FNV_PRIME;
	return sum;
}

/* Lowest byte first, whatever the machine, so that a file can move. */
static uint64_t add_number(uint64_t sum, uint64_t number)
{
	uint64_t skipped = 1;

	for (size_t i = 0; i < sizeof(number); i++, number >>= 8)
		if (number)
			sum = (sum ^ (number & 0xff)) * FNV_PRIME;
		else
			skipped *= FNV_PRIME;
	/* bytes of zero: multiplications that do not wait for each other */
	return sum * skipped;
}

#define FNV_START UINT64_C(0xcbf29ce484222325)

uint64_t store_checksum_meta(const struct store_meta *meta)
{
	uint64_t sum = FNV_START;

	sum = add_number(sum, meta->sequence);
	sum = add_number(sum, meta->next_id);
	sum = add_number(sum, meta->rows);
	return add_number(sum, meta->digest);
}

/* As bytes one after the other: half an IPv4 address, kept v4-mapped, is zero. */
static uint64_t add_address(uint64_t sum, const struct in6_addr *addr)
{
	uint64_t halves[2];

	memcpy(halves, addr, sizeof(halves));
	return add_number(add_number(sum, le64toh(halves[0])), le64toh(halves[1]));
}

static uint64_t add_endpoint(uint64_t sum, const struct endpoint *e)
{
	return add_number(add_address(sum, &e->addr), e->port);
}

uint64_t store_checksum_mapping(const struct mapping *m)
{
	uint64_t sum = FNV_START;

	sum = add_number(sum, m->id);
	sum = add_number(sum, m->created);
	sum = add_endpoint(sum, &m->external);
	sum = add_endpoint(sum, &m->internal);
	sum = add_number(sum, m->owner_uid);
	sum = add_number(sum, m->protocol);
	sum = add_number(sum, m->origin);
	sum = add_number(sum, m->enabled);
	return add_bytes(sum, m->name, strlen(m->name));
}

static uint64_t checksum_ending(uint8_t protocol, const struct endpoint *external)
{
	return add_endpoint(add_number(FNV_START, protocol), external);
}

/* ------------------------------------------------------------ writing */

/* @rows: how many it must have met; 0 = any */
static int run(struct store *store, sqlite3_stmt *statement, int rows)
{
	int r = sqlite3_step(statement);

	sqlite3_reset(statement);
	r = store_errno(store->db, r);
	if (r == 0 && rows && sqlite3_changes(store->db) != rows)
		r = -EUCLEAN;
	return r;
}

static const char *external_text(const struct in6_addr *addr,
				 char buf[static INET6_ADDRSTRLEN])
{
	if (address_equal(addr, &address_any4))
		return "*4";
	if (address_equal(addr, &address_any6))
		return "*6";
	return address_format(addr, buf);
}

static void bind_text(sqlite3_stmt *s, int column, const char *text)
{
	sqlite3_bind_text(s, column, text, -1, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *s, int column, uint64_t number)
{
	sqlite3_bind_int64(s, column, (sqlite3_int64)number);
}

/** struct texts - of one row, until its statement has run */
struct texts {
	char external[INET6_ADDRSTRLEN], internal[INET6_ADDRSTRLEN];
};

/* @at: of its first value */
static void bind_row(sqlite3_stmt *s, int at, const struct mapping *m, uint64_t checksum,
		     struct texts *texts)
{
	bind_number(s, at, m->id);
	bind_text(s, at + 1, m->name);
	bind_text(s, at + 2, protocol_name(m->protocol));
	bind_text(s, at + 3, external_text(&m->external.addr, texts->external));
	bind_number(s, at + 4, m->external.port);
	bind_text(s, at + 5, address_format(&m->internal.addr, texts->internal));
	bind_number(s, at + 6, m->internal.port);
	bind_text(s, at + 7, origin_name((enum origin)m->origin));
	bind_number(s, at + 8, m->owner_uid);
	bind_number(s, at + 9, m->enabled);
	bind_number(s, at + 10, m->created);
	bind_number(s, at + 11, checksum);
}

int store_insert(struct store *store, const struct mapping *m, uint64_t checksum)
{
	sqlite3_stmt *s = store->statements[STORE_INSERT];
	struct texts texts;

	bind_row(s, 1, m, checksum, &texts);
	return run(store, s, 1);
}

int store_insert_many(struct store *store, const struct mapping *const *mappings,
		      const uint64_t *checksums)
{
	sqlite3_stmt *s = store->statements[STORE_INSERT_MANY];
	struct texts texts[STORE_ROWS];

	for (int i = 0; i < STORE_ROWS; i++)
		bind_row(s, 1 + i * STORE_COLUMNS, mappings[i], checksums[i], &texts[i]);
	return run(store, s, STORE_ROWS);
}

int store_delete(struct store *store, uint64_t id, uint64_t checksum)
{
	sqlite3_stmt *s = store->statements[STORE_DELETE];

	bind_number(s, 1, id);
	bind_number(s, 2, checksum);
	return run(store, s, 1);
}

int store_ending_insert(struct store *store, const struct mapping *m)
{
	sqlite3_stmt *s = store->statements[STORE_ENDING_INSERT];
	char external[INET6_ADDRSTRLEN];

	bind_text(s, 1, protocol_name(m->protocol));
	bind_text(s, 2, external_text(&m->external.addr, external));
	bind_number(s, 3, m->external.port);
	bind_number(s, 4, checksum_ending(m->protocol, &m->external));
	return run(store, s, 1);
}

int store_endings_delete(struct store *store)
{
	return run(store, store->statements[STORE_ENDINGS_DELETE], 0);
}

int store_meta_update(struct store *store, const struct store_meta *from,
		      const struct store_meta *to)
{
	sqlite3_stmt *s = store->statements[STORE_META_UPDATE];

	bind_number(s, 1, to->sequence);
	bind_number(s, 2, to->next_id);
	bind_number(s, 3, to->rows);
	bind_number(s, 4, to->digest);
	bind_number(s, 5, store_checksum_meta(to));
	bind_number(s, 6, store_checksum_meta(from));
	return run(store, s, 1);
}

/* ------------------------------------------------------------ reading */

static int column_endpoint(sqlite3_stmt *s, int column, struct endpoint *ret)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	sqlite3_int64 port = sqlite3_column_int64(s, column + 1);

	if (!text || port < 1 || port > UINT16_MAX)
		return -EINVAL;
	ret->port = (uint16_t)port;
	if (!strcmp(text, "*4"))
		ret->addr = address_any4;
	else if (!strcmp(text, "*6"))
		ret->addr = address_any6;
	else
		return address_parse(text, &ret->addr);
	return 0;
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

int store_read_mapping(sqlite3_stmt *s, struct mapping *ret)
{
	const char *name = (const char *)sqlite3_column_text(s, 1);
	struct mapping m = { 0 };

	if (!name || strlen(name) > MAPPING_NAME_MAX ||
	    column_protocol(s, 2, &m.protocol) < 0 ||
	    column_endpoint(s, 3, &m.external) < 0 ||
	    column_endpoint(s, 5, &m.internal) < 0 || column_origin(s, 7, &m.origin) < 0)
		return -EINVAL;
	m.id = (uint64_t)sqlite3_column_int64(s, 0);
	strcpy(m.name, name);
	m.owner_uid = (uint32_t)sqlite3_column_int64(s, 8);
	m.enabled = sqlite3_column_int64(s, 9) != 0;
	m.created = (uint64_t)sqlite3_column_int64(s, 10);
	if (store_checksum_mapping(&m) != (uint64_t)sqlite3_column_int64(s, 11))
		return -EINVAL;
	*ret = m;
	return 0;
}

static int damaged_row(const struct store *store, uint64_t id, const char *how,
		       struct store_fault *why)
{
	char what[80];

	snprintf(what, sizeof(what), "mapping %" PRIu64 " %s", id, how);
	return store_say(store, -EUCLEAN, what, why);
}

/* One row into the table and into @seen. */
static int load_row(struct store *store, sqlite3_stmt *s, struct table *table,
		    struct store_meta *seen, struct store_fault *why)
{
	uint64_t id = (uint64_t)sqlite3_column_int64(s, 0);
	struct mapping m;
	int r;

	if (store_read_mapping(s, &m) < 0)
		return damaged_row(store, id, "does not fit its checksum", why);
	if (m.id >= store->meta.next_id)
		return damaged_row(store, id, "has an id that was never given", why);
	seen->rows++;
	seen->digest += (uint64_t)sqlite3_column_int64(s, 11);
	r = table_load(table, &m);
	if (r == -EEXIST)
		return damaged_row(store, id, "quarrels with another", why);
	if (r == -EINVAL)
		return damaged_row(store, id, "is no valid mapping", why);
	if (r == -ENOSPC) {
		snprintf(why->text, sizeof(why->text),
			 "%.400s: more than %zu mappings, which is all that natd takes",
			 store->path, table_capacity(table));
		return r;
	}
	return r < 0 ? store_say(store, r, "reading mappings", why) : 0;
}

static int load_rows(struct store *store, struct table *table, struct store_meta *seen,
		     struct store_fault *why)
{
	sqlite3_stmt *s = NULL;
	int r, bad = 0;

	r = sqlite3_prepare_v2(store->db, STORE_SELECT_MAPPINGS " ORDER BY id", -1, &s,
			       NULL);
	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(s);
		if (r != SQLITE_ROW)
			break;
		bad = load_row(store, s, table, seen, why);
		if (bad < 0)
			break;
	}
	sqlite3_finalize(s);
	if (bad < 0 || r == SQLITE_DONE)
		return bad;
	return store_say(store, store_errno(store->db, r), "reading mappings", why);
}

int store_load_all(struct store *store, struct table *table, struct store_fault *why)
{
	char what[128], mappings[TEXT_PHRASE_STRLEN];
	struct store_meta seen = { 0 };
	int r;

	r = load_rows(store, table, &seen, why);
	if (r < 0)
		return r;
	if (seen.rows != store->meta.rows || seen.digest != store->meta.digest) {
		snprintf(what, sizeof(what),
			 "%s in it, not the %" PRIu64 " that were written",
			 text_things(seen.rows, "mapping", mappings), store->meta.rows);
		return store_say(store, -EUCLEAN, what, why);
	}
	table_set_next_id(table, store->meta.next_id);
	return 0;
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

int store_endings(struct store *store, store_ending on_ending, void *userdata)
{
	sqlite3_stmt *s = NULL;
	struct endpoint external;
	uint8_t protocol;
	int r, bad = 0;

	r = sqlite3_prepare_v2(
		store->db,
		"SELECT protocol, external_address, external_port, checksum "
		"FROM ending",
		-1, &s, NULL);
	while (bad == 0 && (r == SQLITE_OK || r == SQLITE_ROW)) {
		r = sqlite3_step(s);
		if (r != SQLITE_ROW)
			break;
		if (column_protocol(s, 0, &protocol) < 0 ||
		    column_endpoint(s, 1, &external) < 0 ||
		    checksum_ending(protocol, &external) !=
			    (uint64_t)sqlite3_column_int64(s, 3))
			bad = -EUCLEAN;
		else
			on_ending(userdata, protocol, &external);
	}
	sqlite3_finalize(s);
	return bad < 0 ? bad : store_errno(store->db, r);
}
