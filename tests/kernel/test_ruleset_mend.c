/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

TestSuite(ruleset_mend, .init = fixture_enter, .fini = fixture_leave);

static const char mappings[] = "tcp 8080 192.168.1.10:80 web\n"
			       "udp 5000 192.168.1.11:5000\n"
			       "tcp 8443 [fd00::10]:443\n"
			       "tcp 443 [2001:db8:1::10]:443\n";

static void assert_unchanged(const struct ruleset_report *r)
{
	cr_assert_not(
		r->created || r->replaced || r->rewritten || r->added || r->removed ||
			r->other,
		"created %d replaced %d rewritten %d added %zu removed %zu other %zu",
		r->created, r->replaced, r->rewritten, r->added, r->removed, r->other);
}

/* ---------------------------------------------------------------- mending */

/* What somebody did while nobody watched, and what has to be done about it. To an orphan
 * of the owned protection the kernel allows a little less. */
static const struct damage {
	const char *command;
	size_t added, removed, other;
	bool rewritten;
	bool watched_only;
} damages[] = {
	{ "nft flush chain inet natd forward_wan", .rewritten = true },
	{ "nft delete rule inet natd forward handle "
	  "$(nft -a list chain inet natd forward | sed -n 's/.*seen-reply.*handle //p')",
	  .rewritten = true },
	{ "nft insert rule inet natd forward_wan accept", .rewritten = true },
	{ "nft insert rule inet natd forward_wan iifname { a, b } accept",
	  .rewritten = true },
	{ "nft 'add chain inet natd mine; add rule inet natd mine drop; "
	  "add rule inet natd forward jump mine'",
	  .rewritten = true },
	{ "nft 'add chain inet natd base { type filter hook input priority 3; policy drop; }'",
	  .rewritten = true },
	{ "nft 'add chain inet natd forward { policy drop; }'", .rewritten = true },
	{ "nft add counter inet natd mine", .rewritten = true },
	{ "nft 'add set inet natd mine { type ipv4_addr; }'", .rewritten = true },
	{ "nft 'add chain inet natd mine; "
	  "add map inet natd jumps { type mark : verdict; }; "
	  "add element inet natd jumps { 1 : jump mine }; "
	  "add rule inet natd forward meta mark vmap @jumps'",
	  .rewritten = true },
	{ "nft 'flush chain inet natd forward; flush chain inet natd forward_wan; "
	  "delete counter inet natd refused'",
	  .rewritten = true },
	{ "nft 'flush chain inet natd from_wan; flush chain inet natd to_wan; "
	  "flush chain inet natd hairpin; delete ct timeout inet natd natd_udp; "
	  "add ct timeout inet natd natd_udp "
	  "{ protocol udp; l3proto ip; policy = { unreplied : 1, replied : 2 }; }'",
	  .rewritten = true },
	{ "nft 'flush chain inet natd dnat4; delete map inet natd forward4'", .added = 2,
	  .rewritten = true },
	{ "nft 'flush chain inet natd dnat4; delete map inet natd forward4; "
	  "add map inet natd forward4 { type inet_service : ipv4_addr; }; "
	  "add element inet natd forward4 { 7 : 1.2.3.4 }'",
	  .added = 2, .rewritten = true },
	{ "nft 'flush chain inet natd dnat4; delete map inet natd forward4; "
	  "add map inet natd forward4 { type inet_proto . inet_service : "
	  "ipv4_addr . inet_service; size 4096; counter; flags timeout; }'",
	  .added = 2, .rewritten = true },
	{ "nft add element inet natd forward4 '{ tcp . 99 : 192.168.1.99 . 9 }'",
	  .removed = 1 },
	{ "nft add element inet natd forward4 '{ sctp . 80 : 192.168.1.10 . 80 }'",
	  .removed = 1 },
	{ "nft add element inet natd forward4 '{ * : 192.168.1.10 . 80 }'",
	  .removed = 1 },
	{ "nft delete element inet natd forward4 '{ tcp . 8080 }'", .added = 1 },
	{ "nft flush map inet natd forward4", .added = 2 },
	{ "nft 'delete element inet natd forward4 { tcp . 8080 }; "
	  "add element inet natd forward4 { tcp . 8080 : 192.168.1.66 . 80 }'",
	  .added = 1, .removed = 1 },
	{ "nft 'delete element inet natd forward6 { tcp . 8443 }; "
	  "add element inet natd forward6 { tcp . 8443 : fd00::66 . 443 }'",
	  .added = 1, .removed = 1 },
	{ "nft add element inet natd pinhole6 '{ 2001:db8:1::66 . udp . 53 }'",
	  .removed = 1 },
	{ "nft flush set inet natd pinhole6", .added = 1 },
	{ "nft add element inet natd wan_addr4 '{ 192.0.2.1 }'", .other = 1 },
	{ "nft flush set inet natd wan_addr6", .other = 1 },
	{ "nft 'flush set inet natd lan_if; add element inet natd lan_if { eth7 }'",
	  .other = 2 },
	{ "nft flush set inet natd lan_fib", .other = 1 },
	{ "nft add element inet natd masquerade6 '{ 2001:db8:1::/64 }'", .other = 3 },
	{ "nft flush set inet natd sequence", .other = 1 },
	{ "nft add table inet natd '{ flags dormant; }'", .rewritten = true,
	  .watched_only = true },
};

static void mend(const struct damage *d)
{
	const char *list =
		"nft -s list table inet natd | sed 's/natd {.*/natd {/' | sort";
	char *before = fixture_listing(list), *after;
	struct ruleset_report report;

	fixture_while_away(d->command);
	report = fixture_sync();
	cr_assert_eq(report.rewritten, d->rewritten, "%s", d->command);
	cr_assert_not(report.created || report.replaced, "%s", d->command);
	cr_assert_eq(report.added, d->added, "%zu: %s", report.added, d->command);
	cr_assert_eq(report.removed, d->removed, "%zu: %s", report.removed, d->command);
	cr_assert_eq(report.other, d->other, "%zu: %s", report.other, d->command);
	report = fixture_sync();
	assert_unchanged(&report);
	after = fixture_listing(list);
	cr_assert_str_eq(before, after, "%s", d->command);
	free(before);
	free(after);
}

/* What was deleted and made again stands elsewhere in the listing, which is sorted for
 * that. */
TEST_IN_BOTH(ruleset_mend, whatever_somebody_did_is_mended)
{
	fixture_load(mappings);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		if (damages[i].watched_only && options.protection == PROTECTION_OWNED)
			continue;
		ruleset_delete(rs);
		fixture_sync();
		mend(&damages[i]);
	}
}

TEST_IN_BOTH(ruleset_mend, a_table_that_is_gone_is_made_again)
{
	struct ruleset_report report;

	fixture_load(mappings);
	fixture_sync();
	fixture_while_away("nft flush ruleset");
	report = fixture_sync();
	cr_assert(report.created);
	cr_assert_eq(report.added, 4);
}

Test(ruleset_mend, a_flush_under_our_eyes_is_mended_when_watched)
{
	options.protection = PROTECTION_WATCHED;
	fixture_load(mappings);
	fixture_sync();
	netns_run("nft flush ruleset");
	cr_assert(fixture_sync().created);
}

Test(ruleset_mend, a_flush_under_our_eyes_does_nothing_when_owned)
{
	struct ruleset_report report;

	fixture_protection(PROTECTION_OWNED);
	fixture_load(mappings);
	fixture_sync();
	netns_run("nft flush ruleset");
	report = fixture_sync();
	assert_unchanged(&report);
}

struct extras {
	unsigned n;
	struct ruleset_slot last;
};

static void note_extra(void *userdata, const struct ruleset_slot *slot)
{
	struct extras *e = userdata;

	e->n++;
	e->last = *slot;
}

/* What an element led astray has to be ended, so its owner is told. */
TEST_IN_BOTH(ruleset_mend, elements_that_led_astray_are_named)
{
	struct ruleset_report report;
	struct extras e = { 0 };

	fixture_load(mappings);
	fixture_sync();
	fixture_while_away(
		"nft 'delete element inet natd forward4 { tcp . 8080 }; "
		"add element inet natd forward4 { tcp . 8080 : 192.168.1.9 . 80 }'");
	cr_assert_eq(ruleset_sync(rs, &options, &addresses, table, sequence, note_extra,
				  &e, &report, NULL),
		     0);
	cr_assert_eq(e.n, 1);
	cr_assert_eq(e.last.protocol, IPPROTO_TCP);
	cr_assert_eq(e.last.external.port, 8080);
	cr_assert(address_equal(&e.last.external.addr, &address_any4));

	fixture_while_away(
		"nft add element inet natd pinhole6 '{ 2001:db8:1::6 . udp . 53 }'");
	cr_assert_eq(ruleset_sync(rs, &options, &addresses, table, sequence, note_extra,
				  &e, &report, NULL),
		     0);
	cr_assert_eq(e.n, 2);
	cr_assert_eq(e.last.protocol, IPPROTO_UDP);
	cr_assert_eq(e.last.external.addr.s6_addr[15], 6);
	cr_assert_eq(e.last.external.port, 53);
}

/* ---------------------------------------------------------------- every kind */

static const char every_kind[] =
	"tcp 8080 192.168.1.10:80\n"
	"udp 9000-9003 192.168.1.10:8000\n"
	"udp 5000-5100 192.168.1.11:5000\n"
	"tcp 7000 192.168.1.10:7000 at=203.0.113.5\n"
	"udp 53 192.168.1.10:53\n"
	"tcp 8080 192.168.1.11:80 from=198.51.100.0/24\n"
	"tcp 8080 192.168.1.12:80 from=198.51.100.0/25 at=203.0.113.5\n"
	"udp 8443 [fd00::10]:443\n"
	"udp 6000-6100 [fd00::10]:6000\n"
	"tcp 7000 [fd00::10]:70 at=2001:db8:f::5\n"
	"tcp 80 [fd00::10]:80 from=2001:db8:c::/48,2001:db8:e::/47\n"
	"tcp 443 [2001:db8:1::10]:443\n"
	"tcp 444 [2001:db8:1::10]:444 from=2001:db8:c::/48\n"
	"tcp 5000-5100 [2001:db8:1::10]:5000";

static void of_every_kind(void)
{
	static const struct in6_addr to = { { { [10] = 0xff, 0xff, 203, 0, 113, 5 } } };
	static struct snat snats[2];
	static struct prefix untranslated;

	cr_assert_eq(prefix_parse("192.168.0.0/16", &snats[0].source), 0);
	cr_assert_eq(prefix_parse("192.168.1.12/32", &snats[1].source), 0);
	snats[0].to = snats[1].to = to;
	snats[1].one_to_one = true;
	cr_assert_eq(prefix_parse("10.0.0.0/8", &untranslated), 0);
	addresses.snat = (struct snat_list){ snats, 2, &untranslated, 1 };
	options.symmetry = SYMMETRY_ALL;
	fixture_load(every_kind);
}

TEST_IN_BOTH(ruleset_mend, of_every_kind_a_second_sync_sends_nothing)
{
	struct ruleset_report report;
	bool owned = options.protection == PROTECTION_OWNED;

	of_every_kind();
	report = fixture_sync();
	cr_assert(report.created);
	cr_assert_eq(report.added, 18, "%zu", report.added);
	fixture_monitor();
	report = fixture_sync();
	assert_unchanged(&report);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), 0);
	fixture_reopen();
	report = fixture_sync();
	assert_unchanged(&report);
	cr_assert_eq(fixture_monitored(NFT_MSG_MAX), owned ? 1 : 0);
	fixture_while_away("nft flush ruleset");
	report = fixture_sync();
	cr_assert(report.created);
	cr_assert_eq(report.added, 18);
	report = fixture_sync();
	assert_unchanged(&report);
}

#define FLUSH_FROM4 "nft flush chain inet natd from4_tcp_8080"
#define LAST_RULE(chain)                                                                 \
	"$(nft -a list chain inet natd " chain " | sed -n 's/.*handle //p' | tail -1)"

static const struct damage damages_of_kinds[] = {
	{ "nft flush map inet natd forward4_at", .added = 1 },
	{ "nft flush map inet natd range4", .added = 1 },
	{ "nft add element inet natd range4 '{ 20000-20100 . udp : 192.168.1.66 }'",
	  .removed = 1 },
	{ "nft 'delete element inet natd range4 { 5000-5100 . udp }; "
	  "add element inet natd range4 { 5000-5101 . udp : 192.168.1.11 }'",
	  .added = 1, .removed = 1 },
	{ "nft flush set inet natd pinrange6", .added = 1 },
	{ "nft delete element inet natd forward4 '{ udp . 9002 }'", .added = 1 },
	{ FLUSH_FROM4, .added = 2 },
	{ "nft flush map inet natd forward4_from", .other = 1 },
	{ "nft 'flush map inet natd forward4_from; flush chain inet natd from4_tcp_8080; "
	  "delete chain inet natd from4_tcp_8080'",
	  .added = 2, .other = 1 },
	{ "nft delete rule inet natd from4_tcp_8080 handle " LAST_RULE("from4_tcp_8080"),
	  .added = 1 },
	{ "nft insert rule inet natd from4_tcp_8080 ip saddr 192.0.2.0/24 counter "
	  "dnat ip to 192.168.1.66",
	  .removed = 1 },
	{ "nft insert rule inet natd pin6_tcp_444_20010db8000100000000000000000010 accept",
	  .removed = 1 },
	{ "nft 'add chain inet natd from4_udp_1; "
	  "add rule inet natd from4_udp_1 counter accept; "
	  "add element inet natd forward4_from { udp . 1 : jump from4_udp_1 }'",
	  .removed = 1, .other = 1 },
	{ "nft 'add chain inet natd mine; add rule inet natd from4_tcp_8080 jump mine'",
	  .removed = 1, .rewritten = true },
	{ "nft 'delete element inet natd forward4_from { tcp . 8080 }; "
	  "add element inet natd forward4_from { tcp . 8080 : goto from4_tcp_8080 }'",
	  .other = 2 },
	{ "nft flush map inet natd snat4", .other = 4 },
	{ "nft flush map inet natd one_in4", .other = 1 },
	{ "nft flush set inet natd untranslated4", .other = 2 },
	{ "nft flush set inet natd same4", .other = 1 },
	{ "nft flush map inet natd back4", .other = 6 },
	{ "nft flush set inet natd keep4", .other = 1 },
	{ "nft flush map inet natd spare_tcp", .other = 17 },
	{ "nft flush chain inet natd spare_udp_64_511", .other = 1 },
};

TEST_IN_BOTH(ruleset_mend, of_every_kind_whatever_somebody_did_is_mended)
{
	of_every_kind();
	for (size_t i = 0; i < sizeof(damages_of_kinds) / sizeof(damages_of_kinds[0]);
	     i++) {
		ruleset_delete(rs);
		fixture_sync();
		mend(&damages_of_kinds[i]);
	}
}

TEST_IN_BOTH(ruleset_mend, rules_that_led_astray_are_named)
{
	struct ruleset_report report;
	struct extras e = { 0 };
	char text[ENDPOINT_STRLEN];

	of_every_kind();
	fixture_sync();
	fixture_while_away(
		"nft insert rule inet natd from4_tcp_8080 ip daddr 203.0.113.5 "
		"ip saddr 192.0.2.0/24 counter dnat ip to 192.168.1.66");
	cr_assert_eq(ruleset_sync(rs, &options, &addresses, table, sequence, note_extra,
				  &e, &report, NULL),
		     0);
	cr_assert_eq(e.n, 1);
	cr_assert_eq(e.last.kind, MAPPING_FORWARD4_FROM);
	cr_assert_eq(e.last.protocol, IPPROTO_TCP);
	cr_assert_str_eq(endpoint_format(&e.last.external, text), "203.0.113.5:8080");
	cr_assert_str_eq(endpoint_format(&e.last.internal, text), "192.168.1.66:8080");
	cr_assert_eq(e.last.remote.len, 96 + 24);
}

/* Those of other chains go on counting. */
TEST_IN_BOTH(ruleset_mend, new_options_leave_restricted_mappings_alone)
{
	struct ruleset_report report;

	of_every_kind();
	fixture_sync();
	options.input_drop = true;
	fixture_monitor();
	report = fixture_sync();
	cr_assert(report.rewritten);
	cr_assert_eq(report.added + report.removed, 0);
	cr_assert_eq(report.other, 0);
	netns_run("nft list chain inet natd from4_tcp_8080 | grep -q 192.168.1.12:80");
	report = fixture_sync();
	assert_unchanged(&report);
}

static void load_restricted(size_t from, size_t to)
{
	char line[96];

	for (size_t i = from; i < to; i++) {
		snprintf(line, sizeof(line),
			 "tcp %zu 192.168.1.10:80 from=10.%zu.%zu.0/24", 1024 + i,
			 i / 256, i % 256);
		fixture_load(line);
	}
}

static long time_of_sync(void)
{
	long start = netns_milliseconds();

	fixture_sync();
	return netns_milliseconds() - start;
}

/* Twice as many take about twice as long, and not four times. */
Test(ruleset_mend, restricted_mappings_are_as_many_as_there_are)
{
	struct ruleset_report report;
	long half, whole;

	load_restricted(0, 2500);
	half = time_of_sync();
	ruleset_delete(rs);
	load_restricted(2500, 5000);
	whole = time_of_sync();
	cr_log_info("2500: %ld ms, 5000: %ld ms", half, whole);
	cr_assert_lt(whole, 3 * half + 100, "2500: %ld ms, 5000: %ld ms", half, whole);
	report = fixture_sync();
	assert_unchanged(&report);
	netns_run("nft -t list map inet natd forward4_from | grep -q 'size 8192' || "
		  "nft -t list map inet natd forward4_from | grep -q 'size 16384'");
}
