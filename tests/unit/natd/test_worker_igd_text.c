/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/workers/worker_igd_text.h"

Test(worker_igd_text, numbers_are_digits_and_nothing_else)
{
	static const struct {
		const char *text;
		uint32_t max;
		int64_t value; /* -1: refused */
	} cases[] = {
		{ "0", 10, 0 },
		{ "10", 10, 10 },
		{ "11", 10, -1 },
		{ "007", 10, 7 },
		{ "4294967295", UINT32_MAX, UINT32_MAX },
		{ "4294967296", UINT32_MAX, -1 },
		{ "99999999999999999999999", UINT32_MAX, -1 },
		{ "", 10, -1 },
		{ "-1", 10, -1 },
		{ "+1", 10, -1 },
		{ " 1", 10, -1 },
		{ "1 ", 10, -1 },
		{ "0x1", 10, -1 },
		{ "1e1", 10, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t n = 4711;
		int r = igd_number(cases[i].text, cases[i].max, &n);

		cr_expect_eq(r, cases[i].value < 0 ? -EPROTO : 0, "%s", cases[i].text);
		cr_expect_eq(n, cases[i].value < 0 ? 4711 : (uint32_t)cases[i].value,
			     "%s", cases[i].text);
	}
}

Test(worker_igd_text, port_0_is_none)
{
	uint16_t port = 4711;

	cr_expect_eq(igd_port("0", &port), -EPROTO);
	cr_expect_eq(igd_port("65536", &port), -EPROTO);
	cr_expect_eq(port, 4711);
	cr_expect_eq(igd_port("65535", &port), 0);
	cr_expect_eq(port, 65535);
}

Test(worker_igd_text, addresses_are_of_the_family_that_is_meant)
{
	struct in6_addr addr = address_any4, want;

	cr_expect_eq(igd_address("", &addr), 0);
	cr_expect(address_equal(&addr, &address_any4));
	cr_expect_eq(igd_address("2001:db8::1", &addr), -EPROTO);
	cr_expect_eq(igd_address("1.2.3.4.5", &addr), -EPROTO);
	cr_expect_eq(igd_address("1.2.3.400", &addr), -EPROTO);
	cr_expect_eq(igd_address("router.example", &addr), -EPROTO);
	cr_expect(address_equal(&addr, &address_any4));
	cr_expect_eq(igd_address("1.2.3.4", &addr), 0);
	cr_expect_eq(address_parse("1.2.3.4", &want), 0);
	cr_expect(address_equal(&addr, &want));
}

Test(worker_igd_text, truth_is_said_in_three_ways)
{
	cr_expect(igd_is_true("1"));
	cr_expect(igd_is_true("True"));
	cr_expect(igd_is_true("YES"));
	cr_expect_not(igd_is_true("0"));
	cr_expect_not(igd_is_true(""));
	cr_expect_not(igd_is_true("10"));
}

Test(worker_igd_text, what_is_written_for_xml_is_read_back)
{
	static const char text[] = "a <b> & 'c' \"d\" &amp; e";
	char xml[IGD_XML_STRLEN], back[WORKER_TEXT_MAX + 1];

	cr_expect_str_eq(igd_xml("<&>", xml), "&lt;&amp;&gt;");
	igd_xml(text, xml);
	cr_expect_str_eq(igd_show(xml, strlen(xml), back), text);
}

Test(worker_igd_text, the_longest_text_has_room)
{
	char text[WORKER_TEXT_MAX + 1], xml[IGD_XML_STRLEN];

	memset(text, '\'', WORKER_TEXT_MAX);
	text[WORKER_TEXT_MAX] = '\0';
	cr_expect_eq(strlen(igd_xml(text, xml)), sizeof(xml) - 1);
}

Test(worker_igd_text, what_a_device_says_is_cut_and_made_printable)
{
	char shown[WORKER_TEXT_MAX + 1], text[1000];

	memset(text, 'x', sizeof(text));
	cr_expect_eq(strlen(igd_show(text, sizeof(text), shown)), WORKER_TEXT_MAX);
	cr_expect_str_eq(shown + WORKER_TEXT_MAX - 3, "...");
	cr_expect_str_eq(igd_show("\x1b[2J\n\xff", 6, shown), "\\x1b[2J\\x0a\\xff");
	cr_expect_str_eq(igd_show("&#65;&unknown;&am", 17, shown), "&#65;&unknown;&am");
}

Test(worker_igd_text, versions_stand_at_the_end)
{
	cr_expect_eq(igd_version("urn:schemas-upnp-org:service:WANIPConnection:2"), 2u);
	cr_expect_eq(igd_version("urn:schemas-upnp-org:service:WANIPConnection:"), 0u);
	cr_expect_eq(igd_version("urn:schemas-upnp-org:service:WANIPConnection:2x"), 0u);
	cr_expect_eq(igd_version("WANIPConnection"), 0u);
	cr_expect_eq(igd_version(""), 0u);
}

static bool is_response(const char *body)
{
	return igd_is_response(body, strlen(body), "AddPortMapping");
}

Test(worker_igd_text, a_response_is_an_element_of_that_name)
{
	cr_expect(is_response("<u:AddPortMappingResponse xmlns:u=\"x\"><a>b</a>"
			      "</u:AddPortMappingResponse>"));
	cr_expect(is_response("<AddPortMappingResponse></AddPortMappingResponse>"));
	cr_expect(is_response("<AddPortMappingResponse/>"));
	cr_expect(is_response("AddPortMappingResponse <m:AddPortMappingResponse\r\n/>"));
	cr_expect_not(is_response("<u:AddPortMappingResponse xmlns:u=\"x\"></u:"));
	cr_expect_not(is_response("<u:AddPortMappingResponse><a>b</a>"));
	cr_expect_not(is_response("<u:AddPortMapping></u:AddPortMapping>"));
	cr_expect_not(is_response("<u:AddPortMappingResponses>"));
	cr_expect_not(is_response("<u:NoAddPortMappingResponse>"));
	cr_expect_not(is_response("<u:AddPortMappingResponse"));
	cr_expect_not(is_response("AddPortMappingResponse>"));
	cr_expect_not(
		igd_is_response("<AddPortMappingResponse\0/>", 26, "AddPortMapping"));
	cr_expect_not(is_response(""));
}

Test(worker_igd_text, the_first_element_ends_where_its_tag_does)
{
	static const char body[] = "<a>x</a><b>y</b><a>z</a>";

	cr_expect_eq(igd_first(body, strlen(body), "a"), strlen("<a>x</a>"));
	cr_expect_eq(igd_first(body, strlen(body), "b"), strlen("<a>x</a><b>y</b>"));
	cr_expect_eq(igd_first(body, strlen(body), "c"), 0u);
	cr_expect_eq(igd_first(body, 7, "a"), 0u);
}

Test(worker_igd_text, urls_are_the_routers_or_none)
{
	static const struct {
		const char *text;
		int result;
		const char *plain;
	} cases[] = {
		{ "http://192.168.1.1/", 0, "http://192.168.1.1:80/" },
		{ "HTTP://192.168.1.1:5000/a?b=c", 0, "http://192.168.1.1:5000/a?b=c" },
		{ "http://192.168.1.1", 0, "http://192.168.1.1:80/" },
		{ "http://192.168.1.2/", -EXDEV, NULL },
		{ "http://router.example/", -EXDEV, NULL },
		{ "https://192.168.1.1/", -EXDEV, NULL },
		{ "http://192.168.1.1@192.168.1.2/", -EXDEV, NULL },
		{ "http://192.168.1.1:80@192.168.1.2/", -EXDEV, NULL },
		{ "http://192.168.1.1:65616/", -EXDEV, NULL },
		{ "http://192.168.1.1\\@192.168.1.2/", -EXDEV, NULL },
		{ "http://3232235777/", -EXDEV, NULL },
		{ "http://[fe80::1]/", -EXDEV, NULL },
		{ "192.168.1.1/", -EPROTO, NULL },
		{ "", -EPROTO, NULL },
	};
	char plain[IGD_URL_STRLEN];
	struct in6_addr router;

	cr_assert_eq(address_parse("192.168.1.1", &router), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(igd_url(cases[i].text, &router, 0, plain), cases[i].result,
			     "%s", cases[i].text);
		if (cases[i].result == 0)
			cr_expect_str_eq(plain, cases[i].plain);
	}
}

Test(worker_igd_text, the_longest_url_has_room)
{
	char text[WORKER_URL_MAX + 1], plain[IGD_URL_STRLEN];
	struct in6_addr router;

	cr_assert_eq(address_parse("fe80::1111:2222:3333:4444", &router), 0);
	memset(text, 'x', sizeof(text));
	memcpy(text, "http://[fe80::1111:2222:3333:4444]/", 35);
	text[WORKER_URL_MAX] = '\0';
	cr_expect_eq(igd_url(text, &router, INT32_MAX, plain), 0);
	cr_expect(strstr(plain, "%252147483647]:80/x"), "%s", plain);
	cr_expect_str_eq(plain + strlen(plain) - 10, "xxxxxxxxxx");
}
