/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * store_upstream - what routers above us were asked for: a row for each slot, so that
 * nothing stays behind there unknown
 *
 * Beside the mappings, like what store_beside.c keeps: with checksums of their own, and
 * outside of the sequence number.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "natd/store/store_private.h"

#define NONCE_STRLEN (2 * WORKER_NONCE_LEN + 1)

static void bind_number(sqlite3_stmt *s, int column, uint64_t number)
{
	sqlite3_bind_int64(s, column, (sqlite3_int64)number);
}

static void bind_text(sqlite3_stmt *s, int column, const char *text)
{
	sqlite3_bind_text(s, column, text, -1, SQLITE_STATIC);
}

static uint64_t sum_text(uint64_t sum, const char *text)
{
	const size_t len = strlen(text);

	return store_sum_bytes(store_sum_number(sum, len), text, len);
}

static uint64_t sum_address(uint64_t sum, const struct in6_addr *addr)
{
	return store_sum_bytes(sum, addr, sizeof(*addr));
}

static uint64_t checksum_row(const struct upstream_row *row)
{
	uint64_t sum = store_sum_number(STORE_SUM_START, row->id);

	sum = store_sum_number(sum, row->expires);
	sum = sum_text(sum, row->wan);
	sum = sum_address(sum, &row->router);
	sum = sum_address(sum, &row->internal);
	sum = sum_address(sum, &row->external);
	sum = store_sum_number(sum, row->internal_port);
	sum = store_sum_number(sum, row->external_port);
	sum = store_sum_number(sum, row->unique);
	sum = store_sum_number(sum, row->protocol);
	sum = store_sum_number(sum, row->speech);
	sum = store_sum_bytes(sum, row->nonce, sizeof(row->nonce));
	sum = store_sum_number(sum, row->epoch);
	sum = store_sum_number(sum, row->epoch_at);
	return sum_text(sum, row->url);
}

/* ------------------------------------------------------------ writing */

static const char *nonce_text(const struct upstream_row *row,
			      char buf[static NONCE_STRLEN])
{
	for (size_t i = 0; i < sizeof(row->nonce); i++)
		sprintf(buf + 2 * i, "%02x", row->nonce[i]);
	return buf;
}

static int put_row(struct store *store, const struct upstream_row *row)
{
	char router[INET6_ADDRSTRLEN], internal[INET6_ADDRSTRLEN];
	char external[INET6_ADDRSTRLEN], nonce[NONCE_STRLEN];
	sqlite3_stmt *s = store->statements[STORE_UPSTREAM_PUT];

	bind_number(s, 1, row->id);
	bind_text(s, 2, row->wan);
	bind_text(s, 3, address_format(&row->router, router));
	bind_text(s, 4, upstream_speech_name((enum upstream_speech)row->speech));
	bind_text(s, 5, protocol_name(row->protocol));
	bind_text(s, 6, address_format(&row->internal, internal));
	bind_number(s, 7, row->internal_port);
	bind_text(s, 8, address_format(&row->external, external));
	bind_number(s, 9, row->external_port);
	bind_number(s, 10, row->unique);
	bind_text(s, 11, nonce_text(row, nonce));
	bind_number(s, 12, row->expires);
	bind_number(s, 13, row->epoch);
	bind_number(s, 14, row->epoch_at);
	bind_text(s, 15, row->url);
	bind_number(s, 16, checksum_row(row));
	return store_run(store, s, 1);
}

static int delete_row(struct store *store, uint64_t id)
{
	sqlite3_stmt *s = store->statements[STORE_UPSTREAM_DELETE];

	bind_number(s, 1, id);
	return store_run(store, s, 0);
}

static int write_changes(struct store *store, const struct store_upstream_change *changes,
			 size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = changes[i].gone ? delete_row(store, changes[i].row.id)
				    : put_row(store, &changes[i].row);
	return r;
}

int store_put_upstream(struct store *store, const struct store_upstream_change *changes,
		       size_t n)
{
	int r;

	if (store->in_transaction)
		return -EBUSY;
	r = store_open_transaction(store);
	if (r < 0)
		return r;
	r = write_changes(store, changes, n);
	return r < 0 ? store_rollback(store), r : store_close_transaction(store);
}

/* ------------------------------------------------------------ reading */

static int column_address(sqlite3_stmt *s, int column, struct in6_addr *ret)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text ? address_parse(text, ret) : -EINVAL;
}

static int column_port(sqlite3_stmt *s, int column, uint16_t *ret)
{
	const sqlite3_int64 number = sqlite3_column_int64(s, column);

	*ret = (uint16_t)number;
	return number == *ret ? 0 : -EINVAL;
}

static int column_epoch(sqlite3_stmt *s, struct upstream_row *row)
{
	const sqlite3_int64 number = sqlite3_column_int64(s, 12);

	row->epoch = (uint32_t)number;
	row->epoch_at = (uint64_t)sqlite3_column_int64(s, 13);
	return number == row->epoch ? 0 : -EINVAL;
}

static int column_words(sqlite3_stmt *s, struct upstream_row *row)
{
	const char *speech_text = (const char *)sqlite3_column_text(s, 3);
	const char *protocol = (const char *)sqlite3_column_text(s, 4);
	const char *nonce = (const char *)sqlite3_column_text(s, 10);
	enum upstream_speech speech;

	if (!speech_text || upstream_speech_parse(speech_text, &speech) < 0 ||
	    !protocol || protocol_parse(protocol, &row->protocol) < 0 || !nonce ||
	    text_hex(nonce, row->nonce, sizeof(row->nonce)) < 0)
		return -EINVAL;
	row->speech = (uint8_t)speech;
	return 0;
}

static int column_texts(sqlite3_stmt *s, struct upstream_row *row)
{
	const char *wan = (const char *)sqlite3_column_text(s, 1);
	const char *url = (const char *)sqlite3_column_text(s, 14);

	if (!wan || strlen(wan) >= sizeof(row->wan) || !url ||
	    strlen(url) >= sizeof(row->url))
		return -EINVAL;
	strcpy(row->wan, wan);
	strcpy(row->url, url);
	return 0;
}

/* Return: 0, -EINVAL */
static int read_row(sqlite3_stmt *s, struct upstream_row *ret)
{
	struct upstream_row row = {
		.id = (uint64_t)sqlite3_column_int64(s, 0),
		.expires = (uint64_t)sqlite3_column_int64(s, 11),
	};

	if (column_texts(s, &row) < 0 || column_words(s, &row) < 0 ||
	    column_address(s, 2, &row.router) < 0 ||
	    column_address(s, 5, &row.internal) < 0 ||
	    column_port(s, 6, &row.internal_port) < 0 ||
	    column_address(s, 7, &row.external) < 0 ||
	    column_port(s, 8, &row.external_port) < 0 ||
	    column_port(s, 9, &row.unique) < 0 || column_epoch(s, &row) < 0 ||
	    checksum_row(&row) != (uint64_t)sqlite3_column_int64(s, 15) ||
	    upstream_row_flaw(&row))
		return -EINVAL;
	*ret = row;
	return 0;
}

/** struct rows - what is told of them; @highest: id that was read from the beginning */
struct rows {
	store_on_upstream on_row;
	void *userdata;
	uint64_t highest;
	size_t damaged;
};

#define COLUMNS                                                                          \
	"SELECT id, wan, router, speech, protocol, internal_address, internal_port, "    \
	"external_address, external_port, pinhole, nonce, expires, epoch, epoch_at, "    \
	"url, checksum FROM upstream "

/* @sql: from the beginning, or from the end back to what was read so. Return: 0, -EIO..
 */
static int read_rows(struct store *store, const char *sql, struct rows *rows)
{
	struct upstream_row row;
	sqlite3_stmt *s = NULL;
	int r;

	r = sqlite3_prepare_v2(store->db, sql, -1, &s, NULL);
	if (r == SQLITE_OK)
		bind_number(s, 1, rows->highest);
	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(s);
		if (r != SQLITE_ROW)
			break;
		if (read_row(s, &row) == 0)
			rows->on_row(rows->userdata, &row);
		else
			rows->damaged++;
		if ((uint64_t)sqlite3_column_int64(s, 0) > rows->highest)
			rows->highest = (uint64_t)sqlite3_column_int64(s, 0);
	}
	sqlite3_finalize(s);
	return store_errno(store->db, r);
}

int store_upstream(struct store *store, store_on_upstream on_row, void *userdata)
{
	struct rows rows = { .on_row = on_row, .userdata = userdata };
	int r = read_rows(store, COLUMNS "WHERE id > ?1 ORDER BY id", &rows);

	store->n_damaged = rows.damaged;
	return r == 0 && rows.damaged ? -EUCLEAN : r;
}

size_t store_upstream_damaged(const struct store *store)
{
	return store->n_damaged;
}

/* ------------------------------------------------------------ natd --recover */

/** struct salvage - @store: that keeps them; @error: 0 or -ENOMEM */
struct salvage {
	struct store *store;
	int error;
};

static void keep(void *userdata, const struct upstream_row *row)
{
	struct salvage *salvage = userdata;
	struct store *store = salvage->store;
	struct upstream_row *more;

	more = reallocarray(store->upstream, store->n_upstream + 1, sizeof(*more));
	if (!more) {
		salvage->error = -ENOMEM;
		return;
	}
	store->upstream = more;
	more[store->n_upstream++] = *row;
}

int store_upstream_salvage(struct store *copy, struct store *store)
{
	struct salvage salvage = { .store = store };
	struct rows rows = { .on_row = keep, .userdata = &salvage };
	int r;

	r = read_rows(copy, COLUMNS "WHERE id > ?1 ORDER BY id", &rows);
	if (r < 0 && r != -ENOMEM)
		r = read_rows(copy, COLUMNS "WHERE id > ?1 ORDER BY id DESC", &rows);
	return r == -ENOMEM ? r : salvage.error;
}

int store_upstream_write(struct store *store)
{
	int r = 0;

	for (size_t i = 0; i < store->n_upstream && r == 0; i++)
		r = put_row(store, &store->upstream[i]);
	return r;
}

void store_upstream_forget(struct store *store)
{
	free(store->upstream);
	store->upstream = NULL;
	store->n_upstream = 0;
}
