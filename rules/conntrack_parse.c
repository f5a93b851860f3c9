/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "core/cleanup.h"
#include "rules/conntrack_private.h"

#define RECEIVE_BUFFER (4 * 1024 * 1024)

DEFINE_CLEANUP(nfct_destroy, struct nf_conntrack *)

void conntrack_widen(int fd)
{
	static const int size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static void get_address(struct nf_conntrack *ct, enum nf_conntrack_attr v4,
			enum nf_conntrack_attr v6, struct in6_addr *ret)
{
	if (nfct_attr_is_set(ct, v4) > 0) {
		*ret = address_any4;
		memcpy(&ret->s6_addr[12], nfct_get_attr(ct, v4), sizeof(struct in_addr));
	} else if (nfct_attr_is_set(ct, v6) > 0) {
		memcpy(ret, nfct_get_attr(ct, v6), sizeof(*ret));
	}
}

static uint16_t get_port(struct nf_conntrack *ct, enum nf_conntrack_attr attr)
{
	return ntohs(nfct_get_attr_u16(ct, attr));
}

/* A zone that holds for one direction comes as a part of that direction's tuple. */
static uint16_t get_zone(struct nf_conntrack *ct)
{
	if (nfct_attr_is_set(ct, ATTR_ZONE) > 0)
		return nfct_get_attr_u16(ct, ATTR_ZONE);
	if (nfct_attr_is_set(ct, ATTR_ORIG_ZONE) > 0)
		return nfct_get_attr_u16(ct, ATTR_ORIG_ZONE);
	return 0;
}

static uint8_t get_state(struct nf_conntrack *ct, uint8_t protocol)
{
	if (protocol == IPPROTO_TCP)
		return nfct_get_attr_u8(ct, ATTR_TCP_STATE);
	return protocol == IPPROTO_SCTP ? nfct_get_attr_u8(ct, ATTR_SCTP_STATE) : 0;
}

/* nothing where the kernel does not count */
static void get_traffic(struct nf_conntrack *ct, struct connection *ret)
{
	ret->in = (struct traffic){
		.packets = nfct_get_attr_u64(ct, ATTR_ORIG_COUNTER_PACKETS),
		.bytes = nfct_get_attr_u64(ct, ATTR_ORIG_COUNTER_BYTES),
	};
	ret->out = (struct traffic){
		.packets = nfct_get_attr_u64(ct, ATTR_REPL_COUNTER_PACKETS),
		.bytes = nfct_get_attr_u64(ct, ATTR_REPL_COUNTER_BYTES),
	};
}

static void get_connection(struct nf_conntrack *ct, uint8_t protocol,
			   struct connection *ret)
{
	*ret = (struct connection){
		.protocol = protocol,
		.state = get_state(ct, protocol),
		.start = nfct_get_attr_u64(ct, ATTR_TIMESTAMP_START),
		.counted = nfct_attr_is_set(ct, ATTR_ORIG_COUNTER_BYTES) > 0,
		.status = nfct_get_attr_u32(ct, ATTR_STATUS),
		.timeout = nfct_get_attr_u32(ct, ATTR_TIMEOUT),
		.id = nfct_get_attr_u32(ct, ATTR_ID),
		.zone = get_zone(ct),
	};
	get_address(ct, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, &ret->orig_src.addr);
	get_address(ct, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, &ret->orig_dst.addr);
	get_address(ct, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC, &ret->reply_src.addr);
	get_address(ct, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST, &ret->reply_dst.addr);
	ret->orig_src.port = get_port(ct, ATTR_ORIG_PORT_SRC);
	ret->orig_dst.port = get_port(ct, ATTR_ORIG_PORT_DST);
	ret->reply_src.port = get_port(ct, ATTR_REPL_PORT_SRC);
	ret->reply_dst.port = get_port(ct, ATTR_REPL_PORT_DST);
	get_traffic(ct, ret);
}

int conntrack_parse(const struct nlmsghdr *nlh, struct connection *ret)
{
	CLEANUP(nfct_destroy) struct nf_conntrack *ct = nfct_new();
	uint8_t protocol;

	if (!ct)
		return -ENOMEM;
	if (nfct_nlmsg_parse(nlh, ct) < 0)
		return 0; /* of a family or protocol the library does not know */
	protocol = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	if (!protocol_bit(protocol))
		return 0;
	get_connection(ct, protocol, ret);
	return 1;
}
