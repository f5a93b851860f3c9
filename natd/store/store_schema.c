/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/kill_point.h"
#include "natd/store/store_private.h"

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
 *
 * Format 2: external address 'host': the internal host's own, of a pinhole (that of a
 * host suffix is not kept: its LAN's prefix may be another tomorrow). Remotes: prefixes
 * with blanks between. Checksums are as they were for whatever format 1 could hold, so
 * that rows move with theirs. The unique indexes say a part of what the table calls a
 * conflict.
 *
 * Format 3: of a mapping, what concerns the router above us: store_upstream_words().
 * Checksums are those of format 2 for whatever that could hold. Table upstream: what such
 * routers were asked for; nonce: 24 hexadecimal digits; epoch: the router's when it
 * granted that, as told at epoch_at; 0 and 0: it has not.
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

	"ALTER TABLE mapping RENAME TO mapping_1;"
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
	"  changed INTEGER NOT NULL,"
	"  changed_by INTEGER NOT NULL,"
	"  n_ports INTEGER NOT NULL,"
	"  lifetime INTEGER NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  suffix INTEGER NOT NULL,"
	"  lan TEXT NOT NULL,"
	"  comment TEXT NOT NULL,"
	"  remotes TEXT NOT NULL,"
	"  checksum INTEGER NOT NULL"
	") STRICT;"
	"INSERT INTO mapping SELECT id, name, protocol,"
	"  iif(external_address = internal_address AND external_port = internal_port,"
	"    'host', external_address), external_port,"
	"  internal_address, internal_port, origin, owner_uid, enabled, created, created,"
	"  owner_uid, 1, 0, 0, 0, '', '', '', checksum FROM mapping_1;"
	"DROP TABLE mapping_1;"
	"CREATE UNIQUE INDEX mapping_name ON mapping (name, protocol) WHERE name <> '';"
	"CREATE UNIQUE INDEX mapping_external ON mapping (external_port, protocol,"
	"  external_address, internal_port, n_ports, remotes)"
	"  WHERE external_address <> 'host';"
	"CREATE UNIQUE INDEX mapping_host ON mapping (external_port, internal_address,"
	"  protocol, n_ports, remotes, lan) WHERE external_address = 'host';"
	"ALTER TABLE ending RENAME TO ending_1;"
	"CREATE TABLE ending ("
	"  protocol TEXT NOT NULL,"
	"  external_address TEXT NOT NULL,"
	"  external_port INTEGER NOT NULL,"
	"  last_port INTEGER NOT NULL,"
	"  checksum INTEGER NOT NULL,"
	"  PRIMARY KEY (protocol, external_address, external_port, last_port)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO ending SELECT protocol, external_address, external_port,"
	"  external_port, checksum FROM ending_1;"
	"DROP TABLE ending_1;"
	"CREATE TABLE clock ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  boot TEXT NOT NULL,"
	"  offset INTEGER NOT NULL,"
	"  lease INTEGER NOT NULL,"
	"  wall INTEGER NOT NULL,"
	"  checksum INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE traffic ("
	"  id INTEGER PRIMARY KEY,"
	"  connections INTEGER NOT NULL,"
	"  bytes_in INTEGER NOT NULL,"
	"  bytes_out INTEGER NOT NULL,"
	"  packets_in INTEGER NOT NULL,"
	"  packets_out INTEGER NOT NULL,"
	"  checksum INTEGER NOT NULL"
	") STRICT;",

	"ALTER TABLE mapping ADD COLUMN upstream TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE upstream ("
	"  id INTEGER PRIMARY KEY CHECK (id > 0),"
	"  wan TEXT NOT NULL,"
	"  router TEXT NOT NULL,"
	"  speech TEXT NOT NULL,"
	"  protocol TEXT NOT NULL,"
	"  internal_address TEXT NOT NULL,"
	"  internal_port INTEGER NOT NULL,"
	"  external_address TEXT NOT NULL,"
	"  external_port INTEGER NOT NULL,"
	"  pinhole INTEGER NOT NULL,"
	"  nonce TEXT NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  epoch INTEGER NOT NULL,"
	"  epoch_at INTEGER NOT NULL,"
	"  url TEXT NOT NULL,"
	"  checksum INTEGER NOT NULL"
	") STRICT;",
};
_Static_assert(ARRAY_SIZE(steps) == STORE_FORMAT, "a step for each format");

static int insert_meta(sqlite3 *db)
{
	static const struct store_meta first = { .next_id = 1 };
	char sql[160];

	snprintf(sql, sizeof(sql), "INSERT INTO meta VALUES (1, 0, 1, 0, 0, %" PRId64 ")",
		 (int64_t)store_checksum_meta(&first));
	return store_exec(db, sql);
}

/*
 * All steps in one transaction: half a schema is never seen. What is damaged stays of its
 * format. Return: 0 or -errno, with @why.
 */
static int migrate(struct store *store, int64_t format, struct store_fault *why)
{
	sqlite3 *db = store->db;
	bool said = false;
	char sql[64];
	int r;

	r = store_exec(db, "BEGIN IMMEDIATE");
	if (r == 0 && format > 0) {
		r = store_verify(store, format, why);
		said = r < 0;
	}
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
	if (r < 0 && !said)
		store_say(store, r, sqlite3_errmsg(db), why);
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
	r = store_number(store->db, "SELECT count(*) FROM sqlite_schema", &objects);
	if (r == 0)
		r = store_number(store->db, "PRAGMA application_id", &application);
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
	r = store_number(store->db, "PRAGMA user_version", &format);
	if (r < 0)
		return store_say(store, r, sqlite3_errmsg(store->db), why);
	r = check_format(store, create, format, why);
	if (r < 0)
		return r;
	r = store_exec(store->db, settings);
	if (r < 0)
		return store_say(store, r, sqlite3_errmsg(store->db), why);
	return format < STORE_FORMAT ? migrate(store, format, why) : 0;
}
