/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * packets_fixture - a gateway between two networks, and datagrams
 *
 *	outside (203.0.113.9, 2001:db8:f::9) -- wan0 203.0.113.5, 2001:db8:f::5
 *	inside (192.168.1.10, 2001:db8:1::10) -- lan0 192.168.1.1, 2001:db8:1::1
 */

#include <sys/socket.h>

#include "tests/kernel/ruleset_fixture.h"

#define PING	   "ping -q -c1 -W2 >/dev/null "
#define NO_PING	   "! ping -q -c1 -W1 >/dev/null "
#define UNTIL_PING "timeout 20 sh -c 'until ping -q -c1 -W1 $0 >/dev/null; do :; done' "

/* network namespaces */
extern int gateway, outside, inside;

void packets_enter(void);

/** in() - run a shell command in one of them, which must succeed */
void in(int netns, const char *command);

struct sockaddr_in6 packets_at(const char *text);

/** udp() - a UDP socket of that network, for both families, bound to a port */
int udp(int netns, uint16_t port);
/** udp_at() - bound to an address too: "192.168.1.11:5000" */
int udp_at(int netns, const char *address);

void say(int fd, const char *to);
/** hears() - from whom, within so many milliseconds? */
bool hears(int fd, int milliseconds, struct endpoint *from);
void assert_heard_from(int fd, const char *who);
void assert_silent(int fd);
/** assert_talk() - @client dials @external, @server sees it come from @seen, and answers
 */
void assert_talk(int client, int server, const char *external, const char *seen);
/** assert_leaves() - @from of the LAN sends to the outside, which sees it come from @seen
 */
void assert_leaves(const char *from, const char *seen);
/** packets_forget() - all connections */
void packets_forget(void);
