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

static void delete_rules(struct batch *b)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELRULE, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
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

	delete_rules(&s->out);
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
	for (size_t i = 0; i < s->wanted.n; i++)
		if (s->wanted.parts[i].seq == nlh->nlmsg_seq)
			return &s->wanted.parts[i];
	return NULL;
}

/* Rules, and the unnamed sets that belong to them, are written anew in any case. */
static void add_parts(struct sync *s, bool everything)
{
	const struct nlmsghdr *nlh = batch_next(&s->skeleton, NULL);
	const struct part *p;

	while ((nlh = batch_next(&s->skeleton, nlh))) {
		p = part_of_message(s, nlh);
		if (!everything && p && p->kind != PART_RULE && part_is_right(s, p))
			continue;
		batch_copy(&s->out, nlh);
	}
}

static void mend_mappings(struct sync *s, bool everything)
{
	for (enum mapping_kind kind = 0; kind < MAPPING_SETS; kind++) {
		struct scan *scan = &s->found.scans[kind];

		scan->kind = kind;
		scan->table = s->table;
		if (!everything)
			scan_remove_strays(scan, &s->out);
		if (everything || scan->n_matched < s->need[kind])
			scan_add_missing(scan, &s->out, everything);
		s->report.removed += scan->n_strays;
		s->report.added += s->need[kind] - scan->n_matched;
	}
}

static int mend_small_sets(struct sync *s, bool everything)
{
	const struct contents contents = { s->options, s->addresses, s->sequence };
	struct keys none = { 0 }, want;
	int r;

	for (enum set_id id = 0; id < SET_COUNT; id++) {
		if (set_specs[id].counter || set_specs[id].timeout_ms ||
		    !skeleton_has_set(s->options, id))
			continue;
		want = (struct keys){ 0 };
		r = keys_wanted(&want, id, &contents);
		if (r == 0)
			s->report.other += keys_change(
				&s->out, id, everything ? &none : &s->found.keys[id],
				&want);
		keys_done(&want);
		if (r < 0)
			return r;
	}
	return 0;
}

int sync_put_everything(struct sync *s)
{
	if (s->found.exists)
		delete_table(&s->out);
	sync_put_table(s);
	add_parts(s, true);
	mend_mappings(s, true);
	s->report.created = !s->found.exists;
	s->report.replaced = s->found.exists;
	return mend_small_sets(s, true);
}

int sync_put_difference(struct sync *s)
{
	if (!image_equal(&s->wanted, &s->found.image)) {
		s->report.rewritten = true;
		delete_wrong(s);
		add_parts(s, false);
	}
	mend_mappings(s, false);
	return mend_small_sets(s, false);
}
