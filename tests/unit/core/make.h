/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * make - mappings, changes and tables for tests, in one line each
 */

#include "core/table.h"

/** make_mapping() - "tcp 8080 192.168.1.10:80" or "tcp 8080 192.168.1.10:80 web";
 * resolved, enabled, origin admin, created 1000, no id. Fails the test when @text is
 * none. */
struct mapping make_mapping(const char *text);
/** the same with "tcp,udp" allowed, as a change */
struct change make_add(const char *text);
/** make_remove() - words out of "tcp", "udp", a port, "#7" for an id, else a name */
struct change make_remove(const char *text);

/** make_list() - one line a change: "+" with what make_add() reads, "-" with what
 * make_remove() reads, "!" as "-" with config_too, "c" as "+" with origin config */
struct change_list make_list(const char *text);

struct table *make_table(size_t capacity);
/** make_loaded() - a table with what make_mapping() reads, a line each, ids from 1 */
struct table *make_loaded(const char *text);
