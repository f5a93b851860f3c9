/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/rights.h"
#include "heap.h"
#include "said.h"

DEFINE_CLEANUP(rights_unref, struct rights *)

/* Everything, but for the bounds of the test. */
static struct grant wide(void)
{
	return (struct grant){
		.rule = "group \"family\" (natd.conf:12)",
		.map = { { 1, 65535 } },
		.n_map = 1,
		.privileged = true,
		.quota = GRANT_UNLIMITED,
		.max_lifetime = GRANT_UNLIMITED,
	};
}

static struct denial judge(const struct grant *grants, size_t n, const char *text,
			   size_t owned, bool force, bool *ret_may)
{
	CLEANUP(rights_unref) struct rights *r = rights_new(1000, false, grants, n);
	struct denial denial = { .limit = 7 };
	struct mapping m = said(text);

	*ret_may = rights_judge(r, &m, owned, force, &denial);
	/* borrowed from the rights, which end here: told by place in the caller's array
	 */
	if (!*ret_may && denial.grant)
		denial.grant = &grants[denial.grant - r->grants];
	return denial;
}

static void expect_denied(const struct grant *grant, const char *text, enum right missing)
{
	bool may;
	struct denial denial = judge(grant, 1, text, 0, false, &may);

	cr_assert_not(may, "%s", text);
	cr_expect_eq(denial.missing, missing, "%s: %d", text, denial.missing);
	cr_expect_eq(denial.grant, grant, "%s", text);
}

static void expect_allowed(const struct grant *grant, const char *text)
{
	bool may;

	judge(grant, 1, text, 0, false, &may);
	cr_expect(may, "%s", text);
}

Test(rights, without_bounds_everything_is_allowed)
{
	CLEANUP(rights_unref) struct rights *root = rights_new(0, true, NULL, 0);
	struct denial denial = { .missing = RIGHT_QUOTA, .limit = 7 };
	struct mapping m = said("tcp 22 -> 192.168.1.10:22");

	cr_expect(rights_judge(NULL, &m, SIZE_MAX, true, &denial));
	cr_expect(rights_judge(root, &m, SIZE_MAX, true, &denial));
	cr_expect_eq(denial.limit, 7, "touched");
	cr_expect_eq(denial.missing, RIGHT_QUOTA, "touched");
}

Test(rights, of_whom_no_rule_speaks_may_nothing)
{
	bool may;
	struct denial denial =
		judge(NULL, 0, "tcp 8080 -> 192.168.1.10:80", 0, false, &may);

	cr_expect_not(may);
	cr_expect_eq(denial.missing, RIGHT_ANY);
	cr_expect_null(denial.grant);
}

Test(rights, a_rule_without_ports_allows_no_mapping)
{
	struct grant grant = wide();

	grant.n_map = 0;
	expect_denied(&grant, "tcp 8080 -> 192.168.1.10:80", RIGHT_ANY);
}

Test(rights, all_ports_of_a_mapping_must_be_granted)
{
	struct grant grant = wide();

	/* in any order; those that touch or overlap are as good as one */
	grant.map[0] = (struct port_range){ 3001, 4000 };
	grant.map[1] = (struct port_range){ 1024, 2000 };
	grant.map[2] = (struct port_range){ 1900, 3000 };
	grant.map[3] = (struct port_range){ 60000, 65535 };
	grant.n_map = 4;
	expect_allowed(&grant, "tcp 1024 -> 192.168.1.10:80");
	expect_allowed(&grant, "tcp 1024-4000 -> 192.168.1.10:1024");
	expect_allowed(&grant, "tcp 65535 -> 192.168.1.10:80");
	expect_allowed(&grant, "tcp 60000-65535 -> 192.168.1.10:60000");
	expect_denied(&grant, "tcp 1023 -> 192.168.1.10:80", RIGHT_MAP);
	expect_denied(&grant, "tcp 1023-1024 -> 192.168.1.10:1023", RIGHT_MAP);
	expect_denied(&grant, "tcp 4000-4001 -> 192.168.1.10:80", RIGHT_MAP);
	expect_denied(&grant, "tcp 1024-65535 -> 192.168.1.10:1024", RIGHT_MAP);
}

Test(rights, ports_below_1024_need_to_be_privileged)
{
	struct grant grant = wide();

	expect_allowed(&grant, "tcp 1 -> 192.168.1.10:80");
	grant.privileged = false;
	expect_denied(&grant, "tcp 1023 -> 192.168.1.10:80", RIGHT_PRIVILEGED);
	expect_denied(&grant, "tcp 1023-1030 -> 192.168.1.10:80", RIGHT_PRIVILEGED);
	expect_denied(&grant, "tcp 443 -> [2001:db8::10]:443", RIGHT_PRIVILEGED);
	expect_allowed(&grant, "tcp 1024 -> 192.168.1.10:80");
}

Test(rights, internal_addresses_are_those_of_the_prefixes)
{
	struct grant grant = wide();

	grant.internal[0] = said_prefix("192.168.1.0/24");
	grant.internal[1] = said_prefix("2001:db8::/64");
	grant.n_internal = 2;
	expect_allowed(&grant, "tcp 8080 -> 192.168.1.10:80");
	expect_allowed(&grant, "tcp 8080 -> [2001:db8::10]:80");
	expect_denied(&grant, "tcp 8080 -> 192.168.2.10:80", RIGHT_INTERNAL);
	expect_denied(&grant, "tcp 8080 -> [2001:db8:1::10]:80", RIGHT_INTERNAL);
	/* a suffix whose LAN has no prefix leads nowhere known */
	expect_denied(&grant, "tcp 8080 -> [::10]:80", RIGHT_INTERNAL);

	grant.internal[0] = said_prefix("::/0");
	grant.n_internal = 1;
	expect_allowed(&grant, "tcp 8080 -> [2001:db8:1::10]:80");
	expect_denied(&grant, "tcp 8080 -> 192.168.1.10:80", RIGHT_INTERNAL);
}

Test(rights, a_suffix_is_judged_by_the_host_it_has_now)
{
	struct grant grant = wide();
	CLEANUP(rights_unref) struct rights *r = NULL;
	struct mapping m = said("tcp 8080 -> [::10]:80");
	struct in6_addr prefix = said_address("2001:db8::");
	struct denial denial;

	grant.internal[0] = said_prefix("2001:db8::/64");
	grant.n_internal = 1;
	r = rights_new(1000, false, &grant, 1);
	mapping_settle_host(&m, &prefix);
	cr_expect(rights_judge(r, &m, 0, false, &denial));
	prefix = said_address("2001:db8:1::");
	mapping_settle_host(&m, &prefix);
	cr_expect_not(rights_judge(r, &m, 0, false, &denial));
}

Test(rights, leases_have_a_greatest_length)
{
	static const struct {
		uint32_t max, lifetime;
		bool may;
	} cases[] = {
		{ GRANT_UNLIMITED, 0, true },
		{ GRANT_UNLIMITED, MAPPING_LIFETIME_MAX, true },
		{ 3600, 3600, true },
		{ 3600, 3601, false },
		{ 3600, 0, false },
	};
	struct mapping m = said("tcp 8080 -> 192.168.1.10:80");
	struct grant grant = wide();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(rights_unref) struct rights *r = NULL;
		struct denial denial = { 0 };

		grant.max_lifetime = cases[i].max;
		m.lifetime = cases[i].lifetime;
		r = rights_new(1000, false, &grant, 1);
		cr_assert_eq(rights_judge(r, &m, 0, false, &denial), cases[i].may, "%zu",
			     i);
		if (cases[i].may)
			continue;
		cr_expect_eq(denial.missing, RIGHT_LIFETIME);
		cr_expect_eq(denial.limit, 3600);
	}
}

Test(rights, mappings_are_counted)
{
	static const char text[] = "tcp 8080 -> 192.168.1.10:80";
	struct grant grant = wide();
	struct denial denial;
	bool may;

	grant.quota = 3;
	judge(&grant, 1, text, 2, false, &may);
	cr_expect(may);
	denial = judge(&grant, 1, text, 3, false, &may);
	cr_expect_not(may);
	cr_expect_eq(denial.missing, RIGHT_QUOTA);
	cr_expect_eq(denial.limit, 3);
	grant.quota = 0;
	judge(&grant, 1, text, 0, false, &may);
	cr_expect_not(may);
	grant.quota = GRANT_UNLIMITED;
	judge(&grant, 1, text, SIZE_MAX, false, &may);
	cr_expect(may);
}

Test(rights, only_who_may_all_forces)
{
	struct grant grant = wide();
	struct denial denial;
	bool may;

	denial = judge(&grant, 1, "tcp 8080 -> 192.168.1.10:80", 0, true, &may);
	cr_expect_not(may);
	cr_expect_eq(denial.missing, RIGHT_FORCE);
	cr_expect_eq(denial.grant, &grant);
}

Test(rights, one_rule_that_allows_the_whole_change_is_enough)
{
	struct grant grants[2] = { wide(), wide() };
	bool may;

	grants[0].map[0] = (struct port_range){ 8000, 8999 };
	grants[1].map[0] = (struct port_range){ 9000, 9999 };
	judge(grants, 2, "tcp 8000 -> 192.168.1.10:80", 0, false, &may);
	cr_expect(may);
	judge(grants, 2, "tcp 9000 -> 192.168.1.10:80", 0, false, &may);
	cr_expect(may);
	/* two halves are no whole */
	judge(grants, 2, "tcp 8999-9000 -> 192.168.1.10:80", 0, false, &may);
	cr_expect_not(may);
}

Test(rights, the_rule_that_came_closest_is_named)
{
	static const char text[] = "tcp 8080 -> 192.168.1.10:80";
	struct grant grants[3] = { wide(), wide(), wide() };
	struct denial denial;
	bool may;

	grants[0].map[0] = (struct port_range){ 1, 80 };
	grants[1].quota = 5;
	grants[2].n_map = 0;
	denial = judge(grants, 3, text, 5, false, &may);
	cr_expect_not(may);
	cr_expect_eq(denial.missing, RIGHT_QUOTA);
	cr_expect_eq(denial.limit, 5);
	cr_expect_eq(denial.grant, &grants[1]);

	/* of two as close the first */
	grants[0] = grants[1];
	denial = judge(grants, 3, text, 5, false, &may);
	cr_expect_not(may);
	cr_expect_eq(denial.grant, &grants[0]);
}

Test(rights, a_mapping_belongs_to_who_made_it)
{
	CLEANUP(rights_unref) struct rights *root = rights_new(0, true, NULL, 0);
	CLEANUP(rights_unref) struct rights *user = rights_new(1000, false, NULL, 0);
	CLEANUP(rights_unref) struct rights *zero = rights_new(0, false, NULL, 0);
	struct mapping m = said("tcp 8080 -> 192.168.1.10:80");

	m.owner_uid = 1000;
	cr_expect(rights_own(NULL, &m));
	cr_expect(rights_own(root, &m));
	cr_expect(rights_own(user, &m));
	cr_expect_not(rights_own(zero, &m));
	m.origin = ORIGIN_CONFIG;
	m.owner_uid = 0;
	cr_expect(rights_own(root, &m));
	cr_expect_not(rights_own(user, &m));
	cr_expect_not(rights_own(zero, &m), "the file's mappings have no owner");
}

Test(rights, are_copied_and_let_go_of_once)
{
	const size_t blocks = heap_blocks();
	struct grant grants[2] = { wide(), wide() };
	struct rights *r = rights_new(1000, false, grants, 2);

	cr_assert_not_null(r);
	memset(grants, 0, sizeof(grants));
	cr_expect_eq(r->uid, 1000);
	cr_expect_eq(r->n_grants, 2);
	cr_expect_str_eq(r->grants[1].rule, "group \"family\" (natd.conf:12)");
	cr_expect_eq(rights_ref(r), r);
	rights_unref(r);
	cr_expect_eq(heap_blocks(), blocks + 1);
	rights_unref(r);
	cr_expect_eq(heap_blocks(), blocks);
	rights_unref(NULL);
	cr_expect_null(rights_ref(NULL));
}

Test(rights, without_memory_there_are_none)
{
	struct grant grant = wide();

	heap_fail_at(1);
	cr_expect_null(rights_new(1000, false, &grant, 1));
	heap_fail_at(0);
}
