/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cli/upstream.h"

static struct upstream_view view_of(enum upstream_state state, const char *external,
				    const char *why)
{
	struct upstream_view view = { .state = state };

	if (external)
		cr_assert_eq(endpoint_parse(external, &view.external), 0);
	snprintf(view.why, sizeof(view.why), "%s", why);
	return view;
}

Test(upstream, the_longest_endpoint_fits_into_a_cell)
{
	static const char longest[] = "[1111:2222:3333:4444:5555:6666:7777:8888]:65534";
	const struct mapping m = { .n_ports = 2 };
	const struct upstream_view view = view_of(UPSTREAM_STATE_MAPPED, longest, "");
	char buf[UPSTREAM_CELL_STRLEN];

	cr_expect_str_eq(upstream_cell(&m, &view, buf),
			 "[1111:2222:3333:4444:5555:6666:7777:8888]:65534-65535");
}

Test(upstream, an_endpoint_counts_only_while_it_is_mapped)
{
	const struct mapping m = { .n_ports = 1 };
	char buf[UPSTREAM_CELL_STRLEN];

	for (int state = 0; state < UPSTREAM_STATES; state++) {
		const struct upstream_view view =
			view_of((enum upstream_state)state, "51.15.0.9:80", "");
		const bool seen = state == UPSTREAM_STATE_MAPPED;

		cr_expect_eq(upstream_is_seen(&view), seen);
		cr_expect_eq(strcmp(upstream_cell(&m, &view, buf), "51.15.0.9:80") == 0,
			     seen, "%s", buf);
	}
}

Test(upstream, each_state_is_a_problem_or_not)
{
	static const struct {
		bool missing, problem;
	} right[UPSTREAM_STATES] = {
		[UPSTREAM_STATE_OFF] = { true, true },
		[UPSTREAM_STATE_NO_ROUTER] = { true, false },
		[UPSTREAM_STATE_ASKING] = { true, false },
		[UPSTREAM_STATE_MAPPED] = { false, false },
		[UPSTREAM_STATE_REFUSED] = { true, true },
		[UPSTREAM_STATE_UNANSWERED] = { true, true },
	};
	const struct mapping required = { .enabled = true,
					  .upstream = UPSTREAM_REQUIRED };
	const struct mapping plain = { .enabled = true };
	const struct mapping disabled = { .upstream = UPSTREAM_YES };
	const struct mapping wished = { .enabled = true, .upstream = UPSTREAM_YES };
	const struct upstream_view unasked = view_of(UPSTREAM_STATE_OFF, NULL, "");

	cr_expect(upstream_is_problem(&wished, &unasked));
	cr_expect_not(upstream_is_problem(&plain, &unasked));
	cr_expect_not(upstream_is_problem(&disabled, &unasked));

	for (int state = 0; state < UPSTREAM_STATES; state++) {
		const struct upstream_view view =
			view_of((enum upstream_state)state, NULL, "so");

		cr_expect_eq(upstream_is_missing(&required, &view), right[state].missing);
		cr_expect_not(upstream_is_missing(&plain, &view));
		cr_expect_eq(upstream_is_problem(&required, &view), right[state].problem);
		if (state != UPSTREAM_STATE_OFF)
			continue;
		/* it would go there, and cannot */
		cr_expect(upstream_is_problem(&plain, &view));
		cr_expect_not(upstream_is_problem(&disabled, &view));
	}
}

Test(upstream, a_reason_is_always_given_and_never_acts)
{
	for (int state = 0; state < UPSTREAM_STATES; state++) {
		struct upstream_view view = view_of((enum upstream_state)state, NULL, "");
		char buf[UPSTREAM_WHY_STRLEN + 8] = "a: ";

		upstream_why(&view, buf, sizeof(buf));
		cr_expect_gt(strlen(buf), strlen("a: "), "state %d", state);
		view = view_of((enum upstream_state)state, NULL, "b\033c");
		snprintf(buf, sizeof(buf), "a: ");
		upstream_why(&view, buf, sizeof(buf));
		cr_expect_str_eq(buf, "a: b?c");
	}
}
