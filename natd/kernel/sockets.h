/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sockets - programs of the gateway that listen, read by sock_diag(7)
 *
 * TCP and SCTP that listen, UDP and UDP-Lite that are bound and not connected; v4, v6,
 * and v6 that takes v4. natd's own network namespace only.
 */

#include "core/listener.h"

struct sockets;

/** sockets_open() - Return: 0; -EPROTONOSUPPORT without sock_diag; -EMFILE, -ENFILE,
 * -ENOMEM */
int sockets_open(struct sockets **ret);
void sockets_close(struct sockets *sockets); /* NULL is fine */

/**
 * sockets_read() - all of them, now
 * @protocols: PROTOCOL_BIT_* of those wanted: the kernel walks a table for each
 * @ret: sorted; borrowed until the next call
 *
 * A protocol that the kernel's sock_diag does not know has no sockets. Return: 0;
 * -ENOBUFS, -ENOMEM, -ETIMEDOUT, a netlink errno; then @ret is not written.
 */
int sockets_read(struct sockets *sockets, uint8_t protocols, struct listener_list *ret);
