/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_pcp - what a router says on ports 5351 and 5350: PCP, NAT-PMP
 *
 * Beside what the sanitizers see it is held that the first byte tells the two apart, that
 * values stand in their range, and that a mapping that was read means the same when it is
 * asked for again.
 */

#include <errno.h>
#include <string.h>

#include "core/endpoint.h"
#include "core/natpmp.h"
#include "core/pcp.h"
#include "tests/fuzz/fuzz.h"

static bool same_map(const struct pcp_map *a, const struct pcp_map *b)
{
	return memcmp(a->nonce, b->nonce, sizeof(a->nonce)) == 0 &&
	       a->protocol == b->protocol && a->internal_port == b->internal_port &&
	       a->external_port == b->external_port &&
	       address_equal(&a->external, &b->external);
}

static bool makes_sense(const struct pcp_request *request)
{
	const struct pcp_map *map = &request->map;

	if (map->protocol == 0 && (map->internal_port || map->external_port))
		return false;
	if (request->options.has_third_party &&
	    address_equal(&request->options.third_party, &request->client))
		return false;
	return !request->options.prefer_failure || map->external_port;
}

static void ask_again(const struct pcp_response *response)
{
	const struct pcp_request request = {
		.opcode = PCP_MAP,
		.lifetime = response->lifetime,
		.client = address_any4,
		.map = response->map,
		.options = response->options,
	};
	uint8_t packet[PCP_REQUEST_MAX];
	struct pcp_response again;
	size_t len;

	if (!makes_sense(&request)) {
		hold(pcp_request_encode(&request, packet, &len) == -EINVAL);
		return;
	}
	hold(pcp_request_encode(&request, packet, &len) == 0);
	hold(len >= PCP_HEADER_LEN + PCP_MAP_LEN && len % 4 == 0);
	packet[1] |= 0x80; /* the answer is the request, with the R bit */
	hold(pcp_response_decode(packet, len, &again) == 0);
	hold(same_map(&again.map, &response->map));
	hold(again.lifetime == response->lifetime);
	hold(again.options.has_third_party == response->options.has_third_party);
	hold(again.options.prefer_failure == response->options.prefer_failure);
	hold(address_equal(&again.options.third_party, &response->options.third_party));
}

static int read_pcp(const uint8_t *data, size_t size)
{
	struct pcp_response response;
	const int r = pcp_response_decode(data, size, &response);

	if (r < 0) {
		hold(r == -EBADMSG || r == -EPROTONOSUPPORT || r == -EOPNOTSUPP);
		return r;
	}
	hold(size >= PCP_HEADER_LEN && size <= PCP_PACKET_MAX && size % 4 == 0);
	hold(pcp_result_text(response.result)[0]);
	hold(response.lifetime <= PCP_LIFETIME_MAX);
	hold(response.result == 0 || response.lifetime <= PCP_ERROR_LIFETIME_MAX);
	if (response.version != PCP_VERSION) {
		hold(response.result == PCP_UNSUPP_VERSION && !response.has_map);
		return 0;
	}
	hold(response.opcode == PCP_ANNOUNCE || response.opcode == PCP_MAP);
	hold(response.opcode == PCP_MAP || !response.has_map);
	if (response.result == PCP_SUCCESS && response.has_map && response.lifetime)
		ask_again(&response);
	return 0;
}

static int read_natpmp(const uint8_t *data, size_t size)
{
	struct natpmp_response response;
	const int r = natpmp_response_decode(data, size, &response);
	uint8_t packet[NATPMP_MAP_LEN];

	if (r < 0) {
		hold(r == -EBADMSG || r == -EPROTONOSUPPORT || r == -EOPNOTSUPP);
		return r;
	}
	hold(natpmp_result_text(response.result)[0]);
	hold(address_is_ipv4(&response.external));
	hold(response.result == 0 || !response.map.lifetime);
	if (response.map.lifetime) {
		hold(natpmp_map_encode(&response.map, packet) == 0);
		hold(memcmp(packet + 4, data + 8, 8) == 0);
		hold(packet[1] == (data[1] & 0x7f));
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const enum port_control speech = port_control_of(data, size);

	if (read_pcp(data, size) == 0)
		hold(speech == PORT_CONTROL_PCP);
	if (read_natpmp(data, size) == 0)
		hold(speech == PORT_CONTROL_NATPMP);
	hold(size || speech == PORT_CONTROL_NONE);
	return 0;
}
