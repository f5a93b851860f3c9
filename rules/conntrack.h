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

/** conntrack_entry - one entry of TCP, UDP, SCTP or UDP-Lite; not 0 stops the dump and is
 * returned */
typedef int (*conntrack_entry)(void *userdata, const struct connection *c);

/**
 * conntrack_dump() - every such entry of this network namespace, both families
 *
 * Return: 0; what @on_entry returned; -EINTR when the kernel said the dump was torn (it
 * is complete enough to act on, and worth a second one); -ENOBUFS, -ENOMEM; -ETIMEDOUT;
 * netlink errno.
 */
int conntrack_dump(struct conntrack *ct, conntrack_entry on_entry, void *userdata);

/* of conntrack_step() */
#define CONNTRACK_MORE 1 /* there is more at once */
#define CONNTRACK_WAIT 2 /* nothing is there yet */

/**
 * conntrack_begin() - the same in pieces, on a socket of its own: other calls may come in
 * between. One such dump at a time; one that is under way is given up
 *
 * Return: 0; -ENOMEM, -EMFILE, -ENFILE, netlink errno.
 */
int conntrack_begin(struct conntrack *ct);
/**
 * conntrack_step() - the next piece, without waiting
 * @usec: go on for about so long
 *
 * Return: CONNTRACK_MORE, CONNTRACK_WAIT; else it is over: as conntrack_dump(). -EBADF
 * where none was begun.
 */
int conntrack_step(struct conntrack *ct, uint64_t usec, conntrack_entry on_entry,
		   void *userdata);
void conntrack_give_up(struct conntrack *ct);

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

/* ------------------------------------------------------------ what is over */

struct conntrack_events;

/**
 * conntrack_events_open() - listen to what the kernel says of entries that are over
 *
 * With net.netfilter.nf_conntrack_acct an entry tells what it carried. Return: 0; -EPERM;
 * -ENOMEM, -EMFILE, -ENFILE.
 */
int conntrack_events_open(struct conntrack_events **ret);
void conntrack_events_close(struct conntrack_events *events); /* NULL is fine */
/** to be polled for reading */
int conntrack_events_fd(const struct conntrack_events *events);
/**
 * conntrack_events_read() - what waits
 * @most: datagrams
 *
 * What @on_entry returns is not looked at. Return: 0; -ENOBUFS: some were lost, and it
 * can be read on; -ENOMEM: as well; netlink errno.
 */
int conntrack_events_read(struct conntrack_events *events, size_t most,
			  conntrack_entry on_entry, void *userdata);
