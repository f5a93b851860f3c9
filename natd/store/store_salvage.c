/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * store_salvage - reads what is left of a damaged store
 *
 * From a copy: opening a database that has a log writes to its files. A table whose pages
 * are damaged in its middle is read from its beginning up to there, and from its end
 * back. What cannot be read is lost, and no error; but for want of memory, where all of
 * it may be there.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/store/store_private.h"

DEFINE_CLEANUP(store_close, struct store *)

/**
 * struct salvage
 * @format:  of the copy
 * @highest: id that was read from the beginning
 * @error:   -ENOMEM, or 0
 */
struct salvage {
	struct store *copy, *store;
	int64_t format;
	store_row on_row;
	void *userdata;
	uint64_t highest;
	int error;
};

static bool lacks_memory(int result)
{
	return (result & 0xff) == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM;
}

static void read_row(struct salvage *s, sqlite3_stmt *rows)
{
	struct mapping m;
	int r = store_read_mapping(rows, &m);

	if (r == -ENOMEM)
		s->error = r;
	if (r < 0)
		return;
	s->on_row(s->userdata, &m);
	details_unref(m.details);
}

/* Return: 0 at the end, else SQLite's word. */
static int read_forward(struct salvage *s, sqlite3_stmt *rows)
{
	int r;

	while ((r = sqlite3_step(rows)) == SQLITE_ROW) {
		uint64_t id = (uint64_t)sqlite3_column_int64(rows, 0);

		if (id > s->highest)
			s->highest = id;
		read_row(s, rows);
	}
	return r == SQLITE_DONE ? 0 : r;
}

/* Return: as read_forward(). */
static int read_backward(struct salvage *s, sqlite3_stmt *rows)
{
	int r;

	while ((r = sqlite3_step(rows)) == SQLITE_ROW) {
		if ((uint64_t)sqlite3_column_int64(rows, 0) <= s->highest)
			return 0;
		read_row(s, rows);
	}
	return r == SQLITE_DONE ? 0 : r;
}

/* Return: 0, or SQLite's word. */
static int read_by(struct salvage *s, const char *order,
		   int (*read)(struct salvage *s, sqlite3_stmt *rows))
{
	sqlite3_stmt *rows = NULL;
	int r;

	r = store_select(s->copy->db, s->format, order, &rows);
	if (r == SQLITE_OK)
		r = read(s, rows);
	sqlite3_finalize(rows);
	return r;
}

/* Return: 0, -ENOMEM. */
static int read_rows(struct salvage *s)
{
	int r;

	r = read_by(s, " ORDER BY id", read_forward);
	if (r != SQLITE_OK && !lacks_memory(r))
		r = read_by(s, " ORDER BY id DESC", read_backward);
	return lacks_memory(r) ? -ENOMEM : s->error;
}

/* Return: 0, -ENOMEM. */
static int read_meta(struct salvage *s, struct store_remains *remains)
{
	struct store_meta meta;
	int r;

	r = store_number(s->copy->db, "PRAGMA user_version", &s->format);
	if (r < 0 || s->format < 1 || s->format > STORE_FORMAT)
		s->format = STORE_FORMAT;
	if (r == -ENOMEM)
		return r;
	r = store_meta_read(s->copy, &meta);
	if (r == 0) {
		remains->sequence = meta.sequence;
		remains->next_id = meta.next_id;
		remains->rows = (int64_t)meta.rows;
	}
	return r == -ENOMEM ? r : 0;
}

static void keep_traffic(void *userdata, uint64_t id, const struct store_traffic *traffic)
{
	struct salvage *s = userdata;

	if (store_put_traffic(s->store, id, traffic) < 0)
		s->error = -ENOMEM;
}

/* They go into what replaces it. Return: 0, -ENOMEM. */
static int read_beside(struct salvage *s)
{
	struct lease_anchor anchor;
	int r;

	r = store_beside_read(s->copy);
	store_anchor(s->copy, &anchor);
	if (anchor.lease)
		store_set_anchor(s->store, &anchor);
	if (r != -ENOMEM)
		r = store_traffic(s->copy, keep_traffic, s);
	if (r != -ENOMEM)
		r = store_upstream_salvage(s->copy, s->store);
	return r == -ENOMEM ? r : s->error;
}

/* Return: 0, -ENOMEM. */
static int read_copy(struct salvage *s, struct store_remains *remains)
{
	struct store *copy = s->copy;
	int r;

	r = sqlite3_open_v2(copy->path, &copy->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_EXRESCODE,
			    NULL);
	if (r != SQLITE_OK)
		return lacks_memory(r) ? -ENOMEM : 0;
	sqlite3_db_config(copy->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(copy->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = store_exec(copy->db, "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;"
				 "PRAGMA cell_size_check = ON;");
	if (r != -ENOMEM)
		r = read_meta(s, remains);
	if (r != -ENOMEM)
		r = read_rows(s);
	return r == -ENOMEM ? r : read_beside(s);
}

static int read_aside(struct store *store, struct salvage *s,
		      struct store_remains *remains)
{
	CLEANUP(store_close) struct store *copy = calloc(1, sizeof(*copy));
	char shm[sizeof(copy->path) + sizeof("-shm")];
	size_t dir;
	int r;

	if (!copy)
		return -ENOMEM;
	copy->lock_fd = -1;
	dir = (size_t)(strrchr(store->path, '/') - store->path);
	snprintf(copy->path, sizeof(copy->path), "%.*s/%s", (int)dir, store->path,
		 remains->aside);
	s->copy = copy;
	s->store = store;
	r = read_copy(s, remains);
	store_close_db(copy);
	snprintf(shm, sizeof(shm), "%s-shm", copy->path);
	unlink(shm);
	return r;
}

int store_salvage(const char *dir, store_row on_row, void *userdata,
		  struct store_remains *ret, struct store **ret_store,
		  struct store_fault *why)
{
	CLEANUP(store_close) struct store *store = calloc(1, sizeof(*store));
	struct salvage s = { .on_row = on_row, .userdata = userdata };
	int r;

	*ret = (struct store_remains){ .next_id = 1, .rows = -1 };
	if (!store) {
		snprintf(why->text, sizeof(why->text), "not enough memory");
		return -ENOMEM;
	}
	store->lock_fd = -1;
	r = store_lock(store, dir, why);
	if (r < 0)
		return r;
	r = store_set_aside(store, ret->aside);
	if (r < 0)
		return store_say(store, r, "copying it aside", why);
	if (ret->aside[0])
		r = read_aside(store, &s, ret);
	if (r < 0)
		return store_say(store, r, "reading the copy", why);
	*ret_store = TAKE(store);
	return 0;
}
