/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/derived.h"

void derived_done(struct derived *d)
{
	usage_done(&d->usage);
	backs_done(&d->backs);
	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		keys_done(&d->spare[i]);
	*d = (struct derived){ 0 };
}

uint64_t derived_shape(const struct derived *d)
{
	uint64_t shape = 0;

	for (enum set_id id = 0; id < SET_COUNT; id++)
		if (d->elements[id])
			shape |= set_bit(id);
	for (unsigned i = 0; i < PROTOCOL_COUNT; i++)
		if (d->spare[i].n)
			shape |= set_bit(set_of_spare(i));
	return shape;
}

size_t derived_most(const struct derived *d, enum set_id id)
{
	return set_is_of_backs(id) ? d->backs.at_most[id] : d->elements[id];
}

bool set_is_derived(enum set_id id)
{
	return id >= SET_BACK4 && id <= SET_SPARE_UDPLITE;
}

static int add_mapping(struct derived *d, const struct mapping *m,
		       const struct address_list *wan, struct restricted_list *restricted,
		       struct keys keep[static 2])
{
	enum mapping_kind kind = mapping_kind(m);
	enum set_id id;
	int r;

	if (kind_is_restricted(kind)) {
		r = restricted_list_add(restricted, m);
		if (r < 0)
			return r;
	} else {
		d->elements[set_of_mappings(kind)] += mapping_elements(m);
	}
	if (keep_concerns(d->backs.symmetry, m, &id)) {
		keep_add(&keep[id - SET_KEEP4], m);
		d->elements[id]++;
	}
	r = usage_add(&d->usage, m);
	if (r == 0 && backs_concern(&d->backs, m))
		r = backs_add(&d->backs, m, wan, NULL);
	return r;
}

int derived_make(struct derived *ret, const struct table *table, enum symmetry symmetry,
		 const struct address_list *wan, struct restricted_list *restricted,
		 struct keys keep[static 2])
{
	const struct mapping *m;
	int r = 0;

	*ret = (struct derived){ .backs.symmetry = symmetry };
	table_for_each (table, m) {
		if (r == 0 && mapping_is_live(m))
			r = add_mapping(ret, m, wan, restricted, keep);
	}
	restricted_list_sort(restricted);
	for (size_t i = 0; i < restricted->n; i++)
		ret->elements[set_of_mappings(restricted->ports[i].kind)]++;
	for (enum set_id id = 0; id < SET_COUNT; id++)
		if (set_is_of_backs(id))
			ret->elements[id] = ret->backs.elements[id];
	for (size_t i = 0; r == 0 && i < 2; i++)
		r = keys_sort(&keep[i]);
	for (unsigned i = 0; r == 0 && i < PROTOCOL_COUNT; i++)
		r = usage_spare(&ret->usage, i, &ret->spare[i]);
	if (r < 0)
		derived_done(ret);
	return r;
}
