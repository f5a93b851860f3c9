/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/mappings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "rules/array.h"

void mappings_count(const struct table *table, size_t ret[static MAPPING_SETS])
{
	const struct mapping *m;

	memset(ret, 0, MAPPING_SETS * sizeof(*ret));
	table_for_each (table, m) {
		if (m->enabled)
			ret[mapping_kind(m)]++;
	}
}

static bool has_key(const struct scan *scan, const struct counted *e)
{
	return e->key && e->key_len == set_specs[set_of_mappings(scan->kind)].key_len;
}

static const struct mapping *expected(const struct scan *scan, const struct counted *e)
{
	const struct set_spec *spec = &set_specs[set_of_mappings(scan->kind)];
	const struct mapping *m;
	struct mapping_element want;
	struct endpoint external;
	uint8_t protocol;

	if (!has_key(scan, e) || e->flags || e->data_len != spec->data_len)
		return NULL;
	mapping_element_external(scan->kind, e->key, &protocol, &external);
	m = table_find(scan->table, protocol, &external);
	if (!m || !m->enabled || mapping_kind(m) != scan->kind)
		return NULL;
	mapping_element(m, &want);
	if (memcmp(want.key, e->key, want.key_len) != 0 ||
	    (want.data_len && memcmp(want.data, e->data, want.data_len) != 0))
		return NULL;
	return m;
}

static int add_stray(struct scan *scan, const struct counted *e)
{
	struct stray *grown = array_grow(scan->strays, scan->n_strays, &scan->room_strays,
					 sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	scan->strays = grown;
	grown += scan->n_strays++;
	memset(grown, 0, sizeof(*grown));
	grown->flags = e->flags;
	grown->key_len = e->key_len < KEY_ROOM ? e->key_len : KEY_ROOM;
	if (e->key)
		memcpy(grown->key, e->key, grown->key_len);
	return 0;
}

static int compare(struct scan *scan, const struct counted *e)
{
	const struct mapping *m = expected(scan, e);
	uint64_t *grown;

	if (!m)
		return add_stray(scan, e);
	grown = array_grow(scan->matched, scan->n_matched, &scan->room_matched,
			   sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	scan->matched = grown;
	scan->matched[scan->n_matched++] = m->id;
	return 0;
}

static int compare_pending(struct scan *scan)
{
	struct table_key keys[ARRAY_SIZE(scan->pending)];
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < scan->n_pending; i++) {
		if (!has_key(scan, &scan->pending[i]))
			continue;
		mapping_element_external(scan->kind, scan->pending[i].key,
					 &keys[n].protocol, &keys[n].external);
		n++;
	}
	table_expect(scan->table, keys, n);
	for (size_t i = 0; i < scan->n_pending && r == 0; i++)
		r = compare(scan, &scan->pending[i]);
	scan->n_pending = 0;
	return r;
}

static int on_element(void *userdata, const struct counted *e)
{
	struct scan *scan = userdata;

	scan->pending[scan->n_pending++] = *e;
	return scan->n_pending < ARRAY_SIZE(scan->pending) ? 0 : compare_pending(scan);
}

static int on_message(const struct nlmsghdr *nlh, void *userdata)
{
	int r = elements_each(nlh, on_element, userdata);

	if (r == 0)
		r = compare_pending(userdata);
	if (r < 0) {
		errno = -r;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

int scan_kernel(struct scan *ret, struct ruleset *rs, const struct table *table,
		enum mapping_kind kind)
{
	ret->kind = kind;
	ret->table = table;
	return ruleset_get(rs, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
			   RULESET_TABLE, set_specs[set_of_mappings(kind)].name,
			   on_message, ret);
}

void scan_done(struct scan *scan)
{
	free(scan->matched);
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
			e.key_len = stray->key_len;
		}
		batch_element(b, NFT_MSG_DELSETELEM, 0, set, &e);
	}
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void add_mapping(struct batch *b, const struct mapping *m)
{
	const char *set = set_specs[set_of_mappings(mapping_kind(m))].name;
	struct mapping_element want;

	mapping_element(m, &want);
	batch_element(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set,
		      &(struct element){ .key = want.key,
					 .key_len = want.key_len,
					 .data = want.data_len ? want.data : NULL,
					 .data_len = want.data_len });
}

/* The table is walked in order of id, so what is there already is found by walking
 * along the sorted ids. */
void scan_add_missing(struct scan *scan, struct batch *b, bool everything)
{
	const struct mapping *m;
	size_t i = 0;

	if (scan->n_matched)
		qsort(scan->matched, scan->n_matched, sizeof(*scan->matched),
		      compare_ids);
	table_for_each (scan->table, m) {
		if (!m->enabled || mapping_kind(m) != scan->kind)
			continue;
		while (i < scan->n_matched && scan->matched[i] < m->id)
			i++;
		if (everything || i == scan->n_matched || scan->matched[i] != m->id)
			add_mapping(b, m);
	}
}

void scan_report(const struct scan *scan, ruleset_extra extra, void *userdata)
{
	struct endpoint external;
	uint8_t protocol;

	for (size_t i = 0; i < scan->n_strays; i++) {
		if (!scan->strays[i].key_len)
			continue;
		mapping_element_external(scan->kind, scan->strays[i].key, &protocol,
					 &external);
		extra(userdata, protocol, &external);
	}
}
