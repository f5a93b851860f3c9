/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/kill_point.h"
#include "natd/store/store_private.h"

/*
 * Theory of operation
 *
 * natd.lock keeps a second natd out; SQLite's own locks stay short, so that an
 * administrator may look into natd.db with sqlite3 while natd runs.
 *
 * A transaction's pages go to the write-ahead log in store_begin() already, where a full
 * disk is a refusal; store_commit() adds the one frame that makes them count, and waits
 * for the disk. When that fails nobody knows what the disk holds: store_reopen() looks,
 * and then moves the log's pages into natd.db, waiting for the disk once more: the
 * kernel reports an error of a write once only, so that a log that reads well need not be
 * there after the next power cut.
 */

/* effects after which the page cache is given back */
#define BULK 1000

#define INSERT                                                                           \
	"INSERT INTO mapping (id, name, protocol, external_address, external_port, "     \
	"internal_address, internal_port, origin, owner_uid, enabled, created, "         \
	"changed, changed_by, n_ports, lifetime, expires, suffix, lan, comment, "        \
	"remotes, upstream, checksum) VALUES "
#define ROW "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
/* as store_is_plain() has it */
#define PLAIN  "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 0, 0, '', '', '', ?, ?)"
#define PLAIN4 PLAIN ", " PLAIN ", " PLAIN ", " PLAIN

static const char *const sql[] = {
	[STORE_INSERT] = INSERT ROW,
	[STORE_INSERT_MANY] = INSERT PLAIN4 ", " PLAIN4 ", " PLAIN4 ", " PLAIN4,
	[STORE_UPDATE] =
		"UPDATE mapping SET name = ?2, protocol = ?3, external_address = ?4, "
		"external_port = ?5, internal_address = ?6, internal_port = ?7, "
		"origin = ?8, owner_uid = ?9, enabled = ?10, created = ?11, "
		"changed = ?12, changed_by = ?13, n_ports = ?14, lifetime = ?15, "
		"expires = ?16, suffix = ?17, lan = ?18, comment = ?19, remotes = ?20, "
		"upstream = ?21, checksum = ?22 WHERE id = ?1 AND checksum = ?23",
	[STORE_DELETE] = "DELETE FROM mapping WHERE id = ?1 AND checksum = ?2",
	[STORE_ENDING_INSERT] =
		"INSERT OR REPLACE INTO ending (protocol, external_address, "
		"external_port, last_port, checksum) VALUES (?1, ?2, ?3, ?4, ?5)",
	[STORE_ENDINGS_DELETE] = "DELETE FROM ending",
	[STORE_META_UPDATE] = "UPDATE meta SET sequence = ?1, next_id = ?2, rows = ?3, "
			      "digest = ?4, checksum = ?5 "
			      "WHERE one = 1 AND checksum = ?6",
	[STORE_CLOCK_PUT] =
		"INSERT OR REPLACE INTO clock (one, boot, offset, lease, wall, "
		"checksum) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
	/* a mapping's last connections may outlive it */
	[STORE_TRAFFIC_PUT] =
		"INSERT OR REPLACE INTO traffic (id, connections, bytes_in, bytes_out, "
		"packets_in, packets_out, checksum) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
		"WHERE EXISTS (SELECT 1 FROM mapping WHERE id = ?1)",
	[STORE_TRAFFIC_DELETE] = "DELETE FROM traffic WHERE id = ?1",
	[STORE_UPSTREAM_PUT] =
		"INSERT OR REPLACE INTO upstream (id, wan, router, speech, protocol, "
		"internal_address, internal_port, external_address, external_port, "
		"pinhole, nonce, expires, epoch, epoch_at, url, checksum) VALUES (?1, "
		"?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
	[STORE_UPSTREAM_DELETE] = "DELETE FROM upstream WHERE id = ?1",
};

DEFINE_CLEANUP(store_close, struct store *)

/* ------------------------------------------------------------ open and close */

void store_close_db(struct store *store)
{
	for (size_t i = 0; i < ARRAY_SIZE(store->statements); i++) {
		sqlite3_finalize(store->statements[i]);
		store->statements[i] = NULL;
	}
	sqlite3_close(store->db); /* undoes an open transaction */
	store->db = NULL;
	store->in_transaction = false;
}

static int prepare(struct store *store, struct store_fault *why)
{
	int r = SQLITE_OK;

	for (size_t i = 0; i < ARRAY_SIZE(sql) && r == SQLITE_OK; i++)
		r = sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->statements[i], NULL);
	if (r == SQLITE_OK)
		return 0;
	return store_say(store, store_errno(store->db, r), sqlite3_errmsg(store->db),
			 why);
}

int store_open_db(struct store *store, bool create, struct store_fault *why)
{
	int r;

	r = sqlite3_open_v2(store->path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_EXRESCODE,
			    NULL);
	if (r != SQLITE_OK)
		return store_say(store, store->db ? store_errno(store->db, r) : -ENOMEM,
				 "cannot be opened", why);
	r = store_schema(store, create, why);
	if (r == 0)
		r = prepare(store, why);
	if (r < 0)
		return r;
	r = store_meta_read(store, &store->meta);
	if (r < 0)
		return store_say(store, r, "its table meta", why);
	r = store_beside_read(store);
	if (r < 0)
		return store_say(store, r, "its table clock", why);
	return 0;
}

/* What is damaged is kept as it is, and a copy of it in case somebody tries to mend it.
 */
static int refuse_to_guess(struct store *store, int error, struct store_fault *why)
{
	char aside[STORE_ASIDE_STRLEN] = "";
	size_t said = strlen(why->text);
	int r;

	if (error != -EUCLEAN)
		return error;
	store_close_db(store);
	r = store_set_aside(store, aside);
	if (r < 0)
		snprintf(why->text + said, sizeof(why->text) - said,
			 " (it could not be copied aside: %s)", strerror(-r));
	else if (aside[0])
		snprintf(why->text + said, sizeof(why->text) - said,
			 " (a copy is %s beside it)", aside);
	return error;
}

int store_open(const char *dir, struct store **ret, struct store_fault *why)
{
	CLEANUP(store_close) struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store) {
		snprintf(why->text, sizeof(why->text), "not enough memory");
		return -ENOMEM;
	}
	store->lock_fd = -1;
	r = store_lock(store, dir, why);
	KILL_POINT(KILL_STORE_LOCKED);
	if (r == 0)
		r = store_make_first(store, why);
	if (r == 0)
		r = store_open_db(store, false, why);
	if (r < 0)
		return refuse_to_guess(store, r, why);
	KILL_POINT(KILL_STORE_OPENED);
	*ret = TAKE(store);
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_close_db(store);
	store_traffic_forget(store);
	store_upstream_forget(store);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store);
}

int store_load(struct store *store, struct table *table, struct store_fault *why)
{
	int r;

	r = store_load_all(store, table, why);
	if (r < 0)
		return refuse_to_guess(store, r, why);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	sqlite3_db_release_memory(store->db);
	return 0;
}

int store_checkpoint(struct store *store)
{
	int busy, frames;

	return store_errno(store->db, sqlite3_wal_checkpoint_v2(
					      store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
					      &busy, &frames));
}

int store_reopen(struct store *store)
{
	struct store_fault why;
	int r;

	store_close_db(store);
	store->endings_done = false;
	r = store_open_db(store, false, &why);
	if (r == 0)
		r = store_checkpoint(store);
	if (r < 0)
		store_close_db(store);
	return r;
}

uint64_t store_sequence(const struct store *store)
{
	return store->meta.sequence;
}

/* ------------------------------------------------------------ transactions */

/* Connections that no mapping leads where they go any more are ended after the commit:
 * by the next natd, where this one does not come to it. */
static bool leaves_connections(const struct effect *effect)
{
	const struct mapping *before = effect->before;

	if (effect->drain)
		return false;
	if (effect->kind == CHANGE_REMOVE)
		return true;
	return mapping_is_live(before) &&
	       (!mapping_is_live(effect->mapping) ||
		!address_equal(&before->host, &effect->mapping->host) ||
		before->internal.port != effect->mapping->internal.port);
}

static int write_removal(struct store *store, const struct effect *effect,
			 uint64_t checksum)
{
	const struct mapping *m = effect->mapping;
	int r;

	store->next.rows--;
	store->next.digest -= checksum;
	r = store_delete(store, m->id, checksum);
	if (r == 0 && store->has_traffic)
		r = store_traffic_delete(store, m->id);
	if (r == 0 && leaves_connections(effect))
		r = store_ending_insert(store, m);
	return r;
}

static int write_update(struct store *store, const struct effect *effect,
			uint64_t checksum)
{
	uint64_t before = store_checksum_mapping(effect->before);
	int r;

	store->next.digest += checksum - before;
	r = store_update(store, effect->mapping, checksum, before);
	if (r == 0 && leaves_connections(effect))
		r = store_ending_insert(store, effect->before);
	return r;
}

static int write_effect(struct store *store, const struct effect *effect)
{
	uint64_t checksum = store_checksum_mapping(effect->mapping);

	switch (effect->kind) {
	case CHANGE_ADD:
		store->next.rows++;
		store->next.digest += checksum;
		return store_insert(store, effect->mapping, checksum);
	case CHANGE_REMOVE:
		return write_removal(store, effect, checksum);
	case CHANGE_UPDATE:
		return write_update(store, effect, checksum);
	}
	return -EINVAL;
}

/* Are there so many plain additions from effect @i on that one statement takes them? */
static bool has_rows(const struct plan *plan, size_t i)
{
	if (plan_size(plan) - i < STORE_ROWS)
		return false;
	for (size_t end = i + STORE_ROWS; i < end; i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		if (effect->kind != CHANGE_ADD || !store_is_plain(effect->mapping))
			return false;
	}
	return true;
}

static int write_rows(struct store *store, const struct plan *plan, size_t first)
{
	const struct mapping *mappings[STORE_ROWS];
	uint64_t checksums[STORE_ROWS];

	for (size_t i = 0; i < STORE_ROWS; i++) {
		mappings[i] = plan_effect_at(plan, first + i)->mapping;
		checksums[i] = store_checksum_mapping(mappings[i]);
		store->next.digest += checksums[i];
	}
	store->next.rows += STORE_ROWS;
	return store_insert_many(store, mappings, checksums);
}

static int write_effects(struct store *store, const struct plan *plan)
{
	size_t i = 0;
	int r = 0;

	while (i < plan_size(plan) && r == 0) {
		if (has_rows(plan, i)) {
			r = write_rows(store, plan, i);
			i += STORE_ROWS;
		} else {
			r = write_effect(store, plan_effect_at(plan, i++));
		}
	}
	return r;
}

static int write_plan(struct store *store, const struct plan *plan)
{
	int r = 0;

	store->endings_gone = store->endings_done;
	if (store->endings_gone)
		r = store_endings_delete(store);
	if (r == 0)
		r = store_beside_write(store);
	if (r == 0)
		r = write_effects(store, plan);
	if (r == 0)
		r = store_meta_update(store, &store->meta, &store->next);
	if (r == 0)
		r = store_flush(store->db);
	return r;
}

/* A file that somebody moved or deleted takes changes, and they are lost. */
static bool has_moved(const struct store *store)
{
	int moved = 0;

	return sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved) ==
		       SQLITE_OK &&
	       moved;
}

/* Some errors have undone the transaction already. */
static int undo(struct store *store)
{
	return sqlite3_get_autocommit(store->db) ? 0 : store_exec(store->db, "ROLLBACK");
}

int store_open_transaction(struct store *store)
{
	int r;

	assert(!store->in_transaction);
	if (!store->db)
		return -EIO;
	if (has_moved(store))
		return -ENOENT;
	/* one that could not be undone, for want of memory */
	r = undo(store);
	if (r == 0)
		r = store_exec(store->db, "BEGIN IMMEDIATE");
	store->in_transaction = r == 0;
	return r;
}

int store_begin(struct store *store, const struct plan *plan, uint64_t next_id)
{
	int r;

	r = store_open_transaction(store);
	if (r < 0)
		return r;
	store->next = store->meta;
	store->next.sequence++;
	store->next.next_id = next_id;
	store->bulk = plan_size(plan) > BULK;
	r = write_plan(store, plan);
	if (r < 0)
		store_rollback(store);
	return r;
}

int store_commit(struct store *store)
{
	int r;

	assert(store->in_transaction);
	store->in_transaction = false;
	r = store_exec(store->db, "COMMIT");
	if (r < 0)
		return r;
	store->meta = store->next;
	store_beside_written(store);
	if (store->endings_gone)
		store->endings_done = false;
	if (store->bulk)
		sqlite3_db_release_memory(store->db);
	return 0;
}

void store_rollback(struct store *store)
{
	if (store->db)
		undo(store);
	store->in_transaction = false;
}

/* Whether a commit that failed happened does not matter: it is written again. */
int store_close_transaction(struct store *store)
{
	int r = store_beside_write(store);

	if (r == 0)
		r = store_flush(store->db);
	if (r == 0)
		r = store_exec(store->db, "COMMIT");
	if (r < 0)
		store_rollback(store);
	else
		store_beside_written(store);
	store->in_transaction = false;
	return r;
}

int store_save(struct store *store)
{
	int r = store_open_transaction(store);

	return r < 0 ? r : store_close_transaction(store);
}

void store_endings_done(struct store *store)
{
	store->endings_done = true;
}
