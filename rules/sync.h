/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sync - what the files that make the kernel's table right have in common
 *
 * found.c looks, mend.c writes down what is to be done, sync.c decides and sends.
 */

#include "rules/image.h"
#include "rules/mappings.h"
#include "rules/smallsets.h"

#define TABLE_F_OWNED (NFT_TABLE_F_OWNER | TABLE_F_PERSIST)

/** struct found - the table as the kernel holds it */
struct found {
	bool exists;
	uint32_t flags;
	uint32_t owner;
	struct image image;
	struct scan scans[MAPPING_SETS];
	struct keys keys[SET_COUNT];
};

struct sync {
	struct ruleset *rs;
	const struct ruleset_options *options;
	const struct ruleset_addresses *addresses;
	const struct table *table;
	uint64_t sequence;
	enum protection protection;
	size_t need[MAPPING_SETS];
	size_t room[MAPPING_SETS];
	struct batch skeleton; /* never sent: messages are copied from it */
	struct image wanted;   /* describes @skeleton */
	struct found found;
	struct batch out;
	bool woken; /* it was dormant */
	struct ruleset_report report;
};

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
