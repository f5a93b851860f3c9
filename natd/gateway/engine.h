/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * engine - the one write path
 *
 * Whatever wants to alter a mapping submits a list of changes with a callback for its
 * answer. What one turn of the loop brought is committed together:
 *
 *	table_stage()           -> plan		may refuse, one request or another
 *	store transaction open			may refuse
 *	kernel transaction			may refuse, names the element
 *	store commit				only now is it so
 *	table_commit()				cannot fail
 *	stale connections ended, events, answers
 *
 * Ending connections takes as many turns of the loop as it needs: others are served
 * meanwhile, and changes wait. Where the kernel is busy, or it takes too long, the answer
 * says so and it is tried again, by a timer and with the next change.
 */

#include <systemd/sd-event.h>

#include "core/conditions.h"
#include "core/snat.h"
#include "core/table.h"
#include "natd/store/store.h"
#include "rules/conntrack.h"
#include "rules/ruleset.h"

struct ending_memory;
struct engine;

/*
 * Of the turn in the loop: after what the kernel tells. What serves the clients has the
 * same, so that a client that never pauses cannot keep the turn from its turn.
 */
#define ENGINE_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

/**
 * struct answer - what became of a request
 * @problem: NULL, or the fault: VERDICT_FAULT (nothing has changed), VERDICT_UNKNOWN,
 *           VERDICT_BUSY. A refusal is not here but in the plan
 * @plan:    NULL with @problem; else plan_refused(), plan_results() for @request
 * @changes: with @plan: what was asked, for the sentence of a refusal; where nothing is
 *           refused only their number may be left of them
 * @ended:   connections ended because of this request
 * @pending: ending them failed; some may go on until it is tried again
 *
 * All borrowed for the time of the callback.
 */
struct answer {
	const struct problem *problem;
	const struct plan *plan;
	const struct change_list *changes;
	size_t request;
	size_t ended;
	bool pending;
};

typedef void (*engine_answer)(void *userdata, const struct answer *answer);

/**
 * struct engine_parts - what it works on; all borrowed until engine_free()
 * @event: NULL in tests, which call engine_turn() themselves; then all of it is done in
 *         that call
 */
struct engine_parts {
	sd_event *event;
	struct table *table;
	struct store *store;
	struct ruleset *ruleset;
	struct conntrack *conntrack;
	/* how the world is now, for table_stage(); @listeners: those of these protocols
	 * (PROTOCOL_BIT_*) are needed. Filled in wholly; borrowed until the next call.
	 * What cannot be read is said in the log and in status, and is "not known" */
	void (*conditions)(void *userdata, uint8_t listeners, struct conditions *ret);
	/* who leaves otherwise than masqueraded; borrowed until the next call */
	const struct snat_list *(*snat)(void *userdata);
	/* our WAN addresses, now */
	struct address_list (*wan_addresses)(void *userdata);
	/* would a packet to @addr leave by a WAN? 1, 0, negative errno */
	int (*route_is_wan)(void *userdata, const struct in6_addr *addr);
	/* is @addr this machine's own? 1, 0, negative errno */
	int (*is_local)(void *userdata, const struct in6_addr *addr);
	/* the kernel's table must be brought back to what the table says: sync. 0 or
	 * negative errno */
	int (*resync)(void *userdata, struct ruleset_fault *why);
	/* @plan is in force, @ended of its effects is written, nobody is answered yet.
	 * NULL: nobody wants to know */
	void (*committed)(void *userdata, const struct plan *plan);
	/* engine_is_stuck() no more. NULL: nobody wants to know */
	void (*decided)(void *userdata);
	struct ending_memory *memory; /* NULL: always look */
	/* connections of what store_endings() tells are to be ended with a change */
	bool endings_owed;
	void *userdata;
};

/** Return: 0, -ENOMEM, or what sd-event said */
int engine_new(const struct engine_parts *parts, struct engine **ret);
void engine_free(struct engine *engine); /* NULL is fine; open requests get a fault */

/**
 * engine_submit() - ask for changes
 * @list: taken over, also on failure; the caller's is empty afterwards
 * @done: called exactly once, from a later turn, unless this fails
 *
 * Return: 0, -ENOMEM.
 */
int engine_submit(struct engine *engine, struct change_list *list, engine_answer done,
		  void *userdata);

/** engine_turn() - serve what waits now; what the loop calls */
void engine_turn(struct engine *engine);

/**
 * struct engine_endings - how it stands with the connections that a change made stale
 * @running: they are being read or ended
 * @pending: mappings and endpoints whose connections may go on
 * @problem: why they could not be ended; it is tried again. "" = nothing
 */
struct engine_endings {
	bool running;
	size_t pending;
	char problem[160];
};
void engine_endings(const struct engine *engine, struct engine_endings *ret);

/** Is the outcome of a commit unknown? Then all changes are refused as VERDICT_BUSY */
bool engine_is_stuck(const struct engine *engine);
