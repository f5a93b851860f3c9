/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * skeleton - everything of the table but the elements of its named sets
 *
 * One description serves both to create the table and to compare it: what the kernel
 * holds is measured against the very messages that would make it.
 */

#include "rules/image.h"
#include "rules/keylist.h"
#include "rules/sets.h"

/** skeleton_has_set() - does the table have this set under these options? */
bool skeleton_has_set(const struct ruleset_options *options, enum set_id id);

/**
 * skeleton_put() - append NEWSET, NEWOBJ, NEWCHAIN and NEWRULE for all there is
 * @image: gets the description
 * @protocols: PROTOCOL_BIT_* that the kernel tracks
 * @shape: set_bit() of the sets that have elements
 * @room: sizes of the sets, by enum set_id
 */
void skeleton_put(struct batch *b, struct image *image,
		  const struct ruleset_options *options, uint8_t protocols,
		  uint64_t shape, const size_t room[static SET_COUNT]);

/** skeleton_reshape() - append what makes chains of @from such of @to */
void skeleton_reshape(struct batch *b, const struct ruleset *rs, uint64_t from,
		      uint64_t to);

/** spare_put_chains() - append the chains that @new leads to and @old did not, and where
 * @shape is another than that of @rs, write the others anew */
void spare_put_chains(struct batch *b, const struct ruleset *rs, const struct keys *old,
		      const struct keys *new, uint64_t shape);

/** chain_put() - append NEWCHAIN for one that others go to */
void chain_put(struct batch *b, const char *name);
/** chain_flush() - append what takes its rules away */
void chain_flush(struct batch *b, const char *name);
/** chain_delete() - append DELCHAIN */
void chain_delete(struct batch *b, const char *name);
