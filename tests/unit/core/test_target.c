/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>

#include "core/cleanup.h"
#include "core/target.h"

struct right {
	const char *text, *addr, *lan;
	uint16_t first, last;
	bool suffix;
};

Test(target, is_read_as_people_write_it)
{
	static const struct right cases[] = {
		{ "192.168.1.10", "192.168.1.10", "", 0, 0, false },
		{ "192.168.1.10:80", "192.168.1.10", "", 80, 80, false },
		{ "192.168.1.10:8000-8003", "192.168.1.10", "", 8000, 8003, false },
		{ "2001:db8::10", "2001:db8::10", "", 0, 0, false },
		{ "[2001:db8::10]", "2001:db8::10", "", 0, 0, false },
		{ "[2001:db8::10]:443", "2001:db8::10", "", 443, 443, false },
		{ "[2001:db8::10]:1-65535", "2001:db8::10", "", 1, 65535, false },
		{ "::10", "::10", "", 0, 0, true },
		{ "::1:2:3:4", "::1:2:3:4", "", 0, 0, true },
		{ "::10%lan0", "::10", "lan0", 0, 0, true },
		{ "[::10]:443", "::10", "", 443, 443, true },
		{ "[::10%br-lan.5]:443-444", "::10", "br-lan.5", 443, 444, true },
		{ "::1", "::1", "", 0, 0, false },
		{ "::1%lan0", "::1", "lan0", 0, 0, true },
		{ "::", "::", "", 0, 0, false },
		{ "fd00::10", "fd00::10", "", 0, 0, false },
		{ "0:0:0:1::10", "::1:0:0:0:10", "", 0, 0, false },
	};
	char addr[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct right *c = &cases[i];
		struct target t;

		cr_expect_eq(target_parse(c->text, &t), 0, "%s", c->text);
		cr_expect_str_eq(address_format(&t.addr, addr), c->addr, "%s", c->text);
		cr_expect_str_eq(t.lan, c->lan, "%s", c->text);
		cr_expect_eq(t.ports.first, c->first, "%s", c->text);
		cr_expect_eq(t.ports.last, c->last, "%s", c->text);
		cr_expect_eq(t.suffix, c->suffix, "%s", c->text);
	}
}

Test(target, says_what_is_wrong_and_leaves_the_result_alone)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{ "", -EINVAL },
		{ "host", -EINVAL },
		{ "192.168.1.10:", -EINVAL },
		{ "192.168.1.10:http", -EINVAL },
		{ "192.168.1.10:0", -ERANGE },
		{ "192.168.1.10:65536", -ERANGE },
		{ "192.168.1.10:90-80", -EDOM },
		{ "[192.168.1.10]:80", -EINVAL },
		{ "[2001:db8::10", -EINVAL },
		{ "[2001:db8::10]443", -EINVAL },
		{ "[]:80", -EINVAL },
		{ "::10%", -EINVAL },
		{ "::10%interface-too-long", -EINVAL },
		{ "2001:db8::10%lan0", -EXDEV },
		{ "192.168.1.10%lan0", -EXDEV },
		{ "::%lan0", -EXDEV },
		{ "2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0010", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct target t = { .ports = { 7, 7 } };

		cr_expect_eq(target_parse(cases[i].text, &t), cases[i].error, "%s",
			     cases[i].text);
		cr_expect_eq(t.ports.first, 7, "%s", cases[i].text);
	}
}
