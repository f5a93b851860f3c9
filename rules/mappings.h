/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mappings - the elements of forward4, forward6 and pinhole6 against the table
 */

#include "rules/elements.h"
#include "rules/sets.h"

/** struct stray - an element of the kernel's that the table does not say */
struct stray {
	uint8_t key[KEY_ROOM];
	uint16_t key_len;
	uint32_t flags; /* NFT_SET_ELEM_* */
};

/**
 * struct scan - what one set held; zero-initialised it is empty
 * @pending: elements of the message that is being read, not compared yet
 * @matched: ids of the mappings that are there as they should be
 */
struct scan {
	enum mapping_kind kind;
	const struct table *table;
	struct counted pending[TABLE_EXPECT_MAX];
	size_t n_pending;
	uint64_t *matched;
	size_t n_matched, room_matched;
	struct stray *strays;
	size_t n_strays, room_strays;
};

/** mappings_count() - mappings of each kind that have an element */
void mappings_count(const struct table *table, size_t ret[static MAPPING_SETS]);

/** scan_kernel() - dump one set and compare. Return: 0; -EINTR, -ENOENT, -ENOMEM, ... */
int scan_kernel(struct scan *ret, struct ruleset *rs, const struct table *table,
		enum mapping_kind kind);
void scan_done(struct scan *scan);

/** scan_remove_strays() - append what takes the strays away */
void scan_remove_strays(const struct scan *scan, struct batch *b);
/**
 * scan_add_missing() - append the mappings that the set lacks
 * @everything: the set is made anew, and lacks all of them
 */
void scan_add_missing(struct scan *scan, struct batch *b, bool everything);

/** scan_report() - tell @extra of each stray */
void scan_report(const struct scan *scan, ruleset_extra extra, void *userdata);
