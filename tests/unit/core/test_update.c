/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What is altered keeps its id.
 */

#include <criterion/criterion.h>
#include <string.h>

#include "story.h"

#define WEB "tcp 8080 192.168.1.10:80 web"
#define BOTH                                                                             \
	"tcp 8080 192.168.1.10:80 web\n"                                                 \
	"udp 8080 192.168.1.10:80 web\n"                                                 \
	"tcp 9090 192.168.1.10:90 other"

Test(update, what_a_patch_asks_for_is_judged)
{
	static const struct story stories[] = {
		{ WEB, "~web: name=site", "0:changed:1", "~1" },
		{ WEB, "~web: name=web", "0:unchanged:1", "" },
		{ WEB, "~web: name=", "0:changed:1", "~1" },
		{ WEB, "~web: off", "0:changed:1", "~1" },
		{ WEB, "~web: on", "0:unchanged:1", "" },
		{ WEB, "~#1: comment=seen", "0:changed:1", "~1" },
		{ WEB, "~#1: comment=", "0:unchanged:1", "" },
		{ WEB, "~tcp 8080: lease=60", "0:changed:1", "~1" },
		{ WEB, "~tcp 8080: lease=0", "0:unchanged:1", "" },
		{ WEB, "~web: to=192.168.1.11:81", "0:changed:1", "~1" },
		{ WEB, "~web: to=192.168.1.10:80", "0:unchanged:1", "" },
		{ WEB, "~web: to=[fd00::1]:80", "0:bad-request:-1", "" },
		{ WEB, "~web: to=127.0.0.1:80", "0:bad-request:-1", "" },
		{ WEB, "~nobody: off", "0:not-found:-1", "" },
		{ BOTH, "~web: name=site", "0:changed:1 0:changed:2", "~1 ~2" },
		{ BOTH, "~web: name=other", "0:name-taken:3", "" },
		{ BOTH, "~web udp: name=other", "0:changed:2", "~2" },
		{ BOTH, "~tcp: off", "0:ambiguous:1 0:ambiguous:3", "" },
		{ BOTH, "~other: name=web", "0:name-taken:1", "" },
		/* a list may go on with what it has altered itself */
		{ BOTH, "~web: name=old\n~other: name=web\n-web",
		  "0:changed:1 0:changed:2 "
		  "1:changed:3 2:removed:3",
		  "~1 ~2 ~3 -3" },
		{ "", "+" WEB "\n~web: off\n~web: on\n-web",
		  "0:added:1 1:changed:1 2:changed:1 3:removed:1", "+1 ~1 ~1 -1" },
		{ "", "+" WEB "\n~web: off\n-nobody", "2:not-found:-1", "" },
		{ WEB, "~web: off\n~web: on\n-nobody", "2:not-found:-1", "" },
		{ "", "+" WEB "\n~web: off\n+tcp 8080 192.168.1.11:1", "2:conflict:0",
		  "" },
		{ "tcp 9000-9003 192.168.1.10:8000", "~#1: to=192.168.1.11:9000",
		  "0:changed:1", "~1" },
		{ "tcp 9000-9003 192.168.1.10:8000\ntcp 9003-9009 192.168.1.10:9003",
		  "~#1: to=192.168.1.11:9000", "0:conflict:2", "" },
		{ "tcp 9000-9003 192.168.1.10:8000", "~#1: to=192.168.1.11:8000 n=4",
		  "0:changed:1", "~1" },
		{ "tcp 9000-9003 192.168.1.10:8000", "~#1: to=192.168.1.11:8000 n=3",
		  "0:bad-request:-1", "" },
		{ "tcp 443 [2001:db8::10]:443", "~#1: to=[::10]:443", "0:bad-request:-1",
		  "" },
		{ "tcp 443 [2001:db8::10]:443", "~#1: to=[::10]:443 lan=lan9",
		  "0:bad-request:-1", "" },
		{ WEB, "~web: to=[::10]:80", "0:bad-request:-1", "" },
		{ "tcp 1-65535 192.168.1.10:1", "~#1: to=192.168.1.11:2",
		  "0:bad-request:-1", "" },
		{ "tcp 443 [2001:db8::10]:443\ntcp 443 [2001:db8::11]:443",
		  "~#1: to=[2001:db8::11]:443", "0:conflict:2", "" },
		{ "tcp 443 [2001:db8::10]:443\ntcp 443 [2001:db8::11]:443",
		  "~#1: to=[2001:db8::12]:443", "0:changed:1", "~1" },
		{ WEB, "~web: upstream=default", "0:unchanged:1", "" },
		{ WEB, "~web: upstream=yes", "0:changed:1", "~1" },
		{ WEB, "~web: held", "0:unchanged:1", "" },
		{ WEB " upstream=required", "~web: lost", "0:unchanged:1", "" },
		{ WEB " upstream=required", "~web: held", "0:changed:1", "~1" },
		{ WEB " upstream=required held", "~web: held", "0:unchanged:1", "" },
		{ "tcp 9000-9063 192.168.1.10:9000", "~#1: upstream=required",
		  "0:changed:1", "~1" },
		{ "tcp 9000-9064 192.168.1.10:9000", "~#1: upstream=required",
		  "0:bad-request:-1", "" },
		{ "tcp 9000-9064 192.168.1.10:9000", "~#1: upstream=no", "0:changed:1",
		  "~1" },
	};

	expect_stories(stories);
}

/* Asking again with another wish is asking for what is there, as with another comment. */
Test(update, asking_again_alters_no_wish)
{
	static const struct story stories[] = {
		{ WEB, "+" WEB " upstream=yes comment=x", "0:unchanged:1", "" },
		{ WEB " upstream=required", "+" WEB, "0:unchanged:1", "" },
	};

	expect_stories(stories);
}

static struct mapping changed(struct table *table, const char *request, uint64_t now)
{
	struct conditions at = ordinary;

	at.now = now;
	cr_expect_eq(change_table(table, request, &at), VERDICT_CHANGED, "%s", request);
	return *table_find_id(table, 1);
}

Test(update, what_the_router_above_us_says_is_nobodys_change)
{
	struct table *table = make_loaded(WEB " upstream=required");
	const uint64_t before = table_find_id(table, 1)->changed;
	struct mapping m;

	cr_expect_not(mapping_is_live(table_find_id(table, 1)));
	m = changed(table, "~web: held", 5000);
	cr_expect(mapping_is_live(&m));
	cr_expect_eq(m.changed, before);
	m = changed(table, "~web: lost", 5001);
	cr_expect_not(mapping_is_live(&m));
	cr_expect_eq(m.changed, before);
	m = changed(table, "~web: held name=site", 5002);
	cr_expect(m.held);
	cr_expect_eq(m.changed, 5002, "who gives it a name changes it");
	m = changed(table, "~site: upstream=yes", 5003);
	cr_expect_not(m.held, "only what must be held is");
	cr_expect(mapping_is_live(&m));
	m = changed(table, "~site: upstream=required", 5004);
	cr_expect_not(mapping_is_live(&m), "until the router says so");
	table_free(table);
}

Test(update, an_effect_says_whose_doing_it_is)
{
	struct table *table = make_loaded(WEB " upstream=required");
	struct change_list list =
		make_list("~web: held\n~web: lost name=site\n~site: off");
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	cr_assert_eq(plan_size(plan), 3);
	cr_expect(plan_effect_at(plan, 0)->held);
	cr_expect_not(plan_effect_at(plan, 1)->held);
	cr_expect_not(plan_effect_at(plan, 2)->held);
	plan_free(plan);
	change_list_done(&list);
	table_free(table);
}

/* A person's rights and the file's are not asked: natd says so itself. */
Test(update, the_router_above_us_is_believed_of_the_files_too)
{
	struct change_list list = make_list("~#1: held");
	struct table *table = make_table(10);
	struct plan *plan;

	change_table(table, "c" WEB " upstream=required", &ordinary);
	list.changes[0].config_too = true;
	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	cr_assert_eq(plan_size(plan), 1);
	cr_expect(plan_effect_at(plan, 0)->mapping->held);
	cr_expect_eq(plan_effect_at(plan, 0)->mapping->changed_by, 0);
	plan_free(plan);
	change_list_done(&list);
	table_free(table);
}

Test(update, only_what_was_asked_for_is_altered)
{
	struct table *table = make_loaded(
		"tcp 22 192.168.1.10:22 ssh from=10.0.0.0/8 comment=first lease=60");
	struct conditions at = ordinary;
	const struct mapping *m;
	struct mapping before = *table_find_id(table, 1);

	at.now = 5000;
	at.lease_now = 1000000;
	cr_expect_eq(change_table(table, "~ssh: comment=second off", &at),
		     VERDICT_CHANGED);
	m = table_find_id(table, 1);
	cr_expect_str_eq(mapping_comment(m), "second");
	cr_expect_not(m->enabled);
	cr_expect_eq(m->details->n_remotes, 1);
	cr_expect_eq(m->changed, 5000);
	cr_expect_eq(m->created, before.created);
	cr_expect_eq(m->expires, before.expires);
	cr_expect_eq(m->lifetime, 60);
	cr_expect_str_eq(m->name, "ssh");
	cr_expect(endpoint_equal(&m->internal, &before.internal));
	cr_expect_eq(table_size(table), 1);
	cr_expect_eq(table_next_id(table), 2);

	cr_expect_eq(change_table(table, "~ssh: lease=100", &at), VERDICT_CHANGED);
	m = table_find_id(table, 1);
	cr_expect_eq(m->lifetime, 100);
	cr_expect_eq(m->expires, 1100000);
	cr_expect_eq(change_table(table, "~ssh: lease=0 name=s", &at), VERDICT_CHANGED);
	m = table_find_id(table, 1);
	cr_expect_eq(m->expires, 0);
	cr_expect_eq(m, table_find_name(table, "s", IPPROTO_TCP));
	cr_expect_null(table_find_name(table, "ssh", IPPROTO_TCP));
	table_free(table);
}

Test(update, both_generations_see_their_own)
{
	struct table *table = make_loaded(BOTH);
	struct change_list list = make_list("~web: name=site to=192.168.1.99:80");
	const struct effect *effect;
	const struct mapping *m;
	struct plan *plan;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	m = table_find_name(table, "web", IPPROTO_TCP);
	cr_expect_eq(m, table_next(table, NULL));
	cr_expect_eq(table_next(table, m)->id, 2);
	cr_expect_null(table_find_name(table, "site", IPPROTO_TCP));
	effect = plan_effect_at(plan, 0);
	cr_expect_eq(effect->kind, CHANGE_UPDATE);
	cr_expect_eq(effect->before, m);
	cr_expect_str_eq(effect->mapping->name, "site");
	table_commit(table, plan);
	cr_expect_eq(table_find_id(table, 1), effect->mapping);
	/* readable on */
	cr_expect_str_eq(effect->before->name, "web");
	plan_free(plan);
	m = table_next(table, NULL);
	for (uint64_t id = 1; id <= 3; id++, m = table_next(table, m))
		cr_expect_eq(m->id, id);
	cr_expect_null(m);
	change_list_done(&list);
	table_free(table);
}

Test(update, a_pinhole_that_gets_another_port_takes_one_of_the_wan)
{
	const struct listener listener = {
		.local = { address_any6, 443 },
		.protocol = IPPROTO_TCP,
	};
	struct table *table = make_loaded("tcp 443 [2001:db8::10]:443");
	struct conditions at = ordinary;

	cr_expect_eq(change_table(table, "~#1: to=[2001:db8::10]:8443", &at),
		     VERDICT_CHANGED);
	cr_expect_eq(mapping_kind(table_find_id(table, 1)), MAPPING_FORWARD6);
	cr_expect_eq(change_table(table, "~#1: to=[2001:db8::10]:443", &at),
		     VERDICT_CHANGED);
	cr_expect_eq(mapping_kind(table_find_id(table, 1)), MAPPING_PINHOLE6);
	at.listeners = (struct listener_list){ &listener, 1 };
	cr_expect_eq(change_table(table, "~#1: to=[2001:db8::10]:8443", &at),
		     VERDICT_PORT_IN_USE);
	cr_expect_eq(change_table(table, "~#1: to=[2001:db8::11]:443", &at),
		     VERDICT_CHANGED);
	table_free(table);
}

/* What is known of the one mapping: its LAN, where packets go, its kind. */
static void expect_host(struct table *table, const char *update, const char *lan,
			const char *host, enum mapping_kind kind)
{
	static const struct lan_prefix lans[] = {
		{ .lan = "lan0",
		  .prefix = { { { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1 } } } },
		{ .lan = "lan1" },
	};
	char text[INET6_ADDRSTRLEN];
	struct conditions at = ordinary;
	const struct mapping *m;

	at.lans = (struct lan_prefix_list){ lans, ARRAY_SIZE(lans) };
	cr_expect_eq(change_table(table, update, &at), VERDICT_CHANGED, "%s", update);
	m = table_find_id(table, 1);
	cr_expect_str_eq(mapping_lan(m), lan, "%s", update);
	cr_expect_str_eq(address_format(&m->host, text), host, "%s", update);
	cr_expect_eq(mapping_kind(m), kind, "%s", update);
	cr_expect_eq(mapping_is_live(m), strcmp(host, "::") != 0, "%s", update);
}

Test(update, a_host_becomes_a_suffix_and_back)
{
	struct lan_prefix moved = { .lan = "lan0" };
	struct table *table = make_loaded("tcp 443 [2001:db8::10]:443 comment=seen");
	size_t n;

	expect_host(table, "~#1: to=[::10]:443 lan=lan0", "lan0", "2001:db8:0:1::10",
		    MAPPING_PINHOLE6);
	/* the LAN that is not named is the one it has */
	expect_host(table, "~#1: to=[::11]:443", "lan0", "2001:db8:0:1::11",
		    MAPPING_PINHOLE6);
	expect_host(table, "~#1: to=[::11]:8443", "lan0", "2001:db8:0:1::11",
		    MAPPING_FORWARD6);
	expect_host(table, "~#1: to=[::11]:443 lan=lan1", "lan1", "::", MAPPING_PINHOLE6);
	expect_host(table, "~#1: to=[::1]:443 lan=lan0 comment=", "lan0",
		    "2001:db8:0:1::1", MAPPING_PINHOLE6);
	cr_assert_eq(address_parse("2001:db8:0:2::", &moved.prefix), 0);
	table_settle_hosts(table, &(struct lan_prefix_list){ &moved, 1 }, &n);
	cr_expect_eq(n, 1);
	expect_host(table, "~#1: to=[2001:db8::10]:443", "", "2001:db8::10",
		    MAPPING_PINHOLE6);
	cr_expect_null(table_find_id(table, 1)->details);
	table_settle_hosts(table, &(struct lan_prefix_list){ &moved, 1 }, &n);
	cr_expect_eq(n, 0);
	table_free(table);
}

Test(update, the_files_are_altered_with_config_too_only)
{
	struct table *table = make_table(10);
	struct change_list list = make_list("~web: off");
	struct plan *plan;

	change_table(table, "c" WEB, &ordinary);
	cr_expect_eq(change_table(table, "~web: off", &ordinary), VERDICT_OF_CONFIG);
	list.changes[0].config_too = true;
	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	cr_expect_eq(plan_size(plan), 1);
	plan_free(plan);
	change_list_done(&list);
	table_free(table);
}
