/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * links_fixture - what tests of natd/kernel/links.h have in common: a private network,
 * and a configuration with WAN wan0 and LAN lan0
 */

#include "natd/kernel/links.h"

extern struct config *config;
extern struct links *links;

/* of the suite */
void links_enter(void);
void links_leave(void);

/* more interfaces for the configuration */
void name_wan(const char *name);
void name_lan(const char *name);

/** make_veth() - an interface with a peer NAME-p, both up; @more: options for the first.
 * Waits until the kernel has told that the carrier is there */
void make_veth(const char *name, const char *more);

/** read_links() - the state as it is now, not followed */
void read_links(void);

/** follow_links() - the state as it is now, and what becomes of it */
void follow_links(void);
void count_change(void *userdata);

/** changes_now() - read what waits; the kernel tells before the command that made it do
 * so has ended. Return: how many changes were told since the last call */
int changes_now(void);

/** wait_for_change() - until one is told, or fail */
void wait_for_change(void);

struct link link_named(const char *name);

/* as text, blanks between; borrowed until the next call */
const char *as_text(const struct in6_addr *addrs, size_t n);
const char *wan_addresses(void);
const char *masquerade6(void);

struct in6_addr addr(const char *text);
