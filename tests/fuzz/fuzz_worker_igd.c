/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_worker_igd - what the igd worker itself reads of a device's texts
 *
 * Up to the first NUL a text, the rest a body. What is shown is printable, what is a URL
 * is the router's, and what was written for XML is read back as it was.
 */

#include <string.h>

#include "core/text.h"
#include "natd/workers/worker_igd_text.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const char *text)
{
	struct in6_addr addr = address_any4;
	uint32_t n = 0;
	uint16_t port = 0;

	if (igd_number(text, 100, &n) == 0)
		hold(n <= 100 && *text >= '0' && *text <= '9');
	hold(igd_port(text, &port) < 0 || port > 0);
	igd_address(text, &addr);
	hold(address_is_ipv4(&addr));
	igd_version(text);
	igd_is_true(text);
}

static void check_url(const char *text)
{
	struct in6_addr router;
	char plain[IGD_URL_STRLEN];
	struct url url;

	hold(address_parse("192.168.1.1", &router) == 0);
	if (igd_url(text, &router, 0, plain) < 0)
		return;
	hold(strncmp(plain, "http://192.168.1.1:", 19) == 0);
	hold(strlen(plain) > WORKER_URL_MAX || url_host(plain, &url) == 0);
}

static void check_shown(const char *bytes, size_t len)
{
	char shown[WORKER_TEXT_MAX + 1], xml[IGD_XML_STRLEN], back[WORKER_TEXT_MAX + 1];

	igd_show(bytes, len, shown);
	for (const char *c = shown; *c; c++)
		hold(text_is_plain(*c));
	igd_xml(shown, xml);
	igd_show(xml, strlen(xml), back);
	hold(strcmp(back, shown) == 0);
}

static void check_body(const char *body, size_t len)
{
	size_t n = igd_first(body, len, "friendlyName");

	hold(n <= len);
	igd_is_response(body, len, "AddPortMapping");
	check_shown(body, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *body;
	size_t len;

	hold(text);
	memcpy(text, data, size);
	text[size] = '\0';
	len = strlen(text);
	check_text(text);
	check_url(text);
	/* so that a sanitizer sees a step beyond */
	body = malloc(size > len ? size - len : 1);
	hold(body);
	memcpy(body, text + len, size - len);
	check_body(body, size - len);
	free(body);
	free(text);
	return 0;
}
