/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ending - connections follow the table
 *
 * When a mapping is added, changed or removed, the entries of its external tuple whose
 * translation is no longer what the table says are ended: the tuple goes into the
 * kernel's ended4/ended6 first, so that the inner host's next segment does not make the
 * entry again, then the entry is deleted.
 */

#include "natd/engine.h"

/**
 * struct ending_key - an external endpoint whose connections are to be judged anew
 * @count: incremented for each connection ended; may be NULL; borrowed
 */
struct ending_key {
	struct endpoint external;
	uint8_t protocol;
	uint32_t *count;
};

/**
 * struct ending - a growing list of keys; zero-initialised it is empty
 * @additions: all keys are of mappings that were added; then only connections that no
 *             mapping served can be stale
 */
struct ending {
	struct ending_key *keys;
	size_t n, room;
	bool additions;
};

/**
 * struct ending_memory - what the last look at the connection tracker showed
 * @known:  it was complete, and what is below holds; false: look again
 * @missed: ruleset_missed() when it began
 * @loose:  a bit for each port of TCP and UDP towards which a connection is left that no
 *          mapping translates as it is
 *
 * Reading the connection tracker takes the kernel milliseconds, however few connections
 * there are. A mapping that is added for a port without its bit needs no look while the
 * kernel's counter stands still.
 */
struct ending_memory {
	bool known;
	uint64_t missed;
	uint8_t loose[2][(UINT16_MAX + 1) / 8];
};

/** ending_add() - Return: 0 or -ENOMEM */
int ending_add(struct ending *ending, uint8_t protocol, const struct endpoint *external,
	       uint32_t *count);
/** ending_add_owed() - what store_endings() tells. Return: 0, -ENOMEM, what that said */
int ending_add_owed(struct ending *ending, struct store *store);
void ending_done(struct ending *ending);

/**
 * ending_run() - end what is stale among the connections of the keys
 * @everywhere: judge connections of every mapping, not of the keys alone: one towards an
 *              external endpoint of ours that a mapping serves, and translated otherwise,
 *              is ended as well
 * @ret_ended: written always; how many the kernel had and has no more
 *
 * Return: 0, or the first fault (a dump or a deletion the kernel refused); then some may
 * be left.
 */
int ending_run(struct ending *ending, const struct engine_parts *parts, bool everywhere,
	       size_t *ret_ended);

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
