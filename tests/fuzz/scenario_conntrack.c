/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * scenario_conntrack - connections are listed, and ended
 */

#include <errno.h>
#include <string.h>

#include "rules/conntrack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kernel.h"

#define STOPS 0x01 /* the list is long enough after two */

/* more than go into one request */
#define ENTRIES_MAX 160

struct entries {
	struct connection connections[ENTRIES_MAX];
	size_t n, max;
};

static int on_entry(void *userdata, const struct connection *c)
{
	struct entries *entries = userdata;

	hold(c->protocol == IPPROTO_TCP || c->protocol == IPPROTO_UDP);
	entries->connections[entries->n++] = *c;
	return entries->n == entries->max ? -ECANCELED : 0;
}

void scenario_conntrack(uint8_t how)
{
	struct entries entries = { .max = how & STOPS ? 2 : ENTRIES_MAX };
	struct conntrack *ct = NULL;
	size_t deleted = 0;

	if (conntrack_open(&ct) < 0)
		return;
	kernel_meanwhile();
	hold(conntrack_dump(ct, on_entry, &entries) <= 0);
	hold(conntrack_delete(ct, entries.connections, entries.n, &deleted) <= 0);
	hold(deleted <= entries.n);
	conntrack_close(ct);
}
