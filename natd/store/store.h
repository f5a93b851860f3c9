/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * store - the mappings on disk: natd.db, SQLite (WAL, synchronous = FULL)
 *
 * The truth. Holds the mappings, the sequence number (one more with every transaction),
 * the next id, and the external endpoints of removed mappings whose connections may not
 * have been ended yet. Every row carries a checksum: SQLite does not notice rot.
 */

#include "core/table.h"
#include "core/upstream/upstream.h"
#include "natd/common/lease_clock.h"

struct store;

struct store_fault {
	char text[640]; /* a sentence: file, what happened, what to do */
};

/**
 * store_open() - open or create DIR/natd.db, bring its schema up to date
 *
 * A file that is damaged stays as it is, and is copied to natd.db.damaged-DATE beside it.
 *
 * Return: 0; -EUCLEAN when it is damaged, or emptied; -EPROTO when a newer natd wrote it;
 * -EBUSY when another natd has it open; -ENOENT when @dir is not there; -EACCES, -EROFS,
 * -ENOSPC, -EIO, -ENOMEM. @why is written on failure.
 */
int store_open(const char *dir, struct store **ret, struct store_fault *why);
void store_close(struct store *store); /* NULL is fine; an open transaction is undone */

/**
 * store_load() - fill an empty table, next id included
 * Return: 0; -EUCLEAN when a row's checksum or value is wrong or two rows quarrel (@why
 * says which); -ENOSPC when the table is too small; -EIO, -ENOMEM.
 */
int store_load(struct store *store, struct table *table, struct store_fault *why);

/** the sequence number as last read or committed */
uint64_t store_sequence(const struct store *store);

/**
 * store_begin() - open a transaction and write what the plan's effects say, the next
 * id and the sequence number store_sequence() + 1
 *
 * Return: 0; -ENOSPC, -EROFS, -EIO, -EUCLEAN (a constraint that cannot fail failed),
 * -EBUSY (locked by another program), -ENOMEM, -ENOENT (natd.db was moved or deleted
 * meanwhile); then no transaction is open. -EIO also after store_reopen() failed.
 */
int store_begin(struct store *store, const struct plan *plan, uint64_t next_id);
/** store_commit() - Return: 0; a negative errno: neither yes nor no, see store_reopen()
 */
int store_commit(struct store *store);
void store_rollback(struct store *store);

/**
 * store_reopen() - after a commit that failed: close, open again, read the sequence
 * number from the disk; store_sequence() then tells whether the commit happened.
 *
 * Return: 0, or as store_open(): the outcome stays unknown, and this can be called again.
 * A natd.db that is gone is -ENOENT, one that was emptied -EUCLEAN; none is made anew.
 */
int store_reopen(struct store *store);

/** store_anchor() - of the lease clock, as last written; all zero: none yet */
void store_anchor(const struct store *store, struct lease_anchor *ret);
/** store_set_anchor() - to be written with the next store_begin() */
void store_set_anchor(struct store *store, const struct lease_anchor *anchor);
/** store_save() - write the anchor and store_traffic() figures in a transaction of their
 * own, sequence number unchanged: when natd stops, and every few minutes. Nothing is lost
 * but these when it fails.
 * Return: as store_begin(). No transaction may be open. */
int store_save(struct store *store);

/**
 * struct store_traffic - what a mapping has carried in connections that are over
 */
struct store_traffic {
	uint64_t connections;
	uint64_t bytes_in, bytes_out; /* from the remote, to it */
	uint64_t packets_in, packets_out;
};
/** store_traffic() - read all figures when natd starts. Return: 0, -EUCLEAN (some are
 * damaged: those are skipped), -EIO.. */
typedef void (*store_on_traffic)(void *userdata, uint64_t id,
				 const struct store_traffic *traffic);
int store_traffic(struct store *store, store_on_traffic on_traffic, void *userdata);
/** store_put_traffic() - to be written by the next store_save() or store_begin(); rows of
 * mappings that are removed go with them. Return: 0 or -ENOMEM */
int store_put_traffic(struct store *store, uint64_t id,
		      const struct store_traffic *traffic);

/** store_upstream() - rows of what routers above us were asked for, in order of id.
 * Return: 0; -EUCLEAN (some are damaged or flawed: those are skipped); -EIO.. */
typedef void (*store_on_upstream)(void *userdata, const struct upstream_row *row);
int store_upstream(struct store *store, store_on_upstream on_row, void *userdata);
/** store_upstream_damaged() - how many the last store_upstream() skipped */
size_t store_upstream_damaged(const struct store *store);
/** struct store_upstream_change - @gone: of @row only the id counts */
struct store_upstream_change {
	struct upstream_row row;
	bool gone;
};
/** store_put_upstream() - write all of it in a transaction of its own, on disk when this
 * returns; sequence number unchanged, as with store_save().
 * Return: as store_begin(). No transaction may be open (-EBUSY where one is). */
int store_put_upstream(struct store *store, const struct store_upstream_change *changes,
		       size_t n);

/** store_ending - a removed mapping's external endpoint, and its last port */
typedef void (*store_ending)(void *userdata, uint8_t protocol,
			     const struct endpoint *external, uint16_t last_port);
/** store_endings() - those whose connections may not have been ended. Return: 0, -EIO..
 */
int store_endings(struct store *store, store_ending on_ending, void *userdata);
/** store_endings_done() - all present ones were; the next store_begin() deletes them */
void store_endings_done(struct store *store);

/* ------------------------------------------------------------ natd --recover */

/* room for "natd.db.damaged-20260704T120000Z" */
#define STORE_ASIDE_STRLEN 64

/**
 * struct store_remains - what can be said of a damaged store
 * @aside:    name of its copy; "" when there was no file
 * @sequence: 0 when that cannot be read
 * @next_id:  1 when that cannot be read
 * @rows:     mappings it should hold; -1 when that cannot be read
 */
struct store_remains {
	char aside[STORE_ASIDE_STRLEN];
	uint64_t sequence;
	uint64_t next_id;
	int64_t rows;
};

/** store_row - a mapping that fits its checksum */
typedef void (*store_row)(void *userdata, const struct mapping *m);

/**
 * store_salvage() - keep other natds out, copy the files aside, read from the copy what
 * can be read; a store without fault is read as well
 * @ret_store: for store_replace() and store_close() alone
 *
 * Return: 0, however little can be read; -EBUSY and the like as store_open(), -ENOSPC
 * when there is no room for the copy.
 */
int store_salvage(const char *dir, store_row on_row, void *userdata,
		  struct store_remains *ret, struct store **ret_store,
		  struct store_fault *why);

/**
 * store_replace() - a store with these mappings and that sequence number in the place of
 * the present one
 *
 * Return: 0; -ENOSPC, -EROFS, -EACCES, -EIO, -ENOMEM; then the present one is still
 * there, or the new one already.
 */
int store_replace(struct store *store, const struct table *table, uint64_t sequence,
		  struct store_fault *why);
