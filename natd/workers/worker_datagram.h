/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * worker_datagram - the pieces of the datagram worker
 *
 *	job -> datagram_requests() -> datagram_socket_send()
 *	datagram -> datagram_answer() or datagram_announcement() -> answer
 */

#include <sys/socket.h>

#include "core/endpoint.h"
#include "core/ssdp.h"
#include "core/worker_message.h"

#define DATAGRAM_MAX SSDP_PACKET_MAX /* a longer one is dropped */

/** enum datagram_speech - what a socket is for; each has sockets of its own, so that
 * nothing said in one is taken for the other */
enum datagram_speech {
	DATAGRAM_PCP,
	DATAGRAM_NATPMP,
	DATAGRAM_SSDP,
	DATAGRAM_STUN,
	DATAGRAM_ANNOUNCED, /* port 5350, unasked */
	DATAGRAM_NOTIFIED,  /* port 1900, unasked */
};

/* ------------------------------------------------------------ packets */

/* a search: both versions of the device, to the group and to the router */
#define DATAGRAM_REQUESTS_MAX 4

struct datagram_request {
	struct endpoint to;
	size_t len;
	uint8_t bytes[SSDP_SEARCH_MAX];
};

/** struct datagram_requests - what a job sends */
struct datagram_requests {
	size_t n;
	struct datagram_request list[DATAGRAM_REQUESTS_MAX];
};

/**
 * datagram_requests() - Return: 0; -EOPNOTSUPP (not a job that sends), -EINVAL (no packet
 * can say that: pcp_request_encode(), natpmp_map_encode())
 */
int datagram_requests(const struct worker_job *job, struct datagram_requests *ret);

/**
 * enum datagram_fit - is a packet the answer to a job?
 * @DATAGRAM_VAGUE: an answer to such a job which does not say to which (a head alone, or
 *                  another version of the protocol)
 */
enum datagram_fit { DATAGRAM_NO, DATAGRAM_VAGUE, DATAGRAM_FITS };

/**
 * datagram_answer() - what a packet says to a job
 * @packet: @len bytes from @from, to the socket of the job's speech; not trusted
 * @ret:    written unless DATAGRAM_NO
 *
 * Pure. PCP by nonce, protocol and internal port (RFC 6887 11.4), NAT-PMP by opcode and
 * internal port (RFC 6886 3.3), STUN by the transaction's id (RFC 8489 6.3.1); from the
 * router asked, or it is none. A search is answered by an IGD whose description is the
 * router's, or with -EXDEV.
 */
enum datagram_fit datagram_answer(const struct worker_job *job, const void *packet,
				  size_t len, const struct in6_addr *from,
				  struct worker_answer *ret);

/**
 * datagram_announcement() - what comes unasked
 * @speech: DATAGRAM_ANNOUNCED, DATAGRAM_NOTIFIED
 * @router: whom it came from, and who is listened to
 *
 * Pure. Return: true: @ret is written.
 */
bool datagram_announcement(enum datagram_speech speech, const void *packet, size_t len,
			   const struct in6_addr *router, uint32_t ifindex,
			   struct worker_answer *ret);

/* ------------------------------------------------------------ sockets */

#define DATAGRAM_SOCKETS_MAX 24

/**
 * struct datagram_key - whom a socket talks to, and as whom
 * @port:  of @router. Of _ANNOUNCED and _NOTIFIED: ours
 * @router, @source: of _ANNOUNCED and _NOTIFIED: any, of the family
 */
struct datagram_key {
	enum datagram_speech speech;
	uint16_t port;
	uint32_t ifindex;
	struct in6_addr router;
	struct in6_addr source;
};
/** datagram_key_of() - of a job that sends */
struct datagram_key datagram_key_of(const struct worker_job *job);
bool datagram_key_equal(const struct datagram_key *a, const struct datagram_key *b);
bool datagram_key_listens(const struct datagram_key *key);

/** struct datagram_socket - @fd -1: nothing here; @used: the larger the later */
struct datagram_socket {
	struct datagram_key key;
	int fd;
	uint64_t used;
};

/** struct datagram_sockets - a cache: the one that was not used for longest makes room,
 * but never one that listens */
struct datagram_sockets {
	struct datagram_socket list[DATAGRAM_SOCKETS_MAX];
	uint64_t uses;
};

void datagram_sockets_init(struct datagram_sockets *sockets);
/** datagram_sockets_get() - the socket of @key, opened where there is none. Return: 0;
 * -EMFILE (all of them listen), -EADDRNOTAVAIL, -EADDRINUSE, -ENETUNREACH, what else
 * bind(2) and connect(2) say */
int datagram_sockets_get(struct datagram_sockets *sockets, const struct datagram_key *key,
			 struct datagram_socket **ret);
/** datagram_socket_close() - fine when it is closed */
void datagram_socket_close(struct datagram_socket *sock);

/** datagram_socket_send() - Return: 0, negative errno; -ECONNREFUSED and the like may be
 * about what was sent before */
int datagram_socket_send(const struct datagram_socket *sock,
			 const struct datagram_request *request);
/** datagram_socket_receive() - one datagram, never waiting
 *
 * Return: its length; -EAGAIN; -EMSGSIZE (too long: passed over), -EXDEV (by another
 * interface: passed over), or what an ICMP error said of something sent before.
 */
ssize_t datagram_socket_receive(const struct datagram_socket *sock,
				uint8_t buf[static DATAGRAM_MAX],
				struct in6_addr *ret_from);
