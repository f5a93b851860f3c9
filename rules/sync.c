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
#include <stdlib.h>
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

	memcpy(s->rs->room, s->wanted.room, sizeof(s->wanted.room));
	for (enum set_id id = 0; id < SET_COUNT; id++) {
		p = image_find(&s->found.image, PART_SET, set_specs[id].name);
		if (set_specs[id].grows && p && sync_set_is_right(s, id))
			s->rs->room[id] = p->size ? p->size : SIZE_MAX;
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
	size_t need[SET_COUNT];
	int r = 0;

	note_rooms(s);
	sync_need(s, need);
	if (s->rs->can_own)
		r = ruleset_make_room(s->rs, need, why);
	if (r == 0)
		r = sync_put_difference(s);
	return r < 0 ? r : send_out(s, why);
}

static int send_everything(struct sync *s, struct ruleset_fault *why)
{
	int r;

	memcpy(s->rs->room, s->wanted.room, sizeof(s->wanted.room));
	r = sync_put_everything(s);
	return r < 0 ? r : send_out(s, why);
}

static int try_once(struct sync *s, bool anew, struct ruleset_fault *why)
{
	int r;

	found_done(&s->found);
	s->n_astray = 0;
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
	int r = ruleset_remember(rs, s->addresses);

	rs->protection = s->protection;
	derived_done(rs->derived);
	*rs->derived = s->wanted.derived;
	s->wanted.derived = (struct derived){ 0 };
	rs->options = *s->options;
	rs->shape = s->wanted.shape;
	rs->synced = r == 0; /* what is derived follows from the addresses too */
	fault_set(why, "%s", "");
	return r;
}

struct telling_strays {
	enum mapping_kind kind;
	ruleset_on_slot extra;
	void *userdata;
};

static void tell_astray(void *userdata, const struct key *k)
{
	const struct telling_strays *t = userdata;
	struct ruleset_slot slot;

	if (mapping_element_slot(
		    t->kind,
		    &(struct counted){
			    .key = k->bytes,
			    .key_len = set_specs[set_of_mappings(t->kind)].key_len,
			    .chain = k->chain,
			    .flags = k->flags,
		    },
		    &slot))
		t->extra(t->userdata, &slot);
}

/* What led packets somewhere, and does no more. */
static void report_strays(const struct sync *s, ruleset_on_slot extra, void *userdata)
{
	struct telling_strays t = { .extra = extra, .userdata = userdata };
	enum set_id id;

	for (t.kind = 0; t.kind < MAPPING_KINDS; t.kind++) {
		id = set_of_mappings(t.kind);
		scan_report(&s->found.scans[t.kind], extra, userdata);
		if (kind_is_restricted(t.kind))
			keys_beyond(&s->found.keys[id], sync_wanted(s, id), tell_astray,
				    &t);
	}
	for (size_t i = 0; i < s->n_astray; i++)
		extra(userdata, s->astray[i]);
}

int ruleset_sync(struct ruleset *rs, const struct ruleset_options *options,
		 const struct ruleset_addresses *addresses, const struct table *table,
		 uint64_t sequence, ruleset_on_slot extra, void *userdata,
		 struct ruleset_report *report, struct ruleset_fault *why)
{
	struct sync s = { .rs = rs,
			  .options = options,
			  .addresses = addresses,
			  .table = table,
			  .sequence = sequence };
	int r;

	fault_set(why, "%s", "");
	batch_begin(&s.out, rs);
	r = settle_protection(&s, why);
	if (r == 0)
		r = sync_describe(&s);
	if (r == 0)
		r = try_all(&s, why);
	if (r == 0 && extra)
		report_strays(&s, extra, userdata);
	if (r == 0)
		r = settle(&s, why);
	if (r == 0)
		*report = s.report;
	free(s.astray);
	found_done(&s.found);
	wanted_done(&s.wanted);
	batch_done(&s.out);
	return r;
}
