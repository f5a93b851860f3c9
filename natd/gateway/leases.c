/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * The timer fires at the end of the second in which the first lease ends, so that all of
 * that second go in one request. One request is open at a time; what it left, and what
 * has ended meanwhile, goes with the next. A request that fails for a fault is made anew,
 * soon at first and then once a minute: nothing is forgotten, as the table is asked each
 * time.
 */

#include "natd/gateway/leases.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "natd/common/log.h"

#define SECOND_MS   UINT64_C(1000)
#define SECOND_US   UINT64_C(1000000)
#define MINUTE_US   (60 * SECOND_US)
#define ACCURACY_US 1000
/* removals in one request; a transaction of them all may be too large */
#define MOST 65536

/**
 * struct leases
 * @timer: off while a request is open, and while no mapping has a lease
 * @most:  removals in one request, fewer after one that was too large
 * @tries: that have failed since one that did not
 * @asked: a request is open
 */
struct leases {
	struct table *table;
	struct engine *engine;
	const struct lease_clock *clock;
	sd_event_source *timer;
	size_t most;
	unsigned int tries;
	bool asked;
};

static uint64_t boottime_now(const struct leases *l)
{
	return lease_clock_boottime(l->clock, lease_clock_now(l->clock));
}

/* Neither can fail for a timer of ours that is there. */
static void fire_at(struct leases *l, uint64_t boottime)
{
	sd_event_source_set_time(l->timer, boottime);
	sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static void try_again(struct leases *l, const char *why)
{
	uint64_t delay = 0;

	if (l->tries++)
		delay = l->tries < 8 ? SECOND_US << (l->tries - 2) : MINUTE_US;
	if (l->tries == 2)
		log_warning("Leases have ended, and their mappings are still there: %s "
			    "It is tried again.",
			    why);
	fire_at(l, boottime_now(l) + delay);
}

static void on_answer(void *userdata, const struct answer *answer)
{
	struct leases *l = userdata;

	l->asked = false;
	if (answer->problem && answer->problem->verdict == VERDICT_TOO_LARGE &&
	    l->most > 1) {
		l->most /= 2;
		fire_at(l, boottime_now(l));
		return;
	}
	if (answer->problem) {
		try_again(l, answer->problem->detail);
		return;
	}
	/* somebody else removed one of them in the same turn */
	if (plan_refused(answer->plan, answer->request)) {
		try_again(l, "the table refused.");
		return;
	}
	if (l->tries > 2)
		log_notice("Mappings whose leases had ended are gone.");
	l->tries = 0;
	if (answer->changes->n < l->most)
		l->most = MOST;
	leases_rearm(l);
}

static int ask(struct leases *l)
{
	struct change_list list = { 0 };
	int r;

	r = table_expired(l->table, lease_clock_now(l->clock), l->most, &list);
	if (r < 0 || !list.n) {
		change_list_done(&list);
		return r;
	}
	r = engine_submit(l->engine, &list, on_answer, l);
	l->asked = r == 0;
	return r;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct leases *l = userdata;
	int r = ask(l);

	if (r < 0)
		try_again(l, "there is no memory.");
	else if (!l->asked)
		leases_rearm(l);
	return 0;
}

int leases_new(sd_event *event, struct table *table, struct engine *engine,
	       const struct lease_clock *clock, struct leases **ret)
{
	struct leases *l;
	int r;

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct leases){
		.table = table,
		.engine = engine,
		.clock = clock,
		.most = MOST,
	};
	r = sd_event_add_time(event, &l->timer, CLOCK_BOOTTIME, 0, ACCURACY_US, on_time,
			      l);
	if (r < 0) {
		free(l);
		return r;
	}
	sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	*ret = l;
	return 0;
}

void leases_free(struct leases *l)
{
	if (!l)
		return;
	sd_event_source_unref(l->timer);
	free(l);
}

void leases_rearm(struct leases *l)
{
	uint64_t first = table_next_expiry(l->table);

	/* the answer, or what a fault is waited for, sets it */
	if (l->asked || l->tries)
		return;
	if (!first) {
		sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
		return;
	}
	first += (SECOND_MS - first % SECOND_MS) % SECOND_MS;
	fire_at(l, lease_clock_boottime(l->clock, first));
}
