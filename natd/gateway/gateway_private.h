/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gateway_private - what the files of the gateway share
 */

#include "natd/events/events.h"
#include "natd/gateway/ending.h"
#include "natd/gateway/gateway.h"
#include "natd/gateway/leases.h"
#include "natd/kernel/sockets.h"
#include "natd/kernel/traffic.h"

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
struct gateway_upstream;

struct gateway {
	sd_event *event;
	const struct nursery *nursery; /* NULL: none */
	sd_event_source *watch, *repair_timer, *catch_up;
	struct config *config;
	struct table *table;
	struct store *store;
	struct ruleset *ruleset;
	struct conntrack *conntrack;
	struct links *links;
	struct engine *engine;
	struct events *events;
	struct sockets *sockets; /* NULL: could not be opened yet */
	struct lease_clock clock;
	struct leases *leases;
	struct meter *meter;	     /* NULL: bytes are not counted */
	struct gateway_upstream *up; /* NULL: no router above us is spoken to */
	sd_event_source *clock_watch, *save_timer, *settle_timer;
	struct ending_memory memory;
	struct reload *reload; /* the one that waits for its answer */

	struct ruleset_options options; /* in force */
	struct snat_list snat;		/* borrowed from @config */
	struct in6_addr *wan;		/* addresses in force */
	size_t n_wan;
	struct in6_addr routers[2 * RULESET_WANS_MAX]; /* above us, in force */
	struct in6_addr *told_wan; /* addresses that events have told */
	size_t n_told_wan;
	bool in_force; /* the kernel agreed with the table at least once */
	bool endings_owed;
	struct culprit suspect;
	gateway_configured configured;
	void *configured_userdata;

	struct foreign_chain foreign[GATEWAY_FOREIGN_MAX];
	size_t n_foreign;

	bool is_confined; /* system calls; files: see @confined */
	struct confined confined;
	uint64_t started, table_since;
	struct repair repair;
	/* sentences of what is wrong now, "" = nothing */
	char config_problem[GATEWAY_PROBLEM_STRLEN];
	char sync_problem[GATEWAY_PROBLEM_STRLEN];
	char sysctl_problem[GATEWAY_PROBLEM_STRLEN];
	char accounting_problem[GATEWAY_PROBLEM_STRLEN];
	char sockets_problem[GATEWAY_PROBLEM_STRLEN];
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

/** gateway_account() - switch on what counts bytes, where the configuration wants it,
 * keeping a fault for status */
void gateway_account(struct gateway *gw);

/* ------------------------------------------------------------ gateway_world.c */

/** gateway_conditions() - see struct engine_parts */
void gateway_conditions(void *userdata, uint8_t listeners, struct conditions *ret);
/** gateway_foresee() - the conditions as @config would have them; what only its
 * interfaces could tell is not known
 * @lans: room for those of @ret */
void gateway_foresee(struct gateway *gw, const struct config *config,
		     struct lan_prefix lans[static RULESET_LANS_MAX],
		     struct conditions *ret);
/** gateway_snat() - see struct engine_parts */
const struct snat_list *gateway_snat(void *userdata);
/** gateway_protocols() - PROTOCOL_BIT_* that the kernel translates as it is set now */
uint8_t gateway_protocols(const struct gateway *gw);
/** gateway_listeners() - of @protocols (PROTOCOL_BIT_*). Return: false when they cannot
 * be read; a fault is logged once, and kept for status */
bool gateway_listeners(struct gateway *gw, uint8_t protocols, struct listener_list *ret);

/* ------------------------------------------------------------ gateway_hosts.c */

struct stand;

/** struct standing - how mappings that may wait stood at one moment, in order of id */
struct standing {
	struct stand *stands;
	size_t n;
};
void standing_done(struct standing *standing);

/** gateway_note_standing() - with the WAN addresses that events have told; to be followed
 * by gateway_tell_standing() before the table changes otherwise than by new hosts, and by
 * gateway_tell_addresses() */
void gateway_note_standing(const struct gateway *gw, struct standing *ret);
/** gateway_tell_standing() - what waits now and did not, the other way about, and what
 * has another host. Takes
 * @before over */
void gateway_tell_standing(struct gateway *gw, struct standing *before);

/** gateway_tell_held() - what of a plan that was committed waits for the router above us
 * now and did not, and the other way about */
void gateway_tell_held(struct gateway *gw, const struct plan *plan);

/** gateway_settle_hosts() - hosts of suffixes follow the prefixes of their LANs; soon,
 * where a plan is open. Return: how many changed */
size_t gateway_settle_hosts(struct gateway *gw);

/** gateway_settle_soon() - when the plan that is open has been decided */
void gateway_settle_soon(struct gateway *gw);

/* why a mapping is not in force */
enum lack { LACK_NONE, LACK_ADDRESS, LACK_HOST, LACK_UPSTREAM };
/** gateway_lack() - of what is particular to @m: that there is a WAN address at all is
 * another question */
enum lack gateway_lack(const struct mapping *m, const struct address_list *wan);

/* ------------------------------------------------------------ gateway_time.c */

/** gateway_start_clock() - go on from the store's anchor. Called with the store loaded */
void gateway_start_clock(struct gateway *gw);
/** gateway_start_leases() - Return: 0, -ENOMEM, what sd-event and timerfd said */
int gateway_start_leases(struct gateway *gw);
/** gateway_save() - write what the store has beside the mappings, where there is any */
void gateway_save(struct gateway *gw);
/** gateway_stop_saving() - for the last time. Called with the engine there */
void gateway_stop_saving(struct gateway *gw);

/* ------------------------------------------------------------ gateway_status.c */

/** gateway_say() - append a sentence, if it is one, to a list of problems */
void gateway_say(json_t *list, const char *text);
/** gateway_say_world() - problems of mappings with the world around them */
void gateway_say_world(struct gateway *gw, json_t *list);
/** gateway_encode_*() - new references, or NULL */
json_t *gateway_encode_protocols(const struct gateway *gw);
json_t *gateway_encode_pool(const struct gateway *gw);
json_t *gateway_encode_snat(const struct gateway *gw);

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
/** gateway_line() - of the forward in @config that @change, of gateway_diff(), is about;
 * 0: it is not known any more */
unsigned int gateway_line(const struct gateway *gw, const struct config *config,
			  const struct change *change);
