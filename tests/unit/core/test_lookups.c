/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a lookup costs must not depend on how much is there. A clock would tell of the
 * machine; here the table is compiled so that each of its functions, those that are
 * inlined as well, counts when it begins, and looks at one place of a chain each time.
 */

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>

#include "core/cleanup.h"
#include "core/table.h"
#include "tests/unit/core/make.h"

#define CAPACITY 65535
#define FEW	 100
#define MANY	 60000

static uint64_t calls;

void __cyg_profile_func_enter(void *function, void *caller);
void __cyg_profile_func_exit(void *function, void *caller);

void __cyg_profile_func_enter(void *function, void *caller)
{
	calls++;
}

void __cyg_profile_func_exit(void *function, void *caller)
{
}

static struct mapping nth(size_t i)
{
	struct mapping m = make_mapping("tcp 1 192.168.1.10:80");

	m.id = i + 1;
	m.external.port = (uint16_t)(i + 1);
	snprintf(m.name, sizeof(m.name), "name-%zu", i);
	return m;
}

static struct table *filled(size_t n)
{
	struct table *table = make_table(CAPACITY);

	for (size_t i = 0; i < n; i++) {
		const struct mapping m = nth(i);

		cr_assert_eq(table_load(table, &m), 0);
	}
	return table;
}

/* Return: was @m found? */
static bool by_endpoint(const struct table *table, const struct mapping *m)
{
	return table_find(table, mapping_kind(m), m->protocol, &m->external);
}

static bool by_id(const struct table *table, const struct mapping *m)
{
	return table_find_id(table, m->id);
}

static bool by_name(const struct table *table, const struct mapping *m)
{
	return table_find_name(table, m->name, m->protocol);
}

typedef bool (*lookup)(const struct table *table, const struct mapping *m);

struct cost {
	double mean;
	uint64_t worst;
};

/* of looking up numbers @from to @to, all of which are there, or none */
static struct cost cost_of(const struct table *table, lookup look, size_t from, size_t to)
{
	struct cost cost = { 0 };
	uint64_t sum = 0;

	for (size_t i = from; i < to; i++) {
		const struct mapping m = nth(i);
		bool found;

		calls = 0;
		found = look(table, &m);
		sum += calls;
		cr_assert_eq(found, i < table_size(table));
		if (calls > cost.worst)
			cost.worst = calls;
	}
	cost.mean = (double)sum / (double)(to - from);
	return cost;
}

static void compare(const char *what, struct cost few, struct cost many)
{
	cr_expect_gt(few.mean, 1, "%s: nothing is counted", what);
	cr_expect_leq(many.mean, 2 * few.mean, "%s: %.1f calls of %d, %.1f of %d", what,
		      few.mean, FEW, many.mean, MANY);
	cr_expect_leq(many.worst, 10 * few.worst,
		      "%s: at worst %lu calls of %d, %lu of %d", what,
		      (unsigned long)few.worst, FEW, (unsigned long)many.worst, MANY);
}

Test(lookups, cost_the_same_whether_few_or_many_are_there)
{
	static const struct {
		const char *name;
		lookup look;
	} ways[] = {
		{ "by endpoint", by_endpoint },
		{ "by id", by_id },
		{ "by name", by_name },
	};
	struct table *few = filled(FEW), *many = filled(MANY);

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		lookup look = ways[i].look;

		compare(ways[i].name, cost_of(few, look, 0, FEW),
			cost_of(many, look, 0, MANY));
		compare(ways[i].name, cost_of(few, look, MANY, CAPACITY),
			cost_of(many, look, MANY, CAPACITY));
	}
	table_free(few);
	table_free(many);
}
