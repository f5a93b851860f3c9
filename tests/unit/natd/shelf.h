/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * shelf - a store in a directory of its own, with the table it belongs to
 *
 * In a child process only shelf_try(), _begin(), _ask(), _agrees(), _close() may be used:
 * an assertion of Criterion that fails there leaves its runner waiting for ever.
 */

#include "../core/make.h"
#include "core/conditions.h"
#include "natd/store/store.h"

/**
 * struct shelf
 * @dir:   absolute; removed by shelf_done()
 * @store, @table: open and alike after shelf_open()
 */
struct shelf {
	char dir[64];
	struct store *store;
	struct table *table;
};

/* how the world is for what the shelf asks of its table; its LANs are lan0 and lan1 */
extern struct conditions shelf_world;

/** shelf_make() - an empty directory, nothing open */
void shelf_make(struct shelf *shelf);
/** shelf_try() - store and table, from what the directory holds. Return: what the store
 * says */
int shelf_try(struct shelf *shelf);
/** shelf_open() - the same; fails the test when it is refused */
void shelf_open(struct shelf *shelf);
/** shelf_close() - lets go of store and table */
void shelf_close(struct shelf *shelf);
/** shelf_done() - closed and gone */
void shelf_done(struct shelf *shelf);
/** shelf_fresh() - make and open */
void shelf_fresh(struct shelf *shelf);

/** shelf_path() - of a file in the directory; good until the next call */
const char *shelf_path(const struct shelf *shelf, const char *name);

/** shelf_begin() - @text as make_list() reads it, staged and begun. Return: what
 * store_begin() says, with the plan in @ret */
int shelf_begin(struct shelf *shelf, const char *text, struct plan **ret);
/** the same of a list, which is empty afterwards */
int shelf_begin_list(struct shelf *shelf, struct change_list *list, struct plan **ret);
/** shelf_ask() - all the way into store and table. Return: what the store says; then
 * nothing is open, and the table is as before */
int shelf_ask(struct shelf *shelf, const char *text);
int shelf_ask_list(struct shelf *shelf, struct change_list *list);

/** shelf_same() - do both tables hold the same mappings, in every field? */
bool shelf_same(const struct table *a, const struct table *b);
/** shelf_agrees() - does the directory, opened once more, hold what @table does, and the
 * sequence number? */
bool shelf_agrees(struct shelf *shelf);
void shelf_expect(struct shelf *shelf);

/** shelf_sql() - run @sql on natd.db by a connection of its own, as anybody could */
void shelf_sql(const struct shelf *shelf, const char *sql);
