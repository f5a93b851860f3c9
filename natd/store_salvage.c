/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * store_salvage - reads what is left of a damaged store
 *
 * From a copy: opening a database that has a log writes to its files. A table whose pages
 * are damaged in its middle is read from its beginning up to there, and from its end
 * back.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/store_private.h"

DEFINE_CLEANUP(store_close, struct store *)

struct salvage {
	struct store *copy;
	store_row on_row;
	void *userdata;
	uint64_t highest; /* id that was read from the beginning */
};

/* Return: 0 at the end, else SQLite's word. */
static int read_forward(struct salvage *s, sqlite3_stmt *rows)
{
	struct mapping m;
	int r;

	while ((r = sqlite3_step(rows)) == SQLITE_ROW) {
		uint64_t id = (uint64_t)sqlite3_column_int64(rows, 0);

		if (id > s->highest)
			s->highest = id;
		if (store_read_mapping(rows, &m) == 0)
			s->on_row(s->userdata, &m);
	}
	return r == SQLITE_DONE ? 0 : r;
}

static void read_backward(struct salvage *s, sqlite3_stmt *rows)
{
	struct mapping m;

	while (sqlite3_step(rows) == SQLITE_ROW) {
		if ((uint64_t)sqlite3_column_int64(rows, 0) <= s->highest)
			break;
		if (store_read_mapping(rows, &m) == 0)
			s->on_row(s->userdata, &m);
	}
}

static void read_rows(struct salvage *s)
{
	sqlite3 *db = s->copy->db;
	sqlite3_stmt *rows = NULL;
	bool torn;

	if (sqlite3_prepare_v2(db, STORE_SELECT_MAPPINGS " ORDER BY id", -1, &rows,
			       NULL) != SQLITE_OK)
		return;
	torn = read_forward(s, rows) != 0;
	sqlite3_finalize(rows);
	rows = NULL;
	if (torn && sqlite3_prepare_v2(db, STORE_SELECT_MAPPINGS " ORDER BY id DESC", -1,
				       &rows, NULL) == SQLITE_OK)
		read_backward(s, rows);
	sqlite3_finalize(rows);
}

/* Nothing here is an error: what cannot be read is lost. */
static void read_copy(struct salvage *s, struct store_remains *remains)
{
	struct store *copy = s->copy;
	struct store_meta meta;

	if (sqlite3_open_v2(copy->path, &copy->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_EXRESCODE,
			    NULL) != SQLITE_OK)
		return;
	sqlite3_db_config(copy->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(copy->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	store_exec(copy->db, "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;"
			     "PRAGMA cell_size_check = ON;");
	if (store_meta_read(copy, &meta) == 0) {
		remains->sequence = meta.sequence;
		remains->next_id = meta.next_id;
		remains->rows = (int64_t)meta.rows;
	}
	read_rows(s);
}

static int read_aside(const struct store *store, struct salvage *s,
		      struct store_remains *remains)
{
	CLEANUP(store_close) struct store *copy = calloc(1, sizeof(*copy));
	char shm[sizeof(copy->path) + sizeof("-shm")];
	size_t dir;

	if (!copy)
		return -ENOMEM;
	copy->lock_fd = -1;
	dir = (size_t)(strrchr(store->path, '/') - store->path);
	snprintf(copy->path, sizeof(copy->path), "%.*s/%s", (int)dir, store->path,
		 remains->aside);
	s->copy = copy;
	read_copy(s, remains);
	store_close_db(copy);
	snprintf(shm, sizeof(shm), "%s-shm", copy->path);
	unlink(shm);
	return 0;
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
