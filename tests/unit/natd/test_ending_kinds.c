/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <stdio.h>
#include <string.h>

#include "../core/make.h"
#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/ending.h"
#include "tests/fake/parts.h"

/*
 * Which connections end: for each story a table, connections, a change, and who is left.
 * A connection is "protocol remote dialled server", and letters: d translated, s source
 * translated, r replied, and for an outbound one "inner remote outer" with o.
 */

static struct table *table;
static struct engine *engine;
static struct in6_addr wan[3];
static struct snat one_to_one = { .one_to_one = true, .source.len = 128 };
static struct snat_list snats = { .snats = &one_to_one, .n = 1 };
static size_t ended;

static struct address_list wan_addresses(void *userdata)
{
	return (struct address_list){ .addrs = wan, .n = ARRAY_SIZE(wan) };
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	return 1;
}

static void conditions(void *userdata, uint8_t listeners, struct conditions *ret)
{
	*ret = ordinary;
}

static const struct snat_list *snat(void *userdata)
{
	return &snats;
}

static int resync(void *userdata, struct ruleset_fault *why)
{
	return 0;
}

static void set_up(void)
{
	const struct engine_parts parts = {
		.table = table = make_table(1000),
		.conditions = conditions,
		.snat = snat,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.resync = resync,
	};

	log_level(LOG_EMERG);
	fake = (struct fake_parts){ 0 };
	cr_assert_eq(address_parse("203.0.113.5", &wan[0]), 0);
	cr_assert_eq(address_parse("203.0.113.7", &wan[1]), 0);
	cr_assert_eq(address_parse("2001:db8:aa::1", &wan[2]), 0);
	cr_assert_eq(address_parse("192.168.1.77", &one_to_one.source.addr), 0);
	cr_assert_eq(address_parse("203.0.113.7", &one_to_one.to), 0);
	cr_assert_eq(engine_new(&parts, &engine), 0);
}

static void tear_down(void)
{
	engine_free(engine);
	table_free(table);
}

TestSuite(ending_kinds, .init = set_up, .fini = tear_down);

static void on_answer(void *userdata, const struct answer *answer)
{
	cr_assert_null(answer->problem);
	cr_assert_not(plan_refused(answer->plan, answer->request));
	ended = answer->ended;
}

static void ask(const char *text, bool drain)
{
	struct change_list list = make_list(text);

	for (size_t i = 0; i < list.n; i++)
		list.changes[i].drain = drain;
	cr_assert_eq(engine_submit(engine, &list, on_answer, NULL), 0);
	engine_turn(engine);
}

static void enter(const char *text)
{
	struct connection *c = &fake.entries[fake.n_entries++];
	char protocol[8], first[64], second[64], third[64], flags[8] = "";

	*c = (struct connection){ .id = (uint32_t)fake.n_entries };
	cr_assert_geq(sscanf(text, "%7s %63s %63s %63s %7s", protocol, first, second,
			     third, flags),
		      4);
	cr_assert_eq(protocol_parse(protocol, &c->protocol), 0);
	cr_assert_eq(endpoint_parse(first, &c->orig_src), 0, "%s", first);
	cr_assert_eq(endpoint_parse(second, &c->orig_dst), 0, "%s", second);
	c->reply_src = c->orig_dst;
	c->reply_dst = c->orig_src;
	cr_assert_eq(
		endpoint_parse(third, strchr(flags, 'o') ? &c->reply_dst : &c->reply_src),
		0);
	if (strchr(flags, 'o'))
		c->status |= IPS_SRC_NAT;
	if (strchr(flags, 'd'))
		c->status |= IPS_DST_NAT;
	if (strchr(flags, 'r'))
		c->status |= IPS_SEEN_REPLY;
	if (strchr(flags, 'c'))
		c->state = TCP_CONNTRACK_TIME_WAIT;
}

/**
 * struct story
 * @left: of its connections, in order: '+' goes on, '-' is ended
 */
struct story {
	const char *name;
	const char *table;
	const char *connections[8];
	const char *change;
	bool drain;
	const char *left;
};

static bool lives(uint32_t id)
{
	for (size_t i = 0; i < fake.n_entries; i++)
		if (fake.entries[i].id == id)
			return true;
	return false;
}

static void tell(const struct story *story)
{
	size_t n = 0, gone = 0;

	set_up();
	if (story->table)
		ask(story->table, false);
	for (; n < ARRAY_SIZE(story->connections) && story->connections[n]; n++)
		enter(story->connections[n]);
	cr_assert_eq(strlen(story->left), n, "%s", story->name);
	ended = 0;
	ask(story->change, story->drain);
	for (size_t i = 0; i < n; i++) {
		cr_expect_eq(lives((uint32_t)i + 1), story->left[i] == '+', "%s: %s",
			     story->name, story->connections[i]);
		gone += story->left[i] == '-';
	}
	cr_expect_eq(ended, gone, "%s: the answer says %zu", story->name, ended);
	tear_down();
}

#define WEB  "tcp 198.51.100.7:1 203.0.113.5:8080 192.168.1.10:80 d"
#define WEBR "tcp 198.51.100.7:1 203.0.113.5:8080 192.168.1.10:80 dr"

static const struct story stories[] = {
	{ "a range, with exact offsets",
	  "+tcp 9000-9003 192.168.1.10:8000",
	  { "tcp 198.51.100.7:1 203.0.113.5:9000 192.168.1.10:8000 d",
	    "tcp 198.51.100.7:1 203.0.113.5:9003 192.168.1.10:8003 d",
	    "udp 198.51.100.7:1 203.0.113.5:9003 192.168.1.10:8003 d",
	    "tcp 198.51.100.7:1 203.0.113.5:9004 192.168.1.10:8004 d",
	    "tcp 198.51.100.7:1 203.0.113.5:8999 192.168.1.10:7999 d" },
	  "-tcp 9000",
	  false,
	  "--+++" },
	{ "a range beside a single one that takes precedence",
	  "+tcp 1-65535 192.168.1.99:1\n+tcp 80 192.168.1.10:80",
	  { "tcp 198.51.100.7:1 203.0.113.5:80 192.168.1.10:80 d",
	    "tcp 198.51.100.7:1 203.0.113.5:81 192.168.1.99:81 d" },
	  "-#1",
	  false,
	  "+-" },
	{ "a single one added within a range",
	  "+tcp 1-65535 192.168.1.99:1",
	  { "tcp 198.51.100.7:1 203.0.113.5:80 192.168.1.99:80 d",
	    "tcp 198.51.100.7:1 203.0.113.5:81 192.168.1.99:81 d" },
	  "+tcp 80 192.168.1.10:80",
	  false,
	  "-+" },
	{ "remote prefixes: theirs and nobody else's",
	  "+tcp 25 192.168.1.22:25",
	  { "tcp 198.51.100.7:1 203.0.113.5:25 192.168.1.22:25 d",
	    "tcp 192.0.2.7:1 203.0.113.5:25 192.168.1.22:25 d" },
	  "+tcp 25 192.168.1.20:25 from=198.51.100.0/24",
	  false,
	  "-+" },
	{ "the longer of two prefixes",
	  "+tcp 25 192.168.1.20:25 from=198.51.100.0/24\n"
	  "+tcp 25 192.168.1.21:25 from=198.51.100.7/32",
	  { "tcp 198.51.100.7:1 203.0.113.5:25 192.168.1.21:25 d",
	    "tcp 198.51.100.8:1 203.0.113.5:25 192.168.1.20:25 d" },
	  "-#2",
	  false,
	  "-+" },
	{ "a given address of several",
	  "+tcp 80 192.168.1.10:80",
	  { "tcp 198.51.100.7:1 203.0.113.5:80 192.168.1.10:80 d",
	    "tcp 198.51.100.7:1 203.0.113.7:80 192.168.1.10:80 d" },
	  "+tcp 80 192.168.1.11:80 at=203.0.113.7",
	  false,
	  "+-" },
	{ "who has an address to himself",
	  "+tcp 80 192.168.1.10:80 at=203.0.113.7",
	  { "tcp 198.51.100.7:1 203.0.113.7:80 192.168.1.10:80 d",
	    "tcp 198.51.100.7:2 203.0.113.7:80 192.168.1.77:80 d" },
	  "-tcp 80",
	  false,
	  "-+" },
	{ "another host, by an update",
	  "+tcp 8080 192.168.1.10:80 web",
	  { WEBR, "tcp 198.51.100.7:1 203.0.113.5:8081 192.168.1.10:80 d" },
	  "~tcp 8080 : to=192.168.1.11:80",
	  false,
	  "-+" },
	{ "another name is nothing to them",
	  "+tcp 8080 192.168.1.10:80 web",
	  { WEBR },
	  "~tcp 8080 : name=www",
	  false,
	  "+" },
	{ "switched off",
	  "+tcp 8080 192.168.1.10:80",
	  { WEBR },
	  "~tcp 8080 : off",
	  false,
	  "-" },
	{ "switched on: what met nothing meanwhile",
	  "+tcp 8080 192.168.1.10:80 off",
	  { "tcp 198.51.100.7:1 203.0.113.5:8080 203.0.113.5:8080" },
	  "~tcp 8080 : on",
	  false,
	  "-" },
	{ "the router above us holds it no more",
	  "+tcp 8080 192.168.1.10:80 upstream=required\n~tcp 8080 : held",
	  { WEBR },
	  "~tcp 8080 : lost",
	  false,
	  "-" },
	{ "the router above us holds it: what met nothing meanwhile",
	  "+tcp 8080 192.168.1.10:80 upstream=required",
	  { "tcp 198.51.100.7:1 203.0.113.5:8080 203.0.113.5:8080" },
	  "~tcp 8080 : held",
	  false,
	  "-" },
	{ "the router above us must hold it from now on",
	  "+tcp 8080 192.168.1.10:80",
	  { WEBR },
	  "~tcp 8080 : upstream=required",
	  false,
	  "-" },
	{ "the router above us is asked for it: nothing to them",
	  "+tcp 8080 192.168.1.10:80",
	  { WEBR },
	  "~tcp 8080 : upstream=yes",
	  false,
	  "+" },
	{ "drained: what is established stays",
	  "+tcp 8080 192.168.1.10:80",
	  { WEB, WEBR },
	  "-tcp 8080",
	  true,
	  "-+" },
	{ "drained by an update",
	  "+tcp 8080 192.168.1.10:80",
	  { WEB, WEBR },
	  "~tcp 8080 : to=192.168.1.11:80",
	  true,
	  "-+" },
	{ "IPv6, translated",
	  "+tcp 8080 [fd00:1::10]:80",
	  { "tcp [2001:db8:f::9]:1 [2001:db8:aa::1]:8080 [fd00:1::10]:80 d" },
	  "-tcp 8080",
	  false,
	  "-" },
	{ "pinholes of a range",
	  "+udp 5000-5009 [2001:db8:1::10]:5000",
	  { "udp [2001:db8:f::9]:1 [2001:db8:1::10]:5009 [2001:db8:1::10]:5009",
	    "udp [2001:db8:f::9]:1 [2001:db8:1::10]:5010 [2001:db8:1::10]:5010",
	    "udp [2001:db8:f::9]:1 [2001:db8:1::11]:5009 [2001:db8:1::11]:5009" },
	  "-udp 5000",
	  false,
	  "-++" },
	{ "sctp and udplite",
	  "+sctp 9 192.168.1.10:9\n+udplite 9 192.168.1.10:9",
	  { "sctp 198.51.100.7:1 203.0.113.5:9 192.168.1.10:9 d",
	    "udplite 198.51.100.7:1 203.0.113.5:9 192.168.1.10:9 d" },
	  "-#1",
	  false,
	  "-+" },
	{ "a datagram that met no mapping, when one is added",
	  NULL,
	  { "udp 198.51.100.7:1 203.0.113.5:53 203.0.113.5:53",
	    "udp 198.51.100.7:1 203.0.113.5:54 203.0.113.5:54" },
	  "+udp 53 192.168.1.10:53",
	  false,
	  "-+" },
	{ "who leaves under a port that is another's from now on",
	  NULL,
	  { "udp 192.168.1.66:8080 198.51.100.7:53 203.0.113.5:8080 or",
	    "udp 192.168.1.10:8080 198.51.100.7:53 203.0.113.5:8080 or",
	    "udp 192.168.1.66:8081 198.51.100.7:53 203.0.113.5:8081 or",
	    "tcp 192.168.1.66:8080 198.51.100.7:80 203.0.113.5:8080 or",
	    "tcp 192.168.1.66:8080 198.51.100.7:81 203.0.113.5:8080 o",
	    "tcp 192.168.1.66:8080 198.51.100.7:82 203.0.113.5:8080 orc" },
	  "+tcp 8080 192.168.1.10:8080\n+udp 8080 192.168.1.10:8080",
	  false,
	  "-+++--" },
	{ "who has an address to himself leaves under its ports as before",
	  NULL,
	  { "udp 192.168.1.77:53 198.51.100.7:53 203.0.113.7:53 or",
	    "udp 192.168.1.66:53 198.51.100.7:53 203.0.113.7:53 or" },
	  "+udp 53 192.168.1.10:53",
	  false,
	  "+-" },
};

/* The first fixture is made by the suite. */
Test(ending_kinds, exactly_those_of_the_external_tuple_end)
{
	tear_down();
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++)
		tell(&stories[i]);
	set_up();
}

Test(ending_kinds, what_is_drained_is_not_remembered_to_be_ended_later)
{
	ask("+tcp 8080 192.168.1.10:80", false);
	enter(WEBR);
	ask("-tcp 8080", true);
	cr_expect_eq(fake.n_endings, 0);
	ask("+tcp 22 192.168.1.10:22", false);
	cr_expect_eq(fake.n_entries, 1);
}

Test(ending_kinds, what_was_drained_ends_when_its_port_is_somebody_elses)
{
	ask("+udp 53 192.168.1.10:53", false);
	enter("udp 198.51.100.7:1 203.0.113.5:53 192.168.1.10:53 dr");
	ask("-udp 53", true);
	cr_expect(lives(1));
	ask("+udp 54 192.168.1.11:53", false);
	cr_expect(lives(1));
	ask("+udp 53 192.168.1.11:53", false);
	cr_expect_not(lives(1), "a peer that keeps sending does not meet the mapping");
}

/* With a look that showed that nothing is stale, and a kernel that counts. */
Test(ending_kinds, what_takes_from_a_wider_one_is_looked_for)
{
	static const char *const takers[] = {
		"+tcp 80 192.168.1.11:80",
		"+tcp 80-81 192.168.1.11:90",
		"+tcp 80 192.168.1.11:80 at=203.0.113.5",
		"+tcp 80 192.168.1.11:80 from=198.51.100.0/24",
	};

	for (size_t i = 0; i < ARRAY_SIZE(takers); i++) {
		tear_down();
		set_up();
		fake.missed = 4711;
		ask("+tcp 1-9999 192.168.1.10:1", false);
		enter("tcp 198.51.100.7:1 203.0.113.5:80 192.168.1.10:80 dr");
		ask("+udp 53 192.168.1.10:53", false);
		cr_expect(lives(1));
		ask(takers[i], false);
		cr_expect_not(lives(1), "%s", takers[i]);
	}
}

/* Keys of many ranges that overlap: each port finds its own, by a naive search as well.
 */
Test(ending_kinds, the_key_of_a_port_is_found_among_many)
{
	struct ending ending = { 0 };
	uint32_t counts[200] = { 0 };
	struct mapping m = { .protocol = IPPROTO_TCP, .external.addr = address_any4 };
	size_t n;

	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		m.external.port = (uint16_t)(1 + i * 7919 % 60000);
		m.n_ports = (uint16_t)(i % 5 ? 1 + i % 40 : 1);
		cr_assert_eq(ending_add(&ending, &m, false, &counts[i]), 0);
	}
	for (unsigned int port = 1; port < 60200; port += 3) {
		bool expected = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
			unsigned int first = 1 + i * 7919 % 60000;

			expected |=
				port >= first && port < first + (i % 5 ? 1 + i % 40 : 1);
		}
		fake.n_entries = 1;
		fake.entries[0] = (struct connection){
			.protocol = IPPROTO_TCP,
			.status = IPS_DST_NAT,
			.orig_dst = { .addr = wan[0], .port = (uint16_t)port },
		};
		fake.n_barred = 0;
		{
			const struct engine_parts parts = {
				.table = table,
				.wan_addresses = wan_addresses,
				.route_is_wan = route_is_wan,
			};

			cr_assert_eq(ending_run(&ending, &parts, false, &n), 0);
		}
		cr_assert_eq(n, expected, "port %u", port);
	}
	ending_done(&ending);
}
