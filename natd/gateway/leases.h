/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * leases - ends mappings whose time is over, by changes like any other
 *
 * One timer (CLOCK_BOOTTIME), whatever the number of leases. What ends in the same second
 * is one request, at the end of that second; as many requests as it takes where one
 * transaction does not hold it all.
 */

#include "natd/common/lease_clock.h"
#include "natd/gateway/engine.h"

struct leases;

/** leases_new() - all borrowed until leases_free(), which is to be called after
 * engine_free(). Return: 0, -ENOMEM, sd-event's errno */
int leases_new(sd_event *event, struct table *table, struct engine *engine,
	       const struct lease_clock *clock, struct leases **ret);
void leases_free(struct leases *leases); /* NULL is fine */

/** leases_rearm() - the table has changed (or was loaded): set the timer to what ends
 * first. Call it after every commit */
void leases_rearm(struct leases *leases);
