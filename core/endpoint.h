/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * endpoint - an IP address and a transport port
 *
 * The word is that of RFC 4787 and RFC 5382. A mapping has two endpoints, one
 * internal and one external; this module knows of neither role. IPv4 addresses
 * are kept v4-mapped (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that comparing and
 * hashing never ask for the family.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct endpoint - where packets go
 * @addr: address in network byte order, IPv4 as v4-mapped
 * @port: transport port, host byte order; 0 stands for "none given"
 *
 * A plain value: copy it, compare it with endpoint_equal(), nothing to free.
 */
struct endpoint {
	struct in6_addr addr;
	uint16_t port;
};

/** struct prefix - an address and the number of its leading bits that count (0..128,
 * for IPv4 96 + the length people write) */
struct prefix {
	struct in6_addr addr;
	uint8_t len;
};

/* address "/128" and NUL */
#define PREFIX_STRLEN (INET6_ADDRSTRLEN + 4)

/* "[" address "]:65535" and NUL */
#define ENDPOINT_STRLEN (INET6_ADDRSTRLEN + 8)

/** struct address_list - addresses, borrowed */
struct address_list {
	const struct in6_addr *addrs;
	size_t n;
};

bool address_list_has(const struct address_list *list, const struct in6_addr *addr);

/* "Any WAN address" of one family: the external address of most mappings. */
extern const struct in6_addr address_any4; /* ::ffff:0.0.0.0 */
extern const struct in6_addr address_any6; /* :: */

/**
 * address_parse() - read "192.168.1.10" or "2001:db8::1" (no brackets, no zone)
 * @text: NUL-terminated; leading zeros in IPv4, blanks and trailing text are errors
 * @ret:  written on success only
 *
 * Return: 0, or -EINVAL.
 */
int address_parse(const char *text, struct in6_addr *ret);

/** address_format() - the canonical text (RFC 5952 for IPv6); returns @buf */
const char *address_format(const struct in6_addr *addr,
			   char buf[static INET6_ADDRSTRLEN]);

/**
 * port_parse() - read a port number, decimal digits only
 *
 * Return: 0; -EINVAL when @text is no number; -ERANGE when it is not 1..65535.
 */
int port_parse(const char *text, uint16_t *ret);

/**
 * endpoint_parse() - read "192.168.1.10:80" or "[2001:db8::1]:80"
 * @text: a missing port, a port 0 or trailing text is an error
 * @ret:  written on success only
 *
 * Return: 0; -EINVAL when @text is no endpoint; -ERANGE when its port is not 1..65535.
 */
int endpoint_parse(const char *text, struct endpoint *ret);

/** endpoint_format() - the text endpoint_parse() reads; returns @buf */
const char *endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_STRLEN]);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

bool address_equal(const struct in6_addr *a, const struct in6_addr *b);
bool address_is_ipv4(const struct in6_addr *addr);
bool address_is_any(const struct in6_addr *addr);	 /* one of the two above */
bool address_is_ula(const struct in6_addr *addr);	 /* fc00::/7, RFC 4193 */
bool address_is_link_local(const struct in6_addr *addr); /* fe80::/10, 169.254/16 */
bool address_in_prefix(const struct in6_addr *addr, const struct prefix *prefix);

/**
 * prefix_parse() - read "198.51.100.0/24", "2001:db8::/32", or an address alone, which
 * stands for itself
 *
 * Return: 0; -EINVAL when @text is no prefix; -ERANGE when its length is over 32 or 128;
 * -EDOM when bits behind the length are set ("198.51.100.7/24" is one typing error away
 * from meaning something else).
 */
int prefix_parse(const char *text, struct prefix *ret);
/** prefix_format() - the text that prefix_parse() reads, always with a length; returns
 * @buf */
const char *prefix_format(const struct prefix *prefix, char buf[static PREFIX_STRLEN]);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/** prefix_is_ipv4() - 0.0.0.0/0 is, ::/0 is not */
bool prefix_is_ipv4(const struct prefix *prefix);

/** struct port_range - ports from @first to @last, both included, host byte order */
struct port_range {
	uint16_t first, last;
};

/**
 * port_range_parse() - read "8080" or "9000-9003"
 *
 * Return: 0; -EINVAL when @text is neither; -ERANGE when a port is not 1..65535; -EDOM
 * when the last is below the first.
 */
int port_range_parse(const char *text, struct port_range *ret);

/**
 * address_unusable() - why packets cannot be sent on to @addr
 *
 * Return: NULL when @addr can be the internal address of a mapping, else a borrowed
 * phrase that ends the sentence "192.0.2.1 is ...": "a multicast address",
 * "a loopback address", "the unspecified address", "a link-local address",
 * "a broadcast address", "a reserved address" (240/4, 0/8).
 */
const char *address_unusable(const struct in6_addr *addr);
