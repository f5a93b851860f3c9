/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Every request asks for an acknowledgement, or is a dump, so that every answer has an
 * end. A socket whose answer was not read to the end is closed; the next question opens
 * another.
 */

#include "natd/kernel/rtnl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "core/cleanup.h"

#define BUFFER_LEN     (64 * 1024)
#define ANSWER_SECONDS 5

struct rtnl {
	struct mnl_socket *nl; /* NULL: open before use */
	int bus;
	uint32_t seq;
	_Alignas(struct nlmsghdr) char buf[BUFFER_LEN];
};

DEFINE_CLEANUP(rtnl_close, struct rtnl *)

static void socket_close(struct rtnl *rtnl)
{
	if (rtnl->nl)
		mnl_socket_close(rtnl->nl);
	rtnl->nl = NULL;
}

static int socket_ready(struct rtnl *rtnl)
{
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	int fd, yes = 1, r;

	if (rtnl->nl)
		return 0;
	rtnl->nl = mnl_socket_open2(rtnl->bus, SOCK_CLOEXEC);
	if (!rtnl->nl)
		return -errno;
	if (mnl_socket_bind(rtnl->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		socket_close(rtnl);
		return r;
	}
	fd = mnl_socket_get_fd(rtnl->nl);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* lets the kernel leave out what was not asked for; older ones send it all */
	(void)mnl_socket_setsockopt(rtnl->nl, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes));
	return 0;
}

int rtnl_open(int bus, struct rtnl **ret)
{
	CLEANUP(rtnl_close) struct rtnl *rtnl = calloc(1, sizeof(*rtnl));
	int r;

	if (!rtnl)
		return -ENOMEM;
	rtnl->bus = bus;
	r = socket_ready(rtnl);
	if (r < 0)
		return r;
	*ret = TAKE(rtnl);
	return 0;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (!rtnl)
		return;
	socket_close(rtnl);
	free(rtnl);
}

struct nlmsghdr *rtnl_put(struct rtnl *rtnl, uint16_t type, uint16_t flags,
			  const void *body, size_t size)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(rtnl->buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags =
		NLM_F_REQUEST | (flags & NLM_F_DUMP ? flags : flags | NLM_F_ACK);
	nlh->nlmsg_seq = ++rtnl->seq;
	memcpy(mnl_nlmsg_put_extra_header(nlh, size), body, size);
	return nlh;
}

/* the largest errno that a kernel says */
#define ERRNO_MAX 4095

/* NLMSG_DONE and NLMSG_ERROR both begin with the errno; whoever negates it must be able
 * to. */
static int carried_errno(const struct nlmsghdr *nlh)
{
	int error;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error))
		return 0;
	memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	if (error < -ERRNO_MAX)
		return -EPROTO;
	return error < 0 ? error : 0;
}

/**
 * struct answer
 * @torn:   the dump was
 * @ended:  its last message was read
 * @result: what that said
 */
struct answer {
	rtnl_message on_message;
	void *userdata;
	bool torn, ended;
	int result;
};

/* Return: 0, or what @on_message returned */
static int take_datagram(struct rtnl *rtnl, int len, struct answer *a)
{
	const void *buf = rtnl->buf;
	const struct nlmsghdr *nlh = buf;
	int r;

	for (; !a->ended && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != rtnl->seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			a->torn = true;
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
			a->ended = true;
			a->result = carried_errno(nlh);
			continue;
		}
		r = a->on_message(a->userdata, nlh);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_answer(struct rtnl *rtnl, struct answer *a)
{
	while (!a->ended) {
		ssize_t n = mnl_socket_recvfrom(rtnl->nl, rtnl->buf, sizeof(rtnl->buf));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		r = take_datagram(rtnl, (int)n, a);
		if (r < 0)
			return r;
	}
	return 0;
}

int rtnl_ask(struct rtnl *rtnl, rtnl_message on_message, void *userdata)
{
	struct answer a = { .on_message = on_message, .userdata = userdata };
	const void *buf = rtnl->buf;
	const struct nlmsghdr *request = buf;
	int r;

	r = socket_ready(rtnl);
	if (r < 0)
		return r;
	if (mnl_socket_sendto(rtnl->nl, request, request->nlmsg_len) < 0)
		return -errno;
	r = read_answer(rtnl, &a);
	if (r < 0) {
		socket_close(rtnl);
		return r;
	}
	if (a.result < 0)
		return a.result;
	return a.torn ? -EINTR : 0;
}
