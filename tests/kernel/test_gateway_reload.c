/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A gateway with another configuration, and as time goes by.
 */

#include "tests/kernel/gateway_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "natd/kernel/sysctl.h"
#include "tests/kernel/netns.h"
#include "tests/unit/core/make.h"

TestSuite(gateway_reload, .init = gateway_enter, .fini = gateway_leave, .timeout = 60);

/* ------------------------------------------------------------ another configuration */

static int sysctl(const char *name)
{
	int value = -1;

	cr_assert_eq(sysctl_get(name, &value), 0);
	return value;
}

Test(gateway_reload, bytes_are_counted_where_the_configuration_wants_it)
{
	static const char acct[] = "net/netfilter/nf_conntrack_acct";

	netns_run("echo 0 > /proc/sys/%s", acct);
	open_gateway("");
	cr_expect_eq(sysctl(acct), 0);
	cr_expect_str_eq(status("accounting"), "false");
	cr_expect_null(gateway->meter);
	reload("accounting = yes\n");
	cr_expect_str_eq(told.why.detail, "");
	cr_expect_eq(sysctl(acct), 1);
	cr_expect_str_eq(status("accounting"), "true");
	cr_expect_not_null(gateway->meter);
	reload("accounting = no\n");
	cr_expect_eq(sysctl(acct), 1, "it is left alone");
	cr_expect_null(gateway->meter);
}

static void count(void *userdata)
{
	++*(int *)userdata;
}

Test(gateway_reload, who_follows_the_configuration_is_told_of_those_in_force)
{
	int times = 0;

	open_gateway("");
	gateway_follow(gateway, count, &times);
	reload("access { look = yes }\n");
	cr_expect_eq(times, 1);
	cr_expect(gateway_config(gateway)->access.look);
	reload("nonsense\n");
	cr_expect_eq(times, 1);
	reload("forward a { protocol = tcp port = 1 to = 192.168.1.10 at = 203.0.113.9 }\n"
	       "forward b { protocol = sctp port = 1 to = \"::10%lan7\" }\n");
	cr_expect_eq(times, 1);
	gateway_follow(gateway, NULL, NULL);
	reload("access { look = no }\n");
	cr_expect_eq(times, 1);
}

Test(gateway_reload, a_forward_that_is_altered_keeps_its_id)
{
	uint64_t id;

	open_gateway("forward a { protocol = tcp port = 1 to = 192.168.1.10 }\n"
		     "forward b { protocol = tcp port = 2 to = 192.168.1.10 }\n");
	id = named("a")->id;
	reload("forward a { protocol = tcp port = 1 to = 192.168.1.11 comment = \"c\" }\n"
	       "forward c { protocol = tcp port = 3 to = 192.168.1.10 }\n");
	cr_expect_eq(named("a")->id, id);
	cr_expect_eq(told.added, 2);
	cr_expect_eq(told.removed, 2);
	cr_expect_str_eq(told_events(), "removed b, changed a, added c");
}

Test(gateway_reload, a_forward_that_the_table_refuses_is_named_by_its_line)
{
	int fd = listen_on(22);

	open_gateway("forward a { protocol = tcp port = 1 to = 192.168.1.10 }\n");
	ask("+tcp 80 192.168.1.10:80 web");
	reload("forward a { protocol = tcp port = 1 to = 192.168.1.11 }\n"
	       "forward b { protocol = tcp port = 80 to = 192.168.1.12 }\n");
	cr_expect_eq(told.why.verdict, VERDICT_BAD_CONFIG);
	cr_expect(strstr(told.why.detail, "natd.conf:6: tcp 80 is taken by \"web\""),
		  "%s", told.why.detail);
	reload("forward web { protocol = tcp port = 1 to = 192.168.1.10 }\n");
	cr_expect(strstr(told.why.detail, "natd.conf:5: "), "%s", told.why.detail);
	reload("\n\nforward ssh { protocol = tcp port = 22 to = 192.168.1.10 }\n");
	cr_expect(strstr(told.why.detail, "natd.conf:7: "), "%s", told.why.detail);
	cr_expect(strstr(told.why.detail, "0.0.0.0:22"), "%s", told.why.detail);
	cr_expect_str_eq(host_of("a"), "192.168.1.10", "nothing has changed");
	reload("forward ssh { protocol = tcp port = 22 to = 192.168.1.10 force = yes }\n");
	cr_expect_str_eq(told.why.detail, "");
	close(fd);
}

Test(gateway_reload, a_suffix_in_a_lan_that_comes_with_it_is_taken)
{
	open_gateway("");
	netns_run("ip link add lan1 type veth peer name lan1-p &&"
		  "ip addr add 2001:db8:7::1/64 dev lan1 nodad && ip link set lan1 up");
	write_config("");
	netns_run(
		"sed -i 's/\"lan0\"/\"lan0\", \"lan1\"/' %s;"
		"echo 'forward pin { protocol = tcp port = 80 to = \"::10%%lan1\" }' >> "
		"%s",
		config_path, config_path);
	read_again();
	cr_expect_str_eq(told.why.detail, "");
	cr_expect_str_eq(host_of("pin"), "2001:db8:7::10");
}

/* ------------------------------------------------------------ time */

static void await_no_mapping(void)
{
	long end = netns_milliseconds() + 8000;

	while (table_size(gateway_table(gateway)) > 0) {
		cr_assert_lt(netns_milliseconds(), end);
		cr_assert_geq(sd_event_run(event, 100000), 0);
	}
}

Test(gateway_reload, a_lease_ends)
{
	open_gateway("");
	cr_assert_eq(ask("+tcp 80 192.168.1.10:80 web lease=1"), VERDICT_ADDED);
	await_no_mapping();
	cr_expect_str_eq(told_events(), "added web, expired web");
	cr_expect_not(kernel_has("192.168.1.10"));
}

Test(gateway_reload, a_lease_goes_on_while_natd_does_not_run)
{
	uint64_t expires, before;

	open_gateway("");
	cr_assert_eq(ask("+tcp 80 192.168.1.10:80 web lease=1\n"
			 "+tcp 81 192.168.1.10:80 long lease=1000"),
		     VERDICT_ADDED);
	expires = named("long")->expires;
	before = lease_clock_now(&gateway->clock);
	close_gateway();
	open_gateway("");
	cr_expect_eq(named("long")->expires, expires);
	cr_expect_geq(lease_clock_now(&gateway->clock), before);
	cr_expect_lt(lease_clock_now(&gateway->clock), before + 20000);
	cr_assert_eq(ask("-long"), VERDICT_REMOVED);
	await_no_mapping();
	told_events();
}

Test(gateway_reload, the_time_is_saved_when_it_ends)
{
	struct lease_anchor anchor;
	uint64_t closed;

	open_gateway("");
	cr_assert_eq(ask("+tcp 80 192.168.1.10:80 web lease=1000"), VERDICT_ADDED);
	store_anchor(gateway->store, &anchor);
	cr_expect_gt(anchor.lease, 0, "with the transaction");
	closed = lease_clock_now(&gateway->clock);
	close_gateway();
	open_gateway("");
	store_anchor(gateway->store, &anchor);
	cr_expect_geq(anchor.lease, closed);
}
