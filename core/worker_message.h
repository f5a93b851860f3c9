/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * worker_message - what natd and its workers say to each other
 *
 * One message is one packet of a SOCK_SEQPACKET socketpair, of fixed size, in host byte
 * order, but for addresses. Neither side trusts the other: what comes is copied out and
 * every field is checked, worker_job_valid() and worker_answer_valid(). Both are the
 * same program, so there is no version.
 *
 * Addresses are those of core/endpoint.h: IPv4 as ::ffff:0:0/96, network byte order.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKER_URL_MAX	     255 /* of a description, without NUL */
#define WORKER_TEXT_MAX	     63
#define WORKER_NONCE_LEN     12
#define WORKER_ADDRESSES_MAX 4 /* of a name */
/* for one job of that worker, altogether */
#define WORKER_IGD_SECONDS	20
#define WORKER_RESOLVER_SECONDS 30

enum worker_role { WORKER_DATAGRAM, WORKER_IGD, WORKER_RESOLVER };
#define WORKER_ROLES (WORKER_RESOLVER + 1)
/** worker_role_name() - "datagram", "igd", "resolver" */
const char *worker_role_name(enum worker_role role);

/**
 * enum worker_job_kind
 *
 * JOB_LISTEN: on the link, for announcements (PCP, NAT-PMP: port 5350; SSDP NOTIFY:
 *   1900, group 239.255.255.250) of @router only; twice for one router is fine;
 *   JOB_IGNORE ends it.
 * JOB_PCP_ANNOUNCE: RFC 6887 14.1.1, what epoch the router is in.
 * JOB_PCP_MAP: RFC 6887 11: @protocol, @internal, @internal_port, @external (suggested,
 *   any = none), @external_port (suggested, 0 = none), @lifetime (0 deletes), @nonce;
 *   THIRD_PARTY where @internal differs from @source, PREFER_FAILURE with
 *   JOB_FLAG_EXACT.
 * JOB_NATPMP_ADDRESS: RFC 6886 3.2. JOB_NATPMP_MAP: RFC 6886 3.3 (TCP and UDP).
 * JOB_SSDP_SEARCH: M-SEARCH for an IGD, multicast on the link and unicast to @router.
 * JOB_STUN_BIND: RFC 8489 binding request to @router, port @router_port; @nonce is the
 *   transaction's id.
 *
 * Of the igd worker; all of them name the description by @url:
 * JOB_IGD_OPEN: fetch it, find the services. The others do so by themselves where the
 *   worker does not have it.
 * JOB_IGD_ADDRESS: GetStatusInfo and GetExternalIPAddress.
 * JOB_IGD_READ: GetSpecificPortMappingEntry of @external_port.
 * JOB_IGD_MAP: AddPortMapping, or AddAnyPortMapping without JOB_FLAG_EXACT where the
 *   router has it; for @internal, @internal_port. @text is the description.
 * JOB_IGD_UNMAP: DeletePortMapping of @external_port.
 * JOB_IGD_PINHOLE: AddPinhole, or UpdatePinhole where @unique is not 0.
 *   JOB_IGD_UNPINHOLE: DeletePinhole of @unique.
 *
 * Of the resolver, to no router and by no WAN in particular:
 * JOB_RESOLVE: the IPv4 addresses of the host whose name is @url.
 */
enum worker_job_kind {
	JOB_LISTEN,
	JOB_IGNORE,
	JOB_PCP_ANNOUNCE,
	JOB_PCP_MAP,
	JOB_NATPMP_ADDRESS,
	JOB_NATPMP_MAP,
	JOB_SSDP_SEARCH,
	JOB_STUN_BIND,
	JOB_IGD_OPEN,
	JOB_IGD_ADDRESS,
	JOB_IGD_READ,
	JOB_IGD_MAP,
	JOB_IGD_UNMAP,
	JOB_IGD_PINHOLE,
	JOB_IGD_UNPINHOLE,
	JOB_RESOLVE,
};
#define JOB_KINDS (JOB_RESOLVE + 1)
enum worker_role job_role(enum worker_job_kind kind);

#define JOB_FLAG_EXACT (1u << 0) /* this external port or none */

/**
 * struct worker_job - natd to worker
 * @serial:  not 0; comes back in the answers
 * @ifindex: of the WAN; packets leave by it (and scope of a link-local @router)
 * @router:  who is asked; answers of others do not count. Of the igd worker: the only
 *           host that URLs may name
 * @source:  our address on that WAN, which packets leave from
 * @protocol: IPPROTO_*, of MAP, READ, UNMAP, PINHOLE
 */
struct worker_job {
	uint64_t serial;
	uint32_t kind; /* enum worker_job_kind */
	uint32_t ifindex;
	struct in6_addr router;
	struct in6_addr source;
	struct in6_addr internal;
	struct in6_addr external;
	uint32_t lifetime; /* seconds */
	uint16_t router_port;
	uint16_t internal_port;
	uint16_t external_port;
	uint16_t unique; /* a pinhole's id */
	uint8_t protocol;
	uint8_t flags; /* JOB_FLAG_* */
	uint8_t nonce[WORKER_NONCE_LEN];
	char url[WORKER_URL_MAX + 1];
	char text[WORKER_TEXT_MAX + 1];
};

/**
 * enum worker_answer_kind
 * ANSWER_JOB: to job @serial. The others come unasked, from a router listened to:
 * ANSWER_PCP_ANNOUNCE, ANSWER_NATPMP_ANNOUNCE: with @epoch (and @external);
 * ANSWER_SSDP_ALIVE: with @boot_id and @url; ANSWER_SSDP_BYEBYE.
 */
enum worker_answer_kind {
	ANSWER_JOB,
	ANSWER_PCP_ANNOUNCE,
	ANSWER_NATPMP_ANNOUNCE,
	ANSWER_SSDP_ALIVE,
	ANSWER_SSDP_BYEBYE,
};
#define ANSWER_KINDS (ANSWER_SSDP_BYEBYE + 1)

#define IGD_V2	      (1u << 0) /* WANIPConnection:2: AddAnyPortMapping, leases */
#define IGD_CONNECTED (1u << 1) /* says that its WAN is up */
#define IGD_FIREWALL6 (1u << 2) /* WANIPv6FirewallControl, pinholes allowed */

/**
 * struct worker_answer - worker to natd
 * @job:      ANSWER_JOB: kind of the job
 * @result:   0; > 0: what the router's protocol says (PCP and NAT-PMP result code, UPnP
 *            errorCode, STUN error code, HTTP status where there is no errorCode);
 *            negative errno: -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, ..., -EPROTO
 *            (unreadable), -EXDEV (it names another host), -EADDRNOTAVAIL (@source is
 *            not ours), -EINVAL (no such question can be asked). Of JOB_RESOLVE: -ENOENT
 *            (no such name), -ENODATA (it has no IPv4 address), -EADDRNOTAVAIL (none
 *            that a host can have), -ETIMEDOUT (no name server gives an answer),
 *            -EDESTADDRREQ (none is named, and there is none on this machine)
 * @natpmp:   a NAT-PMP packet came where PCP was asked: the router speaks version 0 only
 * @lifetime: granted, in seconds; of a PCP error: how long it lasts; of a name: how long
 *            it may be remembered
 * @external: assigned; of _ADDRESS and STUN: the external address (any = none)
 * @url:      of SSDP: the description's. The host in it is @router
 * @text:     of SSDP and IGD_OPEN: what the router calls itself; printable ASCII. Of
 *            IGD_READ: the entry's description
 * @addresses: of a name: up to the first that is ::; of other jobs none
 */
struct worker_answer {
	uint64_t serial;
	uint32_t kind; /* enum worker_answer_kind */
	uint32_t job;  /* enum worker_job_kind */
	int32_t result;
	uint32_t ifindex;
	struct in6_addr router;
	struct in6_addr internal;
	struct in6_addr external;
	uint32_t epoch;
	uint32_t boot_id;
	uint32_t lifetime;
	uint16_t internal_port;
	uint16_t external_port;
	uint16_t unique;
	uint8_t protocol;
	uint8_t igd; /* IGD_* */
	uint8_t natpmp;
	uint8_t nonce[WORKER_NONCE_LEN];
	char url[WORKER_URL_MAX + 1];
	char text[WORKER_TEXT_MAX + 1];
	struct in6_addr addresses[WORKER_ADDRESSES_MAX];
};

/**
 * worker_job_valid() - is a packet of @len bytes a job?
 *
 * Size, kind, serial, flags, protocol, addresses of one family and not unspecified where
 * the kind needs them, texts with NUL and printable ASCII, a URL or a name where the kind
 * needs one.
 *
 * Return: true, and @ret is a copy.
 */
bool worker_job_valid(const void *packet, size_t len, struct worker_job *ret);
/** worker_answer_valid() - the same of an answer */
bool worker_answer_valid(const void *packet, size_t len, struct worker_answer *ret);
