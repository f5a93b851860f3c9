/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Ports as people write them: numbers, ranges, names of services, "auto".
 */

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cli/services.h"
#include "cli/values.h"

#define PORT_CURE "Give a number from 1 to 65535."

static bool is_zero(const char *text)
{
	return *text && strspn(text, "0") == strlen(text);
}

static int flaw_no_service(const char *text, const char *protocol, struct flaw *why)
{
	return flaw_set(
		why,
		"%.60s is no service%s%s that this machine's /etc/services knows. "
		"Give its number, from 1 to 65535.",
		text, *protocol ? " of " : "", protocol);
}

/* Of each protocol, and the same in all. */
static int read_service(const char *text, uint8_t protocols, uint16_t *ret,
			struct flaw *why)
{
	uint16_t port = 0, other;

	if (!protocols)
		return services_port(text, 0, ret) < 0 ? flaw_no_service(text, "", why)
						       : 0;
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		const char *name = protocol_name(protocol_at(i));

		if (!(protocols & 1u << i))
			continue;
		if (services_port(text, protocol_at(i), &other) < 0)
			return flaw_no_service(text, name, why);
		if (port && port != other)
			return flaw_set(
				why,
				"%s is port %u, but %u of %s. Give the number, or "
				"one protocol after the other.",
				text, port, other, name);
		port = other;
	}
	*ret = port;
	return 0;
}

static int flaw_reversed(const char *text, struct flaw *why)
{
	const char *dash = strchr(text, '-');

	return flaw_set(why, "%s runs backwards. Write %s-%.*s.", text, dash + 1,
			(int)(dash - text), text);
}

int value_ports(const char *text, uint8_t protocols, struct port_range *ret,
		struct flaw *why)
{
	int r = port_range_parse(text, ret);
	uint16_t port = 0;

	if (r == 0)
		return 0;
	if (is_zero(text) || !strcmp(text, "auto")) {
		*ret = (struct port_range){ 0 };
		return 0;
	}
	if (r == -EDOM)
		return flaw_reversed(text, why);
	if (r == -ERANGE && strchr(text, '-'))
		return flaw_set(
			why,
			"%s is no range of ports; they are from 1 to 65535. Write "
			"9000-9003.",
			text);
	if (r == -ERANGE)
		return flaw_set(why, "%s is no port. " PORT_CURE, text);
	if (!isalpha((unsigned char)text[0]))
		return flaw_set(why, "%s is not a port number. " PORT_CURE,
				*text ? text : "\"\"");
	if (read_service(text, protocols, &port, why) < 0)
		return -EINVAL;
	*ret = (struct port_range){ port, port };
	return 0;
}

int value_port(const char *text, uint8_t protocols, uint16_t *ret, struct flaw *why)
{
	struct port_range ports = { 0 };

	if (value_ports(text, protocols, &ports, why) < 0)
		return -EINVAL;
	if (!ports.first)
		return flaw_set(why, "%s is no port that is meant here. " PORT_CURE,
				text);
	if (ports.first != ports.last)
		return flaw_set(why, "%s is a range; one port of it is enough: %u.", text,
				ports.first);
	*ret = ports.first;
	return 0;
}
