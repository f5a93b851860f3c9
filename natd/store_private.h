/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * store_private - what the files of store share
 */

#include <sqlite3.h>

#include "natd/store.h"

#define STORE_FORMAT 1

enum store_statement {
	STORE_INSERT,
	STORE_INSERT_MANY,
	STORE_DELETE,
	STORE_ENDING_INSERT,
	STORE_ENDINGS_DELETE,
	STORE_META_UPDATE,
};
#define STORE_STATEMENTS (STORE_META_UPDATE + 1)

/* STORE_INSERT_MANY inserts so many: to start and end a statement costs as much as half
 * a row */
#define STORE_ROWS 16
/* values of each */
#define STORE_COLUMNS 12

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
 */
struct store {
	char path[4096]; /* DIR/natd.db */
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENTS];
	struct store_meta meta, next;
	bool in_transaction, bulk, endings_done, endings_gone;
};

/** store_errno() - SQLite's @result, the last one of @db, as 0 or -errno */
int store_errno(sqlite3 *db, int result);
int store_exec(sqlite3 *db, const char *sql);
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

uint64_t store_checksum_meta(const struct store_meta *meta);
uint64_t store_checksum_mapping(const struct mapping *m);

#define STORE_SELECT_MAPPINGS                                                            \
	"SELECT id, name, protocol, external_address, external_port, internal_address, " \
	"internal_port, origin, owner_uid, enabled, created, checksum FROM mapping"
/** store_read_mapping() - a row of it. Return: 0; -EINVAL when a value or the checksum is
 * wrong */
int store_read_mapping(sqlite3_stmt *s, struct mapping *ret);
int store_load_all(struct store *store, struct table *table, struct store_fault *why);

/* Bind, run and reset a statement. Return: 0 or -errno; -EUCLEAN when it did not meet
 * exactly the row it speaks of. */
int store_insert(struct store *store, const struct mapping *m, uint64_t checksum);
/* STORE_ROWS of them */
int store_insert_many(struct store *store, const struct mapping *const *mappings,
		      const uint64_t *checksums);
int store_delete(struct store *store, uint64_t id, uint64_t checksum);
int store_ending_insert(struct store *store, const struct mapping *m);
int store_endings_delete(struct store *store);
int store_meta_update(struct store *store, const struct store_meta *from,
		      const struct store_meta *to);
/** store_meta_read() - Return: 0; -EUCLEAN; -EIO.. */
int store_meta_read(struct store *store, struct store_meta *ret);
