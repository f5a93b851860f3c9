/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "core/natpmp.h"
#include "core/wire.h"

/* Where fields stand: in every response (3.2, 3.3), */
#define AT_VERSION	 0
#define AT_OPCODE	 1
#define AT_RESULT	 2
#define AT_EPOCH	 4
#define HEADER_LEN	 8
#define AT_EXTERNAL	 8 /* of an address response */
#define ADDRESS_END	 12
#define AT_INTERNAL_PORT 8 /* of a mapping response */
#define AT_EXTERNAL_PORT 10
#define AT_LIFETIME	 12
#define MAP_END		 16
/* and in a mapping request. */
#define AT_ASKED_INTERNAL_PORT 4
#define AT_ASKED_EXTERNAL_PORT 6
#define AT_ASKED_LIFETIME      8

#define RESPONSE 0x80

enum port_control port_control_of(const void *packet, size_t len)
{
	const uint8_t *bytes = packet;

	if (len == 0)
		return PORT_CONTROL_NONE;
	return bytes[AT_VERSION] == NATPMP_VERSION ? PORT_CONTROL_NATPMP
						   : PORT_CONTROL_PCP;
}

void natpmp_address_encode(uint8_t buf[static NATPMP_ADDRESS_LEN])
{
	buf[AT_VERSION] = NATPMP_VERSION;
	buf[AT_OPCODE] = NATPMP_ADDRESS;
}

int natpmp_map_encode(const struct natpmp_map *map, uint8_t buf[static NATPMP_MAP_LEN])
{
	const bool deletes = map->lifetime == 0;

	if (map->protocol != IPPROTO_TCP && map->protocol != IPPROTO_UDP)
		return -EPROTONOSUPPORT;
	if (map->internal_port == 0 && !deletes)
		return -EINVAL;
	memset(buf, 0, NATPMP_MAP_LEN);
	buf[AT_VERSION] = NATPMP_VERSION;
	buf[AT_OPCODE] = map->protocol == IPPROTO_TCP ? NATPMP_MAP_TCP : NATPMP_MAP_UDP;
	wire_put16(buf + AT_ASKED_INTERNAL_PORT, map->internal_port);
	wire_put16(buf + AT_ASKED_EXTERNAL_PORT, deletes ? 0 : map->external_port);
	wire_put32(buf + AT_ASKED_LIFETIME, map->lifetime);
	return 0;
}

static int address_get(const uint8_t *bytes, size_t len, struct natpmp_response *response)
{
	if (response->result != NATPMP_SUCCESS)
		return 0;
	if (len < ADDRESS_END)
		return -EBADMSG;
	memcpy(&response->external.s6_addr[12], bytes + AT_EXTERNAL, 4);
	return 0;
}

static int map_get(const uint8_t *bytes, size_t len, struct natpmp_response *response)
{
	struct natpmp_map *map = &response->map;

	if (len < MAP_END)
		return response->result == NATPMP_SUCCESS ? -EBADMSG : 0;
	map->internal_port = wire_get16(bytes + AT_INTERNAL_PORT);
	if (response->result != NATPMP_SUCCESS)
		return 0;
	map->external_port = wire_get16(bytes + AT_EXTERNAL_PORT);
	map->lifetime = wire_get32(bytes + AT_LIFETIME);
	if (map->lifetime && !map->internal_port)
		return -EBADMSG;
	return 0;
}

static uint8_t protocol_of(uint8_t opcode)
{
	if (opcode == NATPMP_MAP_TCP)
		return IPPROTO_TCP;
	return opcode == NATPMP_MAP_UDP ? IPPROTO_UDP : 0;
}

static int body_get(const uint8_t *bytes, size_t len, struct natpmp_response *response)
{
	/* these two may stand beside any opcode, and leave the rest as it was asked */
	if (response->result == NATPMP_UNSUPP_VERSION)
		return 0;
	if (response->result == NATPMP_UNSUPP_OPCODE)
		return 0;
	if (response->opcode == NATPMP_ADDRESS)
		return address_get(bytes, len, response);
	if (response->map.protocol)
		return map_get(bytes, len, response);
	return -EOPNOTSUPP;
}

static bool is_response(const uint8_t *bytes, uint16_t result)
{
	if (bytes[AT_OPCODE] & RESPONSE)
		return true;
	return bytes[AT_OPCODE] == 0 && result == NATPMP_UNSUPP_VERSION;
}

int natpmp_response_decode(const void *packet, size_t len, struct natpmp_response *ret)
{
	const uint8_t *bytes = packet;
	struct natpmp_response response = { .external = address_any4 };
	int r;

	if (len < HEADER_LEN)
		return -EBADMSG;
	if (bytes[AT_VERSION] != NATPMP_VERSION)
		return -EPROTONOSUPPORT;
	response.result = wire_get16(bytes + AT_RESULT);
	if (!is_response(bytes, response.result))
		return -EBADMSG;
	response.opcode = (uint8_t)(bytes[AT_OPCODE] & ~RESPONSE);
	response.map.protocol = protocol_of(response.opcode);
	response.epoch = wire_get32(bytes + AT_EPOCH);
	r = body_get(bytes, len, &response);
	if (r < 0)
		return r;
	*ret = response;
	return 0;
}

const char *natpmp_result_text(unsigned int result)
{
	static const char *const texts[] = {
		[NATPMP_SUCCESS] = "it is done",
		[NATPMP_UNSUPP_VERSION] = "the router speaks another version of NAT-PMP",
		[NATPMP_NOT_AUTHORIZED] = "the router does not allow it",
		[NATPMP_NETWORK_FAILURE] = "the router has no connection to the internet",
		[NATPMP_NO_RESOURCES] = "the router has no room for another mapping now",
		[NATPMP_UNSUPP_OPCODE] = "the router does not offer this by NAT-PMP",
	};

	static_assert(ARRAY_SIZE(texts) == NATPMP_RESULTS, "a text for each");
	if (result >= ARRAY_SIZE(texts))
		return "the router gives a reason that NAT-PMP does not know";
	return texts[result];
}
