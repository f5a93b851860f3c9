/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * story - a table, a request, and what becomes of it
 */

#include "core/cleanup.h"
#include "make.h"

/**
 * struct story
 * @table:   as make_loaded() reads it, or ""
 * @request: as make_list() reads it
 * @results: a word for each, "change:verdict:id", id -1 where there is no mapping
 * @effects: "+id", "-id", "~id"
 */
struct story {
	const char *table;
	const char *request;
	const char *results;
	const char *effects;
};

void tell_results(const struct plan *plan, size_t request, char *buf, size_t size);
void tell_effects(const struct plan *plan, char *buf, size_t size);

/** expect_story() - told under @at by who has @rights, or may do everything with NULL */
void expect_story(const struct story *story, const struct conditions *at,
		  struct rights *rights);

#define expect_stories(stories)                                                          \
	do {                                                                             \
		for (size_t i = 0; i < ARRAY_SIZE(stories); i++)                         \
			expect_story(&(stories)[i], &ordinary, NULL);                    \
	} while (0)

/** change_table() - one request, staged and committed. Return: verdict of its first
 * result, VERDICT_UNCHANGED where it has none */
enum verdict change_table(struct table *table, const char *request,
			  const struct conditions *at);
