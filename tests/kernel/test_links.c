/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/links_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "core/cleanup.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

TestSuite(links, .init = links_enter, .fini = links_leave);

/* ------------------------------------------------------------------ interfaces */

Test(links, wans_come_first_in_the_order_of_the_configuration)
{
	static const char *const order[] = { "wan0", "ppp0", "lan0", "br-guest" };
	const struct link *list;
	size_t n;

	name_wan("ppp0");
	name_lan("br-guest");
	read_links();
	list = links_list(links, &n);
	cr_assert_eq(n, ARRAY_SIZE(order));
	for (size_t i = 0; i < n; i++) {
		cr_assert_str_eq(list[i].name, order[i]);
		cr_assert_eq(list[i].wan, i < 2);
	}
}

Test(links, an_interface_that_is_not_there_is_absent)
{
	struct link link;

	read_links();
	link = link_named("wan0");
	cr_assert_not(link.present);
	cr_assert_not(link.up);
	cr_assert_eq(link.index, 0);
	cr_assert_eq(links_wan_addresses(links).n, 0);
}

Test(links, an_interface_that_is_there_is_told_with_index_and_mtu)
{
	struct link link;

	make_veth("wan0", "mtu 1492");
	read_links();
	link = link_named("wan0");
	cr_assert(link.present);
	cr_assert(link.up);
	cr_assert_eq(link.index, if_nametoindex("wan0"));
	cr_assert_eq(link.mtu, 1492);
}

Test(links, an_interface_without_carrier_or_switched_off_is_not_up)
{
	make_veth("wan0", "");
	netns_run("ip link set wan0-p down");
	read_links();
	cr_assert(link_named("wan0").present);
	cr_assert_not(link_named("wan0").up);
	netns_run("ip link set wan0-p up; ip link set wan0 down");
	read_links();
	cr_assert_not(link_named("wan0").up);
}

Test(links, a_name_in_other_letters_or_an_alternative_name_is_another_interface)
{
	make_veth("WAN0", "");
	netns_run("ip link property add dev WAN0 altname wan0");
	netns_run("ip addr add 203.0.113.5/24 dev WAN0");
	read_links();
	cr_assert_not(link_named("wan0").present);
	cr_assert_str_eq(wan_addresses(), "");
}

Test(links, the_mtus_are_compared_between_wans_and_lans)
{
	make_veth("lan0", "mtu 1500");
	read_links();
	cr_assert_not(links_mtu_differs(links));
	make_veth("wan0", "mtu 1500");
	read_links();
	cr_assert_not(links_mtu_differs(links));
	netns_run("ip link set wan0 mtu 1492");
	read_links();
	cr_assert(links_mtu_differs(links));
	netns_run("ip link set wan0 mtu 1500; ip link set lan0 mtu 1400");
	read_links();
	cr_assert_not(links_mtu_differs(links));
}

/* ------------------------------------------------------------------- addresses */

Test(links, which_addresses_count)
{
	static const struct {
		const char *command, *expected;
	} cases[] = {
		{ "ip addr add 203.0.113.5/24 dev wan0", "203.0.113.5" },
		{ "ip addr add 10.9.9.9/24 dev wan0 scope site", "10.9.9.9" },
		{ "ip addr add 10.9.9.9/24 dev wan0 scope link", "" },
		{ "ip addr add 10.9.9.9/24 dev wan0 scope host", "" },
		{ "ip addr add 169.254.7.7/16 dev wan0", "" },
		{ "ip addr add 192.0.2.1 peer 192.0.2.2 dev wan0", "192.0.2.1" },
		{ "ip addr add 203.0.113.5/24 dev wan0; ip addr add 203.0.113.6/24 dev wan0",
		  "203.0.113.5 203.0.113.6" },
		{ "ip addr add 2001:db8:f::5/64 dev wan0 nodad", "2001:db8:f::5" },
		{ "ip addr add fd00::5/64 dev wan0 nodad", "fd00::5" },
		{ "ip addr add fe80::5/64 dev wan0 nodad", "" },
		{ "ip addr add 2001:db8:f::5/64 dev wan0 nodad preferred_lft 0 valid_lft 90",
		  "2001:db8:f::5" },
		{ "ip addr add 2001:db8:f::5/128 peer 2001:db8:f::6/128 dev wan0 nodad",
		  "2001:db8:f::5" },
		{ "ip addr add 203.0.113.5/24 dev lan0", "" },
		{ "ip addr add 203.0.113.5/24 dev wan0-p", "" },
	};

	make_veth("wan0", "");
	make_veth("lan0", "");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		netns_run("%s", cases[i].command);
		read_links();
		cr_assert_str_eq(wan_addresses(), cases[i].expected, "%s: \"%s\"",
				 cases[i].command, wan_addresses());
		netns_run("for l in wan0 lan0 wan0-p; do ip -4 addr flush dev $l; "
			  "ip -6 addr flush dev $l; done");
	}
}

Test(links, the_addresses_of_all_wans_are_sorted_and_none_comes_twice)
{
	name_wan("wan1");
	make_veth("wan0", "");
	make_veth("wan1", "");
	netns_run(
		"ip addr add 203.0.113.9/24 dev wan0; ip addr add 203.0.113.5/32 dev wan1;"
		"ip addr add 203.0.113.9/32 dev wan1; ip addr add 2001:db8::5/64 dev wan1 nodad");
	read_links();
	cr_assert_str_eq(wan_addresses(), "203.0.113.5 203.0.113.9 2001:db8::5");
}

Test(links, the_addresses_of_one_interface_are_told)
{
	struct in6_addr some[2];

	make_veth("wan0", "");
	make_veth("lan0", "");
	netns_run(
		"ip addr add 203.0.113.5/24 dev wan0; ip addr add 192.168.1.1/24 dev lan0;"
		"ip addr add 192.168.2.1/24 dev lan0; ip addr add 192.168.3.1/24 dev lan0");
	read_links();
	cr_assert_eq(links_addresses(links, "wan0", some, 2), 1);
	cr_assert_str_eq(as_text(some, 1), "203.0.113.5");
	cr_assert_eq(links_addresses(links, "lan0", some, 2), 2);
	cr_assert_str_eq(as_text(some, 2), "192.168.1.1 192.168.2.1");
	cr_assert_eq(links_addresses(links, "eth7", some, 2), 0);
}

Test(links, hundreds_of_addresses_are_read)
{
	make_veth("wan0", "");
	netns_run("for i in $(seq 1 250); do echo addr add 203.0.113.$i/24 dev wan0; "
		  "echo addr add 2001:db8::$i/64 dev wan0 nodad; done | ip -batch -");
	read_links();
	cr_assert_eq(links_wan_addresses(links).n, 500);
}

Test(links, an_address_that_another_host_has_does_not_count)
{
	long end = netns_milliseconds() + 10000;

	make_veth("wan0", "");
	netns_run("ip addr add 2001:db8:f::5/64 dev wan0-p nodad");
	netns_run("ip addr add 2001:db8:f::5/64 dev wan0");
	while (netns_try("ip -6 addr show dev wan0 dadfailed | grep -q 2001:db8:f::5"))
		cr_assert_lt(netns_milliseconds(), end);
	read_links();
	cr_assert_str_eq(wan_addresses(), "");
}

/* ---------------------------------------------------------------- masquerade6 */

Test(links, which_ipv6_sources_are_masqueraded)
{
	static const struct {
		enum masquerade6 mode;
		const char *lan0, *lan1, *expected;
	} cases[] = {
		{ MASQUERADE6_AUTO, "", "", "" },
		{ MASQUERADE6_AUTO, "fd00:1::1/64", "", "fd00:1::/64" },
		{ MASQUERADE6_AUTO, "fd00:1:2:3ff::1/54", "", "fd00:1:2::/54" },
		{ MASQUERADE6_AUTO, "2001:db8:1::1/64", "", "" },
		{ MASQUERADE6_AUTO, "fd00:1::1/64 2001:db8:1::1/64", "", "" },
		{ MASQUERADE6_AUTO, "fd00:1::1/64 2001:db8:1::1/64", "fd00:2::1/64",
		  "fd00:2::/64" },
		{ MASQUERADE6_AUTO, "fd00:2::1/64", "fd00:1::1/64",
		  "fd00:1::/64 fd00:2::/64" },
		{ MASQUERADE6_AUTO, "fd00:1::1/64 fd00:1::2/64", "fd00:1::3/64",
		  "fd00:1::/64" },
		{ MASQUERADE6_NO, "fd00:1::1/64", "", "" },
		{ MASQUERADE6_YES, "2001:db8:1::1/64", "", "::/0" },
		{ MASQUERADE6_YES, "", "", "::/0" },
	};

	name_lan("lan1");
	make_veth("wan0", "");
	make_veth("lan0", "");
	make_veth("lan1", "");
	netns_run("ip addr add fd00:f::5/64 dev wan0 nodad");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		config->masquerade6 = cases[i].mode;
		netns_run("for a in %s; do ip addr add $a dev lan0 nodad || exit; done; "
			  "for a in %s; do ip addr add $a dev lan1 nodad || exit; done",
			  cases[i].lan0, cases[i].lan1);
		read_links();
		cr_assert_str_eq(masquerade6(), cases[i].expected, "case %zu: \"%s\"", i,
				 masquerade6());
		netns_run("ip -6 addr flush dev lan0; ip -6 addr flush dev lan1");
	}
}

/* ------------------------------------------------------------- LANs' prefixes */

static const char *prefix_on(const char *lan)
{
	static char text[INET6_ADDRSTRLEN];
	const struct lan_prefix_list list = links_lan_prefixes(links);
	const struct lan_prefix *found = lan_prefix_find(&list, lan);

	cr_assert_not_null(found, "%s", lan);
	return address_format(&found->prefix, text);
}

Test(links, which_prefix_the_hosts_of_a_lan_have)
{
	static const struct {
		const char *commands, *expected;
	} cases[] = {
		{ "", "::" },
		{ "addr add dev lan0 192.168.1.1/24\n", "::" },
		{ "addr add dev lan0 2001:db8:1::1/64 nodad\n", "2001:db8:1::" },
		{ "addr add dev lan0 2001:db8:1:7::1/60 nodad\n", "2001:db8:1:7::" },
		{ "addr add dev lan0 2001:db8:1::1/65 nodad\n", "::" },
		{ "addr add dev lan0 2001:db8:1::1/128 nodad\n", "::" },
		{ "addr add dev lan0 fd00:1::1/64 nodad\n", "::" },
		{ "addr add dev lan0 fe80::7/64 nodad\n", "::" },
		{ "addr add dev lan0 fd00:1::1/64 nodad\n"
		  "addr add dev lan0 2001:db8:1::1/64 nodad\n",
		  "2001:db8:1::" },
		{ "addr add dev lan0 2001:db8:1::1/64 nodad preferred_lft 0 valid_lft 90\n",
		  "2001:db8:1::" },
		{ "addr add dev lan0 2001:db8:1::1/64 nodad\n"
		  "addr add dev lan0 2001:db8:2::1/64 nodad preferred_lft 0 valid_lft 90\n",
		  "2001:db8:1::" },
		{ "addr add dev lan0 2001:db8:2::1/64 nodad preferred_lft 0 valid_lft 90\n"
		  "addr add dev lan0 2001:db8:1::1/64 nodad\n",
		  "2001:db8:1::" },
	};

	make_veth("lan0", "");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		netns_run(
			"ip -6 addr flush dev lan0 scope global; echo '%s' | ip -batch -",
			cases[i].commands);
		read_links();
		cr_assert_str_eq(prefix_on("lan0"), cases[i].expected, "%s: %s",
				 cases[i].commands, prefix_on("lan0"));
	}
}

/* The kernel keeps the time of an address in hundredths of a second. */
static void await_another_hundredth(void)
{
	long end = netns_milliseconds() + 20;

	while (netns_milliseconds() < end)
		;
}

Test(links, of_two_prefixes_the_one_that_came_last_counts)
{
	make_veth("lan0", "");
	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	await_another_hundredth();
	netns_run("ip addr add 2001:db8:2::1/64 dev lan0 nodad");
	read_links();
	cr_assert_str_eq(prefix_on("lan0"), "2001:db8:2::");
	netns_run("ip addr del 2001:db8:2::1/64 dev lan0");
	await_another_hundredth();
	netns_run("ip addr add 2001:db8:0::1/64 dev lan0 nodad");
	read_links();
	cr_assert_str_eq(prefix_on("lan0"), "2001:db8::");
	netns_run(
		"ip addr change 2001:db8:0::1/64 dev lan0 preferred_lft 0 valid_lft 90");
	read_links();
	cr_assert_str_eq(prefix_on("lan0"), "2001:db8:1::");
}

Test(links, each_lan_has_its_own_prefix_and_a_wan_none)
{
	struct lan_prefix_list list;

	name_lan("lan1");
	make_veth("wan0", "");
	make_veth("lan0", "");
	netns_run("ip addr add 2001:db8:f::1/64 dev wan0 nodad;"
		  "ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	read_links();
	list = links_lan_prefixes(links);
	cr_assert_eq(list.n, 2);
	cr_assert_str_eq(list.lans[0].lan, "lan0");
	cr_assert_str_eq(prefix_on("lan0"), "2001:db8:1::");
	cr_assert_str_eq(prefix_on("lan1"), "::", "not there");
	make_veth("lan1", "");
	netns_run("ip addr add 2001:db8:2::1/64 dev lan1 nodad");
	read_links();
	cr_assert_str_eq(prefix_on("lan1"), "2001:db8:2::");
	cr_assert_str_eq(prefix_on("lan0"), "2001:db8:1::");
}

/* --------------------------------------------------------------------- routes */

Test(links, routes_are_asked_of_the_kernel)
{
	static const struct {
		const char *to;
		int is_wan, is_local;
	} cases[] = {
		{ "198.51.100.7", 1, 0 },
		{ "203.0.113.77", 1, 0 },
		{ "203.0.113.5", 0, 1 },
		{ "192.168.1.10", 0, 0 },
		{ "192.168.1.1", 0, 1 },
		{ "127.0.0.1", 0, 1 },
		{ "192.168.1.255", 0, 0 },
		{ "10.1.0.1", 0, 0 },
		{ "10.2.0.1", 0, 0 },
		{ "10.3.0.1", 0, 0 },
		{ "2001:db8:9::9", 1, 0 },
		{ "2001:db8:f::5", 0, 1 },
		{ "2001:db8:1::10", 0, 0 },
		{ "2001:db8:1::1", 0, 1 },
		{ "::1", 0, 1 },
		{ "fd01::1", 0, 0 },
		{ "fd02::1", 0, 0 },
		{ "fd03::1", 0, 0 },
	};

	make_veth("wan0", "");
	make_veth("lan0", "");
	netns_run(
		"ip addr add 203.0.113.5/24 dev wan0; ip addr add 192.168.1.1/24 dev lan0;"
		"ip addr add 2001:db8:f::5/64 dev wan0 nodad;"
		"ip addr add 2001:db8:1::1/64 dev lan0 nodad;"
		"ip route add default via 203.0.113.1;"
		"ip route add default via 2001:db8:f::1;"
		"ip route add unreachable 10.1.0.0/16; ip route add prohibit 10.2.0.0/16;"
		"ip route add blackhole 10.3.0.0/16; ip route add unreachable fd01::/16;"
		"ip route add prohibit fd02::/16; ip route add blackhole fd03::/16");
	read_links();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct in6_addr to = addr(cases[i].to);

		cr_assert_eq(links_route_is_wan(links, &to), cases[i].is_wan, "wan: %s",
			     cases[i].to);
		cr_assert_eq(links_is_local(links, &to), cases[i].is_local, "local: %s",
			     cases[i].to);
	}
}

Test(links, without_a_route_nothing_leaves_by_a_wan)
{
	struct in6_addr v4 = addr("198.51.100.7"), v6 = addr("2001:db8:9::9");

	make_veth("wan0", "");
	read_links();
	cr_assert_eq(links_route_is_wan(links, &v4), 0);
	cr_assert_eq(links_route_is_wan(links, &v6), 0);
	cr_assert_eq(links_is_local(links, &v4), 0);
	cr_assert_eq(links_is_local(links, &v6), 0);
}

Test(links, a_question_the_kernel_cannot_answer_is_an_error)
{
	struct in6_addr to = addr("198.51.100.7");

	read_links();
	faulty_receive_fails(1, EAGAIN);
	cr_assert_eq(links_route_is_wan(links, &to), -ETIMEDOUT);
	faulty_answer(-ENOMEM);
	cr_assert_eq(links_is_local(links, &to), -ENOMEM);
	cr_assert_eq(links_is_local(links, &to), 0);
}

/* --------------------------------------------------------------------- faults */

Test(links, no_descriptors_left_is_said)
{
	int r;

	netns_forbid_descriptors(true);
	r = links_open(NULL, config, count_change, NULL, &links);
	netns_forbid_descriptors(false);
	cr_assert_eq(r, -EMFILE);
	cr_assert_null(links);
}

Test(links, a_reading_that_fails_at_the_start_is_said)
{
	faulty_answer(-ENOMEM);
	cr_assert_eq(links_open(NULL, config, count_change, NULL, &links), -ENOMEM);
	cr_assert_null(links);
}

Test(links, closing_nothing_is_fine)
{
	links_close(NULL);
}
