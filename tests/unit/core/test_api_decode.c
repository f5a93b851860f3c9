/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Changes as natd reads them, beside what tests/cases/api has. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/api.h"
#include "core/cleanup.h"

static json_t *parse(const char *text)
{
	struct problem why = { 0 };
	json_t *json = NULL;

	cr_assert_eq(api_parse(text, strlen(text), &json, &why), 0, "%s", why.detail);
	return json;
}

Test(api_decode, an_added_mapping_is_enabled_resolved_and_without_origin)
{
	json_t *json = parse("{\"protocol\":\"tcp\",\"external\":{\"port\":443},"
			     "\"internal\":{\"address\":\"2001:db8::10\"}}");
	struct change change;
	struct problem why;

	memset(&change, 0x55, sizeof(change));
	cr_assert_eq(api_decode_change(json, &change, &why), 0);
	cr_expect_eq(change.kind, CHANGE_ADD);
	cr_expect_eq(mapping_kind(&change.mapping), MAPPING_PINHOLE6);
	cr_expect(change.mapping.enabled);
	cr_expect_eq(change.mapping.id, 0);
	cr_expect_eq(change.mapping.created, 0);
	cr_expect_not(change.config_too);
	json_decref(json);
}

Test(api_decode, changes_are_appended_up_to_a_limit)
{
	struct change_list list = { 0 };
	json_t *one = parse("{\"action\":\"remove\",\"id\":1}");
	struct change change;
	struct problem why;

	cr_assert_eq(api_decode_change(one, &change, &why), 0);
	for (size_t i = 0; i < API_LIST_MAX - 1; i++)
		cr_assert_eq(change_list_add(&list, &change), 0);
	cr_expect_eq(api_decode_changes(one, &list, &why), 0);
	cr_expect_eq(list.n, API_LIST_MAX);
	cr_expect_eq(api_decode_changes(one, &list, &why), -EMSGSIZE);
	cr_expect_eq(why.verdict, VERDICT_TOO_LARGE);
	cr_expect_eq(list.n, API_LIST_MAX);
	change_list_done(&list);
	json_decref(one);
}

/* What api_parse() lets through never holds one, but others may call. */
Test(api_decode, a_string_with_a_nul_is_refused)
{
	json_t *json = json_pack("{s:s%}", "action", "add\0x", (size_t)5);
	struct change change;
	struct problem why;

	cr_assert_not_null(json);
	cr_expect_eq(api_decode_change(json, &change, &why), -EINVAL);
	cr_expect_str_eq(why.detail, "action: has a NUL character.");
	json_decref(json);
}

Test(api_decode, a_patch_is_what_set_holds_and_drain)
{
	json_t *json = parse("{\"name\":\"www\",\"enabled\":false,\"lease\":7200,"
			     "\"comment\":\"later\",\"drain\":true,\"internal\":{"
			     "\"address\":\"192.168.1.11\",\"port\":80}}");
	struct change change;
	struct problem why;

	memset(&change, 0x55, sizeof(change));
	cr_assert_eq(api_decode_patch(json, &change, &why), 0);
	cr_expect(change.kind == CHANGE_UPDATE && change.drain && !change.config_too);
	cr_expect_eq(change.patch.set, PATCH_NAME | PATCH_ENABLED | PATCH_LIFETIME |
					       PATCH_COMMENT | PATCH_INTERNAL);
	cr_expect_str_eq(change.patch.name, "www");
	cr_expect_not(change.patch.enabled);
	cr_expect_eq(change.patch.lifetime, 7200);
	cr_assert_not_null(change.patch.details);
	cr_expect_str_eq(change.patch.details->comment, "later");
	cr_expect_eq(change.patch.internal.port, 80);
	cr_expect(!change.selector.id && !change.selector.name[0]);
	change_done(&change);
	json_decref(json);
}

Test(api_decode, a_patch_takes_the_internal_side_that_an_added_mapping_has)
{
	json_t *json = parse("{\"internal\":{\"address\":\"::1\",\"port\":80,"
			     "\"end_port\":83,\"interface\":\"lan0\"}}");
	struct change change;
	struct problem why;

	memset(&change, 0x55, sizeof(change));
	cr_assert_eq(api_decode_patch(json, &change, &why), 0, "%s", why.detail);
	cr_expect_eq(change.patch.set, PATCH_INTERNAL);
	cr_expect(change.patch.suffix);
	cr_expect_eq(change.patch.internal.port, 80);
	cr_expect_eq(change.patch.n_ports, 4);
	cr_assert_not_null(change.patch.details);
	cr_expect_str_eq(change.patch.details->lan, "lan0");
	change_done(&change);
	json_decref(json);
}

Test(api_decode, a_patch_that_is_none_is_refused)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[]", "a patch must be an object, not an array." },
		{ "{}", "set: names nothing to be set." },
		{ "{\"drain\":true}", "set: names nothing to be set." },
		{ "{\"drain\":1,\"name\":null}",
		  "drain: must be true or false, not an integer." },
		{ "{\"set\":{\"name\":\"a\"}}", "unknown key \"set\"." },
		{ "{\"id\":1,\"name\":\"a\"}", "unknown key \"id\"." },
		{ "{\"external\":{\"port\":1}}", "unknown key \"external\"." },
	};
	struct change change = { .kind = CHANGE_REMOVE };
	struct problem why;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *json = parse(cases[i].text);

		cr_expect_eq(api_decode_patch(json, &change, &why), -EINVAL, "%s",
			     cases[i].text);
		cr_expect_str_eq(why.detail, cases[i].says);
		cr_expect_eq(why.index, -1);
		cr_expect_eq(change.kind, CHANGE_REMOVE,
			     "written in spite of the failure");
		json_decref(json);
	}
}

Test(api_decode, a_list_keeps_references_of_its_own)
{
	json_t *json =
		parse("[{\"protocol\":\"tcp\",\"external\":{\"port\":1},\"internal\":{"
		      "\"address\":\"10.0.0.1\"},\"comment\":\"a\"},"
		      "{\"action\":\"update\",\"id\":1,\"set\":{\"comment\":\"b\"}}]");
	struct change_list list = { 0 };
	struct problem why;

	cr_assert_eq(api_decode_changes(json, &list, &why), 0, "%s", why.detail);
	json_decref(json);
	cr_assert_eq(list.n, 2);
	cr_expect_str_eq(mapping_comment(&list.changes[0].mapping), "a");
	cr_expect_eq(list.changes[0].mapping.details->refs, 1);
	cr_expect_str_eq(list.changes[1].patch.details->comment, "b");
	cr_expect_eq(list.changes[1].patch.details->refs, 1);
	change_list_done(&list);
}

Test(api_decode, sixty_four_prefixes_are_taken_and_one_more_is_not)
{
	for (int n = 64; n <= 65; n++) {
		json_t *json =
			parse("{\"protocol\":\"tcp\",\"external\":{\"port\":1},"
			      "\"internal\":{\"address\":\"10.0.0.1\"},\"from\":[]}");
		struct change change = { .kind = CHANGE_REMOVE };
		struct problem why;
		char prefix[32];

		for (int i = 0; i < n; i++) {
			snprintf(prefix, sizeof(prefix), "198.51.%d.0/24", i);
			json_array_append_new(json_object_get(json, "from"),
					      json_string(prefix));
		}
		cr_expect_eq(api_decode_change(json, &change, &why),
			     n > 64 ? -EINVAL : 0);
		if (n > 64)
			cr_expect_str_eq(why.detail, "from: has 65 prefixes; a mapping "
						     "has at most 64.");
		else
			cr_expect_eq(change.mapping.details->n_remotes, 64);
		change_done(&change);
		json_decref(json);
	}
}
