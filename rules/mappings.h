/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mappings - the elements of the sets of mappings against the table
 *
 * Of all kinds but the _FROM ones, whose elements do not stand for one mapping.
 */

#include "rules/elements.h"
#include "rules/sets.h"

/** struct stray - an element of the kernel's that the table does not say
 * @known: @slot says what it stands for */
struct stray {
	uint8_t key[KEY_ROOM];
	uint8_t end[KEY_ROOM];
	uint16_t key_len;
	bool has_end;
	bool known;
	uint32_t flags; /* NFT_SET_ELEM_* */
	struct ruleset_slot slot;
};

/** struct match - an element that is there as it should be */
struct match {
	uint64_t id;
	size_t i;
};

/** struct scan - what one set held; zero-initialised it is empty */
struct scan {
	enum mapping_kind kind;
	const struct table *table;
	struct match *matches;
	size_t n_matches, room_matches;
	struct stray *strays;
	size_t n_strays, room_strays;
};

/** scan_kernel() - dump one set and compare. Return: 0; -EINTR, -ENOENT, -ENOMEM, ... */
int scan_kernel(struct scan *ret, struct ruleset *rs, const struct table *table,
		enum mapping_kind kind);
void scan_done(struct scan *scan);

/** scan_remove_strays() - append what takes the strays away */
void scan_remove_strays(const struct scan *scan, struct batch *b);
/**
 * scan_add_missing() - append the elements that the set lacks
 * @everything: the set is made anew, and lacks all of them
 */
void scan_add_missing(struct scan *scan, struct batch *b, bool everything);

/** scan_report() - tell @extra of each stray */
void scan_report(const struct scan *scan, ruleset_on_slot extra, void *userdata);
