/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/mappings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/array.h"

/* Which element of which mapping is it, if it is as it should be? */
static const struct mapping *expected(const struct scan *scan, const struct counted *e,
				      const struct ruleset_slot *slot, size_t *ret_i)
{
	struct mapping_element want;
	const struct mapping *m;
	size_t i;

	m = table_find(scan->table, scan->kind, slot->protocol, &slot->external);
	if (!m || !mapping_is_live(m))
		return NULL;
	i = mapping_is_range(m) ? 0 : (size_t)slot->external.port - m->external.port;
	mapping_element(m, i, &want);
	if (memcmp(want.key, e->key, want.key_len) != 0 ||
	    (want.end_len &&
	     memcmp(want.end, e->end ? e->end : e->key, want.end_len) != 0) ||
	    (want.data_len && memcmp(want.data, e->data, want.data_len) != 0))
		return NULL;
	*ret_i = i;
	return m;
}

static int add_stray(struct scan *scan, const struct counted *e,
		     const struct ruleset_slot *slot, bool known)
{
	const uint8_t *end = e->end ? e->end : e->key;
	uint16_t end_len = e->end ? e->end_len : e->key_len;
	struct stray *grown = array_grow(scan->strays, scan->n_strays, &scan->room_strays,
					 sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	scan->strays = grown;
	grown += scan->n_strays++;
	memset(grown, 0, sizeof(*grown));
	grown->flags = e->flags;
	grown->key_len = e->key_len < KEY_ROOM ? e->key_len : KEY_ROOM;
	grown->has_end = set_has_ends(&set_specs[set_of_mappings(scan->kind)]);
	grown->known = known;
	grown->slot = *slot;
	if (e->key) {
		memcpy(grown->key, e->key, grown->key_len);
		memcpy(grown->end, end, end_len < KEY_ROOM ? end_len : KEY_ROOM);
	}
	return 0;
}

static int compare(struct scan *scan, const struct counted *e,
		   const struct ruleset_slot *slot, bool known)
{
	const struct mapping *m = NULL;
	struct match *grown;
	size_t i = 0;

	if (known)
		m = expected(scan, e, slot, &i);
	if (!m)
		return add_stray(scan, e, slot, known);
	grown = array_grow(scan->matches, scan->n_matches, &scan->room_matches,
			   sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	scan->matches = grown;
	scan->matches[scan->n_matches++] = (struct match){ m->id, i };
	return 0;
}

/** struct reading - @n elements of the message that is being read, not compared yet */
struct reading {
	struct scan *scan;
	size_t n;
	struct counted elements[TABLE_EXPECT_MAX];
	struct ruleset_slot slots[TABLE_EXPECT_MAX];
	bool known[TABLE_EXPECT_MAX];
};

static int compare_some(struct reading *r)
{
	struct table_key keys[TABLE_EXPECT_MAX];
	size_t n = 0;
	int error = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->known[i])
			keys[n++] =
				(struct table_key){ r->scan->kind, r->slots[i].protocol,
						    r->slots[i].external };
	table_expect(r->scan->table, keys, n);
	for (size_t i = 0; i < r->n && error == 0; i++)
		error = compare(r->scan, &r->elements[i], &r->slots[i], r->known[i]);
	r->n = 0;
	return error;
}

static int on_element(void *userdata, const struct counted *e)
{
	struct reading *r = userdata;

	r->elements[r->n] = *e;
	r->known[r->n] = mapping_element_slot(r->scan->kind, e, &r->slots[r->n]);
	return ++r->n < TABLE_EXPECT_MAX ? 0 : compare_some(r);
}

static int on_message(const struct nlmsghdr *nlh, void *userdata)
{
	int r = elements_each(nlh, on_element, userdata);

	if (r == 0)
		r = compare_some(userdata);
	if (r < 0) {
		errno = -r;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

int scan_kernel(struct scan *ret, struct ruleset *rs, const struct table *table,
		enum mapping_kind kind)
{
	struct reading reading = { .scan = ret };

	ret->kind = kind;
	ret->table = table;
	return ruleset_get(rs, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
			   RULESET_TABLE, set_specs[set_of_mappings(kind)].name,
			   on_message, &reading);
}

void scan_done(struct scan *scan)
{
	free(scan->matches);
	free(scan->strays);
	*scan = (struct scan){ 0 };
}

void scan_remove_strays(const struct scan *scan, struct batch *b)
{
	const char *set = set_specs[set_of_mappings(scan->kind)].name;
	struct element e;

	for (size_t i = 0; i < scan->n_strays; i++) {
		const struct stray *stray = &scan->strays[i];

		e = (struct element){ .flags = stray->flags };
		if (stray->key_len) {
			e.key = stray->key;
			e.end = stray->has_end ? stray->end : NULL;
			e.key_len = stray->key_len;
		}
		batch_element(b, NFT_MSG_DELSETELEM, 0, set, &e);
	}
}

static int compare_matches(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

static void add_element(struct batch *b, const struct mapping *m, size_t i,
			enum mapping_kind kind)
{
	struct mapping_element want;

	mapping_element(m, i, &want);
	mapping_element_put(b, kind, NFT_MSG_NEWSETELEM, NLM_F_CREATE, &want);
}

/* The table is walked in order of id, so what is there already is found by walking
 * along the sorted matches. */
void scan_add_missing(struct scan *scan, struct batch *b, bool everything)
{
	const struct mapping *m;
	size_t at = 0;

	if (scan->n_matches)
		qsort(scan->matches, scan->n_matches, sizeof(*scan->matches),
		      compare_matches);
	table_for_each (scan->table, m) {
		if (mapping_kind(m) != scan->kind || !mapping_is_live(m))
			continue;
		for (size_t i = 0; i < mapping_elements(m); i++) {
			const struct match this = { m->id, i };

			while (at < scan->n_matches &&
			       compare_matches(&scan->matches[at], &this) < 0)
				at++;
			if (everything || at == scan->n_matches ||
			    compare_matches(&scan->matches[at], &this) != 0)
				add_element(b, m, i, scan->kind);
		}
	}
}

void scan_report(const struct scan *scan, ruleset_on_slot extra, void *userdata)
{
	for (size_t i = 0; i < scan->n_strays; i++)
		if (scan->strays[i].known)
			extra(userdata, &scan->strays[i].slot);
}
