/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/links_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>

#include "core/cleanup.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

TestSuite(links_follow, .init = links_enter, .fini = links_leave);

Test(links_follow, a_tentative_address_counts_once_it_is_known_to_be_alone)
{
	make_veth("wan0", "");
	follow_links();
	netns_run("ip addr add 2001:db8:f::5/64 dev wan0");
	netns_run("ip -6 addr show dev wan0 tentative | grep -q 2001:db8:f::5");
	cr_assert_eq(changes_now(), 0);
	cr_assert_str_eq(wan_addresses(), "");
	wait_for_change();
	cr_assert_str_eq(wan_addresses(), "2001:db8:f::5");
}

Test(links_follow, an_interface_that_appears_is_told)
{
	follow_links();
	make_veth("wan0", "");
	cr_assert_eq(changes_now(), 1);
	cr_assert(link_named("wan0").present);
	cr_assert_eq(link_named("wan0").index, if_nametoindex("wan0"));
}

Test(links_follow, each_kind_of_change_is_told)
{
	static const char *const commands[] = {
		"ip addr add 203.0.113.5/24 dev wan0",
		"ip addr add 2001:db8:f::5/64 dev wan0 nodad",
		"ip addr add fd00::1/64 dev lan0 nodad",
		"ip addr del 203.0.113.5/24 dev wan0",
		"ip link set wan0 mtu 1400",
		"ip link set wan0-p down",
		"ip link set wan0-p up",
		"ip link set wan0 down && ip link set wan0 name old0",
		"ip link set old0 name wan0 && ip link set wan0 up",
		"ip link del wan0",
		"ip link add wan0 index 4711 type veth peer name wan0-p",
	};

	make_veth("wan0", "");
	make_veth("lan0", "");
	follow_links();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		changes_now();
		netns_run("%s", commands[i]);
		wait_for_change();
	}
	cr_assert_eq(link_named("wan0").index, 4711);
	cr_assert_not(link_named("wan0").up);
	cr_assert_str_eq(wan_addresses(), "");
}

Test(links_follow, an_interface_made_anew_between_two_looks_is_another_one)
{
	unsigned int index;

	make_veth("wan0", "");
	netns_run("ip addr add 203.0.113.5/24 dev wan0");
	follow_links();
	index = link_named("wan0").index;
	netns_run("ip link del wan0");
	make_veth("wan0", "");
	netns_run("ip addr add 203.0.113.6/24 dev wan0");
	cr_assert_eq(changes_now(), 1);
	cr_assert_neq(link_named("wan0").index, index);
	cr_assert_str_eq(wan_addresses(), "203.0.113.6");
}

Test(links_follow, what_changes_nothing_that_we_tell_is_not_told)
{
	make_veth("wan0", "");
	netns_run("ip addr add 2001:db8:f::5/64 dev wan0 nodad");
	follow_links();
	netns_run(
		"ip addr change 2001:db8:f::5/64 dev wan0 valid_lft 900 preferred_lft 400");
	netns_run("ip link set wan0 txqueuelen 77; ip link set wan0 alias uplink");
	netns_run(
		"ip addr add 203.0.113.5/24 dev wan0; ip addr del 203.0.113.5/24 dev wan0");
	cr_assert_eq(changes_now(), 0);
}

Test(links_follow, other_interfaces_are_none_of_our_business)
{
	struct in6_addr any = addr("192.0.2.1");

	make_veth("wan0", "");
	follow_links();
	/* a reading would take this answer */
	faulty_answer(-ENOMEM);
	make_veth("docker0", "");
	netns_run("ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 mtu 1400;"
		  "ip link del docker0");
	cr_assert_eq(changes_now(), 0);
	cr_assert_eq(links_is_local(links, &any), -ENOMEM, "something was read");
}

Test(links_follow, lost_messages_lead_to_a_new_reading)
{
	make_veth("wan0", "");
	follow_links();
	netns_run("ip addr add 203.0.113.5/24 dev wan0");
	faulty_receive_fails(1, ENOBUFS);
	cr_assert_eq(changes_now(), 1);
	cr_assert_str_eq(wan_addresses(), "203.0.113.5");
}

Test(links_follow, a_real_flood_of_messages_loses_nothing)
{
	make_veth("wan0", "");
	follow_links();
	netns_run("for i in $(seq 1 4000); do echo addr add 203.0.113.5/24 dev wan0; "
		  "echo addr del 203.0.113.5/24 dev wan0; done | ip -batch -");
	netns_run("ip addr add 203.0.113.6/24 dev wan0");
	cr_assert_eq(changes_now(), 1);
	cr_assert_str_eq(wan_addresses(), "203.0.113.6");
}

Test(links_follow, a_torn_dump_is_asked_for_again)
{
	make_veth("wan0", "");
	netns_run("ip addr add 203.0.113.5/24 dev wan0");
	read_links();
	netns_run("ip addr add 203.0.113.6/24 dev wan0");
	faulty_dump_torn_at(3); /* link, its acknowledgement, addresses */
	cr_assert_eq(links_configure(links, config), 0);
	cr_assert_str_eq(wan_addresses(), "203.0.113.5 203.0.113.6");
}

Test(links_follow, a_reading_that_fails_is_tried_again)
{
	make_veth("wan0", "");
	follow_links();
	netns_run("ip addr add 203.0.113.5/24 dev wan0");
	faulty_answer(-ENOMEM);
	cr_assert_eq(changes_now(), 0);
	wait_for_change();
	cr_assert_str_eq(wan_addresses(), "203.0.113.5");
}

Test(links_follow, other_names_are_read_at_once)
{
	make_veth("wan0", "");
	make_veth("dsl0", "");
	netns_run(
		"ip addr add 203.0.113.5/24 dev wan0; ip addr add 198.51.100.5/24 dev dsl0");
	follow_links();
	config->options.n_wan = 0;
	name_wan("dsl0");
	cr_assert_eq(links_configure(links, config), 0);
	cr_assert_str_eq(wan_addresses(), "198.51.100.5");
	netns_run("ip addr add 198.51.100.6/24 dev dsl0");
	cr_assert_eq(changes_now(), 1);
	netns_run("ip addr add 203.0.113.6/24 dev wan0");
	cr_assert_eq(changes_now(), 0);
}

Test(links_follow, when_other_names_cannot_be_read_the_old_ones_stay)
{
	make_veth("wan0", "");
	netns_run("ip addr add 203.0.113.5/24 dev wan0");
	follow_links();
	config->options.n_wan = 0;
	faulty_answer(-ENOMEM);
	cr_assert_eq(links_configure(links, config), -ENOMEM);
	cr_assert_str_eq(wan_addresses(), "203.0.113.5");
}

Test(links_follow, a_prefix_that_is_deprecated_gives_way_to_another)
{
	struct lan_prefix_list list;

	make_veth("lan0", "");
	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad;"
		  "ip addr add 2001:db8:2::1/64 dev lan0 nodad preferred_lft 0");
	follow_links();
	list = links_lan_prefixes(links);
	cr_assert_str_eq(as_text(&list.lans[0].prefix, 1), "2001:db8:1::");
	netns_run("ip addr change 2001:db8:1::1/64 dev lan0 preferred_lft 0;"
		  "ip addr change 2001:db8:2::1/64 dev lan0 preferred_lft forever");
	wait_for_change();
	list = links_lan_prefixes(links);
	cr_assert_str_eq(as_text(&list.lans[0].prefix, 1), "2001:db8:2::");
	netns_run("ip -6 addr flush dev lan0 scope global");
	wait_for_change();
	list = links_lan_prefixes(links);
	cr_assert_str_eq(as_text(&list.lans[0].prefix, 1), "::");
}
