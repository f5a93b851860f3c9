/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * found - looks at the table as the kernel holds it
 */

#include <errno.h>
#include <libnftnl/table.h>
#include <string.h>

#include "rules/attr.h"
#include "rules/sync.h"

/* how often the table may change under our eyes before that is an error */
#define TORN_MAX 20

static int on_table(const struct nlmsghdr *nlh, void *userdata)
{
	struct nftnl_table *table = nftnl_table_alloc();
	struct found *found = userdata;

	if (!table || nftnl_table_nlmsg_parse(nlh, table) < 0) {
		nftnl_table_free(table);
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	found->exists = true;
	found->flags = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS);
	if (nftnl_table_is_set(table, NFTNL_TABLE_OWNER))
		found->owner = nftnl_table_get_u32(table, NFTNL_TABLE_OWNER);
	nftnl_table_free(table);
	return MNL_CB_OK;
}

void found_done(struct found *found)
{
	image_done(&found->image);
	image_done(&found->chains);
	for (size_t i = 0; i < MAPPING_KINDS; i++)
		scan_done(&found->scans[i]);
	for (size_t i = 0; i < SET_COUNT; i++)
		keys_done(&found->keys[i]);
	*found = (struct found){ 0 };
}

/* Is the part there, and as it should be? */
bool sync_has(const struct sync *s, enum part_kind kind, const char *name)
{
	const struct part *want = image_find(&s->wanted.image, kind, name);
	const struct part *have = image_find(&s->found.image, kind, name);

	return want && have && want->type == have->type && part_equal(want, have);
}

/* A kernel that cannot own tables cannot change the size of a set either. */
bool sync_set_is_right(const struct sync *s, enum set_id id)
{
	const char *name = set_specs[id].name;
	const struct part *have = image_find(&s->found.image, PART_SET, name);

	if (!sync_has(s, PART_SET, name))
		return false;
	return !set_specs[id].grows || s->rs->can_own || !have->size ||
	       have->size >= s->wanted.derived.elements[id];
}

static int find_elements(struct sync *s)
{
	enum mapping_kind kind;
	enum set_id id;
	int r = 0;

	for (kind = 0; r == 0 && kind < MAPPING_KINDS; kind++)
		if (!kind_is_restricted(kind) &&
		    sync_set_is_right(s, set_of_mappings(kind)))
			r = scan_kernel(&s->found.scans[kind], s->rs, s->table, kind);
	for (id = 0; r == 0 && id < SET_COUNT; id++)
		if (set_has_keys(id) && sync_set_is_right(s, id))
			r = keys_of_kernel(&s->found.keys[id], id, s->rs);
	return r;
}

static int on_generation(const struct nlmsghdr *nlh, void *userdata)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID)
			*(uint32_t *)userdata = attr_u32(attr);
	return MNL_CB_OK;
}

static int get_generation(struct ruleset *rs, uint32_t *ret)
{
	return ruleset_get(rs, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0, NULL, NULL,
			   on_generation, ret);
}

int sync_find_table(struct sync *s)
{
	int r = ruleset_get(s->rs, NFT_MSG_GETTABLE, NFPROTO_INET, 0, RULESET_TABLE, NULL,
			    on_table, &s->found);

	return r == -ENOENT ? 0 : r;
}

static int find_contents(struct sync *s)
{
	int r = sync_find_table(s);

	if (r < 0 || !s->found.exists)
		return r;
	s->found.image.chains = &s->found.chains;
	r = image_of_kernel(&s->found.image, s->rs);
	if (r < 0)
		return r;
	image_sort(&s->found.image);
	image_sort(&s->found.chains);
	return find_elements(s);
}

/* Several dumps make the picture; it holds when the ruleset stayed the same meanwhile. */
static int find_once(struct sync *s)
{
	uint32_t before = 0, after = 0;
	int r;

	found_done(&s->found);
	r = get_generation(s->rs, &before);
	if (r == 0)
		r = find_contents(s);
	if (r == 0)
		r = get_generation(s->rs, &after);
	if (r < 0)
		return r;
	return before == after ? 0 : -EINTR;
}

int sync_find(struct sync *s)
{
	int r = -EINTR;

	for (int i = 0; i < TORN_MAX && (r == -EINTR || r == -ENOENT); i++)
		r = find_once(s);
	return r;
}
