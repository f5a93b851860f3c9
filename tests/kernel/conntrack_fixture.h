/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * conntrack_fixture - what tests of rules/conntrack.h have in common
 */

#include "rules/conntrack.h"

/** struct entries - what a dump gave */
struct entries {
	struct connection *c;
	size_t n, room;
};

extern struct conntrack *ct;
extern struct entries entries;

/* of the suite: a private network, and @ct */
void conntrack_enter(void);
void conntrack_leave(void);

/** dump() - into @entries; Return: what conntrack_dump() returned */
int dump(void);

/* of @entries */
bool has_source_port(uint16_t port);
struct connection of_source_port(uint16_t port);

/** insert_forward() - a forward's entry: 198.51.100.7:@port dialled 203.0.113.5:8080, and
 * 192.168.1.10:80 serves it; @more: options of conntrack(8) */
void insert_forward(unsigned int port, const char *more);

/** insert_many() - @n UDP entries */
void insert_many(unsigned int n);
