/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/load.h"

#define SERVER_PORT 9
#define BACKLOG	    1024
/* Neighbours in time are no neighbours in a table or a list. */
#define STRIDE 7919U

void die(const char *format, ...)
{
	va_list args;

	fputs("load: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(errno));
	exit(EXIT_FAILURE);
}

void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) < 0)
		die("no way into a network namespace");
}

static int open_host(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("no host %s", name);
	return fd;
}

static int open_server(int type)
{
	const struct sockaddr_in here = {
		.sin_family = AF_INET,
		.sin_port = htons(SERVER_PORT),
	};
	const int room = 4 << 20, yes = 1;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) < 0 ||
	    bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		die("no server");
	return fd;
}

static int open_client(void)
{
	const struct sockaddr_in here = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		die("no client");
	return fd;
}

static void open_sockets(struct contender *c)
{
	enter(c->gateway_ns);
	c->conntrack = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	enter(c->server_ns);
	c->listener = open_server(SOCK_STREAM);
	c->datagram = open_server(SOCK_DGRAM);
	enter(c->client_ns);
	for (size_t i = 0; i < CLIENT_SOCKETS; i++)
		c->clients[i] = open_client();
}

void contender_open(struct contender *c, const char *words,
		    const struct contender *others, size_t n)
{
	char client[32], gateway[32], address[32];
	struct contender new = { 0 };

	if (sscanf(words, "%31[^,],%31[^,],%31[^,],%31[^,],%31[^,],%hu,%u,%u", new.name,
		   client, gateway, new.server, address, &new.first, &new.ports,
		   &new.units) != 8 ||
	    inet_pton(AF_INET, address, &new.address) != 1 || !new.ports || !new.units)
		die("not understood: %s", words);
	*c = new;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(others[i].server, new.server))
			continue;
		*c = others[i];
		memcpy(c->name, new.name, sizeof(c->name));
		c->first = new.first;
		c->ports = new.ports;
		c->units = new.units;
		return;
	}
	c->client_ns = open_host(client);
	c->gateway_ns = open_host(gateway);
	c->server_ns = open_host(new.server);
	open_sockets(c);
}

void contender_flush(const struct contender *c)
{
	struct {
		struct nlmsghdr nlh;
		struct nfgenmsg nfg;
	} ask = {
		.nlh = {
			.nlmsg_len = sizeof(ask),
			.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
	};
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr error;
		char rest[64];
	} answer;

	if (send(c->conntrack, &ask, sizeof(ask), 0) < 0 ||
	    recv(c->conntrack, &answer, sizeof(answer), 0) < 0 || answer.error.error)
		die("%s: connections cannot be flushed", c->name);
}

struct sockaddr_in contender_target(const struct contender *c, unsigned int i)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = c->address,
		.sin_port = htons((uint16_t)(c->first + i * STRIDE % c->ports)),
	};
}
