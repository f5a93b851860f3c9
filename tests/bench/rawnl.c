/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/rawnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/bench/timing.h"

#define TABLE	    "hand"
#define SET	    "forward"
#define SEND_BUFFER (32 * 1024 * 1024)
#define PER_MESSAGE 1000 /* a list of elements has less than 64 KiB */
#define ELEMENT_LEN 64
#define MESSAGE_LEN 256

static void rawnl_room(struct rawnl *raw, unsigned int n)
{
	size_t need = 2 * MESSAGE_LEN + (size_t)n * ELEMENT_LEN +
		      (n / PER_MESSAGE + 1) * MESSAGE_LEN;

	if (need <= raw->room)
		return;
	raw->buf = realloc(raw->buf, need);
	raw->room = need;
	if (!raw->buf)
		die("no memory");
}

void rawnl_open(struct rawnl *raw)
{
	const int size = SEND_BUFFER;
	int fd;

	*raw = (struct rawnl){ .nl = mnl_socket_open(NETLINK_NETFILTER) };
	rawnl_room(raw, 0);
	if (!raw->nl || mnl_socket_bind(raw->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("no netlink");
	fd = mnl_socket_get_fd(raw->nl);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void rawnl_close(struct rawnl *raw)
{
	mnl_socket_close(raw->nl);
	free(raw->buf);
}

static struct nlmsghdr *put_message(struct rawnl *raw, uint16_t type, uint16_t flags,
				    uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(raw->buf + raw->len);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++raw->seq;
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return nlh;
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *bytes, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, bytes);
	mnl_attr_nest_end(nlh, nest);
}

static void put_element(struct nlmsghdr *nlh, unsigned int port, bool with_data)
{
	const uint16_t inside = htons(9);
	uint8_t key[8] = { port < 65536 ? IPPROTO_TCP : IPPROTO_UDP };
	uint8_t data[8] = { 192, 168, 1, 10 };
	uint16_t be = htons((uint16_t)port);
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	memcpy(key + 4, &be, sizeof(be));
	memcpy(data + 4, &inside, sizeof(inside));
	put_value(nlh, NFTA_SET_ELEM_KEY, key, sizeof(key));
	if (with_data)
		put_value(nlh, NFTA_SET_ELEM_DATA, data, sizeof(data));
	mnl_attr_nest_end(nlh, nest);
}

static void put_elements(struct rawnl *raw, uint16_t type, unsigned int port,
			 unsigned int n, bool last)
{
	uint16_t flags = (type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0) |
			 (last ? NLM_F_ACK : 0);
	struct nlmsghdr *nlh = put_message(raw, NFNL_SUBSYS_NFTABLES << 8 | type, flags,
					   NFPROTO_INET, 0);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, SET);
	nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (unsigned int i = 0; i < n; i++)
		put_element(nlh, port + i, type == NFT_MSG_NEWSETELEM);
	mnl_attr_nest_end(nlh, nest);
	raw->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

static void send_all(struct rawnl *raw)
{
	char answer[8192];
	ssize_t n;

	if (mnl_socket_sendto(raw->nl, raw->buf, raw->len) < 0)
		die("a transaction of %zu bytes", raw->len);
	n = mnl_socket_recvfrom(raw->nl, answer, sizeof(answer));
	if (n < 0 || mnl_cb_run(answer, (size_t)n, 0, 0, NULL, NULL) < 0)
		die("the kernel refused");
}

void rawnl_change(struct rawnl *raw, uint16_t type, unsigned int port, unsigned int n)
{
	rawnl_room(raw, n);
	raw->len = 0;
	raw->len += put_message(raw, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES)
			    ->nlmsg_len;
	for (unsigned int i = 0; i < n; i += PER_MESSAGE) {
		unsigned int left = n - i;

		put_elements(raw, type, port + i, left < PER_MESSAGE ? left : PER_MESSAGE,
			     left <= PER_MESSAGE);
	}
	raw->len += put_message(raw, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES)
			    ->nlmsg_len;
	send_all(raw);
}

static int on_set(const struct nlmsghdr *nlh, void *userdata)
{
	struct nftnl_set *set = nftnl_set_alloc();
	unsigned int *count = userdata;
	struct nftnl_set_elems_iter *at;

	if (!set || nftnl_set_elems_nlmsg_parse(nlh, set) < 0)
		die("elements not understood");
	at = nftnl_set_elems_iter_create(set);
	while (at && nftnl_set_elems_iter_next(at))
		(*count)++;
	nftnl_set_elems_iter_destroy(at);
	nftnl_set_free(set);
	return MNL_CB_OK;
}

unsigned int rawnl_dump(struct rawnl *raw)
{
	static char answer[65536];
	unsigned int count = 0;
	struct nlmsghdr *nlh;
	int r = MNL_CB_OK;

	raw->len = 0;
	nlh = put_message(raw, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NLM_F_DUMP,
			  NFPROTO_INET, 0);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, SET);
	if (mnl_socket_sendto(raw->nl, nlh, nlh->nlmsg_len) < 0)
		die("the dump was not asked for");
	while (r > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(raw->nl, answer, sizeof(answer));

		r = n < 0 ? -1
			  : mnl_cb_run(answer, (size_t)n, raw->seq, 0, on_set, &count);
	}
	if (r < 0)
		die("the dump failed");
	return count;
}
