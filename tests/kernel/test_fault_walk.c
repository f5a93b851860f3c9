/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The engine with a real store on a disk that fails, and a real table in a kernel that
 * refuses: the first, the second, ... step of a change fails until there is none left to
 * fail. Afterwards store, kernel, table, events and answer say the same.
 */

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/engine.h"
#include "tests/fake/alloc.h"
#include "tests/fake/fault_vfs.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

static char dir[64] = "/tmp/natd-walk-XXXXXX";
static struct store *store;
static struct conntrack *conntrack;
static struct engine *engine;
static int64_t told; /* mappings, by the events */

static struct {
	bool answered, done;
	enum verdict verdict;
} said;

static struct address_list wan_addresses(void *userdata)
{
	return addresses.wan;
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	return 1;
}

static int is_local(void *userdata, const struct in6_addr *addr)
{
	return 0;
}

static void conditions(void *userdata, uint8_t listeners, struct conditions *ret)
{
	*ret = ordinary;
}

static int resync(void *userdata, struct ruleset_fault *why)
{
	struct ruleset_report report;

	return ruleset_sync(rs, &options, &addresses, table, store_sequence(store), NULL,
			    NULL, &report, why);
}

static void committed(void *userdata, const struct plan *plan)
{
	for (size_t i = 0; i < plan_size(plan); i++)
		told += (plan_effect_at(plan, i)->kind == CHANGE_ADD) -
			(plan_effect_at(plan, i)->kind == CHANGE_REMOVE);
}

static void set_up(void)
{
	const struct engine_parts parts = {
		.conditions = conditions,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.is_local = is_local,
		.resync = resync,
		.committed = committed,
	};
	struct engine_parts with = parts;
	struct ruleset_fault fault;
	struct store_fault why;

	fixture_enter();
	log_level(LOG_EMERG);
	fault_vfs_install();
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(store_open(dir, &store, &why), 0);
	cr_assert_eq(store_load(store, table, &why), 0);
	cr_assert_eq(conntrack_open(&conntrack), 0);
	cr_assert_eq(resync(NULL, &fault), 0, "%s", fault.text);
	with.table = table;
	with.store = store;
	with.ruleset = rs;
	with.conntrack = conntrack;
	cr_assert_eq(engine_new(&with, &engine), 0);
}

static void tear_down(void)
{
	engine_free(engine);
	conntrack_close(conntrack);
	store_close(store);
	fixture_leave();
	netns_run("rm -r %s", dir);
}

TestSuite(fault_walk, .init = set_up, .fini = tear_down, .timeout = 200);

/* ------------------------------------------------------------ asking */

static void on_answer(void *userdata, const struct answer *answer)
{
	said.answered = true;
	said.done = !answer->problem && !plan_refused(answer->plan, answer->request);
	said.verdict = answer->problem ? answer->problem->verdict : VERDICT_ADDED;
}

static bool has(uint16_t port)
{
	const struct endpoint external = { address_any4, port };

	return table_find(table, MAPPING_FORWARD4, IPPROTO_TCP, &external);
}

/* "here" wanders between the ports 1000 and 2000; each time something else goes along. */
static void submit(void)
{
	struct change_list list =
		has(1000)   ? make_list("-tcp 1000\n-six\n+tcp 2000 10.0.0.1:80 here\n"
					  "~wide: to=10.0.0.3:8000\n"
					  "+udp 25 10.0.0.1:25 some from=198.51.100.0/24")
		: has(2000) ? make_list("-tcp 2000\n+tcp 1000 10.0.0.2:80 here\n"
					"+tcp 443 [2001:db8:1::10]:443 six\n"
					"~wide: off\n-some\n~wide: on")
			    : make_list("+tcp 1000 10.0.0.2:80 here\n"
					"+tcp 443 [2001:db8:1::10]:443 six\n"
					"+tcp 9000-9003 10.0.0.2:8000 wide");

	said.answered = false;
	cr_assert_eq(engine_submit(engine, &list, on_answer, NULL), 0);
}

static void change(void)
{
	submit();
	engine_turn(engine);
}

/* ------------------------------------------------------------ comparing */

static size_t in_kernel;

static const struct mapping *mapping_of(const struct ruleset_slot *slot)
{
	if (slot->kind == MAPPING_FORWARD4_FROM)
		return table_restricted(table, PRESENT, slot->kind, slot->protocol,
					&slot->external, NULL);
	return table_find(table, slot->kind, slot->protocol, &slot->external);
}

static void on_element(void *userdata, const struct ruleset_slot *slot)
{
	const struct mapping *m = mapping_of(slot);
	uint16_t offset = m ? slot->external.port - m->external.port : 0;

	in_kernel++;
	cr_expect(m && address_equal(&m->host, &slot->internal.addr) &&
			  m->internal.port + offset == slot->internal.port,
		  "the kernel has %s %u, and the table does not",
		  protocol_name(slot->protocol), slot->external.port);
}

static size_t slots_of_table(void)
{
	const struct mapping *m;
	size_t n = 0;

	table_for_each (table, m)
		n += mapping_is_live(m) ? mapping_slots(m) : 0;
	return n;
}

static int on_row(void *userdata, int n, char **values, char **names)
{
	const struct mapping *m = table_find_id(table, strtoull(values[0], NULL, 10));

	++*(size_t *)userdata;
	cr_expect(m && m->external.port == atoi(values[1]),
		  "the store has %s, and the table does not", values[0]);
	return 0;
}

static void agree(const char *when, unsigned int nth)
{
	char path[128];
	size_t rows = 0;
	sqlite3 *db;

	in_kernel = 0;
	cr_assert_eq(ruleset_elements(rs, on_element, NULL), 0);
	cr_expect_eq(in_kernel, slots_of_table(), "%s %u: %zu in the kernel, %zu here",
		     when, nth, in_kernel, slots_of_table());
	snprintf(path, sizeof(path), "%s/natd.db", dir);
	cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "SELECT id, external_port FROM mapping", on_row,
				  &rows, NULL),
		     SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	cr_expect_eq(rows, table_size(table), "%s %u: %zu in the store, %zu here", when,
		     nth, rows, table_size(table));
	cr_expect_eq(told, (int64_t)table_size(table), "%s %u: the events say %lld", when,
		     nth, (long long)told);
}

/* The fault is over. What was answered holds; after a @single one all agree already, and
 * with the next change, which is taken, in any case. */
static void mended(const char *when, unsigned int nth, bool was_at_1000, bool single)
{
	bool moved;

	cr_assert(said.answered);
	if (engine_is_stuck(engine))
		engine_turn(engine);
	cr_assert_not(engine_is_stuck(engine), "%s %u", when, nth);
	moved = has(1000) != was_at_1000;
	if (said.verdict != VERDICT_UNKNOWN)
		cr_expect_eq(said.done, moved, "%s %u: done %d, and moved %d", when, nth,
			     said.done, moved);
	cr_expect(has(1000) != has(2000));
	if (single)
		agree(when, nth);
	change();
	cr_expect(said.done, "%s %u: nothing is taken any more", when, nth);
	agree(when, nth);
}

/* ------------------------------------------------------------ the disk */

static bool fail_disk(unsigned int nth, bool lasts, bool happens)
{
	bool at_1000 = has(1000), failed;

	fault_vfs_arm(nth, lasts, happens);
	fault_vfs.reads = true;
	change();
	failed = fault_vfs.failed > 0;
	fault_vfs_arm(0, false, false);
	mended("step", nth, at_1000, !lasts);
	return failed;
}

Test(fault_walk, every_step_of_the_disk)
{
	static const struct {
		bool lasts, happens;
	} ways[] = { { false, false }, { true, false }, { false, true }, { true, true } };

	change();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		unsigned int nth = 1;

		while (fail_disk(nth, ways[i].lasts, ways[i].happens))
			cr_assert_lt(++nth, 300);
		cr_expect_gt(nth, 3, "only %u steps", nth);
	}
}

/* ------------------------------------------------------------ the kernel */

static const int errors[] = { EEXIST,  ENOENT, ENFILE,	 ENOMEM,
			      ENOBUFS, EPERM,  EMSGSIZE, EIO };

static bool fail_send(unsigned int nth, int error)
{
	bool at_1000 = has(1000), met;

	faulty_send_fails(nth, error);
	change();
	met = faulty_met();
	faulty_send_fails(0, 0);
	mended("send", nth, at_1000, true);
	return met;
}

static bool refuse_send(unsigned int nth, int error)
{
	bool at_1000 = has(1000), met;

	faulty_send_refused(nth, error);
	change();
	met = faulty_met();
	faulty_send_refused(0, 0);
	faulty_answer(0);
	mended("transaction", nth, at_1000, true);
	return met;
}

static bool fail_receive(unsigned int nth, int error)
{
	bool at_1000 = has(1000);

	faulty_receive_fails(nth, error);
	change();
	faulty_receive_fails(0, 0);
	mended("receive", nth, at_1000, true);
	return nth < 12;
}

static void walk(bool (*fail)(unsigned int nth, int error))
{
	unsigned int nth;

	change();
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		for (nth = 1; fail(nth, errors[i]); nth++)
			cr_assert_lt(nth, 100);
		cr_expect_gt(nth, 2, "%s: only %u", strerror(errors[i]), nth);
	}
}

Test(fault_walk, every_message_that_cannot_be_sent)
{
	walk(fail_send);
}

Test(fault_walk, every_transaction_that_the_kernel_refuses)
{
	walk(refuse_send);
}

Test(fault_walk, every_answer_that_is_lost)
{
	walk(fail_receive);
}

/* ------------------------------------------------------------ memory */

static bool starve(unsigned int nth, bool lasts)
{
	bool at_1000 = has(1000), failed;

	submit();
	alloc_fail_at(nth, lasts);
	engine_turn(engine);
	failed = alloc_fail_at(0, false) > 0;
	mended("allocation", nth, at_1000, !lasts);
	return failed;
}

Test(fault_walk, every_allocation_of_a_change)
{
	change();
	for (int lasts = 0; lasts < 2; lasts++) {
		unsigned int nth = 1;

		while (starve(nth, lasts))
			cr_assert_lt(++nth, 2000);
		cr_expect_gt(nth, 10, "only %u allocations", nth);
	}
}

/* A whole table is written, and then compared: with too little memory nothing is half
 * done, and when there is enough all is. */
static bool starve_sync(unsigned int nth, bool anew)
{
	struct ruleset_report report = { 0 };
	struct ruleset_fault why;
	bool failed;
	int r;

	if (anew)
		cr_assert_eq(ruleset_delete(rs), 0);
	alloc_fail_at(nth, false);
	r = ruleset_sync(rs, &options, &addresses, table, store_sequence(store), NULL,
			 NULL, &report, &why);
	failed = alloc_fail_at(0, false) > 0;
	cr_expect(r == 0 || (failed && r == -ENOMEM), "allocation %u: %d, %s", nth, r,
		  why.text);
	cr_assert_eq(resync(NULL, &why), 0, "allocation %u: %s", nth, why.text);
	agree("allocation", nth);
	cr_assert_eq(ruleset_sync(rs, &options, &addresses, table, store_sequence(store),
				  NULL, NULL, &report, &why),
		     0);
	cr_expect(!report.created && !report.replaced && !report.rewritten &&
			  !report.added && !report.removed && !report.other,
		  "allocation %u: not all was put right", nth);
	return failed;
}

Test(fault_walk, every_allocation_of_a_comparison)
{
	change();
	for (int anew = 0; anew < 2; anew++) {
		unsigned int nth = 1;

		while (starve_sync(nth, anew))
			cr_assert_lt(nth++, 20000);
		cr_expect_gt(nth, 50, "only %u allocations", nth);
	}
}
