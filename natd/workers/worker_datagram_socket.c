/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A socket belongs to an interface twice over: it is bound to it, which kernels before
 * 5.7 allow privileged processes only, and each datagram is sent and looked at with
 * IP_PKTINFO, which is enough by itself. One that asks for a mapping or by STUN is
 * connected: the kernel drops what others send, and reports ICMP errors. One that
 * searches is not: the router answers from where it likes.
 */

#include "natd/workers/worker_datagram.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/natpmp.h"
#include "core/pcp.h"
#include "core/stun.h"
#include "natd/workers/worker_private.h"

#define SEARCH_HOPS 2 /* UPnP Device Architecture 2.0, 1.3.2 */

static_assert((int)PCP_SERVER_PORT == NATPMP_SERVER_PORT &&
		      (int)PCP_CLIENT_PORT == NATPMP_CLIENT_PORT,
	      "one port for both");

/* ------------------------------------------------------------ keys */

static enum datagram_speech speech_of(const struct worker_job *job)
{
	switch ((enum worker_job_kind)job->kind) {
	case JOB_NATPMP_ADDRESS:
	case JOB_NATPMP_MAP:
		return DATAGRAM_NATPMP;
	case JOB_SSDP_SEARCH:
		return DATAGRAM_SSDP;
	case JOB_STUN_BIND:
		return DATAGRAM_STUN;
	case JOB_PCP_ANNOUNCE:
	case JOB_PCP_MAP:
	case JOB_LISTEN:
	case JOB_IGNORE:
	case JOB_IGD_OPEN:
	case JOB_IGD_ADDRESS:
	case JOB_IGD_READ:
	case JOB_IGD_MAP:
	case JOB_IGD_UNMAP:
	case JOB_IGD_PINHOLE:
	case JOB_IGD_UNPINHOLE:
	case JOB_RESOLVE:
		break;
	}
	return DATAGRAM_PCP;
}

struct datagram_key datagram_key_of(const struct worker_job *job)
{
	struct datagram_key key = {
		.speech = speech_of(job),
		.port = PCP_SERVER_PORT,
		.ifindex = job->ifindex,
		.router = job->router,
		.source = job->source,
	};

	if (key.speech == DATAGRAM_SSDP)
		key.port = SSDP_PORT;
	else if (key.speech == DATAGRAM_STUN)
		key.port = job->router_port;
	return key;
}

bool datagram_key_equal(const struct datagram_key *a, const struct datagram_key *b)
{
	return a->speech == b->speech && a->port == b->port && a->ifindex == b->ifindex &&
	       address_equal(&a->router, &b->router) &&
	       address_equal(&a->source, &b->source);
}

bool datagram_key_listens(const struct datagram_key *key)
{
	return key->speech == DATAGRAM_ANNOUNCED || key->speech == DATAGRAM_NOTIFIED;
}

/* ------------------------------------------------------------ addresses */

static bool address_of(const union worker_sockaddr *sa, struct in6_addr *ret)
{
	if (sa->sa.sa_family == AF_INET) {
		*ret = address_any4;
		memcpy(&ret->s6_addr[12], &sa->in.sin_addr, sizeof(sa->in.sin_addr));
		return true;
	}
	*ret = sa->in6.sin6_addr;
	return sa->sa.sa_family == AF_INET6;
}

/* ------------------------------------------------------------ opening */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int join4(int fd, const struct in6_addr *group, uint32_t ifindex)
{
	struct ip_mreqn request = { .imr_ifindex = (int)ifindex };

	memcpy(&request.imr_multiaddr, &group->s6_addr[12],
	       sizeof(request.imr_multiaddr));
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)) < 0)
		return -errno;
	return 0;
}

static int join6(int fd, const struct in6_addr *group, uint32_t ifindex)
{
	struct ipv6_mreq request = { .ipv6mr_multiaddr = *group,
				     .ipv6mr_interface = ifindex };

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request)) < 0)
		return -errno;
	return 0;
}

static const struct in6_addr all_hosts4 = {
	.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 224, [15] = 1 }
};

/* Announcements go to all hosts of the link (RFC 6886 3.2.1, RFC 6887 14.1.1), a group
 * which in IPv6 everybody is of. */
static int join(int fd, const struct datagram_key *key)
{
	bool search = key->speech == DATAGRAM_NOTIFIED;

	if (address_is_ipv4(&key->router))
		return join4(fd, search ? &ssdp_group4 : &all_hosts4, key->ifindex);
	return search ? join6(fd, &ssdp_group6, key->ifindex) : 0;
}

static int prepare4(int fd, const struct datagram_key *key)
{
	int r = set(fd, IPPROTO_IP, IP_PKTINFO, 1);

	if (r == 0 && key->speech == DATAGRAM_SSDP)
		r = set(fd, IPPROTO_IP, IP_MULTICAST_TTL, SEARCH_HOPS);
	if (r == 0 && key->speech == DATAGRAM_SSDP)
		r = set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	return r;
}

static int prepare6(int fd, const struct datagram_key *key)
{
	int r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);

	if (r == 0)
		r = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	if (r == 0 && key->speech == DATAGRAM_SSDP)
		r = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SEARCH_HOPS);
	if (r == 0 && key->speech == DATAGRAM_SSDP)
		r = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
	return r;
}

static int prepare(int fd, const struct datagram_key *key)
{
	int r = set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)key->ifindex);

	if (r < 0 && r != -EPERM && r != -ENOPROTOOPT)
		return r;
	r = address_is_ipv4(&key->router) ? prepare4(fd, key) : prepare6(fd, key);
	if (r == 0 && datagram_key_listens(key))
		r = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return r;
}

static int attach(int fd, const struct datagram_key *key)
{
	uint16_t own_port = datagram_key_listens(key) ? key->port : 0;
	union worker_sockaddr sa;
	socklen_t len = worker_sockaddr(&key->source, own_port, key->ifindex, &sa);

	if (bind(fd, &sa.sa, len) < 0)
		return -errno;
	if (datagram_key_listens(key))
		return join(fd, key);
	if (key->speech == DATAGRAM_SSDP)
		return 0;
	len = worker_sockaddr(&key->router, key->port, key->ifindex, &sa);
	return connect(fd, &sa.sa, len) < 0 ? -errno : 0;
}

static int socket_open(const struct datagram_key *key)
{
	int family = address_is_ipv4(&key->router) ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	int r;

	if (fd < 0)
		return -errno;
	r = prepare(fd, key);
	if (r == 0)
		r = attach(fd, key);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* ------------------------------------------------------------ the cache */

void datagram_sockets_init(struct datagram_sockets *sockets)
{
	memset(sockets, 0, sizeof(*sockets));
	for (size_t i = 0; i < DATAGRAM_SOCKETS_MAX; i++)
		sockets->list[i].fd = -1;
}

void datagram_socket_close(struct datagram_socket *sock)
{
	if (sock->fd >= 0)
		close(sock->fd);
	*sock = (struct datagram_socket){ .fd = -1 };
}

/* The place of @key: where it stands, else a free one, else the one to give up. */
static struct datagram_socket *place_of(struct datagram_sockets *sockets,
					const struct datagram_key *key)
{
	struct datagram_socket *best = NULL;

	for (size_t i = 0; i < DATAGRAM_SOCKETS_MAX; i++) {
		struct datagram_socket *sock = &sockets->list[i];

		if (sock->fd >= 0 && datagram_key_equal(&sock->key, key))
			return sock;
		if (sock->fd >= 0 && datagram_key_listens(&sock->key))
			continue;
		if (!best || sock->used < best->used)
			best = sock;
	}
	return best;
}

int datagram_sockets_get(struct datagram_sockets *sockets, const struct datagram_key *key,
			 struct datagram_socket **ret)
{
	struct datagram_socket *sock = place_of(sockets, key);
	int fd;

	if (!sock)
		return -EMFILE;
	if (sock->fd < 0 || !datagram_key_equal(&sock->key, key)) {
		datagram_socket_close(sock);
		fd = socket_open(key);
		if (fd < 0)
			return fd;
		sock->fd = fd;
		sock->key = *key;
	}
	sock->used = ++sockets->uses;
	*ret = sock;
	return 0;
}

/* ------------------------------------------------------------ one datagram */

/* Room for either family's, aligned. */
union control {
	struct cmsghdr head;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		      CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void put_pktinfo(struct msghdr *message, const struct datagram_key *key)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);

	if (address_is_ipv4(&key->router)) {
		struct in_pktinfo info = { .ipi_ifindex = (int)key->ifindex };

		memcpy(&info.ipi_spec_dst, &key->source.s6_addr[12],
		       sizeof(info.ipi_spec_dst));
		head->cmsg_level = IPPROTO_IP;
		head->cmsg_type = IP_PKTINFO;
		head->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(head), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_addr = key->source,
					    .ipi6_ifindex = key->ifindex };

		head->cmsg_level = IPPROTO_IPV6;
		head->cmsg_type = IPV6_PKTINFO;
		head->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(head), &info, sizeof(info));
	}
	message->msg_controllen = CMSG_SPACE(head->cmsg_len - CMSG_LEN(0));
}

int datagram_socket_send(const struct datagram_socket *sock,
			 const struct datagram_request *request)
{
	union control control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)request->bytes, request->len };
	union worker_sockaddr to;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	put_pktinfo(&message, &sock->key);
	if (sock->key.speech == DATAGRAM_SSDP) {
		message.msg_name = &to;
		message.msg_namelen = worker_sockaddr(&request->to.addr, request->to.port,
						      sock->key.ifindex, &to);
	}
	if (sendmsg(sock->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

static uint32_t ifindex_in(struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(head), sizeof(info));
			return (uint32_t)info.ipi_ifindex;
		}
		if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(head), sizeof(info));
			return info.ipi6_ifindex;
		}
	}
	return 0;
}

ssize_t datagram_socket_receive(const struct datagram_socket *sock,
				uint8_t buf[static DATAGRAM_MAX],
				struct in6_addr *ret_from)
{
	union control control;
	struct iovec iov = { buf, DATAGRAM_MAX };
	union worker_sockaddr from = { 0 };
	struct msghdr message = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock->fd, &message, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	if (message.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (ifindex_in(&message) != sock->key.ifindex || !address_of(&from, ret_from))
		return -EXDEV;
	return n;
}
