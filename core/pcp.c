/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "core/pcp.h"
#include "core/wire.h"

/* Where fields stand: in the header (7.1, 7.2), */
#define AT_VERSION  0
#define AT_OPCODE   1
#define AT_RESULT   3
#define AT_LIFETIME 4
#define AT_CLIENT   8 /* of a request */
#define AT_EPOCH    8 /* of a response */
/* in what follows it of MAP (11.1), */
#define AT_NONCE	 (PCP_HEADER_LEN + 0)
#define AT_PROTOCOL	 (PCP_HEADER_LEN + 12)
#define AT_INTERNAL_PORT (PCP_HEADER_LEN + 16)
#define AT_EXTERNAL_PORT (PCP_HEADER_LEN + 18)
#define AT_EXTERNAL	 (PCP_HEADER_LEN + 20)
#define AT_OPTIONS	 (PCP_HEADER_LEN + PCP_MAP_LEN)
/* and in an option (7.3). */
#define AT_OPTION_CODE	 0
#define AT_OPTION_LENGTH 2
#define OPTION_HEADER	 4

#define R_BIT 0x80

enum option { OPTION_THIRD_PARTY = 1, OPTION_PREFER_FAILURE = 2 };

/* Return: the end of the option. */
static uint8_t *option_put(uint8_t *at, enum option code, const void *data, uint16_t len)
{
	at[AT_OPTION_CODE] = (uint8_t)code;
	wire_put16(at + AT_OPTION_LENGTH, len);
	if (len)
		memcpy(at + OPTION_HEADER, data, len);
	return at + OPTION_HEADER + len;
}

static int map_flaw(const struct pcp_request *request)
{
	const struct pcp_map *map = &request->map;
	const struct pcp_options *options = &request->options;

	if (map->protocol == 0 && (map->internal_port || map->external_port))
		return -EINVAL;
	if (options->has_third_party &&
	    address_equal(&options->third_party, &request->client))
		return -EINVAL;
	if (options->prefer_failure && request->lifetime && !map->external_port)
		return -EINVAL;
	return 0;
}

/* Return: the end of the request. */
static uint8_t *map_put(const struct pcp_request *request, uint8_t *buf)
{
	const struct pcp_map *map = &request->map;
	const bool deletes = request->lifetime == 0;
	struct in6_addr suggested = map->external;
	uint8_t *end = buf + AT_OPTIONS;

	if (deletes)
		suggested = address_is_ipv4(&suggested) ? address_any4 : address_any6;
	memcpy(buf + AT_NONCE, map->nonce, PCP_NONCE_LEN);
	buf[AT_PROTOCOL] = map->protocol;
	wire_put16(buf + AT_INTERNAL_PORT, map->internal_port);
	wire_put16(buf + AT_EXTERNAL_PORT, deletes ? 0 : map->external_port);
	memcpy(buf + AT_EXTERNAL, &suggested, sizeof(suggested));
	if (request->options.has_third_party)
		end = option_put(end, OPTION_THIRD_PARTY, &request->options.third_party,
				 sizeof(request->options.third_party));
	if (request->options.prefer_failure && !deletes)
		end = option_put(end, OPTION_PREFER_FAILURE, NULL, 0);
	return end;
}

int pcp_request_encode(const struct pcp_request *request,
		       uint8_t buf[static PCP_REQUEST_MAX], size_t *ret_len)
{
	const bool is_map = request->opcode == PCP_MAP;
	uint8_t *end = buf + PCP_HEADER_LEN;

	if (!is_map && request->opcode != PCP_ANNOUNCE)
		return -EOPNOTSUPP;
	if (is_map && map_flaw(request) < 0)
		return -EINVAL;
	memset(buf, 0, PCP_REQUEST_MAX);
	buf[AT_VERSION] = PCP_VERSION;
	buf[AT_OPCODE] = request->opcode;
	/* of ANNOUNCE it is 0 (14.1) */
	wire_put32(buf + AT_LIFETIME, is_map ? request->lifetime : 0);
	memcpy(buf + AT_CLIENT, &request->client, sizeof(request->client));
	if (is_map)
		end = map_put(request, buf);
	*ret_len = (size_t)(end - buf);
	return 0;
}

static int third_party_get(const uint8_t *data, size_t len, struct pcp_options *options)
{
	if (options->has_third_party || len != sizeof(options->third_party))
		return -EBADMSG;
	options->has_third_party = true;
	memcpy(&options->third_party, data, len);
	return 0;
}

static int prefer_failure_get(size_t len, struct pcp_options *options)
{
	if (options->prefer_failure || len != 0)
		return -EBADMSG;
	options->prefer_failure = true;
	return 0;
}

/* From @at to @end; both are multiples of 4 away from the start, so that padding (7.3)
 * never takes more than there is. */
static int options_get(const uint8_t *at, const uint8_t *end, struct pcp_options *options)
{
	int r = 0;

	while (r == 0 && at < end) {
		const size_t len = wire_get16(at + AT_OPTION_LENGTH);
		const uint8_t *data = at + OPTION_HEADER;

		if (len > (size_t)(end - data))
			return -EBADMSG;
		if (at[AT_OPTION_CODE] == OPTION_THIRD_PARTY)
			r = third_party_get(data, len, options);
		else if (at[AT_OPTION_CODE] == OPTION_PREFER_FAILURE)
			r = prefer_failure_get(len, options);
		at = data + (len + 3) / 4 * 4;
	}
	return r;
}

static void map_get(const uint8_t *bytes, struct pcp_map *ret)
{
	memcpy(ret->nonce, bytes + AT_NONCE, PCP_NONCE_LEN);
	ret->protocol = bytes[AT_PROTOCOL];
	ret->internal_port = wire_get16(bytes + AT_INTERNAL_PORT);
	ret->external_port = wire_get16(bytes + AT_EXTERNAL_PORT);
	memcpy(&ret->external, bytes + AT_EXTERNAL, sizeof(ret->external));
}

static int map_body_get(const uint8_t *bytes, size_t len, struct pcp_response *response)
{
	response->has_map = len >= AT_OPTIONS;
	if (response->has_map)
		map_get(bytes, &response->map);
	if (response->result != PCP_SUCCESS)
		return 0;
	if (!response->has_map)
		return -EBADMSG;
	return options_get(bytes + AT_OPTIONS, bytes + len, &response->options);
}

static int body_get(const uint8_t *bytes, size_t len, struct pcp_response *response)
{
	struct pcp_options ignored = { 0 };

	if (response->opcode == PCP_MAP)
		return map_body_get(bytes, len, response);
	if (response->opcode != PCP_ANNOUNCE)
		return -EOPNOTSUPP;
	if (response->result != PCP_SUCCESS)
		return 0;
	return options_get(bytes + PCP_HEADER_LEN, bytes + len, &ignored);
}

static uint32_t lifetime_believed(uint32_t lifetime, uint8_t result)
{
	const uint32_t max =
		result == PCP_SUCCESS ? PCP_LIFETIME_MAX : PCP_ERROR_LIFETIME_MAX;

	return lifetime < max ? lifetime : max;
}

/* 9: the version and the result stand where they are in every version. */
static int version_check(const struct pcp_response *response)
{
	/* 0 is NAT-PMP, whose result is elsewhere */
	if (response->version == 0 || response->result != PCP_UNSUPP_VERSION)
		return -EPROTONOSUPPORT;
	return 0;
}

int pcp_response_decode(const void *packet, size_t len, struct pcp_response *ret)
{
	const uint8_t *bytes = packet;
	struct pcp_response response = { 0 };
	int r;

	if (len < PCP_HEADER_LEN || len > PCP_PACKET_MAX || len % 4 != 0)
		return -EBADMSG;
	if (!(bytes[AT_OPCODE] & R_BIT))
		return -EBADMSG;
	response.version = bytes[AT_VERSION];
	response.opcode = (uint8_t)(bytes[AT_OPCODE] & ~R_BIT);
	response.result = bytes[AT_RESULT];
	response.lifetime =
		lifetime_believed(wire_get32(bytes + AT_LIFETIME), response.result);
	response.epoch = wire_get32(bytes + AT_EPOCH);
	if (response.version != PCP_VERSION)
		r = version_check(&response);
	else
		r = body_get(bytes, len, &response);
	if (r < 0)
		return r;
	*ret = response;
	return 0;
}

const char *pcp_result_text(unsigned int result)
{
	static const char *const texts[] = {
		[PCP_SUCCESS] = "it is done",
		[PCP_UNSUPP_VERSION] = "the router speaks another version of PCP",
		[PCP_NOT_AUTHORIZED] = "the router does not allow it",
		[PCP_MALFORMED_REQUEST] = "the router cannot read the request",
		[PCP_UNSUPP_OPCODE] = "the router does not offer port mappings by PCP",
		[PCP_UNSUPP_OPTION] = "the router does not know an option that is needed",
		[PCP_MALFORMED_OPTION] =
			"the router cannot read an option of the request",
		[PCP_NETWORK_FAILURE] = "the router has no connection to the internet",
		[PCP_NO_RESOURCES] = "the router has no room for another mapping now",
		[PCP_UNSUPP_PROTOCOL] = "the router does not map this protocol",
		[PCP_USER_EX_QUOTA] = "our quota of mappings at the router is used up",
		[PCP_CANNOT_PROVIDE_EXTERNAL] =
			"the router cannot give this external port",
		[PCP_ADDRESS_MISMATCH] =
			"there is another NAT between us and the router that was asked",
		[PCP_EXCESSIVE_REMOTE_PEERS] =
			"the router takes no more filters for this mapping",
	};

	static_assert(ARRAY_SIZE(texts) == PCP_RESULTS, "a text for each");
	if (result >= ARRAY_SIZE(texts))
		return "the router gives a reason that PCP does not know";
	return texts[result];
}
