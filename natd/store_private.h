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
	STORE_DELETE,
	STORE_ENDING_INSERT,
	STORE_ENDINGS_DELETE,
	STORE_META_UPDATE,
};
#define STORE_STATEMENTS (STORE_META_UPDATE + 1)

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

/** store_lock() - keep other natds out of @dir; makes an empty natd.db where there is
 * none Return: 0, or as store_open() */
int store_lock(struct store *store, const char *dir, struct store_fault *why);

/** store_schema() - settings, and the schema brought up to date; @create: an empty file
 * gets one. Return: 0, or as store_open() */
int store_schema(struct store *store, bool create, struct store_fault *why);

uint64_t store_checksum_meta(const struct store_meta *meta);
uint64_t store_checksum_mapping(const struct mapping *m);

/* Bind, run and reset a statement. Return: 0 or -errno; -EUCLEAN when it did not meet
 * exactly the row it speaks of. */
int store_insert(struct store *store, const struct mapping *m, uint64_t checksum);
int store_delete(struct store *store, uint64_t id, uint64_t checksum);
int store_ending_insert(struct store *store, const struct mapping *m);
int store_endings_delete(struct store *store);
int store_meta_update(struct store *store, const struct store_meta *from,
		      const struct store_meta *to);
/** store_meta_read() - Return: 0; -EUCLEAN; -EIO.. */
int store_meta_read(struct store *store, struct store_meta *ret);
