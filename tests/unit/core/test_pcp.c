/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "core/pcp.h"
#include "tests/unit/core/packet.h"
#include "tests/unit/core/said.h"

#define V4(hex)	 "00000000 00000000 0000ffff" hex
#define NONCE	 "00010203 04050607 08090a0b"
#define TCP	 "06 000000"
#define RESERVED "00000000 00000000 00000000"
#define EXTERNAL V4("cb007105") /* 203.0.113.5 */
#define GRANTED	 "02810000 00001c20 0001e240" RESERVED

static const struct pcp_map web = {
	.nonce = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 },
	.protocol = IPPROTO_TCP,
	.internal_port = 8080,
	.external_port = 443,
};

/* Of a block of its own; after a failure @ret is as it was. */
static int decode(const struct packet *packet, size_t len, struct pcp_response *ret)
{
	struct pcp_response before;
	void *block = packet_block(packet, len);
	int r;

	memset(ret, 0xee, sizeof(*ret));
	before = *ret;
	r = pcp_response_decode(block, len, ret);
	free(block);
	if (r < 0)
		cr_expect_eq(memcmp(ret, &before, sizeof(before)), 0);
	return r;
}

static int decode_hex(const char *hex, struct pcp_response *ret)
{
	const struct packet packet = packet_of(hex);

	return decode(&packet, packet.len, ret);
}

Test(pcp, reads_a_mapping_that_was_made)
{
	const struct in6_addr external = said_address("203.0.113.5");
	struct pcp_response response;

	cr_assert_eq(decode_hex(GRANTED NONCE TCP "1f90 01bb" EXTERNAL, &response), 0);
	cr_expect_eq(response.version, 2);
	cr_expect_eq(response.opcode, PCP_MAP);
	cr_expect_eq(response.result, PCP_SUCCESS);
	cr_expect_eq(response.lifetime, 7200);
	cr_expect_eq(response.epoch, 123456);
	cr_expect(response.has_map);
	cr_expect_eq(memcmp(response.map.nonce, web.nonce, sizeof(web.nonce)), 0);
	cr_expect_eq(response.map.protocol, IPPROTO_TCP);
	cr_expect_eq(response.map.internal_port, 8080);
	cr_expect_eq(response.map.external_port, 443);
	cr_expect(address_equal(&response.map.external, &external));
	cr_expect_not(response.options.has_third_party);
	cr_expect_not(response.options.prefer_failure);
}

Test(pcp, reads_the_options_it_knows_and_passes_over_the_others)
{
	static const char map[] = GRANTED NONCE TCP "1f90 01bb" EXTERNAL;
	static const char *const options[] = {
		"01000010" V4("c0a8070a") "02000000",
		"02000000 01000010" V4("c0a8070a"),
		/* of 5 bytes, padded to 8; of none; reserved bytes set; FILTER (13.3) */
		"80000005 01020304 05000000 fe000000 01ff0010" V4("c0a8070a") "02ff0000",
		"01000010" V4("c0a8070a") "02000000 03000014 00800050" V4("c6336401"),
	};
	const struct in6_addr host = said_address("192.168.7.10");

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct packet packet = packet_of(map), more = packet_of(options[i]);
		struct pcp_response response;

		packet_add(&packet, more.bytes, more.len);
		cr_assert_eq(decode(&packet, packet.len, &response), 0, "%zu", i);
		cr_expect(response.options.has_third_party, "%zu", i);
		cr_expect(response.options.prefer_failure, "%zu", i);
		cr_expect(address_equal(&response.options.third_party, &host), "%zu", i);
	}
}

Test(pcp, refuses_options_that_cannot_be_read)
{
	static const char map[] = GRANTED NONCE TCP "1f90 01bb" EXTERNAL;
	static const char *const options[] = {
		"01000010 00000000 00000000 0000ffff", /* ends before it does */
		"80000001",
		"8000ffff 00000000",
		"0100000c 00000000 00000000 0000ffff", /* not of its length */
		"01000014" V4("c0a8070a") "00000000",
		"02000004 00000000",
		"02000000 02000000", /* twice */
		"01000010" V4("c0a8070a") "01000010" V4("c0a8070a"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct packet packet = packet_of(map), more = packet_of(options[i]);
		struct pcp_response response;

		packet_add(&packet, more.bytes, more.len);
		cr_expect_eq(decode(&packet, packet.len, &response), -EBADMSG, "%zu", i);
	}
}

Test(pcp, reads_announcements)
{
	struct pcp_response response;

	/* asked for, or to everybody: they are the same */
	cr_assert_eq(decode_hex("02800000 00000000 00000007" RESERVED, &response), 0);
	cr_expect_eq(response.opcode, PCP_ANNOUNCE);
	cr_expect_eq(response.epoch, 7);
	cr_expect_not(response.has_map);
	cr_expect_eq(decode_hex("02800000 00000000 00000007" RESERVED "80000004 01020304",
				&response),
		     0);
	cr_expect_eq(decode_hex("02800000 00000000 00000007" RESERVED "80000005 01020304",
				&response),
		     -EBADMSG);
}

Test(pcp, reads_refusals_with_what_was_asked_or_without)
{
	struct pcp_response response;

	cr_assert_eq(decode_hex("0281000b 0000001e 00000007" RESERVED NONCE TCP
				"1f90 01bb" V4("00000000") "02000000",
				&response),
		     0);
	cr_expect_eq(response.result, PCP_CANNOT_PROVIDE_EXTERNAL);
	cr_expect_eq(response.lifetime, 30);
	cr_expect_eq(response.epoch, 7);
	cr_expect(response.has_map);
	cr_expect_eq(response.map.internal_port, 8080);
	cr_assert_eq(decode_hex("02810002 00000000 00000007" RESERVED, &response), 0);
	cr_expect_eq(response.result, PCP_NOT_AUTHORIZED);
	cr_expect_not(response.has_map);
	/* what the server could not read is repeated as it was: 8.2 */
	cr_assert_eq(decode_hex("02810003 00000000 00000007" RESERVED NONCE TCP
				"1f90 01bb" V4("00000000") "0100ffff",
				&response),
		     0);
	cr_expect_eq(response.result, PCP_MALFORMED_REQUEST);
	cr_assert_eq(decode_hex("028000c8 00000000 00000007" RESERVED, &response), 0);
	cr_expect_eq(response.result, 200);
}

/* As they came from miniupnpd 2.3.1. */
Test(pcp, reads_what_a_real_router_says)
{
	static const struct {
		const char *hex;
		int result;
		unsigned int said;
	} cases[] = {
		/* announcement; to THIRD_PARTY; to a port it does not give; to a deletion
		 */
		{ "02800000 00000000 00000000" RESERVED, 0, PCP_SUCCESS },
		{ "02810005 00000000 00000000" RESERVED NONCE TCP
		  "1f92 1f93" V4("00000000") "01000010" V4("c0a80163"),
		  0, PCP_UNSUPP_OPTION },
		{ "0281000b 00000000 00000000" RESERVED NONCE TCP
		  "1f94 01bb" V4("0b16212c") "02000000",
		  0, PCP_CANNOT_PROVIDE_EXTERNAL },
		{ "02810000 00000000 00000001" RESERVED NONCE TCP
		  "1f90 0000" V4("0b16212c"),
		  0, PCP_SUCCESS },
		/* to version 3; to an opcode it does not know; to PEER */
		{ "02810001 00000000 00000001" RESERVED NONCE TCP
		  "0000 0000" V4("00000000"),
		  0, PCP_UNSUPP_VERSION },
		{ "02850004 00000000 00000001" RESERVED, -EOPNOTSUPP, 0 },
		{ "02820000 00001c20 00000001" RESERVED NONCE TCP
		  "1f90 1f91" V4("0b16212c") "00500000" V4("c6336401"),
		  -EOPNOTSUPP, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcp_response response;

		cr_assert_eq(decode_hex(cases[i].hex, &response), cases[i].result, "%zu",
			     i);
		if (cases[i].result == 0)
			cr_expect_eq(response.result, cases[i].said, "%zu", i);
	}
}

Test(pcp, reads_that_a_mapping_is_gone)
{
	struct pcp_response response;

	/* some servers repeat zeros where an external endpoint would be */
	cr_assert_eq(decode_hex("02810000 00000000 00000007" RESERVED NONCE TCP
				"1f90 0000" V4("00000000"),
				&response),
		     0);
	cr_expect_eq(response.lifetime, 0);
	cr_expect_eq(decode_hex("02810000 00000e10 00000007" RESERVED NONCE
				"00 000000 0000 0000" EXTERNAL,
				&response),
		     0, "all ports");
}

/* Whoever asked for it can say so: dropped, it would look like silence. */
Test(pcp, reads_an_external_endpoint_that_makes_no_sense)
{
	struct pcp_response response;

	cr_assert_eq(decode_hex("02810000 00000e10 00000007" RESERVED NONCE TCP
				"1f90 0000" EXTERNAL,
				&response),
		     0);
	cr_expect_eq(response.map.external_port, 0);
	cr_expect_eq(response.lifetime, 3600);
	cr_assert_eq(decode_hex("02810000 00000e10 00000007" RESERVED NONCE TCP
				"1f90 01bb" V4("00000000"),
				&response),
		     0);
	cr_expect(address_is_any(&response.map.external));
	cr_expect_eq(response.map.external_port, 443);
}

Test(pcp, believes_no_absurd_lifetime)
{
	static const struct {
		const char *hex;
		uint32_t lifetime;
	} cases[] = {
		{ "02810000 00015180 00000007", 86400 },
		{ "02810000 00015181 00000007", 86400 },
		{ "02810000 ffffffff 00000007", 86400 },
		{ "02810008 00000708 00000007", 1800 },
		{ "02810008 00000709 00000007", 1800 },
		{ "02810008 ffffffff 00000007", 1800 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet packet = packet_of(cases[i].hex);
		struct packet rest = packet_of(RESERVED NONCE TCP "1f90 01bb" EXTERNAL);
		struct pcp_response response;

		packet_add(&packet, rest.bytes, rest.len);
		cr_assert_eq(decode(&packet, packet.len, &response), 0, "%zu", i);
		cr_expect_eq(response.lifetime, cases[i].lifetime, "%zu", i);
	}
}

Test(pcp, tells_versions_and_opcodes_it_does_not_read_from_nonsense)
{
	static const struct {
		const char *hex;
		int result;
	} cases[] = {
		{ "01800001 00000000 00000007" RESERVED, 0 },
		{ "03810001 00000000 00000007" RESERVED, 0 },
		{ "01800000 00000000 00000007" RESERVED, -EPROTONOSUPPORT },
		{ "03810002 00000000 00000007" RESERVED, -EPROTONOSUPPORT },
		{ "00800001 00000000 00000007" RESERVED, -EPROTONOSUPPORT },
		{ "02820000 00000e10 00000007" RESERVED, -EOPNOTSUPP },
		{ "02ff0000 00000e10 00000007" RESERVED, -EOPNOTSUPP },
		{ "02000000 00000e10 00000007" RESERVED, -EBADMSG },
		{ "02010000 00000e10 00000007" RESERVED, -EBADMSG },
		{ "02810000 00000e10 00000007" RESERVED, -EBADMSG },
		{ "", -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcp_response response;

		cr_expect_eq(decode_hex(cases[i].hex, &response), cases[i].result, "%s",
			     cases[i].hex);
	}
}

Test(pcp, a_server_of_another_version_says_which_one)
{
	struct pcp_response response;

	cr_assert_eq(decode_hex("01800001 00000000 00000007" RESERVED, &response), 0);
	cr_expect_eq(response.version, 1);
	cr_expect_eq(response.result, PCP_UNSUPP_VERSION);
}

Test(pcp, refuses_every_beginning_of_a_packet)
{
	const struct packet packet = packet_of(
		GRANTED NONCE TCP "1f90 01bb" EXTERNAL
				  "01000010" V4("c0a8070a") "80000005 01020304 05000000");
	struct pcp_response response;

	cr_assert_eq(decode(&packet, packet.len, &response), 0);
	for (size_t len = 0; len < packet.len; len++) {
		/* where an option ends a packet may end as well */
		const bool whole = len == 60 || len == 80;

		cr_expect_eq(decode(&packet, len, &response), whole ? 0 : -EBADMSG, "%zu",
			     len);
	}
}

Test(pcp, takes_1100_bytes_and_no_more)
{
	struct packet packet =
		packet_of("02800000 00000000 00000007" RESERVED "8000042c");
	struct pcp_response response;

	packet.len = PCP_PACKET_MAX;
	packet.bytes[26] = (1100 - 28) >> 8;
	packet.bytes[27] = (1100 - 28) & 0xff;
	cr_expect_eq(decode(&packet, packet.len, &response), 0);
	packet.len += 4;
	cr_expect_eq(decode(&packet, packet.len, &response), -EBADMSG);
}

/* A server repeats what it was asked: with the R bit a request reads as its response. */
Test(pcp, reads_back_what_it_wrote)
{
	struct pcp_request request = {
		.opcode = PCP_MAP,
		.lifetime = 7200,
		.client = said_address("192.168.1.2"),
		.map = web,
	};
	struct packet packet = { .len = 0 };
	struct pcp_response response;

	request.map.external = said_address("203.0.113.5");
	request.options =
		(struct pcp_options){ true, true, said_address("192.168.7.10") };
	cr_assert_eq(pcp_request_encode(&request, packet.bytes, &packet.len), 0);
	packet.bytes[1] |= 0x80;
	cr_assert_eq(decode(&packet, packet.len, &response), 0);
	cr_expect_eq(response.lifetime, request.lifetime);
	cr_expect_eq(memcmp(response.map.nonce, web.nonce, sizeof(web.nonce)), 0);
	cr_expect_eq(response.map.protocol, request.map.protocol);
	cr_expect_eq(response.map.internal_port, request.map.internal_port);
	cr_expect_eq(response.map.external_port, request.map.external_port);
	cr_expect(address_equal(&response.map.external, &request.map.external));
	cr_expect(response.options.prefer_failure);
	cr_expect(address_equal(&response.options.third_party,
				&request.options.third_party));
}

Test(pcp, every_result_is_told_in_words)
{
	for (unsigned int i = 0; i < PCP_RESULTS; i++) {
		const char *text = pcp_result_text(i);

		cr_assert_not_null(text, "%u", i);
		cr_expect_gt(strlen(text), 5, "%u", i);
		for (unsigned int j = 0; j < i; j++)
			cr_expect_str_neq(text, pcp_result_text(j), "%u %u", i, j);
	}
	cr_expect_str_eq(pcp_result_text(PCP_NOT_AUTHORIZED),
			 "the router does not allow it");
	cr_expect_str_eq(pcp_result_text(PCP_RESULTS), pcp_result_text(255));
}
