/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fake/parts.h"

#include <errno.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/store/store.h"

struct fake_parts fake;

static int pending;
static uint64_t pending_sum;
static struct fake_ending pending_endings[ARRAY_SIZE(fake.endings)];
static size_t n_pending_endings;
static bool endings_gone, pending_gone;
static bool undecided; /* a commit failed, and nobody has looked yet */

int fake_step(void)
{
	fake.calls++;
	if (!fake.fail_call || fake.calls < fake.fail_call ||
	    (fake.calls > fake.fail_call && fake.calls != fake.fail_also &&
	     !fake.fail_lasts))
		return 0;
	fake.failed++;
	return -fake.fail_errno;
}

uint64_t fake_sum(const struct mapping *m)
{
	return m->id * 1000003 + m->external.port * UINT64_C(65537) + m->internal.port +
	       m->protocol;
}

static uint64_t sum_of(const struct plan *plan)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		if (effect->kind == CHANGE_REMOVE)
			sum -= fake_sum(effect->mapping);
		else
			sum += fake_sum(effect->mapping);
		if (effect->kind == CHANGE_UPDATE)
			sum -= fake_sum(effect->before);
	}
	return sum;
}

static int difference(const struct plan *plan)
{
	int n = 0;

	for (size_t i = 0; i < plan_size(plan); i++) {
		enum change_kind kind = plan_effect_at(plan, i)->kind;

		n += (kind == CHANGE_ADD) - (kind == CHANGE_REMOVE);
	}
	return n;
}

uint64_t store_sequence(const struct store *store)
{
	return fake.store_sequence;
}

static void note_ending(const struct mapping *m)
{
	/* more than a test looks at */
	if (n_pending_endings == ARRAY_SIZE(pending_endings))
		return;
	pending_endings[n_pending_endings++] = (struct fake_ending){
		.external = m->external,
		.last_port = mapping_last_port(m),
	};
}

/* As natd/store/store.c has it: what is done goes; what is removed, switched off or leads
 * elsewhere comes, but for what may go on. */
static void note_endings(const struct plan *plan)
{
	n_pending_endings = 0;
	pending_gone = endings_gone;
	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);
		const struct mapping *m = effect->mapping, *before = effect->before;

		if (effect->drain || effect->kind == CHANGE_ADD)
			continue;
		if (effect->kind == CHANGE_REMOVE)
			note_ending(m);
		else if (before->enabled &&
			 (!m->enabled ||
			  !endpoint_equal(&m->internal, &before->internal)))
			note_ending(before);
	}
}

int store_begin(struct store *store, const struct plan *plan, uint64_t next_id)
{
	int r = fake_step();

	if (fake.fail_begin || r < 0)
		return r < 0 ? r : -fake.fail_begin;
	fake.transaction = true;
	pending = difference(plan);
	pending_sum = sum_of(plan);
	note_endings(plan);
	return 0;
}

static void durable(void)
{
	if (pending_gone) {
		fake.n_endings = 0;
		endings_gone = false;
	}
	for (size_t i = 0; i < n_pending_endings; i++)
		if (fake.n_endings < ARRAY_SIZE(fake.endings))
			fake.endings[fake.n_endings++] = pending_endings[i];
	fake.store += pending;
	fake.store_sum += pending_sum;
	fake.store_sequence++;
}

int store_commit(struct store *store)
{
	int r = fake_step();

	fake.transaction = false;
	if (!fake.fail_commit && r == 0) {
		durable();
		return 0;
	}
	undecided = true;
	return r < 0 ? r : -fake.fail_commit;
}

void store_rollback(struct store *store)
{
	fake.transaction = false;
}

int store_reopen(struct store *store)
{
	int r = fake_step();

	if (fake.fail_reopen || r < 0)
		return r < 0 ? r : -fake.fail_reopen;
	if (undecided && fake.commit_happened)
		durable();
	undecided = false;
	fake.fail_commit = 0;
	return 0;
}

/* Rows of a removal are there once it is durable; those that are done go with the next
 * transaction. */
int store_endings(struct store *store, store_ending on_ending, void *userdata)
{
	int r = fake_step();

	if (r < 0)
		return r;
	for (size_t i = 0; i < fake.n_endings; i++)
		on_ending(userdata, IPPROTO_TCP, &fake.endings[i].external,
			  fake.endings[i].last_port);
	return 0;
}

void store_endings_done(struct store *store)
{
	fake.endings_done++;
	endings_gone = true;
}

int ruleset_apply(struct ruleset *rs, const struct plan *plan, uint64_t sequence,
		  struct ruleset_fault *why)
{
	int r = fake_step();

	fake.applies++;
	if (r < 0)
		return r;
	if (fake.stale_once) {
		fake.stale_once--;
		return -ESTALE;
	}
	if (fake.apply_fails_above && plan_size(plan) > (size_t)fake.apply_fails_above)
		return -E2BIG;
	if (fake.fail_apply)
		return -fake.fail_apply;
	fake.kernel += difference(plan);
	fake.kernel_sum += sum_of(plan);
	fake.kernel_sequence = sequence;
	return 0;
}

int ruleset_end(struct ruleset *rs, const struct connection *connections, size_t n,
		struct ruleset_fault *why)
{
	int r = fake_step();

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		fake.barred[fake.n_barred++] = connections[i];
	return 0;
}

int ruleset_lift(struct ruleset *rs, const struct plan *plan, struct ruleset_fault *why)
{
	fake.lifts++;
	return 0;
}

int ruleset_missed(struct ruleset *rs, uint64_t *ret)
{
	int r = fake_step();

	if (!fake.missed || r < 0)
		return r < 0 ? r : -ESTALE;
	*ret = fake.missed;
	return 0;
}

int conntrack_dump(struct conntrack *ct, conntrack_entry on_entry, void *userdata)
{
	int r = fake_step();

	fake.dumps++;
	if (fake.fail_dump || r < 0)
		return r < 0 ? r : -fake.fail_dump;
	for (size_t i = 0; i < fake.n_entries; i++) {
		r = on_entry(userdata, &fake.entries[i]);
		if (r)
			return r;
	}
	return 0;
}

int conntrack_begin(struct conntrack *ct)
{
	fake.step = 0;
	fake.begun++;
	return fake_step();
}

/* An entry a time, once it is @slow. */
int conntrack_step(struct conntrack *ct, uint64_t usec, conntrack_entry on_entry,
		   void *userdata)
{
	int r;

	if (fake.waits)
		return CONNTRACK_WAIT;
	if (!fake.slow)
		return conntrack_dump(ct, on_entry, userdata);
	if (fake.fail_dump)
		return -fake.fail_dump;
	if (fake.step == fake.n_entries)
		return 0;
	r = on_entry(userdata, &fake.entries[fake.step++]);
	return r ? r : CONNTRACK_MORE;
}

void conntrack_give_up(struct conntrack *ct)
{
	fake.given_up++;
}

int conntrack_delete(struct conntrack *ct, const struct connection *connections, size_t n,
		     size_t *ret_deleted)
{
	size_t deleted = 0;
	int r = fake_step();

	if (fake.fail_delete || r < 0)
		return r < 0 ? r : -fake.fail_delete;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < fake.n_entries; j++)
			if (fake.entries[j].id == connections[i].id) {
				fake.entries[j] = fake.entries[--fake.n_entries];
				deleted++;
				break;
			}
	if (ret_deleted)
		*ret_deleted = deleted;
	return 0;
}
