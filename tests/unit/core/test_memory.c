/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What is promised about memory: how much a mapping takes, and that running out of it
 * changes nothing and loses nothing.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/api.h"
#include "core/cleanup.h"
#include "core/ndjson.h"
#include "heap.h"
#include "make.h"

#define MANY 60000
/* bytes per mapping, all included */
#define MAPPING_MAX 400
/* of the request, its effects and results, while it is judged */
#define PLAN_MAX 128

static void fill(struct change_list *list, size_t n)
{
	struct change change = make_add("tcp 1 192.168.1.10:80 n");

	for (size_t i = 0; i < n; i++) {
		change.mapping.external.port = (uint16_t)(i + 1);
		snprintf(change.mapping.name, sizeof(change.mapping.name), "n%zu", i);
		cr_assert_eq(change_list_add(list, &change), 0);
	}
}

Test(memory, sixty_thousand_mappings_take_400_bytes_each_at_most)
{
	struct change_list list = { 0 };
	const size_t before = heap_held();
	struct table *table = make_table(65535);
	size_t list_bytes, peak;
	struct plan *plan;

	list_bytes = heap_held();
	fill(&list, MANY);
	list_bytes = heap_held() - list_bytes;
	heap_reset_peak();
	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	table_commit(table, plan);
	peak = heap_peak() - before - list_bytes;
	plan_free(plan);
	change_list_done(&list);

	cr_assert_eq(table_size(table), MANY);
	cr_expect_leq((heap_held() - before) / MANY, MAPPING_MAX, "%zu bytes each",
		      (heap_held() - before) / MANY);
	cr_expect_leq(peak / MANY, MAPPING_MAX + PLAN_MAX, "%zu bytes each while staged",
		      peak / MANY);
	table_free(table);
	cr_expect_eq(heap_held(), before);
}

#define LOADED                                                                           \
	"tcp 8080 192.168.1.10:80 web\n"                                                 \
	"udp 8080 192.168.1.10:80 web\n"                                                 \
	"tcp 443 [2001:db8::10]:443\n"                                                   \
	"tcp 443 [2001:db8::11]:443 lease=60"

/** struct staging_attempt - what is staged, and the table before it */
struct staging_attempt {
	struct table *table;
	struct conditions at;
	size_t n;
	struct change_list lists[4];
};

static int stage_and_drop(void *userdata)
{
	struct staging_attempt *a = userdata;
	struct plan *plan = NULL;
	const struct mapping *m = NULL;
	int r;

	r = table_stage(a->table, a->lists, a->n, &a->at, &plan);
	cr_assert_eq(!plan, r < 0);
	plan_free(plan);
	cr_assert_eq(table_size(a->table), 4);
	cr_assert_eq(table_owned(a->table, 0), 4);
	cr_assert_eq(table_next_id(a->table), 5);
	cr_assert_eq(table_next_expiry(a->table), 60000);
	for (uint64_t id = 1; id <= 4; id++) {
		m = table_next(a->table, m);
		cr_assert_eq(m, table_find_id(a->table, id));
		cr_assert_eq(m, table_find(a->table, mapping_kind(m), m->protocol,
					   &m->external));
	}
	cr_assert_null(table_next(a->table, m));
	return r;
}

/* What a table keeps for the next time (owners, ranges, leases) is there beforehand. */
static void exhaust_staging(struct staging_attempt *a, size_t least)
{
	const size_t n = heap_exhaust(stage_and_drop, a);

	cr_expect_gt(n, least, "only %zu allocations", n);
	for (size_t i = 0; i < a->n; i++)
		change_list_done(&a->lists[i]);
	table_free(a->table);
}

Test(memory, staging_without_any_is_undone)
{
	struct staging_attempt a = {
		.table = make_loaded(LOADED),
		.at = ordinary,
		.n = 4,
		.lists = {
			make_list("-web\n+tcp,udp 8080 192.168.1.66:80 web\n-#5"),
			make_list("+tcp 1 192.168.1.10:1\n+tcp 1 192.168.1.11:1"),
			make_list("-tcp 443"),
			make_list("+tcp,udp 2 192.168.1.10:2\n+tcp,udp 3 192.168.1.10:3\n"
				  "+tcp,udp 4 192.168.1.10:2\n+tcp,udp 5 192.168.1.10:3"),
		},
	};

	exhaust_staging(&a, 15);
}

static const struct port_range one_port[] = { { 8080, 8080 } };
static struct listener ssh = { .local.port = 22, .protocol = IPPROTO_TCP };

static struct rights *with_quota(uint32_t quota)
{
	const struct grant grant = {
		.map = { { 1, 65535 } },
		.n_map = 1,
		.privileged = true,
		.quota = quota,
		.max_lifetime = GRANT_UNLIMITED,
	};
	struct rights *rights = rights_new(1000, false, &grant, 1);

	cr_assert_not_null(rights);
	return rights;
}

/* The first time, room that the table keeps is made as well: so it has to be made with
 * every attempt. */
static int stage_in_a_new_table(void *userdata)
{
	struct staging_attempt *a = userdata;
	int r;

	heap_pause();
	a->table = make_loaded(LOADED);
	heap_resume();
	r = stage_and_drop(a);
	table_free(a->table);
	return r;
}

static void exhaust_anew(struct staging_attempt *a, size_t least)
{
	const size_t n = heap_exhaust(stage_in_a_new_table, a);

	cr_expect_gt(n, least, "only %zu allocations", n);
	for (size_t i = 0; i < a->n; i++)
		change_list_done(&a->lists[i]);
}

Test(memory, every_kind_of_mapping_without_any_is_undone)
{
	struct staging_attempt a = {
		.at = ordinary,
		.n = 4,
		.lists = {
			make_list("+tcp 9000-9003 192.168.1.10:9000 lease=60\n"
				  "+tcp 9100-9103 192.168.1.10:9000 at=203.0.113.7\n"
				  "+tcp,udp 22 192.168.1.10:22 from=10.0.0.0/8 lease=9"),
			make_list("~web: comment=seen to=192.168.1.11:81\n~#4: lease=90\n"
				  "-#4\n~web: name=other off"),
			make_list("+tcp auto 192.168.1.10:8080\n+udp 9 192.168.1.10:9"),
			make_list("+tcp auto 192.168.1.10:8080 at=203.0.113.8 lease=8"),
		},
	};

	a.lists[3].rights = with_quota(5);
	exhaust_anew(&a, 25);
}

Test(memory, every_refusal_without_any_is_undone)
{
	struct staging_attempt a = {
		.at = ordinary,
		.n = 4,
		.lists = {
			make_list("+tcp auto 192.168.1.11:8080"),
			make_list("^tcp 22 192.168.1.10:22\n+tcp 22 [fd00::1]:22\n"
				  "+tcp 20-30 192.168.1.10:20"),
			make_list("+tcp 1-65535 192.168.1.10:2"),
			make_list("+udp 9 192.168.1.10:9"),
		},
	};

	ssh.local.addr = address_any6;
	a.at.listeners = (struct listener_list){ &ssh, 1 };
	a.at.pool = (struct port_list){ one_port, 1 };
	a.lists[3].rights = with_quota(0);
	exhaust_anew(&a, 10);
}

Test(memory, committing_needs_none)
{
	struct table *table = make_loaded(LOADED);
	struct change_list list = make_list(
		"-web\n+tcp,udp 8080 192.168.1.66:80 web\n~#4: lease=90\n"
		"+tcp 1-1000 192.168.1.66:1 lease=60\n~#3: to=[2001:db8::99]:443\n"
		"+tcp 9 192.168.1.66:9 from=10.0.0.0/8,10.1.0.0/16 lease=70");
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	heap_fail_at(1);
	table_commit(table, plan);
	cr_expect_not(heap_failed());
	heap_fail_at(0);
	plan_free(plan);
	change_list_done(&list);
	table_free(table);
}

static int make_a_table(void *userdata)
{
	static const uint8_t seed[16];
	struct table *table = table_new(100, seed);

	if (!table)
		return -ENOMEM;
	table_free(table);
	return 0;
}

Test(memory, a_table_and_a_load_without_any_fail_cleanly)
{
	struct table *table = make_table(10);
	struct mapping m = make_mapping("tcp 8080 192.168.1.10:80");

	cr_expect_eq(heap_exhaust(make_a_table, NULL), 3);
	m.id = 1;
	heap_fail_at(1);
	cr_expect_eq(table_load(table, &m), -ENOMEM);
	heap_fail_at(0);
	cr_expect_eq(table_size(table), 0);
	cr_expect_eq(table_load(table, &m), 0);
	table_free(table);
}

static int add_changes(void *userdata)
{
	struct change_list list = { 0 };
	struct change change = { 0 };
	size_t i;
	int r = 0;

	for (i = 0; i < 100 && r == 0; i++)
		r = change_list_add(&list, &change);
	cr_assert_eq(list.n, r == 0 ? 100 : i - 1);
	change_list_done(&list);
	cr_assert(!list.changes && !list.n && !list.room);
	return r;
}

static int ignore_line(void *userdata, const char *line, size_t len)
{
	return 0;
}

static int feed_lines(void *userdata)
{
	struct ndjson nd = { 0 };
	int r = ndjson_feed(&nd, "a\nb", 3, ignore_line, NULL);

	ndjson_done(&nd);
	return r;
}

Test(memory, lists_and_lines_without_any_fail_cleanly)
{
	cr_expect_gt(heap_exhaust(add_changes, NULL), 3);
	cr_expect_eq(heap_exhaust(feed_lines, NULL), 2);
}
