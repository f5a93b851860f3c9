/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * intervals - prefixes as elements of interval sets and maps
 *
 * There an interval is two elements: its start, and marked as end the first value behind
 * it. The kernel refuses intervals that overlap.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/smallsets.h"

/* An IPv4 address is the last part of a v4-mapped one. */
static unsigned first_bit(bool ipv4)
{
	return ipv4 ? 96 : 0;
}

static void mask_address(struct in6_addr *addr, unsigned len)
{
	for (unsigned bit = len; bit < 128; bit++)
		addr->s6_addr[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
}

/* The first address behind the prefix; false when there is none. */
static bool address_behind(struct in6_addr *addr, unsigned len, bool ipv4)
{
	for (unsigned bit = len; bit-- > first_bit(ipv4);) {
		addr->s6_addr[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
		if (addr->s6_addr[bit / 8] & 0x80u >> bit % 8)
			return true;
	}
	return false;
}

/* Of equal prefixes the first stays. */
static bool is_covered(const struct prefix *prefixes, size_t n, size_t which)
{
	const struct prefix *p = &prefixes[which], *other;

	for (size_t i = 0; i < n; i++) {
		other = &prefixes[i];
		if (i == which || other->len > p->len ||
		    (other->len == p->len && i > which) ||
		    prefix_is_ipv4(other) != prefix_is_ipv4(p))
			continue;
		if (address_in_prefix(&p->addr, other))
			return true;
	}
	return false;
}

int want_intervals(struct keys *ret, const struct prefix *prefixes, size_t n, bool ipv4)
{
	size_t skip = first_bit(ipv4) / 8;
	struct in6_addr addr;

	for (size_t i = 0; i < n; i++) {
		if (prefix_is_ipv4(&prefixes[i]) != ipv4 || is_covered(prefixes, n, i))
			continue;
		addr = prefixes[i].addr;
		mask_address(&addr, prefixes[i].len);
		keys_add(ret, addr.s6_addr + skip, 16 - skip, 0);
		if (address_behind(&addr, prefixes[i].len, ipv4))
			keys_add(ret, addr.s6_addr + skip, 16 - skip,
				 NFT_SET_ELEM_INTERVAL_END);
	}
	return ret->error;
}

/* ------------------------------------------------------------------ longest prefix */

struct bounds {
	struct in6_addr *addrs;
	size_t n;
};

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in6_addr));
}

/* All places where another prefix may begin to be the longest. */
static int find_bounds(struct bounds *ret, const struct snat_list *list, bool ipv4)
{
	struct in6_addr addr;

	ret->addrs = reallocarray(NULL, 2 * list->n + 1, sizeof(addr));
	if (!ret->addrs)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const struct prefix *p = &list->snats[i].source;

		if (prefix_is_ipv4(p) != ipv4)
			continue;
		addr = p->addr;
		mask_address(&addr, p->len);
		ret->addrs[ret->n++] = addr;
		if (address_behind(&addr, p->len, ipv4))
			ret->addrs[ret->n++] = addr;
	}
	qsort(ret->addrs, ret->n, sizeof(addr), compare_addresses);
	return 0;
}

static const struct in6_addr *leads_to(const struct snat_list *list,
				       const struct in6_addr *source)
{
	const struct snat_list sources = { .snats = list->snats, .n = list->n };
	const struct snat *s;
	bool untranslated;

	s = snat_of(&sources, source, source, &untranslated);
	return s && !s->one_to_one ? &s->to : NULL;
}

int want_snats(struct keys *ret, const struct snat_list *list, bool ipv4)
{
	size_t skip = first_bit(ipv4) / 8, len = 16 - skip;
	const struct in6_addr *before = NULL, *to;
	struct bounds bounds = { 0 };
	int r = find_bounds(&bounds, list, ipv4);

	for (size_t i = 0; r == 0 && i < bounds.n; i++) {
		const uint8_t *at = bounds.addrs[i].s6_addr + skip;

		if (i && address_equal(&bounds.addrs[i], &bounds.addrs[i - 1]))
			continue;
		to = leads_to(list, &bounds.addrs[i]);
		if (before == to || (before && to && address_equal(before, to)))
			continue;
		if (before)
			keys_add(ret, at, len, NFT_SET_ELEM_INTERVAL_END);
		if (to)
			keys_add_more(ret, at, len, to->s6_addr + skip, len);
		before = to;
	}
	free(bounds.addrs);
	return r < 0 ? r : ret->error;
}
