/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/events/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "natd/events/stream.h"

/* {"seq":18446744073709551615,"time":"...","event":"wan-address", */
#define PREFIX_ROOM 128

struct event {
	size_t len;
	char line[]; /* with its end */
};

LIST_HEAD(reader_list, events_reader);

/**
 * struct events
 * @ring:    of number N at N % EVENTS_MAX; NULL: there was no memory for it
 * @first:   number of the first one of this run
 * @oldest:  the oldest that is kept; @next where there is none
 * @waiting: readers to be woken
 */
struct events {
	struct event *ring[EVENTS_MAX];
	uint64_t first, oldest, next;
	size_t bytes;
	struct reader_list waiting;
};

static const char *kind_name(enum event_kind kind)
{
	switch (kind) {
	case EVENT_ADDED:
		return "added";
	case EVENT_CHANGED:
		return "changed";
	case EVENT_REMOVED:
		return "removed";
	case EVENT_EXPIRED:
		return "expired";
	case EVENT_WAITING:
		return "waiting";
	case EVENT_ACTIVE:
		return "active";
	case EVENT_REFUSED:
		return "refused";
	case EVENT_WAN_ADDRESS:
		return "wan-address";
	case EVENT_REPAIRED:
		return "repaired";
	case EVENT_FOREIGN_DROP:
		return "foreign-drop";
	case EVENT_UPSTREAM_FOUND:
		return "upstream-found";
	case EVENT_UPSTREAM_LOST:
		return "upstream-lost";
	case EVENT_UPSTREAM_MAPPED:
		return "upstream-mapped";
	case EVENT_UPSTREAM_REFUSED:
		return "upstream-refused";
	case EVENT_EXTERNAL_ADDRESS:
		return "external-address";
	}
	return "?";
}

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int events_new(uint64_t first, struct events **ret)
{
	struct events *events;

	events = calloc(1, sizeof(*events));
	if (!events)
		return -ENOMEM;
	events->first = first ? first : microseconds();
	events->oldest = events->next = events->first;
	LIST_INIT(&events->waiting);
	*ret = events;
	return 0;
}

static struct event **slot(struct events *events, uint64_t seq)
{
	return &events->ring[seq % EVENTS_MAX];
}

static void drop_oldest(struct events *events)
{
	struct event **at = slot(events, events->oldest++);

	if (*at)
		events->bytes -= sizeof(**at) + (*at)->len;
	free(*at);
	*at = NULL;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	while (events->oldest < events->next)
		drop_oldest(events);
	free(events);
}

/* ------------------------------------------------------------ what happened */

static void wake_all(struct events *events)
{
	struct events_reader *reader;

	while ((reader = LIST_FIRST(&events->waiting))) {
		LIST_REMOVE(reader, link);
		reader->waits = false;
		reader->wake(reader->userdata);
	}
}

/* @event: NULL = there was no memory */
static void append(struct events *events, struct event *event)
{
	if (events->next - events->oldest == EVENTS_MAX)
		drop_oldest(events);
	*slot(events, events->next++) = event;
	if (event)
		events->bytes += sizeof(*event) + event->len;
	while (events->bytes > EVENTS_BYTES_MAX)
		drop_oldest(events);
	wake_all(events);
}

void events_put(struct events *events, enum event_kind kind, const char *payload,
		size_t len)
{
	char time_text[API_TIME_STRLEN];
	struct event *event;
	int n;

	event = malloc(sizeof(*event) + PREFIX_ROOM + len + sizeof("}\n"));
	if (event) {
		n = snprintf(event->line, PREFIX_ROOM,
			     "{\"seq\":%" PRIu64 ",\"time\":\"%s\",\"event\":\"%s\",",
			     events->next,
			     api_time_format((uint64_t)time(NULL), time_text),
			     kind_name(kind));
		memcpy(event->line + n, payload, len);
		memcpy(event->line + n + len, "}\n", 2);
		event->len = (size_t)n + len + 2;
	}
	append(events, event);
}

void events_skip(struct events *events, uint64_t n)
{
	events->next += n;
	while (events->next - events->oldest > EVENTS_MAX)
		drop_oldest(events);
	wake_all(events);
}

void events_tell(struct events *events, enum event_kind kind, json_t *payload)
{
	char *text = payload ? json_dumps(payload, JSON_COMPACT) : NULL;

	/* without its braces */
	if (text)
		events_put(events, kind, text + 1, strlen(text) - 2);
	else
		append(events, NULL);
	free(text);
	json_decref(payload);
}

/* ------------------------------------------------------------ readers */

void events_join(struct events *events, struct events_reader *reader,
		 const uint64_t *since, void (*wake)(void *userdata), void *userdata)
{
	*reader = (struct events_reader){
		.events = events,
		.next = events->next,
		.rested = true,
		.wake = wake,
		.userdata = userdata,
	};
	if (!since)
		return;
	/* The last one of the run before may be any number, but none that was given. */
	reader->reset = *since + 1 < events->first || *since >= events->next;
	reader->next = reader->reset ? events->first : *since + 1;
	reader->greeted = !reader->reset;
}

void events_leave(struct events_reader *reader)
{
	if (reader->waits)
		LIST_REMOVE(reader, link);
	reader->waits = false;
}

void events_wait(struct events_reader *reader)
{
	reader->waits = reader->rested = true;
	LIST_INSERT_HEAD(&reader->events->waiting, reader, link);
}

static void greet(struct events_reader *reader, struct buffer *buffer)
{
	char time_text[API_TIME_STRLEN];

	buffer_printf(buffer, "{\"event\":\"%s\",\"seq\":%" PRIu64 ",\"time\":\"%s\"}\n",
		      reader->reset ? "reset" : "start", reader->next - 1,
		      api_time_format((uint64_t)time(NULL), time_text));
	reader->greeted = true;
}

/* Where the reader stands there is nothing. */
static void tell_lost(struct events_reader *reader, struct buffer *buffer)
{
	struct events *events = reader->events;
	const uint64_t from = reader->next;

	if (reader->next < events->oldest)
		reader->next = events->oldest;
	while (reader->next < events->next && !*slot(events, reader->next))
		reader->next++;
	buffer_printf(buffer,
		      "{\"event\":\"lost\",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}\n",
		      from, reader->next - 1);
}

static bool is_overtaken(const struct events_reader *reader)
{
	return reader->next < reader->events->oldest && !reader->rested;
}

enum events_state events_read(struct events_reader *reader, struct buffer *buffer)
{
	struct events *events = reader->events;

	if (!reader->greeted)
		greet(reader, buffer);
	if (is_overtaken(reader)) {
		buffer_printf(buffer, "{\"event\":\"dropped\",\"seq\":%" PRIu64 "}\n",
			      reader->next - 1);
		return EVENTS_OVER;
	}
	reader->rested = false;
	while (reader->next < events->next && buffer->len < STREAM_BATCH &&
	       !buffer->failed) {
		const struct event *event = NULL;

		if (reader->next >= events->oldest)
			event = *slot(events, reader->next);
		if (event) {
			buffer_add(buffer, event->line, event->len);
			reader->next++;
		} else {
			tell_lost(reader, buffer);
		}
	}
	return reader->next < events->next ? EVENTS_MORE : EVENTS_NONE;
}
