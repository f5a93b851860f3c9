/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Internal hosts as people write them.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/values.h"

#define TARGET_STRLEN 128

/* Where the ports start in "host:ports" and "[host]:ports"; NULL = there are none. */
static const char *ports_of(const char *text)
{
	const char *colon = strchr(text, ':'), *end = strchr(text, ']');

	if (*text == '[')
		return end && end[1] == ':' ? end + 2 : NULL;
	return colon && !strchr(colon + 1, ':') ? colon + 1 : NULL;
}

static int flaw_target(const char *text, struct flaw *why)
{
	return flaw_set(why,
			"%s is no address. Write 192.168.1.10:80, 192.168.1.10 or "
			"[2001:db8::10]:443.",
			*text ? text : "\"\"");
}

/* Is @text a host, but for its ports? */
static int read_host(const char *text, const char *ports, struct target *ret,
		     struct flaw *why)
{
	const size_t len = ports ? (size_t)(ports - text - 1) : strlen(text);
	char host[TARGET_STRLEN];
	int r;

	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	r = len < sizeof(host) ? target_parse(host, ret) : -EINVAL;
	if (r == -EXDEV)
		return flaw_set(why,
				"%s: a LAN is named with a host suffix alone, as "
				"[::10%%lan0]:443. Leave out what follows the %%.",
				text);
	return r < 0 ? flaw_target(text, why) : 0;
}

int value_target(const char *text, uint8_t protocols, struct target *ret,
		 struct flaw *why)
{
	const char *ports = ports_of(text);
	struct target target = { 0 };

	if (read_host(text, ports, &target, why) < 0)
		return -EINVAL;
	if (ports && value_ports(ports, protocols, &target.ports, why) < 0)
		return -EINVAL;
	if (ports && !target.ports.first)
		return flaw_set(
			why,
			"%s: the port inside cannot be chosen. Give its number, or "
			"leave it out.",
			text);
	*ret = target;
	return 0;
}

int value_host(const char *text, uint8_t protocols, struct target *ret, struct flaw *why)
{
	char addr[INET6_ADDRSTRLEN];
	const char *unusable;
	struct target target = { 0 };

	if (value_target(text, protocols, &target, why) < 0)
		return -EINVAL;
	unusable = target.suffix ? NULL : address_unusable(&target.addr);
	if (unusable)
		return flaw_set(why, "%s is %s. Give the address of a host on the LAN.",
				address_format(&target.addr, addr), unusable);
	*ret = target;
	return 0;
}
