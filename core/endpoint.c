/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/endpoint.h"
#include "core/text.h"

const struct in6_addr address_any4 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
const struct in6_addr address_any6 = IN6ADDR_ANY_INIT;

/* Leading bytes that all v4-mapped addresses share. */
#define IPV4_MARK 12

/* The four bytes of an IPv4 address, of one kept as v4-mapped. */
static const uint8_t *ipv4_bytes(const struct in6_addr *addr)
{
	return addr->s6_addr + IPV4_MARK;
}

int address_parse(const char *text, struct in6_addr *ret)
{
	struct in6_addr addr = address_any4;

	if (inet_pton(AF_INET, text, addr.s6_addr + IPV4_MARK) == 1) {
		*ret = addr;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &addr) != 1)
		return -EINVAL;
	/* "::ffff:192.168.1.10" would be a second way to write an IPv4 address */
	if (address_is_ipv4(&addr))
		return -EINVAL;
	*ret = addr;
	return 0;
}

/* Long lists are written with it, and inet_ntop() goes by way of printf(). */
static void ipv4_format(const uint8_t bytes[static 4], char *at)
{
	for (size_t i = 0; i < 4; i++) {
		at = text_digits(bytes[i], at);
		*at++ = i < 3 ? '.' : '\0';
	}
}

const char *address_format(const struct in6_addr *addr, char buf[static INET6_ADDRSTRLEN])
{
	if (address_is_ipv4(addr))
		ipv4_format(ipv4_bytes(addr), buf);
	else
		inet_ntop(AF_INET6, addr, buf, INET6_ADDRSTRLEN);
	return buf;
}

int port_parse(const char *text, uint16_t *ret)
{
	unsigned int port = 0;

	if (!*text)
		return -EINVAL;
	if (text[strspn(text, "0123456789")])
		return -EINVAL;
	for (; *text; text++) {
		port = port * 10 + (unsigned int)(*text - '0');
		if (port > UINT16_MAX)
			return -ERANGE;
	}
	if (port == 0)
		return -ERANGE;
	*ret = (uint16_t)port;
	return 0;
}

/* Copies the address in front of the port; @ret_port is where the port starts. */
static int endpoint_split(const char *text, char address[static INET6_ADDRSTRLEN],
			  const char **ret_port)
{
	const char *start = text, *end;

	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		if (!end || end[1] != ':')
			return -EINVAL;
		*ret_port = end + 2;
	} else {
		end = strchr(start, ':');
		if (!end)
			return -EINVAL;
		*ret_port = end + 1;
	}
	if (end - start >= INET6_ADDRSTRLEN)
		return -EINVAL;
	memcpy(address, start, (size_t)(end - start));
	address[end - start] = '\0';
	return 0;
}

int endpoint_parse(const char *text, struct endpoint *ret)
{
	char address[INET6_ADDRSTRLEN];
	struct endpoint e;
	const char *port;
	int r;

	r = endpoint_split(text, address, &port);
	if (r < 0)
		return r;
	r = address_parse(address, &e.addr);
	if (r < 0)
		return r;
	if (address_is_ipv4(&e.addr) == (*text == '['))
		return -EINVAL;
	r = port_parse(port, &e.port);
	if (r < 0)
		return r;
	*ret = e;
	return 0;
}

const char *endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_STRLEN])
{
	char address[INET6_ADDRSTRLEN];
	const char *form = address_is_ipv4(&e->addr) ? "" : "[";

	snprintf(buf, ENDPOINT_STRLEN, "%s%s%s:%u", form,
		 address_format(&e->addr, address), *form ? "]" : "", e->port);
	return buf;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && address_equal(&a->addr, &b->addr);
}

bool address_equal(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool address_is_ipv4(const struct in6_addr *addr)
{
	return memcmp(addr, &address_any4, IPV4_MARK) == 0;
}

bool address_is_any(const struct in6_addr *addr)
{
	return address_equal(addr, &address_any4) || address_equal(addr, &address_any6);
}

bool address_is_ula(const struct in6_addr *addr)
{
	return (addr->s6_addr[0] & 0xfe) == 0xfc;
}

bool address_is_link_local(const struct in6_addr *addr)
{
	if (address_is_ipv4(addr))
		return ipv4_bytes(addr)[0] == 169 && ipv4_bytes(addr)[1] == 254;
	return addr->s6_addr[0] == 0xfe && (addr->s6_addr[1] & 0xc0) == 0x80;
}

bool address_in_prefix(const struct in6_addr *addr, const struct prefix *prefix)
{
	const size_t whole = prefix->len / 8;
	const unsigned int rest = prefix->len % 8;
	uint8_t differing;

	assert(prefix->len <= 128);
	if (memcmp(addr, &prefix->addr, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	differing = addr->s6_addr[whole] ^ prefix->addr.s6_addr[whole];
	return differing >> (8 - rest) == 0;
}

static const char *ipv4_unusable(const uint8_t bytes[static 4])
{
	if (bytes[0] == 0)
		return "a reserved address";
	if (bytes[0] == 127)
		return "a loopback address";
	if ((bytes[0] & 0xf0) == 224)
		return "a multicast address";
	if (bytes[0] == 255 && bytes[1] == 255 && bytes[2] == 255 && bytes[3] == 255)
		return "a broadcast address";
	if (bytes[0] >= 240)
		return "a reserved address";
	return NULL;
}

static const char *ipv6_unusable(const struct in6_addr *addr)
{
	/* IPv4-compatible, RFC 4291 2.5.5.1: deprecated, never to be assigned again */
	static const struct prefix compatible = { IN6ADDR_ANY_INIT, 96 };

	if (address_equal(addr, &in6addr_loopback))
		return "a loopback address";
	if (addr->s6_addr[0] == 0xff)
		return "a multicast address";
	if (address_in_prefix(addr, &compatible))
		return "a reserved address";
	return NULL;
}

const char *address_unusable(const struct in6_addr *addr)
{
	if (address_is_any(addr))
		return "the unspecified address";
	if (address_is_link_local(addr))
		return "a link-local address";
	if (address_is_ipv4(addr))
		return ipv4_unusable(ipv4_bytes(addr));
	return ipv6_unusable(addr);
}
