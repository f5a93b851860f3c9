/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shelf.h"

/* External endpoints whose connections may not have been ended. */

static struct shelf shelf;

static void fresh(void)
{
	shelf_fresh(&shelf);
}

static void done(void)
{
	shelf_done(&shelf);
}

TestSuite(store_endings, .init = fresh, .fini = done, .timeout = 60);

static void note_ending(void *userdata, uint8_t protocol, const struct endpoint *external,
			uint16_t last_port)
{
	char *text = userdata, endpoint[ENDPOINT_STRLEN];

	snprintf(text + strlen(text), 80, "%s %s", protocol_name(protocol),
		 endpoint_format(external, endpoint));
	if (last_port != external->port)
		snprintf(text + strlen(text), 8, "-%u", last_port);
	strcat(text, "\n");
}

static const char *endings(void)
{
	static char text[1024];

	text[0] = '\0';
	cr_assert_eq(store_endings(shelf.store, note_ending, text), 0);
	return text;
}

Test(store_endings, the_endpoint_of_a_removed_mapping_stays_until_it_is_done)
{
	cr_assert_eq(shelf_ask(&shelf, "+tcp,udp 80 10.0.0.1:80 web\n"
				       "+tcp 443 [2001:db8::1]:443 six"),
		     0);
	cr_expect_str_eq(endings(), "");
	cr_assert_eq(shelf_ask(&shelf, "-six\n-web"), 0);
	shelf_expect(&shelf);
	cr_expect_str_eq(endings(),
			 "tcp 0.0.0.0:80\ntcp [2001:db8::1]:443\nudp 0.0.0.0:80\n");

	store_endings_done(shelf.store);
	cr_assert_eq(shelf_ask(&shelf, "+udp 53 10.0.0.1:53 dns"), 0);
	cr_expect_str_eq(endings(), "");
	shelf_expect(&shelf);
	cr_expect_str_eq(endings(), "");
}

Test(store_endings, endings_of_the_same_turn_outlive_those_that_are_done)
{
	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80\n+tcp 81 10.0.0.1:81"), 0);
	cr_assert_eq(shelf_ask(&shelf, "-tcp 80"), 0);
	store_endings_done(shelf.store);
	cr_assert_eq(shelf_ask(&shelf, "-tcp 81"), 0);
	cr_expect_str_eq(endings(), "tcp 0.0.0.0:81\n");
	/* not done: it stays */
	cr_assert_eq(shelf_ask(&shelf, "+tcp 82 10.0.0.1:82"), 0);
	cr_expect_str_eq(endings(), "tcp 0.0.0.0:81\n");
	/* the same endpoint again is one ending */
	cr_assert_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	cr_assert_eq(shelf_ask(&shelf, "-tcp 81"), 0);
	cr_expect_str_eq(endings(), "tcp 0.0.0.0:81\n");
}

Test(store_endings, a_rollback_brings_endings_back)
{
	struct plan *plan = NULL;

	cr_assert_eq(shelf_ask(&shelf, "+tcp 80 10.0.0.1:80"), 0);
	cr_assert_eq(shelf_ask(&shelf, "-tcp 80"), 0);
	store_endings_done(shelf.store);
	cr_assert_eq(shelf_begin(&shelf, "+tcp 81 10.0.0.1:81", &plan), 0);
	store_rollback(shelf.store);
	plan_free(plan);
	cr_expect_str_eq(endings(), "tcp 0.0.0.0:80\n");
	/* and they go with the next one that is committed */
	cr_assert_eq(shelf_ask(&shelf, "+tcp 81 10.0.0.1:81"), 0);
	cr_expect_str_eq(endings(), "");
}
