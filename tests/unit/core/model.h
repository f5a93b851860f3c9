/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * model - the table as a plain array, judged in the most simple-minded way
 *
 * What the table must agree with, whatever is asked of it.
 */

#include "core/table.h"

#define MODEL_MAX 64
/* results or effects of one request */
#define MODEL_RESULTS_MAX 512

struct model {
	struct mapping mappings[MODEL_MAX]; /* in order of id */
	size_t n;
	size_t capacity;
	uint64_t next_id;
};

/** struct model_result - as struct result; @id: of its mapping, 0 where it has none or
 * that was undone, @effect: "is there one?" */
struct model_result {
	enum verdict verdict;
	size_t change;
	uint64_t id;
	bool effect;
};

struct model_effect {
	enum change_kind kind;
	uint64_t id;
};

struct model_answer {
	bool refused;
	struct model_result results[MODEL_RESULTS_MAX];
	size_t n_results;
	struct model_effect effects[MODEL_RESULTS_MAX];
	size_t n_effects;
};

/** model_judge() - @model as @list leaves it, and what is to be answered */
void model_judge(struct model *model, const struct change_list *list,
		 struct model_answer *answer);
