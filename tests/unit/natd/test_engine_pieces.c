/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdio.h>
#include <string.h>

#include "../core/make.h"
#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/ending.h"
#include "tests/fake/parts.h"

/* Connections that are ended while the loop goes on, by the real table and engine. */

static struct table *table;
static struct engine *engine;
static struct in6_addr wan[1];
static struct ending_memory memory;
static sd_event *event;
static size_t told;

static struct {
	bool answered, fault, pending;
	size_t ended;
} said[8];

static struct address_list wan_addresses(void *userdata)
{
	return (struct address_list){ .addrs = wan, .n = 1 };
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	return 1;
}

static void conditions(void *userdata, uint8_t listeners, struct conditions *ret)
{
	*ret = ordinary;
}

static int resync(void *userdata, struct ruleset_fault *why)
{
	return 0;
}

static void committed(void *userdata, const struct plan *plan)
{
	told += plan_size(plan);
}

static void open_engine(bool owed)
{
	const struct engine_parts parts = {
		.event = event,
		.table = table,
		.conditions = conditions,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.resync = resync,
		.committed = committed,
		.memory = &memory,
		.endings_owed = owed,
	};

	cr_assert_eq(engine_new(&parts, &engine), 0);
}

static void set_up(void)
{
	log_level(LOG_EMERG);
	fake = (struct fake_parts){ .missed = 4711 };
	memory = (struct ending_memory){ 0 };
	memset(said, 0, sizeof(said));
	told = 0;
	cr_assert_eq(address_parse("203.0.113.5", &wan[0]), 0);
	cr_assert_geq(sd_event_new(&event), 0);
	table = make_table(100);
	open_engine(false);
}

static void tear_down(void)
{
	engine_free(engine);
	table_free(table);
	sd_event_unref(event);
}

TestSuite(pieces, .init = set_up, .fini = tear_down, .timeout = 60);

static void on_answer(void *userdata, const struct answer *answer)
{
	size_t i = (size_t)(uintptr_t)userdata;

	said[i].answered = true;
	said[i].fault = answer->problem;
	said[i].ended = answer->ended;
	said[i].pending = answer->pending;
}

static void ask(size_t i, const char *text)
{
	struct change_list list = make_list(text);

	cr_assert_eq(engine_submit(engine, &list, on_answer, (void *)(uintptr_t)i), 0);
}

/* One turn of the loop. Return: did anything happen within @usec? */
static bool turn(uint64_t usec)
{
	int r = sd_event_run(event, usec);

	cr_assert_geq(r, 0);
	return r > 0;
}

static void run_until_answered(size_t i)
{
	for (int n = 0; n < 1000 && !said[i].answered; n++)
		turn(1000000);
	cr_assert(said[i].answered);
}

static struct connection *enter(uint16_t from, const char *dialled, const char *server)
{
	struct connection *c = &fake.entries[fake.n_entries++];

	*c = (struct connection){
		.protocol = IPPROTO_TCP,
		.id = (uint32_t)fake.n_entries,
		.status = IPS_DST_NAT | IPS_SEEN_REPLY | IPS_ASSURED,
	};
	cr_assert_eq(endpoint_parse("198.51.100.7:1", &c->orig_src), 0);
	c->orig_src.port = from;
	cr_assert_eq(endpoint_parse(dialled, &c->orig_dst), 0);
	cr_assert_eq(endpoint_parse(server, &c->reply_src), 0);
	c->reply_dst = c->orig_src;
	return c;
}

static void enter_web(size_t n)
{
	for (size_t i = 0; i < n; i++)
		enter((uint16_t)(1000 + i), "203.0.113.5:8080", "192.168.1.10:80");
}

Test(pieces, the_answer_waits_for_the_last_one)
{
	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(8);
	fake.slow = true;
	ask(1, "-tcp 8080");
	turn(0);
	cr_expect_eq(table_size(table), 0, "it is in force");
	cr_expect_not(said[1].answered);
	cr_expect_eq(told, 1, "told with the number of those ended");
	run_until_answered(1);
	cr_expect_eq(said[1].ended, 8, "%zu", said[1].ended);
	cr_expect_not(said[1].pending);
	cr_expect_eq(fake.n_entries, 0);
	cr_expect_eq(told, 2);
}

Test(pieces, changes_wait_and_are_made_in_their_order)
{
	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(8);
	fake.slow = true;
	ask(1, "-tcp 8080");
	turn(0);
	ask(2, "+tcp 8080 192.168.1.11:80");
	ask(3, "+tcp 22 192.168.1.11:22");
	turn(0);
	turn(0);
	cr_expect_eq(table_size(table), 0, "one plan at a time");
	run_until_answered(1);
	cr_expect_not(said[2].answered);
	run_until_answered(3);
	cr_expect(said[2].answered);
	cr_expect_eq(table_size(table), 2);
}

Test(pieces, others_are_served_between_them)
{
	struct engine_endings endings;
	int n = 0;

	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(10);
	fake.slow = true;
	ask(1, "-tcp 8080");
	turn(0);
	engine_endings(engine, &endings);
	cr_expect(endings.running);
	cr_expect_eq(endings.pending, 1);
	for (; !said[1].answered && n < 100; n++)
		turn(1000000);
	cr_expect_geq(n, 8, "only %d turns", n);
	engine_endings(engine, &endings);
	cr_expect_not(endings.running);
	cr_expect_eq(endings.pending, 0);
}

Test(pieces, a_kernel_that_is_busy_is_asked_again_by_itself)
{
	struct engine_endings endings;

	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(1);
	fake.fail_delete = EBUSY;
	ask(1, "-tcp 8080");
	run_until_answered(1);
	cr_expect(said[1].pending);
	cr_expect_not(said[1].fault, "it is in force all the same");
	engine_endings(engine, &endings);
	cr_expect_eq(endings.pending, 1);
	cr_expect(strstr(endings.problem, strerror(EBUSY)), "%s", endings.problem);
	fake.fail_delete = 0;
	for (int n = 0; n < 20 && fake.n_entries; n++)
		turn(1000000);
	cr_expect_eq(fake.n_entries, 0);
	engine_endings(engine, &endings);
	cr_expect_eq(endings.pending, 0);
	cr_expect_eq(endings.problem[0], 0, "%s", endings.problem);
}

Test(pieces, the_next_change_does_not_wait_for_that)
{
	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(1);
	fake.fail_dump = ENOBUFS;
	ask(1, "-tcp 8080");
	run_until_answered(1);
	cr_expect(said[1].pending);
	fake.fail_dump = 0;
	ask(2, "+tcp 22 192.168.1.10:22");
	run_until_answered(2);
	cr_expect_not(said[2].pending);
	cr_expect_eq(fake.n_entries, 0);
}

/* Five seconds: whoever waits has waited long enough. */
Test(pieces, a_kernel_that_does_not_answer_is_given_up)
{
	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(1);
	fake.waits = true;
	ask(1, "-tcp 8080");
	for (int n = 0; n < 10000 && !said[1].answered; n++)
		turn(1000000);
	cr_assert(said[1].answered);
	cr_expect(said[1].pending);
	cr_expect_eq(fake.given_up, 1);
	fake.waits = false;
	ask(2, "+tcp 22 192.168.1.10:22");
	run_until_answered(2);
	cr_expect_eq(fake.n_entries, 0);
}

Test(pieces, who_waits_when_natd_stops_is_told_that_it_may_go_on)
{
	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(8);
	fake.slow = true;
	ask(1, "-tcp 8080");
	turn(0);
	ask(2, "+tcp 22 192.168.1.10:22");
	engine_free(TAKE(engine));
	cr_expect(said[1].answered && said[1].pending);
	cr_expect(said[2].answered && said[2].fault);
	cr_expect_eq(table_size(table), 0);
}

Test(pieces, what_an_earlier_natd_owed_is_ended_unasked)
{
	ask(0, "+tcp 8080 192.168.1.10:80");
	run_until_answered(0);
	enter_web(1);
	fake.fail_dump = EIO;
	ask(1, "-tcp 8080");
	run_until_answered(1);
	engine_free(TAKE(engine));
	fake.fail_dump = 0;
	open_engine(true);
	for (int n = 0; n < 20 && fake.n_entries; n++)
		turn(1000000);
	cr_expect_eq(fake.n_entries, 0);
}

/* Its answers would be taken for those of the mapping's host. */
static struct connection *leave(const char *host, uint8_t protocol)
{
	struct connection *c = &fake.entries[fake.n_entries++];

	*c = (struct connection){
		.protocol = protocol,
		.id = (uint32_t)fake.n_entries,
		.status = IPS_SRC_NAT | IPS_SEEN_REPLY,
	};
	cr_assert_eq(endpoint_parse(host, &c->orig_src), 0);
	cr_assert_eq(endpoint_parse("198.51.100.7:53", &c->orig_dst), 0);
	c->reply_src = c->orig_dst;
	cr_assert_eq(endpoint_parse("203.0.113.5:8080", &c->reply_dst), 0);
	return c;
}

/* An addition that needs no look has one all the same, a while later. */
Test(pieces, another_host_does_not_keep_the_port_it_leaves_under)
{
	ask(0, "+udp 22 192.168.1.10:22");
	run_until_answered(0);
	leave("192.168.1.66:8080", IPPROTO_UDP);
	ask(1, "+udp 8080 192.168.1.10:8080");
	run_until_answered(1);
	cr_expect_eq(said[1].ended, 0, "no look was needed");
	for (int n = 0; n < 10 && fake.n_entries; n++)
		turn(1000000);
	cr_expect_eq(fake.n_entries, 0);
	cr_expect_eq(fake.n_barred, 0, "it may go on under another port");
}

Test(pieces, the_host_itself_may_leave_under_its_port)
{
	int before;

	ask(0, "+udp 22 192.168.1.10:22");
	run_until_answered(0);
	leave("192.168.1.10:8080", IPPROTO_UDP);
	ask(1, "+udp 8080 192.168.1.10:8080");
	run_until_answered(1);
	for (before = fake.dumps; fake.dumps == before;)
		cr_assert(turn(5000000), "no late look");
	cr_expect_eq(fake.n_entries, 1);
}
