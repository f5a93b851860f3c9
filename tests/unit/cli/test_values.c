/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "cli/services.h"
#include "cli/values.h"
#include "core/cleanup.h"

static struct flaw why;

static void expect_said(const char *start)
{
	cr_expect_eq(strncmp(why.text, start, strlen(start)), 0,
		     "wanted \"%s\", got \"%s\"", start, why.text);
}

Test(values, ports_are_numbers_ranges_services_or_chosen)
{
	static const struct {
		const char *text;
		uint8_t protocols;
		struct port_range ports;
	} right[] = {
		{ "1", PROTOCOL_BIT_TCP, { 1, 1 } },
		{ "65535", 0, { 65535, 65535 } },
		{ "9000-9003", PROTOCOL_BIT_UDP, { 9000, 9003 } },
		{ "1-65535", PROTOCOL_BIT_UDP, { 1, 65535 } },
		{ "auto", PROTOCOL_BIT_UDP, { 0, 0 } },
		{ "0", PROTOCOL_BIT_UDP, { 0, 0 } },
		{ "000", PROTOCOL_BIT_UDP, { 0, 0 } },
		{ "https", PROTOCOL_BIT_TCP, { 443, 443 } },
		{ "https", 0, { 443, 443 } },
		{ "domain", PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP, { 53, 53 } },
		{ "tftp", PROTOCOL_BIT_UDPLITE, { 69, 69 } },
	};
	struct port_range ports;

	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		cr_assert_eq(value_ports(right[i].text, right[i].protocols, &ports, &why),
			     0, "%s: %s", right[i].text, why.text);
		cr_expect_eq(ports.first, right[i].ports.first);
		cr_expect_eq(ports.last, right[i].ports.last);
	}
}

Test(values, what_is_no_port_is_named)
{
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{ "65536", "65536 is no port. Give a number from 1 to 65535." },
		{ "4294967297", "4294967297 is no port." },
		{ "80x", "80x is not a port number." },
		{ "-80", "-80 is not a port number." },
		{ "+80", "+80 is not a port number." },
		{ " 80", " 80 is not a port number." },
		{ "0x50", "0x50 is not a port number." },
		{ "", "\"\" is not a port number. Give a number from 1 to 65535." },
		{ "80-", "80- is not a port number." },
		{ "90-80", "90-80 runs backwards. Write 80-90." },
		{ "0-80", "0-80 is no range of ports" },
		{ "80-65536", "80-65536 is no range of ports" },
		{ "frob", "frob is no service of tcp" },
		{ "tftp", "tftp is no service of tcp" },
		{ "automatic", "automatic is no service of tcp" },
	};
	struct port_range ports = { 7, 8 };
	uint16_t port = 7;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(value_ports(wrong[i].text, PROTOCOL_BIT_TCP, &ports, &why),
			     -EINVAL, "%s", wrong[i].text);
		expect_said(wrong[i].said);
	}
	cr_expect_eq(value_ports("frob", 0, &ports, &why), -EINVAL);
	expect_said("frob is no service that");
	cr_expect(ports.first == 7 && ports.last == 8, "touched on failure");

	cr_expect_eq(value_port("80-90", 0, &port, &why), -EINVAL);
	expect_said("80-90 is a range; one port of it is enough: 80.");
	cr_expect_eq(value_port("auto", 0, &port, &why), -EINVAL);
	expect_said("auto is no port that is meant here.");
	cr_expect_eq(port, 7, "touched on failure");
	cr_expect_eq(value_port("https", 0, &port, &why), 0);
	cr_expect_eq(port, 443);
}

Test(values, services_are_named)
{
	uint16_t port = 7;

	cr_expect_str_eq(services_name(IPPROTO_TCP, 443), "https");
	cr_expect_str_eq(services_name(IPPROTO_UDPLITE, 69), "tftp");
	cr_expect_str_eq(services_name(IPPROTO_TCP, 69), "");
	cr_expect_str_eq(services_name(IPPROTO_TCP, 1), "tcpmux");
	cr_expect_eq(services_port("frob", IPPROTO_TCP, &port), -ENOENT);
	cr_expect_eq(port, 7, "touched on failure");
}

Test(values, targets_have_ports_or_not)
{
	static const struct {
		const char *text, *addr;
		struct port_range ports;
		bool suffix;
		const char *lan;
	} right[] = {
		{ "192.168.1.10:80", "192.168.1.10", { 80, 80 }, false, "" },
		{ "192.168.1.10", "192.168.1.10", { 0, 0 }, false, "" },
		{ "192.168.1.10:http", "192.168.1.10", { 80, 80 }, false, "" },
		{ "192.168.1.10:80-90", "192.168.1.10", { 80, 90 }, false, "" },
		{ "[2001:db8::10]:443", "2001:db8::10", { 443, 443 }, false, "" },
		{ "[2001:db8::10]:https", "2001:db8::10", { 443, 443 }, false, "" },
		{ "[2001:db8::10]", "2001:db8::10", { 0, 0 }, false, "" },
		{ "2001:db8::10", "2001:db8::10", { 0, 0 }, false, "" },
		{ "2001:db8::10:443", "2001:db8::10:443", { 0, 0 }, false, "" },
		{ "::10", "::10", { 0, 0 }, true, "" },
		{ "::10%lan0", "::10", { 0, 0 }, true, "lan0" },
		{ "[::10%lan0]:443-444", "::10", { 443, 444 }, true, "lan0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		char addr[INET6_ADDRSTRLEN];
		struct target t;

		cr_assert_eq(value_host(right[i].text, PROTOCOL_BIT_TCP, &t, &why), 0,
			     "%s: %s", right[i].text, why.text);
		cr_expect_str_eq(address_format(&t.addr, addr), right[i].addr);
		cr_expect_eq(t.ports.first, right[i].ports.first);
		cr_expect_eq(t.ports.last, right[i].ports.last);
		cr_expect_eq(t.suffix, right[i].suffix, "%s", right[i].text);
		cr_expect_str_eq(t.lan, right[i].lan);
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
		"192.168.1.0/24",
		"2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001",
	};
	struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(value_target(wrong[i], 0, &t, &why), -EINVAL, "%s",
			     wrong[i]);
		cr_expect_not_null(
			strstr(why.text, "is no address. Write 192.168.1.10:80"), "%s",
			why.text);
	}
	cr_expect_eq(value_target("192.168.1.10:frob", 0, &t, &why), -EINVAL);
	expect_said("frob is no service that");
	cr_expect_eq(value_target("[2001:db8::10]:", 0, &t, &why), -EINVAL);
	expect_said("\"\" is not a port number.");
	cr_expect_eq(value_target("10.0.0.1:auto", 0, &t, &why), -EINVAL);
	expect_said("10.0.0.1:auto: the port inside cannot be chosen.");
	cr_expect_eq(value_target("fe80::1%eth0", 0, &t, &why), -EINVAL);
	expect_said("fe80::1%eth0: a LAN is named with a host suffix alone");
}

Test(values, leases_are_lengths_of_time)
{
	uint32_t seconds = 7;

	cr_expect_eq(value_lease("", &seconds, &why), -EINVAL);
	expect_said("--lease \"\": that is no length of time.");
	cr_expect_eq(value_lease("1y", &seconds, &why), -EINVAL);
	cr_expect_eq(value_lease("315360001", &seconds, &why), -EINVAL);
	expect_said("--lease 315360001: a lease is of at most 3650d (10 years).");
	cr_expect_eq(value_lease("99999999999w", &seconds, &why), -EINVAL);
	expect_said("--lease 99999999999w: a lease is of at most");
	cr_expect_eq(seconds, 7, "touched on failure");
	cr_expect_eq(value_lease("3650d", &seconds, &why), 0);
	cr_expect_eq(seconds, MAPPING_LIFETIME_MAX);
	cr_expect_eq(value_lease("0", &seconds, &why), 0);
	cr_expect_eq(seconds, 0);
}

Test(values, prefixes_have_no_host_bits)
{
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{ "198.51.100.7/24",
		  "--from 198.51.100.7/24: the address has bits behind its first 24. Write "
		  "198.51.100.0/24 for" },
		{ "255.255.255.255/1", "--from 255.255.255.255/1: the address has bits "
				       "behind its first 1. Write 128.0.0.0/1 for" },
		{ "10.0.0.1/0",
		  "--from 10.0.0.1/0: the address has bits behind its first "
		  "0. Write 0.0.0.0/0 for" },
		{ "2001:db8::1/32", "--from 2001:db8::1/32: the address has bits behind "
				    "its first 32. Write 2001:db8::/32 for" },
		{ "10.0.0.0/33",
		  "--from 10.0.0.0/33: the length of a prefix is at most" },
		{ "10.0.0", "--from 10.0.0: that is no prefix." },
		{ "", "--from \"\": that is no prefix." },
	};
	struct prefix prefix;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(value_prefix("--from", wrong[i].text, &prefix, &why),
			     -EINVAL);
		expect_said(wrong[i].said);
	}
	cr_expect_eq(value_prefix("--from", "10.0.0.1", &prefix, &why), 0);
	cr_expect_eq(prefix.len, 128);
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
	struct in6_addr addr;
	struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(value_host(wrong[i].text, 0, &t, &why), -EINVAL);
		expect_said(wrong[i].said);
	}
	cr_expect_eq(value_host("lan1", 0, &t, &why), -EINVAL);
	cr_expect_eq(value_host("10.0.0.1", 0, &t, &why), 0);

	cr_expect_eq(value_external("127.0.0.1", &addr, &why), -EINVAL);
	expect_said("--at 127.0.0.1: that is a loopback address.");
	cr_expect_eq(value_external("", &addr, &why), -EINVAL);
	expect_said("--at \"\": that is no address.");
	cr_expect_eq(value_external("203.0.113.7", &addr, &why), 0);
}

Test(values, wishes_have_four_words)
{
	static const struct {
		const char *text;
		enum upstream_wish wish;
	} right[] = {
		{ "default", UPSTREAM_DEFAULT },
		{ "yes", UPSTREAM_YES },
		{ "no", UPSTREAM_NO },
		{ "required", UPSTREAM_REQUIRED },
	};
	static const char *const wrong[] = { "", "Yes", "yes ", "require", "always" };
	uint8_t wish = UINT8_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_eq(value_wish("--upstream", wrong[i], &wish, &why), -EINVAL);
	expect_said("--upstream always: give default, yes, no or required.");
	cr_expect_eq(value_wish("upstream", "", &wish, &why), -EINVAL);
	expect_said("upstream \"\": give default, yes, no or required.");
	cr_expect_eq(wish, UINT8_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		cr_expect_eq(value_wish("--upstream", right[i].text, &wish, &why), 0);
		cr_expect_eq(wish, right[i].wish, "%s", right[i].text);
	}
}

Test(values, protocols_names_ids_and_seconds)
{
	unsigned int seconds;
	uint64_t id;
	uint8_t bits;

	cr_expect_eq(value_protocols("udp,tcp", &bits, &why), 0);
	cr_expect_eq(bits, PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP);
	cr_expect_eq(value_protocols("", &bits, &why), -EINVAL);
	expect_said(
		"\"\" is no protocol that is forwarded. Use tcp, udp, sctp, udplite, or");

	cr_expect_eq(value_name("web", &why), 0);
	cr_expect_eq(value_name("7web", &why), -EINVAL);
	expect_said("\"7web\" cannot be a name: ");

	cr_expect_eq(value_comment("a b", &why), 0);
	cr_expect_eq(value_comment("a\nb", &why), -EINVAL);

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
