/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_timers - which slot of a router is due first: binary heaps
 */

#include <errno.h>
#include <stdlib.h>

#include "core/upstream/upstream_private.h"

int timers_reserve(struct router *router)
{
	const size_t room = router->room ? router->room * 2 : 8;

	if (router->n_slots < router->room)
		return 0;
	for (enum timer timer = 0; timer < TIMERS; timer++) {
		struct heap *heap = &router->heaps[timer];
		struct slot **at = reallocarray(heap->at, room, sizeof(struct slot *));

		if (!at)
			return -ENOMEM;
		heap->at = at;
	}
	router->room = room;
	return 0;
}

static void place(struct heap *heap, enum timer timer, struct slot *slot, size_t i)
{
	heap->at[i] = slot;
	slot->position[timer] = i + 1;
}

static void rise(struct heap *heap, enum timer timer, struct slot *slot, size_t i)
{
	while (i > 0 && heap->at[(i - 1) / 2]->when[timer] > slot->when[timer]) {
		place(heap, timer, heap->at[(i - 1) / 2], i);
		i = (i - 1) / 2;
	}
	place(heap, timer, slot, i);
}

static void sink(struct heap *heap, enum timer timer, struct slot *slot, size_t i)
{
	size_t child;

	while ((child = 2 * i + 1) < heap->n) {
		if (child + 1 < heap->n &&
		    heap->at[child + 1]->when[timer] < heap->at[child]->when[timer])
			child++;
		if (heap->at[child]->when[timer] >= slot->when[timer])
			break;
		place(heap, timer, heap->at[child], i);
		i = child;
	}
	place(heap, timer, slot, i);
}

static void leave(struct heap *heap, enum timer timer, struct slot *slot)
{
	const size_t i = slot->position[timer] - 1;
	struct slot *last = heap->at[--heap->n];

	slot->position[timer] = 0;
	if (last == slot)
		return;
	if (last->when[timer] < slot->when[timer])
		rise(heap, timer, last, i);
	else
		sink(heap, timer, last, i);
}

void timer_set(struct slot *slot, enum timer timer, uint64_t when)
{
	struct heap *heap = &slot->router->heaps[timer];

	if (slot->position[timer]) {
		if (slot->when[timer] == when)
			return;
		leave(heap, timer, slot);
	}
	slot->when[timer] = when;
	if (when != NEVER)
		rise(heap, timer, slot, heap->n++);
}

struct slot *timer_first(const struct router *router, enum timer timer)
{
	const struct heap *heap = &router->heaps[timer];

	return heap->n ? heap->at[0] : NULL;
}
