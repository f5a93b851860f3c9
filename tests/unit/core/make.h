/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * make - mappings, changes and tables for tests, in one line each
 */

#include "core/conditions.h"
#include "core/table.h"

/**
 * make_add() - "tcp 8080 192.168.1.10:80" or "tcp 8080 192.168.1.10:80 web"
 *
 * Protocols, external port ("auto", "9000-9003"), internal endpoint ("[::10]:443" is a
 * suffix); then a name, and options: "at=203.0.113.7", "from=10.0.0.0/8,10.1.0.0/16",
 * "lan=lan0", "lease=60", "comment=text", "upstream=yes", "held", "off". Enabled, origin
 * admin, created 1000, no id, resolved where the port is given. Fails the test when @text
 * is none. With "from", "lan" or "comment" it has a reference for change_done().
 */
struct change make_add(const char *text);
/** make_mapping() - the same as a mapping; of several protocols TCP */
struct mapping make_mapping(const char *text);
/** make_remove() - words out of "tcp", "udp", a port, "#7" for an id, else a name */
struct change make_remove(const char *text);
/** make_update() - what make_remove() reads, ":", and "name=web", "lease=60",
 * "comment=text", "to=192.168.1.10:80" ("to=[::10]:80" is a suffix), with "to" also
 * "lan=lan0" and "n=4" ports, "upstream=yes", "held", "lost", "on", "off" */
struct change make_update(const char *text);

/** make_list() - one line a change: "+" with what make_add() reads, "-" with what
 * make_remove() reads, "~" with what make_update() reads; "!" as "-" with config_too, "x"
 * as "-" if its lease has ended, "c" as "+" with origin config, "^" as "+" by force */
struct change_list make_list(const char *text);

/** ordinary - at 1000, every protocol, nobody listens, the default pool, no WAN, no LAN,
 * routers above us may be asked */
extern const struct conditions ordinary;

struct table *make_table(size_t capacity);
/** make_loaded() - a table with what make_mapping() reads, a line each, ids from 1 */
struct table *make_loaded(const char *text);
