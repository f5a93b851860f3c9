/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * talk - sends transactions and requests, reads the answers
 *
 * Theory of operation: the kernel works through a transaction within sendmsg(), so when
 * it returns all answers wait in the socket, and reading until nothing is left never
 * sleeps. Every error of the transaction is an answer of its own; the first is what
 * matters, the others mostly follow from it.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/cleanup.h"
#include "rules/attr.h"
#include "rules/batch.h"
#include "rules/fault.h"

/* the kernel fills dumps in pieces of up to 32 KiB, as large as the reader's buffer */
#define ANSWER_ROOM (64 * 1024)

/* The kernel keeps this much of the send buffer for itself. */
#define SNDBUF_RESERVE 32

static int socket_may_send(struct mnl_socket *nl, size_t *ret)
{
	int fd = mnl_socket_get_fd(nl);
	socklen_t len = sizeof(int);
	int size;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0)
		return -errno;
	*ret = size > SNDBUF_RESERVE ? (size_t)size - SNDBUF_RESERVE : 0;
	return 0;
}

/* SO_SNDBUFFORCE needs CAP_NET_ADMIN in the first user namespace; a rootless gateway has
 * to do with what SO_SNDBUF gives. */
static int make_room(struct mnl_socket *nl, size_t need, struct ruleset_fault *why)
{
	int fd = mnl_socket_get_fd(nl);
	int want = (int)(need + SNDBUF_RESERVE);
	size_t allowed = 0;
	int r;

	r = socket_may_send(nl, &allowed);
	if (r < 0 || need <= allowed)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	r = socket_may_send(nl, &allowed);
	if (r < 0 || need <= allowed)
		return r;
	fault_set(why,
		  "the transaction has %zu bytes, and this socket may send %zu "
		  "(net.core.wmem_max)",
		  need, allowed);
	return -EMSGSIZE;
}

/**
 * struct answers - what came back
 * @error:  first error, a positive errno; 0 = none
 * @lost:   there was no room for some of them
 * @done:   the last message was acknowledged; alone it says nothing of the others
 */
struct answers {
	uint32_t seq;
	uint32_t offset;
	uint32_t last;
	int error;
	bool lost;
	bool done;
	char text[128];
};

static void read_extack(struct answers *a, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*err);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&err->msg);
	if (skip > mnl_nlmsg_get_payload_len(nlh))
		return;
	mnl_attr_for_each (attr, nlh, skip) {
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS)
			a->offset = attr_u32(attr);
		else if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			strncpy(a->text, attr_text(attr), sizeof(a->text) - 1);
	}
}

static void take_answer(struct answers *a, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != NLMSG_ERROR ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
		return;
	if (!err->error) {
		a->done |= nlh->nlmsg_seq == a->last;
		return;
	}
	if (a->error)
		return;
	a->error = err->error < 0 && err->error > INT_MIN ? -err->error : EPROTO;
	a->seq = nlh->nlmsg_seq;
	read_extack(a, nlh);
}

static bool answer_waits(struct mnl_socket *nl)
{
	struct pollfd p = { .fd = mnl_socket_get_fd(nl), .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void take_answers(struct answers *a, const char *buf, int len)
{
	const struct nlmsghdr *nlh = (const void *)buf;

	while (mnl_nlmsg_ok(nlh, len)) {
		take_answer(a, nlh);
		nlh = mnl_nlmsg_next(nlh, &len);
	}
}

static void read_answers(struct mnl_socket *nl, struct answers *a, char *buf)
{
	ssize_t n;

	while (answer_waits(nl)) {
		n = mnl_socket_recvfrom(nl, buf, ANSWER_ROOM);
		if (n > 0)
			take_answers(a, buf, (int)n);
		else if (n < 0 && errno == ENOBUFS)
			a->lost = true;
		else if (n == 0 || errno != EINTR)
			break;
	}
}

static const struct nlmsghdr *batch_find(const struct batch *b, uint32_t seq)
{
	const struct nlmsghdr *nlh = NULL;

	do {
		nlh = batch_next(b, nlh);
	} while (nlh && nlh->nlmsg_seq != seq);
	return nlh;
}

static int batch_verdict(const struct batch *b, const struct answers *a,
			 struct ruleset_fault *why)
{
	const struct nlmsghdr *nlh;

	if (!a->error)
		return a->done && !a->lost ? 0 : -ENOBUFS;
	nlh = batch_find(b, a->seq);
	if (nlh)
		fault_describe(why, nlh, a->offset, a->error,
			       a->text[0] ? a->text : NULL);
	else
		fault_set(why, "%s", strerror(a->error));
	return -a->error;
}

static int batch_transmit(const struct batch *b, struct ruleset *rs,
			  struct ruleset_fault *why)
{
	ssize_t n;
	int r;

	r = make_room(rs->nl, b->len, why);
	if (r < 0)
		return r;
	do {
		n = mnl_socket_sendto(rs->nl, b->data, b->len);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	r = -errno;
	fault_set(why, "sending %zu bytes: %s", b->len, strerror(-r));
	return r;
}

/* The room for the answers comes first: what was sent is done, and has to be heard of. */
static int batch_talk(struct batch *b, struct ruleset *rs, struct ruleset_fault *why)
{
	struct nlmsghdr *last = (void *)(b->data + b->last);
	struct answers a = { .last = last->nlmsg_seq };
	char *buf = malloc(ANSWER_ROOM);
	int r;

	if (!buf)
		return -ENOMEM;
	last->nlmsg_flags |= NLM_F_ACK;
	r = batch_transmit(b, rs, why);
	if (r == 0)
		read_answers(rs->nl, &a, buf);
	free(buf);
	return r < 0 ? r : batch_verdict(b, &a, why);
}

int batch_send(struct batch *b, struct ruleset *rs, struct ruleset_fault *why)
{
	if (!b->error && batch_is_empty(b))
		return 0;
	batch_end(b);
	if (b->error) {
		fault_set(why, "%s", strerror(-b->error));
		return b->error;
	}
	return batch_talk(b, rs, why);
}

int batch_try(struct batch *b, struct ruleset *rs)
{
	batch_flush(b);
	return b->error ? b->error : batch_talk(b, rs, NULL);
}

/* ------------------------------------------------------------------ questions */

static struct nlmsghdr *put_question(char *buf, uint32_t seq, uint16_t type,
				     uint8_t family, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | type;
	nlh->nlmsg_flags =
		NLM_F_REQUEST | (flags & NLM_F_DUMP ? flags : flags | NLM_F_ACK);
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* The first attribute names the table in all kinds of messages, the second of those
 * about a set the set. */
static void put_names(struct nlmsghdr *nlh, const char *table, const char *set)
{
	if (table)
		mnl_attr_put_strz(nlh, NFTA_SET_TABLE, table);
	if (set)
		mnl_attr_put_strz(nlh, NFTA_SET_NAME, set);
}

/* What is left of an answer that nobody wants would stand before the next one. The
 * kernel goes on dumping while it is read, so this comes to its end. */
static void drain(struct mnl_socket *nl, char *buf)
{
	while (answer_waits(nl))
		if (mnl_socket_recvfrom(nl, buf, ANSWER_ROOM) < 0 && errno != EINTR &&
		    errno != ENOBUFS)
			break;
}

/* A callback that gives up need not have said why. */
static int reason(void)
{
	return errno > 0 ? -errno : -EPROTO;
}

static int read_dump(struct ruleset *rs, char *buf, uint32_t seq, mnl_cb_t on_message,
		     void *userdata)
{
	int r = MNL_CB_OK;
	ssize_t n;

	while (r > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(rs->nl, buf, ANSWER_ROOM);
		if (n < 0 && errno == EINTR)
			continue;
		if (n >= 0)
			errno = 0;
		r = n < 0 ? -1
			  : mnl_cb_run(buf, (size_t)n, seq, rs->portid, on_message,
				       userdata);
	}
	r = r < 0 ? reason() : 0;
	if (r < 0)
		drain(rs->nl, buf);
	return r;
}

int ruleset_get(struct ruleset *rs, uint16_t type, uint8_t family, uint16_t flags,
		const char *table, const char *set, mnl_cb_t on_message, void *userdata)
{
	char question[512], *buf = malloc(ANSWER_ROOM);
	struct nlmsghdr *nlh;
	int r;

	if (!buf)
		return -ENOMEM;
	nlh = put_question(question, ++rs->seq, type, family, flags);
	put_names(nlh, table, set);
	r = mnl_socket_sendto(rs->nl, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
	if (r == 0)
		r = read_dump(rs, buf, nlh->nlmsg_seq, on_message, userdata);
	free(buf);
	return r;
}
