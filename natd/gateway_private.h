/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gateway_private - what the files of the gateway share
 */

#include "natd/ending.h"
#include "natd/events.h"
#include "natd/gateway.h"

#define GATEWAY_CAPACITY       65535
#define GATEWAY_FOREIGN_MAX    32
#define GATEWAY_PROBLEM_STRLEN 512

/** struct repair - the last time somebody else's doing was mended */
struct repair {
	uint64_t count;
	uint64_t at; /* seconds since 1970 */
	struct culprit by;
};

struct reload;

struct gateway {
	sd_event *event;
	sd_event_source *watch, *repair_timer, *catch_up;
	struct config *config;
	struct table *table;
	struct store *store;
	struct ruleset *ruleset;
	struct conntrack *conntrack;
	struct links *links;
	struct engine *engine;
	struct events *events;
	struct ending_memory memory;
	struct reload *reload; /* the one that waits for its answer */

	struct ruleset_options options; /* in force */
	struct in6_addr *wan;		/* addresses in force */
	size_t n_wan;
	struct in6_addr *told_wan; /* addresses that events have told */
	size_t n_told_wan;
	bool in_force; /* the kernel agreed with the table at least once */
	bool endings_owed;
	struct culprit suspect;

	struct foreign_chain foreign[GATEWAY_FOREIGN_MAX];
	size_t n_foreign;

	uint64_t started, table_since;
	struct repair repair;
	/* sentences of what is wrong now, "" = nothing */
	char config_problem[GATEWAY_PROBLEM_STRLEN];
	char sync_problem[GATEWAY_PROBLEM_STRLEN];
	char sysctl_problem[GATEWAY_PROBLEM_STRLEN];
};

/** gateway_sync() - bring the kernel in line with table, configuration and interfaces
 * Return: 0, or what ruleset_sync() said; the fault is kept for status. */
int gateway_sync(struct gateway *gw, struct ruleset_report *report,
		 struct ruleset_fault *why);

/** gateway_options() - the fixed rules' options for @config as the interfaces are now */
void gateway_options(const struct gateway *gw, const struct config *config,
		     struct ruleset_options *ret);

/** gateway_scan_foreign() - look for other programs' dropping chains, log what is new */
void gateway_scan_foreign(struct gateway *gw);

/** gateway_watch() - follow what others do to nftables. Return: 0, or sd-event's errno */
int gateway_watch(struct gateway *gw);

/** gateway_catch_up() - interfaces and kernel are not what the configuration in force
 * says, and could not be brought there: try again until they are */
void gateway_catch_up(struct gateway *gw);

/** gateway_forwarding() - switch it on where it should be, keeping a fault for status */
void gateway_forwarding(struct gateway *gw);

/** gateway_tell_addresses() - what became of the WANs' addresses since it was told */
void gateway_tell_addresses(struct gateway *gw);
/** gateway_tell_repair() - @by: zero where nobody knows; nothing is told where the report
 * says that nothing differed */
void gateway_tell_repair(struct gateway *gw, const struct ruleset_report *report,
			 const struct culprit *by);
/** gateway_tell_foreign() - @chain has appeared, or is gone */
void gateway_tell_foreign(struct gateway *gw, const struct foreign_chain *chain,
			  bool appeared);
/** report_is_empty() - did nothing differ? */
bool report_is_empty(const struct ruleset_report *report);

/** gateway_parts() - the engine's, and the endings', view of the gateway */
struct engine_parts gateway_parts(struct gateway *gw);

/** gateway_end_strays() - end the connections that no mapping leads where they went
 * Return: as ending_run(); logged */
int gateway_end_strays(struct gateway *gw, struct ending *strays);

/** gateway_end_owed() - the same, with those of mappings that were removed and whose
 * connections may not have been ended */
void gateway_end_owed(struct gateway *gw, struct ending *strays);

/** gateway_end_unruled() - end what began while the rules were not those in force now */
void gateway_end_unruled(struct gateway *gw);

/** gateway_end_missing() - end the connections of those of @before that are no WAN
 * address any more; takes @before over */
void gateway_end_missing(struct gateway *gw, struct in6_addr *before, size_t n);

uint64_t gateway_now(void); /* seconds since 1970 */

/** gateway_diff() - the changes that make the table's forwards of the file those of
 * @config. Return: 0 or -ENOMEM */
int gateway_diff(const struct gateway *gw, const struct config *config,
		 struct change_list *ret);
