/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * watch - hears what others do to nf_tables
 *
 * Theory of operation
 *
 * After a commit the kernel sends one message for each thing that was altered, and then
 * one about the new generation, which carries the pid and name of the process. All carry
 * the netlink address of the socket that committed. Elements that expire, or that packets
 * add, are not told.
 *
 * Our own transactions may be as long as the table. A socket filter keeps them away from
 * this socket, or they would overrun it, and an overrun costs a comparison of everything.
 */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "core/cleanup.h"
#include "rules/batch.h"

#define WATCH_BUFFER (8 * 1024 * 1024)
/* the kernel makes notifications of at most 8 KiB */
#define DATAGRAM_MAX (16 * 1024)

/* All messages of a datagram belong to one transaction. */
static void leave_out(int fd, uint32_t portid)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(portid), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	/* Where this fails our own messages are read and left out one by one. */
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int subscribe(struct mnl_socket *nl, uint32_t portid)
{
	static const int size = WATCH_BUFFER;
	int fd = mnl_socket_get_fd(nl), group = NFNLGRP_NFTABLES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	leave_out(fd, portid);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

int watch_open(struct ruleset *rs)
{
	int r;

	rs->watch = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!rs->watch)
		return -errno;
	r = subscribe(rs->watch, rs->portid);
	if (r < 0)
		watch_close(rs);
	return r;
}

void watch_close(struct ruleset *rs)
{
	if (rs->watch)
		mnl_socket_close(rs->watch);
	rs->watch = NULL;
}

/* ------------------------------------------------------------------ pausing */

static int on_generation(const struct nlmsghdr *nlh, void *userdata)
{
	const struct nlattr *attr;
	uint32_t *generation = userdata;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			*generation = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

/* It goes up by one with every commit, whoever's. Return: 0 when nobody knows. */
static uint32_t read_generation(struct ruleset *rs)
{
	uint32_t generation = 0;

	if (ruleset_get(rs, NFT_MSG_GETGEN, AF_UNSPEC, 0, NULL, NULL, on_generation,
			&generation) < 0)
		return 0;
	return generation;
}

static int membership(struct ruleset *rs, int option)
{
	int group = NFNLGRP_NFTABLES;

	return mnl_socket_setsockopt(rs->watch, option, &group, sizeof(group));
}

bool watch_pause(struct ruleset *rs, uint32_t *ret)
{
	*ret = read_generation(rs);
	return *ret && membership(rs, NETLINK_DROP_MEMBERSHIP) == 0;
}

/* An answer on the watching socket wakes whoever polls it. */
static void wake(struct ruleset *rs)
{
	char buf[MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	(void)mnl_socket_sendto(rs->watch, nlh, nlh->nlmsg_len);
}

void watch_resume(struct ruleset *rs, uint32_t generation, bool committed)
{
	bool deaf = membership(rs, NETLINK_ADD_MEMBERSHIP) < 0;

	if (!deaf && read_generation(rs) == generation + committed)
		return;
	rs->unheard = true;
	wake(rs);
}

/* bytes of a transaction from which on it pays to ask twice for the generation: about a
 * thousand elements */
#define LONG (48 * 1024)

int watch_send(struct ruleset *rs, struct batch *b, struct ruleset_fault *why)
{
	uint32_t generation;
	bool paused = b->len > LONG && watch_pause(rs, &generation);
	int r = batch_send(b, rs, why);

	if (paused)
		watch_resume(rs, generation, r == 0);
	return r;
}

/* ------------------------------------------------------------------ listening */

int ruleset_fd(const struct ruleset *rs)
{
	return mnl_socket_get_fd(rs->watch);
}

static void read_culprit(const struct nlmsghdr *nlh, struct culprit *ret)
{
	const struct nlattr *attr;

	*ret = (struct culprit){ 0 };
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		switch (mnl_attr_get_type(attr)) {
		case NFTA_GEN_PROC_PID:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
				ret->pid = ntohl(mnl_attr_get_u32(attr));
			break;
		case NFTA_GEN_PROC_NAME:
			if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
				printable_copy(ret->name, sizeof(ret->name),
					       mnl_attr_get_str(attr));
			break;
		}
	}
}

static void close_transaction(struct watched *w, const struct nlmsghdr *nlh,
			      struct ruleset_news *news)
{
	if (w->portid == nlh->nlmsg_pid && w->touched)
		read_culprit(nlh, &news->by);
	news->touched |= w->touched;
	news->foreign |= w->foreign;
	*w = (struct watched){ 0 };
}

bool message_is_ours(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (nfg->nfgen_family != NFPROTO_INET)
		return false;
	mnl_attr_for_each (attr, nlh, sizeof(*nfg)) {
		if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME)
			return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
			       !strcmp(mnl_attr_get_str(attr), RULESET_TABLE);
	}
	return false;
}

static bool is_about_chains(uint8_t type)
{
	return type == NFT_MSG_NEWTABLE || type == NFT_MSG_DELTABLE ||
	       type == NFT_MSG_NEWCHAIN || type == NFT_MSG_DELCHAIN;
}

static void take_message(struct ruleset *rs, const struct nlmsghdr *nlh,
			 struct ruleset_news *news)
{
	struct watched *w = &rs->watched;
	uint8_t type = NFNL_MSG_TYPE(nlh->nlmsg_type);

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    nlh->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg) ||
	    nlh->nlmsg_pid == rs->portid)
		return;
	if (type == NFT_MSG_NEWGEN) {
		close_transaction(w, nlh, news);
		return;
	}
	w->portid = nlh->nlmsg_pid;
	if (message_is_ours(nlh))
		w->touched = true;
	else if (is_about_chains(type))
		w->foreign = true;
}

/* Return: bytes read; 0 when nothing waits; -errno */
static int receive(struct ruleset *rs, void *buf, size_t size)
{
	ssize_t n;

	do {
		n = mnl_socket_recvfrom(rs->watch, buf, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return (int)n;
}

int ruleset_watch(struct ruleset *rs, struct ruleset_news *ret)
{
	_Alignas(struct nlmsghdr) char buf[DATAGRAM_MAX];
	struct ruleset_news news = { .overrun = rs->unheard };
	int n;

	while ((n = receive(rs, buf, sizeof(buf))) != 0) {
		const void *start = buf;

		if (n == -ENOBUFS || n == -ENOSPC) {
			rs->watched = (struct watched){ 0 };
			news.overrun = true;
			continue;
		}
		if (n < 0)
			return n;
		for (const struct nlmsghdr *nlh = start; mnl_nlmsg_ok(nlh, n);
		     nlh = mnl_nlmsg_next(nlh, &n))
			take_message(rs, nlh, &news);
	}
	rs->unheard = false;
	*ret = news;
	return 0;
}
