/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/duration.h"

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static const char *shown(const char *text)
{
	return *text ? text : "\"\"";
}

int value_protocols(const char *text, uint8_t *ret_bits, struct flaw *why)
{
	if (protocols_parse(text, ret_bits) == 0)
		return 0;
	return flaw_set(
		why,
		"%s is no protocol that is forwarded. Use tcp, udp, sctp, udplite, "
		"or several of them: tcp,udp.",
		shown(text));
}

int value_name(const char *text, struct flaw *why)
{
	const char *flaw = mapping_name_flaw(text);

	if (!flaw)
		return 0;
	return flaw_set(why, "\"%.80s\" cannot be a name: %s", text, flaw);
}

int value_comment(const char *text, struct flaw *why)
{
	const char *flaw = mapping_comment_flaw(text);

	if (!flaw)
		return 0;
	return flaw_set(why, "\"%.160s\" cannot be a comment: %s", text, flaw);
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
				shown(text), (unsigned long long)max);
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

int value_lease(const char *text, uint32_t *ret, struct flaw *why)
{
	uint32_t seconds;
	int r = duration_parse(text, &seconds);

	if (r == -ERANGE || (r == 0 && seconds > MAPPING_LIFETIME_MAX))
		return flaw_set(why,
				"--lease %s: a lease is of at most 3650d (10 years). "
				"Without one a forward stays.",
				text);
	if (r < 0)
		return flaw_set(why,
				"--lease %s: that is no length of time. Write 90s, 15m, "
				"1h, 7d, 1w or 1h30m.",
				shown(text));
	*ret = seconds;
	return 0;
}

static void mask(struct prefix *prefix)
{
	for (unsigned int i = 0; i < 16; i++) {
		const unsigned int bits = prefix->len > 8 * i ? prefix->len - 8u * i : 0;

		if (bits < 8)
			prefix->addr.s6_addr[i] &= (uint8_t)(0xff00 >> bits);
	}
}

/* "198.51.100.7/24": which was meant? */
static int flaw_host_bits(const char *option, const char *text, struct flaw *why)
{
	const char *slash = strchr(text, '/');
	char addr[INET6_ADDRSTRLEN], right[PREFIX_STRLEN];
	struct prefix prefix;

	snprintf(addr, sizeof(addr), "%.*s", (int)(slash - text), text);
	if (prefix_parse(addr, &prefix) < 0)
		return -EINVAL;
	prefix.len = (uint8_t)(strtoul(slash + 1, NULL, 10) +
			       (address_is_ipv4(&prefix.addr) ? 96 : 0));
	mask(&prefix);
	return flaw_set(
		why,
		"%s %s: the address has bits behind its first %s. Write %s for the "
		"whole prefix, or %s for that address alone.",
		option, text, slash + 1, prefix_format(&prefix, right), addr);
}

int value_prefix(const char *option, const char *text, struct prefix *ret,
		 struct flaw *why)
{
	int r = prefix_parse(text, ret);

	if (r == -EDOM)
		return flaw_host_bits(option, text, why);
	if (r == -ERANGE)
		return flaw_set(
			why, "%s %s: the length of a prefix is at most 32, of IPv6 128.",
			option, text);
	if (r < 0)
		return flaw_set(why,
				"%s %s: that is no prefix. Write 198.51.100.0/24, "
				"198.51.100.7 or 2001:db8::/32.",
				option, shown(text));
	return 0;
}

int value_wish(const char *option, const char *text, uint8_t *ret, struct flaw *why)
{
	enum upstream_wish wish;

	if (upstream_wish_parse(text, &wish) < 0)
		return flaw_set(why, "%s %s: give default, yes, no or required.", option,
				shown(text));
	*ret = (uint8_t)wish;
	return 0;
}

int value_external(const char *text, struct in6_addr *ret, struct flaw *why)
{
	const char *unusable;
	struct in6_addr addr;

	if (address_parse(text, &addr) < 0)
		return flaw_set(why,
				"--at %s: that is no address. Give one of the WAN's, as "
				"203.0.113.7; the port stands before it.",
				shown(text));
	unusable = address_unusable(&addr);
	if (unusable)
		return flaw_set(
			why,
			"--at %s: that is %s. Give an address of the WAN, or leave "
			"--at out for any of them.",
			text, unusable);
	*ret = addr;
	return 0;
}
