/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * engine_private - the write path, and what follows a commit
 */

#include "natd/gateway/ending.h"

struct request {
	struct request *next;
	struct change_list list;
	engine_answer done;
	void *userdata;
};

/**
 * struct turn - requests that were committed together
 * @requests: owned array of @n, none where the answer was given before
 * @plan:     owned; NULL: there is no turn
 * @pending:  connections that it made stale may go on
 */
struct turn {
	struct request **requests;
	size_t n;
	struct plan *plan;
	bool pending;
};

/**
 * struct endings - connections that are being ended
 * @timer:   the next try, the late look, the next piece at the latest; NULL: all is done
 *           at once
 * @more:    the next piece, when nobody else has anything to do
 * @look:    under way
 * @keys:    of @look
 * @turn:    waits for @look; without a plan nobody does
 * @late_look: @look is the one at what other hosts leave under
 * @until:   @look is given up then; CLOCK_MONOTONIC
 * @late:    when that is due, CLOCK_MONOTONIC; 0 = it is not
 * @tries:   that failed, one after the other
 * @pending: see struct engine_endings
 */
struct endings {
	sd_event_source *timer, *more;
	struct ending_look *look;
	struct ending keys;
	struct turn turn;
	bool late_look;
	uint64_t until;
	uint64_t late;
	unsigned int tries;
	size_t pending;
	char problem[160];
};

struct engine {
	struct engine_parts parts;
	sd_event_source *turn;
	struct request *first, **last;
	struct plan *undecided; /* its commit's outcome is unknown */
	uint64_t undecided_sequence;
	bool strayed; /* the kernel holds what was taken back, and could not be told */
	struct endings endings;
};

/** engine_finish() - tell and answer a turn that is in force, and forget it */
void engine_finish(struct engine *e, struct turn *turn);

/** endings_open() - Return: 0, or sd-event's errno */
int endings_open(struct engine *e);
/** endings_close() - who waits is answered; what is not ended is owed */
void endings_close(struct engine *e);
/** endings_begin() - end what @turn made stale, and what is owed; then engine_finish().
 * @turn is taken over */
void endings_begin(struct engine *e, struct turn *turn);
/** endings_are_open() - does a turn wait? No other may begin */
bool endings_are_open(const struct engine *e);
