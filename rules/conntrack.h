/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * conntrack - reads and ends entries of the kernel's connection tracker
 */

#include "core/connection.h"

struct conntrack;

/** conntrack_open()
 * Return: 0; -EPERM; -EPROTONOSUPPORT without ctnetlink; -ENOMEM, -EMFILE, -ENFILE. */
int conntrack_open(struct conntrack **ret);
void conntrack_close(struct conntrack *ct); /* NULL is fine */

/** conntrack_entry - one TCP or UDP entry; not 0 stops the dump and is returned */
typedef int (*conntrack_entry)(void *userdata, const struct connection *c);

/**
 * conntrack_dump() - every TCP and UDP entry of this network namespace, both families
 *
 * Return: 0; what @on_entry returned; -EINTR when the kernel said the dump was torn (it
 * is complete enough to act on, and worth a second one); -ENOBUFS, -ENOMEM; -ETIMEDOUT;
 * netlink errno.
 */
int conntrack_dump(struct conntrack *ct, conntrack_entry on_entry, void *userdata);

/**
 * conntrack_delete() - end entries
 * @connections: as conntrack_dump() gave them; the tuple and the id must still fit, so
 *               that a newer entry of the same tuple is left alone
 * @ret_deleted: how many the kernel still had; may be NULL
 *
 * Return: 0, also when some were gone already; else the first netlink errno, after all
 * have been tried; -ETIMEDOUT at once when the kernel does not answer for 5 seconds.
 */
int conntrack_delete(struct conntrack *ct, const struct connection *connections, size_t n,
		     size_t *ret_deleted);
