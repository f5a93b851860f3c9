/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * store_beside - what the store keeps beside the mappings: the anchor of the lease clock,
 * and what mappings have carried
 *
 * Both are written with the next transaction, whosever it is, and have checksums of their
 * own: meta's digest is of mappings alone.
 */

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "natd/store/store_private.h"

static void bind_number(sqlite3_stmt *s, int column, uint64_t number)
{
	sqlite3_bind_int64(s, column, (sqlite3_int64)number);
}

static uint64_t column_number(sqlite3_stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(s, column);
}

/* ------------------------------------------------------------ the lease clock's anchor
 */

#define BOOT_STRLEN (2 * 16 + 1)

static const char *boot_text(const struct lease_anchor *anchor,
			     char buf[static BOOT_STRLEN])
{
	for (size_t i = 0; i < sizeof(anchor->boot); i++)
		sprintf(buf + 2 * i, "%02x", anchor->boot[i]);
	return buf;
}

static uint64_t checksum_anchor(const struct lease_anchor *anchor)
{
	uint64_t sum = STORE_SUM_START;

	sum = store_sum_bytes(sum, anchor->boot, sizeof(anchor->boot));
	sum = store_sum_number(sum, (uint64_t)anchor->offset);
	sum = store_sum_number(sum, anchor->lease);
	return store_sum_number(sum, anchor->wall);
}

static int put_anchor(struct store *store)
{
	const struct lease_anchor *anchor = &store->anchor;
	sqlite3_stmt *s = store->statements[STORE_CLOCK_PUT];
	char boot[BOOT_STRLEN];

	sqlite3_bind_text(s, 1, boot_text(anchor, boot), -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, anchor->offset);
	bind_number(s, 3, anchor->lease);
	bind_number(s, 4, anchor->wall);
	bind_number(s, 5, checksum_anchor(anchor));
	return store_run(store, s, 1);
}

static int parse_boot(const char *text, struct lease_anchor *ret)
{
	if (!text || text_hex(text, ret->boot, sizeof(ret->boot)) < 0)
		return -EUCLEAN;
	return 0;
}

static int column_anchor(sqlite3_stmt *s, struct lease_anchor *ret)
{
	struct lease_anchor anchor = { .offset = sqlite3_column_int64(s, 1) };

	anchor.lease = column_number(s, 2);
	anchor.wall = column_number(s, 3);
	if (parse_boot((const char *)sqlite3_column_text(s, 0), &anchor) < 0 ||
	    checksum_anchor(&anchor) != column_number(s, 4))
		return -EUCLEAN;
	*ret = anchor;
	return 0;
}

static int read_anchor(sqlite3 *db, struct lease_anchor *ret)
{
	sqlite3_stmt *s = NULL;
	int r, bad = 0;

	r = sqlite3_prepare_v2(db,
			       "SELECT boot, offset, lease, wall, checksum FROM clock",
			       -1, &s, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	if (r == SQLITE_ROW)
		bad = column_anchor(s, ret);
	sqlite3_finalize(s);
	return bad < 0 ? bad : store_errno(db, r);
}

int store_beside_read(struct store *store)
{
	struct lease_anchor anchor = { 0 };
	int64_t traffic = 0;
	int r;

	r = read_anchor(store->db, &anchor);
	if (r < 0)
		return r;
	/* one that waits is newer than what the file has */
	if (!store->anchor_new)
		store->anchor = anchor;
	r = store_number(store->db, "SELECT EXISTS (SELECT 1 FROM traffic)", &traffic);
	store->has_traffic = traffic != 0;
	return r;
}

void store_anchor(const struct store *store, struct lease_anchor *ret)
{
	*ret = store->anchor;
}

void store_set_anchor(struct store *store, const struct lease_anchor *anchor)
{
	store->anchor = *anchor;
	store->anchor_new = true;
}

/* ------------------------------------------------------------ traffic */

struct figures {
	uint64_t id;
	struct store_traffic traffic;
};

static uint64_t checksum_figures(const struct figures *f)
{
	uint64_t sum = store_sum_number(STORE_SUM_START, f->id);

	sum = store_sum_number(sum, f->traffic.connections);
	sum = store_sum_number(sum, f->traffic.bytes_in);
	sum = store_sum_number(sum, f->traffic.bytes_out);
	sum = store_sum_number(sum, f->traffic.packets_in);
	return store_sum_number(sum, f->traffic.packets_out);
}

static int compare(const void *left, const void *right)
{
	const struct figures *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

int store_put_traffic(struct store *store, uint64_t id,
		      const struct store_traffic *traffic)
{
	struct figures wanted = { .id = id, .traffic = *traffic };
	struct figures **found = tfind(&wanted, &store->traffic, compare), *kept;

	if (found) {
		(*found)->traffic = *traffic;
		return 0;
	}
	kept = malloc(sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	*kept = wanted;
	if (!tsearch(kept, &store->traffic, compare)) {
		free(kept);
		return -ENOMEM;
	}
	return 0;
}

struct putting {
	struct store *store;
	int error;
};

static void put(const void *node, VISIT visit, void *userdata)
{
	struct putting *putting = userdata;
	struct store *store = putting->store;
	sqlite3_stmt *s = store->statements[STORE_TRAFFIC_PUT];
	const struct figures *f = *(const struct figures *const *)node;

	/* once for each node, in order of id */
	if ((visit != postorder && visit != leaf) || putting->error < 0)
		return;
	bind_number(s, 1, f->id);
	bind_number(s, 2, f->traffic.connections);
	bind_number(s, 3, f->traffic.bytes_in);
	bind_number(s, 4, f->traffic.bytes_out);
	bind_number(s, 5, f->traffic.packets_in);
	bind_number(s, 6, f->traffic.packets_out);
	bind_number(s, 7, checksum_figures(f));
	putting->error = store_run(store, s, 0);
}

static int put_traffic(struct store *store)
{
	struct putting putting = { .store = store };

	if (store->traffic)
		store->has_traffic = true;
	twalk_r(store->traffic, put, &putting);
	return putting.error;
}

void store_traffic_forget(struct store *store)
{
	tdestroy(store->traffic, free);
	store->traffic = NULL;
}

int store_traffic_delete(struct store *store, uint64_t id)
{
	sqlite3_stmt *s = store->statements[STORE_TRAFFIC_DELETE];

	bind_number(s, 1, id);
	return store_run(store, s, 0);
}

static int tell(sqlite3_stmt *s, store_on_traffic on_traffic, void *userdata)
{
	const struct figures f = {
		.id = column_number(s, 0),
		.traffic = {
			.connections = column_number(s, 1),
			.bytes_in = column_number(s, 2),
			.bytes_out = column_number(s, 3),
			.packets_in = column_number(s, 4),
			.packets_out = column_number(s, 5),
		},
	};

	if (checksum_figures(&f) != column_number(s, 6))
		return -EUCLEAN;
	on_traffic(userdata, f.id, &f.traffic);
	return 0;
}

int store_traffic(struct store *store, store_on_traffic on_traffic, void *userdata)
{
	sqlite3_stmt *s = NULL;
	int r, bad = 0;

	r = sqlite3_prepare_v2(store->db,
			       "SELECT id, connections, bytes_in, bytes_out, packets_in, "
			       "packets_out, checksum FROM traffic ORDER BY id",
			       -1, &s, NULL);
	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(s);
		if (r == SQLITE_ROW && tell(s, on_traffic, userdata) < 0)
			bad = -EUCLEAN;
		if (r != SQLITE_ROW)
			break;
	}
	sqlite3_finalize(s);
	r = store_errno(store->db, r);
	return r < 0 ? r : bad;
}

/* ------------------------------------------------------------ both */

int store_beside_write(struct store *store)
{
	int r = 0;

	if (store->anchor_new)
		r = put_anchor(store);
	if (r == 0)
		r = put_traffic(store);
	return r;
}

void store_beside_written(struct store *store)
{
	store->anchor_new = false;
	store_traffic_forget(store);
}
