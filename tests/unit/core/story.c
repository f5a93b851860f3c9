/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "story.h"

void tell_results(const struct plan *plan, size_t request, char *buf, size_t size)
{
	const struct result *results;
	size_t n, at = 0;

	results = plan_results(plan, request, &n);
	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct mapping *m = results[i].mapping;

		at += (size_t)snprintf(buf + at, size - at, "%s%zu:%s:%d", i ? " " : "",
				       results[i].change,
				       outcome_of(results[i].verdict)->code,
				       m ? (int)m->id : -1);
	}
}

void tell_effects(const struct plan *plan, char *buf, size_t size)
{
	static const char signs[] = {
		[CHANGE_ADD] = '+', [CHANGE_REMOVE] = '-', [CHANGE_UPDATE] = '~'
	};
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		at += (size_t)snprintf(buf + at, size - at, "%s%c%d", i ? " " : "",
				       signs[effect->kind], (int)effect->mapping->id);
	}
}

void expect_story(const struct story *story, const struct conditions *at,
		  struct rights *rights)
{
	struct table *table =
		story->table[0] ? make_loaded(story->table) : make_table(100);
	struct change_list list = make_list(story->request);
	struct plan *plan = NULL;
	char told[1024];

	list.rights = rights_ref(rights);
	cr_assert_eq(table_stage(table, &list, 1, at, &plan), 0);
	change_list_done(&list);

	tell_results(plan, 0, told, sizeof(told));
	cr_expect_str_eq(told, story->results, "%s: %s", story->request, told);
	tell_effects(plan, told, sizeof(told));
	cr_expect_str_eq(told, story->effects, "%s: %s", story->request, told);
	cr_expect(!plan_refused(plan, 0) || plan_size(plan) == 0);
	plan_free(plan);
	table_free(table);
}

enum verdict change_table(struct table *table, const char *request,
			  const struct conditions *at)
{
	struct change_list list = make_list(request);
	enum verdict verdict = VERDICT_UNCHANGED;
	const struct result *results;
	struct plan *plan;
	size_t n;

	cr_assert_eq(table_stage(table, &list, 1, at, &plan), 0);
	results = plan_results(plan, 0, &n);
	if (n > 0)
		verdict = results[0].verdict;
	table_commit(table, plan);
	plan_free(plan);
	change_list_done(&list);
	return verdict;
}
