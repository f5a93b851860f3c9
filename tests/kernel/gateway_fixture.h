/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gateway_fixture - a real gateway in a private network: WAN wan0 with 203.0.113.5, LAN
 * lan0 with 192.168.1.1
 */

#include "natd/gateway/gateway_private.h"

extern sd_event *event;
extern struct gateway *gateway;
extern char config_path[96];

/** struct told - what the last reload (or start) answered; @why.detail "": done */
extern struct told {
	int times;
	size_t added, removed;
	struct problem why;
} told;

/* of the suite */
void gateway_enter(void);
void gateway_leave(void);

/** write_config() - interfaces, and @text */
void write_config(const char *text);
/** open_gateway() - with that configuration, and the store that is there */
void open_gateway(const char *text);
void close_gateway(void);
/** reload() - with that configuration, see told */
void reload(const char *text);
/** read_again() - the file as it is, see told */
void read_again(void);
/** settle() - until nothing waits */
void settle(void);

/** ask() - what make_list() reads. Return: what became of the first change */
enum verdict ask(const char *changes);

/** ask_list() - the same of a list, which is empty afterwards */
enum verdict ask_list(struct change_list *list);

/** named() - the mapping of TCP with that name */
const struct mapping *named(const char *name);
/** host_of() - where it leads now; borrowed */
const char *host_of(const char *name);
/** kernel_has() - does the listing of the kernel's table contain these words? */
bool kernel_has(const char *words);

/** status() - a member of it as text; borrowed until the next call */
const char *status(const char *member);
bool has_problem(const char *words);
/** told_events() - since the last call: "waiting at, active six"; borrowed */
const char *told_events(void);

/** listen_on() - a program that listens on TCP, 0.0.0.0. Return: its descriptor */
int listen_on(uint16_t port);
