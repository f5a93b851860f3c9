/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/kill_point.h"
#include "natd/store_private.h"

/* how long another program's lock is waited for */
#define BUSY_TIMEOUT_MS 250

/*
 * The write-ahead log is copied into natd.db every 1000 pages, and cut back to
 * journal_size_limit by the transaction after that. The page cache is a limit, not a
 * reserve: large, so that 60,000 rows in one transaction meet no page twice; given back
 * afterwards. Temporary files never: a full /tmp is no reason to refuse.
 */
static const char settings[] = "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA wal_autocheckpoint = 1000;"
			       "PRAGMA journal_size_limit = 1048576;"
			       "PRAGMA cache_size = -16384;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;";

/*
 * Step i leads from format i to format i + 1. A step that was released is never altered;
 * what changes is a new step.
 *
 * application_id is "natd". External address '*4', '*6': any WAN address of that family.
 */
static const char *const steps[] = {
	"PRAGMA application_id = 0x6e617464;"
	"CREATE TABLE meta ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  sequence INTEGER NOT NULL,"
	"  next_id INTEGER NOT NULL,"
	"  rows INTEGER NOT NULL,"
	"  digest INTEGER NOT NULL,"
	"  checksum INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE mapping ("
	"  id INTEGER PRIMARY KEY CHECK (id > 0),"
	"  name TEXT NOT NULL,"
	"  protocol TEXT NOT NULL,"
	"  external_address TEXT NOT NULL,"
	"  external_port INTEGER NOT NULL,"
	"  internal_address TEXT NOT NULL,"
	"  internal_port INTEGER NOT NULL,"
	"  origin TEXT NOT NULL,"
	"  owner_uid INTEGER NOT NULL,"
	"  enabled INTEGER NOT NULL,"
	"  created INTEGER NOT NULL,"
	"  checksum INTEGER NOT NULL,"
	"  UNIQUE (protocol, external_address, external_port)"
	") STRICT;"
	"CREATE UNIQUE INDEX mapping_name ON mapping (name, protocol) WHERE name <> '';"
	"CREATE TABLE ending ("
	"  protocol TEXT NOT NULL,"
	"  external_address TEXT NOT NULL,"
	"  external_port INTEGER NOT NULL,"
	"  checksum INTEGER NOT NULL,"
	"  PRIMARY KEY (protocol, external_address, external_port)"
	") STRICT, WITHOUT ROWID;",
};
_Static_assert(ARRAY_SIZE(steps) == STORE_FORMAT, "a step for each format");

/* Return: 0 or -errno, with the first column of the first row in @ret. */
static int read_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement = NULL;
	int r;

	r = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : store_errno(db, r);
}

static int insert_meta(sqlite3 *db)
{
	static const struct store_meta first = { .next_id = 1 };
	char sql[160];

	snprintf(sql, sizeof(sql), "INSERT INTO meta VALUES (1, 0, 1, 0, 0, %" PRId64 ")",
		 (int64_t)store_checksum_meta(&first));
	return store_exec(db, sql);
}

/* All steps in one transaction: half a schema is never seen. */
static int migrate(sqlite3 *db, int64_t format)
{
	char sql[64];
	int r;

	r = store_exec(db, "BEGIN IMMEDIATE");
	for (int64_t i = format; i < STORE_FORMAT && r == 0; i++)
		r = store_exec(db, steps[i]);
	if (r == 0 && format == 0)
		r = insert_meta(db);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", STORE_FORMAT);
	if (r == 0)
		r = store_exec(db, sql);
	KILL_POINT(KILL_STORE_MIGRATED);
	if (r == 0)
		r = store_exec(db, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* @create: a file without anything in it is new, and not one that lost what it had. */
static int check_format(struct store *store, bool create, int64_t format,
			struct store_fault *why)
{
	int64_t objects = 0, application = 0;
	char what[96];
	int r;

	if (format > STORE_FORMAT) {
		snprintf(what, sizeof(what),
			 "format %" PRId64 ", this natd knows up to %d", format,
			 STORE_FORMAT);
		return store_say(store, -EPROTO, what, why);
	}
	r = read_number(store->db, "SELECT count(*) FROM sqlite_schema", &objects);
	if (r == 0)
		r = read_number(store->db, "PRAGMA application_id", &application);
	if (r < 0)
		return store_say(store, r, sqlite3_errmsg(store->db), why);
	if (format < 0 || (format == 0 && (objects > 0 || !create)) ||
	    (format > 0 && application != 0x6e617464))
		return store_say(store, -EUCLEAN, "it is not natd's", why);
	return 0;
}

int store_schema(struct store *store, bool create, struct store_fault *why)
{
	int64_t format = 0;
	int r;

	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* until all of it was read: closing writes nothing to what may be damaged */
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = read_number(store->db, "PRAGMA user_version", &format);
	if (r < 0)
		return store_say(store, r, sqlite3_errmsg(store->db), why);
	r = check_format(store, create, format, why);
	if (r < 0)
		return r;
	r = store_exec(store->db, settings);
	if (r == 0 && format < STORE_FORMAT)
		r = migrate(store->db, format);
	if (r < 0)
		return store_say(store, r, sqlite3_errmsg(store->db), why);
	return 0;
}
