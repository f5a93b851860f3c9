/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_CURE "Give a number from 1 to 65535."

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_range(const char *text)
{
	size_t first = strspn(text, "0123456789");

	return first && text[first] == '-' && is_number(text + first + 1);
}

static bool is_zero(const char *text)
{
	return *text && strspn(text, "0") == strlen(text);
}

int value_port(const char *text, uint16_t *ret, struct flaw *why)
{
	if (port_parse(text, ret) == 0)
		return 0;
	if (is_zero(text))
		return flaw_set(why, "port 0: automatic ports are not available in this "
				     "version. " PORT_CURE);
	if (is_range(text))
		return flaw_set(
			why,
			"%s: ranges of ports are not available in this version. " PORT_CURE,
			text);
	if (is_number(text))
		return flaw_set(why, "%s is no port. " PORT_CURE, text);
	return flaw_set(why, "%s is not a port number. " PORT_CURE,
			*text ? text : "\"\"");
}

int value_protocols(const char *text, uint8_t *ret_bits, struct flaw *why)
{
	if (protocols_parse(text, ret_bits) == 0)
		return 0;
	return flaw_set(why,
			"%s is no protocol that is forwarded. Use tcp, udp or tcp,udp.",
			*text ? text : "\"\"");
}

int value_name(const char *text, struct flaw *why)
{
	const char *flaw = mapping_name_flaw(text);

	if (!flaw)
		return 0;
	return flaw_set(why, "\"%.80s\" cannot be a name: %s", text, flaw);
}

int value_id(const char *text, uint64_t *ret, struct flaw *why)
{
	unsigned long long id;

	errno = 0;
	id = is_number(text) ? strtoull(text, NULL, 10) : 0;
	if (!id || errno)
		return flaw_set(why, "%s is no ID. See: natctl list", text);
	*ret = id;
	return 0;
}

int value_count(const char *option, const char *text, uint64_t max, uint64_t *ret,
		struct flaw *why)
{
	unsigned long long n;

	errno = 0;
	n = is_number(text) ? strtoull(text, NULL, 10) : 0;
	if (n < 1 || n > max || errno)
		return flaw_set(why, "%s %s: give a number from 1 to %llu.", option,
				*text ? text : "\"\"", (unsigned long long)max);
	*ret = n;
	return 0;
}

int value_timeout(const char *text, unsigned int *ret, struct flaw *why)
{
	unsigned long seconds =
		is_number(text) && strlen(text) < 9 ? strtoul(text, NULL, 10) : 0;

	if (seconds < 1 || seconds > 86400)
		return flaw_set(why,
				"--timeout %s: give a number of seconds from 1 to 86400.",
				text);
	*ret = (unsigned int)seconds;
	return 0;
}

/* a target taken apart; @port NULL = none was written */
struct parts {
	char addr[INET6_ADDRSTRLEN];
	const char *port;
	bool bracketed;
};

static int take_apart(const char *text, struct parts *ret)
{
	const char *addr = text, *end, *colon = strchr(text, ':');
	struct parts parts = { .bracketed = *text == '[' };

	if (parts.bracketed) {
		addr++;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		parts.port = end[1] ? end + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		end = colon;
		parts.port = colon + 1;
	} else {
		end = text + strlen(text);
	}
	if ((size_t)(end - addr) >= sizeof(parts.addr))
		return -EINVAL;
	memcpy(parts.addr, addr, (size_t)(end - addr));
	*ret = parts;
	return 0;
}

int value_target(const char *text, struct endpoint *ret, struct flaw *why)
{
	struct parts parts;
	struct endpoint e = { 0 };

	if (take_apart(text, &parts) < 0 || address_parse(parts.addr, &e.addr) < 0 ||
	    (parts.bracketed && address_is_ipv4(&e.addr)))
		return flaw_set(
			why,
			"%s is no address. Write 192.168.1.10:80, 192.168.1.10 or "
			"[2001:db8::10]:443.",
			*text ? text : "\"\"");
	if (parts.port && value_port(parts.port, &e.port, why) < 0)
		return -EINVAL;
	*ret = e;
	return 0;
}

int value_host(const char *text, struct endpoint *ret, struct flaw *why)
{
	char addr[INET6_ADDRSTRLEN];
	const char *unusable;
	struct endpoint e;

	if (value_target(text, &e, why) < 0)
		return -EINVAL;
	unusable = address_unusable(&e.addr);
	if (unusable)
		return flaw_set(why, "%s is %s. Give the address of a host on the LAN.",
				address_format(&e.addr, addr), unusable);
	*ret = e;
	return 0;
}
