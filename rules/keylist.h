/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * keylist - the elements of a set as a sorted list: as they should be, as the kernel has
 * them, and the steps from one to the other
 */

#include "rules/sets.h"

/* the end of a key with intervals, or the data that a key leads to */
#define MORE_ROOM 24

/**
 * struct key - one element
 * @more:  of a set with ends the end of the key, else the data of a map
 * @chain: of a verdict map, ours; or NULL
 * @flags: NFT_SET_ELEM_*
 */
struct key {
	uint8_t bytes[KEY_ROOM];
	uint8_t more[MORE_ROOM];
	char *chain;
	int32_t verdict;
	uint32_t flags;
};

/** struct keys - zero-initialised it is empty
 * @error: the first addition that failed, -ENOMEM */
struct keys {
	struct key *keys;
	size_t n, room;
	int error;
};

void keys_done(struct keys *keys);

/** keys_add() - returns the new element, all zero but for what is given; NULL after an
 * error */
struct key *keys_add(struct keys *keys, const void *bytes, size_t len, uint32_t flags);
/** keys_add_more() - with data or an end */
void keys_add_more(struct keys *keys, const void *bytes, size_t len, const void *more,
		   size_t more_len);
/** keys_add_verdict() - of a verdict map; @end NULL where it has none */
void keys_add_verdict(struct keys *keys, const void *bytes, const void *end, size_t len,
		      int32_t verdict, const char *chain);
/** keys_sort() - and leave out what is there twice. Return: 0, or the first error */
int keys_sort(struct keys *keys);

/** keys_of_kernel() - sorted. Return: 0; -EINTR, -ENOENT, -ENOMEM, ... */
int keys_of_kernel(struct keys *ret, enum set_id id, struct ruleset *rs);

/** keys_beyond() - call back for each of @a that is not in @b.
 * Return: how many there are */
size_t keys_beyond(const struct keys *a, const struct keys *b,
		   void (*on_key)(void *userdata, const struct key *k), void *userdata);

/** keys_take_away() - append what removes of @have what is not in @want.
 * Return: how many elements that are */
size_t keys_take_away(struct batch *b, enum set_id id, const struct keys *have,
		      const struct keys *want);
/** keys_put() - append what adds, after keys_take_away(); Return: likewise */
size_t keys_put(struct batch *b, enum set_id id, const struct keys *have,
		const struct keys *want);
/** keys_change() - both */
size_t keys_change(struct batch *b, enum set_id id, const struct keys *have,
		   const struct keys *want);

/** key_put() - append one element, or what takes it away */
void key_put(struct batch *b, enum set_id id, uint16_t type, const struct key *k);
