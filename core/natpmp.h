/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * natpmp - packets of the NAT Port Mapping Protocol, RFC 6886
 *
 * What is on the wire and nothing else. IPv4 only; addresses are those of
 * core/endpoint.h, numbers in host byte order. It shares its ports with its successor
 * PCP, and the first byte of a packet tells them apart (RFC 6886 3.5, RFC 6887 9).
 */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define NATPMP_VERSION	   0
#define NATPMP_SERVER_PORT 5351
#define NATPMP_CLIENT_PORT 5350 /* announcements come to it, group 224.0.0.1 (3.2.1) */

#define NATPMP_ADDRESS_LEN 2  /* of an address request */
#define NATPMP_MAP_LEN	   12 /* of a mapping request */

/** enum port_control - what speaks on ports 5351 and 5350 */
enum port_control {
	PORT_CONTROL_NATPMP, /* version 0 */
	PORT_CONTROL_PCP,  /* any other; pcp_response_decode() knows which it can read */
	PORT_CONTROL_NONE, /* an empty packet */
};

/**
 * port_control_of() - by the version, which is the first byte
 *
 * A server that speaks NAT-PMP only answers a PCP request with version 0 and
 * NATPMP_UNSUPP_VERSION; one that speaks PCP only answers NAT-PMP with its own version
 * and PCP_UNSUPP_VERSION.
 */
enum port_control port_control_of(const void *packet, size_t len);

/** enum natpmp_opcode - of a request; a response has 128 more (3.2, 3.3) */
enum natpmp_opcode { NATPMP_ADDRESS, NATPMP_MAP_UDP, NATPMP_MAP_TCP };

/** enum natpmp_result - 3.5 */
enum natpmp_result {
	NATPMP_SUCCESS,
	NATPMP_UNSUPP_VERSION,
	NATPMP_NOT_AUTHORIZED,
	NATPMP_NETWORK_FAILURE,
	NATPMP_NO_RESOURCES,
	NATPMP_UNSUPP_OPCODE,
};
#define NATPMP_RESULTS (NATPMP_UNSUPP_OPCODE + 1)

/**
 * struct natpmp_map - of a mapping request or response (3.3)
 * @protocol:      IPPROTO_TCP or IPPROTO_UDP
 * @internal_port: with @lifetime 0: of the mapping to delete; 0: of all of the protocol
 * @external_port: suggested (0: any), or mapped
 * @lifetime:      wanted or granted, in seconds; 0 deletes (3.4)
 */
struct natpmp_map {
	uint8_t protocol;
	uint16_t internal_port;
	uint16_t external_port;
	uint32_t lifetime;
};

/** natpmp_address_encode() - asks for the external address (3.2) */
void natpmp_address_encode(uint8_t buf[static NATPMP_ADDRESS_LEN]);

/**
 * natpmp_map_encode() - asks for a mapping, or for its end (3.3, 3.4)
 *
 * Of a deletion the suggested external port is sent as 0.
 *
 * Return: 0; -EPROTONOSUPPORT when @protocol is neither TCP nor UDP; -EINVAL for
 * @internal_port 0 with a @lifetime. @buf is as it was then.
 */
int natpmp_map_encode(const struct natpmp_map *map, uint8_t buf[static NATPMP_MAP_LEN]);

/**
 * struct natpmp_response
 * @opcode:   enum natpmp_opcode; NATPMP_ADDRESS also of an announcement (3.2.1). Of
 *            NATPMP_UNSUPP_VERSION it says nothing, and of NATPMP_UNSUPP_OPCODE it may be
 *            any up to 127
 * @result:   enum natpmp_result, or a number that RFC 6886 does not know. Unless it is 0
 *            only @epoch counts (not of NATPMP_UNSUPP_OPCODE), and of a mapping its
 *            protocol and internal port, where the packet has them
 * @epoch:    seconds since the router's table was made (3.6)
 * @external: of NATPMP_ADDRESS; address_any4 where the router has none
 * @map:      of the two others
 */
struct natpmp_response {
	uint8_t opcode;
	uint16_t result;
	uint32_t epoch;
	struct in6_addr external;
	struct natpmp_map map;
};

/**
 * natpmp_response_decode() - read a response, or an announcement
 * @packet: @len bytes, not trusted; bytes behind what the opcode has are passed over
 * @ret:    written on success only; what the opcode or the result leaves out is 0, and
 *          address_any4
 *
 * NATPMP_UNSUPP_VERSION comes with opcode 0 instead of 128 (3.5), and is taken with both.
 * Of a mapping that was made it is held to be true that its internal port is not 0.
 * Whether it answers a request of ours (source, protocol, internal port), and whether the
 * external port makes sense, is for the caller to see.
 *
 * Return: 0; -EBADMSG when it is no NAT-PMP response, or too short; -EPROTONOSUPPORT when
 * the version is not 0; -EOPNOTSUPP of another opcode.
 */
int natpmp_response_decode(const void *packet, size_t len, struct natpmp_response *ret);

/**
 * natpmp_result_text() - an enum natpmp_result for people, without a full stop
 *
 * Return: a string of the program's; one that says so for a number that is not known.
 */
const char *natpmp_result_text(unsigned int result);
