/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * load - what the data path's load generator shares between its files
 *
 * One thread plays client and server: it opens sockets in both hosts' network namespaces,
 * and because the cables are veth, the gateway's work is done by the kernel inside of
 * this thread's own send(). So the thread's CPU time is what a unit costs from end to
 * end, and no other process on the machine is in it.
 */

#include <netinet/in.h>
#include <stdint.h>

#define CLIENT_ADDRESSES 64
#define CLIENT_SOCKETS	 512

/**
 * struct contender - a gateway, and the two hosts at its ends
 * @ports: destination ports, from @first on, that lead to the server's one
 * @units: per round; a slow contender gets fewer
 */
struct contender {
	char name[32], server[32];
	int client_ns, gateway_ns, server_ns;
	int conntrack; /* netlink socket in the gateway */
	struct in_addr address;
	uint16_t first;
	unsigned int ports, units;
	int listener, datagram; /* the server's sockets */
	int clients[CLIENT_SOCKETS];
};

struct sample {
	uint64_t cpu, wall; /* nanoseconds */
	uint64_t p50, p99;  /* of a unit, where a mode knows */
};

/** contender_open() - "NAME,CLIENT,GATEWAY,SERVER,ADDRESS,FIRST,PORTS,UNITS"; one with a
 * server of the @n @others differs from it in name, ports and units. Ends the program
 * when something is wrong */
void contender_open(struct contender *c, const char *words,
		    const struct contender *others, size_t n);

/** contender_flush() - forgets the gateway's connections */
void contender_flush(const struct contender *c);

/** enter() - the network namespace in which new sockets are made */
void enter(int ns);

struct sockaddr_in contender_target(const struct contender *c, unsigned int i);

struct mode {
	const char *name;
	int type; /* SOCK_STREAM or SOCK_DGRAM */
	void (*prepare)(struct contender *c);
	void (*run)(struct contender *c, struct sample *ret);
};

extern const struct mode modes[];

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
