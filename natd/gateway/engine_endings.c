/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A look at the connection tracker takes a few milliseconds of each turn of the loop
 * until it is through. The first piece is taken at once: mostly it is all. The requests
 * whose plan made connections stale wait for it; what could not be ended is owed, and
 * tried again with the next change and by a timer, at intervals that grow.
 *
 * Where a change needs no look (struct ending_memory), another host may still leave under
 * a port that now is forwarded, since the kernel's counter tells nothing of who leaves.
 * So one look follows a while after, and whatever was added meanwhile has no other.
 */

#include "natd/gateway/engine_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "natd/common/log.h"

#define MS_USEC	    UINT64_C(1000)
#define SECOND_USEC (1000 * MS_USEC)
/* of one turn of the loop */
#define PIECE_USEC (5 * MS_USEC)
/* one look; then somebody waits too long, and it is tried again later */
#define LOOK_USEC_MAX (5 * SECOND_USEC)
#define LATE_USEC     SECOND_USEC
#define TRY_USEC_MAX  (60 * SECOND_USEC)

static uint64_t usec_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_USEC + (uint64_t)now.tv_nsec / 1000;
}

/* Neither can fail for a timer of ours. */
static void fire_in(struct engine *e, uint64_t usec)
{
	if (!e->endings.timer)
		return;
	sd_event_source_set_time(e->endings.timer, usec_now() + usec);
	sd_event_source_set_enabled(e->endings.timer, SD_EVENT_ONESHOT);
}

/* ------------------------------------------------------------ the end of a look */

static uint64_t delay_of(unsigned int tries)
{
	return tries < 7 ? SECOND_USEC << (tries - 1) : TRY_USEC_MAX;
}

static void note_failure(struct engine *e, int r, size_t keys)
{
	struct endings *endings = &e->endings;

	e->parts.endings_owed = true;
	endings->pending = keys;
	snprintf(endings->problem, sizeof(endings->problem),
		 "Connections of changed mappings may go on: %s.", strerror(-r));
	if (endings->tries++ == 0)
		log_warning("%s It is tried again.", endings->problem);
}

static void note_success(struct engine *e)
{
	struct endings *endings = &e->endings;

	store_endings_done(e->parts.store);
	e->parts.endings_owed = false;
	if (endings->tries)
		log_notice("Connections of changed mappings are ended.");
	endings->tries = 0;
	endings->pending = 0;
	endings->problem[0] = 0;
}

/* What is due next, when no look is under way? */
static void set_timer(struct engine *e)
{
	struct endings *endings = &e->endings;

	if (e->parts.endings_owed)
		fire_in(e, delay_of(endings->tries ? endings->tries : 1));
	else if (endings->late)
		fire_in(e, endings->late > usec_now() ? endings->late - usec_now() : 0);
	else if (endings->timer)
		sd_event_source_set_enabled(endings->timer, SD_EVENT_OFF);
}

/* @r: 0, or why some may go on. */
static void end_look(struct engine *e, int r)
{
	struct endings *endings = &e->endings;
	struct turn turn = endings->turn;
	size_t keys = endings->keys.n;

	ending_free(TAKE(endings->look));
	ending_done(&endings->keys);
	endings->turn = (struct turn){ 0 };
	if (r < 0)
		note_failure(e, r, keys);
	else
		note_success(e);
	set_timer(e);
	turn.pending = r < 0;
	if (turn.plan)
		engine_finish(e, &turn);
}

static void end_late_look(struct engine *e, int r)
{
	size_t ended = e->endings.look ? ending_ended(e->endings.look) : 0;

	ending_free(TAKE(e->endings.look));
	e->endings.late = 0;
	e->endings.late_look = false;
	if (r < 0)
		log_debug("What hosts leave under could not be looked at: %s.",
			  strerror(-r));
	else if (ended)
		log_info("Ended %zu connections that left under a forwarded port.",
			 ended);
	set_timer(e);
}

static void go_on(struct engine *e)
{
	struct endings *endings = &e->endings;
	int r;

	r = ending_step(endings->look, PIECE_USEC);
	if (r > 0 && usec_now() < endings->until) {
		/* half of the time is others', or all is ours */
		fire_in(e, PIECE_USEC);
		if (r == CONNTRACK_MORE)
			sd_event_source_set_enabled(endings->more, SD_EVENT_ONESHOT);
		return;
	}
	if (r > 0)
		r = -ETIMEDOUT;
	if (endings->late_look)
		end_late_look(e, r);
	else
		end_look(e, r);
}

/* ------------------------------------------------------------ the begin of a look */

static void look_now(struct engine *e, bool everywhere)
{
	struct endings *endings = &e->endings;
	size_t ended;
	int r;

	r = ending_run(&endings->keys, &e->parts, everywhere, &ended);
	end_look(e, r);
}

static void look(struct engine *e, bool everywhere)
{
	struct endings *endings = &e->endings;
	int r;

	if (!endings->timer) {
		look_now(e, everywhere);
		return;
	}
	endings->until = usec_now() + LOOK_USEC_MAX;
	r = ending_begin(&endings->keys, &e->parts, everywhere, &endings->look);
	if (r < 0)
		end_look(e, r);
	else
		go_on(e);
}

/* A late look is given up: it is made again. */
static void make_way(struct engine *e)
{
	if (e->endings.look && !e->endings.turn.plan) {
		ending_free(TAKE(e->endings.look));
		ending_done(&e->endings.keys);
		e->endings.late_look = false;
	}
}

/* They may send again in five minutes anyway. */
static void lift(struct engine *e, const struct plan *plan)
{
	struct ruleset_fault fault;
	int r = ruleset_lift(e->parts.ruleset, plan, &fault);

	if (r < 0)
		log_info("Hosts that were barred from sending stay so for a while: %s.",
			 fault.text[0] ? fault.text : strerror(-r));
}

void endings_begin(struct engine *e, struct turn *turn)
{
	struct endings *endings = &e->endings;
	bool owed = e->parts.endings_owed;
	int r;

	make_way(e);
	lift(e, turn->plan);
	endings->turn = *turn;
	r = ending_add_plan(&endings->keys, turn->plan);
	endings->keys.additions &= !owed;
	if (r == 0 && owed)
		r = ending_add_owed(&endings->keys, e->parts.store);
	if (r < 0) {
		end_look(e, r);
	} else if (owed || ending_is_needed(&endings->keys, &e->parts)) {
		look(e, owed);
	} else {
		if (endings->keys.n && endings->timer && !endings->late)
			endings->late = usec_now() + LATE_USEC;
		end_look(e, 0);
	}
}

static void try_again(struct engine *e)
{
	int r;

	r = ending_add_owed(&e->endings.keys, e->parts.store);
	if (r < 0)
		end_look(e, r);
	else
		look(e, true);
}

static void look_late(struct engine *e)
{
	struct endings *endings = &e->endings;
	int r;

	endings->until = usec_now() + LOOK_USEC_MAX;
	endings->late_look = true;
	r = ending_begin(NULL, &e->parts, true, &endings->look);
	if (r < 0)
		end_late_look(e, r);
	else
		go_on(e);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct engine *e = userdata;

	if (e->endings.look)
		go_on(e);
	else if (e->parts.endings_owed)
		try_again(e);
	else if (e->endings.late)
		look_late(e);
	return 0;
}

static int on_more(sd_event_source *source, void *userdata)
{
	struct engine *e = userdata;

	if (e->endings.look)
		go_on(e);
	return 0;
}

/* ------------------------------------------------------------ all of it */

bool endings_are_open(const struct engine *e)
{
	return e->endings.turn.plan;
}

int endings_open(struct engine *e)
{
	int r;

	if (!e->parts.event)
		return 0;
	r = sd_event_add_time(e->parts.event, &e->endings.timer, CLOCK_MONOTONIC, 0, 1,
			      on_time, e);
	if (r >= 0)
		r = sd_event_source_set_priority(e->endings.timer, ENGINE_PRIORITY - 1);
	if (r >= 0)
		r = sd_event_add_defer(e->parts.event, &e->endings.more, on_more, e);
	if (r >= 0)
		r = sd_event_source_set_priority(e->endings.more, ENGINE_PRIORITY + 1);
	if (r >= 0)
		r = sd_event_source_set_enabled(e->endings.more, SD_EVENT_OFF);
	if (r < 0)
		return r;
	set_timer(e);
	return 0;
}

void endings_close(struct engine *e)
{
	struct endings *endings = &e->endings;
	struct turn turn = endings->turn;

	ending_free(TAKE(endings->look));
	ending_done(&endings->keys);
	endings->turn = (struct turn){ 0 };
	turn.pending = true;
	if (turn.plan)
		engine_finish(e, &turn);
	endings->timer = sd_event_source_unref(endings->timer);
	endings->more = sd_event_source_unref(endings->more);
}

void engine_endings(const struct engine *e, struct engine_endings *ret)
{
	const struct endings *endings = &e->endings;

	*ret = (struct engine_endings){
		.running = endings->look,
		.pending = endings->look ? endings->keys.n : endings->pending,
	};
	snprintf(ret->problem, sizeof(ret->problem), "%s", endings->problem);
}
