/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mapping.h"
#include "heap.h"
#include "said.h"

DEFINE_CLEANUP(details_unref, struct details *)

static struct details *details(const char *lan, const char *comment, const char *remotes)
{
	struct prefix prefixes[8];
	char copy[256], *word, *rest = copy;
	struct details *d = NULL;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", remotes);
	while (*copy && (word = strsep(&rest, ",")))
		prefixes[n++] = said_prefix(word);
	cr_assert_eq(details_new(lan, comment, prefixes, n, &d), 0);
	return d;
}

Test(details, where_there_is_nothing_to_keep_there_are_none)
{
	const size_t blocks = heap_blocks();
	struct details *d = (struct details *)&d;

	cr_expect_eq(details_new("", "", NULL, 0, &d), 0);
	cr_expect_null(d);
	cr_expect_eq(heap_blocks(), blocks);
}

Test(details, each_alone_is_worth_keeping)
{
	CLEANUP(details_unref) struct details *lan = details("lan0", "", "");
	CLEANUP(details_unref) struct details *comment = details("", "why", "");
	CLEANUP(details_unref) struct details *remotes = details("", "", "10.0.0.0/8");

	cr_assert(lan && comment && remotes);
	cr_expect_str_eq(lan->lan, "lan0");
	cr_expect_str_eq(lan->comment, "");
	cr_expect_str_eq(comment->comment, "why");
	cr_expect_eq(comment->n_remotes, 0);
	cr_expect_eq(remotes->n_remotes, 1);
	cr_expect_eq(remotes->remotes[0].len, 96 + 8);
}

Test(details, remotes_are_sorted_and_none_is_twice)
{
	CLEANUP(details_unref)
	struct details *a = details("", "", "10.0.0.0/8,9.0.0.0/8,10.0.0.0/9,9.0.0.0/8");
	CLEANUP(details_unref)
	struct details *b = details("", "", "10.0.0.0/9,10.0.0.0/8,9.0.0.0/8");
	static const char *const sorted[] = { "9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/9" };
	char buf[PREFIX_STRLEN];

	cr_assert_eq(a->n_remotes, ARRAY_SIZE(sorted));
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		cr_expect_str_eq(prefix_format(&a->remotes[i], buf), sorted[i]);
	cr_expect(details_equal(a, b));
}

Test(details, sixty_four_different_remotes_and_no_more)
{
	struct prefix remotes[2 * MAPPING_REMOTES_MAX + 1];
	const size_t blocks = heap_blocks();
	struct details *d = NULL, *untouched = (struct details *)&d;

	for (size_t i = 0; i < ARRAY_SIZE(remotes); i++) {
		remotes[i] = said_prefix("10.0.0.0/32");
		remotes[i].addr.s6_addr[15] = (uint8_t)(i % MAPPING_REMOTES_MAX);
	}
	cr_assert_eq(details_new("", "", remotes, 2 * MAPPING_REMOTES_MAX, &d), 0);
	cr_expect_eq(d->n_remotes, MAPPING_REMOTES_MAX);
	details_unref(d);

	remotes[2 * MAPPING_REMOTES_MAX].addr.s6_addr[15] = 200;
	cr_expect_eq(details_new("", "", remotes, ARRAY_SIZE(remotes), &untouched),
		     -E2BIG);
	cr_expect_eq(untouched, (struct details *)&d);
	cr_expect_eq(heap_blocks(), blocks);
}

Test(details, without_memory_ret_is_untouched)
{
	const struct prefix remote = said_prefix("10.0.0.0/8");
	struct details *d = (struct details *)&d;

	heap_fail_at(1);
	cr_expect_eq(details_new("lan0", "why", &remote, 1, &d), -ENOMEM);
	heap_fail_at(0);
	cr_expect_eq(d, (struct details *)&d);
}

Test(details, equal_is_what_is_in_them)
{
	static const struct {
		const char *lan, *comment, *remotes;
	} cases[] = {
		{ "lan0", "why", "10.0.0.0/8,11.0.0.0/8" },
		{ "lan1", "why", "10.0.0.0/8,11.0.0.0/8" },
		{ "lan0", "who", "10.0.0.0/8,11.0.0.0/8" },
		{ "lan0", "why", "10.0.0.0/8,11.0.0.0/9" },
		{ "lan0", "why", "10.0.0.0/8" },
		{ "", "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(details_unref)
		struct details *a =
			details(cases[i].lan, cases[i].comment, cases[i].remotes);

		for (size_t j = 0; j < ARRAY_SIZE(cases); j++) {
			CLEANUP(details_unref)
			struct details *b =
				details(cases[j].lan, cases[j].comment, cases[j].remotes);

			cr_expect_eq(details_equal(a, b), i == j, "%zu and %zu", i, j);
		}
	}
}

Test(details, go_with_their_last_reference)
{
	const size_t blocks = heap_blocks();
	struct details *d = details("lan0", "", "");

	cr_expect_eq(details_ref(d), d);
	details_unref(d);
	cr_expect_eq(heap_blocks(), blocks + 1);
	cr_expect_str_eq(d->lan, "lan0");
	details_unref(d);
	cr_expect_eq(heap_blocks(), blocks);
	details_unref(NULL);
	cr_expect_null(details_ref(NULL));
}
