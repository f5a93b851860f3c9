/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "natd/kernel/sysctl.h"

#include <cap-ng.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "core/cleanup.h"
#include "tests/kernel/netns.h"

static struct config *config;
static struct links *links;
static struct sysctl_fault why;

static void ignore(void *userdata)
{
}

static void enter(void)
{
	netns_enter();
	config = calloc(1, sizeof(*config));
	cr_assert_not_null(config);
	strcpy(config->options.wan[config->options.n_wan++], "wan0");
	strcpy(config->options.lan[config->options.n_lan++], "lan0");
}

static void leave(void)
{
	links_close(links);
	free(config);
}

TestSuite(sysctl, .init = enter, .fini = leave);

static void read_links(void)
{
	links_close(links);
	links = NULL;
	cr_assert_eq(links_open(NULL, config, ignore, NULL, &links), 0);
}

static int value(const char *name)
{
	int v = -1;

	cr_assert_eq(sysctl_get(name, &v), 0, "%s", name);
	return v;
}

static void write_value(const char *name, int v)
{
	netns_run("echo %d > /proc/sys/%s", v, name);
}

static void make_veth(const char *name)
{
	netns_run("ip link add %s type veth peer name %s-p && ip link set %s-p up && "
		  "ip link set %s up",
		  name, name, name, name);
}

#define RA(name) "net/ipv6/conf/" name "/accept_ra"

static const char ip_forward[] = "net/ipv4/ip_forward";
static const char forwarding6[] = "net/ipv6/conf/all/forwarding";

/* ------------------------------------------------------------------- reading */

Test(sysctl, what_can_be_read)
{
	static const struct {
		const char *name;
		int expected;
	} cases[] = {
		{ "net/ipv4/nonsense", -ENOENT },
		{ "net/ipv6/conf/eth7/accept_ra", -ENOENT },
		{ "net/ipv4/ip_local_port_range", -EIO },    /* two numbers */
		{ "net/ipv4/tcp_congestion_control", -EIO }, /* a word */
		{ "net/ipv4", -EIO },			     /* a directory */
	};
	char endless[300];
	int v = 4711;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_eq(sysctl_get(cases[i].name, &v), cases[i].expected, "%s",
			     cases[i].name);
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = 0;
	cr_assert_eq(sysctl_get(endless, &v), -ENOENT);
	cr_assert_eq(v, 4711, "left alone");
	cr_assert_eq(sysctl_get(ip_forward, &v), 0);
	cr_assert_eq(v, 0);
	netns_run("echo -1 > /proc/sys/net/ipv6/conf/lo/addr_gen_mode || "
		  "echo -1 > /proc/sys/net/ipv6/conf/lo/accept_dad");
	cr_assert_eq(sysctl_get("net/ipv6/conf/lo/accept_dad", &v), 0);
	cr_assert_eq(v, -1);
}

/* ------------------------------------------------------------------- writing */

Test(sysctl, forwarding_is_switched_on_and_accept_ra_first)
{
	make_veth("wan0");
	make_veth("lan0");
	make_veth("eth7");
	read_links();
	cr_assert_eq(value(RA("wan0")), 1);
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	cr_assert_eq(value(ip_forward), 1);
	cr_assert_eq(value(forwarding6), 1);
	cr_assert_eq(value(RA("wan0")), 2);
	cr_assert_eq(value(RA("lan0")), 1, "a LAN is no WAN");
	cr_assert_eq(value(RA("eth7")), 1, "not ours");
	cr_assert_eq(value(RA("default")), 1);
	cr_assert_eq(value(RA("all")), 1);
}

Test(sysctl, accept_ra_alone_switches_no_forwarding_on)
{
	make_veth("wan0");
	read_links();
	cr_assert_eq(sysctl_accept_ra(links, &why), 0);
	cr_assert_eq(value(RA("wan0")), 2);
	cr_assert_eq(value(ip_forward), 0);
	cr_assert_eq(value(forwarding6), 0);
}

Test(sysctl, an_accept_ra_of_0_was_somebodys_wish)
{
	make_veth("wan0");
	write_value(RA("wan0"), 0);
	read_links();
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	cr_assert_eq(value(RA("wan0")), 0);
	cr_assert_eq(value(forwarding6), 1);
}

Test(sysctl, a_wan_that_appears_later_is_set_then)
{
	read_links();
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	make_veth("wan0");
	cr_assert_eq(value(RA("wan0")), 1);
	cr_assert_eq(sysctl_forwarding(links, &why), 0, "not known of yet");
	cr_assert_eq(value(RA("wan0")), 1);
	read_links();
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	cr_assert_eq(value(RA("wan0")), 2);
}

Test(sysctl, a_name_with_a_dot_is_an_interface_like_others)
{
	strcpy(config->options.wan[0], "wan0.7");
	make_veth("wan0.7");
	read_links();
	cr_assert_eq(sysctl_accept_ra(links, &why), 0);
	cr_assert_eq(value(RA("wan0.7")), 2);
}

Test(sysctl, a_wan_without_ipv6_is_no_error)
{
	make_veth("wan0");
	netns_run("ip link set wan0 mtu 1000"); /* below 1280 there is no IPv6 */
	cr_assert_neq(netns_try("test -e /proc/sys/net/ipv6/conf/wan0"), 0);
	read_links();
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	cr_assert_eq(value(forwarding6), 1);
}

/* ---------------------------------------------------------------- accounting */

static const char accounting[] = "net/netfilter/nf_conntrack_acct";
static const char ct_events[] = "net/netfilter/nf_conntrack_events";
static const char timestamp[] = "net/netfilter/nf_conntrack_timestamp";

Test(sysctl, what_counts_bytes_is_switched_on)
{
	write_value(accounting, 0);
	write_value(ct_events, 0);
	write_value(timestamp, 0);
	cr_assert_eq(sysctl_accounting(&why), 0, "%s", why.text);
	cr_assert_eq(value(accounting), 1);
	cr_assert_eq(value(ct_events), 1);
	cr_assert_eq(value(timestamp), 1);
}

Test(sysctl, a_connection_tracker_that_tells_whoever_listens_is_left_so)
{
	if (netns_try("echo 2 > /proc/sys/%s", ct_events))
		cr_skip_test("this kernel has no such value");
	cr_assert_eq(sysctl_accounting(&why), 0, "%s", why.text);
	cr_assert_eq(value(ct_events), 2);
	cr_assert_eq(value(accounting), 1);
}

/* ----------------------------------------------- a WAN with router advertisements */

/* One advertisement out of wan0-p: default route, and a prefix for addresses. */
static const char advertise[] =
	"python3 -c '\n"
	"import socket, struct\n"
	"s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)\n"
	"s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)\n"
	"i = socket.if_nametoindex(\"wan0-p\")\n"
	"prefix = socket.inet_pton(socket.AF_INET6, \"2001:db8:f::\")\n"
	"option = struct.pack(\"!BBBBIII\", 3, 4, 64, 0xc0, 9000, 9000, 0) + prefix\n"
	"ra = struct.pack(\"!BBHBBHII\", 134, 0, 0, 64, 0, 1800, 0, 0)\n"
	"s.sendto(ra + option, (\"ff02::1\", 0, 0, i))\n"
	"'";

/* The router stands in a namespace of its own, or its advertisements would be ours. */
static int make_wan_with_router(void)
{
	int here, there = netns_new();

	netns_run("ip link add wan0 type veth peer name wan0-p netns /proc/self/fd/%d",
		  there);
	here = netns_switch(there);
	netns_run(
		"ip link set wan0-p addrgenmode none up && ip addr add fe80::1/64 dev wan0-p "
		"nodad");
	netns_switch(here);
	netns_run("ip link set wan0 up");
	return there;
}

/* A link that has just come up may miss the first. */
static void advertise_until(int router, const char *command)
{
	long end = netns_milliseconds() + 10000;

	do {
		int here = netns_switch(router);

		cr_assert_lt(netns_milliseconds(), end, "in vain: %s", command);
		netns_run("%s", advertise);
		netns_switch(here);
	} while (netns_try("%s", command));
}

Test(sysctl, a_route_learned_from_a_router_outlives_the_switch)
{
	static const char has_route[] =
		"ip -6 route show default proto ra | grep -q wan0";
	static const char has_address[] =
		"ip -6 addr show dev wan0 | grep -q 2001:db8:f:";
	int router = make_wan_with_router();

	advertise_until(router, has_route);
	advertise_until(router, has_address);
	read_links();
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	cr_assert_eq(value(forwarding6), 1);
	netns_run("%s", has_route);
	netns_run("%s", has_address);
	netns_run("ip -6 route flush proto ra");
	advertise_until(router, has_route);
}

/* what the order is there for */
Test(sysctl, the_kernel_drops_such_a_route_when_nobody_takes_care)
{
	static const char has_route[] =
		"ip -6 route show default proto ra | grep -q wan0";
	int router = make_wan_with_router();

	advertise_until(router, has_route);
	write_value(forwarding6, 1);
	cr_assert_neq(netns_try("%s", has_route), 0);
}

Test(sysctl, a_wan_that_appears_later_learns_its_route)
{
	static const char has_route[] =
		"ip -6 route show default proto ra | grep -q wan0";
	int router;

	read_links();
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	router = make_wan_with_router();
	read_links();
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	advertise_until(router, has_route);
}

/* --------------------------------------------------------------------- faults */

static void private_mounts(void)
{
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	netns_run("mount --make-rprivate /");
}

static void make_readonly(void)
{
	private_mounts();
	netns_run(
		"mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys");
}

Test(sysctl, read_only_settings_are_named_with_the_cure)
{
	make_veth("wan0");
	read_links();
	make_readonly();
	cr_assert_eq(sysctl_forwarding(links, &why), -EROFS);
	cr_assert(strstr(why.text, "net/ipv4/ip_forward should be 1"), "%s", why.text);
	cr_assert(strstr(why.text, "sysctl -w net/ipv4/ip_forward=1"), "%s", why.text);
	cr_assert_eq(sysctl_accept_ra(links, &why), -EROFS);
	cr_assert(strstr(why.text, "net/ipv6/conf/wan0/accept_ra should be 2"), "%s",
		  why.text);
}

Test(sysctl, ipv6_waits_until_accept_ra_can_be_set_and_ipv4_does_not)
{
	make_veth("wan0");
	read_links();
	private_mounts();
	netns_run("f=/proc/sys/net/ipv6/conf/wan0/accept_ra; mount --bind $f $f && "
		  "mount -o remount,ro,bind $f");
	cr_assert_eq(sysctl_forwarding(links, &why), -EROFS);
	cr_assert(strstr(why.text, "accept_ra"), "%s", why.text);
	cr_assert_eq(value(ip_forward), 1);
	cr_assert_eq(value(forwarding6), 0);
}

Test(sysctl, what_is_right_already_is_not_written)
{
	make_veth("wan0");
	write_value(ip_forward, 1);
	write_value(RA("wan0"), 2);
	write_value(forwarding6, 1);
	read_links();
	make_readonly();
	cr_assert_eq(sysctl_forwarding(links, &why), 0, "%s", why.text);
}

Test(sysctl, accounting_that_cannot_be_switched_on_is_named_with_the_cure)
{
	static const char *const names[] = { accounting, ct_events, timestamp };

	make_readonly();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		netns_run("mount -o remount,rw,bind /proc/sys");
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			write_value(names[j], j != i);
		netns_run("mount -o remount,ro,bind /proc/sys");
		cr_assert_eq(sysctl_accounting(&why), -EROFS);
		cr_assert(strstr(why.text, names[i]), "%s", why.text);
	}
	netns_run("mount -t tmpfs none /proc/sys/net/netfilter");
	cr_assert_eq(sysctl_accounting(&why), -ENOENT);
}

Test(sysctl, without_the_right_it_is_said)
{
	int v;

	read_links();
	private_mounts();
	netns_run(
		"mount -t tmpfs none /mnt && echo 0 > /mnt/zero && chmod 0400 /mnt/zero && "
		"mount --bind /mnt/zero /proc/sys/net/ipv4/ip_forward");
	capng_get_caps_process();
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
	cr_assert_eq(capng_apply(CAPNG_SELECT_CAPS), 0);
	cr_assert_eq(sysctl_forwarding(links, &why), -EACCES);
	cr_assert(strstr(why.text, "Permission denied"), "%s", why.text);
	netns_run("chmod 0 /mnt/zero");
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
	cr_assert_eq(capng_apply(CAPNG_SELECT_CAPS), 0);
	cr_assert_eq(sysctl_get(ip_forward, &v), -EACCES);
}

Test(sysctl, a_setting_that_is_not_there_is_said_but_for_ipv6)
{
	read_links();
	private_mounts();
	netns_run("mount -t tmpfs none /proc/sys/net/ipv6");
	cr_assert_eq(sysctl_forwarding(links, &why), 0);
	netns_run("mount -t tmpfs none /proc/sys/net/ipv4");
	cr_assert_eq(sysctl_forwarding(links, &why), -ENOENT);
	cr_assert(strstr(why.text, ip_forward), "%s", why.text);
}

Test(sysctl, a_setting_that_does_not_take_the_value_is_said)
{
	read_links();
	private_mounts();
	netns_run("mount --bind /proc/sys/net/ipv4/tcp_congestion_control "
		  "/proc/sys/net/ipv4/ip_forward");
	cr_assert_eq(sysctl_forwarding(links, &why), -EIO);
}
