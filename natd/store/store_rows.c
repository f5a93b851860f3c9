/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/store/store_private.h"

/* ------------------------------------------------------------ checksums */

#define FNV_PRIME UINT64_C(0x100000001b3)

uint64_t store_sum_bytes(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ byte[i]) * FNV_PRIME;
	return sum;
}

/* Lowest byte first, whatever the machine, so that a file can move. */
static uint64_t add_number(uint64_t sum, uint64_t number)
{
	uint64_t skipped = 1;

	for (size_t i = 0; i < sizeof(number); i++, number >>= 8)
		if (number)
			sum = (sum ^ (number & 0xff)) * FNV_PRIME;
		else
			skipped *= FNV_PRIME;
	/* bytes of zero: multiplications that do not wait for each other */
	return sum * skipped;
}

uint64_t store_sum_number(uint64_t sum, uint64_t number)
{
	return add_number(sum, number);
}

uint64_t store_checksum_meta(const struct store_meta *meta)
{
	uint64_t sum = STORE_SUM_START;

	sum = add_number(sum, meta->sequence);
	sum = add_number(sum, meta->next_id);
	sum = add_number(sum, meta->rows);
	return add_number(sum, meta->digest);
}

/* As bytes one after the other: half an IPv4 address, kept v4-mapped, is zero. */
static uint64_t add_address(uint64_t sum, const struct in6_addr *addr)
{
	uint64_t halves[2];

	memcpy(halves, addr, sizeof(halves));
	return add_number(add_number(sum, le64toh(halves[0])), le64toh(halves[1]));
}

static uint64_t add_endpoint(uint64_t sum, const struct endpoint *e)
{
	return add_number(add_address(sum, &e->addr), e->port);
}

/* Is it kept as 'host', and the prefix of its LAN not at all? */
static bool follows_host(const struct mapping *m)
{
	return m->suffix && mapping_is_pinhole(m);
}

static uint64_t add_text(uint64_t sum, const char *text)
{
	size_t len = strlen(text);

	return store_sum_bytes(add_number(sum, len), text, len);
}

/* What a store of format 1 could hold; like that of format 2 it has the checksum that it
 * had there. */
bool store_is_plain(const struct mapping *m)
{
	return m->n_ports == 1 && !m->suffix && !m->details && !m->lifetime &&
	       !m->expires && m->changed == m->created && m->changed_by == m->owner_uid;
}

static bool is_of_format_2(const struct mapping *m)
{
	return m->upstream == UPSTREAM_DEFAULT && !m->held && !m->auto_port;
}

static uint64_t add_rest(uint64_t sum, const struct mapping *m)
{
	size_t n;
	const struct prefix *remotes = mapping_remotes(m, &n);

	sum = add_number(sum, m->changed);
	sum = add_number(sum, m->changed_by);
	sum = add_number(sum, m->n_ports);
	sum = add_number(sum, m->lifetime);
	sum = add_number(sum, m->expires);
	sum = add_number(sum, m->suffix);
	sum = add_text(sum, mapping_lan(m));
	sum = add_text(sum, mapping_comment(m));
	for (size_t i = 0; i < n; i++) {
		sum = add_address(sum, &remotes[i].addr);
		sum = add_number(sum, remotes[i].len);
	}
	return sum;
}

uint64_t store_checksum_mapping(const struct mapping *m)
{
	struct endpoint external = m->external;
	uint64_t sum = STORE_SUM_START;

	if (follows_host(m))
		external.addr = address_any6;
	sum = add_number(sum, m->id);
	sum = add_number(sum, m->created);
	sum = add_endpoint(sum, &external);
	sum = add_endpoint(sum, &m->internal);
	sum = add_number(sum, m->owner_uid);
	sum = add_number(sum, m->protocol);
	sum = add_number(sum, m->origin);
	sum = add_number(sum, m->enabled);
	sum = store_sum_bytes(sum, m->name, strlen(m->name));
	if (!store_is_plain(m))
		sum = add_rest(sum, m);
	if (is_of_format_2(m))
		return sum;
	sum = add_number(sum, m->upstream);
	sum = add_number(sum, m->held);
	return add_number(sum, m->auto_port);
}

/* As for mappings: that of format 1, where there was no last port. */
uint64_t store_checksum_ending(uint8_t protocol, const struct endpoint *external,
			       uint16_t last_port)
{
	uint64_t sum = add_endpoint(add_number(STORE_SUM_START, protocol), external);

	return last_port == external->port ? sum : add_number(sum, last_port);
}

/* ------------------------------------------------------------ writing */

#define UPSTREAM_HELD 4
#define UPSTREAM_AUTO 8

/* by enum upstream_wish and the bits above */
static const char *const upstream_words[] = {
	"",
	"yes",
	"no",
	"required",
	"held",
	"yes held",
	"no held",
	"required held",
	"auto-port",
	"yes auto-port",
	"no auto-port",
	"required auto-port",
	"held auto-port",
	"yes held auto-port",
	"no held auto-port",
	"required held auto-port",
};

const char *store_upstream_words(const struct mapping *m)
{
	return upstream_words[m->upstream + (m->held ? UPSTREAM_HELD : 0) +
			      (m->auto_port ? UPSTREAM_AUTO : 0)];
}

int store_upstream_words_parse(const char *words, struct mapping *m)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(upstream_words) && strcmp(words, upstream_words[i]) != 0)
		i++;
	if (i == ARRAY_SIZE(upstream_words))
		return -EINVAL;
	m->upstream = i % UPSTREAM_HELD;
	m->held = i & UPSTREAM_HELD;
	m->auto_port = i & UPSTREAM_AUTO;
	return 0;
}

int store_run(struct store *store, sqlite3_stmt *statement, int rows)
{
	int r = sqlite3_step(statement);

	sqlite3_reset(statement);
	r = store_errno(store->db, r);
	if (r == 0 && rows && sqlite3_changes(store->db) != rows)
		r = -EUCLEAN;
	return r;
}

static const char *external_text(const struct in6_addr *addr,
				 char buf[static INET6_ADDRSTRLEN])
{
	if (address_equal(addr, &address_any4))
		return "*4";
	if (address_equal(addr, &address_any6))
		return "*6";
	return address_format(addr, buf);
}

static void bind_text(sqlite3_stmt *s, int column, const char *text)
{
	sqlite3_bind_text(s, column, text, -1, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *s, int column, uint64_t number)
{
	sqlite3_bind_int64(s, column, (sqlite3_int64)number);
}

/* 64 of "prefix " */
#define REMOTES_STRLEN (MAPPING_REMOTES_MAX * PREFIX_STRLEN)

static const char *remotes_text(const struct mapping *m, char buf[static REMOTES_STRLEN])
{
	char *end = buf;
	size_t n;
	const struct prefix *remotes = mapping_remotes(m, &n);

	*end = '\0';
	for (size_t i = 0; i < n; i++) {
		char one[PREFIX_STRLEN];

		end += sprintf(end, "%s%s", i ? " " : "",
			       prefix_format(&remotes[i], one));
	}
	return buf;
}

/** struct texts - of one row, until its statement has run */
struct texts {
	char external[INET6_ADDRSTRLEN], internal[INET6_ADDRSTRLEN];
};

/* values of a plain row, its checksum last */
#define PLAIN_COLUMNS 15

/* What every row has; @at: of its first value */
static void bind_row(sqlite3_stmt *s, int at, const struct mapping *m,
		     struct texts *texts)
{
	bind_number(s, at, m->id);
	bind_text(s, at + 1, m->name);
	bind_text(s, at + 2, protocol_name(m->protocol));
	bind_text(s, at + 3,
		  mapping_is_pinhole(m)
			  ? "host"
			  : external_text(&m->external.addr, texts->external));
	bind_number(s, at + 4, m->external.port);
	bind_text(s, at + 5, address_format(&m->internal.addr, texts->internal));
	bind_number(s, at + 6, m->internal.port);
	bind_text(s, at + 7, origin_name((enum origin)m->origin));
	bind_number(s, at + 8, m->owner_uid);
	bind_number(s, at + 9, m->enabled);
	bind_number(s, at + 10, m->created);
	bind_number(s, at + 11, m->changed);
	bind_number(s, at + 12, m->changed_by);
}

/* One row, as numbered in STORE_INSERT and STORE_UPDATE. */
static int write_row(struct store *store, sqlite3_stmt *s, const struct mapping *m,
		     uint64_t checksum)
{
	char remotes[REMOTES_STRLEN];
	struct texts texts;

	bind_row(s, 1, m, &texts);
	bind_number(s, 14, m->n_ports);
	bind_number(s, 15, m->lifetime);
	bind_number(s, 16, m->expires);
	bind_number(s, 17, m->suffix);
	bind_text(s, 18, mapping_lan(m));
	bind_text(s, 19, mapping_comment(m));
	bind_text(s, 20, remotes_text(m, remotes));
	bind_text(s, 21, store_upstream_words(m));
	bind_number(s, 22, checksum);
	return store_run(store, s, 1);
}

int store_insert(struct store *store, const struct mapping *m, uint64_t checksum)
{
	return write_row(store, store->statements[STORE_INSERT], m, checksum);
}

int store_insert_many(struct store *store, const struct mapping *const *mappings,
		      const uint64_t *checksums)
{
	sqlite3_stmt *s = store->statements[STORE_INSERT_MANY];
	struct texts texts[STORE_ROWS];

	for (int i = 0; i < STORE_ROWS; i++) {
		int at = 1 + i * PLAIN_COLUMNS;

		bind_row(s, at, mappings[i], &texts[i]);
		bind_text(s, at + PLAIN_COLUMNS - 2, store_upstream_words(mappings[i]));
		bind_number(s, at + PLAIN_COLUMNS - 1, checksums[i]);
	}
	return store_run(store, s, STORE_ROWS);
}

int store_update(struct store *store, const struct mapping *m, uint64_t checksum,
		 uint64_t checksum_before)
{
	sqlite3_stmt *s = store->statements[STORE_UPDATE];

	bind_number(s, 23, checksum_before);
	return write_row(store, s, m, checksum);
}

int store_delete(struct store *store, uint64_t id, uint64_t checksum)
{
	sqlite3_stmt *s = store->statements[STORE_DELETE];

	bind_number(s, 1, id);
	bind_number(s, 2, checksum);
	return store_run(store, s, 1);
}

int store_ending_insert(struct store *store, const struct mapping *m)
{
	sqlite3_stmt *s = store->statements[STORE_ENDING_INSERT];
	uint16_t last_port = mapping_last_port(m);
	char external[INET6_ADDRSTRLEN];

	/* no connection can have reached a host that nobody knows */
	if (m->suffix && address_equal(&m->host, &address_any6))
		return 0;
	bind_text(s, 1, protocol_name(m->protocol));
	bind_text(s, 2, external_text(&m->external.addr, external));
	bind_number(s, 3, m->external.port);
	bind_number(s, 4, last_port);
	bind_number(s, 5, store_checksum_ending(m->protocol, &m->external, last_port));
	return store_run(store, s, 1);
}

int store_endings_delete(struct store *store)
{
	return store_run(store, store->statements[STORE_ENDINGS_DELETE], 0);
}

int store_meta_update(struct store *store, const struct store_meta *from,
		      const struct store_meta *to)
{
	sqlite3_stmt *s = store->statements[STORE_META_UPDATE];

	bind_number(s, 1, to->sequence);
	bind_number(s, 2, to->next_id);
	bind_number(s, 3, to->rows);
	bind_number(s, 4, to->digest);
	bind_number(s, 5, store_checksum_meta(to));
	bind_number(s, 6, store_checksum_meta(from));
	return store_run(store, s, 1);
}
