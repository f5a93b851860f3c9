/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>

#include "core/connection.h"
#include "make.h"

#define TABLE                                                                            \
	"tcp 8080 192.168.1.10:80 web\n"                                                 \
	"udp 53 192.168.1.10:53\n"                                                       \
	"tcp 443 [2001:db8:1::10]:443\n"                                                 \
	"tcp 8443 [2001:db8:1::10]:443\n"                                                \
	"tcp 9000-9003 192.168.1.10:8000\n"                                              \
	"tcp 22 192.168.1.11:22 from=198.51.100.0/24\n"                                  \
	"tcp 22 192.168.1.12:22\n"                                                       \
	"udp 20000-30000 192.168.1.13:20000\n"                                           \
	"udp 25000 192.168.1.14:25000 at=203.0.113.5\n"                                  \
	"sctp 22 192.168.1.15:22\n"                                                      \
	"udplite 22 192.168.1.15:22"

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

Test(connection, belongs_to_the_most_particular_that_serves_its_remote)
{
	static const struct {
		uint8_t protocol;
		const char *dialled, *remote;
		uint64_t id; /* 0 = none */
	} cases[] = {
		{ IPPROTO_TCP, "203.0.113.5:9000", "8.8.8.8", 5 },
		{ IPPROTO_TCP, "203.0.113.5:9003", "8.8.8.8", 5 },
		{ IPPROTO_TCP, "203.0.113.5:9004", "8.8.8.8", 0 },
		{ IPPROTO_TCP, "203.0.113.5:22", "198.51.100.77", 6 },
		{ IPPROTO_TCP, "203.0.113.5:22", "198.51.101.77", 7 },
		{ IPPROTO_UDP, "203.0.113.5:20000", "8.8.8.8", 8 },
		{ IPPROTO_UDP, "203.0.113.5:30000", "8.8.8.8", 8 },
		{ IPPROTO_UDP, "203.0.113.5:30001", "8.8.8.8", 0 },
		{ IPPROTO_UDP, "203.0.113.5:25000", "8.8.8.8", 9 },
		{ IPPROTO_SCTP, "203.0.113.5:22", "8.8.8.8", 10 },
		{ IPPROTO_UDPLITE, "203.0.113.5:22", "8.8.8.8", 11 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct connection c = make_connection(cases[i].protocol, cases[i].dialled,
						      "192.168.1.10:80");
		const struct mapping *m;

		cr_assert_eq(address_parse(cases[i].remote, &c.orig_src.addr), 0);
		m = connection_mapping(table, &wan, &c);
		cr_expect_eq(m ? m->id : 0, cases[i].id, "%s from %s", cases[i].dialled,
			     cases[i].remote);
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
		/* of a range the offset counts */
		{ IPPROTO_TCP, 5, "203.0.113.5:9000", "192.168.1.10:8000", true },
		{ IPPROTO_TCP, 5, "203.0.113.5:9003", "192.168.1.10:8003", true },
		{ IPPROTO_TCP, 5, "203.0.113.5:9003", "192.168.1.10:8002", false },
		{ IPPROTO_TCP, 5, "203.0.113.5:9004", "192.168.1.10:8004", false },
		{ IPPROTO_TCP, 5, "203.0.113.5:8999", "192.168.1.10:7999", false },
		{ IPPROTO_UDP, 8, "203.0.113.5:30000", "192.168.1.13:30000", true },
		{ IPPROTO_SCTP, 10, "203.0.113.5:22", "192.168.1.15:22", true },
		{ IPPROTO_UDPLITE, 10, "203.0.113.5:22", "192.168.1.15:22", false },
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

Test(connection, follows_a_suffix_to_where_its_host_is_now)
{
	struct lan_prefix lan = { .lan = "lan0" };
	const struct lan_prefix_list lans = { &lan, 1 };
	struct connection c = make_connection(IPPROTO_TCP, "[2001:db8:7::99]:22",
					      "[2001:db8:7::99]:22");
	struct mapping m = make_mapping("tcp 22 [::99]:22");
	size_t changed;

	m.id = 99;
	cr_assert_eq(table_load(table, &m), 0);
	cr_expect_null(connection_mapping(table, &wan, &c));
	cr_expect_not(connection_follows(&c, table_find_id(table, 99)));
	cr_assert_eq(address_parse("2001:db8:7::", &lan.prefix), 0);
	table_settle_hosts(table, &lans, &changed);
	cr_expect_eq(connection_mapping(table, &wan, &c), table_find_id(table, 99));
	cr_expect(connection_follows(&c, table_find_id(table, 99)));
}
