/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "cli/values.h"
#include "core/cleanup.h"

static struct flaw why;

static void expect_said(const char *start)
{
	cr_expect_eq(strncmp(why.text, start, strlen(start)), 0,
		     "wanted \"%s\", got \"%s\"", start, why.text);
}

Test(values, ports_are_numbers_from_1_to_65535)
{
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{ "0", "port 0: automatic ports are not available in this version." },
		{ "000", "port 0: automatic ports are not available in this version." },
		{ "65536", "65536 is no port." },
		{ "4294967297", "4294967297 is no port." },
		{ "https", "https is not a port number." },
		{ "80x", "80x is not a port number." },
		{ "-80", "-80 is not a port number." },
		{ "+80", "+80 is not a port number." },
		{ " 80", " 80 is not a port number." },
		{ "0x50", "0x50 is not a port number." },
		{ "", "\"\" is not a port number." },
		{ "80-90", "80-90: ranges of ports are not available in this version." },
		{ "80-", "80- is not a port number." },
	};
	uint16_t port = 7;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(value_port(wrong[i].text, &port, &why), -EINVAL);
		expect_said(wrong[i].said);
		cr_expect_not_null(strstr(why.text, "Give a number from 1 to 65535."));
	}
	cr_expect_eq(port, 7, "touched on failure");
	cr_expect_eq(value_port("1", &port, &why), 0);
	cr_expect_eq(value_port("65535", &port, &why), 0);
	cr_expect_eq(port, 65535);
}

Test(values, targets_have_a_port_or_not)
{
	static const struct {
		const char *text, *addr;
		uint16_t port;
	} right[] = {
		{ "192.168.1.10:80", "192.168.1.10", 80 },
		{ "192.168.1.10", "192.168.1.10", 0 },
		{ "[2001:db8::10]:443", "2001:db8::10", 443 },
		{ "[2001:db8::10]", "2001:db8::10", 0 },
		{ "2001:db8::10", "2001:db8::10", 0 },
		{ "2001:db8::10:443", "2001:db8::10:443", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		char addr[INET6_ADDRSTRLEN];
		struct endpoint e;

		cr_assert_eq(value_target(right[i].text, &e, &why), 0, "%s",
			     right[i].text);
		cr_expect_str_eq(address_format(&e.addr, addr), right[i].addr);
		cr_expect_eq(e.port, right[i].port);
	}
}

Test(values, what_is_no_target_is_named)
{
	static const char *const wrong[] = {
		"",
		"lan1",
		"lan1:80",
		"192.168.1.300:80",
		"192.168.1",
		":80",
		"[192.168.1.10]:80",
		"[2001:db8::10",
		"[2001:db8::10]443",
		"[2001:db8::10]x:443",
		"2001:db8::10]:443",
		"[]:80",
		"fe80::1%eth0",
		"192.168.1.0/24",
		"2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001",
	};
	struct endpoint e;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(value_target(wrong[i], &e, &why), -EINVAL, "%s", wrong[i]);
		cr_expect_not_null(
			strstr(why.text, "is no address. Write 192.168.1.10:80"));
	}
	cr_expect_eq(value_target("192.168.1.10:http", &e, &why), -EINVAL);
	expect_said("http is not a port number.");
	cr_expect_eq(value_target("[2001:db8::10]:", &e, &why), -EINVAL);
	expect_said("\"\" is not a port number.");
}

Test(values, hosts_can_be_sent_to)
{
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{ "127.0.0.1:80", "127.0.0.1 is a loopback address. " },
		{ "[ff02::1]:80", "ff02::1 is a multicast address. " },
		{ "[fe80::1]:80", "fe80::1 is a link-local address. " },
		{ "::", ":: is the unspecified address. " },
		{ "255.255.255.255", "255.255.255.255 is a broadcast address. " },
	};
	struct endpoint e;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(value_host(wrong[i].text, &e, &why), -EINVAL);
		expect_said(wrong[i].said);
	}
	cr_expect_eq(value_host("lan1", &e, &why), -EINVAL);
	cr_expect_eq(value_host("10.0.0.1", &e, &why), 0);
}

Test(values, protocols_names_ids_and_seconds)
{
	unsigned int seconds;
	uint64_t id;
	uint8_t bits;

	cr_expect_eq(value_protocols("udp,tcp", &bits, &why), 0);
	cr_expect_eq(bits, PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP);
	cr_expect_eq(value_protocols("", &bits, &why), -EINVAL);
	expect_said("\"\" is no protocol that is forwarded. Use tcp, udp or tcp,udp.");

	cr_expect_eq(value_name("web", &why), 0);
	cr_expect_eq(value_name("7web", &why), -EINVAL);
	expect_said("\"7web\" cannot be a name: ");

	cr_expect_eq(value_id("18446744073709551615", &id, &why), 0);
	cr_expect_eq(id, UINT64_MAX);
	cr_expect_eq(value_id("18446744073709551616", &id, &why), -EINVAL);
	cr_expect_eq(value_id("7x", &id, &why), -EINVAL);
	cr_expect_eq(value_id("0", &id, &why), -EINVAL);
	expect_said("0 is no ID. See: natctl list");

	cr_expect_eq(value_timeout("86400", &seconds, &why), 0);
	cr_expect_eq(seconds, 86400);
	cr_expect_eq(value_timeout("86401", &seconds, &why), -EINVAL);
	cr_expect_eq(value_timeout("4294967297", &seconds, &why), -EINVAL);
	cr_expect_eq(value_timeout("1s", &seconds, &why), -EINVAL);
	cr_expect_eq(value_timeout("0", &seconds, &why), -EINVAL);
	expect_said("--timeout 0: give a number of seconds from 1 to 86400.");
}
