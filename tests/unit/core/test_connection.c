/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>

#include "core/connection.h"
#include "make.h"

#define TABLE                                                                            \
	"tcp 8080 192.168.1.10:80 web\n"                                                 \
	"udp 53 192.168.1.10:53\n"                                                       \
	"tcp 443 [2001:db8:1::10]:443\n"                                                 \
	"tcp 8443 [2001:db8:1::10]:443"

static struct table *table;
static struct in6_addr addrs[2];
static const struct address_list wan = { addrs, 2 };

static void set_up(void)
{
	table = make_loaded(TABLE);
	cr_assert_eq(address_parse("203.0.113.5", &addrs[0]), 0);
	cr_assert_eq(address_parse("2001:db8:f::5", &addrs[1]), 0);
}

static void tear_down(void)
{
	table_free(table);
}

TestSuite(connection, .init = set_up, .fini = tear_down);

static struct connection make_connection(uint8_t protocol, const char *dialled,
					 const char *answers)
{
	struct connection c = { .protocol = protocol };

	cr_assert_eq(endpoint_parse(dialled, &c.orig_dst), 0, "%s", dialled);
	cr_assert_eq(endpoint_parse(answers, &c.reply_src), 0, "%s", answers);
	return c;
}

Test(connection, belongs_to_the_mapping_that_was_dialled)
{
	static const struct {
		uint8_t protocol;
		const char *dialled;
		uint64_t id; /* 0 = none */
	} cases[] = {
		{ IPPROTO_TCP, "203.0.113.5:8080", 1 },
		{ IPPROTO_UDP, "203.0.113.5:8080", 0 },
		{ IPPROTO_TCP, "203.0.113.5:80", 0 },
		{ IPPROTO_TCP, "203.0.113.6:8080", 0 },
		{ IPPROTO_TCP, "192.168.1.10:8080", 0 },
		{ IPPROTO_UDP, "203.0.113.5:53", 2 },
		{ IPPROTO_TCP, "[2001:db8:1::10]:443", 3 },
		{ IPPROTO_TCP, "[2001:db8:1::11]:443", 0 },
		{ IPPROTO_TCP, "[2001:db8:f::5]:443", 0 },
		{ IPPROTO_TCP, "[2001:db8:f::5]:8443", 4 },
		{ IPPROTO_TCP, "[2001:db8:1::10]:8443", 0 },
		{ IPPROTO_TCP, "[2001:db8:f::5]:8080", 0 },
		{ IPPROTO_TCP, "0.0.0.0:8080", 0 },
		{ IPPROTO_TCP, "[::]:8443", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct connection c = make_connection(cases[i].protocol, cases[i].dialled,
						      "192.168.1.10:80");
		const struct mapping *m = connection_mapping(table, &wan, &c);

		cr_expect_eq(m ? m->id : 0, cases[i].id, "%s", cases[i].dialled);
	}
}

Test(connection, without_a_wan_address_only_pinholes_are_dialled)
{
	const struct address_list none = { 0 };
	struct connection c;

	c = make_connection(IPPROTO_TCP, "203.0.113.5:8080", "192.168.1.10:80");
	cr_expect_null(connection_mapping(table, &none, &c));
	c = make_connection(IPPROTO_TCP, "[2001:db8:1::10]:443", "[2001:db8:1::10]:443");
	cr_expect_not_null(connection_mapping(table, &none, &c));
}

Test(connection, a_disabled_mapping_is_not_found)
{
	struct connection c =
		make_connection(IPPROTO_TCP, "203.0.113.5:90", "192.168.1.10:80");
	struct mapping m = make_mapping("tcp 90 192.168.1.10:80");

	m.id = 90;
	m.enabled = false;
	cr_assert_eq(table_load(table, &m), 0);
	cr_expect_null(connection_mapping(table, &wan, &c));
}

Test(connection, follows_when_the_internal_host_answers)
{
	static const struct {
		uint8_t protocol;
		uint64_t id;
		const char *dialled, *answers;
		bool follows;
	} cases[] = {
		{ IPPROTO_TCP, 1, "203.0.113.5:8080", "192.168.1.10:80", true },
		{ IPPROTO_TCP, 1, "203.0.113.5:8080", "192.168.1.11:80", false },
		{ IPPROTO_TCP, 1, "203.0.113.5:8080", "192.168.1.10:81", false },
		/* made before the mapping was there: the gateway itself answers */
		{ IPPROTO_TCP, 1, "203.0.113.5:8080", "203.0.113.5:8080", false },
		{ IPPROTO_UDP, 1, "203.0.113.5:8080", "192.168.1.10:80", false },
		{ IPPROTO_TCP, 3, "[2001:db8:1::10]:443", "[2001:db8:1::10]:443", true },
		{ IPPROTO_TCP, 3, "[2001:db8:1::10]:443", "[2001:db8:1::11]:443", false },
		{ IPPROTO_TCP, 4, "[2001:db8:f::5]:8443", "[2001:db8:1::10]:443", true },
		{ IPPROTO_TCP, 4, "[2001:db8:f::5]:8443", "[2001:db8:f::5]:8443", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct connection c = make_connection(cases[i].protocol, cases[i].dialled,
						      cases[i].answers);

		cr_expect_eq(connection_follows(&c, table_find_id(table, cases[i].id)),
			     cases[i].follows, "%s answered by %s", cases[i].dialled,
			     cases[i].answers);
	}
}

Test(connection, a_list_has_what_was_put_in)
{
	struct in6_addr other = address_any4;

	cr_expect(address_list_has(&wan, &addrs[0]));
	cr_expect(address_list_has(&wan, &addrs[1]));
	cr_expect_not(address_list_has(&wan, &other));
	cr_expect_not(address_list_has(&(struct address_list){ 0 }, &addrs[0]));
}
