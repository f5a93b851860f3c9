/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * events - what happened, kept a while for whoever wants to be told
 *
 * One ring of the last events, each a line of JSON written when it happens; docs/api.md
 * lists them. A reader is a place in that ring: it holds nothing of its own, and one that
 * does not keep up is overtaken.
 *
 * Events are numbered without a gap. The first number of a run is the time in
 * microseconds, so that a number of an earlier run lies before all of this one's.
 */

#include <jansson.h>
#include <sys/queue.h>

#include "core/table.h"
#include "natd/common/buffer.h"

/* what is kept at most, whichever is reached first */
#define EVENTS_MAX	 4096
#define EVENTS_BYTES_MAX (2 * 1024 * 1024)

enum event_kind {
	EVENT_ADDED,
	EVENT_CHANGED,
	EVENT_REMOVED,
	EVENT_EXPIRED,
	EVENT_WAITING,
	EVENT_ACTIVE,
	EVENT_REFUSED,
	EVENT_WAN_ADDRESS,
	EVENT_REPAIRED,
	EVENT_FOREIGN_DROP,
	EVENT_UPSTREAM_FOUND,
	EVENT_UPSTREAM_LOST,
	EVENT_UPSTREAM_MAPPED,
	EVENT_UPSTREAM_REFUSED,
	EVENT_EXTERNAL_ADDRESS,
};

struct events;

/**
 * events_new()
 * @first: number of the first event; 0: take the time
 *
 * Return: 0, -ENOMEM.
 */
int events_new(uint64_t first, struct events **ret);
void events_free(struct events *events); /* NULL is fine; no reader may be left */

/* ------------------------------------------------------------ what happened */

/*
 * Telling cannot fail: an event for which there is no memory has its number, and readers
 * are told that it is lost.
 */

/** events_tell() - @payload: an object, taken over; NULL = no memory */
void events_tell(struct events *events, enum event_kind kind, json_t *payload);

/** events_tell_plan() - the mappings that a committed plan added, changed and removed,
 * and whose lease ended, one event each; what a request adds and removes again is none */
void events_tell_plan(struct events *events, const struct plan *plan);

/** events_tell_refusal() - @uid, @pid: who asked; -1 and 0 = not known */
void events_tell_refusal(struct events *events, int64_t uid, pid_t pid,
			 const struct problem *why);

/** events_put() - @payload: members of an object, `"a":1,"b":2`, @len bytes */
void events_put(struct events *events, enum event_kind kind, const char *payload,
		size_t len);
/** events_skip() - @n numbers of events of which nothing is kept */
void events_skip(struct events *events, uint64_t n);

/* ------------------------------------------------------------ readers */

/**
 * struct events_reader - a place in the ring; all fields are private
 * @rested: it had nothing left to read, and has not read since
 */
struct events_reader {
	LIST_ENTRY(events_reader) link;
	struct events *events;
	uint64_t next;
	bool greeted, reset, rested, waits;
	void (*wake)(void *userdata);
	void *userdata;
};

/**
 * events_join()
 * @since: number of the last event it knows; NULL: begin with what happens from now on
 * @wake:  see events_wait()
 */
void events_join(struct events *events, struct events_reader *reader,
		 const uint64_t *since, void (*wake)(void *userdata), void *userdata);
void events_leave(struct events_reader *reader);

enum events_state {
	EVENTS_MORE, /* the buffer is full */
	EVENTS_NONE, /* no more for now */
	EVENTS_OVER, /* it was overtaken and told so: nothing will follow */
};

/**
 * events_read() - the next lines, about STREAM_BATCH bytes
 *
 * A gap is told as lost to a reader that waited when it came about, and to one that has
 * just joined; another was too slow, and is told that it is dropped.
 */
enum events_state events_read(struct events_reader *reader, struct buffer *buffer);

/** events_wait() - call its wake() once, when there is something to read */
void events_wait(struct events_reader *reader);
