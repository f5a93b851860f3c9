/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * said - mappings for the tests of values, out of what mapping_describe() writes; needs
 * no table
 */

#include "core/change.h"

/**
 * said_add() - 'tcp 8080 -> 192.168.1.10:80', 'udp 203.0.113.7:9000-9003 "games" ->
 * 192.168.1.10:8000', 'tcp,udp auto -> [::10%lan0]:443', '... from 198.51.100.0/24,...'
 *
 * An address in brackets that begins with "::" is a suffix. Not resolved; fails the test
 * when @text is none. Details are kept until the test ends.
 */
struct change said_add(const char *text);
/** said() - the mapping of it; resolved, enabled, of admin, with the first protocol */
struct mapping said(const char *text);

struct in6_addr said_address(const char *text);
struct prefix said_prefix(const char *text);
