/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "core/target.h"

#include <errno.h>
#include <string.h>

/**
 * struct pieces - of the text, none of them NUL-terminated but @ports
 * @lan, @ports: NULL where there is none
 */
struct pieces {
	const char *addr, *lan, *ports;
	size_t addr_len, lan_len;
};

/* "[2001:db8::10%lan0]:443" */
static int split_brackets(const char *text, struct pieces *ret)
{
	const char *end = strchr(text, ']');

	if (!end || (end[1] && end[1] != ':'))
		return -EINVAL;
	ret->addr = text + 1;
	ret->addr_len = (size_t)(end - ret->addr);
	ret->ports = end[1] ? end + 2 : NULL;
	return memchr(ret->addr, ':', ret->addr_len) ? 0 : -EINVAL;
}

/* With one colon it parts address and port, with more they are the address's own. */
static void split_bare(const char *text, struct pieces *ret)
{
	const char *first = strchr(text, ':'), *last = strrchr(text, ':');

	ret->addr = text;
	ret->addr_len = strlen(text);
	if (!first || first != last)
		return;
	ret->addr_len = (size_t)(first - text);
	ret->ports = first + 1;
}

static int split(const char *text, struct pieces *ret)
{
	const char *percent;
	int r = 0;

	*ret = (struct pieces){ 0 };
	if (text[0] == '[')
		r = split_brackets(text, ret);
	else
		split_bare(text, ret);
	if (r < 0)
		return r;
	percent = memchr(ret->addr, '%', ret->addr_len);
	if (!percent)
		return 0;
	ret->lan = percent + 1;
	ret->lan_len = ret->addr_len - (size_t)(ret->lan - ret->addr);
	ret->addr_len = (size_t)(percent - ret->addr);
	return ret->lan_len > 0 && ret->lan_len < IFNAMSIZ ? 0 : -EINVAL;
}

static bool has_prefix(const struct in6_addr *addr)
{
	static const uint8_t zero[8];

	return memcmp(addr->s6_addr, zero, sizeof(zero)) != 0;
}

static bool is_loopback(const struct in6_addr *addr)
{
	return IN6_IS_ADDR_LOOPBACK(addr);
}

static bool is_suffix(const struct in6_addr *addr, bool lan_named)
{
	if (address_is_ipv4(addr) || has_prefix(addr) || address_is_any(addr))
		return false;
	return lan_named || !is_loopback(addr);
}

static int take_address(const struct pieces *p, struct target *ret)
{
	char text[INET6_ADDRSTRLEN];

	if (p->addr_len >= sizeof(text))
		return -EINVAL;
	memcpy(text, p->addr, p->addr_len);
	text[p->addr_len] = '\0';
	if (address_parse(text, &ret->addr) < 0)
		return -EINVAL;
	ret->suffix = is_suffix(&ret->addr, p->lan);
	if (p->lan && !ret->suffix)
		return -EXDEV;
	if (p->lan)
		memcpy(ret->lan, p->lan, p->lan_len);
	return 0;
}

int target_parse(const char *text, struct target *ret)
{
	struct target target = { 0 };
	struct pieces p;
	int r;

	r = split(text, &p);
	if (r == 0)
		r = take_address(&p, &target);
	if (r == 0 && p.ports)
		r = port_range_parse(p.ports, &target.ports);
	if (r == 0)
		*ret = target;
	return r;
}
