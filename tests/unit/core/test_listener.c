/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cleanup.h"
#include "core/listener.h"
#include "said.h"

static struct listener at(const char *address, uint16_t port)
{
	return (struct listener){ .local = { said_address(address), port },
				  .protocol = IPPROTO_TCP };
}

Test(listener, takes_what_is_sent_to_its_address)
{
	static const struct {
		const char *local;
		bool v6only;
		const char *addr;
		bool takes;
	} cases[] = {
		{ "0.0.0.0", false, "203.0.113.5", true },
		{ "0.0.0.0", false, "203.0.113.9", true }, /* not ours, yet */
		{ "0.0.0.0", false, "0.0.0.0", true },
		{ "0.0.0.0", false, "2001:db8::5", false },
		{ "0.0.0.0", false, "::", false },
		{ "::", false, "2001:db8::5", true },
		{ "::", false, "::", true },
		{ "::", false, "203.0.113.5", true },
		{ "::", false, "0.0.0.0", true },
		{ "::", true, "2001:db8::5", true },
		{ "::", true, "::", true },
		{ "::", true, "203.0.113.5", false },
		{ "::", true, "0.0.0.0", false },
		{ "203.0.113.5", false, "203.0.113.5", true },
		{ "203.0.113.5", false, "203.0.113.6", false },
		{ "203.0.113.5", false, "0.0.0.0", true },
		{ "203.0.113.5", false, "::", false },
		{ "192.168.1.1", false, "203.0.113.5", false },
		{ "192.168.1.1", false, "0.0.0.0", false },
		{ "127.0.0.1", false, "0.0.0.0", false },
		{ "2001:db8::5", false, "2001:db8::5", true },
		{ "2001:db8::5", false, "::", true },
		{ "2001:db8::5", false, "0.0.0.0", false },
		{ "::1", false, "::", false },
		{ "fd00::1", false, "::", false },
	};
	const struct in6_addr wan[] = { said_address("203.0.113.5"),
					said_address("203.0.113.6"),
					said_address("2001:db8::5") };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct listener l = at(cases[i].local, 22);
		struct in6_addr addr = said_address(cases[i].addr);

		l.v6only = cases[i].v6only;
		cr_expect_eq(listener_takes(&l, &addr, wan, ARRAY_SIZE(wan)),
			     cases[i].takes, "%s%s, %s", cases[i].local,
			     cases[i].v6only ? " v6only" : "", cases[i].addr);
	}
}

Test(listener, without_a_wan_address_only_sockets_for_all_addresses_count)
{
	struct listener one = at("203.0.113.5", 22), all = at("0.0.0.0", 22);

	cr_expect_not(listener_takes(&one, &address_any4, NULL, 0));
	cr_expect(listener_takes(&all, &address_any4, NULL, 0));
}

/* Two of each, so that every field decides once. */
static void make_all(struct listener all[static 128])
{
	static const char *const addresses[] = { "0.0.0.0", "::" };

	for (size_t i = 0; i < 128; i++) {
		struct listener *l = &all[i];

		*l = at(addresses[i & 1], i & 2 ? 22 : 1022);
		l->protocol = i & 4 ? IPPROTO_TCP : IPPROTO_UDP;
		l->uid = i & 8 ? 1000 : 0;
		l->inode = i & 16 ? UINT32_MAX : 1;
		l->ifindex = i & 32 ? 2 : 0;
		l->v6only = i & 64;
	}
}

Test(listener, the_order_is_total_and_goes_by_protocol_and_port_first)
{
	struct listener all[128];

	make_all(all);
	qsort(all, ARRAY_SIZE(all), sizeof(all[0]), listener_compare);
	for (size_t i = 1; i < ARRAY_SIZE(all); i++) {
		const struct listener *a = &all[i - 1], *b = &all[i];

		cr_expect_lt(listener_compare(a, b), 0, "%zu", i);
		cr_expect_gt(listener_compare(b, a), 0, "%zu", i);
		cr_expect(a->protocol < b->protocol || (a->protocol == b->protocol &&
							a->local.port <= b->local.port),
			  "%zu", i);
	}
	cr_expect_eq(listener_compare(&all[0], &all[0]), 0);
}

static size_t find(const struct listener_list *list, uint8_t protocol,
		   struct port_range ports, const struct listener **ret, size_t max)
{
	return listener_find(list, protocol, &address_any4, &ports, NULL, 0, ret, max);
}

Test(listener, are_found_by_protocol_and_ports)
{
	struct listener all[] = { at("0.0.0.0", 22),	 at("0.0.0.0", 80),
				  at("192.168.1.1", 80), at("::", 80),
				  at("0.0.0.0", 65535),	 at("0.0.0.0", 53) };
	const struct listener_list list = { all, ARRAY_SIZE(all) }, none = { 0 };
	static const struct {
		uint8_t protocol;
		struct port_range ports;
		size_t n;
	} cases[] = {
		{ IPPROTO_TCP, { 22, 22 }, 1 },	      { IPPROTO_TCP, { 80, 80 }, 2 },
		{ IPPROTO_TCP, { 1, 65535 }, 4 },     { IPPROTO_TCP, { 23, 79 }, 0 },
		{ IPPROTO_TCP, { 22, 80 }, 3 },	      { IPPROTO_TCP, { 53, 53 }, 0 },
		{ IPPROTO_TCP, { 65535, 65535 }, 1 }, { IPPROTO_UDP, { 53, 53 }, 1 },
		{ IPPROTO_UDP, { 1, 65535 }, 1 },     { IPPROTO_UDPLITE, { 53, 53 }, 0 },
	};
	const struct listener *found[8];

	all[5].protocol = IPPROTO_UDP;
	qsort(all, ARRAY_SIZE(all), sizeof(all[0]), listener_compare);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const size_t n = find(&list, cases[i].protocol, cases[i].ports, found, 8);

		cr_assert_eq(n, cases[i].n, "case %zu: %zu", i, n);
		for (size_t j = 0; j < n; j++) {
			cr_expect_eq(found[j]->protocol, cases[i].protocol);
			cr_expect_geq(found[j]->local.port, cases[i].ports.first);
			cr_expect_leq(found[j]->local.port, cases[i].ports.last);
		}
	}
	cr_expect_eq(find(&none, IPPROTO_TCP, (struct port_range){ 1, 65535 }, found, 8),
		     0);
}

Test(listener, more_than_there_is_room_for_are_counted)
{
	struct listener all[] = { at("0.0.0.0", 1), at("0.0.0.0", 2), at("0.0.0.0", 3) };
	const struct listener_list list = { all, ARRAY_SIZE(all) };
	const struct listener *found[3] = { NULL, NULL, &all[1] };

	cr_expect_eq(find(&list, IPPROTO_TCP, (struct port_range){ 1, 9 }, found, 2), 3);
	cr_expect_eq(found[0], &all[0]);
	cr_expect_eq(found[1], &all[1]);
	cr_expect_eq(found[2], &all[1], "written behind the room that was given");
	cr_expect_eq(find(&list, IPPROTO_TCP, (struct port_range){ 1, 9 }, NULL, 0), 3);
}

Test(listener, is_described_by_place_and_owner)
{
	char buf[LISTENER_STRLEN];
	struct listener l = at("0.0.0.0", 22);

	cr_expect_str_eq(listener_describe(&l, buf), "0.0.0.0:22 (uid 0)");
	l = at("::", 22);
	cr_expect_str_eq(listener_describe(&l, buf), "[::]:22 (uid 0)");
	l = at("2001:1111:2222:3333:4444:5555:6666:7777", 65535);
	l.uid = UINT32_MAX;
	cr_expect_str_eq(listener_describe(&l, buf),
			 "[2001:1111:2222:3333:4444:5555:6666:7777]:65535 (uid "
			 "4294967295)");
}
