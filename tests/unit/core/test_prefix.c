/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/conditions.h"
#include "said.h"

Test(prefix, what_is_written_reads_back)
{
	static const struct {
		const char *text, *canonical;
		uint8_t len;
		bool ipv4;
	} cases[] = {
		{ "198.51.100.0/24", "198.51.100.0/24", 120, true },
		{ "0.0.0.0/0", "0.0.0.0/0", 96, true },
		{ "198.51.100.7/32", "198.51.100.7/32", 128, true },
		{ "198.51.100.7", "198.51.100.7/32", 128, true },
		{ "198.51.100.0/024", "198.51.100.0/24", 120, true },
		{ "::/0", "::/0", 0, false },
		{ "2001:db8::/32", "2001:db8::/32", 32, false },
		{ "2001:db8:8000::/33", "2001:db8:8000::/33", 33, false },
		{ "2001:DB8::1", "2001:db8::1/128", 128, false },
		{ "2001:1111:2222:3333:4444:5555:6666:7777/128",
		  "2001:1111:2222:3333:4444:5555:6666:7777/128", 128, false },
	};
	char buf[PREFIX_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = said_prefix(cases[i].text), again;

		cr_expect_eq(prefix.len, cases[i].len, "%s", cases[i].text);
		cr_expect_eq(prefix_is_ipv4(&prefix), cases[i].ipv4, "%s", cases[i].text);
		cr_expect_str_eq(prefix_format(&prefix, buf), cases[i].canonical);
		again = said_prefix(buf);
		cr_expect(prefix_equal(&prefix, &again), "%s", buf);
	}
}

Test(prefix, text_that_is_no_prefix_is_refused_and_ret_untouched)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "", -EINVAL },
		{ "/24", -EINVAL },
		{ "198.51.100.0/", -EINVAL },
		{ "198.51.100.0/x", -EINVAL },
		{ "198.51.100.0/-1", -EINVAL },
		{ "198.51.100.0/2 4", -EINVAL },
		{ "198.51.100.0/24/24", -EINVAL },
		{ "198.51.100/24", -EINVAL },
		{ "[2001:db8::]/32", -EINVAL },
		{ "::ffff:198.51.100.0/120", -EINVAL },
		{ "2001:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64", -EINVAL },
		{ "198.51.100.0/33", -ERANGE },
		{ "198.51.100.0/99999999999999999999", -ERANGE },
		{ "2001:db8::/129", -ERANGE },
		{ "198.51.100.7/24", -EDOM },
		{ "198.51.100.1/0", -EDOM },
		{ "198.51.100.128/24", -EDOM },
		{ "2001:db8::1/127", -EDOM },
		{ "2001:db8:8000::/32", -EDOM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = { .len = 7 };

		cr_expect_eq(prefix_parse(cases[i].text, &prefix), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(prefix.len, 7, "%s", cases[i].text);
	}
}

Test(prefix, equal_is_address_and_length)
{
	struct prefix a = said_prefix("10.0.0.0/8"), b = a;

	cr_expect(prefix_equal(&a, &b));
	b.len++;
	cr_expect_not(prefix_equal(&a, &b));
	b = said_prefix("11.0.0.0/8");
	cr_expect_not(prefix_equal(&a, &b));
}

Test(port_range, reads_one_port_or_two)
{
	static const struct {
		const char *text;
		int r;
		uint16_t first, last;
	} cases[] = {
		{ "8080", 0, 8080, 8080 },
		{ "9000-9003", 0, 9000, 9003 },
		{ "9000-9000", 0, 9000, 9000 },
		{ "1-65535", 0, 1, 65535 },
		{ "", -EINVAL, 7, 7 },
		{ "-", -EINVAL, 7, 7 },
		{ "9000-", -EINVAL, 7, 7 },
		{ "-9000", -EINVAL, 7, 7 },
		{ "9000--9003", -EINVAL, 7, 7 },
		{ "9000-9003-9005", -EINVAL, 7, 7 },
		{ "9000 - 9003", -EINVAL, 7, 7 },
		{ "9000:9003", -EINVAL, 7, 7 },
		{ "http", -EINVAL, 7, 7 },
		{ "0-x", -EINVAL, 7, 7 },
		{ "x-0", -EINVAL, 7, 7 },
		{ "0", -ERANGE, 7, 7 },
		{ "0-10", -ERANGE, 7, 7 },
		{ "10-0", -ERANGE, 7, 7 },
		{ "1-65536", -ERANGE, 7, 7 },
		{ "70000-80000", -ERANGE, 7, 7 },
		{ "9003-9000", -EDOM, 7, 7 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_range range = { 7, 7 };

		cr_expect_eq(port_range_parse(cases[i].text, &range), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(range.first, cases[i].first, "%s", cases[i].text);
		cr_expect_eq(range.last, cases[i].last, "%s", cases[i].text);
	}
}

Test(address_list, has_what_is_in_it)
{
	const struct in6_addr addrs[] = { said_address("203.0.113.5"),
					  said_address("2001:db8::5") };
	const struct address_list list = { addrs, ARRAY_SIZE(addrs) }, none = { 0 };
	const struct in6_addr other = said_address("203.0.113.6");

	cr_expect(address_list_has(&list, &addrs[0]));
	cr_expect(address_list_has(&list, &addrs[1]));
	cr_expect_not(address_list_has(&list, &other));
	cr_expect_not(address_list_has(&none, &other));
}

Test(lan_prefix, the_only_lan_needs_no_name)
{
	const struct lan_prefix lans[] = { { .lan = "lan0" }, { .lan = "lan1" } };
	const struct lan_prefix_list two = { lans, 2 }, one = { lans, 1 }, none = { 0 };

	cr_expect_eq(lan_prefix_find(&two, "lan0"), &lans[0]);
	cr_expect_eq(lan_prefix_find(&two, "lan1"), &lans[1]);
	cr_expect_null(lan_prefix_find(&two, "lan2"));
	cr_expect_null(lan_prefix_find(&two, ""));
	cr_expect_eq(lan_prefix_find(&one, ""), &lans[0]);
	cr_expect_null(lan_prefix_find(&one, "lan1"));
	cr_expect_null(lan_prefix_find(&none, ""));
	cr_expect_null(lan_prefix_find(&none, "lan0"));
}
