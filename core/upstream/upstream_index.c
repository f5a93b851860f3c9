/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "core/upstream/upstream_index.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_LEAST 64

int index_init(struct index *index)
{
	index->buckets = calloc(BUCKETS_LEAST, sizeof(struct place *));
	if (!index->buckets)
		return -ENOMEM;
	index->mask = BUCKETS_LEAST - 1;
	index->n = 0;
	return 0;
}

void index_done(struct index *index)
{
	free(index->buckets);
	index->buckets = NULL;
}

static void push(struct index *index, struct place *place)
{
	struct place **bucket = &index->buckets[place->hash & index->mask];

	place->next = *bucket;
	place->pprev = bucket;
	if (place->next)
		place->next->pprev = &place->next;
	*bucket = place;
}

static void take(struct place *place)
{
	*place->pprev = place->next;
	if (place->next)
		place->next->pprev = place->pprev;
	place->pprev = NULL;
}

/* Without memory the chains stay as long as they are. */
static void grow(struct index *index)
{
	const size_t n = (index->mask + 1) * 2;
	struct place **buckets = calloc(n, sizeof(struct place *));
	struct index grown = { buckets, n - 1, index->n };

	if (!buckets)
		return;
	for (size_t i = 0; i <= index->mask; i++) {
		while (index->buckets[i]) {
			struct place *place = index->buckets[i];

			take(place);
			push(&grown, place);
		}
	}
	free(index->buckets);
	*index = grown;
}

void index_put(struct index *index, struct place *place, uint64_t hash)
{
	if (index->n > index->mask)
		grow(index);
	place->hash = hash;
	push(index, place);
	index->n++;
}

void index_take(struct index *index, struct place *place)
{
	if (!place->pprev)
		return;
	take(place);
	index->n--;
}

static struct place *index_next_of(const struct place *place, uint64_t hash)
{
	struct place *next = place->next;

	while (next && next->hash != hash)
		next = next->next;
	return next;
}

struct place *index_first(const struct index *index, uint64_t hash)
{
	struct place *place = index->buckets[hash & index->mask];

	return place && place->hash != hash ? index_next_of(place, hash) : place;
}

struct place *index_next(const struct place *place)
{
	return index_next_of(place, place->hash);
}

/* Numbers that count up, in any steps: Fibonacci hashing. */
uint64_t index_hash(uint64_t number)
{
	number *= UINT64_C(0x9e3779b97f4a7c15);
	return number ^ number >> 32;
}
