/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "core/cleanup.h"
#include "make.h"

static const uint8_t seed[16] = { 1 };

static struct mapping mapping_with_id(const char *text, uint64_t id)
{
	struct mapping m = make_mapping(text);

	m.id = id;
	return m;
}

Test(table, holds_nothing_when_new)
{
	struct table *table = make_table(10);
	struct mapping m = make_mapping("tcp 8080 192.168.1.10:80");

	cr_expect_eq(table_size(table), 0);
	cr_expect_eq(table_capacity(table), 10);
	cr_expect_eq(table_next_id(table), 1);
	cr_expect_null(table_next(table, NULL));
	cr_expect_null(table_find_id(table, 0));
	cr_expect_null(table_find_id(table, 1));
	cr_expect_null(table_find(table, MAPPING_FORWARD4, IPPROTO_TCP, &m.external));
	cr_expect_null(table_find_name(table, "web", IPPROTO_TCP));
	table_free(table);
	table_free(NULL);
}

Test(table, finds_what_was_loaded_by_every_key)
{
	struct table *table = make_loaded("tcp 8080 192.168.1.10:80 web\n"
					  "udp 8080 192.168.1.10:80 web\n"
					  "tcp 443 [2001:db8::10]:443");
	struct mapping web = make_mapping("tcp 8080 192.168.1.10:80 web");
	struct mapping pinhole = make_mapping("tcp 443 [2001:db8::10]:443");

	cr_expect_eq(table_size(table), 3);
	cr_expect_eq(table_find(table, MAPPING_FORWARD4, IPPROTO_TCP, &web.external)->id,
		     1);
	cr_expect_eq(table_find(table, MAPPING_FORWARD4, IPPROTO_UDP, &web.external)->id,
		     2);
	cr_expect_eq(
		table_find(table, MAPPING_PINHOLE6, IPPROTO_TCP, &pinhole.external)->id,
		3);
	cr_expect_null(
		table_find(table, MAPPING_PINHOLE6, IPPROTO_UDP, &pinhole.external));
	cr_expect_eq(table_find_id(table, 2)->protocol, IPPROTO_UDP);
	cr_expect_null(table_find_id(table, 4));
	cr_expect_eq(table_find_name(table, "web", IPPROTO_TCP)->id, 1);
	cr_expect_eq(table_find_name(table, "web", IPPROTO_UDP)->id, 2);
	cr_expect_null(table_find_name(table, "we", IPPROTO_TCP));
	cr_expect_null(table_find_name(table, "", IPPROTO_TCP));
	table_free(table);
}

Test(table, expecting_changes_no_answer)
{
	struct table *table = make_loaded("tcp 8080 192.168.1.10:80\n"
					  "udp 8080 192.168.1.10:80\n"
					  "tcp 8080 [fd00::10]:80\n"
					  "tcp 443 [2001:db8::10]:443");
	struct table_key keys[TABLE_EXPECT_MAX];
	const struct mapping *m;
	size_t n = 0;

	table_expect(table, keys, 0);
	for (; n < ARRAY_SIZE(keys); n++)
		keys[n] =
			(struct table_key){ MAPPING_FORWARD4,
					    IPPROTO_TCP,
					    { address_any4, (uint16_t)(8000 + 4 * n) } };
	keys[0] = (struct table_key){
		MAPPING_PINHOLE6,
		IPPROTO_TCP,
		make_mapping("tcp 443 [2001:db8::10]:443").external,
	};
	table_expect(table, keys, n);
	for (size_t i = 0; i < n; i++) {
		m = table_find(table, keys[i].kind, keys[i].protocol, &keys[i].external);
		cr_expect_eq(m ? m->id : 0, i == 0 ? 4 : i == 20 ? 1 : 0, "key %zu", i);
	}
	cr_expect_eq(table_size(table), 4);
	table_free(table);
}

/* Ports are buckets: those of both protocols and families that share one stay apart. */
Test(table, ports_that_share_a_bucket_are_told_apart)
{
	static const char *const texts[] = { "tcp 1 10.0.0.1:1",  "tcp 3 10.0.0.1:3",
					     "udp 1 10.0.0.1:1",  "tcp 5 10.0.0.1:5",
					     "tcp 1 [fd00::1]:1", "udp 5 [fd00::1]:5" };
	struct table *table = make_table(8); /* buckets 2 * port + protocol, mod 8 */
	struct mapping m;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		m = mapping_with_id(texts[i], i + 1);
		cr_assert_eq(table_load(table, &m), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		m = make_mapping(texts[i]);
		cr_expect_eq(
			table_find(table, mapping_kind(&m), m.protocol, &m.external)->id,
			i + 1);
	}
	m = make_mapping("udp 3 10.0.0.1:3");
	cr_expect_null(table_find(table, mapping_kind(&m), m.protocol, &m.external));
	table_free(table);
}

Test(table, a_name_that_no_mapping_can_have_is_not_found)
{
	struct table *table = make_loaded("tcp 8080 192.168.1.10:80 web");
	char name[300];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cr_expect_null(table_find_name(table, name, IPPROTO_TCP));
	table_free(table);
}

Test(table, goes_in_order_of_id_however_it_was_loaded)
{
	static const uint64_t ids[] = { 5, 3, 9, 1, 7, 8, 2 };
	static const uint64_t ordered[] = { 1, 2, 3, 5, 7, 8, 9 };
	struct table *table = make_table(10);
	const struct mapping *m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		struct mapping loaded = mapping_with_id("tcp 1 192.168.1.10:80", ids[i]);

		loaded.external.port = (uint16_t)ids[i];
		cr_assert_eq(table_load(table, &loaded), 0);
	}
	i = 0;
	table_for_each (table, m)
		cr_expect_eq(m->id, ordered[i++]);
	cr_expect_eq(i, ARRAY_SIZE(ordered));
	cr_expect_eq(table_next_id(table), 10);
	table_free(table);
}

Test(table, ids_are_never_used_again)
{
	struct table *table = make_table(10);

	table_set_next_id(table, 42);
	cr_expect_eq(table_next_id(table), 42);
	table_set_next_id(table, 7);
	cr_expect_eq(table_next_id(table), 42);
	table_free(table);
}

Test(table, what_is_there_is_not_loaded_again)
{
	static const struct {
		const char *text;
		uint64_t id;
		int r;
	} cases[] = {
		{ "tcp 8080 192.168.1.11:80", 9, -EEXIST },	/* external endpoint */
		{ "tcp 9090 192.168.1.10:80", 1, -EEXIST },	/* id */
		{ "tcp 9090 192.168.1.10:80 web", 9, -EEXIST }, /* name */
		{ "udp 8080 192.168.1.11:80 web", 9, 0 },
	};
	struct table *table = make_loaded("tcp 8080 192.168.1.10:80 web");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping m = mapping_with_id(cases[i].text, cases[i].id);

		cr_expect_eq(table_load(table, &m), cases[i].r, "%s", cases[i].text);
	}
	cr_expect_eq(table_size(table), 2);
	table_free(table);
}

Test(table, takes_no_more_than_its_capacity)
{
	static const size_t capacities[] = { 0, 1, 2, 3, 64, 65 };

	for (size_t i = 0; i < ARRAY_SIZE(capacities); i++) {
		struct table *table = make_table(capacities[i]);
		struct mapping m = make_mapping("tcp 1 192.168.1.10:80");

		for (m.id = 1; m.id <= capacities[i]; m.id++) {
			m.external.port = (uint16_t)m.id;
			cr_assert_eq(table_load(table, &m), 0);
		}
		m.external.port = (uint16_t)m.id;
		cr_expect_eq(table_load(table, &m), -ENOSPC);
		cr_expect_eq(table_size(table), capacities[i]);
		table_free(table);
	}
}

Test(table, a_capacity_beyond_all_memory_is_no_table)
{
	cr_expect_null(table_new(SIZE_MAX, seed));
	cr_expect_null(table_new(SIZE_MAX / 16, seed));
}

static void no_id(struct mapping *m)
{
	m->id = 0;
}

static void id_beyond_json(struct mapping *m)
{
	m->id = INT64_MAX;
}

static void other_protocol(struct mapping *m)
{
	m->protocol = IPPROTO_DCCP;
}

static void other_origin(struct mapping *m)
{
	m->origin = ORIGIN_ADMIN + 1;
}

static void no_external_port(struct mapping *m)
{
	m->external.port = 0;
}

static void no_internal_port(struct mapping *m)
{
	m->internal.port = 0;
}

static void loopback(struct mapping *m)
{
	m->internal.addr.s6_addr[12] = 127;
}

static void not_resolved(struct mapping *m)
{
	m->external.addr = address_any6;
}

static void given_external_address(struct mapping *m)
{
	m->external.addr.s6_addr[15] = 1;
}

static void bad_name(struct mapping *m)
{
	strcpy(m->name, "a b");
}

static void endless_name(struct mapping *m)
{
	memset(m->name, 'a', sizeof(m->name));
}

Test(table, what_is_no_mapping_is_not_loaded)
{
	static void (*const spoil[])(struct mapping *m) = {
		no_id,	      id_beyond_json,	other_protocol,
		other_origin, no_external_port, no_internal_port,
		loopback,     not_resolved,	given_external_address,
		bad_name,     endless_name,
	};
	struct table *table = make_table(10);

	for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
		struct mapping m = mapping_with_id("tcp 8080 192.168.1.10:80 web", 1);

		spoil[i](&m);
		cr_expect_eq(table_load(table, &m), -EINVAL, "case %zu", i);
	}
	cr_expect_eq(table_size(table), 0);
	table_free(table);
}
