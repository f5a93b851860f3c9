/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "core/natpmp.h"
#include "tests/unit/core/packet.h"
#include "tests/unit/core/said.h"

Test(natpmp, asks_for_the_external_address)
{
	uint8_t buf[NATPMP_ADDRESS_LEN];

	natpmp_address_encode(buf);
	expect_packet(buf, sizeof(buf), "0000", "address");
}

Test(natpmp, asks_for_mappings_and_for_their_end)
{
	static const struct {
		struct natpmp_map map;
		const char *hex;
	} cases[] = {
		{ { IPPROTO_TCP, 8080, 443, 7200 }, "00020000 1f90 01bb 00001c20" },
		{ { IPPROTO_UDP, 8080, 0, 7200 }, "00010000 1f90 0000 00001c20" },
		{ { IPPROTO_TCP, 8080, 443, 0 }, "00020000 1f90 0000 00000000" },
		{ { IPPROTO_UDP, 0, 443, 0 }, "00010000 0000 0000 00000000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t buf[NATPMP_MAP_LEN];

		cr_assert_eq(natpmp_map_encode(&cases[i].map, buf), 0);
		expect_packet(buf, sizeof(buf), cases[i].hex, cases[i].hex);
	}
}

Test(natpmp, does_not_ask_for_what_it_has_no_words_for)
{
	static const struct {
		struct natpmp_map map;
		int error;
	} cases[] = {
		{ { IPPROTO_SCTP, 8080, 443, 7200 }, -EPROTONOSUPPORT },
		{ { 0, 8080, 443, 7200 }, -EPROTONOSUPPORT },
		{ { IPPROTO_TCP, 0, 443, 7200 }, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t buf[NATPMP_MAP_LEN] = { 0xee };

		cr_expect_eq(natpmp_map_encode(&cases[i].map, buf), cases[i].error);
		cr_expect_eq(buf[0], 0xee);
	}
}

static int decode(const struct packet *packet, size_t len, struct natpmp_response *ret)
{
	struct natpmp_response before;
	void *block = packet_block(packet, len);
	int r;

	memset(ret, 0xee, sizeof(*ret));
	before = *ret;
	r = natpmp_response_decode(block, len, ret);
	free(block);
	if (r < 0)
		cr_expect_eq(memcmp(ret, &before, sizeof(before)), 0);
	return r;
}

static int decode_hex(const char *hex, struct natpmp_response *ret)
{
	const struct packet packet = packet_of(hex);

	return decode(&packet, packet.len, ret);
}

/* Asked for or announced: the packet is the same. */
Test(natpmp, reads_the_external_address)
{
	const struct in6_addr external = said_address("203.0.113.5");
	struct natpmp_response response;

	cr_assert_eq(decode_hex("00800000 0001e240 cb007105", &response), 0);
	cr_expect_eq(response.opcode, NATPMP_ADDRESS);
	cr_expect_eq(response.result, NATPMP_SUCCESS);
	cr_expect_eq(response.epoch, 123456);
	cr_expect(address_equal(&response.external, &external));
	cr_assert_eq(decode_hex("00800000 0001e240 00000000", &response), 0);
	cr_expect(address_equal(&response.external, &address_any4));
}

Test(natpmp, reads_mappings_that_were_made_and_that_are_gone)
{
	struct natpmp_response response;

	cr_assert_eq(decode_hex("00820000 0001e240 1f90 01bb 00001c20", &response), 0);
	cr_expect_eq(response.opcode, NATPMP_MAP_TCP);
	cr_expect_eq(response.epoch, 123456);
	cr_expect_eq(response.map.protocol, IPPROTO_TCP);
	cr_expect_eq(response.map.internal_port, 8080);
	cr_expect_eq(response.map.external_port, 443);
	cr_expect_eq(response.map.lifetime, 7200);
	cr_expect(address_equal(&response.external, &address_any4));
	cr_assert_eq(decode_hex("00810000 0001e240 1f90 0000 00000000", &response), 0);
	cr_expect_eq(response.map.protocol, IPPROTO_UDP);
	cr_expect_eq(response.map.internal_port, 8080);
	cr_expect_eq(response.map.external_port, 0);
	cr_expect_eq(response.map.lifetime, 0);
}

Test(natpmp, believes_of_a_refusal_only_what_it_is_about)
{
	struct natpmp_response response;

	cr_assert_eq(decode_hex("00820002 0001e240 1f90 01bb 00001c20", &response), 0);
	cr_expect_eq(response.result, NATPMP_NOT_AUTHORIZED);
	cr_expect_eq(response.epoch, 123456);
	cr_expect_eq(response.map.internal_port, 8080);
	cr_expect_eq(response.map.external_port, 0);
	cr_expect_eq(response.map.lifetime, 0);
	cr_assert_eq(decode_hex("00810004 0001e240", &response), 0);
	cr_expect_eq(response.map.protocol, IPPROTO_UDP);
	cr_expect_eq(response.map.internal_port, 0);
	cr_assert_eq(decode_hex("00800003 0001e240 cb007105", &response), 0);
	cr_expect(address_equal(&response.external, &address_any4));
	cr_assert_eq(decode_hex("00801234 0001e240", &response), 0);
	cr_expect_eq(response.result, 0x1234);
}

/* To a PCP request: RFC 6886 3.5 says opcode 0, some send 128 and more. */
Test(natpmp, reads_that_the_router_has_no_other_version)
{
	static const char *const packets[] = { "00000001 0001e240", "00800001 0001e240",
					       "00810001 0001e240 00000000",
					       "00e60001 0001e240" };

	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		struct natpmp_response response;

		cr_assert_eq(decode_hex(packets[i], &response), 0, "%s", packets[i]);
		cr_expect_eq(response.result, NATPMP_UNSUPP_VERSION);
	}
}

/* The request is returned, the result put into what was reserved. */
Test(natpmp, reads_that_an_opcode_is_not_known)
{
	struct natpmp_response response;

	cr_assert_eq(decode_hex("00830005 1f9001bb 00001c20", &response), 0);
	cr_expect_eq(response.result, NATPMP_UNSUPP_OPCODE);
	cr_expect_eq(response.opcode, 3);
	cr_assert_eq(decode_hex("00820005 1f9001bb 00001c20", &response), 0);
	cr_expect_eq(response.map.protocol, IPPROTO_TCP);
}

Test(natpmp, refuses_what_is_no_response)
{
	static const struct {
		const char *hex;
		int error;
	} cases[] = {
		{ "", -EBADMSG },
		{ "0000", -EBADMSG },
		{ "00020000 1f90 01bb 00001c20", -EBADMSG }, /* a request */
		{ "00000000 0001e240 cb007105", -EBADMSG },
		{ "00020001 0001e240 00000000", -EBADMSG },
		{ "01800000 0001e240 cb007105", -EPROTONOSUPPORT },
		{ "02800000 00000000 00000007", -EPROTONOSUPPORT },
		{ "00830000 0001e240 cb007105", -EOPNOTSUPP },
		{ "00ff0002 0001e240 cb007105", -EOPNOTSUPP },
		{ "00820000 0001e240 0000 01bb 00001c20", -EBADMSG }, /* no port */
		{ "00820000 0001e240 1f90 0000 00001c20", 0 }, /* for the caller to see */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natpmp_response response;

		cr_expect_eq(decode_hex(cases[i].hex, &response), cases[i].error, "%s",
			     cases[i].hex);
	}
}

Test(natpmp, refuses_every_beginning_of_a_packet)
{
	static const char *const packets[] = {
		"00800000 0001e240 cb007105",
		"00810000 0001e240 1f90 01bb 00001c20",
		"00820000 0001e240 1f90 0000 00000000",
	};

	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		const struct packet packet = packet_of(packets[i]);
		struct natpmp_response response;

		for (size_t len = 0; len < packet.len; len++)
			cr_expect_eq(decode(&packet, len, &response), -EBADMSG, "%s: %zu",
				     packets[i], len);
		cr_expect_eq(decode(&packet, packet.len, &response), 0);
	}
}

Test(natpmp, is_told_from_pcp_by_the_first_byte)
{
	static const struct {
		const char *hex;
		enum port_control speech;
	} cases[] = {
		{ "", PORT_CONTROL_NONE },     { "00800000", PORT_CONTROL_NATPMP },
		{ "00", PORT_CONTROL_NATPMP }, { "02800000", PORT_CONTROL_PCP },
		{ "01", PORT_CONTROL_PCP },    { "ff", PORT_CONTROL_PCP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct packet packet = packet_of(cases[i].hex);
		void *block = packet_block(&packet, packet.len);

		cr_expect_eq(port_control_of(block, packet.len), cases[i].speech, "%s",
			     cases[i].hex);
		free(block);
	}
}

Test(natpmp, every_result_is_told_in_words)
{
	for (unsigned int i = 0; i < NATPMP_RESULTS; i++) {
		const char *text = natpmp_result_text(i);

		cr_assert_not_null(text, "%u", i);
		cr_expect_gt(strlen(text), 5, "%u", i);
		for (unsigned int j = 0; j < i; j++)
			cr_expect_str_neq(text, natpmp_result_text(j), "%u %u", i, j);
	}
	cr_expect_str_eq(natpmp_result_text(NATPMP_RESULTS), natpmp_result_text(65535));
}
