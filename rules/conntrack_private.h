/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * conntrack_private - what the files that speak ctnetlink share
 */

#include <libmnl/libmnl.h>

#include "rules/conntrack.h"

/* the kernel fills 32 KiB of a dump at a time when it may */
#define CONNTRACK_BUFFER_LEN (64 * 1024)

/** conntrack_parse() - one entry of a dump or an event
 * Return: 1; 0: of a family or protocol that is not ours; -ENOMEM */
int conntrack_parse(const struct nlmsghdr *nlh, struct connection *ret);

/** conntrack_widen() - as much room for what the kernel has to say as we may have */
void conntrack_widen(int fd);
