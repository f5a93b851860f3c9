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

/* inet_ntop() would write ::beef:10 as "::190.239.0.16". RFC 5952 section 5 wants dots
 * only in prefixes known for it, and this is how the suffix of a host looks. */
static bool would_have_dots(const struct in6_addr *addr)
{
	static const struct prefix compatible = { IN6ADDR_ANY_INIT, 96 };

	return address_in_prefix(addr, &compatible) &&
	       (addr->s6_addr[12] || addr->s6_addr[13]);
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
	else if (would_have_dots(addr))
		snprintf(buf, INET6_ADDRSTRLEN, "::%x:%x", ntohs(addr->s6_addr16[6]),
			 ntohs(addr->s6_addr16[7]));
	else
		inet_ntop(AF_INET6, addr, buf, INET6_ADDRSTRLEN);
	return buf;
}

/* @len digits, and nothing else; how many of them does not matter, their value does. */
static int digits_parse(const char *text, size_t len, unsigned int max, unsigned int *ret)
{
	unsigned int value = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		/* past max it stays there: what follows may still be no digit */
		if (value <= max)
			value = value * 10 + (unsigned int)(text[i] - '0');
	}
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

static int port_parse_len(const char *text, size_t len, uint16_t *ret)
{
	unsigned int port;
	int r;

	r = digits_parse(text, len, UINT16_MAX, &port);
	if (r < 0)
		return r;
	if (port == 0)
		return -ERANGE;
	*ret = (uint16_t)port;
	return 0;
}

int port_parse(const char *text, uint16_t *ret)
{
	return port_parse_len(text, strlen(text), ret);
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

bool address_list_has(const struct address_list *list, const struct in6_addr *addr)
{
	for (size_t i = 0; i < list->n; i++) {
		if (address_equal(&list->addrs[i], addr))
			return true;
	}
	return false;
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

/* Bits of an address in front of those that people count. */
static unsigned int uncounted(const struct in6_addr *addr)
{
	return address_is_ipv4(addr) ? IPV4_MARK * 8 : 0;
}

static bool is_set_behind(const struct prefix *prefix)
{
	for (unsigned int bit = prefix->len; bit < 128; bit++) {
		if (prefix->addr.s6_addr[bit / 8] & (0x80 >> bit % 8))
			return true;
	}
	return false;
}

int prefix_parse(const char *text, struct prefix *ret)
{
	const char *slash = strchrnul(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct prefix prefix;
	unsigned int len, before;
	int r;

	if (slash - text >= INET6_ADDRSTRLEN)
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	r = address_parse(address, &prefix.addr);
	if (r < 0)
		return r;
	before = uncounted(&prefix.addr);
	len = 128 - before;
	if (*slash) {
		r = digits_parse(slash + 1, strlen(slash + 1), len, &len);
		if (r < 0)
			return r;
	}
	prefix.len = (uint8_t)(before + len);
	if (is_set_behind(&prefix))
		return -EDOM;
	*ret = prefix;
	return 0;
}

const char *prefix_format(const struct prefix *prefix, char buf[static PREFIX_STRLEN])
{
	const unsigned int before = prefix_is_ipv4(prefix) ? IPV4_MARK * 8 : 0;
	char address[INET6_ADDRSTRLEN];

	snprintf(buf, PREFIX_STRLEN, "%s/%u", address_format(&prefix->addr, address),
		 prefix->len - before);
	return buf;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && address_equal(&a->addr, &b->addr);
}

bool prefix_is_ipv4(const struct prefix *prefix)
{
	return prefix->len >= IPV4_MARK * 8 && address_is_ipv4(&prefix->addr);
}

int port_range_parse(const char *text, struct port_range *ret)
{
	const char *dash = strchrnul(text, '-');
	struct port_range range;
	int r, r_last = 0;

	r = port_parse_len(text, (size_t)(dash - text), &range.first);
	if (*dash)
		r_last = port_parse(dash + 1, &range.last);
	if (r == -EINVAL || r_last == -EINVAL)
		return -EINVAL;
	if (r < 0 || r_last < 0)
		return -ERANGE;
	if (!*dash)
		range.last = range.first;
	if (range.last < range.first)
		return -EDOM;
	*ret = range;
	return 0;
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
