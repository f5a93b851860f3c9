/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The table against a model, under random requests. NATD_TEST_LONG=1 asks for a million
 * plans, NATD_TEST_SEED repeats a run.
 */

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "make.h"
#include "random_world.h"

#define PLANS	   10000
#define PLANS_LONG 1000000
#define CAPACITY   28
#define REQUESTS   4
/* packets that are compared each time */
#define PACKETS 20

/* how often each verdict was met: a run that never met one has not tested it */
static size_t met[VERDICT_COUNT];

TestSuite(model, .init = world_set_up, .fini = world_tear_down);

/* --------------------------------------------------------------- what is there */

static void expect_same_mapping(const struct mapping *is, const struct mapping *want)
{
	const struct endpoint at = want->external;

	check(is);
	check(is->id == want->id && is->protocol == want->protocol);
	check(endpoint_equal(&is->external, &at));
	check(endpoint_equal(&is->internal, &want->internal));
	check(address_equal(&is->host, &want->host));
	check(is->n_ports == want->n_ports && is->suffix == want->suffix);
	check(strcmp(is->name, want->name) == 0);
	check(is->origin == want->origin && is->enabled == want->enabled);
	check(is->created == want->created && is->changed == want->changed);
	check(is->expires == want->expires && is->lifetime == want->lifetime);
	check(is->owner_uid == want->owner_uid && is->changed_by == want->changed_by);
	check(is->upstream == want->upstream && is->held == want->held);
	check(is->auto_port == want->auto_port);
	check(details_equal(is->details, want->details));
}

static bool kind_is_from(enum mapping_kind kind)
{
	return kind == MAPPING_FORWARD4_FROM || kind == MAPPING_FORWARD6_FROM ||
	       kind == MAPPING_PINHOLE6_FROM;
}

static const struct mapping *model_find(const struct model *model, enum mapping_kind kind,
					uint8_t protocol, const struct endpoint *external)
{
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *m = &model->mappings[i];

		if (m->protocol == protocol && mapping_kind(m) == kind &&
		    model_has_port(m, external->port) &&
		    address_equal(&m->external.addr, &external->addr) &&
		    !(mapping_is_pinhole(m) && address_equal(&m->host, &address_any6)))
			return m;
	}
	return NULL;
}

/* A key by chance: found, or found missing. */
static void expect_same_find(const struct table *table, const struct model *model)
{
	const enum mapping_kind kind = (enum mapping_kind)below(MAPPING_KINDS);
	const uint8_t protocol = protocol_at(below(PROTOCOL_COUNT));
	const struct mapping *is, *want;
	struct endpoint external = {
		world_dialled[below(WORLD_DIALLED)],
		(uint16_t)(1 + below(WORLD_PORTS + 2)),
	};

	if (kind_is_from(kind))
		return;
	if (below(2))
		external.addr = below(2) ? address_any4 : address_any6;
	is = table_find(table, kind, protocol, &external);
	want = model_find(model, kind, protocol, &external);
	check((is ? is->id : 0) == (want ? want->id : 0));
}

/* Each mapping that serves the port is told, and once, and no other. */
static void expect_same_restricted(const struct table *table, const struct model *model,
				   enum generation generation)
{
	static const enum mapping_kind kinds[] = { MAPPING_FORWARD4_FROM,
						   MAPPING_FORWARD6_FROM,
						   MAPPING_PINHOLE6_FROM };
	const enum mapping_kind kind = kinds[below(3)];
	const uint8_t protocol = below(2) ? IPPROTO_TCP : IPPROTO_UDP;
	const struct endpoint external = {
		world_dialled[WORLD_WANS + below(WORLD_DIALLED - WORLD_WANS)],
		(uint16_t)(1 + below(WORLD_PORTS)),
	};
	const struct mapping *m = NULL;
	uint64_t sum = 0, want = 0;
	size_t n = 0;

	while ((m = table_restricted(table, generation, kind, protocol, &external, m))) {
		check(mapping_kind(m) == kind && model_has_port(m, external.port));
		sum += m->id;
		n++;
	}
	for (size_t i = 0; i < model->n; i++) {
		m = &model->mappings[i];
		if (m->protocol != protocol || mapping_kind(m) != kind ||
		    !model_has_port(m, external.port) ||
		    (mapping_is_pinhole(m) && !address_equal(&m->host, &external.addr)))
			continue;
		want += m->id;
		n--;
	}
	check(n == 0 && sum == want);
}

static void expect_same_leases(const struct table *table, const struct model *model)
{
	const uint64_t now = world_soon();
	const size_t max = 1 + below(CAPACITY);
	struct change_list list = { 0 };
	uint64_t first = 0;
	size_t ended = 0, owned[4] = { 0 };

	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *m = &model->mappings[i];

		if (m->expires && (!first || m->expires < first))
			first = m->expires;
		ended += m->expires && m->expires <= now;
		if (m->origin == ORIGIN_ADMIN)
			owned[m->owner_uid - 1000]++;
	}
	check(table_next_expiry(table) == first);
	check(table_expired(table, now, max, &list) == 0);
	check(list.n == (ended < max ? ended : max));
	for (size_t i = 0; i < list.n; i++) {
		const struct mapping *m =
			table_find_id(table, list.changes[i].selector.id);

		check(list.changes[i].kind == CHANGE_REMOVE && list.changes[i].expired);
		check(m && m->expires && m->expires <= now);
	}
	change_list_done(&list);
	for (uint32_t i = 0; i < ARRAY_SIZE(owned); i++)
		check(table_owned(table, 1000 + i) == owned[i]);
	check(table_owned(table, 77) == 0);
}

/* ------------------------------------------------------------------- packets */

static void expect_same_match(const struct table *table, const struct model *model)
{
	const unsigned int at = below(WORLD_DIALLED);
	const struct endpoint to = { world_dialled[at],
				     (uint16_t)(1 + below(WORLD_PORTS + 2)) };
	const struct in6_addr *remote = &world_remotes[below(WORLD_REMOTES)];
	const uint8_t protocol = below(2) ? IPPROTO_TCP : IPPROTO_UDP;
	const struct mapping *best = NULL, *is;
	int highest = -1, rank;

	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *m = &model->mappings[i];

		rank = model_rank(m, protocol, &to, at < WORLD_WANS, remote);
		if (mapping_is_live(m) && rank > highest) {
			highest = rank;
			best = m;
		}
	}
	is = table_match(table, protocol, &to, at < WORLD_WANS, remote);
	check((is ? is->id : 0) == (best ? best->id : 0));
}

/* Is there a packet that @m would get if it were not for @taker? */
static bool takes_part(const struct mapping *taker, const struct mapping *m)
{
	const uint32_t last = m->external.port + m->n_ports;
	struct endpoint to;
	int rank;

	if (!mapping_is_live(taker))
		return false;
	for (size_t at = 0; at < WORLD_DIALLED; at++) {
		for (size_t i = 0; i < WORLD_REMOTES; i++) {
			to.addr = world_dialled[at];
			for (uint32_t port = m->external.port; port < last; port++) {
				to.port = (uint16_t)port;
				/* all ports of a mapping are alike: those are enough */
				if (port > WORLD_PORTS + 8u && port < 2000)
					continue;
				if (port > 2020)
					break;
				rank = model_rank(m, m->protocol, &to, at < WORLD_WANS,
						  &world_remotes[i]);
				if (rank >= 0 &&
				    model_rank(taker, m->protocol, &to, at < WORLD_WANS,
					       &world_remotes[i]) > rank)
					return true;
			}
		}
	}
	return false;
}

static void expect_same_shadowing(const struct table *table, const struct model *model)
{
	const struct mapping *is[3], *m;
	const size_t max = below(4);
	size_t n, want = 0;

	if (model->n == 0)
		return;
	m = &model->mappings[below((unsigned int)model->n)];
	n = table_shadowing(table, table_find_id(table, m->id), is, max);
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *taker = &model->mappings[i];

		if (taker == m || !takes_part(taker, m))
			continue;
		if (want < max)
			check(want < n && is[want]->id == taker->id);
		want++;
	}
	check(n == want);
}

static void expect_same_table(const struct table *table, const struct model *model)
{
	const struct mapping *m = NULL;

	check(table_size(table) == model->n);
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *want = &model->mappings[i];

		m = table_next(table, m);
		expect_same_mapping(m, want);
		check(table_find_id(table, want->id) == m);
		if (want->name[0])
			check(table_find_name(table, want->name, want->protocol) == m);
	}
	check(!table_next(table, m));
	expect_same_leases(table, model);
	for (size_t i = 0; i < PACKETS; i++) {
		expect_same_match(table, model);
		expect_same_find(table, model);
		expect_same_restricted(table, model, PRESENT);
	}
	expect_same_shadowing(table, model);
}

/* ------------------------------------------------------------- what is answered */

static void expect_same_refusal(const struct plan *plan, size_t request,
				const struct model_answer *answer)
{
	const enum verdict verdict = answer->results[0].verdict;
	struct refusal refusal;

	plan_refusal(plan, request, &refusal);
	check(refusal.verdict == verdict);
	if (verdict == VERDICT_NOT_PERMITTED)
		cr_assert_eq(refusal.denial.missing, answer->missing,
			     "right %d, not %d, with NATD_TEST_SEED=%" PRIu64,
			     refusal.denial.missing, answer->missing, world_seed);
	check(!refusal.flaw == (verdict != VERDICT_BAD_REQUEST));
	check((refusal.n_listeners > 0) == (verdict == VERDICT_PORT_IN_USE));
	check((refusal.pool.n > 0) == (verdict == VERDICT_NO_PORT));
	check(refusal.pool.taken + refusal.pool.listened <= refusal.pool.n);
	if (verdict == VERDICT_AMBIGUOUS)
		check(refusal.n_holders == answer->n_results);
	else if (verdict == VERDICT_CONFLICT || verdict == VERDICT_NAME_TAKEN ||
		 verdict == VERDICT_OF_CONFIG)
		check(refusal.n_holders == 1);
	for (size_t i = 0; i < refusal.n_holders; i++)
		check(refusal.holders[i]->id == answer->results[i].id);
}

static void expect_same_results(const struct plan *plan, size_t request,
				const struct model_answer *answer)
{
	struct listener shadowed[REFUSAL_LISTENERS_MAX];
	const struct result *results;
	size_t n;

	check(plan_refused(plan, request) == answer->refused);
	results = plan_results(plan, request, &n);
	check(n == answer->n_results);
	for (size_t i = 0; i < n; i++) {
		const struct model_result *want = &answer->results[i];
		const struct mapping *m = results[i].mapping;

		cr_assert_eq(results[i].verdict, want->verdict,
			     "%s, not %s, with NATD_TEST_SEED=%" PRIu64,
			     outcome_of(results[i].verdict)->code,
			     outcome_of(want->verdict)->code, world_seed);
		met[want->verdict]++;
		check(results[i].change == want->change);
		check((m ? m->id : 0) == want->id);
		check((results[i].effect != SIZE_MAX) == want->effect);
		check(results[i].shadowed == want->shadowed);
		check(plan_shadowed(plan, &results[i], shadowed) == want->shadowed);
		if (want->effect)
			check(plan_effect_at(plan, results[i].effect)->mapping == m);
	}
	if (answer->refused)
		expect_same_refusal(plan, request, answer);
}

/* Effects of one request, of which @at is the first in the plan. Return: the next one's
 */
static size_t expect_same_effects(const struct plan *plan, size_t at, size_t request,
				  const struct model_answer *answer)
{
	for (size_t i = 0; !answer->refused && i < answer->n_effects; i++, at++) {
		const struct model_effect *want = &answer->effects[i];
		const struct effect *effect;

		check(at < plan_size(plan));
		effect = plan_effect_at(plan, at);
		check(effect->kind == want->kind && effect->mapping->id == want->id);
		check(effect->request == request);
		check(effect->expired == want->expired && effect->drain == want->drain);
		check(effect->held == want->held);
		check(!effect->before == (effect->kind != CHANGE_UPDATE));
		check(!effect->before || effect->before->id == want->id);
	}
	return at;
}

/* As a restart does: everything anew from what the store holds. */
static struct table *reload(struct table *table)
{
	struct table *again = make_table(CAPACITY);
	const struct mapping *m;

	table_for_each (table, m)
		check(table_load(again, m) == 0);
	table_set_next_id(again, table_next_id(table));
	table_free(table);
	return again;
}

static void change_lans(struct table *table, struct model *model)
{
	const struct lan_prefix_list *lans = world_change_lans();
	size_t changed;

	table_settle_hosts(table, lans, &changed);
	check(changed == model_settle(model, lans));
	expect_same_table(table, model);
}

static void one_plan(struct table *table, struct model *model)
{
	static struct model_answer answer;
	const struct conditions *at = world_conditions();
	const size_t n = 1 + below(REQUESTS);
	struct change_list lists[REQUESTS];
	struct model after = *model;
	struct plan *plan;
	size_t effects = 0;

	after.place = at->random;
	for (size_t i = 0; i < n; i++)
		lists[i] = world_list(model);
	check(table_stage(table, lists, n, at, &plan) == 0);
	for (size_t i = 0; i < n; i++) {
		model_judge(&after, &lists[i], at, &answer);
		expect_same_results(plan, i, &answer);
		effects = expect_same_effects(plan, effects, i, &answer);
		change_list_done(&lists[i]);
	}
	check(effects == plan_size(plan));
	check(plan_table(plan) == table);
	check(table_next_id(table) == after.next_id);
	expect_same_restricted(table, &after, NEXT);
	expect_same_table(table, model);
	if (below(4)) {
		table_commit(table, plan);
		*model = after;
	}
	plan_free(plan);
	check(table_next_id(table) == model->next_id);
	expect_same_table(table, model);
}

Test(model, the_table_agrees_whatever_is_asked)
{
	const size_t plans = getenv("NATD_TEST_LONG") ? PLANS_LONG : PLANS;
	struct model model = { .capacity = CAPACITY, .next_id = 1 };
	struct table *table = make_table(CAPACITY);
	size_t fullest = 0;

	for (size_t i = 0; i < plans; i++) {
		one_plan(table, &model);
		if (model.n > fullest)
			fullest = model.n;
		if (below(10) == 0)
			change_lans(table, &model);
		if (below(50) == 0)
			table = reload(table);
	}
	cr_expect_eq(fullest, CAPACITY, "the table was never full, only %zu", fullest);
	for (enum verdict v = VERDICT_ADDED; v <= VERDICT_NOT_PERMITTED; v++)
		cr_expect_gt(met[v], 0, "%s was never met", outcome_of(v)->code);
	table_free(table);
}
