/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/ending.h"
#include "tests/fake/alloc.h"
#include "tests/fake/parts.h"

/*
 * Every call that a turn of the engine makes fails in turn, with everything it can say,
 * once and for good: afterwards store, kernel, table and events agree with the answers.
 */

static struct table *table;
static struct engine *engine;
static struct in6_addr wan[1];
static uint64_t told; /* sum of the mappings, by the events */

static struct {
	bool answered, done;
	enum verdict verdict;
} said[2];

static struct address_list wan_addresses(void *userdata)
{
	return (struct address_list){ .addrs = wan, .n = 1 };
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	return 1;
}

static int is_local(void *userdata, const struct in6_addr *addr)
{
	return 0;
}

static uint64_t sum_of_table(void)
{
	const struct mapping *m;
	uint64_t sum = 0;

	table_for_each (table, m)
		sum += fake_sum(m);
	return sum;
}

static void conditions(void *userdata, uint8_t listeners, struct conditions *ret)
{
	*ret = (struct conditions){
		.now = 1000,
		.lease_now = 5000,
		.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP,
	};
}

static int resync(void *userdata, struct ruleset_fault *why)
{
	int r = fake_step();

	if (r < 0)
		return r;
	fake.resyncs++;
	fake.kernel = (int)table_size(table);
	fake.kernel_sum = sum_of_table();
	fake.kernel_sequence = fake.store_sequence;
	return 0;
}

static void committed(void *userdata, const struct plan *plan)
{
	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		told += effect->kind == CHANGE_ADD ? fake_sum(effect->mapping)
						   : -fake_sum(effect->mapping);
	}
}

static void on_answer(void *userdata, const struct answer *answer)
{
	size_t i = (size_t)(uintptr_t)userdata, n;

	said[i].answered = true;
	said[i].done = !answer->problem && !plan_refused(answer->plan, answer->request);
	said[i].verdict =
		answer->problem
			? answer->problem->verdict
			: plan_results(answer->plan, answer->request, &n)->verdict;
}

static void put(struct change_list *list, enum change_kind kind, uint16_t port)
{
	struct change change = { .kind = kind, .protocols = PROTOCOL_BIT_TCP };

	if (kind == CHANGE_ADD) {
		change.mapping =
			(struct mapping){ .enabled = true, .origin = ORIGIN_ADMIN };
		change.mapping.external.port = port;
		cr_assert_eq(endpoint_parse("192.168.1.10:80", &change.mapping.internal),
			     0);
		mapping_resolve(&change.mapping);
	} else {
		change.selector =
			(struct selector){ .protocol = IPPROTO_TCP, .port = port };
	}
	cr_assert_eq(change_list_add(list, &change), 0);
}

static void submit(size_t i, uint16_t remove, uint16_t add)
{
	struct change_list list = { 0 };
	int r;

	if (remove)
		put(&list, CHANGE_REMOVE, remove);
	if (add)
		put(&list, CHANGE_ADD, add);
	said[i].answered = false;
	r = engine_submit(engine, &list, on_answer, (void *)(uintptr_t)i);
	cr_assert_eq(r, 0);
}

static void enter(const char *dialled)
{
	struct connection *c = &fake.entries[fake.n_entries++];

	*c = (struct connection){ .protocol = IPPROTO_TCP,
				  .id = (uint32_t)fake.n_entries,
				  .status = IPS_DST_NAT };
	cr_assert_eq(endpoint_parse("198.51.100.7:1", &c->orig_src), 0);
	cr_assert_eq(endpoint_parse(dialled, &c->orig_dst), 0);
	cr_assert_eq(endpoint_parse("192.168.1.10:80", &c->reply_src), 0);
	c->reply_dst = c->orig_src;
}

/* A forward with a connection, and another. */
static void begin(void)
{
	static const uint8_t seed[16] = { 1 };
	const struct engine_parts parts = {
		.table = table = table_new(100, seed),
		.conditions = conditions,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.is_local = is_local,
		.resync = resync,
		.committed = committed,
	};

	log_level(LOG_EMERG);
	fake = (struct fake_parts){ 0 };
	told = 0;
	cr_assert_eq(address_parse("203.0.113.5", &wan[0]), 0);
	cr_assert_eq(engine_new(&parts, &engine), 0);
	submit(0, 0, 8080);
	submit(1, 0, 22);
	engine_turn(engine);
	cr_assert(said[0].done && said[1].done);
	enter("203.0.113.5:8080");
	fake.calls = 0;
}

static void end(void)
{
	engine_free(TAKE(engine));
	table_free(TAKE(table));
}

static void agree(const char *when, int nth, int error)
{
	uint64_t sum = sum_of_table();

	cr_expect_eq(fake.store_sum, sum, "%s %d, %s: the store", when, nth,
		     strerror(error));
	cr_expect_eq(fake.kernel_sum, sum, "%s %d, %s: the kernel", when, nth,
		     strerror(error));
	cr_expect_eq(told, sum, "%s %d, %s: the events", when, nth, strerror(error));
	cr_expect_not(fake.transaction, "%s %d: a transaction is left open", when, nth);
	cr_expect(fake.kernel_sequence <= fake.store_sequence + 1);
}

static bool has(uint16_t port)
{
	const struct endpoint external = { address_any4, port };

	return table_find(table, MAPPING_FORWARD4, IPPROTO_TCP, &external);
}

/* A request that was answered "done" is, one that was answered "fault" is not; one of
 * which nobody knows is, or is not, as a whole. */
static void answers_hold(int nth, int error)
{
	bool first = has(443) && !has(8080), second = has(993);

	cr_expect(said[0].answered && said[1].answered, "call %d: no answer", nth);
	cr_expect(first || (has(8080) && !has(443)), "call %d: half a list", nth);
	if (said[0].verdict != VERDICT_UNKNOWN)
		cr_expect_eq(said[0].done, first, "call %d, %s", nth, strerror(error));
	if (said[1].verdict != VERDICT_UNKNOWN)
		cr_expect_eq(said[1].done, second, "call %d, %s", nth, strerror(error));
}

/* The fault is over: the next change is taken, and by then all is as it should be. */
static void mended(int nth, int error)
{
	fake.fail_call = 0;
	submit(1, 22, 0);
	engine_turn(engine);
	cr_expect(said[1].done, "call %d, %s: nothing is taken any more", nth,
		  strerror(error));
	agree("after", nth, error);
	cr_expect_not(engine_is_stuck(engine));
	if (!has(8080))
		cr_expect_eq(fake.n_entries, 0,
			     "call %d, %s: the connection of a removed mapping lives",
			     nth, strerror(error));
}

/* Return: was there such a call? */
static bool fail_call(int nth, int error, bool lasts, bool happened)
{
	bool failed;

	begin();
	fake.fail_call = nth;
	fake.fail_errno = error;
	fake.fail_lasts = lasts;
	fake.commit_happened = happened;
	submit(0, 8080, 443);
	submit(1, 0, 993);
	engine_turn(engine);
	failed = fake.failed > 0;
	if (!lasts)
		agree("call", nth, error);
	if (!engine_is_stuck(engine))
		answers_hold(nth, error);
	mended(nth, error);
	end();
	return failed;
}

/* Return: did the second of two faults happen? */
static bool fail_twice(int nth, int also, bool happened)
{
	bool both;

	begin();
	fake.fail_call = nth;
	fake.fail_also = also;
	fake.fail_errno = EIO;
	fake.commit_happened = happened;
	submit(0, 8080, 443);
	submit(1, 0, 993);
	engine_turn(engine);
	both = fake.failed > 1;
	if (!engine_is_stuck(engine))
		answers_hold(nth, EIO);
	mended(nth, EIO);
	end();
	return both;
}

static void walk(int error)
{
	static const struct {
		bool lasts, happened;
	} ways[] = { { false, false }, { false, true }, { true, false }, { true, true } };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int nth = 1;

		while (fail_call(nth, error, ways[i].lasts, ways[i].happened))
			cr_assert_lt(++nth, 100);
		cr_expect_geq(nth, 5, "only %d calls", nth);
	}
}

TestSuite(engine_walk, .timeout = 60);

Test(engine_walk, the_store_the_kernel_or_the_disk_refuse_any_call)
{
	static const int errors[] = {
		/* the kernel's */
		EEXIST,
		ENOENT,
		ENFILE,
		ENOMEM,
		ENOBUFS,
		EPERM,
		EMSGSIZE,
		ESTALE,
		EINTR,
		/* the store's */
		ENOSPC,
		EROFS,
		EIO,
		EBUSY,
		EUCLEAN,
	};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		walk(errors[i]);
}

/* What mends one fault meets another. */
Test(engine_walk, any_two_calls_fail)
{
	for (int happened = 0; happened < 2; happened++)
		for (int nth = 1; nth < 12; nth++)
			for (int also = nth + 1; fail_twice(nth, also, happened); also++)
				cr_assert_lt(also, 100);
}

/* The commit failed, the store cannot be read for a while, and the kernel refuses too. */
Test(engine_walk, nobody_knows_for_a_while)
{
	for (int happened = 0; happened < 2; happened++) {
		begin();
		fake.fail_commit = fake.fail_reopen = EIO;
		fake.commit_happened = happened;
		submit(0, 8080, 443);
		engine_turn(engine);
		cr_expect_eq(said[0].verdict, VERDICT_UNKNOWN);
		cr_expect(engine_is_stuck(engine));
		submit(1, 0, 993);
		engine_turn(engine);
		cr_expect_eq(said[1].verdict, VERDICT_BUSY);
		cr_expect(has(8080) && !has(443) && !has(993));
		fake.fail_reopen = 0;
		fake.fail_call = 2; /* the first look goes well, what follows does not */
		fake.calls = 0;
		fake.fail_errno = EIO;
		engine_turn(engine);
		cr_expect_not(engine_is_stuck(engine));
		cr_expect_eq(has(443), happened);
		mended(happened, EIO);
		end();
	}
}

/* ------------------------------------------------------------ no memory */

/* Return: was there such an allocation? */
static bool starve(unsigned int nth)
{
	bool failed;

	begin();
	submit(0, 8080, 443);
	submit(1, 0, 993);
	alloc_fail_at(nth, false);
	engine_turn(engine);
	failed = alloc_fail_at(0, false) > 0;
	agree("allocation", (int)nth, ENOMEM);
	answers_hold((int)nth, ENOMEM);
	mended((int)nth, ENOMEM);
	end();
	return failed;
}

Test(engine_walk, any_allocation_of_a_turn_fails)
{
	unsigned int nth = 1;

	while (starve(nth))
		cr_assert_lt(++nth, 200);
	cr_expect_gt(nth, 10, "only %u allocations", nth);
}

static bool starve_submission(unsigned int nth)
{
	struct change_list list = { 0 };
	bool failed;
	int r;

	begin();
	put(&list, CHANGE_ADD, 993);
	alloc_fail_at(nth, false);
	r = engine_submit(engine, &list, on_answer, (void *)1);
	failed = alloc_fail_at(0, false) > 0;
	cr_expect_eq(r, failed ? -ENOMEM : 0);
	cr_expect_eq(list.n, 0, "the list is taken over all the same");
	end();
	return failed;
}

Test(engine_walk, a_request_for_which_there_is_no_memory_is_none)
{
	cr_expect(starve_submission(1));
	cr_expect_not(starve_submission(2));
}
