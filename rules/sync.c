/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * sync - makes the kernel's table what it should be
 *
 * Theory of operation. The table is described twice as text (image.h): as it should be,
 * from the messages that would make it, and as it is, from a dump. Where the texts
 * differ, one transaction empties all chains and writes them anew; sets that are right
 * keep their elements and counters. Elements are compared by themselves, and only the
 * difference is sent. With nothing different nothing is sent.
 *
 * Others may write between our dump and our transaction. Then a step fails, nothing is
 * applied, and all is looked at again; when that does not help either, the whole table
 * is deleted and made anew in one transaction.
 */

#include "rules/sync.h"

#include <errno.h>
#include <string.h>

#include "rules/fault.h"
#include "rules/skeleton.h"

/* how often a transaction is tried: mending twice, then making the table anew */
#define ATTEMPTS 4
#define MENDS	 2

static int send_out(struct sync *s, struct ruleset_fault *why)
{
	int r = watch_send(s->rs, &s->out, why);

	batch_done(&s->out);
	batch_begin(&s->out, s->rs);
	return r;
}

static void note_rooms(struct sync *s)
{
	const struct part *p;

	for (enum mapping_kind kind = 0; kind < MAPPING_SETS; kind++) {
		p = image_find(&s->found.image, PART_SET,
			       set_specs[set_of_mappings(kind)].name);
		s->rs->room[kind] = s->room[kind];
		if (p && sync_set_is_right(s, set_of_mappings(kind)))
			s->rs->room[kind] = p->size ? p->size : SIZE_MAX;
	}
}

/* Makes a table that is there our own, and wakes it when somebody put it to sleep. A
 * transaction of its own: the kernel takes no base chains in one that alters the table.
 */
static int claim(struct sync *s, struct ruleset_fault *why)
{
	bool mine = s->found.flags & NFT_TABLE_F_OWNER && s->found.owner == s->rs->portid;
	bool dormant = s->found.flags & NFT_TABLE_F_DORMANT;

	if (!s->found.exists || !sync_protection_is_right(s))
		return 0;
	if (!dormant && (mine || s->protection != PROTECTION_OWNED))
		return 0;
	s->woken |= dormant;
	sync_put_table(s);
	return send_out(s, why);
}

static int send_difference(struct sync *s, struct ruleset_fault *why)
{
	int r = 0;

	note_rooms(s);
	if (s->rs->can_own)
		r = ruleset_make_room(s->rs, s->need, why);
	if (r == 0)
		r = sync_put_difference(s);
	return r < 0 ? r : send_out(s, why);
}

static int send_everything(struct sync *s, struct ruleset_fault *why)
{
	int r;

	memcpy(s->rs->room, s->room, sizeof(s->room));
	r = sync_put_everything(s);
	return r < 0 ? r : send_out(s, why);
}

static int try_once(struct sync *s, bool anew, struct ruleset_fault *why)
{
	int r;

	found_done(&s->found);
	r = sync_find_table(s);
	if (r == 0)
		r = claim(s, why);
	if (r < 0)
		return r;
	r = sync_find(s);
	if (r < 0) {
		fault_set(why, "reading the table: %s", strerror(-r));
		return r;
	}
	s->report = (struct ruleset_report){ .rewritten = s->woken };
	if (s->found.exists && !anew && sync_protection_is_right(s))
		return send_difference(s, why);
	return send_everything(s, why);
}

/* Faults that another look at the table does not cure. */
static bool is_final(int r)
{
	return r == 0 || r == -EPERM || r == -EMSGSIZE || r == -ENOMEM;
}

static int try_all(struct sync *s, struct ruleset_fault *why)
{
	int r = -EINTR;

	for (int i = 0; i < ATTEMPTS && !is_final(r); i++)
		r = try_once(s, i >= MENDS, why);
	return r;
}

static int describe(struct sync *s)
{
	mappings_count(s->table, s->need);
	for (size_t i = 0; i < MAPPING_SETS; i++)
		s->room[i] = ruleset_room_for(s->rs, s->need[i]);
	batch_begin(&s->out, s->rs);
	batch_begin(&s->skeleton, s->rs);
	skeleton_put(&s->skeleton, &s->wanted, s->options, s->room);
	return s->skeleton.error ? s->skeleton.error : s->wanted.error;
}

static int settle_protection(struct sync *s, struct ruleset_fault *why)
{
	s->protection = s->options->protection;
	if (s->protection == PROTECTION_AUTO)
		s->protection = s->rs->can_own ? PROTECTION_OWNED : PROTECTION_WATCHED;
	if (s->protection == PROTECTION_OWNED && !s->rs->can_own) {
		fault_set(why, "this kernel cannot let a process own a table and keep it "
			       "(that needs Linux 6.9)");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int settle(struct sync *s, struct ruleset_fault *why)
{
	struct ruleset *rs = s->rs;

	rs->protection = s->protection;
	memcpy(rs->elements, s->need, sizeof(s->need));
	rs->synced = true;
	fault_set(why, "%s", "");
	return ruleset_remember(rs, s->addresses);
}

int ruleset_sync(struct ruleset *rs, const struct ruleset_options *options,
		 const struct ruleset_addresses *addresses, const struct table *table,
		 uint64_t sequence, ruleset_extra extra, void *userdata,
		 struct ruleset_report *report, struct ruleset_fault *why)
{
	struct sync s = { .rs = rs,
			  .options = options,
			  .addresses = addresses,
			  .table = table,
			  .sequence = sequence };
	int r;

	fault_set(why, "%s", "");
	r = settle_protection(&s, why);
	if (r == 0)
		r = describe(&s);
	if (r == 0)
		r = try_all(&s, why);
	if (r == 0)
		r = settle(&s, why);
	for (size_t i = 0; r == 0 && extra && i < MAPPING_SETS; i++)
		scan_report(&s.found.scans[i], extra, userdata);
	if (r == 0)
		*report = s.report;
	found_done(&s.found);
	image_done(&s.wanted);
	batch_done(&s.skeleton);
	batch_done(&s.out);
	return r;
}
