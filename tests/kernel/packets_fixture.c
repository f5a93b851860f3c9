/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/packets_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/netns.h"

int gateway, outside, inside;

static int neighbour(const char *link, const char *peer)
{
	int there = netns_new();

	netns_run("ip link add %s type veth peer name %s netns /proc/self/fd/%d", link,
		  peer, there);
	netns_run("ip link set %s up", link);
	return there;
}

void in(int netns, const char *command)
{
	int back = netns_switch(netns);

	netns_run("%s", command);
	netns_switch(back);
	close(back);
}

/* The LAN's link-local prefix comes first in the routing table, which is what makes a
 * careless spoof check drop the WAN's neighbours. */
void packets_enter(void)
{
	fixture_enter();
	gateway = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(gateway, 0);
	inside = neighbour("lan0", "eth0");
	netns_run("ip addr add 192.168.1.1/24 dev lan0");
	netns_run("ip addr add 2001:db8:1::1/64 dev lan0 nodad");
	in(inside, "ip link set eth0 up; ip addr add 192.168.1.10/24 dev eth0;"
		   "ip addr add 2001:db8:1::10/64 dev eth0 nodad;"
		   "ip route add default via 192.168.1.1;"
		   "ip route add default via 2001:db8:1::1");
	outside = neighbour("wan0", "eth0");
	netns_run("ip addr add 203.0.113.5/24 dev wan0");
	netns_run("ip addr add 2001:db8:f::5/64 dev wan0 nodad");
	netns_run("ip link set wan0 address 02:00:00:00:00:05; "
		  "ip addr add fe80::5/64 dev wan0 nodad");
	in(outside, "ip link set eth0 up; ip addr add 203.0.113.9/24 dev eth0;"
		    "ip addr add 2001:db8:f::9/64 dev eth0 nodad;"
		    "ip addr add fe80::9/64 dev eth0 nodad;"
		    "ip route add 192.168.1.0/24 via 203.0.113.5;"
		    "ip route add 2001:db8:1::/64 via 2001:db8:f::5");
	netns_run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
		  "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan0.rp_filter=0");
	/* A new link takes its time until neighbours are found over it. */
	in(inside, UNTIL_PING "2001:db8:1::1");
	in(outside, UNTIL_PING "2001:db8:f::5");
	netns_run(UNTIL_PING "2001:db8:1::10");
	netns_run(UNTIL_PING "2001:db8:f::9");
	netns_run("conntrack -F 2>/dev/null");
}

struct sockaddr_in6 packets_at(const char *text)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	struct endpoint e;

	cr_assert_eq(endpoint_parse(text, &e), 0, "%s", text);
	a.sin6_addr = e.addr;
	a.sin6_port = htons(e.port);
	return a;
}

static int udp_bound(int netns, const struct sockaddr_in6 *a)
{
	int back = netns_switch(netns);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), no = 0;

	cr_assert_geq(fd, 0);
	cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)a, sizeof(*a)), 0, "%s",
		     strerror(errno));
	netns_switch(back);
	close(back);
	return fd;
}

int udp(int netns, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	return udp_bound(netns, &any);
}

int udp_at(int netns, const char *address)
{
	struct sockaddr_in6 a = packets_at(address);

	return udp_bound(netns, &a);
}

void say(int fd, const char *to)
{
	struct sockaddr_in6 a = packets_at(to);

	cr_assert_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), 1, "%s: %s",
		     to, strerror(errno));
}

bool hears(int fd, int milliseconds, struct endpoint *from)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	char c;

	if (poll(&p, 1, milliseconds) != 1)
		return false;
	cr_assert_eq(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&a, &len), 1);
	from->addr = a.sin6_addr;
	from->port = ntohs(a.sin6_port);
	return true;
}

void assert_heard_from(int fd, const char *who)
{
	struct endpoint from;
	char text[ENDPOINT_STRLEN];

	cr_assert(hears(fd, 2000, &from), "nothing from %s", who);
	cr_assert_str_eq(endpoint_format(&from, text), who);
}

void assert_silent(int fd)
{
	struct endpoint from;
	char text[ENDPOINT_STRLEN];

	if (hears(fd, 300, &from))
		cr_assert_fail("heard %s", endpoint_format(&from, text));
}

void assert_talk(int client, int server, const char *external, const char *seen)
{
	say(client, external);
	assert_heard_from(server, seen);
	say(server, seen);
	assert_heard_from(client, external);
}

void assert_leaves(const char *from, const char *seen)
{
	int client = udp_at(inside, from), server = udp(outside, 7);

	say(client, strchr(from, '[') ? "[2001:db8:f::9]:7" : "203.0.113.9:7");
	assert_heard_from(server, seen);
	close(client);
	close(server);
}

void packets_forget(void)
{
	netns_run("conntrack -F 2>/dev/null; conntrack -F -f ipv6 2>/dev/null");
}
