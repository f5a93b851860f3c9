/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/ending.h"
#include "tests/fake/parts.h"

static struct table *table;
static struct engine *engine;
static struct in6_addr wan[1];
static int route_by_wan = 1;

/* What became of the last requests, in order of their answers. */
static struct seen {
	char cure[256];
	bool refused;
	enum verdict verdict;
	size_t ended, results;
	bool pending;
	bool fault;
} seen[16];
static size_t n_seen;

static struct address_list wan_addresses(void *userdata)
{
	return (struct address_list){ .addrs = wan, .n = 1 };
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	return route_by_wan;
}

static uint8_t asked_for_listeners;

static void conditions(void *userdata, uint8_t listeners, struct conditions *ret)
{
	asked_for_listeners = listeners;
	*ret = (struct conditions){
		.now = 1000,
		.lease_now = 5000,
		.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP,
	};
}

static int resync(void *userdata, struct ruleset_fault *why)
{
	fake.resyncs++;
	fake.kernel = (int)table_size(table);
	fake.kernel_sequence = fake.store_sequence;
	return 0;
}

/* Effects of the plans that were told to be in force; answers when it was told last. */
static size_t n_told, n_seen_when_told;

static void committed(void *userdata, const struct plan *plan)
{
	n_told += plan_size(plan);
	cr_expect_not(fake.transaction);
	cr_expect_eq((size_t)fake.store, table_size(table), "told before it was so");
	n_seen_when_told = n_seen;
}

static void set_up(void)
{
	static const uint8_t seed[16] = { 1 };
	const struct engine_parts parts_with = {
		.table = table = table_new(100, seed),
		.conditions = conditions,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.resync = resync,
		.committed = committed,
	};

	log_level(LOG_EMERG);
	fake = (struct fake_parts){ 0 };
	n_seen = n_told = 0;
	cr_assert_eq(address_parse("203.0.113.5", &wan[0]), 0);
	cr_assert_eq(engine_new(&parts_with, &engine), 0);
}

static void tear_down(void)
{
	engine_free(engine);
	table_free(table);
}

TestSuite(engine, .init = set_up, .fini = tear_down);

static void on_answer(void *userdata, const struct answer *answer)
{
	struct seen *s = &seen[n_seen++];

	if (answer->problem) {
		*s = (struct seen){ .fault = true, .verdict = answer->problem->verdict };
		snprintf(s->cure, sizeof(s->cure), "%s", answer->problem->cure);
		return;
	}
	s->fault = false;
	s->refused = plan_refused(answer->plan, answer->request);
	s->verdict = plan_results(answer->plan, answer->request, &s->results)->verdict;
	s->ended = answer->ended;
	s->pending = answer->pending;
}

static void put_add(struct change_list *list, uint16_t port, const char *internal)
{
	struct change add = { .kind = CHANGE_ADD, .protocols = PROTOCOL_BIT_TCP };

	add.mapping.enabled = true;
	add.mapping.origin = ORIGIN_ADMIN;
	add.mapping.external.port = port;
	cr_assert_eq(endpoint_parse(internal, &add.mapping.internal), 0);
	mapping_resolve(&add.mapping);
	cr_assert_eq(change_list_add(list, &add), 0);
}

static void put_remove(struct change_list *list, uint16_t port)
{
	struct change remove = {
		.kind = CHANGE_REMOVE,
		.selector = { .protocol = IPPROTO_TCP, .port = port },
	};

	cr_assert_eq(change_list_add(list, &remove), 0);
}

static void submit_add(uint16_t port, const char *internal)
{
	struct change_list list = { 0 };

	put_add(&list, port, internal);
	cr_assert_eq(engine_submit(engine, &list, on_answer, NULL), 0);
	cr_assert_eq(list.n, 0, "the list is taken over");
}

static const struct seen *add(uint16_t port, const char *internal)
{
	submit_add(port, internal);
	engine_turn(engine);
	return &seen[n_seen - 1];
}

static void submit_remove(uint16_t port)
{
	struct change_list list = { 0 };

	put_remove(&list, port);
	cr_assert_eq(engine_submit(engine, &list, on_answer, NULL), 0);
}

static const struct seen *take_away(uint16_t port)
{
	submit_remove(port);
	engine_turn(engine);
	return &seen[n_seen - 1];
}

static void expect_everywhere(int n)
{
	cr_expect_eq(fake.store, n, "store holds %d", fake.store);
	cr_expect_eq(fake.kernel, n, "kernel holds %d", fake.kernel);
	cr_expect_eq((int)table_size(table), n, "table holds %zu", table_size(table));
	cr_expect_not(fake.transaction, "a transaction is left open");
	cr_expect(fake.kernel_sequence <= fake.store_sequence + 1);
}

Test(engine, a_change_reaches_store_kernel_and_table)
{
	cr_expect_eq(add(8080, "192.168.1.10:80")->verdict, VERDICT_ADDED);
	expect_everywhere(1);
	cr_expect_eq(fake.kernel_sequence, fake.store_sequence);
}

Test(engine, who_listens_is_asked_where_a_port_of_the_wan_may_be_taken)
{
	add(8080, "192.168.1.10:80");
	cr_expect_eq(asked_for_listeners, PROTOCOL_BIT_TCP);
	take_away(8080);
	cr_expect_not(asked_for_listeners);
}

Test(engine, a_refusal_touches_nothing)
{
	add(8080, "192.168.1.10:80");
	cr_expect_eq(add(8080, "192.168.1.66:80")->verdict, VERDICT_CONFLICT);
	cr_expect_eq(fake.applies, 1, "the kernel was not asked");
	expect_everywhere(1);
}

Test(engine, one_turn_is_one_transaction_whatever_the_number_of_requests)
{
	submit_add(1001, "192.168.1.10:80");
	submit_add(1002, "192.168.1.10:80");
	submit_add(1003, "192.168.1.10:80");
	engine_turn(engine);
	cr_expect_eq(n_seen, 3);
	cr_expect_eq(fake.applies, 1);
	cr_expect_eq(fake.store_sequence, 1);
	expect_everywhere(3);
}

Test(engine, one_requests_refusal_is_not_anothers)
{
	submit_add(1001, "192.168.1.10:80");
	submit_add(1001, "192.168.1.66:80");
	submit_add(1003, "192.168.1.10:80");
	engine_turn(engine);
	cr_expect_eq(seen[0].verdict, VERDICT_ADDED);
	cr_expect_eq(seen[1].verdict, VERDICT_CONFLICT);
	cr_expect_eq(seen[2].verdict, VERDICT_ADDED);
	expect_everywhere(2);
}

Test(engine, a_list_is_all_or_nothing)
{
	struct change_list list = { 0 };

	put_add(&list, 1001, "192.168.1.10:80");
	put_add(&list, 1001, "192.168.1.11:80");
	cr_assert_eq(engine_submit(engine, &list, on_answer, NULL), 0);
	engine_turn(engine);
	cr_expect(seen[0].refused);
	expect_everywhere(0);
}

Test(engine, a_full_disk_changes_nothing)
{
	fake.fail_begin = ENOSPC;
	cr_expect(add(8080, "192.168.1.10:80")->fault);
	cr_expect_eq(seen[0].verdict, VERDICT_FAULT);
	expect_everywhere(0);
	fake.fail_begin = 0;
	cr_expect_eq(add(8080, "192.168.1.10:80")->verdict, VERDICT_ADDED);
}

Test(engine, what_the_store_refuses_comes_with_its_cure)
{
	static const struct {
		int error;
		const char *cure;
	} cases[] = {
		{ ENOSPC, "Make room" },	 { EROFS, "writable" },
		{ EBUSY, "has natd.db locked" }, { ENOENT, "moved or deleted" },
		{ EIO, "natd's log" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake.fail_begin = cases[i].error;
		cr_expect(add(8080, "192.168.1.10:80")->fault);
		cr_expect(strstr(seen[n_seen - 1].cure, cases[i].cure), "%zu: %s", i,
			  seen[n_seen - 1].cure);
	}
	expect_everywhere(0);
}

Test(engine, a_kernel_that_refuses_changes_nothing)
{
	fake.fail_apply = EEXIST;
	cr_expect(add(8080, "192.168.1.10:80")->fault);
	expect_everywhere(0);
}

Test(engine, what_the_kernel_refuses_as_a_whole_is_tried_one_by_one)
{
	fake.apply_fails_above = 1;
	submit_add(1001, "192.168.1.10:80");
	submit_add(1002, "192.168.1.10:80");
	engine_turn(engine);
	cr_expect_eq(seen[0].verdict, VERDICT_ADDED);
	cr_expect_eq(seen[1].verdict, VERDICT_ADDED);
	cr_expect_eq(fake.store_sequence, 2);
	expect_everywhere(2);
}

Test(engine, a_table_that_somebody_deleted_is_put_back_and_the_change_made)
{
	fake.stale_once = 1;
	cr_expect_eq(add(8080, "192.168.1.10:80")->verdict, VERDICT_ADDED);
	cr_expect_eq(fake.resyncs, 1);
	expect_everywhere(1);
}

Test(engine, a_commit_that_failed_but_reached_the_disk_is_a_yes)
{
	fake.fail_commit = EIO;
	fake.commit_happened = true;
	cr_expect_eq(add(8080, "192.168.1.10:80")->verdict, VERDICT_ADDED);
	expect_everywhere(1);
}

Test(engine, a_commit_that_failed_is_taken_back_from_the_kernel)
{
	fake.fail_commit = EIO;
	cr_expect(add(8080, "192.168.1.10:80")->fault);
	cr_expect_eq(seen[0].verdict, VERDICT_FAULT);
	expect_everywhere(0);
}

Test(engine, takes_nothing_while_the_outcome_is_unknown)
{
	fake.fail_commit = fake.fail_reopen = EIO;
	cr_expect_eq(add(8080, "192.168.1.10:80")->verdict, VERDICT_UNKNOWN);
	cr_expect(engine_is_stuck(engine));
	cr_expect_eq(add(22, "192.168.1.10:22")->verdict, VERDICT_BUSY);
	expect_everywhere(0);
}

Test(engine, an_outcome_that_turns_out_a_yes_is_in_force_everywhere)
{
	fake.fail_commit = fake.fail_reopen = EIO;
	fake.commit_happened = true;
	add(8080, "192.168.1.10:80");
	fake.fail_reopen = 0;
	cr_expect_eq(add(22, "192.168.1.10:22")->verdict, VERDICT_ADDED);
	cr_expect_not(engine_is_stuck(engine));
	expect_everywhere(2);
}

Test(engine, an_outcome_that_turns_out_a_no_is_nowhere)
{
	fake.fail_commit = fake.fail_reopen = EIO;
	add(8080, "192.168.1.10:80");
	fake.fail_reopen = 0;
	cr_expect_eq(add(22, "192.168.1.10:22")->verdict, VERDICT_ADDED);
	expect_everywhere(1);
}

Test(engine, what_is_in_force_is_told_once_and_nothing_else_is)
{
	add(8080, "192.168.1.10:80");
	cr_expect_eq(n_told, 1);
	cr_expect_eq(n_seen_when_told, 0, "answered before it was told");
	add(8080, "192.168.1.10:80");
	add(8080, "192.168.1.11:80");
	cr_expect_eq(n_told, 1, "unchanged, or refused, and told");
	fake.fail_begin = ENOSPC;
	add(22, "192.168.1.10:22");
	fake.fail_begin = 0;
	fake.fail_apply = EEXIST;
	add(22, "192.168.1.10:22");
	fake.fail_apply = 0;
	fake.fail_commit = EIO;
	add(22, "192.168.1.10:22");
	cr_expect_eq(n_told, 1, "it did not happen, and was told");
	fake.fail_commit = fake.fail_reopen = EIO;
	fake.commit_happened = true;
	add(22, "192.168.1.10:22");
	cr_expect_eq(n_told, 1, "told while nobody knows");
	fake.fail_reopen = 0;
	engine_turn(engine);
	cr_expect_eq(n_told, 2);
}

Test(engine, open_requests_get_an_answer_when_it_ends)
{
	submit_add(8080, "192.168.1.10:80");
	engine_free(TAKE(engine));
	cr_expect_eq(n_seen, 1);
	cr_expect(seen[0].fault);
}

/* ------------------------------------------------------------ connections */

static struct connection *enter(const char *from, const char *dialled, const char *server)
{
	struct connection *c = &fake.entries[fake.n_entries++];

	*c = (struct connection){
		.protocol = IPPROTO_TCP,
		.id = (uint32_t)fake.n_entries,
		.status = strcmp(dialled, server) ? IPS_DST_NAT : 0,
	};
	cr_assert_eq(endpoint_parse(from, &c->orig_src), 0);
	cr_assert_eq(endpoint_parse(dialled, &c->orig_dst), 0);
	cr_assert_eq(endpoint_parse(server, &c->reply_src), 0);
	c->reply_dst = c->orig_src;
	return c;
}

Test(engine, a_removed_mappings_connections_are_ended_and_no_others)
{
	add(8080, "192.168.1.10:80");
	enter("198.51.100.7:1", "203.0.113.5:8080", "192.168.1.10:80");
	enter("198.51.100.8:1", "203.0.113.5:8080", "192.168.1.10:80");
	enter("198.51.100.8:2", "203.0.113.5:8081", "192.168.1.10:80");
	enter("198.51.100.8:3", "203.0.113.5:22", "203.0.113.5:22");
	enter("192.168.1.10:80", "198.51.100.9:8080", "198.51.100.9:8080");
	cr_expect_eq(take_away(8080)->ended, 2);
	cr_expect_eq(fake.n_entries, 3);
	cr_expect_eq(fake.n_barred, 2, "%zu", fake.n_barred);
	cr_expect_eq(fake.endings_done, 2);
}

Test(engine, what_met_no_mapping_is_ended_when_one_is_added)
{
	enter("198.51.100.7:1", "203.0.113.5:8080", "203.0.113.5:8080");
	cr_expect_eq(add(8080, "192.168.1.10:80")->ended, 1);
	cr_expect_eq(fake.n_entries, 0);
	cr_expect_eq(fake.n_barred, 0, "the gateway itself is not barred");
}

Test(engine, a_mapping_that_stays_the_same_keeps_its_connections)
{
	struct change_list list = { 0 };

	add(8080, "192.168.1.10:80");
	enter("198.51.100.7:1", "203.0.113.5:8080", "192.168.1.10:80");
	put_remove(&list, 8080);
	put_add(&list, 8080, "192.168.1.10:80");
	cr_assert_eq(engine_submit(engine, &list, on_answer, NULL), 0);
	engine_turn(engine);
	cr_expect_eq(fake.n_entries, 1);
}

Test(engine, a_changed_mappings_connections_are_ended)
{
	struct change_list list = { 0 };

	add(8080, "192.168.1.10:80");
	enter("198.51.100.7:1", "203.0.113.5:8080", "192.168.1.10:80");
	put_remove(&list, 8080);
	put_add(&list, 8080, "192.168.1.11:80");
	cr_assert_eq(engine_submit(engine, &list, on_answer, NULL), 0);
	engine_turn(engine);
	cr_expect_eq(seen[n_seen - 1].ended, 1);
	cr_expect_eq(fake.n_entries, 0);
}

Test(engine, a_pinholes_connections_are_ended_when_they_came_by_a_wan)
{
	add(443, "[2001:db8:1::10]:443");
	enter("[2001:db8:f::9]:1", "[2001:db8:1::10]:443", "[2001:db8:1::10]:443");
	route_by_wan = 0;
	cr_expect_eq(take_away(443)->ended, 0, "it came from another LAN");
	add(443, "[2001:db8:1::10]:443");
	route_by_wan = 1;
	cr_expect_eq(take_away(443)->ended, 1);
	cr_expect_eq(fake.n_barred, 1);
}

Test(engine, connections_that_could_not_be_ended_are_remembered)
{
	add(8080, "192.168.1.10:80");
	enter("198.51.100.7:1", "203.0.113.5:8080", "192.168.1.10:80");
	fake.endings_done = 0;
	fake.fail_delete = EBUSY;
	cr_expect_eq(take_away(8080)->verdict, VERDICT_REMOVED);
	cr_expect_eq(fake.endings_done, 0);
	fake.fail_delete = 0;
	fake.fail_dump = ENOMEM;
	add(22, "192.168.1.10:22");
	cr_expect_eq(fake.endings_done, 0);
}

/* Of a turn's requests those that changed something. */
Test(engine, the_answer_says_that_connections_could_not_be_ended)
{
	add(8080, "192.168.1.10:80");
	enter("198.51.100.7:1", "203.0.113.5:8080", "192.168.1.10:80");
	fake.fail_delete = EBUSY;
	n_seen = 0;
	submit_remove(8080);
	submit_add(22, "192.168.1.10:22");
	submit_remove(9);
	engine_turn(engine);
	cr_assert_eq(n_seen, 3);
	cr_expect(seen[0].pending && !seen[0].ended);
	cr_expect(seen[1].pending);
	cr_expect_not(seen[2].pending, "it was refused");
	fake.fail_delete = 0;
	cr_expect_not(add(23, "192.168.1.10:23")->pending);
	cr_expect_eq(fake.n_entries, 0);
}

Test(engine, the_connections_of_a_lost_address_are_ended)
{
	const struct engine_parts parts_with = { .table = table };
	const struct address_list lost = { .addrs = wan, .n = 1 };
	struct connection *masqueraded;
	size_t ended;

	masqueraded = enter("192.168.1.10:5000", "198.51.100.7:53", "198.51.100.7:53");
	cr_assert_eq(endpoint_parse("203.0.113.5:5000", &masqueraded->reply_dst), 0);
	enter("198.51.100.7:1", "203.0.113.5:8080", "192.168.1.10:80");
	enter("203.0.113.5:1", "198.51.100.7:53", "198.51.100.7:53");
	cr_expect_eq(ending_of_address(&parts_with, &lost, &ended), 0);
	cr_expect_eq(ended, 2);
	cr_expect_eq(fake.n_entries, 1, "the gateway's own is left");
}
