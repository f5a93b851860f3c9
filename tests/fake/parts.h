/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * parts - store, kernel and connection tracker as a test wants them
 *
 * Linked in place of natd/store.c, rules/ruleset.c and rules/conntrack.c, to make each
 * call fail on demand. They count what is committed, not what is attempted.
 */

#include "rules/conntrack.h"
#include "rules/ruleset.h"

struct fake_parts {
	/* what is durable, and what the kernel holds */
	int store, kernel;
	uint64_t store_sequence, kernel_sequence;
	bool transaction;
	int endings_done;

	/* errno to fail with, 0 = work */
	int fail_begin, fail_apply, fail_commit, fail_reopen, fail_dump, fail_delete;
	bool commit_happened;  /* with fail_commit: it reached the disk all the same */
	int apply_fails_above; /* refuse transactions of more effects than this; 0 = never
				*/
	int stale_once;	       /* apply says -ESTALE this often */

	/* entries of the connection tracker */
	struct connection entries[16];
	size_t n_entries;
	struct connection barred[16];
	size_t n_barred;
	int applies, resyncs;
};

extern struct fake_parts fake;
