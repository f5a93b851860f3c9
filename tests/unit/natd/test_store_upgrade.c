/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../fake/fault_vfs.h"
#include "shelf.h"

/* private: the format that is the present one */
#include "natd/store/store_private.h"

/*
 * Stores that a release of each format wrote, kept in tests/cases/store: vN.db, and
 * vN.txt with what must be read from it. Neither is ever altered; what follows is a new
 * one.
 */

static struct shelf shelf;
static char said[8192];

static void made(void)
{
	shelf_make(&shelf);
	said[0] = '\0';
}

static void done(void)
{
	fault_vfs_arm(0, false, false);
	shelf_done(&shelf);
}

TestSuite(store_upgrade, .init = made, .fini = done, .timeout = 60);

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	size_t used = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + used, sizeof(said) - used, format, args);
	va_end(args);
}

static const char *external_text(const struct in6_addr *addr, char *buf)
{
	if (address_is_any(addr))
		return address_is_ipv4(addr) ? "*4" : "*6";
	return address_format(addr, buf);
}

/* What format 1 did not have, where there is any of it. */
static void say_more(const struct mapping *m)
{
	char remote[PREFIX_STRLEN];
	size_t n;
	const struct prefix *remotes = mapping_remotes(m, &n);

	if (m->changed != m->created || m->changed_by != m->owner_uid)
		say("  changed %" PRIu64 " by %u\n", m->changed, m->changed_by);
	if (m->n_ports != 1)
		say("  %u ports\n", m->n_ports);
	if (m->lifetime || m->expires)
		say("  lease %u until %" PRIu64 "\n", m->lifetime, m->expires);
	if (m->suffix)
		say("  suffix in \"%s\"\n", mapping_lan(m));
	if (m->upstream != UPSTREAM_DEFAULT)
		say("  upstream %s%s\n",
		    upstream_wish_name((enum upstream_wish)m->upstream),
		    m->held ? ", held" : "");
	if (m->auto_port)
		say("  port chosen\n");
	if (*mapping_comment(m))
		say("  comment %s\n", mapping_comment(m));
	for (size_t i = 0; i < n; i++)
		say("  from %s\n", prefix_format(&remotes[i], remote));
}

static void say_mapping(const struct mapping *m)
{
	char external[INET6_ADDRSTRLEN], internal[INET6_ADDRSTRLEN];

	say("%" PRIu64 " %s %s %u %s %u %s %u %d %" PRIu64 " %s\n", m->id,
	    protocol_name(m->protocol), external_text(&m->external.addr, external),
	    m->external.port, address_format(&m->internal.addr, internal),
	    m->internal.port, origin_name((enum origin)m->origin), m->owner_uid,
	    m->enabled, m->created, m->name[0] ? m->name : "-");
	say_more(m);
}

static void say_ending(void *userdata, uint8_t protocol, const struct endpoint *external,
		       uint16_t last_port)
{
	char text[INET6_ADDRSTRLEN];

	say("ending %s %s %u", protocol_name(protocol),
	    external_text(&external->addr, text), external->port);
	if (last_port != external->port)
		say("-%u", last_port);
	say("\n");
}

static void say_traffic(void *userdata, uint64_t id, const struct store_traffic *t)
{
	say("traffic %" PRIu64 ": %" PRIu64 " in %" PRIu64 "/%" PRIu64 " out %" PRIu64
	    "/%" PRIu64 "\n",
	    id, t->connections, t->bytes_in, t->packets_in, t->bytes_out, t->packets_out);
}

static void say_upstream(void *userdata, const struct upstream_row *row)
{
	char router[INET6_ADDRSTRLEN], internal[INET6_ADDRSTRLEN];
	char external[INET6_ADDRSTRLEN];

	say("upstream %" PRIu64 " %s %s %s %s %s %u %s %u %u %02x%02x %" PRIu64 " %s\n",
	    row->id, row->wan, address_format(&row->router, router),
	    upstream_speech_name((enum upstream_speech)row->speech),
	    protocol_name(row->protocol), address_format(&row->internal, internal),
	    row->internal_port, address_format(&row->external, external),
	    row->external_port, row->unique, row->nonce[0],
	    row->nonce[WORKER_NONCE_LEN - 1], row->expires, row->url[0] ? row->url : "-");
	if (row->epoch_at)
		say("  epoch %u at %" PRIu64 "\n", row->epoch, row->epoch_at);
}

static void say_anchor(void)
{
	struct lease_anchor anchor;

	store_anchor(shelf.store, &anchor);
	if (anchor.lease)
		say("anchor %02x%02x %" PRId64 " %" PRIu64 " %" PRIu64 "\n",
		    anchor.boot[0], anchor.boot[15], anchor.offset, anchor.lease,
		    anchor.wall);
}

static size_t read_whole(const char *path, char *to, size_t room)
{
	FILE *file = fopen(path, "r");
	size_t n;

	cr_assert_not_null(file, "%s: a store of each format is kept", path);
	n = fread(to, 1, room, file);
	fclose(file);
	return n;
}

static void lay_in(int format)
{
	static char bytes[1 << 20];
	char path[512];
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), STORE_CASES "/v%d.db", format);
	n = read_whole(path, bytes, sizeof(bytes));
	file = fopen(shelf_path(&shelf, "natd.db"), "w");
	cr_assert_eq(fwrite(bytes, 1, n, file), n);
	cr_assert_eq(fclose(file), 0);
}

static void opens(int format)
{
	char wanted[sizeof(said)] = "", path[512];
	const struct mapping *m;

	lay_in(format);
	snprintf(path, sizeof(path), STORE_CASES "/v%d.txt", format);
	wanted[read_whole(path, wanted, sizeof(wanted) - 1)] = '\0';
	shelf_open(&shelf);
	said[0] = '\0';
	say("sequence %" PRIu64 " next %" PRIu64 "\n", store_sequence(shelf.store),
	    table_next_id(shelf.table));
	table_for_each (shelf.table, m)
		say_mapping(m);
	cr_assert_eq(store_endings(shelf.store, say_ending, NULL), 0);
	cr_assert_eq(store_traffic(shelf.store, say_traffic, NULL), 0);
	cr_assert_eq(store_upstream(shelf.store, say_upstream, NULL), 0);
	say_anchor();
	cr_expect_str_eq(said, wanted, "format %d:\n%s", format, said);
}

Test(store_upgrade, a_store_of_every_format_opens_and_its_rows_are_right)
{
	for (int format = 1; format <= STORE_FORMAT; format++) {
		opens(format);
		cr_expect_eq(shelf_ask(&shelf, "-dns\n+udp 2 10.0.0.1:1 first"), 0,
			     "format %d takes no changes", format);
		shelf_expect(&shelf);
		shelf_done(&shelf);
		shelf_make(&shelf);
	}
}

/* ------------------------------------------------------------ on the way up */

static int64_t format_of(void)
{
	static uint8_t head[64];
	FILE *file = fopen(shelf_path(&shelf, "natd.db"), "r");

	cr_assert_eq(fread(head, 1, sizeof(head), file), sizeof(head));
	fclose(file);
	/* user_version in the file's header, if the log is empty */
	return head[60] << 24 | head[61] << 16 | head[62] << 8 | head[63];
}

static void damaged(int format, const char *sql, const char *words)
{
	struct store_fault why = { "" };
	struct store *store = NULL;

	lay_in(format);
	shelf_sql(&shelf, sql);
	cr_expect_eq(store_open(shelf.dir, &store, &why), -EUCLEAN, "%s", sql);
	cr_expect_not_null(strstr(why.text, words), "%s", why.text);
	cr_expect_not_null(strstr(why.text, "a copy is"), "%s", why.text);
	shelf_sql(&shelf, "PRAGMA wal_checkpoint(TRUNCATE)");
	cr_expect_eq(format_of(), format, "%s: it stays as it was", sql);
	shelf_done(&shelf);
	made();
}

Test(store_upgrade, what_is_damaged_is_not_brought_up_to_date)
{
	for (int format = 1; format < STORE_FORMAT; format++) {
		damaged(format, "UPDATE mapping SET internal_port = 81 WHERE id = 4",
			"mapping 4 does not fit its checksum");
		damaged(format, "UPDATE mapping SET checksum = checksum + 1 WHERE id = 1",
			"mapping 1 does not fit its checksum");
		damaged(format, "UPDATE meta SET sequence = 1", "its table meta");
		damaged(format, "DROP TABLE mapping", "reading mappings");
	}
	damaged(1, "DELETE FROM mapping WHERE id = 5", "7 mappings in it, not the 8");
	damaged(2, "DELETE FROM mapping WHERE id = 5", "27 mappings in it, not the 28");
	damaged(1, "DROP TABLE ending", "no such table: ending");
}

static void count(void *userdata, const struct mapping *m)
{
	++*(size_t *)userdata;
	cr_expect_eq(m->upstream, UPSTREAM_DEFAULT);
	cr_expect_not(m->auto_port);
}

Test(store_upgrade, a_damaged_store_of_an_older_format_is_salvaged)
{
	static const int64_t rows[] = { 8, 28 };

	for (int format = 1; format < STORE_FORMAT; format++) {
		struct store_remains remains;
		struct store_fault why = { "" };
		struct store *store = NULL;
		size_t n = 0;

		lay_in(format);
		shelf_sql(&shelf, "UPDATE mapping SET internal_port = 81 WHERE id = 4");
		cr_assert_eq(store_salvage(shelf.dir, count, &n, &remains, &store, &why),
			     0);
		store_close(store);
		cr_expect_eq((int64_t)n, rows[format - 1] - 1, "format %d: %zu", format,
			     n);
		cr_expect_eq(remains.rows, rows[format - 1]);
		shelf_done(&shelf);
		made();
	}
}

/* Return: was there a step to fail? */
static bool upgrade_with_fault(int format, unsigned int step, bool lasts)
{
	struct store_fault why = { "" };
	struct store *store = NULL;
	unsigned int failed;
	int r;

	lay_in(format);
	fault_vfs_arm(step, lasts, false);
	r = store_open(shelf.dir, &store, &why);
	store_close(store);
	failed = fault_vfs.failed;
	fault_vfs_arm(0, false, false);
	cr_expect(r == 0 || r == -EIO, "step %u: %d, %s", step, r, why.text);
	shelf_open(&shelf);
	cr_expect_eq(table_size(shelf.table), format == 1 ? 8 : 28, "step %u", step);
	cr_expect_eq(store_sequence(shelf.store), format == 1 ? 8 : 4);
	shelf_expect(&shelf);
	shelf_done(&shelf);
	made();
	return failed > 0;
}

Test(store_upgrade, an_upgrade_that_fails_at_any_step_can_be_repeated)
{
	fault_vfs_install();
	for (int way = 0; way < 2 * (STORE_FORMAT - 1); way++) {
		unsigned int step = 1;

		while (upgrade_with_fault(1 + way / 2, step, way % 2))
			cr_assert_lt(++step, 200);
		cr_expect_gt(step, 5);
	}
}
