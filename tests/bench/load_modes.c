/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/load.h"

/* 203.0.113.64 and on */
#define FIRST_ADDRESS 0xcb007140U
#define FIRST_PORT    2048
/* an answer is there when we look, unless a packet was lost */
#define DRAIN_EVERY 32

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void start(struct sample *s)
{
	s->wall = now(CLOCK_MONOTONIC);
	s->cpu = now(CLOCK_THREAD_CPUTIME_ID);
}

static void stop(struct sample *s)
{
	s->cpu = now(CLOCK_THREAD_CPUTIME_ID) - s->cpu;
	s->wall = now(CLOCK_MONOTONIC) - s->wall;
}

/* ------------------------------------------------------------------- connections */

/*
 * Every connection of a round has an address and port of its own at the client: two whose
 * translated tuples are equal would make the gateway search for another port.
 */
static int connect_from(const struct contender *c, unsigned int i)
{
	static unsigned int round; /* a port that waits out its last use is left alone */
	const struct sockaddr_in to = contender_target(c, i);
	const struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(FIRST_ADDRESS + i % CLIENT_ADDRESSES),
		.sin_port = htons(
			(uint16_t)(FIRST_PORT + round++ / CLIENT_ADDRESSES % 60000)),
	};
	const int yes = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		die("%s: connection %u to port %u failed", c->name, i,
		    ntohs(to.sin_port));
	return fd;
}

static void run_connections(struct contender *c, struct sample *ret)
{
	start(ret);
	for (unsigned int i = 0; i < c->units; i++) {
		int client = connect_from(c, i);
		int server = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);

		if (server < 0)
			die("%s: connection %u is not at the server", c->name, i);
		close(server);
		close(client);
	}
	stop(ret);
}

/* --------------------------------------------------------------------- datagrams */

static void send_from(const struct contender *c, unsigned int flow, unsigned int target)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {
		0
	};
	struct sockaddr_in to = contender_target(c, target);
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct in_pktinfo info = {
		.ipi_spec_dst.s_addr = htonl(FIRST_ADDRESS + flow % CLIENT_ADDRESSES),
	};

	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	if (sendmsg(c->clients[flow / CLIENT_ADDRESSES % CLIENT_SOCKETS], &msg, 0) != 1)
		die("%s: datagram %u cannot be sent", c->name, flow);
}

static unsigned int drain(int fd)
{
	unsigned int n = 0;
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		n++;
	return n;
}

static void run_datagrams(struct contender *c, struct sample *ret, bool established)
{
	unsigned int arrived = 0;

	start(ret);
	for (unsigned int i = 0; i < c->units; i++) {
		unsigned int flow = established ? i % CLIENT_ADDRESSES : i;

		send_from(c, flow, flow);
		if (i % DRAIN_EVERY == 0)
			arrived += drain(c->datagram);
	}
	stop(ret);
	arrived += drain(c->datagram);
	if (arrived < c->units)
		die("%s: %u of %u datagrams arrived", c->name, arrived, c->units);
}

static void run_flows(struct contender *c, struct sample *ret)
{
	run_datagrams(c, ret, false);
}

static void run_packets(struct contender *c, struct sample *ret)
{
	run_datagrams(c, ret, true);
}

static void answer(struct contender *c, unsigned int flow)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char byte;

	if (recvfrom(c->datagram, &byte, 1, 0, (struct sockaddr *)&from, &len) != 1 ||
	    sendto(c->datagram, &byte, 1, 0, (struct sockaddr *)&from, len) != 1 ||
	    recv(c->clients[flow / CLIENT_ADDRESSES % CLIENT_SOCKETS], &byte, 1, 0) != 1)
		die("%s: no answer", c->name);
}

/* A question and an answer, so that the kernel calls the flows established. */
static void establish(struct contender *c)
{
	drain(c->datagram);
	for (unsigned int flow = 0; flow < CLIENT_ADDRESSES; flow++) {
		send_from(c, flow, flow);
		answer(c, flow);
	}
}

/* ----------------------------------------------------------------------- latency */

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static void run_round_trips(struct contender *c, struct sample *ret)
{
	uint64_t *times = calloc(c->units, sizeof(*times));

	if (!times)
		die("no memory");
	start(ret);
	for (unsigned int i = 0; i < c->units; i++) {
		uint64_t begun = now(CLOCK_MONOTONIC);

		send_from(c, i % CLIENT_ADDRESSES, i % CLIENT_ADDRESSES);
		answer(c, i % CLIENT_ADDRESSES);
		times[i] = now(CLOCK_MONOTONIC) - begun;
	}
	stop(ret);
	qsort(times, c->units, sizeof(*times), compare);
	ret->p50 = times[c->units / 2];
	ret->p99 = times[c->units * 99 / 100];
	free(times);
}

const struct mode modes[] = {
	{ "connections", SOCK_STREAM, NULL, run_connections },
	{ "flows", SOCK_DGRAM, NULL, run_flows },
	{ "packets", SOCK_DGRAM, establish, run_packets },
	{ "round-trips", SOCK_DGRAM, establish, run_round_trips },
	{ 0 },
};
