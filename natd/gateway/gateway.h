/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gateway - the whole: configuration, table, store, kernel, interfaces
 *
 * Ties the parts together: brings the kernel in line at start, after foreign changes and
 * when interfaces change. Everything that the API tells or does beyond changes goes
 * through here.
 */

#include <jansson.h>

#include "core/api.h"
#include "natd/gateway/engine.h"
#include "natd/kernel/links.h"
#include "natd/workers/confine.h"

struct gateway;
struct events;
struct nursery;

struct gateway_fault {
	char text[640]; /* a sentence with the cure */
};

/**
 * gateway_open() - load the store, compare the kernel, switch forwarding on
 * @event:   borrowed until gateway_close()
 * @config:  taken over on success
 * @state:   directory of the store
 * @nursery: where workers come from, borrowed until gateway_close(); NULL: from nowhere
 *
 * Return: 0; -EUCLEAN when the store is damaged or older than the kernel's table; else
 * what store, netlink or sd-event said. The kernel's table is left as it was.
 */
int gateway_open(sd_event *event, struct config *config, const char *state,
		 const struct nursery *nursery, struct gateway **ret,
		 struct gateway_fault *why);
void gateway_close(struct gateway *gw); /* NULL is fine; the kernel's table stays */

/**
 * gateway_start() - submit what the configuration's forwards differ from the table's
 * @done: as for gateway_reload(); a refusal is logged and kept for status
 * Return: 0, -ENOMEM.
 */
typedef void (*gateway_done)(void *userdata, size_t added, size_t removed,
			     const struct problem *why);
int gateway_start(struct gateway *gw, gateway_done done, void *userdata);

struct table *gateway_table(struct gateway *gw);
struct engine *gateway_engine(struct gateway *gw);
const struct config *gateway_config(const struct gateway *gw);
struct events *gateway_events(struct gateway *gw);

/** gateway_confined() - what natd has given up, for status: until then nothing */
void gateway_confined(struct gateway *gw, const struct confined *confined);

/**
 * struct counts - live figures of all mappings at one moment
 */
struct counts;

/** gateway_counts() - read them from the kernel; @ret owned by the caller.
 * Return: 0, -ENOMEM; what cannot be read is "not known" in the states, not an error */
int gateway_counts(struct gateway *gw, struct counts **ret);
void counts_free(struct counts *counts);
/** counts_state() - of one mapping; pointers in @ret are borrowed from @counts */
void counts_state(const struct counts *counts, const struct mapping *m,
		  struct mapping_state *ret);

/** gateway_connection - not 0 ends the walk and is returned */
typedef int (*gateway_connection)(void *userdata, const struct mapping *m,
				  const struct connection *c);
/** gateway_connections() - tell every live connection, with the mapping it goes through
 * Return: 0, what @on_connection returned, or as conntrack_dump() */
int gateway_connections(struct gateway *gw, gateway_connection on_connection,
			void *userdata);
/** gateway_end_connections() - as ending_kill() */
int gateway_end_connections(struct gateway *gw, const struct connection *connections,
			    size_t n, size_t *ret_ended);

/** gateway_status() - the body of GET /v1/status, new reference, or NULL (no memory) */
json_t *gateway_status(struct gateway *gw);

/**
 * gateway_resync() - compare the kernel with the table and repair; compare connections
 * Return: 0 with @report; else @why is written.
 */
int gateway_resync(struct gateway *gw, struct ruleset_report *report,
		   struct problem *why);

/**
 * gateway_reload() - read the configuration again: wholly, or not at all
 * @done: called once; @why NULL: done, with how many forwards were added and removed
 * Return: 0: @done will be called, maybe before this returns; -ENOMEM.
 */
int gateway_reload(struct gateway *gw, gateway_done done, void *userdata);

/** gateway_configured - another configuration is in force, gateway_config() tells it */
typedef void (*gateway_configured)(void *userdata);
/** gateway_follow() - call @configured from now on; NULL: nobody any more */
void gateway_follow(struct gateway *gw, gateway_configured configured, void *userdata);
