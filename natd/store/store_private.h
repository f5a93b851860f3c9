/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * store_private - what the files of store share
 */

#include <sqlite3.h>

#include "natd/store/store.h"

#define STORE_FORMAT 3

enum store_statement {
	STORE_INSERT,
	STORE_INSERT_MANY,
	STORE_UPDATE,
	STORE_DELETE,
	STORE_ENDING_INSERT,
	STORE_ENDINGS_DELETE,
	STORE_META_UPDATE,
	STORE_CLOCK_PUT,
	STORE_TRAFFIC_PUT,
	STORE_TRAFFIC_DELETE,
	STORE_UPSTREAM_PUT,
	STORE_UPSTREAM_DELETE,
};
#define STORE_STATEMENTS (STORE_UPSTREAM_DELETE + 1)

/* STORE_INSERT_MANY inserts so many plain ones: to start and end a statement costs as
 * much as half a row */
#define STORE_ROWS 16

/**
 * struct store_meta - the one row of table meta
 * @sequence: number of transactions so far
 * @next_id:  of the next mapping
 * @rows:     in table mapping
 * @digest:   sum of their checksums: tells rows that were lost or came back
 */
struct store_meta {
	uint64_t sequence;
	uint64_t next_id;
	uint64_t rows;
	uint64_t digest;
};

/**
 * struct store
 * @meta: as committed
 * @next: as it will be when the open transaction is committed
 * @bulk: the open transaction wrote much
 * @endings_done: all rows of ending can go
 * @endings_gone: they do with the open transaction
 * @anchor: of the lease clock; @anchor_new: it is not in the file yet
 * @traffic: figures that are not in the file yet, a tree of tsearch(3)
 * @has_traffic: table traffic may have rows
 * @upstream: that were salvaged, and are in no file yet
 */
struct store {
	char path[4096]; /* DIR/natd.db */
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENTS];
	struct store_meta meta, next;
	bool in_transaction, bulk, endings_done, endings_gone;
	struct lease_anchor anchor;
	bool anchor_new;
	void *traffic;
	bool has_traffic;
	struct upstream_row *upstream;
	size_t n_upstream;
	size_t n_damaged; /* rows of it, when they were read last */
};

/** store_errno() - SQLite's @result, the last one of @db, as 0 or -errno */
int store_errno(sqlite3 *db, int result);
int store_exec(sqlite3 *db, const char *sql);
/** store_number() - the first column of the first row. Return: 0 or -errno */
int store_number(sqlite3 *db, const char *sql, int64_t *ret);
/** store_flush() - the open transaction's pages go to the log now. Return: 0 or -errno */
int store_flush(sqlite3 *db);

/** store_say() - the sentence for @error, what to do included; returns @error */
int store_say(const struct store *store, int error, const char *what,
	      struct store_fault *why);

/** store_lock() - keep other natds out of @dir, and finish a store_replace() that was
 * cut off. Return: 0, or as store_open() */
int store_lock(struct store *store, const char *dir, struct store_fault *why);

/** store_open_or_create() - Return: a descriptor, or -errno. A symbolic link is not
 * followed: root may write to these files in a directory that is not root's */
int store_open_or_create(int dir_fd, const char *name, bool *ret_made);

/** store_settle() - finish a store_replace() that was cut off. Return: as store_open() */
int store_settle(struct store *store, struct store_fault *why);

/** store_make_first() - a natd.db without mappings where there is none. Return: 0, or as
 * store_open() */
int store_make_first(struct store *store, struct store_fault *why);

/**
 * store_set_aside() - copy natd.db and its log, which is open in nobody, beside it
 * @ret: the copy's name; "" when there is nothing to copy
 *
 * The copy is named by the time of the last change, so that a start that fails again and
 * again makes one. Return: 0 or -errno.
 */
int store_set_aside(const struct store *store, char ret[static STORE_ASIDE_STRLEN]);

/** store_open_db() - the file at store->path; @create: an empty one gets a schema
 * Return: 0, or as store_open() */
int store_open_db(struct store *store, bool create, struct store_fault *why);
void store_close_db(struct store *store);
/** store_checkpoint() - move the log's pages into natd.db. Return: 0 or -errno */
int store_checkpoint(struct store *store);

/** store_schema() - settings, and the schema brought up to date; @create: an empty file
 * gets one. Return: 0, or as store_open() */
int store_schema(struct store *store, bool create, struct store_fault *why);

/** store_open_transaction() - Return: as store_begin() */
int store_open_transaction(struct store *store);
/** store_close_transaction() - of one that changes no mapping: what else waits is written
 * with it, and it is committed or undone. Return: as store_begin() */
int store_close_transaction(struct store *store);

uint64_t store_checksum_meta(const struct store_meta *meta);
uint64_t store_checksum_mapping(const struct mapping *m);
/** store_is_plain() - has it nothing but what most have, but for store_upstream_words()?
 */
bool store_is_plain(const struct mapping *m);
/** store_upstream_words() - the wish where it is not the policy's, "held", "auto-port",
 * in this order, with blanks between; borrowed for ever */
const char *store_upstream_words(const struct mapping *m);
/** store_upstream_words_parse() - into @m; what is not written so is -EINVAL */
int store_upstream_words_parse(const char *words, struct mapping *m);
uint64_t store_checksum_ending(uint8_t protocol, const struct endpoint *external,
			       uint16_t last_port);

/** store_select() - all rows of table mapping, as a store of @format has it; @order:
 * " ORDER BY id" or so. Return: SQLite's word */
int store_select(sqlite3 *db, int64_t format, const char *order, sqlite3_stmt **ret);
/** store_read_mapping() - a row of it. Return: 0, and a reference to the details is the
 * caller's; -EINVAL when a value or the checksum is wrong; -ENOMEM */
int store_read_mapping(sqlite3_stmt *s, struct mapping *ret);
int store_load_all(struct store *store, struct table *table, struct store_fault *why);
/** store_verify() - do the rows of a store of @format fit their checksums, and meta?
 * Return: 0, or as store_load() */
int store_verify(struct store *store, int64_t format, struct store_fault *why);

/* Bind, run and reset a statement. Return: 0 or -errno; -EUCLEAN when it did not meet
 * exactly the row it speaks of. */
int store_insert(struct store *store, const struct mapping *m, uint64_t checksum);
/* STORE_ROWS of them, plain */
int store_insert_many(struct store *store, const struct mapping *const *mappings,
		      const uint64_t *checksums);
int store_update(struct store *store, const struct mapping *m, uint64_t checksum,
		 uint64_t checksum_before);
int store_delete(struct store *store, uint64_t id, uint64_t checksum);
int store_ending_insert(struct store *store, const struct mapping *m);
int store_endings_delete(struct store *store);
int store_meta_update(struct store *store, const struct store_meta *from,
		      const struct store_meta *to);
/** store_meta_read() - Return: 0; -EUCLEAN; -EIO.. */
int store_meta_read(struct store *store, struct store_meta *ret);

/* what a store of format 1 has no rows of */

/** store_beside_read() - the anchor, and is there traffic? Return: 0; -EUCLEAN; -EIO.. */
int store_beside_read(struct store *store);
/** store_beside_write() - anchor and traffic, into the open transaction */
int store_beside_write(struct store *store);
/** store_beside_written() - it was committed */
void store_beside_written(struct store *store);
/** store_traffic_delete() - what mapping @id carried */
int store_traffic_delete(struct store *store, uint64_t id);
/** store_traffic_forget() - what is not in the file */
void store_traffic_forget(struct store *store);
/** store_upstream_salvage() - @store keeps what can be read of @copy's rows.
 * Return: 0, however little that is; -ENOMEM */
int store_upstream_salvage(struct store *copy, struct store *store);
/** store_upstream_write() - what was salvaged, into the open transaction */
int store_upstream_write(struct store *store);
void store_upstream_forget(struct store *store);
/** store_run() - step and reset; @rows: how many it must have met; 0 = any */
int store_run(struct store *store, sqlite3_stmt *statement, int rows);

/* FNV-1a, 64 bits: a changed byte always shows; it is against rot, not against people */
#define STORE_SUM_START UINT64_C(0xcbf29ce484222325)
uint64_t store_sum_bytes(uint64_t sum, const void *bytes, size_t len);
uint64_t store_sum_number(uint64_t sum, uint64_t number);
