/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * smallsets - sets that follow from options, addresses and the sequence number
 */

#include "rules/sets.h"

struct key {
	uint8_t bytes[KEY_ROOM];
	uint32_t flags; /* NFT_SET_ELEM_* */
};

/** struct keys - the elements of one set, sorted; zero-initialised it is empty */
struct keys {
	struct key *keys;
	size_t n, room;
	int error;
};

void keys_done(struct keys *keys);

/** struct contents - where the elements come from */
struct contents {
	const struct ruleset_options *options;
	const struct ruleset_addresses *addresses;
	uint64_t sequence;
};

/** keys_wanted() - what set @id should hold. Return: 0 or -ENOMEM */
int keys_wanted(struct keys *ret, enum set_id id, const struct contents *c);
/** keys_of_kernel() - what it holds. Return: 0; -EINTR, -ENOENT, -ENOMEM, ... */
int keys_of_kernel(struct keys *ret, enum set_id id, struct ruleset *rs);

/**
 * keys_change() - append what makes @want of @have
 *
 * Return: number of elements that differ.
 */
size_t keys_change(struct batch *b, enum set_id id, const struct keys *have,
		   const struct keys *want);

/** sequence_put() - append the steps that replace the sequence number */
void sequence_put(struct batch *b, uint64_t sequence);
/** sequence_of_key() - the number an element stands for */
uint64_t sequence_of_key(const uint8_t *key);
