/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * uplink - core/upstream at work: its jobs to the workers, its rows to the store, its
 * clock
 *
 *	gateway -- links, mappings --> upstream --- jobs --> workers --- routers above us
 *	        <-- events ----------- (core)   <-- answers --
 *	                                   |
 *	                                   +------- rows --> store
 *
 * Nothing here waits for a worker or a router. Rows are written before a router is asked
 * for the first time; what only tells how long it holds is written a second later,
 * together.
 */

#include "core/upstream/upstream.h"
#include "natd/common/lease_clock.h"
#include "natd/store/store.h"
#include "natd/workers/workers.h"

struct uplink;

/**
 * struct uplink_parts - all borrowed until uplink_free()
 * @may_write: may the store be written to now? (no plan is open, its outcome is known)
 * @happened:  an event; from the loop, never from within a call of uplink or upstream
 */
struct uplink_parts {
	sd_event *event;
	const struct nursery *nursery;
	struct store *store;
	const struct lease_clock *clock;
	bool (*may_write)(void *userdata);
	void (*happened)(void *userdata, const struct upstream_event *event);
	void *userdata;
};

/** uplink_new() - with the rows of the store; does nothing by itself before
 * uplink_begin(). Return: 0; -ENOMEM, what sd-event and store_upstream() said (-EUCLEAN
 * is logged, and no fault) */
int uplink_new(const struct uplink_parts *parts, const struct upstream_options *options,
	       struct uplink **ret);
/** uplink_free() - writes what is to be kept, withdraws nothing; NULL is fine */
void uplink_free(struct uplink *uplink);

/** uplink_upstream() - to tell it of links, options and mappings; uplink_kick() when that
 * is done */
struct upstream *uplink_upstream(struct uplink *uplink);
uint64_t uplink_now(const struct uplink *uplink); /* for its calls */
/** uplink_begin() - links and mappings have been told */
void uplink_begin(struct uplink *uplink);
/** uplink_kick() - see in the next turn what is to be done */
void uplink_kick(struct uplink *uplink);

/** uplink_go_on() - the store may be written to (again): not to wait until it is tried */
void uplink_go_on(struct uplink *uplink);

/** uplink_saved() - is on disk what there is to be kept? */
bool uplink_saved(const struct uplink *uplink);
const struct workers *uplink_workers(const struct uplink *uplink);
/** uplink_problem() - what is wrong on natd's side, a sentence; "" = nothing */
const char *uplink_problem(const struct uplink *uplink);
