/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "core/snat.h"

static struct prefix prefix(const char *text)
{
	struct prefix p;

	cr_assert_eq(prefix_parse(text, &p), 0, "%s", text);
	return p;
}

static struct in6_addr address(const char *text)
{
	struct in6_addr a;

	cr_assert_eq(address_parse(text, &a), 0, "%s", text);
	return a;
}

static struct snat snats[4];
static struct prefix untranslated[2];
static const struct snat_list list = { snats, 4, untranslated, 2 };

static void fill(void)
{
	snats[0] =
		(struct snat){ prefix("192.168.0.0/16"), address("203.0.113.1"), false };
	snats[1] =
		(struct snat){ prefix("192.168.1.7/32"), address("203.0.113.2"), true };
	snats[2] =
		(struct snat){ prefix("192.168.1.0/24"), address("203.0.113.3"), false };
	snats[3] = (struct snat){ prefix("::/0"), address("2001:db8:f::4"), false };
	untranslated[0] = prefix("10.0.0.0/8");
	untranslated[1] = prefix("fd00::/8");
}

TestSuite(snat, .init = fill);

static const struct leaving {
	const char *source, *remote;
	int which; /* -1: masqueraded, -2: not translated */
} leavings[] = {
	{ "192.168.1.7", "198.51.100.1", 1 },  { "192.168.1.8", "198.51.100.1", 2 },
	{ "192.168.2.7", "198.51.100.1", 0 },  { "172.16.0.1", "198.51.100.1", -1 },
	{ "192.168.1.7", "10.1.2.3", -2 },     { "172.16.0.1", "10.1.2.3", -2 },
	{ "2001:db8::1", "2001:db8:1::1", 3 }, { "2001:db8::1", "fd01::1", -2 },
};

Test(snat, the_longest_source_decides_and_some_destinations_are_left_alone)
{
	for (size_t i = 0; i < ARRAY_SIZE(leavings); i++) {
		const struct leaving *l = &leavings[i];
		const struct in6_addr source = address(l->source),
				      remote = address(l->remote);
		bool not = false;
		const struct snat *s = snat_of(&list, &source, &remote, &not);

		cr_expect_eq(not, l->which == -2, "%s to %s", l->source, l->remote);
		cr_expect_eq(s, l->which < 0 ? NULL : &snats[l->which], "%s to %s",
			     l->source, l->remote);
	}
}

Test(snat, all_of_ipv6_is_nothing_of_ipv4)
{
	const struct snat_list six = { &snats[3], 1, &(struct prefix){ .len = 0 }, 1 };
	const struct in6_addr source = address("192.168.1.7"),
			      remote = address("198.51.100.1");
	bool not = true;

	cr_assert_null(snat_of(&six, &source, &remote, &not));
	cr_assert_not(not);
}

Test(snat, a_host_is_found_by_the_address_that_it_has_to_itself)
{
	const struct in6_addr own = address("203.0.113.2"),
			      shared = address("203.0.113.3");

	cr_assert_eq(snat_host(&list, &own), &snats[1].source.addr);
	cr_assert_null(snat_host(&list, &shared));
}

Test(snat, of_nothing_comes_nothing)
{
	const struct snat_list none = { 0 };
	const struct in6_addr source = address("192.168.1.7");
	bool not = true;

	cr_assert_null(snat_of(&none, &source, &source, &not));
	cr_assert_not(not);
	cr_assert_null(snat_host(&none, &source));
}
