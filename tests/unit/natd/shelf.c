/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shelf.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"

#define CAPACITY 65535

static const struct lan_prefix lans[] = {
	{ "lan0", { { { 0x20, 0x01, 0x0d, 0xb8, 0, 1 } } } },
	{ "lan1", { { { 0x20, 0x01, 0x0d, 0xb8, 0, 2 } } } },
};

struct conditions shelf_world = {
	.now = 1000,
	.lease_now = 5000000,
	.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP | PROTOCOL_BIT_SCTP |
		     PROTOCOL_BIT_UDPLITE,
	.lans = { lans, ARRAY_SIZE(lans) },
	.upstream = true,
};

void shelf_make(struct shelf *shelf)
{
	*shelf = (struct shelf){ .dir = "/tmp/natd-shelf-XXXXXX" };
	cr_assert_not_null(mkdtemp(shelf->dir), "%s", strerror(errno));
}

int shelf_try(struct shelf *shelf)
{
	struct store_fault why = { "" };
	size_t moved;
	int r;

	shelf->table = make_table(CAPACITY);
	r = store_open(shelf->dir, &shelf->store, &why);
	if (r == 0)
		r = store_load(shelf->store, shelf->table, &why);
	if (r == 0)
		table_settle_hosts(shelf->table, &shelf_world.lans, &moved);
	if (r < 0)
		fprintf(stderr, "%s\n", why.text);
	return r;
}

void shelf_open(struct shelf *shelf)
{
	cr_assert_eq(shelf_try(shelf), 0);
}

void shelf_close(struct shelf *shelf)
{
	store_close(shelf->store);
	table_free(shelf->table);
	shelf->store = NULL;
	shelf->table = NULL;
}

void shelf_done(struct shelf *shelf)
{
	DIR *dir = opendir(shelf->dir);
	struct dirent *entry;

	shelf_close(shelf);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			unlink(shelf_path(shelf, entry->d_name));
	}
	if (dir)
		closedir(dir);
	rmdir(shelf->dir);
}

void shelf_fresh(struct shelf *shelf)
{
	shelf_make(shelf);
	shelf_open(shelf);
}

const char *shelf_path(const struct shelf *shelf, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%.255s", shelf->dir, name);
	return path;
}

int shelf_begin_list(struct shelf *shelf, struct change_list *list, struct plan **ret)
{
	int r;

	r = table_stage(shelf->table, list, 1, &shelf_world, ret);
	change_list_done(list);
	if (r < 0)
		return r;
	if (plan_refused(*ret, 0))
		return -EINVAL;
	return store_begin(shelf->store, *ret, table_next_id(shelf->table));
}

int shelf_begin(struct shelf *shelf, const char *text, struct plan **ret)
{
	struct change_list list = make_list(text);

	return shelf_begin_list(shelf, &list, ret);
}

static int finish(struct shelf *shelf, int r, struct plan *plan)
{
	if (r == 0)
		r = store_commit(shelf->store);
	if (r == 0)
		table_commit(shelf->table, plan);
	plan_free(plan);
	return r;
}

int shelf_ask_list(struct shelf *shelf, struct change_list *list)
{
	struct plan *plan = NULL;
	int r = shelf_begin_list(shelf, list, &plan);

	return finish(shelf, r, plan);
}

int shelf_ask(struct shelf *shelf, const char *text)
{
	struct plan *plan = NULL;
	int r = shelf_begin(shelf, text, &plan);

	return finish(shelf, r, plan);
}

static bool same_mapping(const struct mapping *a, const struct mapping *b)
{
	return a->id == b->id && a->created == b->created && a->changed == b->changed &&
	       a->expires == b->expires && a->lifetime == b->lifetime &&
	       details_equal(a->details, b->details) &&
	       address_equal(&a->host, &b->host) &&
	       endpoint_equal(&a->external, &b->external) &&
	       endpoint_equal(&a->internal, &b->internal) &&
	       a->owner_uid == b->owner_uid && a->changed_by == b->changed_by &&
	       a->n_ports == b->n_ports && a->protocol == b->protocol &&
	       a->origin == b->origin && a->enabled == b->enabled &&
	       a->upstream == b->upstream && a->held == b->held &&
	       a->auto_port == b->auto_port && a->suffix == b->suffix &&
	       !strcmp(a->name, b->name);
}

bool shelf_same(const struct table *a, const struct table *b)
{
	const struct mapping *m, *n = NULL;

	table_for_each (a, m) {
		n = table_next(b, n);
		if (!n || !same_mapping(m, n))
			return false;
	}
	return table_size(a) == table_size(b) && table_next_id(a) == table_next_id(b);
}

bool shelf_agrees(struct shelf *shelf)
{
	uint64_t sequence = store_sequence(shelf->store);
	struct table *expected = shelf->table;
	bool same;

	store_close(shelf->store);
	shelf->store = NULL;
	same = shelf_try(shelf) == 0 && shelf_same(shelf->table, expected) &&
	       store_sequence(shelf->store) == sequence;
	table_free(expected);
	return same;
}

void shelf_expect(struct shelf *shelf)
{
	cr_expect(shelf_agrees(shelf), "store and table differ");
}

void shelf_sql(const struct shelf *shelf, const char *sql)
{
	char *error = NULL;
	sqlite3 *db = NULL;

	cr_assert_eq(sqlite3_open(shelf_path(shelf, "natd.db"), &db), SQLITE_OK);
	sqlite3_exec(db, sql, NULL, NULL, &error);
	cr_assert_null(error, "%s: %s", sql, error);
	sqlite3_close(db);
}
