/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * parts - store, kernel and connection tracker as a test wants them
 *
 * Linked in place of natd/store/store.c, rules/ruleset.c and rules/conntrack.c, to make
 * each call fail on demand. They count what is committed, not what is attempted.
 */

#include "rules/conntrack.h"
#include "rules/ruleset.h"

struct fake_ending {
	struct endpoint external;
	uint16_t last_port;
};

struct fake_parts {
	/* what is durable, and what the kernel holds */
	int store, kernel;
	uint64_t store_sequence, kernel_sequence;
	bool transaction;
	int endings_done;
	struct fake_ending endings[16]; /* rows of removed mappings, all of TCP */
	size_t n_endings;

	/* sums over what is in them, so that two with the same number of mappings differ
	 */
	uint64_t store_sum, kernel_sum;

	/*
	 * A walk: of all calls the @fail_call-th from now on (1 = the next) fails with
	 * @fail_errno, and the @fail_also-th, and with @fail_lasts those after it, until
	 * fail_call is 0.
	 * @failed: how many did
	 */
	int calls, fail_call, fail_also, fail_errno, failed;
	bool fail_lasts;

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
	int applies, resyncs, dumps, lifts;
	/* dumps in pieces: one entry each when @slow, none ever when it @waits */
	bool slow, waits;
	size_t step;
	int begun, given_up;
	uint64_t missed; /* connections that no mapping served; 0 = the kernel cannot tell
			  */
};

extern struct fake_parts fake;

/** fake_step() - for a test's own parts: 0, or what the walk says. Negative */
int fake_step(void);
/** fake_sum() - as store_sum, of one mapping */
uint64_t fake_sum(const struct mapping *m);
