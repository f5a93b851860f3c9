/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stun - asking a server on the internet what address we come from, RFC 8489
 *
 * One binding request without attributes, and its answer. No authentication; answers of
 * RFC 3489's servers (MAPPED-ADDRESS only) are read as well.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/endpoint.h"

#define STUN_PORT	 3478 /* UDP, where none is given (RFC 8489 18.6) */
#define STUN_ID_LEN	 12
#define STUN_REQUEST_LEN 20
#define STUN_PACKET_MAX	 1500 /* of an answer: the user's MTU, RFC 8489 6.1 */

/** stun_request_encode() - a binding request (RFC 8489 5, 6.1); @id: 96 random bits */
void stun_request_encode(const uint8_t id[static STUN_ID_LEN],
			 uint8_t buf[static STUN_REQUEST_LEN]);

/**
 * struct stun_response
 * @error:  0, or an error code: 300 to 699 (14.8)
 * @mapped: of success: where the request came from, as the server saw it;
 * XOR-MAPPED-ADDRESS where both are there (14.2), else MAPPED-ADDRESS (14.1)
 */
struct stun_response {
	uint16_t error;
	struct endpoint mapped;
};

/**
 * stun_response_decode() - read the answer to the request with @id
 * @packet: @len bytes, not trusted
 * @ret:    written on success only
 *
 * Held to be true: a header of 20 bytes with the magic cookie; a length that is that of
 * the packet, a multiple of 4; attributes that end within it. Of the same attribute twice
 * the first counts (14). FINGERPRINT and other optional attributes are passed over.
 *
 * Return: 0; -EBADMSG when it is no answer to a binding request, or its attributes are
 * malformed or missing; -ENOMSG when it answers another transaction; -EOPNOTSUPP when it
 * has an attribute that must be understood and is not (6.3.3, 6.3.4).
 */
int stun_response_decode(const void *packet, size_t len,
			 const uint8_t id[static STUN_ID_LEN], struct stun_response *ret);
