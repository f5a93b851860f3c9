/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * conntrack_events - what the kernel says of entries that are over
 *
 * A socket of its own: who listens to a group gets what it says between the answers to
 * its own requests.
 */

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/cleanup.h"
#include "rules/conntrack_private.h"

struct conntrack_events {
	struct mnl_socket *nl;
	_Alignas(struct nlmsghdr) char buf[CONNTRACK_BUFFER_LEN];
};

DEFINE_CLEANUP(conntrack_events_close, struct conntrack_events *)

int conntrack_events_open(struct conntrack_events **ret)
{
	CLEANUP(conntrack_events_close) struct conntrack_events *events = NULL;

	events = calloc(1, sizeof(*events));
	if (!events)
		return -ENOMEM;
	events->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!events->nl)
		return -errno;
	conntrack_widen(mnl_socket_get_fd(events->nl));
	if (mnl_socket_bind(events->nl, 1u << (NFNLGRP_CONNTRACK_DESTROY - 1),
			    MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	*ret = TAKE(events);
	return 0;
}

void conntrack_events_close(struct conntrack_events *events)
{
	if (!events)
		return;
	if (events->nl)
		mnl_socket_close(events->nl);
	free(events);
}

int conntrack_events_fd(const struct conntrack_events *events)
{
	return mnl_socket_get_fd(events->nl);
}

static bool is_destroyed(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
}

/* Return: 0 or -ENOMEM */
static int tell(const void *buf, int len, conntrack_entry on_entry, void *userdata)
{
	const struct nlmsghdr *nlh = buf;
	struct connection c;
	int r;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		r = is_destroyed(nlh) ? conntrack_parse(nlh, &c) : 0;
		if (r < 0)
			return r;
		if (r > 0)
			on_entry(userdata, &c);
	}
	return 0;
}

int conntrack_events_read(struct conntrack_events *events, size_t most,
			  conntrack_entry on_entry, void *userdata)
{
	ssize_t n;
	int r = 0;

	for (size_t i = 0; i < most && r == 0; i++) {
		n = mnl_socket_recvfrom(events->nl, events->buf, sizeof(events->buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		r = tell(events->buf, (int)n, on_entry, userdata);
	}
	return r;
}
