/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * libnetfilter_conntrack writes and reads the attributes, libmnl carries them.
 *
 * The kernel works on a request inside of our sendto(), and fills a dump inside of our
 * recv(): answers are there when we look, and a wait that lasts means that one was lost.
 * So the socket has a time limit, and natd cannot hang on it.
 *
 * A socket on which a dump was given up still has that dump under way (the next one would
 * get EBUSY), and one that lost an answer may bring it later. Neither is worth sorting
 * out: such a socket is closed, and the next call opens another.
 */

#include "rules/conntrack.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "core/cleanup.h"

/* the kernel fills 32 KiB of a dump at a time when it may */
#define BUFFER_LEN (64 * 1024)
/* an acknowledgement takes about 1 KiB of the kernel's account, and an unprivileged
 * user namespace has 208 KiB: a batch's answers always fit */
#define BATCH_MAX      128
#define DELETE_LEN_MAX 256
#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define ANSWER_SECONDS 5

_Static_assert(BATCH_MAX *DELETE_LEN_MAX <= BUFFER_LEN, "a batch fits into the buffer");

struct conntrack {
	struct mnl_socket *nl; /* NULL: open before use */
	uint32_t seq;	       /* of the last request */
	_Alignas(struct nlmsghdr) char buf[BUFFER_LEN];
};

DEFINE_CLEANUP(conntrack_close, struct conntrack *)
DEFINE_CLEANUP(nfct_destroy, struct nf_conntrack *)

static void socket_close(struct conntrack *ct)
{
	if (ct->nl)
		mnl_socket_close(ct->nl);
	ct->nl = NULL;
}

static void set_limits(struct mnl_socket *nl)
{
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	static const int size = RECEIVE_BUFFER, yes = 1;
	int fd = mnl_socket_get_fd(nl);

	/* Nothing here is needed to be right: what fails makes slower or later. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof(yes));
}

static int socket_ready(struct conntrack *ct)
{
	if (ct->nl)
		return 0;
	ct->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!ct->nl)
		return -errno;
	if (mnl_socket_bind(ct->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		socket_close(ct);
		return r;
	}
	set_limits(ct->nl);
	return 0;
}

static struct nlmsghdr *put_request(void *at, uint8_t type, uint16_t flags, uint32_t seq,
				    uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = seq;
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

static int send_requests(struct conntrack *ct, size_t len)
{
	return mnl_socket_sendto(ct->nl, ct->buf, len) < 0 ? -errno : 0;
}

/* A torn dump is -EINTR to our callers; a signal is nothing to them. */
static int receive(struct conntrack *ct)
{
	ssize_t n;

	do {
		n = mnl_socket_recvfrom(ct->nl, ct->buf, sizeof(ct->buf));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return (int)n;
}

/* NLMSG_DONE and NLMSG_ERROR both begin with the errno */
static int carried_errno(const struct nlmsghdr *nlh)
{
	int error;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error))
		return 0;
	memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	return error < 0 ? error : 0;
}

/* --------------------------------------------------------------------- reading */

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

static void get_connection(struct nf_conntrack *ct, uint8_t protocol,
			   struct connection *ret)
{
	*ret = (struct connection){
		.protocol = protocol,
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
}

static int on_dumped(const struct nlmsghdr *nlh, conntrack_entry on_entry, void *userdata)
{
	CLEANUP(nfct_destroy) struct nf_conntrack *ct = nfct_new();
	struct connection c;
	uint8_t protocol;

	if (!ct)
		return -ENOMEM;
	if (nfct_nlmsg_parse(nlh, ct) < 0)
		return 0; /* of a family or protocol the library does not know */
	protocol = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return 0;
	get_connection(ct, protocol, &c);
	return on_entry(userdata, &c);
}

/* Return: 1 when there is no more to read, 0 when the dump goes on, -errno of the kernel;
 * what ended it from our side is in @stopped */
static int read_datagram(struct conntrack *ct, int len, conntrack_entry on_entry,
			 void *userdata, bool *torn, int *stopped)
{
	const void *buf = ct->buf;
	const struct nlmsghdr *nlh = buf;
	int r;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != ct->seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			*torn = true;
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
			r = carried_errno(nlh);
			return r < 0 ? r : 1;
		}
		*stopped = on_dumped(nlh, on_entry, userdata);
		if (*stopped)
			return 1;
	}
	return 0;
}

static int read_dump(struct conntrack *ct, conntrack_entry on_entry, void *userdata)
{
	bool torn = false;
	int r, stopped = 0;

	do {
		r = receive(ct);
		if (r >= 0)
			r = read_datagram(ct, r, on_entry, userdata, &torn, &stopped);
	} while (r == 0);
	if (r < 0 || stopped)
		socket_close(ct);
	if (r < 0)
		return r;
	return stopped ? stopped : torn ? -EINTR : 0;
}

int conntrack_dump(struct conntrack *ct, conntrack_entry on_entry, void *userdata)
{
	struct nlmsghdr *nlh;
	int r;

	r = socket_ready(ct);
	if (r < 0)
		return r;
	nlh = put_request(ct->buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, ++ct->seq, AF_UNSPEC);
	r = send_requests(ct, nlh->nlmsg_len);
	if (r < 0)
		return r;
	return read_dump(ct, on_entry, userdata);
}

/* --------------------------------------------------------------------- ending */

static void set_tuple(struct nf_conntrack *ct, const struct connection *c)
{
	if (address_is_ipv4(&c->orig_src.addr)) {
		nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
		nfct_set_attr(ct, ATTR_ORIG_IPV4_SRC, &c->orig_src.addr.s6_addr[12]);
		nfct_set_attr(ct, ATTR_ORIG_IPV4_DST, &c->orig_dst.addr.s6_addr[12]);
	} else {
		nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET6);
		nfct_set_attr(ct, ATTR_ORIG_IPV6_SRC, &c->orig_src.addr);
		nfct_set_attr(ct, ATTR_ORIG_IPV6_DST, &c->orig_dst.addr);
	}
	nfct_set_attr_u8(ct, ATTR_L4PROTO, c->protocol);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(c->orig_src.port));
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, htons(c->orig_dst.port));
	if (c->zone)
		nfct_set_attr_u16(ct, ATTR_ZONE, c->zone);
}

/* Return: bytes written to @at, or -errno */
static int put_delete(void *at, uint32_t seq, const struct connection *c)
{
	CLEANUP(nfct_destroy) struct nf_conntrack *ct = nfct_new();
	bool v4 = address_is_ipv4(&c->orig_src.addr);
	struct nlmsghdr *nlh;

	if (!ct)
		return -ENOMEM;
	set_tuple(ct, c);
	nlh = put_request(at, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, seq,
			  v4 ? AF_INET : AF_INET6);
	if (nfct_nlmsg_build(nlh, ct) < 0)
		return -errno;
	/* The library knows the id and does not send it. */
	mnl_attr_put_u32(nlh, CTA_ID, htonl(c->id));
	return (int)NLMSG_ALIGN(nlh->nlmsg_len);
}

/**
 * struct answers - to the requests numbered @first and on
 * @missing: how many have not come
 * @done:    requests the kernel fulfilled
 * @error:   the first it refused, but for what was gone already
 */
struct answers {
	uint32_t first;
	size_t n, missing, done;
	int error;
};

static void take_answers(struct answers *a, const void *buf, int len)
{
	const struct nlmsghdr *nlh = buf;

	for (; a->missing && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		int r = carried_errno(nlh);

		if (nlh->nlmsg_seq - a->first >= a->n || nlh->nlmsg_type != NLMSG_ERROR)
			continue;
		a->missing--;
		if (r == 0)
			a->done++;
		else if (r != -ENOENT && !a->error)
			a->error = r;
	}
}

static int read_answers(struct conntrack *ct, struct answers *a)
{
	while (a->missing > 0) {
		int n = receive(ct);

		if (n < 0) {
			socket_close(ct);
			return n;
		}
		take_answers(a, ct->buf, n);
	}
	return a->error;
}

static int delete_batch(struct conntrack *ct, const struct connection *connections,
			size_t n, size_t *deleted)
{
	struct answers answers = { .first = ct->seq + 1, .n = n, .missing = n };
	size_t len = 0;
	int r;

	r = socket_ready(ct);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = put_delete(ct->buf + len, ++ct->seq, &connections[i]);
		if (r < 0)
			return r;
		len += (size_t)r;
	}
	r = send_requests(ct, len);
	if (r == 0)
		r = read_answers(ct, &answers);
	*deleted += answers.done;
	return r;
}

int conntrack_delete(struct conntrack *ct, const struct connection *connections, size_t n,
		     size_t *ret_deleted)
{
	size_t deleted = 0;
	int first_error = 0;

	for (size_t i = 0; i < n; i += BATCH_MAX) {
		size_t batch = n - i < BATCH_MAX ? n - i : BATCH_MAX;
		int r = delete_batch(ct, connections + i, batch, &deleted);

		if (r < 0 && !first_error)
			first_error = r;
		if (r == -ETIMEDOUT)
			break; /* once is long enough */
	}
	if (ret_deleted)
		*ret_deleted = deleted;
	return first_error;
}

/* --------------------------------------------------------------------- opening */

/* Opening a socket needs no right and no ctnetlink; asking for the number of entries
 * needs both. */
static int probe(struct conntrack *ct)
{
	struct answers answers = { .first = ++ct->seq, .n = 1, .missing = 1 };
	struct nlmsghdr *nlh;
	int r;

	nlh = put_request(ct->buf, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, ct->seq,
			  AF_UNSPEC);
	r = send_requests(ct, nlh->nlmsg_len);
	if (r == 0)
		r = read_answers(ct, &answers);
	/* how nfnetlink says that nobody serves this subsystem */
	return r == -EINVAL ? -EPROTONOSUPPORT : r;
}

int conntrack_open(struct conntrack **ret)
{
	CLEANUP(conntrack_close) struct conntrack *ct = calloc(1, sizeof(*ct));
	int r;

	if (!ct)
		return -ENOMEM;
	r = socket_ready(ct);
	if (r < 0)
		return r;
	r = probe(ct);
	if (r < 0)
		return r;
	*ret = TAKE(ct);
	return 0;
}

void conntrack_close(struct conntrack *ct)
{
	if (!ct)
		return;
	socket_close(ct);
	free(ct);
}
