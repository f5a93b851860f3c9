/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

TestSuite(ruleset_apply, .init = fixture_enter, .fini = fixture_leave);

static struct ruleset_fault why;

/* ---------------------------------------------------------------- plans */

/* What else may change is where others leave from: not here, there are mappings beside it
 * already. */
TEST_IN_BOTH(ruleset_apply, a_plan_of_one_changes_one_element_and_the_number)
{
	uint64_t found;

	fixture_load_many(65);
	fixture_sync();
	fixture_monitor();
	cr_assert_eq(fixture_change("+tcp 100 192.168.1.10:80", &why), 0, "%s", why.text);
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWSETELEM), 2,
		     "the mapping and the number");
	cr_assert_eq(fixture_monitored(NFT_MSG_DELSETELEM), 1, "the old number");
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 3);
	cr_assert_eq(ruleset_sequence(rs, &found), 0);
	cr_assert_eq(found, sequence);
	netns_run(
		"nft list map inet natd forward4 | grep -q 'tcp . 100 .*192.168.1.10 . 80'");
	assert_in_step();
	cr_assert_eq(fixture_change("-tcp 100", &why), 0, "%s", why.text);
	netns_run("! nft list map inet natd forward4 | grep -q 'tcp . 100 '");
	assert_in_step();
}

TEST_IN_BOTH(ruleset_apply, every_kind_has_its_set)
{
	fixture_sync();
	cr_assert_eq(fixture_change("+tcp,udp 9000 192.168.1.10:9000\n"
				    "+udp 53 [fd00::10]:5353\n"
				    "+tcp 443 [2001:db8:1::10]:443",
				    &why),
		     0, "%s", why.text);
	netns_run(
		"nft list map inet natd forward4 | grep -q 'udp . 9000 .*192.168.1.10 . 9000'");
	netns_run(
		"nft list map inet natd forward6 | grep -q 'udp . 53 .*: fd00::10 . 5353'");
	netns_run(
		"nft list set inet natd pinhole6 | grep -q '2001:db8:1::10 . tcp . 443'");
	assert_in_step();
	cr_assert_eq(fixture_change("-tcp 9000\n-udp 9000\n-udp 53\n-tcp 443", &why), 0);
	assert_in_step();
}

/* One transaction, steps in order: the last word counts. */
TEST_IN_BOTH(ruleset_apply, adding_removing_and_adding_again_works_in_one_plan)
{
	fixture_sync();
	cr_assert_eq(fixture_change("+tcp 80 192.168.1.10:80\n-tcp 80\n"
				    "+tcp 80 192.168.1.11:80\n-tcp 80\n"
				    "+tcp 80 192.168.1.12:80",
				    &why),
		     0, "%s", why.text);
	netns_run("nft list map inet natd forward4 | grep -q '192.168.1.12 . 80'");
	assert_in_step();
	cr_assert_eq(fixture_change("-tcp 80\n+tcp 80 192.168.1.13:80", &why), 0, "%s",
		     why.text);
	netns_run("nft list map inet natd forward4 | grep -q '192.168.1.13 . 80'");
	assert_in_step();
}

static struct plan *stage_many(enum change_kind kind, size_t n)
{
	struct change change = make_add("tcp 1 192.168.1.10:80");
	struct change_list list = { 0 };
	struct plan *plan;

	if (kind == CHANGE_REMOVE)
		change = make_remove("tcp 1");
	for (size_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(i % 65535 + 1);
		unsigned nth = (unsigned)(i / 65535);

		if (kind == CHANGE_ADD) {
			change.mapping.external.port = port;
			change.protocols = (uint8_t)(1u << nth);
		} else {
			change.selector.port = port;
			change.selector.protocol = protocol_at(nth);
		}
		cr_assert_eq(change_list_add(&list, &change), 0);
	}
	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	cr_assert_not(plan_refused(plan, 0));
	change_list_done(&list);
	return plan;
}

static void apply_many(enum change_kind kind, size_t n)
{
	struct plan *plan = stage_many(kind, n);
	long start = netns_milliseconds();
	int r = ruleset_apply(rs, plan, sequence + 1, &why);

	if (r == -EMSGSIZE)
		cr_skip_test("%s", why.text);
	cr_assert_eq(r, 0, "%s: %s", strerror(-r), why.text);
	cr_log_info("%s %zu: %ld ms", kind == CHANGE_ADD ? "adding" : "removing", n,
		    netns_milliseconds() - start);
	sequence++;
	table_commit(table, plan);
	plan_free(plan);
}

static void count(void *userdata, const struct ruleset_slot *slot)
{
	*(size_t *)userdata += 1;
}

static size_t elements(void)
{
	size_t n = 0;

	cr_assert_eq(ruleset_counters(rs, count, &n), 0);
	return n;
}

TEST_IN_BOTH(ruleset_apply, sixty_thousand_come_and_go_in_one_transaction_each)
{
	fixture_sync();
	apply_many(CHANGE_ADD, 60000);
	cr_assert_eq(elements(), 60000);
	assert_in_step();
	cr_assert_eq(fixture_change("+udp 60001 192.168.1.10:80", &why), 0, "%s",
		     why.text);
	apply_many(CHANGE_REMOVE, 60000);
	cr_assert_eq(elements(), 1);
	assert_in_step();
}

Test(ruleset_apply, a_plan_may_have_as_many_elements_as_it_says)
{
	fixture_sync();
	apply_many(CHANGE_ADD, RULESET_ELEMENTS_MAX);
	cr_assert_eq(elements(), RULESET_ELEMENTS_MAX);
	apply_many(CHANGE_REMOVE, RULESET_ELEMENTS_MAX);
	cr_assert_eq(elements(), 0);
	assert_in_step();
}

/* ---------------------------------------------------------------- sizes */

static unsigned size_of(const char *map)
{
	char command[128];
	unsigned size;
	char *text;

	snprintf(command, sizeof(command), "nft -t list map inet natd %s | grep size",
		 map);
	text = fixture_listing(command);
	cr_assert_eq(sscanf(text, " size %u", &size), 1, "%s", text);
	free(text);
	return size;
}

TEST_IN_BOTH(ruleset_apply, sets_grow_with_what_they_hold)
{
	unsigned start;

	fixture_sync();
	start = size_of("forward4");
	if (!ruleset_can_own(rs))
		cr_skip_test("this kernel cannot change the size of a set");
	cr_assert_lt(start, 20000);
	apply_many(CHANGE_ADD, 20000);
	cr_assert_geq(size_of("forward4"), 20000);
	cr_assert_lt(size_of("forward4"), 40000);
	cr_assert_eq(size_of("forward6"), start);
	assert_in_step();
}

Test(ruleset_apply, a_table_of_all_ports_fits)
{
	fixture_load_many(131070);
	cr_assert_eq(fixture_sync().added, 131070);
	cr_assert_eq(elements(), 131070);
}

Test(ruleset_apply, a_small_set_of_a_big_table_is_mended)
{
	options.protection = PROTECTION_WATCHED;
	fixture_load_many(3);
	fixture_sync();
	for (unsigned port = 1; port <= 20000; port++) {
		struct mapping m = make_mapping("udp 1 192.168.1.10:80");

		m.id = table_next_id(table);
		m.external.port = (uint16_t)port;
		cr_assert_eq(table_load(table, &m), 0);
	}
	cr_assert_eq(fixture_sync().added, 20000);
	cr_assert_eq(elements(), 20003);
}

/* ---------------------------------------------------------------- refusals */

Test(ruleset_apply, needs_a_sync_before_it)
{
	cr_assert_eq(fixture_change("+tcp 80 192.168.1.10:80", &why), -ESTALE);
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), -ESTALE);
}

Test(ruleset_apply, an_element_that_is_there_already_is_named)
{
	options.protection = PROTECTION_WATCHED;
	fixture_load_many(3000);
	fixture_sync();
	netns_run(
		"nft add element inet natd forward4 '{ tcp . 8080 : 192.168.1.66 . 80 }'");
	cr_assert_eq(
		fixture_change("+tcp 9000 192.168.1.10:80\n+tcp 8080 192.168.1.10:80",
			       &why),
		-EEXIST);
	cr_assert_str_eq(why.text, "element tcp . 8080 of map forward4: File exists");
	netns_run("! nft list map inet natd forward4 | grep -q 9000");

	netns_run("nft add element inet natd pinhole6 '{ 2001:db8:1::10 . udp . 53 }'");
	cr_assert_eq(fixture_change("+udp 53 [2001:db8:1::10]:53", &why), -EEXIST);
	cr_assert_str_eq(
		why.text,
		"element 2001:db8:1::10 . udp . 53 of set pinhole6: File exists");
}

Test(ruleset_apply, an_element_that_somebody_removed_asks_for_a_sync)
{
	options.protection = PROTECTION_WATCHED;
	fixture_sync();
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), 0);
	netns_run("nft flush map inet natd forward4");
	cr_assert_eq(fixture_change("-tcp 8080", &why), -ESTALE);
	cr_assert_str_eq(why.text,
			 "element tcp . 8080 of map forward4: No such file or directory");
	fixture_sync();
	cr_assert_eq(fixture_change("-tcp 8080", &why), 0, "%s", why.text);
}

Test(ruleset_apply, a_table_that_somebody_deleted_asks_for_a_sync)
{
	struct ruleset_figures figures;
	struct connection c = { .protocol = IPPROTO_TCP };
	size_t n = 0;

	options.protection = PROTECTION_WATCHED;
	fixture_sync();
	netns_run("nft flush ruleset");
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), -ESTALE);
	addresses.wan.n = 1;
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), -ESTALE);
	cr_assert_eq(ruleset_end(rs, &c, 1, &why), -ESTALE);
	cr_assert_eq(ruleset_counters(rs, count, &n), -ESTALE);
	cr_assert_eq(ruleset_figures(rs, &figures), -ESTALE);
	fixture_sync();
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), 0, "%s",
		     why.text);
}

Test(ruleset_apply, a_set_that_somebody_deleted_asks_for_a_sync)
{
	options.protection = PROTECTION_WATCHED;
	fixture_sync();
	netns_run("nft 'flush chain inet natd dnat4; delete map inet natd forward4'");
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), -ESTALE);
	cr_assert(fixture_sync().rewritten);
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), 0, "%s",
		     why.text);
}

/* ---------------------------------------------------------------- the number */

Test(ruleset_apply, without_a_table_there_is_no_number)
{
	uint64_t found = 77;

	cr_assert_eq(ruleset_sequence(rs, &found), -ENOENT);
	cr_assert_eq(found, 77);
}

TEST_IN_BOTH(ruleset_apply, the_number_has_64_bits)
{
	static const uint64_t numbers[] = {
		0, 1, UINT32_MAX, 1ull << 32, 0x0123456789abcdef, UINT64_MAX
	};
	uint64_t found;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sequence = numbers[i];
		fixture_sync();
		cr_assert_eq(ruleset_sequence(rs, &found), 0);
		cr_assert_eq(found, numbers[i]);
		netns_run(
			"test $(nft list set inet natd sequence | grep -c elements) = 1");
	}
	fixture_while_away("nft flush set inet natd sequence");
	cr_assert_eq(ruleset_sequence(rs, &found), -ENOENT);
}

/* ---------------------------------------------------------------- addresses */

static struct in6_addr address(const char *text)
{
	struct in6_addr a;

	cr_assert_eq(address_parse(text, &a), 0, "%s", text);
	return a;
}

TEST_IN_BOTH(ruleset_apply, addresses_change_by_their_difference)
{
	struct in6_addr wan[] = { address("203.0.113.5"), address("203.0.113.6"),
				  address("2001:db8:f::6") };
	struct prefix masquerade[] = { { address("fd00::"), 8 } };
	struct ruleset_addresses next = { .wan = { wan, 3 },
					  .masquerade6 = masquerade,
					  .n_masquerade6 = 1 };

	fixture_sync();
	fixture_monitor();
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 0, "nothing new, nothing sent");
	cr_assert_eq(ruleset_set_addresses(rs, &next, &why), 0, "%s", why.text);
	cr_assert_eq(fixture_monitored(NFT_MSG_DELSETELEM), 1, "2001:db8:f::5");
	cr_assert_eq(fixture_monitored(NFT_MSG_NEWSETELEM), 4);
	netns_run(
		"nft list set inet natd wan_addr4 | grep -q '203.0.113.5, 203.0.113.6'");
	netns_run("nft list set inet natd wan_addr6 | grep -q '{ 2001:db8:f::6 }'");
	netns_run("nft list set inet natd masquerade6 | grep -q '{ fd00::/8 }'");
	addresses = next;
	assert_in_step();
	addresses = (struct ruleset_addresses){ 0 };
	cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s", why.text);
	assert_in_step();
}

/* Prefixes may lie in one another, side by side and anywhere up to the last address. */
static const struct intervals {
	const char *prefixes[6];
	const char *listed;
} intervals[] = {
	{ { "::/0" }, "::/0" },
	{ { "::/0", "fd00::/8" }, "::/0" },
	{ { "fd00::/8", "fd00::/8" }, "fd00::/8" },
	{ { "fd00:1::/32", "fd00::/8", "fd00:1:2::/48" }, "fd00::/8" },
	{ { "2001:db8::/64", "2001:db8:0:1::/64" }, "2001:db8::/64,2001:db8:0:1::/64" },
	{ { "2001:db8:0:1::/64", "2001:db8::/64", "fd00::1/64" },
	  "2001:db8::/64,2001:db8:0:1::/64,fd00::/64" },
	{ { "ff00::/8" }, "ff00::/8" },
	{ { "8000::/1", "::/1" }, "::/1,8000::/1" },
	{ { "2001:db8::1/128" }, "2001:db8::1" },
};

static size_t parse_prefixes(const char *const texts[6], struct prefix prefixes[6])
{
	char addr[INET6_ADDRSTRLEN];
	size_t n = 0;

	for (; n < 6 && texts[n]; n++) {
		cr_assert_eq(sscanf(texts[n], "%45[^/]/%hhu", addr, &prefixes[n].len), 2);
		prefixes[n].addr = address(addr);
	}
	return n;
}

TEST_IN_BOTH(ruleset_apply, prefixes_to_masquerade_may_overlap)
{
	struct prefix prefixes[6];
	char *listed;

	fixture_sync();
	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
		addresses.masquerade6 = prefixes;
		addresses.n_masquerade6 = parse_prefixes(intervals[i].prefixes, prefixes);
		cr_assert_eq(ruleset_set_addresses(rs, &addresses, &why), 0, "%s: %s",
			     intervals[i].listed, why.text);
		listed = fixture_listing(
			"nft list set inet natd masquerade6 | tr -d ' \\t\\n' | "
			"sed 's/.*elements={\\(.*\\)}}}/\\1/'");
		cr_assert_str_eq(listed, intervals[i].listed);
		free(listed);
		assert_in_step();
	}
}

/* ---------------------------------------------------------------- ended connections */

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	cr_assert_eq(endpoint_parse(text, &e), 0, "%s", text);
	return e;
}

TEST_IN_BOTH(ruleset_apply, ended_connections_are_kept_out_for_a_while)
{
	struct connection c[3] = {
		{ .orig_src = endpoint("198.51.100.7:33333"),
		  .orig_dst = endpoint("203.0.113.5:8080"),
		  .reply_src = endpoint("192.168.1.10:80"),
		  .reply_dst = endpoint("198.51.100.7:33333"),
		  .protocol = IPPROTO_TCP },
		{ .orig_src = endpoint("[2001:db8:9::7]:4444"),
		  .orig_dst = endpoint("[2001:db8:1::10]:443"),
		  .reply_src = endpoint("[2001:db8:1::10]:443"),
		  .reply_dst = endpoint("[2001:db8:9::7]:4444"),
		  .protocol = IPPROTO_UDP },
	};

	c[2] = c[0];
	fixture_sync();
	cr_assert_eq(ruleset_end(rs, c, 3, &why), 0, "%s", why.text);
	netns_run("nft list set inet natd ended4 | grep -q "
		  "'tcp . 192.168.1.10 . 80 . 198.51.100.7 . 33333 expires'");
	netns_run("nft list set inet natd ended6 | grep -q "
		  "'udp . 2001:db8:1::10 . 443 . 2001:db8:9::7 . 4444 expires'");
	cr_assert_eq(ruleset_end(rs, c, 1, &why), 0, "the same again: %s", why.text);
	cr_assert_eq(ruleset_end(rs, c, 0, &why), 0);
	assert_in_step();
}

Test(ruleset_apply, more_ended_connections_than_fit_are_refused)
{
	struct connection c = { .orig_src = endpoint("198.51.100.7:1"),
				.reply_src = endpoint("192.168.1.10:80"),
				.protocol = IPPROTO_TCP };
	struct connection *all = calloc(65537, sizeof(*all));

	fixture_sync();
	for (size_t i = 0; i < 65537; i++) {
		all[i] = c;
		all[i].orig_src.port = (uint16_t)i;
		all[i].reply_src.port = (uint16_t)(80 + i / 65536);
	}
	cr_assert_eq(ruleset_end(rs, all, 65537, &why), -ENFILE);
	cr_assert(strstr(why.text, "of set ended4: Too many open files"), "%s", why.text);
	cr_assert_eq(ruleset_end(rs, all, 65536, &why), 0, "%s", why.text);
	free(all);
}

/* ---------------------------------------------------------------- figures */

TEST_IN_BOTH(ruleset_apply, figures_are_those_of_the_named_counters)
{
	struct ruleset_figures f;

	fixture_sync();
	cr_assert_eq(ruleset_figures(rs, &f), 0);
	cr_assert_eq(f.spoofed + f.refused + f.invalid_in + f.invalid_out, 0);
}
