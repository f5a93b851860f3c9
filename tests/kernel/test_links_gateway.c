/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/links_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "core/cleanup.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

TestSuite(links_gateway, .init = links_enter, .fini = links_leave);

static const char *gateway(int family)
{
	const struct link link = link_named("wan0");

	return as_text(&link.gateways[family == AF_INET6].gateway, 1);
}

static const char *source(int family)
{
	const struct link link = link_named("wan0");

	return as_text(&link.gateways[family == AF_INET6].source, 1);
}

static void have_wan(void)
{
	make_veth("wan0", "");
	netns_run("ip addr add 192.0.2.2/24 dev wan0 && "
		  "ip addr add 192.0.2.3/24 dev wan0 && "
		  "ip addr add 2001:db8:f::5/64 dev wan0 nodad");
}

Test(links_gateway, nobody_is_looked_for_unless_it_is_wanted)
{
	have_wan();
	netns_run("ip route add default via 192.0.2.1");
	follow_links();
	cr_assert_str_eq(gateway(AF_INET), "::");
	netns_run("ip route change default via 192.0.2.9");
	cr_assert_eq(changes_now(), 0);
	cr_assert_eq(links_follow_gateways(links), 0);
	cr_assert_str_eq(gateway(AF_INET), "192.0.2.9");
	netns_run("ip route change default via 192.0.2.1");
	cr_assert_eq(changes_now(), 1);
	cr_assert_eq(links_follow_gateways(links), 0);
	cr_assert_str_eq(gateway(AF_INET), "192.0.2.1");
}

Test(links_gateway, a_configuration_that_has_routers_asked_wants_it)
{
	have_wan();
	netns_run("ip route add default via 192.0.2.1");
	config->upstream.enable = true;
	follow_links();
	cr_assert_str_eq(gateway(AF_INET), "192.0.2.1");
	config->upstream.enable = false;
	cr_assert_eq(links_configure(links, config), 0);
	cr_assert_str_eq(gateway(AF_INET), "192.0.2.1");
}

Test(links_gateway, of_each_family_with_the_address_we_have_towards_it)
{
	have_wan();
	netns_run("ip route add default via 192.0.2.1 src 192.0.2.3 && "
		  "ip -6 route add default via fe80::1 dev wan0");
	follow_links();
	cr_assert_eq(links_follow_gateways(links), 0);
	cr_assert_str_eq(gateway(AF_INET), "192.0.2.1");
	cr_assert_str_eq(source(AF_INET), "192.0.2.3");
	cr_assert_str_eq(gateway(AF_INET6), "fe80::1");
	cr_assert_str_eq(source(AF_INET6), "2001:db8:f::5");
}

Test(links_gateway, each_of_these_routes_has_none)
{
	static const char *const routes[] = {
		"ip route add default dev wan0",
		"ip route add unreachable default",
		"ip route add blackhole default",
		"ip route add prohibit default",
		"ip route add default via inet6 fe80::1 dev wan0",
		"ip route add 198.51.100.0/24 via 192.0.2.1",
	};

	have_wan();
	follow_links();
	cr_assert_eq(links_follow_gateways(links), 0);
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		netns_run("%s", routes[i]);
		changes_now();
		cr_expect_str_eq(gateway(AF_INET), "::", "%s", routes[i]);
		cr_expect_str_eq(source(AF_INET), "::", "%s", routes[i]);
		netns_run("ip route flush root 0/0 exact 0/0 2>/dev/null; ip route del "
			  "198.51.100.0/24 2>/dev/null; true");
	}
}

Test(links_gateway, of_two_wans_each_has_its_own)
{
	struct link other;

	name_wan("wan1");
	have_wan();
	make_veth("wan1", "");
	netns_run("ip addr add 203.0.113.2/24 dev wan1 && "
		  "ip route add default via 192.0.2.1 metric 1 && "
		  "ip route add default via 203.0.113.1 dev wan1 metric 2");
	follow_links();
	cr_assert_eq(links_follow_gateways(links), 0);
	cr_assert_str_eq(gateway(AF_INET), "192.0.2.1");
	other = link_named("wan1");
	cr_assert_str_eq(as_text(&other.gateways[0].gateway, 1), "203.0.113.1");
	cr_assert_str_eq(as_text(&other.gateways[0].source, 1), "203.0.113.2");
}

Test(links_gateway, that_it_comes_changes_and_goes_is_told)
{
	static const struct {
		const char *command, *gateway;
	} steps[] = {
		{ "ip route add default via 192.0.2.1", "192.0.2.1" },
		{ "ip route change default via 192.0.2.9", "192.0.2.9" },
		{ "ip route del default", "::" },
		{ "ip -6 route add default via fe80::7 dev wan0", "::" },
	};

	have_wan();
	follow_links();
	cr_assert_eq(links_follow_gateways(links), 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		changes_now();
		netns_run("%s", steps[i].command);
		cr_expect_eq(changes_now(), 1, "%s", steps[i].command);
		cr_expect_str_eq(gateway(AF_INET), steps[i].gateway);
	}
	cr_assert_str_eq(gateway(AF_INET6), "fe80::7");
}

Test(links_gateway, other_routes_are_none_of_our_business)
{
	have_wan();
	netns_run("ip route add default via 192.0.2.1");
	follow_links();
	cr_assert_eq(links_follow_gateways(links), 0);
	changes_now();
	netns_run("ip route add 198.51.100.0/24 via 192.0.2.1");
	cr_assert_eq(changes_now(), 0);
}

Test(links_gateway, other_names_keep_being_looked_at)
{
	have_wan();
	netns_run("ip route add default via 192.0.2.1");
	follow_links();
	cr_assert_eq(links_follow_gateways(links), 0);
	cr_assert_eq(links_configure(links, config), 0);
	cr_assert_str_eq(gateway(AF_INET), "192.0.2.1");
}
