/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shelf.h"

/* private: the format that is the present one */
#include "natd/store_private.h"

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

static void say_mapping(const struct mapping *m)
{
	char external[INET6_ADDRSTRLEN], internal[INET6_ADDRSTRLEN];

	say("%" PRIu64 " %s %s %u %s %u %s %u %d %" PRIu64 " %s\n", m->id,
	    protocol_name(m->protocol), external_text(&m->external.addr, external),
	    m->external.port, address_format(&m->internal.addr, internal),
	    m->internal.port, origin_name((enum origin)m->origin), m->owner_uid,
	    m->enabled, m->created, m->name[0] ? m->name : "-");
}

static void say_ending(void *userdata, uint8_t protocol, const struct endpoint *external)
{
	char text[INET6_ADDRSTRLEN];

	say("ending %s %s %u\n", protocol_name(protocol),
	    external_text(&external->addr, text), external->port);
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
	cr_expect_str_eq(said, wanted);
}

Test(store_upgrade, a_store_of_every_format_opens_and_its_rows_are_right)
{
	for (int format = 1; format <= STORE_FORMAT; format++) {
		opens(format);
		cr_expect_eq(shelf_ask(&shelf, "-admin-web\n+tcp 1 10.0.0.1:1 first"), 0,
			     "format %d takes no changes", format);
		shelf_expect(&shelf);
		shelf_done(&shelf);
		shelf_make(&shelf);
	}
}
