/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * target - where a mapping is to lead, as people write it
 *
 *	192.168.1.10	192.168.1.10:80		192.168.1.10:8000-8003
 *	2001:db8::10	[2001:db8::10]		[2001:db8::10]:443
 *	::10		::10%lan0		[::10%lan0]:443
 *
 * natctl and natd.conf share it. Pure.
 */

#include <net/if.h>

#include "core/endpoint.h"

/**
 * struct target
 * @suffix: @addr has the last 64 bits alone, of a host in the LAN's prefix
 * @lan:    the LAN of a suffix, "" = the only one
 * @ports:  first 0: none was given
 */
struct target {
	struct in6_addr addr;
	struct port_range ports;
	bool suffix;
	char lan[IFNAMSIZ];
};

/**
 * target_parse()
 * @ret: written on success only
 *
 * An IPv6 address whose first 64 bits are zero is a suffix, but for :: and ::1, which is
 * one only where a LAN is named.
 *
 * Return: 0; -EINVAL when @text is none of the above; -ERANGE when a port is not
 * 1..65535; -EDOM when the last port is below the first; -EXDEV when a LAN is named for
 * an address that is no suffix.
 */
int target_parse(const char *text, struct target *ret);
