/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * upstream_index - hash chains for what the state machine finds by a number
 */

#include <stddef.h>
#include <stdint.h>

/** struct place - in a chain of one bucket */
struct place {
	struct place *next, **pprev; /* pprev NULL: in none */
	uint64_t hash;
};

/** struct index - chains that grow with what is in them; full, they only get longer */
struct index {
	struct place **buckets;
	size_t mask;
	size_t n;
};

int index_init(struct index *index); /* 0, -ENOMEM */
void index_done(struct index *index);
void index_put(struct index *index, struct place *place, uint64_t hash);
void index_take(struct index *index, struct place *place); /* in none: nothing */
/** index_first(), index_next() - places with @hash; what they stand for is compared by
 * the caller. NULL: no other */
struct place *index_first(const struct index *index, uint64_t hash);
struct place *index_next(const struct place *place);
uint64_t index_hash(uint64_t number);

#define place_of(place, type, member)                                                    \
	((type *)(void *)((char *)(place) - offsetof(type, member)))
