/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * scenario_conntrack - connections are listed, at once or in pieces, and ended; or the
 * kernel tells of those that are over
 */

#include <errno.h>
#include <string.h>

#include "core/mapping.h"
#include "rules/conntrack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kernel.h"

#define STOPS  0x01 /* the list is long enough after two */
#define EVENTS 0x02 /* what is over */
#define PIECES 0x04

/* more than go into one request */
#define ENTRIES_MAX 160

#define STEPS_MAX     64
#define STEP_USEC     1000000
#define DATAGRAMS_MAX 64

struct entries {
	struct connection connections[ENTRIES_MAX];
	size_t n, max;
};

static int on_entry(void *userdata, const struct connection *c)
{
	struct entries *entries = userdata;

	hold(protocol_bit(c->protocol));
	entries->connections[entries->n++] = *c;
	return entries->n == entries->max ? -ECANCELED : 0;
}

static void dump_in_pieces(struct conntrack *ct, struct entries *entries)
{
	int r = conntrack_begin(ct);

	hold(r <= 0);
	if (r < 0)
		return;
	r = CONNTRACK_MORE;
	for (int i = 0; i < STEPS_MAX && r > 0; i++) {
		r = conntrack_step(ct, STEP_USEC, on_entry, entries);
		hold(r <= CONNTRACK_WAIT);
	}
	conntrack_give_up(ct);
	hold(conntrack_step(ct, 0, on_entry, entries) == -EBADF);
}

static void play_entries(struct conntrack *ct, uint8_t how)
{
	struct entries entries = { .max = how & STOPS ? 2 : ENTRIES_MAX };
	size_t deleted = 0;

	kernel_meanwhile();
	if (how & PIECES)
		dump_in_pieces(ct, &entries);
	else
		hold(conntrack_dump(ct, on_entry, &entries) <= 0);
	hold(conntrack_delete(ct, entries.connections, entries.n, &deleted) <= 0);
	hold(deleted <= entries.n);
}

/* What it returns is not looked at, so it is told of more than it wants. */
static int on_over(void *userdata, const struct connection *c)
{
	size_t *n = userdata;

	hold(protocol_bit(c->protocol));
	(*n)++;
	return -ECANCELED;
}

static void play_events(void)
{
	struct conntrack_events *events = NULL;
	size_t n = 0;

	if (conntrack_events_open(&events) < 0)
		return;
	hold(conntrack_events_fd(events) >= 0);
	kernel_meanwhile();
	/* again: some may have been lost */
	for (int i = 0; i < 2; i++)
		hold(conntrack_events_read(events, DATAGRAMS_MAX, on_over, &n) <= 0);
	hold(!kernel_is_real() || n > 0);
	conntrack_events_close(events);
}

void scenario_conntrack(uint8_t how)
{
	struct conntrack *ct = NULL;

	if (how & EVENTS) {
		play_events();
	} else if (conntrack_open(&ct) == 0) {
		play_entries(ct, how);
		conntrack_close(ct);
	}
}
