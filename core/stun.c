/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/stun.h"
#include "core/wire.h"

#define MAGIC_COOKIE 0x2112a442u
#define HEADER_LEN   20
#define AT_TYPE	     0
#define AT_LENGTH    2
#define AT_COOKIE    4
#define AT_ID	     8

/* Of the method Binding: class and method are woven into one number (5). */
#define BINDING_REQUEST 0x0001
#define BINDING_SUCCESS 0x0101
#define BINDING_ERROR	0x0111

#define ATTRIBUTE_HEADER       4
#define COMPREHENSION_OPTIONAL 0x8000

/* 18.3 */
enum attribute {
	MAPPED_ADDRESS = 0x0001,
	ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a,
	XOR_MAPPED_ADDRESS = 0x0020,
	/* of a server that wants a login, beside the error that says so */
	REALM = 0x0014,
	NONCE = 0x0015,
	/* what servers of RFC 3489 say of themselves */
	SOURCE_ADDRESS = 0x0004,
	CHANGED_ADDRESS = 0x0005,
};

enum family { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };

/** struct found - what the attributes said, each the first of its kind; no port: nothing
 */
struct found {
	struct endpoint mapped, xor_mapped;
	uint16_t error;
};

void stun_request_encode(const uint8_t id[static STUN_ID_LEN],
			 uint8_t buf[static STUN_REQUEST_LEN])
{
	wire_put16(buf + AT_TYPE, BINDING_REQUEST);
	wire_put16(buf + AT_LENGTH, 0);
	wire_put32(buf + AT_COOKIE, MAGIC_COOKIE);
	memcpy(buf + AT_ID, id, STUN_ID_LEN);
}

/* Can a packet have come from there, written as it is here? IPv4 in the clothes of IPv6
 * is an address of another family than the server says. */
static bool is_sender(const struct endpoint *e, size_t len)
{
	return e->port != 0 && !address_is_any(&e->addr) &&
	       address_is_ipv4(&e->addr) == (len == 8);
}

/* 14.1 */
static int address_get(const uint8_t *data, size_t len, struct endpoint *ret)
{
	struct endpoint e = { .addr = address_any4 };

	if (len == 8 && data[1] == FAMILY_IPV4)
		memcpy(&e.addr.s6_addr[12], data + 4, 4);
	else if (len == 20 && data[1] == FAMILY_IPV6)
		memcpy(&e.addr, data + 4, 16);
	else
		return -EBADMSG;
	e.port = wire_get16(data + 2);
	if (!is_sender(&e, len))
		return -EBADMSG;
	*ret = e;
	return 0;
}

/* 14.2: @key is the cookie and the id, one behind the other as in the header */
static int xor_address_get(const uint8_t *data, size_t len, const uint8_t *key,
			   struct endpoint *ret)
{
	uint8_t plain[20];

	if (len != 8 && len != sizeof(plain))
		return -EBADMSG;
	memcpy(plain, data, len);
	for (size_t i = 0; i < 2; i++)
		plain[2 + i] ^= key[i];
	for (size_t i = 0; i < len - 4; i++)
		plain[4 + i] ^= key[i];
	return address_get(plain, len, ret);
}

static int error_get(const uint8_t *data, size_t len, uint16_t *ret)
{
	unsigned int class, number;

	if (len < 4)
		return -EBADMSG;
	class = data[2] & 7;
	number = data[3];
	if (class < 3 || class > 6 || number > 99)
		return -EBADMSG;
	*ret = (uint16_t)(class * 100 + number);
	return 0;
}

static int attribute_get(unsigned int type, const uint8_t *data, size_t len,
			 const uint8_t *key, struct found *found)
{
	switch (type) {
	case MAPPED_ADDRESS:
		return found->mapped.port ? 0 : address_get(data, len, &found->mapped);
	case XOR_MAPPED_ADDRESS:
		return found->xor_mapped.port
			       ? 0
			       : xor_address_get(data, len, key, &found->xor_mapped);
	case ERROR_CODE:
		return found->error ? 0 : error_get(data, len, &found->error);
	case UNKNOWN_ATTRIBUTES:
	case REALM:
	case NONCE:
	case SOURCE_ADDRESS:
	case CHANGED_ADDRESS:
		return 0;
	default:
		return type < COMPREHENSION_OPTIONAL ? -EOPNOTSUPP : 0;
	}
}

/* Both ends are multiples of 4 away from the start: padding never goes beyond. */
static int attributes_get(const uint8_t *at, const uint8_t *end, const uint8_t *key,
			  struct found *found)
{
	int r = 0;

	while (r == 0 && at < end) {
		const unsigned int type = wire_get16(at);
		const size_t len = wire_get16(at + 2);
		const uint8_t *data = at + ATTRIBUTE_HEADER;

		if (len > (size_t)(end - data))
			return -EBADMSG;
		r = attribute_get(type, data, len, key, found);
		at = data + (len + 3) / 4 * 4;
	}
	return r;
}

static int conclude(unsigned int type, const struct found *found,
		    struct stun_response *ret)
{
	const struct endpoint *mapped =
		found->xor_mapped.port ? &found->xor_mapped : &found->mapped;

	if (type == BINDING_ERROR) {
		if (!found->error)
			return -EBADMSG;
		*ret = (struct stun_response){ .error = found->error };
		return 0;
	}
	if (!mapped->port)
		return -EBADMSG;
	*ret = (struct stun_response){ .mapped = *mapped };
	return 0;
}

int stun_response_decode(const void *packet, size_t len,
			 const uint8_t id[static STUN_ID_LEN], struct stun_response *ret)
{
	const uint8_t *bytes = packet;
	struct found found = { 0 };
	unsigned int type;
	int r;

	if (len < HEADER_LEN || len > STUN_PACKET_MAX || len % 4 != 0)
		return -EBADMSG;
	type = wire_get16(bytes + AT_TYPE);
	if (type != BINDING_SUCCESS && type != BINDING_ERROR)
		return -EBADMSG;
	if (wire_get16(bytes + AT_LENGTH) != len - HEADER_LEN ||
	    wire_get32(bytes + AT_COOKIE) != MAGIC_COOKIE)
		return -EBADMSG;
	if (memcmp(bytes + AT_ID, id, STUN_ID_LEN) != 0)
		return -ENOMSG;
	r = attributes_get(bytes + HEADER_LEN, bytes + len, bytes + AT_COOKIE, &found);
	if (r < 0)
		return r;
	return conclude(type, &found, ret);
}
