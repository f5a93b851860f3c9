/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fake/parts.h"

#include <errno.h>
#include <string.h>

#include "natd/store.h"

struct fake_parts fake;

static int pending, pending_kernel;

static int difference(const struct plan *plan)
{
	int n = 0;

	for (size_t i = 0; i < plan_size(plan); i++)
		n += plan_effect_at(plan, i)->kind == CHANGE_ADD ? 1 : -1;
	return n;
}

uint64_t store_sequence(const struct store *store)
{
	return fake.store_sequence;
}

int store_begin(struct store *store, const struct plan *plan, uint64_t next_id)
{
	if (fake.fail_begin)
		return -fake.fail_begin;
	fake.transaction = true;
	pending = difference(plan);
	return 0;
}

static void durable(void)
{
	fake.store += pending;
	fake.store_sequence++;
}

int store_commit(struct store *store)
{
	fake.transaction = false;
	if (!fake.fail_commit) {
		durable();
		return 0;
	}
	return -fake.fail_commit;
}

void store_rollback(struct store *store)
{
	fake.transaction = false;
}

int store_reopen(struct store *store)
{
	if (fake.fail_reopen)
		return -fake.fail_reopen;
	if (fake.fail_commit && fake.commit_happened)
		durable();
	fake.fail_commit = 0;
	return 0;
}

void store_endings_done(struct store *store)
{
	fake.endings_done++;
}

int ruleset_apply(struct ruleset *rs, const struct plan *plan, uint64_t sequence,
		  struct ruleset_fault *why)
{
	fake.applies++;
	if (fake.stale_once) {
		fake.stale_once--;
		return -ESTALE;
	}
	if (fake.apply_fails_above && plan_size(plan) > (size_t)fake.apply_fails_above)
		return -E2BIG;
	if (fake.fail_apply)
		return -fake.fail_apply;
	pending_kernel = difference(plan);
	fake.kernel += pending_kernel;
	fake.kernel_sequence = sequence;
	return 0;
}

int ruleset_end(struct ruleset *rs, const struct connection *connections, size_t n,
		struct ruleset_fault *why)
{
	for (size_t i = 0; i < n; i++)
		fake.barred[fake.n_barred++] = connections[i];
	return 0;
}

int conntrack_dump(struct conntrack *ct, conntrack_entry on_entry, void *userdata)
{
	if (fake.fail_dump)
		return -fake.fail_dump;
	for (size_t i = 0; i < fake.n_entries; i++) {
		int r = on_entry(userdata, &fake.entries[i]);

		if (r)
			return r;
	}
	return 0;
}

int conntrack_delete(struct conntrack *ct, const struct connection *connections, size_t n,
		     size_t *ret_deleted)
{
	size_t deleted = 0;

	if (fake.fail_delete)
		return -fake.fail_delete;
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
