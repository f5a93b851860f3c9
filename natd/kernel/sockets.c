/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "natd/kernel/sockets.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mapping.h"
#include "natd/kernel/rtnl.h"

#define FIRST_ROOM 64

/**
 * struct sockets
 * @room: of @found, which grows and stays
 */
struct sockets {
	struct rtnl *rtnl;
	struct listener *found;
	size_t n, room;
};

DEFINE_CLEANUP(sockets_close, struct sockets *)

int sockets_open(struct sockets **ret)
{
	CLEANUP(sockets_close) struct sockets *sockets = calloc(1, sizeof(*sockets));
	int r;

	if (!sockets)
		return -ENOMEM;
	r = rtnl_open(NETLINK_SOCK_DIAG, &sockets->rtnl);
	if (r < 0)
		return r;
	*ret = TAKE(sockets);
	return 0;
}

void sockets_close(struct sockets *sockets)
{
	if (!sockets)
		return;
	rtnl_close(sockets->rtnl);
	free(sockets->found);
	free(sockets);
}

static int append(struct sockets *sockets, const struct listener *listener)
{
	if (sockets->n == sockets->room) {
		size_t room = sockets->room ? sockets->room * 2 : FIRST_ROOM;
		struct listener *more;

		more = reallocarray(sockets->found, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		sockets->found = more;
		sockets->room = room;
	}
	sockets->found[sockets->n++] = *listener;
	return 0;
}

static void take_address(const struct inet_diag_msg *msg, struct in6_addr *ret)
{
	if (msg->idiag_family == AF_INET6) {
		memcpy(ret, msg->id.idiag_src, sizeof(*ret));
		return;
	}
	*ret = address_any4;
	memcpy(ret->s6_addr + 12, msg->id.idiag_src, 4);
}

/* The kernel says of every socket that is not connected whether it is for IPv6 alone. */
static bool is_v6only(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct inet_diag_msg)) {
		if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY &&
		    mnl_attr_get_payload_len(attr) >= 1)
			return mnl_attr_get_u8(attr);
	}
	return false;
}

struct dump {
	struct sockets *sockets;
	uint8_t protocol;
};

static int on_socket(void *userdata, const struct nlmsghdr *nlh)
{
	const struct dump *dump = userdata;
	struct listener listener = { .protocol = dump->protocol };
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY || !rtnl_has(nlh, sizeof(*msg)))
		return 0;
	if (!msg->id.idiag_sport)
		return 0;
	take_address(msg, &listener.local.addr);
	listener.local.port = ntohs(msg->id.idiag_sport);
	listener.uid = msg->idiag_uid;
	listener.inode = msg->idiag_inode;
	listener.ifindex = msg->id.idiag_if;
	listener.v6only = msg->idiag_family == AF_INET6 && is_v6only(nlh);
	return append(dump->sockets, &listener);
}

/* TCP_CLOSE is what a datagram socket is in until it is connected. */
static int read_some(struct sockets *sockets, uint8_t family, uint8_t protocol,
		     uint32_t states)
{
	const struct inet_diag_req_v2 request = {
		.sdiag_family = family,
		.sdiag_protocol = protocol,
		.idiag_states = states,
	};
	struct dump dump = { .sockets = sockets, .protocol = protocol };
	int r;

	rtnl_put(sockets->rtnl, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request,
		 sizeof(request));
	r = rtnl_ask(sockets->rtnl, on_socket, &dump);
	/* a torn dump is of others that came and went meanwhile */
	return r == -ENOENT || r == -EINTR ? 0 : r;
}

int sockets_read(struct sockets *sockets, uint8_t protocols, struct listener_list *ret)
{
	static const struct {
		uint8_t protocol;
		uint32_t states;
	} kinds[] = {
		{ IPPROTO_TCP, 1u << TCP_LISTEN },
		{ IPPROTO_UDP, 1u << TCP_CLOSE },
		{ IPPROTO_SCTP, 1u << TCP_LISTEN },
		{ IPPROTO_UDPLITE, 1u << TCP_CLOSE },
	};
	int r = 0;

	sockets->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++) {
		if (!(protocols & protocol_bit(kinds[i].protocol)))
			continue;
		r = read_some(sockets, AF_INET, kinds[i].protocol, kinds[i].states);
		if (r == 0)
			r = read_some(sockets, AF_INET6, kinds[i].protocol,
				      kinds[i].states);
	}
	if (r < 0)
		return r;
	if (sockets->n)
		qsort(sockets->found, sockets->n, sizeof(*sockets->found),
		      listener_compare);
	*ret = (struct listener_list){ .listeners = sockets->found, .n = sockets->n };
	return 0;
}
