/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sync - what the files that make the kernel's table right have in common
 *
 * wanted.c says how it should be, found.c looks, mend.c and mend_chains.c write down what
 * is to be done, sync.c decides and sends.
 */

#include "rules/derived.h"
#include "rules/image.h"
#include "rules/mappings.h"
#include "rules/smallsets.h"

#define TABLE_F_OWNED (NFT_TABLE_F_OWNER | TABLE_F_PERSIST)

/** struct found - the table as the kernel holds it
 * @chains: those that come and go with mappings; the others are in @image
 * @scans:  of the sets of mappings; @keys: of the others, and of the _FROM kinds */
struct found {
	bool exists;
	uint32_t flags;
	uint32_t owner;
	struct image image;
	struct image chains;
	struct scan scans[MAPPING_KINDS];
	struct keys keys[SET_COUNT];
};

/**
 * struct wanted - the table as it should be
 * @skeleton, @chain_steps: never sent: messages are copied from them
 * @image:   describes @skeleton
 * @chains:  describes @chain_steps: what comes and goes with mappings
 * @derived: has what the maps of spare ports should hold
 * @shape:   set_bit() of the sets that have elements
 * @room:    sizes of new sets
 */
struct wanted {
	struct batch skeleton;
	struct batch chain_steps;
	struct image image;
	struct image chains;
	struct derived derived;
	struct keys keys[SET_COUNT];
	uint64_t shape;
	size_t room[SET_COUNT];
};

struct sync {
	struct ruleset *rs;
	const struct ruleset_options *options;
	const struct ruleset_addresses *addresses;
	const struct table *table;
	uint64_t sequence;
	enum protection protection;
	struct wanted wanted;
	struct found found;
	struct batch out;
	bool woken; /* it was dormant */
	/* of rules that are taken away, what they stood for; borrowed from @found */
	const struct ruleset_slot **astray;
	size_t n_astray, room_astray;
	struct ruleset_report report;
};

/** set_has_keys() - is it compared as a list of keys? */
bool set_has_keys(enum set_id id);

/** sync_describe() - fill @s->wanted. Return: 0 or -ENOMEM */
int sync_describe(struct sync *s);
/** sync_wanted() - what a set with keys should hold; borrowed */
const struct keys *sync_wanted(const struct sync *s, enum set_id id);
void wanted_done(struct wanted *wanted);

void found_done(struct found *found);
/** sync_find_table() - table alone. Return: 0, also when there is none; a netlink errno
 */
int sync_find_table(struct sync *s);
/** sync_find() - all of it. Return: 0; -EINTR when it never stood still; a netlink errno
 */
int sync_find(struct sync *s);

/** sync_has() - is the part there, and as it should be? */
bool sync_has(const struct sync *s, enum part_kind kind, const char *name);
bool sync_set_is_right(const struct sync *s, enum set_id id);
bool sync_protection_is_right(const struct sync *s);

/* Append to @s->out and note in @s->report. Return: 0 or -ENOMEM */
void sync_put_table(struct sync *s);
int sync_put_everything(struct sync *s);
int sync_put_difference(struct sync *s);

/** sync_need() - elements that there will be at most meanwhile, by enum set_id */
void sync_need(const struct sync *s, size_t ret[static SET_COUNT]);

/** sync_count_chains() - note in @s->report which rules of restricted mappings are
 * missing or too many. Return: 0 or -ENOMEM */
int sync_count_chains(struct sync *s);

/* Chains that come and go with mappings, in three steps: before their elements and what
 * else is deleted, after it, and before elements lead to them. */
void sync_empty_chains(struct sync *s);
void sync_delete_chains(struct sync *s);
int sync_put_chains(struct sync *s, bool everything);
