/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A test that passes and leaks. It belongs to no suite: tests/tally runs it to see that a
 * leak under Criterion, which exits 0 and says "ok", does not go unnoticed.
 */

#include <criterion/criterion.h>
#include <stdlib.h>

Test(planted, a_leak_passes)
{
	void *volatile lost = malloc(33);

	cr_assert_not_null(lost);
	lost = NULL;
}
