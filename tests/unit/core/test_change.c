/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>

#include "core/change.h"
#include "core/cleanup.h"
#include "core/rights.h"
#include "heap.h"
#include "said.h"

static struct details *comment(const char *text)
{
	struct details *d = NULL;

	cr_assert_eq(details_new("", text, NULL, 0, &d), 0);
	return d;
}

static struct change update(struct details *details)
{
	return (struct change){
		.kind = CHANGE_UPDATE,
		.selector = { .id = 7 },
		.patch = { .set = PATCH_COMMENT, .details = details },
	};
}

Test(change_list, keeps_what_was_put_in_in_order)
{
	struct change_list list = { 0 };

	for (uint16_t i = 1; i <= 100; i++) {
		struct change change = said_add("tcp,udp 1 \"web\" -> 192.168.1.10:80");

		change.mapping.external.port = i;
		cr_assert_eq(change_list_add(&list, &change), 0);
	}
	cr_assert_eq(list.n, 100);
	for (uint16_t i = 0; i < 100; i++) {
		cr_expect_eq(list.changes[i].mapping.external.port, i + 1);
		cr_expect_str_eq(list.changes[i].mapping.name, "web");
	}
	change_list_done(&list);
	cr_expect_eq(list.n, 0);
	cr_expect_null(list.changes);
}

Test(change_list, has_references_of_its_own_to_details)
{
	const size_t blocks = heap_blocks();
	struct change add = { .kind = CHANGE_ADD, .mapping.details = comment("a") };
	struct change change = update(comment("b"));
	struct change_list list = { 0 };

	cr_assert_eq(change_list_add(&list, &add), 0);
	cr_assert_eq(change_list_add(&list, &change), 0);
	change_done(&add);
	change_done(&change);
	cr_expect_null(add.mapping.details);
	cr_expect_null(change.patch.details);
	cr_expect_str_eq(list.changes[0].mapping.details->comment, "a");
	cr_expect_str_eq(list.changes[1].patch.details->comment, "b");
	change_list_done(&list);
	cr_expect_eq(heap_blocks(), blocks);
}

Test(change_list, does_not_look_at_details_that_are_not_set)
{
	struct change change = update(NULL), remove = { .kind = CHANGE_REMOVE };
	struct details *const wild = (struct details *)(uintptr_t)8;
	struct change_list list = { 0 };

	change.patch.set = PATCH_NAME;
	change.patch.details = wild;
	remove.patch.details = wild;
	cr_assert_eq(change_list_add(&list, &change), 0);
	cr_assert_eq(change_list_add(&list, &remove), 0);
	change_done(&change);
	change_done(&remove);
	change_list_done(&list);
}

Test(change_list, a_comment_may_be_taken_away)
{
	struct change change = update(NULL);
	struct change_list list = { 0 };

	cr_assert_eq(change_list_add(&list, &change), 0);
	cr_expect_null(list.changes[0].patch.details);
	change_done(&change);
	change_list_done(&list);
}

Test(change_list, forgets_what_was_asked_but_not_how_much_nor_by_whom)
{
	const size_t blocks = heap_blocks();
	struct change add = { .kind = CHANGE_ADD, .mapping.details = comment("a") };
	struct rights *rights = rights_new(1000, false, NULL, 0);
	struct change_list list = { .rights = rights };

	cr_assert_eq(change_list_add(&list, &add), 0);
	change_done(&add);
	change_list_forget(&list);
	cr_expect_null(list.changes);
	cr_expect_eq(list.n, 1);
	cr_expect_eq(list.rights, rights);
	change_list_forget(&list);
	change_list_done(&list);
	cr_expect_eq(list.n, 0);
	cr_expect_eq(heap_blocks(), blocks);
}

Test(change_list, lets_go_of_its_rights)
{
	const size_t blocks = heap_blocks();
	struct rights *rights = rights_new(1000, false, NULL, 0);
	struct change_list list = { .rights = rights_ref(rights) };

	change_list_done(&list);
	cr_expect_null(list.rights);
	cr_expect_eq(rights->refs, 1);
	rights_unref(rights);
	cr_expect_eq(heap_blocks(), blocks);
}

Test(change_list, without_memory_is_as_it_was)
{
	const size_t blocks = heap_blocks();
	struct change change = { .kind = CHANGE_ADD, .mapping.details = comment("a") };
	struct change_list list = { 0 };
	size_t n = 0;
	int r = 0;

	/* the first allocation, and the first that makes the array larger */
	heap_fail_at(1);
	cr_expect_eq(change_list_add(&list, &change), -ENOMEM);
	cr_expect_eq(list.n, 0);
	cr_expect_eq(change.mapping.details->refs, 1);
	heap_fail_at(2);
	while (r == 0 && n++ < 100)
		r = change_list_add(&list, &change);
	heap_fail_at(0);
	cr_expect_eq(r, -ENOMEM);
	cr_expect_eq(list.n, n - 1);
	cr_expect_eq(change.mapping.details->refs, n);
	cr_expect_eq(change_list_add(&list, &change), 0);
	change_list_done(&list);
	cr_expect_eq(change.mapping.details->refs, 1);
	change_done(&change);
	cr_expect_eq(heap_blocks(), blocks);
}

/* Of where it is led to the LAN. */
Test(change, that_alters_keeps_its_details_too)
{
	static const uint32_t sets[] = { PATCH_COMMENT, PATCH_INTERNAL };
	const size_t blocks = heap_blocks();

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct change change = { .kind = CHANGE_UPDATE, .patch.set = sets[i] };
		struct change_list list = { 0 };

		cr_assert_eq(details_new("lan0", "", NULL, 0, &change.patch.details), 0);
		cr_assert_eq(change_list_add(&list, &change), 0);
		cr_expect_eq(change.patch.details->refs, 2);
		change_done(&change);
		cr_expect_str_eq(list.changes[0].patch.details->lan, "lan0");
		change_list_done(&list);
	}
	cr_expect_eq(heap_blocks(), blocks);
}

Test(change, takes_a_port_where_it_adds_or_leads_elsewhere)
{
	static const struct {
		struct change change;
		uint8_t protocols;
	} cases[] = {
		{ { .kind = CHANGE_ADD, .protocols = PROTOCOL_BIT_UDP },
		  PROTOCOL_BIT_UDP },
		{ { .kind = CHANGE_REMOVE }, 0 },
		{ { .kind = CHANGE_UPDATE, .patch.set = PATCH_NAME }, 0 },
		{ { .kind = CHANGE_UPDATE, .patch.set = PATCH_NAME | PATCH_INTERNAL },
		  PROTOCOL_BITS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(change_takes_ports(&cases[i].change), cases[i].protocols,
			     "%zu", i);
}
