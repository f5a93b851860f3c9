/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_time - the clock of the leases, and what is saved from time to time
 */

#include "natd/gateway/gateway_private.h"

#include <stdio.h>
#include <string.h>

#include "natd/common/log.h"
#include "natd/kernel/sysctl.h"

/* What the store has beside the mappings is at most so old. */
#define SAVE_USEC	   UINT64_C(300000000)
#define SAVE_ACCURACY_USEC 10000000

void gateway_start_clock(struct gateway *gw)
{
	struct lease_anchor anchor;
	int r;

	store_anchor(gw->store, &anchor);
	r = lease_clock_begin(&gw->clock, &anchor);
	if (r < 0)
		log_warning("The kernel's boot id cannot be read: %s. Leases go by the "
			    "clock on the wall when natd is started again.",
			    strerror(-r));
}

void gateway_save(struct gateway *gw)
{
	struct lease_anchor anchor;
	int r;

	if (!table_next_expiry(gw->table) && !gw->meter)
		return;
	if (gw->engine && engine_is_stuck(gw->engine))
		return;
	if (meter_save(gw->meter) < 0)
		log_warning("Some of what mappings have carried is saved the next time: "
			    "no memory.");
	lease_clock_anchor(&gw->clock, &anchor);
	store_set_anchor(gw->store, &anchor);
	r = store_save(gw->store);
	if (r < 0)
		log_warning("The time of leases and what mappings have carried could not "
			    "be saved: %s.",
			    strerror(-r));
}

/* ------------------------------------------------------------ accounting */

static void complain_of_accounting(struct gateway *gw, const char *text)
{
	if (text[0] && strcmp(gw->accounting_problem, text))
		log_error("%s", text);
	snprintf(gw->accounting_problem, sizeof(gw->accounting_problem), "%s", text);
}

static struct address_list wan_addresses(void *userdata)
{
	struct gateway *gw = userdata;

	return links_wan_addresses(gw->links);
}

static void start_accounting(struct gateway *gw)
{
	const struct meter_parts parts = {
		.event = gw->event,
		.table = gw->table,
		.store = gw->store,
		.wan_addresses = wan_addresses,
		.userdata = gw,
	};
	struct sysctl_fault why = { "" };
	char text[GATEWAY_PROBLEM_STRLEN];
	int r = 0;

	if (sysctl_accounting(&why) < 0) {
		complain_of_accounting(gw, why.text);
		return;
	}
	if (!gw->meter)
		r = meter_open(&parts, &gw->meter);
	snprintf(text, sizeof(text), "What mappings carry cannot be counted: %s.",
		 strerror(-r));
	complain_of_accounting(gw, r < 0 ? text : "");
}

void gateway_account(struct gateway *gw)
{
	if (gw->config->accounting) {
		start_accounting(gw);
		return;
	}
	if (gw->meter)
		gateway_save(gw);
	meter_close(gw->meter);
	gw->meter = NULL;
	gw->accounting_problem[0] = 0;
}

/* ------------------------------------------------------------ from time to time */

static int on_save_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	gateway_save(userdata);
	sd_event_source_set_time_relative(source, SAVE_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Were the old anchor gone on from after the next boot, the step would be in it. */
static void on_clock_set(void *userdata)
{
	log_debug("The clock was set, or the machine slept.");
	gateway_save(userdata);
}

static int start_saving(struct gateway *gw)
{
	int r;

	r = lease_clock_watch(gw->event, on_clock_set, gw, &gw->clock_watch);
	if (r < 0)
		return r;
	/* after a boot the clock went on from what was saved before it */
	gateway_save(gw);
	return sd_event_add_time_relative(gw->event, &gw->save_timer, CLOCK_BOOTTIME,
					  SAVE_USEC, SAVE_ACCURACY_USEC, on_save_due, gw);
}

void gateway_stop_saving(struct gateway *gw)
{
	if (gw->leases)
		gateway_save(gw);
	sd_event_source_unref(gw->save_timer);
	sd_event_source_unref(gw->clock_watch);
}

int gateway_start_leases(struct gateway *gw)
{
	int r;

	r = leases_new(gw->event, gw->table, gw->engine, &gw->clock, &gw->leases);
	if (r < 0)
		return r;
	leases_rearm(gw->leases);
	return start_saving(gw);
}
