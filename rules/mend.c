/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * mend - writes down the transaction that makes the table right
 */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "rules/objects.h"
#include "rules/skeleton.h"
#include "rules/sync.h"

static uint32_t table_flags(const struct sync *s)
{
	return s->protection == PROTECTION_OWNED ? TABLE_F_OWNED : 0;
}

/* Protection is for a table's life: it cannot be given to one that has none. */
bool sync_protection_is_right(const struct sync *s)
{
	if (s->protection == PROTECTION_OWNED)
		return s->found.flags & TABLE_F_PERSIST;
	return !(s->found.flags & TABLE_F_OWNED);
}

void sync_put_table(struct sync *s)
{
	struct nlmsghdr *nlh = batch_message(&s->out, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, RULESET_TABLE);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(table_flags(s)));
	batch_close(&s->out, nlh);
}

static void delete_table(struct batch *b)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELTABLE, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, RULESET_TABLE);
	batch_close(b, nlh);
}

static bool part_is_right(const struct sync *s, const struct part *p)
{
	const struct set_spec *spec;

	if (p->kind != PART_SET)
		return sync_has(s, p->kind, p->name);
	spec = set_by_name(p->name);
	return spec && sync_set_is_right(s, (enum set_id)(spec - set_specs));
}

/* What is wrong or not ours goes, in the order in which nothing is still in use: rules,
 * sets (maps may point to chains and objects), objects, chains. */
static void delete_wrong(struct sync *s)
{
	const struct image *image = &s->found.image;

	for (size_t i = 0; i < image->n; i++)
		if (image->parts[i].kind == PART_CHAIN)
			chain_flush(&s->out, image->parts[i].name);
	for (size_t i = 0; i < image->n; i++) {
		const struct part *p = &image->parts[i];

		if (part_is_right(s, p))
			continue;
		switch (p->kind) {
		case PART_SET:
			set_delete(&s->out, p->name);
			break;
		case PART_OBJECT:
			object_delete(&s->out, p->name, p->type);
			break;
		case PART_CHAIN:
			chain_delete(&s->out, p->name);
			break;
		case PART_RULE:
			break;
		}
	}
}

static const struct part *part_of_message(const struct sync *s,
					  const struct nlmsghdr *nlh)
{
	const struct image *image = &s->wanted.image;

	for (size_t i = 0; i < image->n; i++)
		if (image->parts[i].seq == nlh->nlmsg_seq)
			return &image->parts[i];
	return NULL;
}

/* Rules, and the unnamed sets that belong to them, are written anew in any case. */
static void add_parts(struct sync *s, bool everything)
{
	const struct nlmsghdr *nlh = batch_next(&s->wanted.skeleton, NULL);
	const struct part *p;

	while ((nlh = batch_next(&s->wanted.skeleton, nlh))) {
		p = part_of_message(s, nlh);
		if (!everything && p && p->kind != PART_RULE && part_is_right(s, p))
			continue;
		batch_copy(&s->out, nlh);
	}
}

/* ------------------------------------------------------------------ elements */

static void remove_elements(struct sync *s)
{
	for (enum mapping_kind kind = 0; kind < MAPPING_KINDS; kind++) {
		scan_remove_strays(&s->found.scans[kind], &s->out);
		s->report.removed += s->found.scans[kind].n_strays;
	}
	for (enum set_id id = 0; id < SET_COUNT; id++) {
		if (!set_has_keys(id) || !skeleton_has_set(s->options, id))
			continue;
		s->report.other += keys_take_away(&s->out, id, &s->found.keys[id],
						  sync_wanted(s, id));
	}
}

static void add_mappings(struct sync *s, enum mapping_kind kind, bool everything)
{
	struct scan *scan = &s->found.scans[kind];
	size_t need = s->wanted.derived.elements[set_of_mappings(kind)];

	scan->kind = kind;
	scan->table = s->table;
	if (everything || scan->n_matches < need)
		scan_add_missing(scan, &s->out, everything);
	s->report.added += need - scan->n_matches;
}

static void add_elements(struct sync *s, bool everything)
{
	const struct keys none = { 0 };

	for (enum mapping_kind kind = 0; kind < MAPPING_KINDS; kind++)
		if (!kind_is_restricted(kind))
			add_mappings(s, kind, everything);
	for (enum set_id id = 0; id < SET_COUNT; id++) {
		if (!set_has_keys(id) || !skeleton_has_set(s->options, id))
			continue;
		s->report.other +=
			keys_put(&s->out, id, everything ? &none : &s->found.keys[id],
				 sync_wanted(s, id));
	}
}

void sync_need(const struct sync *s, size_t ret[static SET_COUNT])
{
	for (enum set_id id = 0; id < SET_COUNT; id++) {
		ret[id] = s->wanted.derived.elements[id];
		if (set_has_keys(id))
			ret[id] += keys_beyond(&s->found.keys[id], sync_wanted(s, id),
					       NULL, NULL);
		else if (set_is_of_mappings(id))
			ret[id] += s->found.scans[id - SET_FORWARD4_FROM].n_strays;
	}
}

/* What is there goes with the table, and is no difference. */
int sync_put_everything(struct sync *s)
{
	int r;

	if (s->found.exists)
		delete_table(&s->out);
	sync_put_table(s);
	add_parts(s, true);
	r = sync_count_chains(s);
	if (r == 0)
		r = sync_put_chains(s, true);
	add_elements(s, true);
	for (enum mapping_kind kind = 0; kind < MAPPING_KINDS; kind++)
		s->report.removed += s->found.scans[kind].n_strays;
	s->report.created = !s->found.exists;
	s->report.replaced = s->found.exists;
	return r;
}

int sync_put_difference(struct sync *s)
{
	bool differs = !image_equal(&s->wanted.image, &s->found.image);
	int r;

	r = sync_count_chains(s);
	if (r < 0)
		return r;
	remove_elements(s);
	sync_empty_chains(s);
	if (differs)
		delete_wrong(s);
	sync_delete_chains(s);
	if (differs)
		add_parts(s, false);
	r = sync_put_chains(s, false);
	add_elements(s, false);
	s->report.rewritten |= differs;
	return r;
}
