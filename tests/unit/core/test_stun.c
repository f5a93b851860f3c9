/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/stun.h"
#include "tests/unit/core/packet.h"

#define ID	"00010203 04050607 08090a0b"
#define COOKIE	"2112a442"
#define SUCCESS "0101"
#define ERROR	"0111"

/* 203.0.113.5:54321, and [2001:db8::5]:54321; hidden by the cookie and the id above */
#define MAPPED4 "00010008 0001d431 cb007105"
#define XOR4	"00200008 0001f523 ea12d547"
#define MAPPED6 "00010014 0002d431 20010db8 00000000 00000000 00000005"
#define XOR6	"00200014 0002f523 0113a9fa 00010203 04050607 08090a0e"

static const uint8_t id[STUN_ID_LEN] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

Test(stun, asks)
{
	uint8_t buf[STUN_REQUEST_LEN];

	stun_request_encode(id, buf);
	expect_packet(buf, sizeof(buf), "0001 0000" COOKIE ID, "binding request");
}

static int decode(const struct packet *packet, size_t len, struct stun_response *ret)
{
	struct stun_response before;
	void *block = packet_block(packet, len);
	int r;

	memset(ret, 0xee, sizeof(*ret));
	before = *ret;
	r = stun_response_decode(block, len, id, ret);
	free(block);
	if (r < 0)
		cr_expect_eq(memcmp(ret, &before, sizeof(before)), 0);
	return r;
}

/* The header, with the length that the attributes have. */
static struct packet answer_of(const char *type, const char *attributes)
{
	struct packet packet = packet_of(type), rest = packet_of(COOKIE ID);
	const struct packet more = packet_of(attributes);
	const uint8_t len[] = { (uint8_t)(more.len >> 8), (uint8_t)more.len };

	packet_add(&packet, len, sizeof(len));
	packet_add(&packet, rest.bytes, rest.len);
	packet_add(&packet, more.bytes, more.len);
	return packet;
}

static void expect_mapped(const char *attributes, const char *want)
{
	const struct packet packet = answer_of(SUCCESS, attributes);
	char text[ENDPOINT_STRLEN];
	struct stun_response response;

	cr_assert_eq(decode(&packet, packet.len, &response), 0, "%s", attributes);
	cr_expect_eq(response.error, 0, "%s", attributes);
	cr_expect_str_eq(endpoint_format(&response.mapped, text), want, "%s", attributes);
}

Test(stun, reads_where_it_was_seen)
{
	expect_mapped(XOR4, "203.0.113.5:54321");
	expect_mapped(XOR6, "[2001:db8::5]:54321");
	expect_mapped(MAPPED4, "203.0.113.5:54321");
	expect_mapped(MAPPED6, "[2001:db8::5]:54321");
	/* the byte in front of the family means nothing */
	expect_mapped("00010008 ff01d431 cb007105", "203.0.113.5:54321");
}

/* RFC 5769 2.2 and 2.3, without the attribute of who logs in */
Test(stun, reads_the_vectors_of_the_standard)
{
	static const struct {
		const char *hex, *mapped;
	} cases[] = {
		{ "0101 0024 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374"
		  "20766563 746f7220 00200008 0001a147 e112a643 80280004 c07d4c96",
		  "192.0.2.1:32853" },
		{ "0101 0030 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374"
		  "20766563 746f7220 00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"
		  "80280004 c8fb0b4c",
		  "[2001:db8:1234:5678:11:2233:4455:6677]:32853" },
	};
	const struct packet transaction = packet_of("b7e7a701 bc34d686 fa87dfae");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct packet packet = packet_of(cases[i].hex);
		char text[ENDPOINT_STRLEN];
		struct stun_response response;

		cr_assert_eq(stun_response_decode(packet.bytes, packet.len,
						  transaction.bytes, &response),
			     0, "%zu", i);
		cr_expect_str_eq(endpoint_format(&response.mapped, text),
				 cases[i].mapped);
	}
}

/* Some NATs rewrite addresses wherever they see them: that is what the XOR is for. */
Test(stun, believes_the_hidden_address)
{
	expect_mapped("00010008 0001d431 c0a80102" XOR4, "203.0.113.5:54321");
	expect_mapped(XOR4 "00010008 0001d431 c0a80102", "203.0.113.5:54321");
	expect_mapped(XOR4 XOR6, "203.0.113.5:54321");
	expect_mapped(MAPPED6 MAPPED4, "[2001:db8::5]:54321");
}

Test(stun, passes_over_what_need_not_be_understood)
{
	expect_mapped("80220005 6e617464 21000000" XOR4,
		      "203.0.113.5:54321");			      /* SOFTWARE */
	expect_mapped(XOR4 "80280004 00000000", "203.0.113.5:54321"); /* FINGERPRINT */
	expect_mapped("80230000" XOR4 "ffff0000", "203.0.113.5:54321");
	/* of a server of RFC 3489 */
	expect_mapped(MAPPED4 "00040008 00010d96 c6336401 00050008 00010d97 c6336402",
		      "203.0.113.5:54321");
}

Test(stun, reads_errors)
{
	static const struct {
		const char *attributes;
		uint16_t error;
	} cases[] = {
		{ "00090004 0000042b", 443 },
		{ "00090010 00000400 42616420 52657175 65737400", 400 },
		/* with what says how to log in, or what was not known */
		{ "00090004 00000401 00140004 6e617464 00150004 61626364", 401 },
		{ "00090004 00000414 000a0002 00030000", 420 },
		{ "00090004 fffffb00", 300 }, /* reserved bits set */
		{ "00090004 00000663", 699 },
		{ "00090004 00000500 00090004 00000400", 500 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct packet packet = answer_of(ERROR, cases[i].attributes);
		struct stun_response response;

		cr_assert_eq(decode(&packet, packet.len, &response), 0, "%s",
			     cases[i].attributes);
		cr_expect_eq(response.error, cases[i].error, "%s", cases[i].attributes);
		cr_expect_eq(response.mapped.port, 0);
	}
}

Test(stun, refuses_attributes_that_must_be_understood)
{
	static const struct {
		const char *type, *attributes;
	} cases[] = {
		{ SUCCESS, XOR4 "00030004 00000000" },
		{ SUCCESS, "7fff0000" XOR4 },
		{ ERROR, "00090004 00000401 00080014 00000000 00000000 00000000 00000000"
			 "00000000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct packet packet =
			answer_of(cases[i].type, cases[i].attributes);
		struct stun_response response;

		cr_expect_eq(decode(&packet, packet.len, &response), -EOPNOTSUPP, "%zu",
			     i);
	}
}

Test(stun, refuses_what_cannot_be_read)
{
	static const struct {
		const char *type, *attributes;
	} cases[] = {
		{ SUCCESS, "" }, /* nothing in it */
		{ ERROR, "" },
		{ SUCCESS, "00090004 0000042b" },
		{ ERROR, XOR4 },
		{ SUCCESS, "00010004 0001d431" }, /* no address of its family's length */
		{ SUCCESS, "00010000" },
		{ SUCCESS, "00200004 0001d431" },
		{ SUCCESS, "00200014 0001f523 0113a9fa 00010203 04050607 08090a0e" },
		{ SUCCESS, "00010008 0003d431 cb007105" },
		{ SUCCESS, "00010008 0002d431 cb007105" },
		{ SUCCESS, "00010008 00010000 cb007105" }, /* nobody sends from there */
		{ SUCCESS, "00010008 00010000 cb007105" XOR4 },
		{ SUCCESS, "00010008 0001d431 00000000" },
		{ SUCCESS, "00200008 00012112 ea12d547" },
		{ SUCCESS, "00010014 0002d431 00000000 00000000 0000ffff cb007105" },
		{ SUCCESS, "00010008 0001d431" }, /* ends before the attribute does */
		{ SUCCESS, XOR4 "80220005 6e617464" },
		{ SUCCESS, XOR4 "8022ffff 6e617464" },
		{ ERROR, "00090003 00000400" }, /* no error code */
		{ ERROR, "00090004 00000200" },
		{ ERROR, "00090004 00000700" },
		{ ERROR, "00090004 00000464" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct packet packet =
			answer_of(cases[i].type, cases[i].attributes);
		struct stun_response response;

		cr_expect_eq(decode(&packet, packet.len, &response), -EBADMSG, "%zu: %s",
			     i, cases[i].attributes);
	}
}

Test(stun, refuses_headers_of_anything_else)
{
	static const struct {
		const char *hex;
		int error;
	} cases[] = {
		{ "0001 000c" COOKIE ID XOR4, -EBADMSG }, /* a request */
		{ "0011 000c" COOKIE ID XOR4, -EBADMSG }, /* an indication */
		{ "0103 000c" COOKIE ID XOR4, -EBADMSG }, /* of another method */
		{ "8101 000c" COOKIE ID XOR4, -EBADMSG },
		{ "0101 000c 2112a443" ID XOR4, -EBADMSG },
		{ "0101 0008" COOKIE ID XOR4, -EBADMSG }, /* another length */
		{ "0101 0010" COOKIE ID XOR4, -EBADMSG },
		{ "0101 000d" COOKIE ID XOR4 "00", -EBADMSG },
		{ "0101 000c" COOKIE "00010203 04050607 08090a0c" XOR4, -ENOMSG },
		{ "0101 000c" COOKIE "01010203 04050607 08090a0b" XOR4, -ENOMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct packet packet = packet_of(cases[i].hex);
		struct stun_response response;

		cr_expect_eq(decode(&packet, packet.len, &response), cases[i].error, "%s",
			     cases[i].hex);
	}
}

Test(stun, refuses_every_beginning_of_a_packet)
{
	static const struct {
		const char *type, *attributes;
	} cases[] = {
		{ SUCCESS, XOR4 "80220005 6e617464 21000000" },
		{ SUCCESS, XOR6 MAPPED6 },
		{ ERROR, "00090010 00000400 42616420 52657175 65737400" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct packet packet =
			answer_of(cases[i].type, cases[i].attributes);
		struct stun_response response;

		cr_assert_eq(decode(&packet, packet.len, &response), 0, "%zu", i);
		for (size_t len = 0; len < packet.len; len++)
			cr_expect_eq(decode(&packet, len, &response), -EBADMSG, "%zu",
				     len);
	}
}

Test(stun, takes_no_more_than_its_bound)
{
	struct packet packet = answer_of(SUCCESS, XOR4 "8022059c");
	struct stun_response response;

	packet.len = STUN_PACKET_MAX;
	packet.bytes[2] = (STUN_PACKET_MAX - 20) >> 8;
	packet.bytes[3] = (STUN_PACKET_MAX - 20) & 0xff;
	packet.bytes[34] = (STUN_PACKET_MAX - 36) >> 8;
	packet.bytes[35] = (STUN_PACKET_MAX - 36) & 0xff;
	cr_expect_eq(decode(&packet, packet.len, &response), 0);
	packet.len += 4;
	packet.bytes[3] += 4;
	packet.bytes[35] += 4;
	cr_expect_eq(decode(&packet, packet.len, &response), -EBADMSG);
}
