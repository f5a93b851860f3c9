/* SPDX-License-Identifier: GPL-2.0-or-later */

/* linked with --wrap=dlopen, so that the library can be missing */

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/columns.h"

static const struct column columns[] = {
	{ .name = "ID", .right = 1 },
	{ .name = "NAME", .cut = 1 },
	{ .name = "STATE" },
};

static bool missing;

void *__real_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags);

void *__wrap_dlopen(const char *name, int flags)
{
	return missing ? NULL : __real_dlopen(name, flags);
}

Test(columns, what_holds_nothing_is_left_out)
{
	static const struct column some[] = {
		{ .name = "A" },
		{ .name = "B", .sparse = true },
		{ .name = "C", .sparse = true },
		{ .name = "D", .hidden = true },
		{ .name = "E", .sparse = true },
	};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct columns *table;

	cr_assert_eq(columns_new(some, ARRAY_SIZE(some), &table), 0);
	cr_assert_eq(columns_add(table, (const char *const[]){ "", "-", "", "d", "" }),
		     0);
	cr_assert_eq(columns_add(table, (const char *const[]){ "a", "", "c", "d", "-" }),
		     0);
	for (int i = 0; i < 2; i++) {
		missing = i;
		cr_assert_eq(columns_print(table, out), 0);
	}
	fclose(out);
	cr_expect_str_eq(text, "A C\n  \na c\nA C\n  \na c\n");
	free(text);
	columns_free(table);
}

static struct columns *make(void)
{
	struct columns *table;

	cr_assert_eq(columns_new(columns, ARRAY_SIZE(columns), &table), 0);
	cr_assert_eq(columns_add(table, (const char *const[]){ "7", "web", "ok" }), 0);
	cr_assert_eq(columns_add(table, (const char *const[]){ "1042", "", "blocked" }),
		     0);
	return table;
}

static void expect_printed(const struct columns *table, const char *wanted)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	cr_assert_not_null(out);
	cr_expect_eq(columns_print(table, out), 0);
	fclose(out);
	cr_expect_str_eq(text, wanted);
	free(text);
}

static const char printed[] = "  ID NAME STATE\n"
			      "   7 web  ok\n"
			      "1042      blocked\n";

Test(columns, the_library_prints_a_table)
{
	struct columns *table = make();

	expect_printed(table, printed);
	columns_free(table);
}

Test(columns, without_the_library_it_is_the_same_table)
{
	struct columns *table = make();

	missing = true;
	expect_printed(table, printed);
	columns_free(table);
}

Test(columns, a_table_may_have_no_rows)
{
	struct columns *table;

	cr_assert_eq(columns_new(columns, ARRAY_SIZE(columns), &table), 0);
	missing = true;
	expect_printed(table, "ID NAME STATE\n");
	columns_free(table);
	columns_free(NULL);
}
