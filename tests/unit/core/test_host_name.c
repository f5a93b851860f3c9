/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/host_name.h"

#define PART_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define NAME_253                                                                         \
	PART_63 "." PART_63 "." PART_63 "."                                              \
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg"

Test(host_name, what_a_host_can_be_called)
{
	static const char *const names[] = {
		"stun.example.org",   "stun.example.org.",
		"STUN-1.Example.ORG", "gateway",
		"3.example.org",      "xn--bcher-kva.example",
		PART_63 ".org",	      NAME_253,
		NAME_253 ".",	      "a",
	};

	cr_assert_eq(strlen(NAME_253), HOST_NAME_MAX_LEN);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_null(host_name_flaw(names[i]), "%s: %s", names[i],
			       host_name_flaw(names[i]));
}

Test(host_name, what_not_and_why)
{
	static const struct {
		const char *text, *flaw;
	} cases[] = {
		{ "", "it is empty" },
		{ "stun_1.example.org", "it has other characters" },
		{ "b\xc3\xbc"
		  "cher.example",
		  "it has other characters" },
		{ "stun example.org", "it has other characters" },
		{ "http://stun.example.org/", "it has other characters" },
		{ "[stun.example.org]", "it has other characters" },
		{ ".", "it has a dot without a name before it" },
		{ ".example.org", "it has a dot without a name before it" },
		{ "stun..example.org", "it has a dot without a name before it" },
		{ "stun.example.org..", "it has a dot without a name before it" },
		{ "-stun.example.org", "begins or ends with a hyphen" },
		{ "stun-.example.org", "begins or ends with a hyphen" },
		{ "stun.example.org-", "begins or ends with a hyphen" },
		{ PART_63 "h.example.org", "longer than 63 characters" },
		{ NAME_253 "h", "longer than 253 characters" },
		{ NAME_253 "h.", "longer than 253 characters" },
		{ "192.168.1", "its last part is a number" },
		{ "300.1.1.1", "its last part is a number" },
		{ "300.1.1.1.", "its last part is a number" },
		{ "3478", "its last part is a number" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *flaw = host_name_flaw(cases[i].text);

		cr_expect(flaw && strstr(flaw, cases[i].flaw), "\"%s\": %s",
			  cases[i].text, flaw ? flaw : "none");
	}
}
