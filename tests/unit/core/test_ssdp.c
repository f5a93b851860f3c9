/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/ssdp.h"
#include "tests/unit/core/packet.h"
#include "tests/unit/core/said.h"

#define IGD(n)	 "urn:schemas-upnp-org:device:InternetGatewayDevice:" n
#define LOCATION "LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n"
#define OK	 "HTTP/1.1 200 OK\r\n"
#define NOTIFY	 "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
#define END	 "\r\n"

static void expect_search(unsigned int version, const char *to, const char *want)
{
	const struct in6_addr addr = said_address(to);
	char buf[SSDP_SEARCH_MAX];

	cr_expect_eq(ssdp_search_encode(version, &addr, buf), strlen(want), "%s", to);
	cr_expect_str_eq(buf, want, "%s", to);
}

Test(ssdp, searches_on_the_link_and_asks_a_router)
{
	expect_search(1, "239.255.255.250",
		      "M-SEARCH * HTTP/1.1\r\n"
		      "HOST: 239.255.255.250:1900\r\n"
		      "MAN: \"ssdp:discover\"\r\n"
		      "MX: 2\r\n"
		      "ST: " IGD("1") "\r\n\r\n");
	expect_search(2, "192.168.1.1",
		      "M-SEARCH * HTTP/1.1\r\n"
		      "HOST: 192.168.1.1:1900\r\n"
		      "MAN: \"ssdp:discover\"\r\n"
		      "ST: " IGD("2") "\r\n\r\n");
	expect_search(1, "ff02::c",
		      "M-SEARCH * HTTP/1.1\r\n"
		      "HOST: [ff02::c]:1900\r\n"
		      "MAN: \"ssdp:discover\"\r\n"
		      "MX: 2\r\n"
		      "ST: " IGD("1") "\r\n\r\n");
	/* the longest there is */
	expect_search(2, "fe80:1111:2222:3333:4444:5555:6666:7777",
		      "M-SEARCH * HTTP/1.1\r\n"
		      "HOST: [fe80:1111:2222:3333:4444:5555:6666:7777]:1900\r\n"
		      "MAN: \"ssdp:discover\"\r\n"
		      "ST: " IGD("2") "\r\n\r\n");
}

static int decode(const struct packet *packet, size_t len, struct ssdp_message *ret)
{
	struct ssdp_message before;
	void *block = packet_block(packet, len);
	int r;

	memset(ret, 0xee, sizeof(*ret));
	before = *ret;
	r = ssdp_decode(block, len, ret);
	free(block);
	if (r < 0)
		cr_expect_eq(memcmp(ret, &before, sizeof(before)), 0);
	return r;
}

static int decode_text(const char *text, struct ssdp_message *ret)
{
	const struct packet packet = packet_of_text(text);

	return decode(&packet, packet.len, ret);
}

static const char answer[] = OK
	"CACHE-CONTROL: max-age=120\r\n"
	"ST: " IGD(
		"1") "\r\n"
		     "USN: uuid:5f6c1c8d-1f3b-4a5c-8f6e-2f6f5d6f7a10::" IGD(
			     "1") "\r\n"
				  "EXT:\r\n"
				  "SERVER: Debian/12 UPnP/1.1 MiniUPnPd/2.3.1\r\n" LOCATION
				  "OPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r\n"
				  "01-NLS: 1784210000\r\n"
				  "BOOTID.UPNP.ORG: 1784210000\r\n"
				  "CONFIGID.UPNP.ORG: 1337\r\n"
				  "\r\n";

Test(ssdp, reads_who_answers_a_search)
{
	struct ssdp_message message;

	cr_assert_eq(decode_text(answer, &message), 0);
	cr_expect_eq(message.kind, SSDP_RESPONSE);
	cr_expect_eq(message.igd, 1);
	cr_expect(message.has_boot_id);
	cr_expect_eq(message.boot_id, 1784210000);
	cr_expect_str_eq(message.target, IGD("1"));
	cr_expect_str_eq(message.usn,
			 "uuid:5f6c1c8d-1f3b-4a5c-8f6e-2f6f5d6f7a10::" IGD("1"));
	cr_expect_str_eq(message.location, "http://192.168.1.1:5000/rootDesc.xml");
	cr_expect_str_eq(message.server, "Debian/12 UPnP/1.1 MiniUPnPd/2.3.1");
}

Test(ssdp, reads_who_comes_and_goes)
{
	struct ssdp_message message;

	cr_assert_eq(decode_text(NOTIFY "NT: " IGD("2") "\r\nNTS: ssdp:alive\r\n" LOCATION
							"BOOTID.UPNP.ORG: 7\r\n" END,
				 &message),
		     0);
	cr_expect_eq(message.kind, SSDP_ALIVE);
	cr_expect_eq(message.igd, 2);
	cr_expect_eq(message.boot_id, 7);
	cr_expect_str_eq(message.server, "");
	cr_expect_str_eq(message.usn, "");
	cr_assert_eq(decode_text(NOTIFY "NT: upnp:rootdevice\r\nNTS: ssdp:byebye\r\n" END,
				 &message),
		     0);
	cr_expect_eq(message.kind, SSDP_BYEBYE);
	cr_expect_eq(message.igd, 0);
	cr_expect_not(message.has_boot_id);
	cr_expect_str_eq(message.location, "");
	cr_assert_eq(
		decode_text(
			NOTIFY "NT: " IGD(
				"1") "\r\nNTS: ssdp:update\r\n" LOCATION
				     "BOOTID.UPNP.ORG: 7\r\nNEXTBOOTID.UPNP.ORG: 8\r\n" END,
			&message),
		0);
	cr_expect_eq(message.kind, SSDP_UPDATE);
	cr_expect_eq(message.boot_id, 8);
}

Test(ssdp, reads_headers_as_devices_write_them)
{
	static const char *const texts[] = {
		"HTTP/1.0 200\r\nst:" IGD("1") "\r\nlocation:http://192.168.1.1/\r\n" END,
		"HTTP/1.1 200 Alles bestens\r\nSt: \t " IGD(
			"1") " \t\r\nLocation:\t"
			     "http://192.168.1.1/ \r\n" END,
		/* lines end as on UNIX; a line that is no header; a body */
		"HTTP/1.1 200 OK\nST: " IGD(
			"1") "\nLOCATION: http://192.168.1.1/\n"
			     "what is this\n folded: away\n\nLOCATION: http://192.168.1.2/\n",
		/* the first one counts */
		OK "LOCATION: http://192.168.1.1/\r\nLOCATION: http://192.168.1.2/\r\n"
		   "ST: " IGD("1") "\r\nST: upnp:rootdevice\r\n" END,
		/* what nobody reads may look as it likes */
		OK "X-ODD: \x01\xff\r\nST: " IGD("1") "\r\nLOCATION: http://192.168.1.1/"
						      "\r\n" END,
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct ssdp_message message;

		cr_assert_eq(decode_text(texts[i], &message), 0, "%zu", i);
		cr_expect_str_eq(message.location, "http://192.168.1.1/", "%zu", i);
		cr_expect_eq(message.igd, 1, "%zu", i);
	}
}

Test(ssdp, knows_gateways_by_their_type)
{
	static const struct {
		const char *target;
		unsigned int igd;
	} cases[] = {
		{ IGD("1"), 1 },
		{ IGD("2"), 2 },
		{ IGD("10"), 10 },
		{ IGD(""), 0 },
		{ IGD("x"), 0 },
		{ IGD("1x"), 0 },
		{ IGD("99999999999999999999"), 0 },
		{ "urn:schemas-upnp-org:device:MediaServer:1", 0 },
		{ "urn:schemas-upnp-org:service:WANIPConnection:1", 0 },
		{ "urn:schemas-upnp-org:device:InternetGatewayDesign:1", 0 },
		{ "upnp:rootdevice", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet packet = packet_of_text(OK LOCATION "ST: ");
		struct ssdp_message message;

		packet_add(&packet, cases[i].target, strlen(cases[i].target));
		packet_add(&packet, "\r\n\r\n", 4);
		cr_assert_eq(decode(&packet, packet.len, &message), 0, "%zu", i);
		cr_expect_eq(message.igd, cases[i].igd, "%s", cases[i].target);
	}
}

static uint32_t boot_id_of(const char *header)
{
	struct packet packet = packet_of_text(OK LOCATION "ST: upnp:rootdevice\r\n");
	struct ssdp_message message;

	packet_add(&packet, header, strlen(header));
	packet_add(&packet, "\r\n\r\n", 4);
	cr_assert_eq(decode(&packet, packet.len, &message), 0, "%s", header);
	cr_expect(message.has_boot_id, "%s", header);
	return message.boot_id;
}

Test(ssdp, tells_one_start_of_a_device_from_another)
{
	cr_expect_eq(boot_id_of("BOOTID.UPNP.ORG: 0"), 0);
	cr_expect_eq(boot_id_of("bootid.upnp.org: 4294967294"), 4294967294);
	cr_expect_eq(boot_id_of("01-NLS: 12"), 12);
	cr_expect_eq(boot_id_of("01-NLS: 12\r\nBOOTID.UPNP.ORG: 13"), 13);
	/* older devices say it with an UUID, or anything else */
	cr_expect_eq(boot_id_of("01-NLS: b9200ebb-736d-4b93-bf03-835149d13983"),
		     boot_id_of("01-NLS: b9200ebb-736d-4b93-bf03-835149d13983"));
	cr_expect_neq(boot_id_of("01-NLS: b9200ebb-736d-4b93-bf03-835149d13983"),
		      boot_id_of("01-NLS: b9200ebb-736d-4b93-bf03-835149d13984"));
	cr_expect_neq(boot_id_of("01-NLS: 99999999998"),
		      boot_id_of("01-NLS: 99999999999"));
}

Test(ssdp, shows_what_a_device_calls_itself)
{
	struct ssdp_message message;

	cr_assert_eq(decode_text(OK LOCATION "ST: x\r\nSERVER: a\x1b[31m\xc3\xa4\r\n" END,
				 &message),
		     0);
	cr_expect_str_eq(message.server, "a\\x1b[31m\\xc3\\xa4");
	cr_assert_eq(decode_text(OK LOCATION
				 "ST: x\r\nSERVER: 0123456789012345678901234"
				 "56789012345678901234567890123456789012345\r\n" END,
				 &message),
		     0);
	cr_expect_str_eq(
		message.server,
		"012345678901234567890123456789012345678901234567890123456789...");
}

Test(ssdp, says_what_it_does_not_take)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{ "", -ENOMSG },
		{ "\r\n\r\n", -ENOMSG },
		{ "M-SEARCH * HTTP/1.1\r\nST: x\r\n" LOCATION END, -ENOMSG },
		{ "HTTP/1.1 404 Not Found\r\nST: x\r\n" LOCATION END, -ENOMSG },
		{ "HTTP/1.1 2000\r\nST: x\r\n" LOCATION END, -ENOMSG },
		{ "HTTP/1.1 200", -ENOMSG },
		{ "HTTP/2.0 200 OK\r\nST: x\r\n" LOCATION END, -ENOMSG },
		{ "NOTIFY /event HTTP/1.1\r\nNT: x\r\nNTS: ssdp:alive\r\n" LOCATION END,
		  -ENOMSG },
		{ NOTIFY "NT: x\r\n" LOCATION END, -ENOMSG },
		{ NOTIFY "NT: x\r\nNTS: upnp:propchange\r\n" LOCATION END, -ENOMSG },
		{ NOTIFY "NT: x\r\nNTS: ssdp:alive\r\n" END, -EBADMSG },
		{ NOTIFY "NTS: ssdp:alive\r\n" LOCATION END, -EBADMSG },
		{ NOTIFY "NTS: ssdp:byebye\r\n" END, -EBADMSG },
		{ OK LOCATION END, -EBADMSG },
		{ OK "NT: x\r\n" LOCATION END, -EBADMSG },
		{ OK "ST: x\r\n" END, -EBADMSG },
		{ OK "ST: x\r\nLOCATION: \t \r\n" END, -EBADMSG },
		{ OK "ST: x\r\n" LOCATION, -EBADMSG },
		{ OK "ST: x\r\nLOCATION: http://192.168.1.1/", -EBADMSG },
		{ OK "ST: x\ty\r\n" LOCATION END, -EBADMSG },
		{ OK "ST: x\r\nLOCATION: http://192.168.1.1/\x7f\r\n" END, -EBADMSG },
		{ OK "ST: x\r\nUSN: \xff\r\n" LOCATION END, -EBADMSG },
		{ OK "ST: x\ry\r\n" LOCATION END, -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ssdp_message message;

		cr_expect_eq(decode_text(cases[i].text, &message), cases[i].error,
			     "%zu: %s", i, cases[i].text);
	}
}

Test(ssdp, takes_no_nul_for_an_end)
{
	static const char text[] = OK "ST: x\0y\r\n" LOCATION END;
	struct packet packet = { 0 };
	struct ssdp_message message;

	packet_add(&packet, text, sizeof(text) - 1);
	cr_expect_eq(decode(&packet, packet.len, &message), -EBADMSG);
}

/* @n bytes in front of the end of a line */
static int decode_with_line(const char *header, size_t n)
{
	struct packet packet = packet_of_text(OK LOCATION "ST: x\r\n");
	struct ssdp_message message;

	packet_add(&packet, header, strlen(header));
	for (size_t i = strlen(header); i < n; i++)
		packet_add(&packet, "a", 1);
	packet_add(&packet, "\r\n\r\n", 4);
	return decode(&packet, packet.len, &message);
}

Test(ssdp, has_bounds)
{
	struct packet packet = packet_of_text(answer);
	struct ssdp_message message;

	cr_expect_eq(decode_with_line("X: ", SSDP_LINE_MAX), 0);
	cr_expect_eq(decode_with_line("X: ", SSDP_LINE_MAX + 1), -EMSGSIZE);
	cr_expect_eq(decode_with_line("USN: ", 5 + SSDP_NAME_MAX), 0);
	cr_expect_eq(decode_with_line("USN: ", 5 + SSDP_NAME_MAX + 1), -EMSGSIZE);
	cr_expect_eq(decode_with_line("SERVER: ", SSDP_LINE_MAX), 0);
	while (packet.len < SSDP_PACKET_MAX)
		packet_add(&packet, "a", 1);
	cr_expect_eq(decode(&packet, packet.len, &message), 0);
	packet_add(&packet, "a", 1);
	cr_expect_eq(decode(&packet, packet.len, &message), -EMSGSIZE);
	packet.len = 0;
	while (packet.len < SSDP_LINE_MAX + 1)
		packet_add(&packet, "a", 1);
	cr_expect_eq(decode(&packet, packet.len, &message), -EMSGSIZE);
}

Test(ssdp, has_a_longest_location)
{
	struct packet packet = packet_of_text(OK "ST: x\r\nLOCATION: ");
	struct ssdp_message message;

	for (size_t i = 0; i < WORKER_URL_MAX; i++)
		packet_add(&packet, "a", 1);
	packet_add(&packet, "\r\n\r\n", 4);
	cr_assert_eq(decode(&packet, packet.len, &message), 0);
	cr_expect_eq(strlen(message.location), WORKER_URL_MAX);
	packet.len -= 4;
	packet_add(&packet, "a\r\n\r\n", 5);
	cr_expect_eq(decode(&packet, packet.len, &message), -EMSGSIZE);
}

Test(ssdp, refuses_every_beginning_of_a_packet)
{
	const struct packet packet = packet_of_text(answer);
	struct ssdp_message message;

	for (size_t len = 0; len < packet.len; len++)
		cr_expect_lt(decode(&packet, len, &message), 0, "%zu", len);
}
