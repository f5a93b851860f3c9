/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * model - the table as a plain array, judged in the most simple-minded way
 *
 * What the table must agree with, whatever is asked of it. Mappings are compared with all
 * others one by one, packets with all mappings.
 */

#include "core/conditions.h"
#include "core/table.h"

#define MODEL_MAX 64
/* results or effects of one request */
#define MODEL_RESULTS_MAX 512

/**
 * struct model
 * @place: where in the pool the next search begins; of a plan, not of the table
 *
 * Details are those of model_details(), and live for ever.
 */
struct model {
	struct mapping mappings[MODEL_MAX]; /* in order of id */
	size_t n;
	size_t capacity;
	size_t place;
	uint64_t next_id;
};

/** struct model_result - as struct result; @id: of its mapping, 0 where it has none or
 * that was undone, @effect: "is there one?" */
struct model_result {
	enum verdict verdict;
	size_t change;
	uint64_t id;
	bool effect;
	size_t shadowed;
};

struct model_effect {
	enum change_kind kind;
	uint64_t id;
	bool expired;
	bool drain;
	bool held;
};

/** struct model_answer - @missing: with VERDICT_NOT_PERMITTED */
struct model_answer {
	bool refused;
	struct model_result results[MODEL_RESULTS_MAX];
	size_t n_results;
	struct model_effect effects[MODEL_RESULTS_MAX];
	size_t n_effects;
	enum right missing;
};

/** model_details() - always the same for the same */
struct details *model_details(const char *lan, const char *comment,
			      const struct prefix *remotes, size_t n);

/** model_judge() - @model as @list leaves it, and what is to be answered */
void model_judge(struct model *model, const struct change_list *list,
		 const struct conditions *at, struct model_answer *answer);

/** model_settle() - as table_settle_hosts(). Return: how many have another host */
size_t model_settle(struct model *model, const struct lan_prefix_list *lans);

/** model_rank() - how well @m serves the packet, live or not; the best does; -1: not */
int model_rank(const struct mapping *m, uint8_t protocol, const struct endpoint *dialled,
	       bool is_wan, const struct in6_addr *remote);

/* ------------------------------------------------------ between model's files */

/** struct model_asking - a change that adds, and what there is to say of it */
struct model_asking {
	struct model *model;
	const struct change_list *list;
	const struct change *change;
	const struct conditions *at;
	struct model_answer *answer;
	size_t index;
};

struct mapping model_at_port(const struct model_asking *a, uint8_t protocol,
			     uint16_t port);
struct mapping *model_conflict(const struct model *model, const struct mapping *m,
			       const struct mapping *except);
bool model_is_already(const struct mapping *holder, const struct mapping *m);
bool model_lacks_upstream(const struct conditions *at, const struct mapping *m);
size_t model_listened(const struct conditions *at, const struct mapping *m);
bool model_may(const struct model_asking *a, const struct mapping *m,
	       const struct mapping *before, bool force, enum right *ret);
const struct mapping *model_robbed(const struct model_asking *a, const struct mapping *m);
const struct mapping *model_by_name(const struct model *model, const char *name,
				    uint8_t protocol);
bool model_has_port(const struct mapping *m, uint32_t port);
void model_renew(const struct model_asking *a, struct mapping *m, uint32_t lifetime);
void model_sign(const struct model_asking *a, struct mapping *m);
void model_result(struct model_asking *a, enum verdict verdict, uint64_t id);
/* false, for the caller to return */
bool model_refuse(struct model_asking *a, enum verdict verdict, uint64_t id);
bool model_deny(struct model_asking *a, enum right missing, uint64_t id);

/** model_add_each() - a change that adds. Return: false = refused */
bool model_add_each(struct model_asking *a);

/** model_port() - the port that is chosen, or 0: refused */
uint16_t model_port(struct model_asking *a);
