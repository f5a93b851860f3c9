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
#include <time.h>

#include "core/cleanup.h"
#include "rules/conntrack_private.h"

/* an acknowledgement takes about 1 KiB of the kernel's account, and an unprivileged
 * user namespace has 208 KiB: a batch's answers always fit */
#define BATCH_MAX      128
#define DELETE_LEN_MAX 256
#define ANSWER_SECONDS 5

_Static_assert(BATCH_MAX *DELETE_LEN_MAX <= CONNTRACK_BUFFER_LEN,
	       "a batch fits into the buffer");

/**
 * struct line - a socket
 * @nl:   NULL: open before use
 * @seq:  of the last request
 * @busy: a dump is under way
 * @torn: that dump was
 */
struct line {
	struct mnl_socket *nl;
	uint32_t seq;
	bool busy, torn;
};

/**
 * struct conntrack
 * @look: of a dump that is read in pieces, non-blocking
 */
struct conntrack {
	struct line line;
	struct line look;
	_Alignas(struct nlmsghdr) char buf[CONNTRACK_BUFFER_LEN];
};

DEFINE_CLEANUP(conntrack_close, struct conntrack *)
DEFINE_CLEANUP(nfct_destroy, struct nf_conntrack *)

static void line_close(struct line *line)
{
	if (line->nl)
		mnl_socket_close(line->nl);
	line->nl = NULL;
	line->busy = false;
}

static void set_limits(struct mnl_socket *nl)
{
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	static const int yes = 1;
	int fd = mnl_socket_get_fd(nl);

	/* Nothing here is needed to be right: what fails makes slower or later. */
	conntrack_widen(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof(yes));
}

static int line_ready(struct line *line, int flags)
{
	if (line->nl)
		return 0;
	line->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | flags);
	if (!line->nl)
		return -errno;
	if (mnl_socket_bind(line->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		line_close(line);
		return r;
	}
	set_limits(line->nl);
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

static int send_requests(struct conntrack *ct, struct line *line, size_t len)
{
	return mnl_socket_sendto(line->nl, ct->buf, len) < 0 ? -errno : 0;
}

/* A signal is nothing to our callers, to whom -EINTR is a torn dump. */
static int receive(struct conntrack *ct, struct line *line)
{
	ssize_t n;

	do {
		n = mnl_socket_recvfrom(line->nl, ct->buf, sizeof(ct->buf));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}

static int wait_for(struct conntrack *ct, struct line *line)
{
	int r = receive(ct, line);

	return r == -EAGAIN ? -ETIMEDOUT : r;
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

static int on_dumped(const struct nlmsghdr *nlh, conntrack_entry on_entry, void *userdata)
{
	struct connection c;
	int r = conntrack_parse(nlh, &c);

	return r > 0 ? on_entry(userdata, &c) : r;
}

/* Return: 1 when there is no more to read, 0 when the dump goes on, -errno of the kernel;
 * what ended it from our side is in @stopped */
static int read_datagram(struct conntrack *ct, struct line *line, int len,
			 conntrack_entry on_entry, void *userdata, int *stopped)
{
	const void *buf = ct->buf;
	const struct nlmsghdr *nlh = buf;
	int r;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != line->seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			line->torn = true;
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

static int ask_all(struct conntrack *ct, struct line *line)
{
	struct nlmsghdr *nlh;

	line->torn = false;
	line->busy = true;
	nlh = put_request(ct->buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, ++line->seq, AF_UNSPEC);
	return send_requests(ct, line, nlh->nlmsg_len);
}

/* @r as read_datagram() returned it, or what a receive failed with */
static int end_of_dump(struct line *line, int r, int stopped)
{
	line->busy = false;
	if (r < 0 || stopped)
		line_close(line);
	if (r < 0)
		return r;
	return stopped ? stopped : line->torn ? -EINTR : 0;
}

int conntrack_dump(struct conntrack *ct, conntrack_entry on_entry, void *userdata)
{
	int r, stopped = 0;

	r = line_ready(&ct->line, 0);
	if (r == 0)
		r = ask_all(ct, &ct->line);
	if (r < 0)
		return r;
	do {
		r = wait_for(ct, &ct->line);
		if (r >= 0)
			r = read_datagram(ct, &ct->line, r, on_entry, userdata, &stopped);
	} while (r == 0);
	return end_of_dump(&ct->line, r, stopped);
}

int conntrack_begin(struct conntrack *ct)
{
	int r;

	/* one that was given up is still under way; else closing costs milliseconds */
	conntrack_give_up(ct);
	r = line_ready(&ct->look, SOCK_NONBLOCK);
	if (r == 0)
		r = ask_all(ct, &ct->look);
	if (r < 0)
		line_close(&ct->look);
	return r;
}

static uint64_t usec_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int conntrack_step(struct conntrack *ct, uint64_t usec, conntrack_entry on_entry,
		   void *userdata)
{
	const uint64_t until = usec_now() + usec;
	int r, stopped = 0;

	if (!ct->look.busy)
		return -EBADF;
	do {
		r = receive(ct, &ct->look);
		if (r == -EAGAIN)
			return CONNTRACK_WAIT;
		if (r >= 0)
			r = read_datagram(ct, &ct->look, r, on_entry, userdata, &stopped);
	} while (r == 0 && usec_now() < until);
	if (r == 0)
		return CONNTRACK_MORE;
	return end_of_dump(&ct->look, r, stopped);
}

void conntrack_give_up(struct conntrack *ct)
{
	if (ct->look.busy)
		line_close(&ct->look);
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
		int n = wait_for(ct, &ct->line);

		if (n < 0) {
			line_close(&ct->line);
			return n;
		}
		take_answers(a, ct->buf, n);
	}
	return a->error;
}

static int delete_batch(struct conntrack *ct, const struct connection *connections,
			size_t n, size_t *deleted)
{
	struct answers answers = { .first = ct->line.seq + 1, .n = n, .missing = n };
	size_t len = 0;
	int r;

	r = line_ready(&ct->line, 0);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = put_delete(ct->buf + len, ++ct->line.seq, &connections[i]);
		if (r < 0)
			return r;
		len += (size_t)r;
	}
	r = send_requests(ct, &ct->line, len);
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
	struct answers answers = { .first = ++ct->line.seq, .n = 1, .missing = 1 };
	struct nlmsghdr *nlh;
	int r;

	nlh = put_request(ct->buf, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, ct->line.seq,
			  AF_UNSPEC);
	r = send_requests(ct, &ct->line, nlh->nlmsg_len);
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
	r = line_ready(&ct->line, 0);
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
	line_close(&ct->line);
	line_close(&ct->look);
	free(ct);
}
