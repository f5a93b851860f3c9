/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sysctl - the few kernel settings a gateway needs
 */

#include "natd/kernel/links.h"

struct sysctl_fault {
	char text[256]; /* names the setting, and what to do */
};

/**
 * sysctl_forwarding() - switch forwarding on, IPv4 and IPv6
 *
 * Only after the table is in force. A WAN in @links whose accept_ra is 1 (or the default
 * that new interfaces get) is set to 2 first: with forwarding on, accept_ra = 1 makes the
 * kernel drop the default route learned by router advertisement at once. Settings that
 * are right already are not written. Called again when a WAN appears. IPv6 is not
 * switched on while accept_ra of a WAN cannot be set.
 *
 * Return: 0; -EACCES, -EROFS, -ENOENT (no IPv6 in this kernel is no error), -EIO; @why.
 */
int sysctl_forwarding(const struct links *links, struct sysctl_fault *why);

/** sysctl_accept_ra() - the accept_ra part for WANs that are there now; may be called
 * before the table is in force. Return: as above */
int sysctl_accept_ra(const struct links *links, struct sysctl_fault *why);

/**
 * sysctl_accounting() - let the connection tracker count bytes and tell what ends, and
 * keep the time at which connections began
 *
 * What is right already is not written. Return: as sysctl_forwarding(); @why.
 */
int sysctl_accounting(struct sysctl_fault *why);

/** sysctl_get() - read an integer setting, "net/ipv4/ip_forward"; Return: 0, -ENOENT,
 * -EACCES, -EIO */
int sysctl_get(const char *name, int *ret);
