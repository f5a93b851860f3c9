/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The table against a model, under random requests. Few ports, hosts and names, so that
 * they meet. NATD_TEST_LONG=1 asks for a million plans, NATD_TEST_SEED repeats a run.
 */

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/cleanup.h"
#include "make.h"
#include "model.h"

#define PLANS	   10000
#define PLANS_LONG 1000000
#define CAPACITY   24
#define REQUESTS   4
#define CHANGES	   5
#define PORTS	   6

static const char *const hosts[] = { "192.168.1.10", "192.168.1.11", "fd00::10",
				     "2001:db8::10", "2001:db8::11" };
static const char *const names[] = { "", "", "a", "b", "c" };

static uint64_t seed, random_state;

/* --tap swallows what a test prints: a failure itself must tell how to repeat it */
#define check(condition)                                                                 \
	cr_assert(condition, "%s, with NATD_TEST_SEED=%" PRIu64, #condition, seed)

/* splitmix64: a run must be repeatable from its seed alone */
static unsigned int below(unsigned int n)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned int)((z ^ z >> 31) % n);
}

static uint64_t choose_seed(void)
{
	const char *given = getenv("NATD_TEST_SEED");
	uint64_t chosen;

	if (given)
		return strtoull(given, NULL, 10);
	cr_assert_eq(getrandom(&chosen, sizeof(chosen), 0), (ssize_t)sizeof(chosen));
	return chosen;
}

static struct change random_add(void)
{
	struct change change = { .kind = CHANGE_ADD };
	struct mapping *m = &change.mapping;

	change.protocols = (uint8_t)(1 + below(3));
	address_parse(hosts[below(ARRAY_SIZE(hosts))], &m->internal.addr);
	m->external.port = (uint16_t)(1 + below(PORTS));
	m->internal.port = below(2) ? m->external.port : 80;
	strcpy(m->name, names[below(ARRAY_SIZE(names))]);
	m->origin = below(5) ? ORIGIN_ADMIN : ORIGIN_CONFIG;
	m->enabled = below(4);
	m->created = below(1000);
	return change;
}

static struct change random_remove(const struct model *model)
{
	struct change change = { .kind = CHANGE_REMOVE, .config_too = below(2) };
	struct selector *s = &change.selector;
	const unsigned int kind = below(8);

	if (kind <= 2 && model->n > 0)
		s->id = model->mappings[below((unsigned int)model->n)].id + below(2);
	if (kind == 3 || kind == 4)
		strcpy(s->name, names[below(ARRAY_SIZE(names))]);
	if (kind >= 4)
		s->port = (uint16_t)(1 + below(PORTS));
	if (kind >= 5 || below(4) == 0)
		s->protocol = below(2) ? IPPROTO_TCP : IPPROTO_UDP;
	return change;
}

static void random_list(const struct model *model, struct change_list *list)
{
	const unsigned int n = 1 + below(CHANGES);

	list->n = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct change change = below(5) < 3 ? random_add() : random_remove(model);

		cr_assert_eq(change_list_add(list, &change), 0);
	}
}

static void expect_same_mapping(const struct mapping *is, const struct mapping *want)
{
	check(is);
	check(is->id == want->id);
	check(is->protocol == want->protocol);
	check(endpoint_equal(&is->external, &want->external));
	check(endpoint_equal(&is->internal, &want->internal));
	check(strcmp(is->name, want->name) == 0);
	check(is->origin == want->origin && is->enabled == want->enabled &&
	      is->created == want->created);
}

static const struct mapping *model_find(const struct model *model, uint8_t protocol,
					const struct endpoint *external, const char *name)
{
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *m = &model->mappings[i];

		if (m->protocol != protocol)
			continue;
		if (external ? endpoint_equal(&m->external, external)
			     : strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

/* Every key there could be: found, and found missing. */
static void expect_same_lookups(const struct table *table, const struct model *model,
				uint8_t protocol)
{
	struct endpoint external;

	for (external.port = 1; external.port <= PORTS; external.port++) {
		for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
			address_parse(hosts[i], &external.addr);
			if (i == 0)
				external.addr = address_any4;
			if (i == 1)
				external.addr = address_any6;
			check(!table_find(table, protocol, &external) ==
			      !model_find(model, protocol, &external, NULL));
		}
	}
	for (size_t i = 2; i < ARRAY_SIZE(names); i++)
		check(!table_find_name(table, names[i], protocol) ==
		      !model_find(model, protocol, NULL, names[i]));
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
		check(table_find(table, want->protocol, &want->external) == m);
		if (want->name[0])
			check(table_find_name(table, want->name, want->protocol) == m);
	}
	check(!table_next(table, m));
	expect_same_lookups(table, model, IPPROTO_TCP);
	expect_same_lookups(table, model, IPPROTO_UDP);
}

static void expect_same_results(const struct plan *plan, size_t request,
				const struct model_answer *answer)
{
	const struct result *results;
	size_t n;

	check(plan_refused(plan, request) == answer->refused);
	results = plan_results(plan, request, &n);
	check(n == answer->n_results);
	for (size_t i = 0; i < n; i++) {
		const struct model_result *want = &answer->results[i];
		const struct mapping *m = results[i].mapping;

		check(results[i].verdict == want->verdict);
		check(results[i].change == want->change);
		check((m ? m->id : 0) == want->id);
		check((results[i].effect != SIZE_MAX) == want->effect);
		if (want->effect)
			check(plan_effect_at(plan, results[i].effect)->mapping == m);
	}
}

/* Effects of one request, of which @at is the first in the plan. Return: the next one's
 */
static size_t expect_same_effects(const struct plan *plan, size_t at, size_t request,
				  const struct model_answer *answer)
{
	for (size_t i = 0; !answer->refused && i < answer->n_effects; i++, at++) {
		const struct effect *effect;

		check(at < plan_size(plan));
		effect = plan_effect_at(plan, at);
		check(effect->kind == answer->effects[i].kind);
		check(effect->mapping->id == answer->effects[i].id);
		check(effect->request == request);
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

static void one_plan(struct table *table, struct model *model, struct change_list *lists)
{
	static struct model_answer answer;
	const size_t n = 1 + below(REQUESTS);
	struct model after = *model;
	struct plan *plan;
	size_t effects = 0;

	for (size_t i = 0; i < n; i++)
		random_list(model, &lists[i]);
	check(table_stage(table, lists, n, &plan) == 0);
	for (size_t i = 0; i < n; i++) {
		model_judge(&after, &lists[i], &answer);
		expect_same_results(plan, i, &answer);
		effects = expect_same_effects(plan, effects, i, &answer);
	}
	check(effects == plan_size(plan));
	check(table_next_id(table) == after.next_id);
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
	struct change_list lists[REQUESTS] = { 0 };
	size_t fullest = 0;

	random_state = seed = choose_seed();
	fprintf(stderr, "NATD_TEST_SEED=%" PRIu64 "\n", seed);
	for (size_t i = 0; i < plans; i++) {
		one_plan(table, &model, lists);
		if (model.n > fullest)
			fullest = model.n;
		if (below(50) == 0)
			table = reload(table);
	}
	cr_expect_eq(fullest, CAPACITY, "the table was never full, only %zu", fullest);
	for (size_t i = 0; i < REQUESTS; i++)
		change_list_done(&lists[i]);
	table_free(table);
}
