/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/conntrack_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <unistd.h>

#include "tests/kernel/netns.h"

TestSuite(conntrack, .init = conntrack_enter, .fini = conntrack_leave);

static struct endpoint at(const char *text)
{
	struct endpoint e;

	cr_assert_eq(endpoint_parse(text, &e), 0, "%s", text);
	return e;
}

static void assert_endpoint(const struct endpoint *got, const char *expected)
{
	struct endpoint e = at(expected);
	char buf[ENDPOINT_STRLEN];

	cr_assert(endpoint_equal(got, &e), "%s, not %s", endpoint_format(got, buf),
		  expected);
}

/* ------------------------------------------------------------------ reading */

Test(conntrack, an_empty_namespace_has_no_entries)
{
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 0);
}

Test(conntrack, an_ipv4_entry_is_read_whole)
{
	const struct connection *c;

	insert_forward(40000, "-w 7");
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 1);
	c = &entries.c[0];
	assert_endpoint(&c->orig_src, "198.51.100.7:40000");
	assert_endpoint(&c->orig_dst, "203.0.113.5:8080");
	assert_endpoint(&c->reply_src, "192.168.1.10:80");
	assert_endpoint(&c->reply_dst, "198.51.100.7:40000");
	cr_assert_eq(c->protocol, IPPROTO_TCP);
	cr_assert_eq(c->zone, 7);
	cr_assert_neq(c->id, 0);
	cr_assert(c->status & IPS_ASSURED);
	cr_assert(c->status & IPS_CONFIRMED);
	cr_assert(c->timeout > 90 && c->timeout <= 100, "%u", c->timeout);
}

Test(conntrack, an_ipv6_entry_is_read_whole)
{
	const struct connection *c;

	netns_run(
		"conntrack -I -p udp -s 2001:db8:f::9 -d 2001:db8:f::5 --sport 4000 --dport "
		"53 -r fd00::10 -q 2001:db8:f::9 --reply-port-src 5353 --reply-port-dst 4000 "
		"-t 30 2>/dev/null");
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 1);
	c = &entries.c[0];
	assert_endpoint(&c->orig_src, "[2001:db8:f::9]:4000");
	assert_endpoint(&c->orig_dst, "[2001:db8:f::5]:53");
	assert_endpoint(&c->reply_src, "[fd00::10]:5353");
	assert_endpoint(&c->reply_dst, "[2001:db8:f::9]:4000");
	cr_assert_eq(c->protocol, IPPROTO_UDP);
	cr_assert_eq(c->zone, 0);
}

Test(conntrack, what_has_no_ports_is_left_out)
{
	netns_run(
		"conntrack -I -p icmp -s 10.0.0.1 -d 10.0.0.2 -t 30 --icmp-type 8 --icmp-code "
		"0 --icmp-id 9 2>/dev/null");
	netns_run(
		"conntrack -I -p sctp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 30 "
		"--state ESTABLISHED --orig-vtag 1 --reply-vtag 2 2>/dev/null");
	netns_run("conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 3 --dport 4 -t 30 "
		  "2>/dev/null");
	netns_run("test $(conntrack -C) -eq 3");
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 2);
	cr_assert(has_source_port(1) && has_source_port(3));
}

static int refuse(void *userdata, const struct connection *c)
{
	int *calls = userdata;

	(*calls)++;
	return 42;
}

Test(conntrack, a_callback_stops_the_dump_and_the_next_one_is_whole)
{
	int calls = 0;

	insert_forward(40000, "");
	insert_forward(40001, "");
	cr_assert_eq(conntrack_dump(ct, refuse, &calls), 42);
	cr_assert_eq(calls, 1);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 2);
}

/* ------------------------------------------------------------------ ending */

Test(conntrack, exactly_what_was_asked_for_is_ended)
{
	struct connection two[2];
	size_t deleted = 99;

	for (unsigned int port = 40000; port < 40004; port++)
		insert_forward(port, "");
	cr_assert_eq(dump(), 0);
	two[0] = of_source_port(40001);
	two[1] = of_source_port(40002);
	cr_assert_eq(conntrack_delete(ct, two, 2, &deleted), 0);
	cr_assert_eq(deleted, 2);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 2);
	cr_assert(has_source_port(40000));
	cr_assert(has_source_port(40003));
}

Test(conntrack, ipv6_entries_are_ended)
{
	netns_run(
		"conntrack -I -p udp -s 2001:db8:f::9 -d 2001:db8:f::5 --sport 4000 --dport "
		"53 -t 30 2>/dev/null");
	cr_assert_eq(dump(), 0);
	cr_assert_eq(conntrack_delete(ct, entries.c, 1, NULL), 0);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 0);
}

Test(conntrack, what_is_gone_already_is_no_error_and_not_counted)
{
	size_t deleted = 99;

	insert_forward(40000, "");
	insert_forward(40001, "");
	cr_assert_eq(dump(), 0);
	netns_run("conntrack -D -p tcp --sport 40000 >/dev/null 2>&1");
	cr_assert_eq(conntrack_delete(ct, entries.c, 2, &deleted), 0);
	cr_assert_eq(deleted, 1);
}

Test(conntrack, ending_nothing_is_fine)
{
	size_t deleted = 99;

	cr_assert_eq(conntrack_delete(ct, NULL, 0, &deleted), 0);
	cr_assert_eq(deleted, 0);
}

/* The kernel makes the id from the tuple and the entry's place in memory: the entry in
 * between takes the place that came free. */
Test(conntrack, a_newer_entry_of_the_same_tuple_is_left_alone)
{
	struct connection old;
	size_t deleted = 99;

	insert_forward(40000, "");
	cr_assert_eq(dump(), 0);
	old = entries.c[0];
	netns_run("conntrack -D -p tcp >/dev/null 2>&1");
	for (unsigned int port = 41000; port < 41030; port++)
		insert_forward(port, "");
	insert_forward(40000, "");
	cr_assert_eq(dump(), 0);
	cr_assert_neq(of_source_port(40000).id, old.id);
	cr_assert_eq(conntrack_delete(ct, &old, 1, &deleted), 0);
	cr_assert_eq(deleted, 0);
	cr_assert_eq(dump(), 0);
	cr_assert(has_source_port(40000));
}

Test(conntrack, the_same_tuple_in_another_zone_is_left_alone)
{
	struct connection seven;
	size_t deleted = 99;

	insert_forward(40000, "-w 7");
	cr_assert_eq(dump(), 0);
	seven = entries.c[0];
	insert_forward(40000, "");
	insert_forward(40000, "-w 8");
	cr_assert_eq(conntrack_delete(ct, &seven, 1, &deleted), 0);
	cr_assert_eq(deleted, 1);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 2);
	cr_assert_neq(entries.c[0].zone, 7);
	cr_assert_neq(entries.c[1].zone, 7);
}

Test(conntrack, a_zone_of_one_direction_is_found)
{
	size_t deleted = 99;

	insert_forward(40000, "--orig-zone 9");
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.c[0].zone, 9);
	cr_assert_eq(conntrack_delete(ct, entries.c, 1, &deleted), 0);
	cr_assert_eq(deleted, 1);
}

Test(conntrack, a_real_forwarded_connection_is_read_and_ended)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in served = { .sin_family = AF_INET, .sin_port = htons(80) };
	size_t deleted = 0;

	netns_run(
		"ip addr add 203.0.113.5/24 dev lo; nft 'table ip t { chain o { type nat hook "
		"output priority -105; tcp dport 8080 dnat to 127.0.0.1:80; }; }'");
	cr_assert_eq(bind(listener, (struct sockaddr *)&served, sizeof(served)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	inet_pton(AF_INET, "203.0.113.5", &to.sin_addr);
	cr_assert_eq(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 1);
	cr_assert(entries.c[0].status & IPS_DST_NAT);
	cr_assert(entries.c[0].status & IPS_SEEN_REPLY);
	assert_endpoint(&entries.c[0].orig_dst, "203.0.113.5:8080");
	assert_endpoint(&entries.c[0].reply_src, "127.0.0.1:80");
	cr_assert_eq(conntrack_delete(ct, entries.c, 1, &deleted), 0);
	cr_assert_eq(deleted, 1);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 0);
	close(client);
	close(listener);
}
