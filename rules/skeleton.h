/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * skeleton - everything of the table but the elements of its named sets
 *
 * One description serves both to create the table and to compare it: what the kernel
 * holds is measured against the very messages that would make it.
 */

#include "rules/image.h"
#include "rules/sets.h"

/** skeleton_has_set() - does the table have this set under these options? */
bool skeleton_has_set(const struct ruleset_options *options, enum set_id id);

/**
 * skeleton_put() - append NEWSET, NEWOBJ, NEWCHAIN and NEWRULE for all there is
 * @image: gets the description
 * @room: sizes of the sets of mappings, by enum mapping_kind
 */
void skeleton_put(struct batch *b, struct image *image,
		  const struct ruleset_options *options,
		  const size_t room[static MAPPING_SETS]);

/** chain_delete() - append DELCHAIN */
void chain_delete(struct batch *b, const char *name);
