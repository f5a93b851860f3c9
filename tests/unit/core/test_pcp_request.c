/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "core/pcp.h"
#include "tests/unit/core/packet.h"
#include "tests/unit/core/said.h"

#define V4(hex)	  "00000000 00000000 0000ffff" hex
#define NONCE	  "00010203 04050607 08090a0b"
#define TCP	  "06 000000"
#define OF_CLIENT V4("c0a80102") /* 192.168.1.2 */
#define EXTERNAL  V4("cb007105") /* 203.0.113.5 */

static const struct pcp_map web = {
	.nonce = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 },
	.protocol = IPPROTO_TCP,
	.internal_port = 8080,
	.external_port = 443,
};

static struct pcp_request request_of(const char *client, const char *external)
{
	struct pcp_request request = {
		.opcode = PCP_MAP,
		.lifetime = 7200,
		.client = said_address(client),
		.map = web,
	};

	request.map.external = said_address(external);
	return request;
}

static void expect_request(const struct pcp_request *request, const char *hex,
			   const char *what)
{
	uint8_t buf[PCP_REQUEST_MAX];
	size_t len = 0;

	cr_assert_eq(pcp_request_encode(request, buf, &len), 0, "%s", what);
	expect_packet(buf, len, hex, what);
}

Test(pcp_request, asks_for_a_mapping_of_the_client_itself)
{
	struct pcp_request request = request_of("192.168.1.2", "0.0.0.0");

	expect_request(&request,
		       "02010000 00001c20" OF_CLIENT NONCE TCP "1f90 01bb" V4("00000000"),
		       "any external address");
	request.map.external = said_address("203.0.113.5");
	expect_request(&request,
		       "02010000 00001c20" OF_CLIENT NONCE TCP "1f90 01bb" EXTERNAL,
		       "a renewal");
}

Test(pcp_request, asks_for_another_host_and_for_this_port_or_none)
{
	struct pcp_request request = request_of("192.168.1.2", "0.0.0.0");

	request.options.prefer_failure = true;
	expect_request(&request,
		       "02010000 00001c20" OF_CLIENT NONCE TCP
		       "1f90 01bb" V4("00000000") "02000000",
		       "PREFER_FAILURE");
	request.options.has_third_party = true;
	request.options.third_party = said_address("192.168.7.10");
	expect_request(&request,
		       "02010000 00001c20" OF_CLIENT NONCE TCP
		       "1f90 01bb" V4("00000000") "01000010" V4("c0a8070a") "02000000",
		       "both, which is the longest");
}

Test(pcp_request, a_deletion_suggests_nothing_and_keeps_the_host)
{
	struct pcp_request request = request_of("192.168.1.2", "203.0.113.5");

	request.lifetime = 0;
	request.options.prefer_failure = true;
	request.options.has_third_party = true;
	request.options.third_party = said_address("192.168.7.10");
	expect_request(&request,
		       "02010000 00000000" OF_CLIENT NONCE TCP
		       "1f90 0000" V4("00000000") "01000010" V4("c0a8070a"),
		       "IPv4");
	request.map.external_port = 0;
	expect_request(&request,
		       "02010000 00000000" OF_CLIENT NONCE TCP
		       "1f90 0000" V4("00000000") "01000010" V4("c0a8070a"),
		       "one that was never told its port");
	request = request_of("2001:db8::2", "2001:db8::2");
	request.lifetime = 0;
	expect_request(&request,
		       "02010000 00000000 20010db8 00000000 00000000 00000002" NONCE TCP
		       "1f90 0000 00000000 00000000 00000000 00000000",
		       "IPv6");
}

Test(pcp_request, asks_for_a_pinhole)
{
	struct pcp_request request = request_of("2001:db8::2", "2001:db8::10");

	request.map.protocol = IPPROTO_UDP;
	request.map.external_port = 8080;
	expect_request(&request,
		       "02010000 00001c20 20010db8 00000000 00000000 00000002" NONCE
		       "11 000000 1f90 1f90 20010db8 00000000 00000000 00000010",
		       "UDP");
}

Test(pcp_request, all_ports_and_all_protocols_can_be_asked_for)
{
	struct pcp_request request = request_of("192.168.1.2", "0.0.0.0");

	request.map.protocol = 0;
	request.map.internal_port = request.map.external_port = 0;
	expect_request(&request,
		       "02010000 00001c20" OF_CLIENT NONCE
		       "00 000000 0000 0000" V4("00000000"),
		       "all of the host");
}

Test(pcp_request, asks_what_epoch_the_server_is_in)
{
	struct pcp_request request = {
		.opcode = PCP_ANNOUNCE,
		.lifetime = 7200,
		.client = said_address("192.168.1.2"),
		.options.prefer_failure = true,
	};

	expect_request(&request, "02000000 00000000" OF_CLIENT, "ANNOUNCE");
}

Test(pcp_request, does_not_write_what_makes_no_sense)
{
	struct pcp_request bad[] = {
		request_of("192.168.1.2", "0.0.0.0"),
		request_of("192.168.1.2", "0.0.0.0"),
		request_of("192.168.1.2", "0.0.0.0"),
		request_of("192.168.1.2", "0.0.0.0"),
		request_of("192.168.1.2", "0.0.0.0"),
		request_of("192.168.1.2", "0.0.0.0"),
	};
	static const int errors[] = { -EOPNOTSUPP, -EOPNOTSUPP, -EINVAL,
				      -EINVAL,	   -EINVAL,	-EINVAL };

	bad[0].opcode = PCP_PEER;
	bad[1].opcode = 0x81;
	bad[2].map.protocol = 0;
	bad[2].map.external_port = 0;
	bad[3].map.protocol = 0;
	bad[3].map.internal_port = 0;
	bad[4].options.has_third_party = true;
	bad[4].options.third_party = bad[4].client;
	bad[5].options.prefer_failure = true;
	bad[5].map.external_port = 0;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t buf[PCP_REQUEST_MAX] = { 0xee, 0xee };
		size_t len = 7;

		cr_expect_eq(pcp_request_encode(&bad[i], buf, &len), errors[i], "%zu", i);
		cr_expect_eq(len, 7, "%zu", i);
		cr_expect(buf[0] == 0xee && buf[1] == 0xee, "%zu", i);
	}
}
