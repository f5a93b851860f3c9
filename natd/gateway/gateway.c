/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/gateway/gateway_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/common/kill_point.h"
#include "natd/common/log.h"
#include "natd/gateway/gateway_upstream.h"
#include "natd/kernel/sysctl.h"

/* A plan that is open is decided within this, or not soon. */
#define SETTLE_USEC	  50000
#define SETTLE_STUCK_USEC 1000000

uint64_t gateway_now(void)
{
	return (uint64_t)time(NULL);
}

struct table *gateway_table(struct gateway *gw)
{
	return gw->table;
}

struct engine *gateway_engine(struct gateway *gw)
{
	return gw->engine;
}

struct events *gateway_events(struct gateway *gw)
{
	return gw->events;
}

const struct config *gateway_config(const struct gateway *gw)
{
	return gw->config;
}

void gateway_confined(struct gateway *gw, const struct confined *confined)
{
	gw->is_confined = true;
	gw->confined = *confined;
}

void gateway_follow(struct gateway *gw, gateway_configured configured, void *userdata)
{
	gw->configured = configured;
	gw->configured_userdata = userdata;
}

void gateway_options(const struct gateway *gw, const struct config *config,
		     struct ruleset_options *ret)
{
	/* byte for byte: options are compared with memcmp() */
	memcpy(ret, &config->options, sizeof(*ret));
	ret->ula_may_leave = config->masquerade6 == MASQUERADE6_NO;
	switch (config->mss_setting) {
	case MSS_SETTING_OFF:
		ret->mss_mode = MSS_OFF;
		break;
	case MSS_SETTING_FIXED:
		ret->mss_mode = MSS_FIXED;
		break;
	case MSS_SETTING_AUTO:
		ret->mss_mode = links_mtu_differs(gw->links) ? MSS_ROUTE : MSS_OFF;
		break;
	}
}

static void remember_extra(void *userdata, const struct ruleset_slot *slot)
{
	/* Without memory the connections of a forward that was never promised live on. */
	(void)ending_add_slot(userdata, slot);
}

static struct ruleset_addresses present_addresses(struct gateway *gw)
{
	struct ruleset_addresses addresses = { .wan = links_wan_addresses(gw->links) };

	addresses.routers = (struct address_list){
		.addrs = gw->routers,
		.n = gateway_upstream_routers(gw, gw->routers, ARRAY_SIZE(gw->routers)),
	};
	addresses.masquerade6 = links_masquerade6(gw->links, &addresses.n_masquerade6);
	addresses.snat = *gateway_snat(gw);
	return addresses;
}

/* What is forgotten for want of memory is, when it is lost, not ended: no more. */
static void note_addresses(struct gateway *gw, const struct address_list *wan)
{
	size_t bytes = wan->n * sizeof(*wan->addrs);

	free(gw->wan);
	gw->wan = malloc(bytes + 1);
	gw->n_wan = gw->wan ? wan->n : 0;
	if (gw->n_wan)
		memcpy(gw->wan, wan->addrs, bytes);
}

static int sync_kernel(struct gateway *gw, struct ending *strays,
		       struct ruleset_report *report, struct ruleset_fault *why)
{
	struct ruleset_addresses addresses;
	struct ruleset_options options;
	int r;

	gateway_settle_hosts(gw);
	addresses = present_addresses(gw);
	gw->memory.known = false; /* nobody knows what passed while it differed */
	gateway_options(gw, gw->config, &options);
	r = ruleset_sync(gw->ruleset, &options, &addresses, gw->table,
			 store_sequence(gw->store), remember_extra, strays, report, why);
	if (r < 0) {
		snprintf(gw->sync_problem, sizeof(gw->sync_problem),
			 "The kernel's table is not in force: %s (%s).", why->text,
			 strerror(-r));
		return r;
	}
	gw->sync_problem[0] = 0;
	if (report->created || report->replaced || !gw->in_force)
		gw->table_since = gateway_now();
	gw->in_force = true;
	memcpy(&gw->options, &options, sizeof(options));
	note_addresses(gw, &addresses.wan);
	if (report->created || report->replaced || report->rewritten)
		gateway_end_unruled(gw);
	return 0;
}

int gateway_sync(struct gateway *gw, struct ruleset_report *report,
		 struct ruleset_fault *why)
{
	struct ending strays = { 0 };
	int r;

	*report = (struct ruleset_report){ 0 };
	why->text[0] = 0;
	r = sync_kernel(gw, &strays, report, why);
	if (r == 0 && (strays.n || report->created))
		gateway_end_strays(gw, &strays);
	ending_done(&strays);
	return r;
}

void gateway_forwarding(struct gateway *gw)
{
	struct sysctl_fault why = { "" };

	if (sysctl_forwarding(gw->links, &why) == 0) {
		gw->sysctl_problem[0] = 0;
		return;
	}
	if (strcmp(gw->sysctl_problem, why.text))
		log_error("%s", why.text);
	snprintf(gw->sysctl_problem, sizeof(gw->sysctl_problem), "%s", why.text);
}

/* ------------------------------------------------------------ interfaces */

static int follow_links(struct gateway *gw)
{
	const struct ruleset_addresses addresses = present_addresses(gw);
	struct ruleset_report report;
	struct ruleset_options options;
	struct ruleset_fault why = { "" };
	size_t moved = gateway_settle_hosts(gw);
	int r;

	gateway_options(gw, gw->config, &options);
	/* NOLINTNEXTLINE(bugprone-*,cert-*): see gateway_options() */
	if (!memcmp(&options, &gw->options, sizeof(options)) && gw->in_force && !moved) {
		r = ruleset_set_addresses(gw->ruleset, &addresses, &why);
		if (r == 0) {
			note_addresses(gw, &addresses.wan);
			return 0;
		}
	}
	r = gateway_sync(gw, &report, &why);
	if (r < 0) {
		log_error(
			"The kernel's table cannot follow the interfaces: %s (%s). It is "
			"tried again until it can.",
			why.text, strerror(-r));
		gateway_catch_up(gw);
	}
	return r;
}

static void on_links(void *userdata)
{
	struct gateway *gw = userdata;
	struct in6_addr *before = TAKE(gw->wan);
	struct standing standing;
	size_t n = gw->n_wan;

	gw->n_wan = 0;
	gw->memory.known = false;
	gateway_note_standing(gw, &standing);
	if (follow_links(gw) == 0)
		gateway_forwarding(gw);
	gateway_end_missing(gw, before, n);
	gateway_tell_addresses(gw);
	gateway_tell_standing(gw, &standing);
	gateway_upstream_links(gw);
}

static int on_settle_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct gateway *gw = userdata;

	if (table_is_staged(gw->table))
		gateway_settle_soon(gw);
	else
		on_links(gw);
	return 0;
}

/* An outcome that is unknown may stay so for long. */
void gateway_settle_soon(struct gateway *gw)
{
	bool stuck = gw->engine && engine_is_stuck(gw->engine);
	uint64_t wait = stuck ? SETTLE_STUCK_USEC : SETTLE_USEC;
	int r = 0;

	if (!gw->settle_timer)
		r = sd_event_add_time_relative(gw->event, &gw->settle_timer,
					       CLOCK_MONOTONIC, wait, 0, on_settle_due,
					       gw);
	if (r < 0) {
		log_warning("Hosts do not follow the prefixes of their LANs: %s.",
			    strerror(-r));
		return;
	}
	sd_event_source_set_time_relative(gw->settle_timer, wait);
	sd_event_source_set_enabled(gw->settle_timer, SD_EVENT_ONESHOT);
}

/* ------------------------------------------------------------ start and end */

int gateway_resync(struct gateway *gw, struct ruleset_report *report, struct problem *why)
{
	struct ending strays = { 0 };
	struct standing standing;
	struct ruleset_fault fault = { "" };
	int r;

	*report = (struct ruleset_report){ 0 };
	gateway_note_standing(gw, &standing);
	r = links_configure(gw->links, gw->config);
	if (r == 0)
		r = sync_kernel(gw, &strays, report, &fault);
	if (r == 0) {
		gateway_end_owed(gw, &strays);
		gateway_tell_repair(gw, report, &(struct culprit){ 0 });
		gateway_scan_foreign(gw);
		gateway_forwarding(gw);
	} else {
		problem_set(why, VERDICT_FAULT, "natd's log says more.",
			    "The kernel refused: %s (%s).", fault.text, strerror(-r));
	}
	gateway_tell_addresses(gw);
	gateway_tell_standing(gw, &standing);
	gateway_upstream_links(gw);
	ending_done(&strays);
	return r;
}

static int fail(struct gateway_fault *why, int r, const char *what)
{
	snprintf(why->text, sizeof(why->text), "%s: %s", what, strerror(-r));
	return r;
}

static int open_store(struct gateway *gw, const char *state, struct gateway_fault *why)
{
	struct store_fault fault = { "" };
	uint8_t seed[16];
	int r;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return fail(why, -errno, "no random numbers");
	gw->table = table_new(GATEWAY_CAPACITY, seed);
	if (!gw->table)
		return fail(why, -ENOMEM, "the table");
	r = store_open(state, &gw->store, &fault);
	if (r == 0)
		r = store_load(gw->store, gw->table, &fault);
	if (r < 0)
		snprintf(why->text, sizeof(why->text), "%s", fault.text);
	else
		gateway_start_clock(gw);
	return r;
}

static int open_kernel(struct gateway *gw, struct gateway_fault *why)
{
	int r;

	r = ruleset_open(&gw->ruleset);
	if (r == -EPERM)
		return fail(why, r, "natd may not program the network; start it as root");
	if (r < 0)
		return fail(why, r, "nftables");
	r = conntrack_open(&gw->conntrack);
	if (r < 0)
		return fail(why, r, "the connection tracker");
	r = links_open(gw->event, gw->config, on_links, gw, &gw->links);
	return r < 0 ? fail(why, r, "the interfaces") : 0;
}

/*
 * Up to one more than the store's is normal: a change whose commit never came was
 * answered to nobody, and the comparison takes it away. More than that: the store went
 * back in time, and what it lacks was promised.
 */
static int check_sequence(struct gateway *gw, const char *state,
			  struct gateway_fault *why)
{
	uint64_t kernel, store = store_sequence(gw->store);
	int r;

	r = ruleset_sequence(gw->ruleset, &kernel);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(why, r, "the kernel's table");
	if (kernel <= store + 1)
		return 0;
	snprintf(
		why->text, sizeof(why->text),
		"%s/natd.db is older (change %llu) than the kernel's table (change %llu), "
		"which goes on forwarding. Put the newer file back, or let natd --recover "
		"make a new one of what the kernel holds.",
		state, (unsigned long long)store, (unsigned long long)kernel);
	return -EUCLEAN;
}

static void log_start(const struct gateway *gw, const struct ruleset_report *report)
{
	const char *protection =
		ruleset_protection(gw->ruleset) == PROTECTION_OWNED ? "owned" : "watched";
	char mappings[TEXT_PHRASE_STRLEN];

	if (report->created)
		log_notice("The kernel had no table; made it (%s) with %s.", protection,
			   text_things(report->added, "mapping", mappings));
	else if (report->replaced || report->rewritten || report->added ||
		 report->removed)
		log_notice(
			"The kernel's table (%s) differed: %s put back, %zu taken away%s.",
			protection, text_things(report->added, "mapping", mappings),
			report->removed,
			report->rewritten || report->replaced ? ", rules rewritten" : "");
	else
		log_info("The kernel's table (%s) is as it should be: %s.", protection,
			 text_things(table_size(gw->table), "mapping", mappings));
}

static int first_sync(struct gateway *gw, struct gateway_fault *why)
{
	struct ending strays = { 0 };
	struct ruleset_report report = { 0 };
	struct ruleset_fault fault = { "" };
	int r;

	KILL_POINT(KILL_SYNC_BEGIN);
	r = sync_kernel(gw, &strays, &report, &fault);
	if (r == -EPERM)
		snprintf(why->text, sizeof(why->text),
			 "The kernel's table belongs to another natd that is running.");
	else if (r < 0)
		snprintf(why->text, sizeof(why->text), "The kernel refused: %s (%s)",
			 fault.text, strerror(-r));
	if (r == 0) {
		KILL_POINT(KILL_SYNC_DONE);
		log_start(gw, &report);
		gateway_end_owed(gw, &strays);
		KILL_POINT(KILL_STRAYS_ENDED);
	}
	ending_done(&strays);
	return r;
}

static int gateway_init(struct gateway *gw, const char *state, struct gateway_fault *why)
{
	struct engine_parts parts;
	int r;

	r = events_new(0, &gw->events);
	if (r < 0)
		return fail(why, r, "the events");
	r = open_store(gw, state, why);
	if (r == 0)
		r = open_kernel(gw, why);
	if (r == 0)
		r = check_sequence(gw, state, why);
	if (r == 0)
		r = first_sync(gw, why);
	if (r < 0)
		return r;
	gateway_forwarding(gw);
	gateway_account(gw);
	gateway_tell_addresses(gw);
	gateway_scan_foreign(gw);
	parts = gateway_parts(gw);
	r = engine_new(&parts, &gw->engine);
	if (r >= 0)
		r = gateway_watch(gw);
	if (r >= 0)
		r = gateway_start_leases(gw);
	if (r >= 0)
		r = gateway_start_upstream(gw);
	return r < 0 ? fail(why, r, "the event loop") : 0;
}

int gateway_open(sd_event *event, struct config *config, const char *state,
		 const struct nursery *nursery, struct gateway **ret,
		 struct gateway_fault *why)
{
	struct gateway *gw;
	int r;

	gw = calloc(1, sizeof(*gw));
	if (!gw)
		return fail(why, -ENOMEM, "the gateway");
	gw->event = event;
	gw->config = config;
	gw->nursery = nursery;
	gw->started = gateway_now();
	r = gateway_init(gw, state, why);
	if (r < 0) {
		gw->config = NULL;
		gateway_close(gw);
		return r;
	}
	*ret = gw;
	return 0;
}

void gateway_close(struct gateway *gw)
{
	if (!gw)
		return;
	sd_event_source_unref(gw->watch);
	sd_event_source_unref(gw->repair_timer);
	sd_event_source_unref(gw->catch_up);
	sd_event_source_unref(gw->settle_timer);
	gateway_stop_saving(gw);
	gateway_stop_upstream(gw);
	engine_free(gw->engine);
	leases_free(gw->leases);
	meter_close(gw->meter);
	sockets_close(gw->sockets);
	links_close(gw->links);
	conntrack_close(gw->conntrack);
	ruleset_close(gw->ruleset);
	store_close(gw->store);
	table_free(gw->table);
	config_free(gw->config);
	events_free(gw->events);
	free(gw->told_wan);
	free(gw->wan);
	free(gw);
}
