/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * pcp - packets of the Port Control Protocol, RFC 6887
 *
 * What is on the wire and nothing else: no socket, no clock, no retransmission. The
 * structs hold what a packet says, in host byte order but for addresses, which are those
 * of core/endpoint.h; on the wire PCP writes IPv4 the same way (RFC 6887 5). A client
 * encodes requests and decodes responses.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCP_VERSION	2
#define PCP_SERVER_PORT 5351 /* UDP: requests go there, answers come from it (19.1) */
#define PCP_CLIENT_PORT 5350 /* announcements come to it, from 5351 (14.1.3) */
#define PCP_PACKET_MAX	1100 /* 7: a longer one is malformed, either way */
#define PCP_HEADER_LEN	24   /* 7.1, 7.2 */
#define PCP_MAP_LEN	36   /* 11.1: what follows the header */
#define PCP_NONCE_LEN	12

/* What a client believes of lifetimes at most, in seconds, against absurd ones (15) */
#define PCP_LIFETIME_MAX       86400
#define PCP_ERROR_LIFETIME_MAX 1800

/* The longest request that pcp_request_encode() writes: MAP, THIRD_PARTY, PREFER_FAILURE
 */
#define PCP_REQUEST_MAX (PCP_HEADER_LEN + PCP_MAP_LEN + 20 + 4)

/** enum pcp_opcode - 19.2 */
enum pcp_opcode { PCP_ANNOUNCE, PCP_MAP, PCP_PEER };

/** enum pcp_result - 7.4 */
enum pcp_result {
	PCP_SUCCESS,
	PCP_UNSUPP_VERSION,
	PCP_NOT_AUTHORIZED,
	PCP_MALFORMED_REQUEST,
	PCP_UNSUPP_OPCODE,
	PCP_UNSUPP_OPTION,
	PCP_MALFORMED_OPTION,
	PCP_NETWORK_FAILURE,
	PCP_NO_RESOURCES,
	PCP_UNSUPP_PROTOCOL,
	PCP_USER_EX_QUOTA,
	PCP_CANNOT_PROVIDE_EXTERNAL,
	PCP_ADDRESS_MISMATCH,
	PCP_EXCESSIVE_REMOTE_PEERS,
};
#define PCP_RESULTS (PCP_EXCESSIVE_REMOTE_PEERS + 1)

/**
 * struct pcp_map - of a MAP request or response, 11.1
 * @protocol:      IPPROTO_*; 0: all of them, then both ports are 0
 * @internal_port: 0: all ports
 * @external_port: suggested (0: any), or assigned
 * @external:      suggested (address_any4, address_any6: any of that family), or assigned
 */
struct pcp_map {
	uint8_t nonce[PCP_NONCE_LEN];
	uint8_t protocol;
	uint16_t internal_port;
	uint16_t external_port;
	struct in6_addr external;
};

/**
 * struct pcp_options - of a MAP, 13
 * @has_third_party: @third_party is the internal address, instead of the client's (13.1)
 * @prefer_failure:  the suggested external endpoint or none (13.2)
 */
struct pcp_options {
	bool has_third_party;
	bool prefer_failure;
	struct in6_addr third_party;
};

/**
 * struct pcp_request - 7.1
 * @opcode:   PCP_ANNOUNCE (14.1) or PCP_MAP (11)
 * @lifetime: wanted, in seconds; 0 deletes a mapping
 * @client:   the address that the packet leaves from
 * @map:      of PCP_MAP, as are @options
 */
struct pcp_request {
	uint8_t opcode;
	uint32_t lifetime;
	struct in6_addr client;
	struct pcp_map map;
	struct pcp_options options;
};

/**
 * pcp_request_encode() - write a request
 * @buf:     of which the first @ret_len bytes are written, always a multiple of 4
 * @ret_len: written on success only
 *
 * Of a deletion (MAP with lifetime 0) neither a suggestion is sent nor PREFER_FAILURE:
 * there is nothing to choose.
 *
 * Return: 0; -EOPNOTSUPP when @opcode is neither of the two; -EINVAL when it makes no
 * sense: ports with protocol 0, THIRD_PARTY that is the client's own address (13.1),
 * PREFER_FAILURE without an external port.
 */
int pcp_request_encode(const struct pcp_request *request,
		       uint8_t buf[static PCP_REQUEST_MAX], size_t *ret_len);

/**
 * struct pcp_response - 7.2
 * @version: PCP_VERSION. Else @result is PCP_UNSUPP_VERSION, and this is the highest
 *           that the server has (9); nothing but @result and @lifetime counts then
 * @opcode:  PCP_ANNOUNCE, solicited or not, or PCP_MAP
 * @result:  enum pcp_result, or a number that RFC 6887 does not know
 * @lifetime: granted, in seconds, at most PCP_LIFETIME_MAX; of an error: how long it
 *           will last, at most PCP_ERROR_LIFETIME_MAX
 * @epoch:   the server's Epoch Time, in seconds (8.5)
 * @has_map: @map is there. Always of a MAP that succeeded; of an error the server repeats
 *           the request, but some send the header only
 * @options: of a MAP that succeeded
 */
struct pcp_response {
	uint8_t version;
	uint8_t opcode;
	uint8_t result;
	bool has_map;
	uint32_t lifetime;
	uint32_t epoch;
	struct pcp_map map;
	struct pcp_options options;
};

/**
 * pcp_response_decode() - read a response, or an unsolicited one (14.1.3, 14.2)
 * @packet: @len bytes, not trusted
 * @ret:    written on success only
 *
 * Held to be true: 24 to 1100 bytes, a multiple of 4; the R bit. Of what succeeded also:
 * options that end where the packet does, none of the known ones twice or of a length
 * that is not its own; the 36 bytes of MAP. Unknown options are passed over (7.3).
 *
 * Whether it answers a request of ours (source, nonce, protocol, internal port: 8.3,
 * 11.4) is for the caller to see, and whether the external endpoint makes sense: it is
 * zeros in the answer to a deletion, and may be in another one.
 *
 * Return: 0; -EBADMSG when it is no PCP response; -EPROTONOSUPPORT when it is one of
 * another version and no version error; -EOPNOTSUPP of another opcode.
 */
int pcp_response_decode(const void *packet, size_t len, struct pcp_response *ret);

/**
 * pcp_result_text() - an enum pcp_result for people, without a full stop: "the router
 * does not allow it"
 *
 * Return: a string of the program's; one that says so for a number that is not known.
 */
const char *pcp_result_text(unsigned int result);
