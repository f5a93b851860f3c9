/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ending - connections follow the table
 *
 * When a mapping is added, changed or removed, the entries of its external tuples whose
 * translation is no longer what the table says are ended: the tuple goes into the
 * kernel's ended4/ended6 first, so that the inner host's next segment does not make the
 * entry again, then the entry is deleted. What another host leaves under as its own, and
 * a mapping now has for its host, is ended as well: what came from there would be taken
 * for its answers.
 */

#include "natd/gateway/engine.h"

/**
 * struct ending_key - external tuples whose connections are to be judged anew
 * @external: first port; address_any4/6, a given one, of a pinhole the host
 * @last:     port
 * @reach:    the last port of all keys below it, see find_key()
 * @drain:    established connections may go on
 * @remotes:  none: anybody; borrowed
 * @count:    incremented for each connection ended; may be NULL; borrowed
 */
struct ending_key {
	struct endpoint external;
	uint16_t last, reach;
	uint8_t protocol;
	bool drain;
	const struct prefix *remotes;
	size_t n_remotes;
	uint32_t *count;
};

/**
 * struct ending - a growing list of keys; zero-initialised it is empty
 * @additions: all keys are of mappings that were added and take nothing from wider ones;
 *             then only connections that no mapping served can be stale
 */
struct ending {
	struct ending_key *keys;
	size_t n, room;
	bool additions;
};

/**
 * struct ending_memory - what the last look at the connection tracker showed
 * @known:   it was complete, and what is below holds; false: look again
 * @looking: a look is under way that will tell
 * @missed:  ruleset_missed() when it began
 * @loose:   a bit for each port of each protocol towards which a connection is left that
 *           no mapping translates as it is
 *
 * Reading the connection tracker takes the kernel milliseconds, however few connections
 * there are. A mapping that is added for ports without their bits needs no look while the
 * kernel's counter stands still.
 */
struct ending_memory {
	bool known, looking;
	uint64_t missed;
	uint8_t loose[PROTOCOL_COUNT][(UINT16_MAX + 1) / 8];
};

/** ending_add() - all external tuples of @m. Return: 0 or -ENOMEM */
int ending_add(struct ending *ending, const struct mapping *m, bool drain,
	       uint32_t *count);
/** ending_add_slot() - of an element of the kernel's table. Return: 0 or -ENOMEM */
int ending_add_slot(struct ending *ending, const struct ruleset_slot *slot);
/** ending_add_plan() - of all mappings that @plan touches, as they were and as they are;
 * @ending->additions is set. Return: 0 or -ENOMEM */
int ending_add_plan(struct ending *ending, struct plan *plan);
/** ending_add_owed() - what store_endings() tells. Return: 0, -ENOMEM, what that said */
int ending_add_owed(struct ending *ending, struct store *store);
void ending_done(struct ending *ending);

/**
 * ending_run() - end what is stale among the connections of the keys, now
 * @everywhere: judge connections of every mapping, not of the keys alone: one towards an
 *              external endpoint of ours that a mapping serves, and not translated so, is
 *              ended as well; not one that is established by another translation: it may
 *              have been drained
 * @ret_ended: written always; how many the kernel had and has no more
 *
 * Return: 0, or the first fault (a dump or a deletion the kernel refused); then some may
 * be left.
 */
int ending_run(struct ending *ending, const struct engine_parts *parts, bool everywhere,
	       size_t *ret_ended);

/* ------------------------------------------------------------ in pieces */

struct ending_look;

/**
 * ending_is_needed() - may anything be stale? See struct ending_memory
 */
bool ending_is_needed(const struct ending *ending, const struct engine_parts *parts);

/**
 * ending_begin() - the same as ending_run(), in pieces
 * @ending: borrowed until ending_free(); NULL: only what other hosts leave under as is
 *          looked at, of all mappings
 * @parts:  borrowed
 * @ret:    for ending_free(); written on success only
 *
 * Return: 0 or -ENOMEM.
 */
int ending_begin(struct ending *ending, const struct engine_parts *parts, bool everywhere,
		 struct ending_look **ret);
/**
 * ending_step() - the next piece, for about @usec
 *
 * Return: CONNTRACK_MORE, CONNTRACK_WAIT; else it is over, as ending_run().
 */
int ending_step(struct ending_look *look, uint64_t usec);
size_t ending_ended(const struct ending_look *look);
/** ending_free() - gives up what is not done; NULL is fine */
void ending_free(struct ending_look *look);

/* ------------------------------------------------------------ for other reasons */

/**
 * ending_kill() - end these connections, because somebody says so
 *
 * Return: as ending_run().
 */
int ending_kill(const struct engine_parts *parts, const struct connection *connections,
		size_t n, size_t *ret_ended);

/**
 * ending_of_address() - a WAN address was lost: end the connections that were translated
 * to or from it, so that what is masqueraded starts anew under the present one
 *
 * Return: as ending_run().
 */
int ending_of_address(const struct engine_parts *parts, const struct address_list *lost,
		      size_t *ret_ended);

/**
 * ending_of_unruled() - end what began while the table was not in force: what came from a
 * WAN to a host of ours unasked, and what left by one under an address that is to be
 * translated
 *
 * Return: as ending_run().
 */
int ending_of_unruled(const struct engine_parts *parts, size_t *ret_ended);
