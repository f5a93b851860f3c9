/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * smallsets - what the sets should hold that follow from options, addresses and the
 * sequence number
 */

#include "rules/keylist.h"

/** struct contents - where the elements come from */
struct contents {
	const struct ruleset_options *options;
	const struct ruleset_addresses *addresses;
	uint64_t sequence;
};

/** set_is_small() - is it one of them? */
bool set_is_small(enum set_id id);
/** set_follows_addresses() - does it depend on @addresses? */
bool set_follows_addresses(enum set_id id);

/* set_bit() of all of them */
#define ADDRESSES_SHAPE (set_bit(SET_ROUTER6 + 1) - set_bit(SET_WAN_ADDR4))

/** keys_wanted() - what set @id should hold. Return: 0 or -ENOMEM */
int keys_wanted(struct keys *ret, enum set_id id, const struct contents *c);

/** sequence_put() - append the steps that replace the sequence number */
void sequence_put(struct batch *b, uint64_t sequence);
/** sequence_of_key() - the number an element stands for */
uint64_t sequence_of_key(const uint8_t *key);

/** want_intervals() - keys of an interval set: these prefixes of one family */
int want_intervals(struct keys *ret, const struct prefix *prefixes, size_t n, bool ipv4);
/** want_snats() - keys of an interval map: each source to where the longest prefix that
 * it is in leads, but for those that have an address to themselves */
int want_snats(struct keys *ret, const struct snat_list *list, bool ipv4);
