/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * derived - what follows from all mappings together, beside an element for each
 */

#include "rules/backs.h"
#include "rules/restricted.h"
#include "rules/usage.h"

/**
 * struct derived - zero-initialised it is that of no mappings
 * @elements: that each set has or should have, but for sets without a size
 * @spare:    what the maps should hold
 */
struct derived {
	size_t elements[SET_COUNT];
	struct usage usage;
	struct backs backs;
	struct keys spare[PROTOCOL_COUNT];
};

/** derived_shape() - set_bit() of the sets that follow from mappings and have elements */
uint64_t derived_shape(const struct derived *d);

void derived_done(struct derived *d);

/** derived_most() - elements that set @id can come to have while the mappings stay as
 * they are */
size_t derived_most(const struct derived *d, enum set_id id);

/**
 * derived_make() - of a table as it is
 * @wan: external addresses that are ours
 * @restricted: gets the ports that have chains, sorted
 * @keep: gets what keep4 and keep6 should hold
 *
 * Return: 0 or -ENOMEM.
 */
int derived_make(struct derived *ret, const struct table *table, enum symmetry symmetry,
		 const struct address_list *wan, struct restricted_list *restricted,
		 struct keys keep[static 2]);

/** set_is_derived() - is it of backs, keep4, keep6 or spare ports? */
bool set_is_derived(enum set_id id);
