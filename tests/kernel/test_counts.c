/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is told of each mapping by a whole gateway, and what it has carried. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/gateway.h"
#include "tests/kernel/netns.h"
#include "tests/unit/core/make.h"

#define NET                                                                              \
	"user = nobody\ngroup = nogroup\n"                                               \
	"wan { interfaces = {\"wan0\"} }\nlan { interfaces = {\"lan0\"} }\n"

static char dir[64] = "/tmp/natd-counts-XXXXXX";
static sd_event *event;
static struct gateway *gw;
static struct counts *counts;

static void open_gateway(const char *text)
{
	struct gateway_fault why = { "" };
	struct config_flaw flaw = { "" };
	struct config *config;

	cr_assert_eq(config_load_buffer("natd.conf", text, strlen(text), &config, &flaw),
		     0, "%s", flaw.text);
	cr_assert_eq(gateway_open(event, config, dir, NULL, &gw, &why), 0, "%s",
		     why.text);
}

static void set_up(void)
{
	netns_enter();
	log_level(LOG_EMERG);
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_geq(sd_event_new(&event), 0);
	netns_run("ip link set lo up && ip link add wan0 type veth peer name wan1 && "
		  "ip link add lan0 type veth peer name lan1 && for i in wan0 wan1 lan0 "
		  "lan1; do ip link set $i up; done && ip addr add 203.0.113.5/24 dev "
		  "wan0 && ip addr add 203.0.113.7/24 dev wan0 && ip addr add "
		  "192.168.1.1/24 dev lan0 && ip addr add 192.168.1.10/24 dev lan0");
}

static void tear_down(void)
{
	counts_free(counts);
	gateway_close(gw);
	sd_event_unref(event);
	netns_run("rm -r %s", dir);
}

TestSuite(counts, .init = set_up, .fini = tear_down, .timeout = 100);

static bool answered;

static void on_answer(void *userdata, const struct answer *answer)
{
	cr_assert_null(answer->problem);
	cr_assert_not(plan_refused(answer->plan, answer->request));
	answered = true;
}

static void ask(const char *text)
{
	struct change_list list = make_list(text);

	answered = false;
	cr_assert_eq(engine_submit(gateway_engine(gw), &list, on_answer, NULL), 0);
	while (!answered)
		cr_assert_gt(sd_event_run(event, 5000000), 0, "no answer");
}

static struct mapping_state state_of(const char *name)
{
	const struct mapping *m;
	struct mapping_state state;

	counts_free(counts);
	counts = NULL;
	cr_assert_eq(gateway_counts(gw, &counts), 0);
	table_for_each (gateway_table(gw), m)
		if (!strcmp(m->name, name))
			break;
	cr_assert_not_null(m, "%s", name);
	counts_state(counts, m, &state);
	return state;
}

/* ------------------------------------------------------------ is it in force? */

Test(counts, each_mapping_says_how_it_stands)
{
	static const struct {
		const char *name;
		enum mapping_condition condition;
		size_t endpoints, shadows;
	} cases[] = {
		{ "web", CONDITION_ACTIVE, 2, 0 },   { "one", CONDITION_ACTIVE, 1, 0 },
		{ "away", CONDITION_WAITING, 0, 0 }, { "idle", CONDITION_DISABLED, 0, 0 },
		{ "host", CONDITION_WAITING, 0, 0 }, { "six", CONDITION_WAITING, 0, 0 },
		{ "hole", CONDITION_ACTIVE, 1, 0 },  { "dmz", CONDITION_ACTIVE, 2, 3 },
		{ "all", CONDITION_SHADOWED, 0, 2 }, { "part", CONDITION_ACTIVE, 2, 1 },
		{ "some", CONDITION_ACTIVE, 2, 0 },
	};

	open_gateway(NET);
	ask("+tcp 8080 192.168.1.10:80 web\n"
	    "+tcp 81 192.168.1.10:81 one at=203.0.113.7\n"
	    "+tcp 82 192.168.1.10:82 away at=203.0.113.99\n"
	    "+udp 83 192.168.1.10:83 idle off\n"
	    "+tcp 84 [::10]:84 host lan=lan0\n"
	    "+tcp 85 [fd00:1::10]:85 six\n"
	    "+tcp 86 [2001:db8:1::10]:86 hole\n"
	    "+tcp 80-8080 192.168.1.10:80 dmz\n"
	    "+udp 90-91 192.168.1.10:90 all\n"
	    "+udp 90 192.168.1.11:90\n+udp 91 192.168.1.11:91\n"
	    "+udp 95 192.168.1.10:95 part\n"
	    "+udp 95 192.168.1.11:95 some from=198.51.100.0/24");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping_state state = state_of(cases[i].name);

		cr_expect_eq(state.condition, cases[i].condition, "%s is %s",
			     cases[i].name, condition_name(state.condition));
		cr_expect_eq(state.n_endpoints, cases[i].endpoints, "%s: %zu endpoints",
			     cases[i].name, state.n_endpoints);
		cr_expect_eq(state.n_shadowed_by, cases[i].shadows, "%s: %zu",
			     cases[i].name, state.n_shadowed_by);
		cr_expect(state.listeners_known);
		cr_expect_eq(state.n_listeners, 0);
	}
}

Test(counts, a_lease_says_what_is_left_of_it)
{
	struct mapping_state state;
	uint64_t now = (uint64_t)time(NULL);

	open_gateway(NET);
	ask("+tcp 8080 192.168.1.10:80 web lease=3600\n+tcp 22 192.168.1.10:22 for-ever");
	state = state_of("web");
	cr_expect(state.remaining > 3590 && state.remaining <= 3600, "%u",
		  state.remaining);
	cr_expect(state.expires >= now + 3599 && state.expires <= now + 3700);
	state = state_of("for-ever");
	cr_expect_eq(state.remaining, 0);
	cr_expect_eq(state.expires, 0);
}

Test(counts, who_listens_is_named)
{
	struct mapping_state state;

	open_gateway(NET);
	ask("+tcp 8080 192.168.1.10:80 web\n+tcp 8081 192.168.1.10:80 other");
	netns_run("socat TCP4-LISTEN:8080,bind=0.0.0.0 - </dev/null >/dev/null 2>&1 & "
		  "for i in $(seq 100); do ss -ltn | grep -q :8080 && exit 0; done; "
		  "exit 1");
	state = state_of("web");
	cr_expect_eq(state.n_listeners, 1);
	cr_expect_eq(state.listeners[0].local.port, 8080);
	cr_expect_eq(state_of("other").n_listeners, 0);
}

/* ------------------------------------------------------------ how much? */

static void enter(unsigned int from, unsigned int port, const char *server,
		  unsigned int to)
{
	netns_run("conntrack -I -p tcp -s 198.51.100.7 -d 203.0.113.5 --sport %u --dport "
		  "%u -r %s -q 198.51.100.7 --reply-port-src %u --reply-port-dst %u "
		  "--state ESTABLISHED -t 100 -u ASSURED 2>/dev/null",
		  from, port, server, to, from);
}

Test(counts, connections_are_those_of_the_mapping)
{
	struct mapping_state state;

	open_gateway(NET);
	ask("+tcp 9000-9003 192.168.1.10:8000 wide\n+tcp 22 192.168.1.10:22 single");
	enter(1, 9000, "192.168.1.10", 8000);
	enter(2, 9003, "192.168.1.10", 8003);
	enter(3, 9004, "192.168.1.10", 8004);
	enter(4, 9001, "192.168.1.66", 8001);
	state = state_of("wide");
	cr_expect_eq(state.connections, 2, "%ld", state.connections);
	cr_expect_eq(state.total, 0, "by the elements' counters: %ld", state.total);
	cr_expect_eq(state.bytes_in, -1, "nobody counts");
	cr_expect_eq(state_of("single").connections, 0);
}

/* A datagram of the gateway's own, translated as a forward would. */
static void send_one(void)
{
	netns_run("printf 0123456789 | socat -t0 - "
		  "UDP4-SENDTO:203.0.113.5:8080,sourceport=4001 2>/dev/null; true");
}

static void translate(void)
{
	netns_run("nft 'add table ip t; add chain ip t o { type nat hook output priority "
		  "-100; }; add rule ip t o ip daddr 203.0.113.5 udp dport 8080 dnat to "
		  "192.168.1.10:80'");
}

static void end_it(void)
{
	netns_run("conntrack -D -p udp --orig-port-src 4001 >/dev/null 2>&1");
	while (sd_event_run(event, 200000) > 0)
		;
}

Test(counts, what_was_carried_survives_the_end_and_a_restart)
{
	struct mapping_state state;

	open_gateway(NET "accounting = yes\n");
	ask("+udp 8080 192.168.1.10:80 web");
	translate();
	send_one();
	state = state_of("web");
	cr_expect_eq(state.connections, 1);
	cr_expect_eq(state.total, 1);
	cr_expect_eq(state.bytes_in, 38, "%ld", state.bytes_in);
	cr_expect_eq(state.bytes_out, 0);
	end_it();
	send_one();
	state = state_of("web");
	cr_expect_eq(state.connections, 1);
	cr_expect_eq(state.total, 2, "%ld", state.total);
	cr_expect_eq(state.bytes_in, 76, "%ld", state.bytes_in);
	counts_free(TAKE(counts));
	gateway_close(TAKE(gw));
	open_gateway(NET "accounting = yes\n");
	state = state_of("web");
	cr_expect_eq(state.total, 2, "%ld", state.total);
	cr_expect_eq(state.bytes_in, 76, "%ld", state.bytes_in);
}

/* The one in its place begins at nothing. */
Test(counts, figures_go_with_their_mapping)
{
	struct mapping_state state;

	open_gateway(NET "accounting = yes\n");
	ask("+udp 8080 192.168.1.10:80 web");
	translate();
	send_one();
	end_it();
	cr_expect_eq(state_of("web").total, 1);
	ask("-udp 8080\n+udp 8080 192.168.1.10:80 web");
	state = state_of("web");
	cr_expect_eq(state.total, 0, "%ld", state.total);
	cr_expect_eq(state.bytes_in, 0);
}

Test(counts, without_accounting_nothing_is_switched_on)
{
	open_gateway(NET);
	netns_run("test $(cat /proc/sys/net/netfilter/nf_conntrack_acct) = 0");
	netns_run("test $(cat /proc/sys/net/netfilter/nf_conntrack_timestamp) = 0");
}

/* ------------------------------------------------------------ connections */

static size_t n_told;

static int tell(void *userdata, const struct mapping *m, const struct connection *c)
{
	struct connection *ret = userdata;

	ret[n_told++] = *c;
	return 0;
}

Test(counts, connections_are_told_and_ended)
{
	struct connection told[8];
	size_t ended;

	open_gateway(NET);
	ask("+tcp 9000-9003 192.168.1.10:8000 wide");
	enter(1, 9000, "192.168.1.10", 8000);
	enter(2, 9003, "192.168.1.10", 8003);
	enter(3, 9004, "192.168.1.10", 8004);
	n_told = 0;
	cr_assert_eq(gateway_connections(gw, tell, told), 0);
	cr_assert_eq(n_told, 2);
	cr_assert_eq(gateway_end_connections(gw, told, 2, &ended), 0);
	cr_expect_eq(ended, 2);
	n_told = 0;
	cr_assert_eq(gateway_connections(gw, tell, told), 0);
	cr_expect_eq(n_told, 0);
}
