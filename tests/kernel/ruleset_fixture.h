/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ruleset_fixture - a table of mappings and a ruleset in a network of the test's own
 */

#include <criterion/criterion.h>

#include "rules/ruleset.h"

/* one WAN wan0 with 203.0.113.5 and 2001:db8:f::5, one LAN lan0; mappings as told */
extern struct ruleset *rs;
extern struct table *table;
extern struct ruleset_options options;
extern struct ruleset_addresses addresses;
extern uint64_t sequence;

void fixture_enter(void);
void fixture_leave(void);

/** fixture_protection() - use this one; skips the test where the kernel cannot */
void fixture_protection(enum protection protection);

/* A test in both protections; the body follows, with @protection already chosen. */
#define TEST_IN_BOTH(suite, name)                                                        \
	static void name##_body(void);                                                   \
	Test(suite, name##_owned)                                                        \
	{                                                                                \
		fixture_protection(PROTECTION_OWNED);                                    \
		name##_body();                                                           \
	}                                                                                \
	Test(suite, name##_watched)                                                      \
	{                                                                                \
		fixture_protection(PROTECTION_WATCHED);                                  \
		name##_body();                                                           \
	}                                                                                \
	static void name##_body(void)

/** fixture_load() - put mappings into @table alone, a line each as make_mapping() reads
 */
void fixture_load(const char *lines);
/** fixture_load_many() - @n forwards, tcp first and then udp, from port 1 on */
void fixture_load_many(size_t n);

/** fixture_sync() - which must succeed */
struct ruleset_report fixture_sync(void);
/** fixture_sync_fails() - with this errno; Return: the words */
struct ruleset_fault fixture_sync_fails(int error);

/** assert_in_step() - a sync finds nothing to do */
void assert_in_step(void);

/** fixture_change() - apply what make_list() reads, and commit. Return: ruleset_apply()'s
 */
int fixture_change(const char *lines, struct ruleset_fault *why);

/** fixture_reopen() - as another process would that takes over */
void fixture_reopen(void);
/** fixture_while_away() - close, run a shell command on the ruleset, open */
void fixture_while_away(const char *command);

/** fixture_listing() - what a shell command prints; freed with the test */
char *fixture_listing(const char *command);

/** fixture_monitor() - from now on count messages of others and ours */
void fixture_monitor(void);
/** fixture_monitored() - how many of NFT_MSG_* came since; NFT_MSG_MAX: of any type but
 * those that end a transaction */
unsigned fixture_monitored(unsigned type);

/** fixture_count_element() - give an element a counter that says @packets, with nft */
void fixture_count_element(const char *map, const char *key, const char *data,
			   unsigned packets);
