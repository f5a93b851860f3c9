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

/** struct ending - a growing list of keys; zero-initialised it is empty */
struct ending {
	struct ending_key *keys;
	size_t n, room;
};

/** ending_add() - Return: 0 or -ENOMEM */
int ending_add(struct ending *ending, uint8_t protocol, const struct endpoint *external,
	       uint32_t *count);
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
