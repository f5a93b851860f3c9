/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * mend_chains - chains that come and go with mappings
 *
 * Each is compared by itself and only what differs is written anew, so that the others
 * keep their counters.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/array.h"
#include "rules/skeleton.h"
#include "rules/sync.h"

/* The chain comes first, its rules behind it. */
static bool same(const struct part *a, size_t n_a, const struct part *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!part_equal(&a[i], &b[i]))
			return false;
	return true;
}

static bool must_go(const struct part *wanted, size_t n_wanted, const struct part *found,
		    size_t n_found)
{
	return n_found && (!n_wanted || !part_equal(wanted, found));
}

/* ------------------------------------------------------------------ what differs */

struct differing {
	const struct part **parts;
	size_t n;
};

static int compare_texts(const void *a, const void *b)
{
	const struct part *const *x = a, *const *y = b;

	return strcmp((*x)->text, (*y)->text);
}

static int sorted_rules(struct differing *ret, const struct part *parts, size_t n)
{
	ret->n = n ? n - 1 : 0;
	ret->parts = calloc(ret->n + 1, sizeof(*ret->parts));
	if (!ret->parts)
		return -ENOMEM;
	for (size_t i = 0; i < ret->n; i++)
		ret->parts[i] = &parts[i + 1];
	qsort(ret->parts, ret->n, sizeof(*ret->parts), compare_texts);
	return 0;
}

static int note_astray(struct sync *s, const struct part *rule)
{
	const struct ruleset_slot **grown;

	s->report.removed++;
	if (!rule->slot)
		return 0;
	grown = array_grow(s->astray, s->n_astray, &s->room_astray, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->astray = grown;
	s->astray[s->n_astray++] = rule->slot;
	return 0;
}

/* Rules of mappings that are too many, and those that are missing. */
static int count_rules(struct sync *s, const struct differing *want,
		       const struct differing *have)
{
	size_t i = 0, j = 0;
	int order, r = 0;

	while (r == 0 && (i < want->n || j < have->n)) {
		order = i == want->n   ? 1
			: j == have->n ? -1
				       : compare_texts(&want->parts[i], &have->parts[j]);
		if (order < 0)
			s->report.added++;
		else if (order > 0)
			r = note_astray(s, have->parts[j]);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

static int note_difference(struct sync *s, const struct part *wanted, size_t n_wanted,
			   const struct part *found, size_t n_found)
{
	struct differing want = { 0 }, have = { 0 };
	struct restricted port;
	int r;

	if (!restricted_parse(n_wanted ? wanted->name : found->name, &port)) {
		s->report.other++;
		return 0;
	}
	r = sorted_rules(&want, wanted, n_wanted);
	if (r == 0)
		r = sorted_rules(&have, found, n_found);
	if (r == 0)
		r = count_rules(s, &want, &have);
	free(want.parts);
	free(have.parts);
	return r;
}

struct counting {
	struct sync *s;
	int error;
};

static void count_chain(void *userdata, const struct part *wanted, size_t n_wanted,
			const struct part *found, size_t n_found)
{
	struct counting *e = userdata;

	if (e->error == 0 && !same(wanted, n_wanted, found, n_found))
		e->error = note_difference(e->s, wanted, n_wanted, found, n_found);
}

int sync_count_chains(struct sync *s)
{
	struct counting e = { .s = s };

	image_pair_chains(&s->wanted.chains, &s->found.chains, count_chain, &e);
	return e.error;
}

/* ------------------------------------------------------------------ the steps */

static void empty_chain(void *userdata, const struct part *wanted, size_t n_wanted,
			const struct part *found, size_t n_found)
{
	struct sync *s = userdata;

	if (n_found && !same(wanted, n_wanted, found, n_found))
		chain_flush(&s->out, found->name);
}

void sync_empty_chains(struct sync *s)
{
	image_pair_chains(&s->wanted.chains, &s->found.chains, empty_chain, s);
}

static void delete_chain(void *userdata, const struct part *wanted, size_t n_wanted,
			 const struct part *found, size_t n_found)
{
	struct sync *s = userdata;

	if (must_go(wanted, n_wanted, found, n_found))
		chain_delete(&s->out, found->name);
}

void sync_delete_chains(struct sync *s)
{
	image_pair_chains(&s->wanted.chains, &s->found.chains, delete_chain, s);
}

/**
 * struct choosing
 * @chosen: by number of the message, from @first on
 */
struct choosing {
	bool *chosen;
	uint32_t first;
};

static void choose(void *userdata, const struct part *wanted, size_t n_wanted,
		   const struct part *found, size_t n_found)
{
	struct choosing *c = userdata;

	if (same(wanted, n_wanted, found, n_found))
		return;
	for (size_t i = 0; i < n_wanted; i++)
		c->chosen[wanted[i].seq - c->first] =
			wanted[i].kind == PART_RULE || !n_found ||
			must_go(wanted, n_wanted, found, n_found);
}

int sync_put_chains(struct sync *s, bool everything)
{
	const struct nlmsghdr *nlh = batch_next(&s->wanted.chain_steps, NULL);
	const struct image nothing = { 0 }, *wanted = &s->wanted.chains;
	struct choosing c = { .first = nlh->nlmsg_seq };

	c.chosen = calloc(wanted->n + 1, sizeof(*c.chosen));
	if (!c.chosen)
		return -ENOMEM;
	image_pair_chains(wanted, everything ? &nothing : &s->found.chains, choose, &c);
	while ((nlh = batch_next(&s->wanted.chain_steps, nlh)))
		if (c.chosen[nlh->nlmsg_seq - c.first])
			batch_copy(&s->out, nlh);
	free(c.chosen);
	return 0;
}
