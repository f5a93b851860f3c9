/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/outcome.h"
#include "said.h"

#define DAY	   86400
#define NOW	   (100 * DAY)
#define OTHER_PORT "Remove it first, or choose another port."

static struct mapping holder_of(const char *text, uint64_t id, enum origin origin,
				uint64_t age)
{
	struct mapping m = said(text);

	m.id = id;
	m.origin = (uint8_t)origin;
	m.created = NOW - age;
	return m;
}

static struct change selecting(enum change_kind kind, uint8_t protocol, uint16_t port,
			       const char *name, uint64_t id)
{
	struct change change = { .kind = kind };

	change.selector.protocol = protocol;
	change.selector.port = port;
	change.selector.id = id;
	snprintf(change.selector.name, sizeof(change.selector.name), "%s", name);
	return change;
}

static void expect_refusal(enum verdict verdict, const struct change *change,
			   const struct mapping *holder, const char *detail,
			   const char *cure)
{
	const struct refusal refusal = {
		.verdict = verdict,
		.holders = &holder,
		.n_holders = holder ? 1 : 0,
	};
	struct problem p;

	problem_of_refusal(&refusal, change, NOW, &p);
	cr_expect_eq(p.verdict, verdict);
	cr_expect_str_eq(p.detail, detail);
	cr_expect_str_eq(p.cure, cure);
}

Test(refusal, a_conflict_names_who_holds_the_port_and_since_when)
{
	struct change change = said_add("tcp,udp 8080 -> 192.168.1.66:80");
	struct mapping holder;

	holder = holder_of("tcp 8080 \"web\" -> 192.168.1.10:80", 7, ORIGIN_CONFIG,
			   3 * DAY);
	expect_refusal(
		VERDICT_CONFLICT, &change, &holder,
		"tcp 8080 is taken by \"web\" -> 192.168.1.10:80 (added by config, "
		"3 days ago).",
		OTHER_PORT);

	holder = holder_of("udp 8080 -> 192.168.1.10:80", 7, ORIGIN_ADMIN, 300);
	expect_refusal(VERDICT_CONFLICT, &change, &holder,
		       "udp 8080 is taken by 192.168.1.10:80 (mapping 7, added by admin, "
		       "5 minutes ago).",
		       OTHER_PORT);

	holder.id = 0;
	expect_refusal(VERDICT_CONFLICT, &change, &holder,
		       "udp 8080 is taken by 192.168.1.10:80 (asked for earlier in the "
		       "same list).",
		       OTHER_PORT);
}

Test(refusal, a_conflict_of_ranges_says_which_ports_are_taken)
{
	static const struct {
		const char *asked, *holder, *sentence;
	} cases[] = {
		{ "udp 9000-9003 -> 192.168.1.66:9000",
		  "udp 9002-9010 \"g\" -> 192.168.1.10:9002",
		  "udp 9002-9003 are taken by udp 9002-9010 \"g\" -> "
		  "192.168.1.10:9002-9010" },
		{ "udp 9005-9020 -> 192.168.1.66:9005",
		  "udp 9002-9010 -> 192.168.1.10:8000",
		  "udp 9005-9010 are taken by udp 9002-9010 -> 192.168.1.10:8000-8008" },
		{ "udp 9005 -> 192.168.1.66:1", "udp 9002-9010 -> 192.168.1.10:8000",
		  "udp 9005 is taken by udp 9002-9010 -> 192.168.1.10:8000-8008" },
		{ "udp 9000-9009 -> 192.168.1.66:1", "udp 9005 \"g\" -> 192.168.1.10:1",
		  "udp 9005 is taken by \"g\" -> 192.168.1.10:1" },
		{ "udp 1-65535 -> 192.168.1.66:1", "udp 1-65535 -> 192.168.1.10:1",
		  "udp 1-65535 are taken by udp 1-65535 -> 192.168.1.10:1-65535" },
		{ "udp 203.0.113.7:9000-9003 -> 192.168.1.66:1",
		  "udp 203.0.113.7:9003 \"g\" -> 192.168.1.10:1",
		  "udp 203.0.113.7:9003 is taken by \"g\" -> 192.168.1.10:1" },
		{ "udp 443 -> [2001:db8::10]:443 from 2001:db8:9::/48",
		  "udp 443 \"g\" -> [2001:db8::10]:443 from "
		  "2001:db8:9::/48,2001:db8:8::/48",
		  "udp 443 from 2001:db8:9::/48 is taken by udp 443 \"g\" -> "
		  "[2001:db8::10]:443 from 2001:db8:8::/48 and 1 other" },
		{ "udp 22-23 -> 192.168.1.66:22 from 10.0.0.0/8,9.0.0.0/8",
		  "udp 23-24 -> 192.168.1.10:23 from 10.0.0.0/8",
		  "udp 23 from 10.0.0.0/8 is taken by udp 23-24 -> 192.168.1.10:23-24 "
		  "from 10.0.0.0/8" },
	};
	char detail[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct change change = said_add(cases[i].asked);
		struct mapping holder = holder_of(cases[i].holder, 7, ORIGIN_ADMIN, DAY);

		snprintf(detail, sizeof(detail), "%s (%sadded by admin, 1 day ago).",
			 cases[i].sentence, holder.name[0] ? "" : "mapping 7, ");
		expect_refusal(VERDICT_CONFLICT, &change, &holder, detail, OTHER_PORT);
	}
}

/* A host that moved may become a pinhole where another is. */
Test(refusal, a_conflict_of_an_update_names_what_is_there)
{
	struct change change = selecting(CHANGE_UPDATE, 0, 0, "web", 0);
	struct mapping holder =
		holder_of("tcp 443-449 -> [2001:db8::10]:443", 7, ORIGIN_ADMIN, DAY);

	change.patch.set = PATCH_INTERNAL;
	expect_refusal(VERDICT_CONFLICT, &change, &holder,
		       "tcp 443-449 are taken by tcp 443-449 -> [2001:db8::10]:443-449 "
		       "(mapping 7, added by admin, 1 day ago).",
		       OTHER_PORT);
}

Test(refusal, the_same_under_another_name_is_a_conflict_of_names)
{
	static const struct {
		const char *asked, *holder, *detail;
	} cases[] = {
		{ "tcp 8080 \"other\" -> 192.168.1.10:80",
		  "tcp 8080 \"web\" -> 192.168.1.10:80",
		  "tcp 8080 -> 192.168.1.10:80 is there already, named \"web\" (added by "
		  "admin, just now)." },
		{ "tcp 8080 \"other\" -> 192.168.1.10:80", "tcp 8080 -> 192.168.1.10:80",
		  "tcp 8080 -> 192.168.1.10:80 is there already, without a name (mapping "
		  "7, added by admin, just now)." },
		{ "tcp 203.0.113.7:9000-9003 \"other\" -> 192.168.1.10:1 from 10.0.0.0/8",
		  "tcp 203.0.113.7:9000-9003 \"web\" -> 192.168.1.10:1 from 10.0.0.0/8",
		  "tcp 203.0.113.7:9000-9003 -> 192.168.1.10:1-4 is there already, named "
		  "\"web\" (added by admin, just now)." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct change change = said_add(cases[i].asked);
		struct mapping holder = holder_of(cases[i].holder, 7, ORIGIN_ADMIN, 0);

		expect_refusal(VERDICT_CONFLICT, &change, &holder, cases[i].detail,
			       "Ask for it without a name, or rename it: natctl rename.");
	}
}

Test(refusal, what_is_there_already_and_is_anothers_is_not_renewed)
{
	struct change change = said_add("tcp 8080 -> 192.168.1.10:80");
	struct mapping holder =
		holder_of("tcp 8080 \"web\" -> 192.168.1.10:80", 7, ORIGIN_ADMIN, 0);

	holder.owner_uid = 1000;
	expect_refusal(VERDICT_CONFLICT, &change, &holder,
		       "tcp 8080 -> 192.168.1.10:80 is there already, named \"web\", and "
		       "belongs to uid:1000 (added by admin, just now).",
		       "Only who added it, and who may do all, can renew it.");
}

/* Not the same: what differs decides who is in the way, and the sentence is the other. */
Test(refusal, what_only_resembles_is_in_the_way)
{
	static const struct {
		const char *asked, *holder;
	} cases[] = {
		{ "tcp 8080 -> 192.168.1.10:81", "tcp 8080 -> 192.168.1.10:80" },
		{ "tcp 8080-8081 -> 192.168.1.10:80", "tcp 8080 -> 192.168.1.10:80" },
		{ "tcp 8081-8082 -> 192.168.1.10:80",
		  "tcp 8080-8081 -> 192.168.1.10:80" },
		{ "tcp 80 -> 192.168.1.10:80 from 10.0.0.0/8",
		  "tcp 80 -> 192.168.1.10:80 from 10.0.0.0/8,11.0.0.0/8" },
		{ "tcp 80 -> 192.168.1.10:80 from 9.0.0.0/8",
		  "tcp 80 -> 192.168.1.10:80 from 10.0.0.0/8,11.0.0.0/8" },
		{ "tcp 80 -> 192.168.1.10:80 from 10.0.0.0/8,12.0.0.0/8",
		  "tcp 80 -> 192.168.1.10:80 from 10.0.0.0/8,11.0.0.0/8" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct change change = said_add(cases[i].asked);
		struct mapping m = holder_of(cases[i].holder, 7, ORIGIN_ADMIN, 0);
		const struct mapping *holder = &m;
		const struct refusal refusal = { .verdict = VERDICT_CONFLICT,
						 .holders = &holder,
						 .n_holders = 1 };
		struct problem p;

		problem_of_refusal(&refusal, &change, NOW, &p);
		cr_expect_not_null(strstr(p.detail, " taken by "), "%s", p.detail);
	}
}

Test(refusal, the_age_is_in_the_largest_whole_unit)
{
	static const struct {
		uint64_t age;
		const char *text;
	} cases[] = {
		{ 0, "just now" },
		{ 59, "just now" },
		{ 60, "1 minute ago" },
		{ 3599, "59 minutes ago" },
		{ 3600, "1 hour ago" },
		{ DAY - 1, "23 hours ago" },
		{ DAY, "1 day ago" },
		{ 99 * DAY, "99 days ago" },
		{ (uint64_t)-1000, "just now" }, /* a clock that was set back */
	};
	struct change change = said_add("tcp 8080 -> 192.168.1.66:80");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapping m = holder_of("tcp 8080 \"web\" -> 192.168.1.10:80", 7,
					     ORIGIN_ADMIN, cases[i].age);
		char detail[256];

		snprintf(detail, sizeof(detail),
			 "tcp 8080 is taken by \"web\" -> 192.168.1.10:80 (added by "
			 "admin, %s).",
			 cases[i].text);
		expect_refusal(VERDICT_CONFLICT, &change, &m, detail, OTHER_PORT);
	}
}

Test(refusal, a_taken_name_tells_what_it_stands_for)
{
	struct change change = said_add("tcp 9090 \"web\" -> 192.168.1.10:80");
	struct mapping holder = holder_of("tcp 9000-9003 \"web\" -> [2001:db8::10]:80", 7,
					  ORIGIN_CONFIG, DAY);

	expect_refusal(VERDICT_NAME_TAKEN, &change, &holder,
		       "The name \"web\" stands for tcp 9000-9003 -> "
		       "[2001:db8::10]:80-83 (added by config, 1 day ago).",
		       "Choose another name, or remove it first.");
}

Test(refusal, not_found_repeats_what_was_asked_for)
{
	const struct {
		struct change change;
		const char *detail;
	} cases[] = {
		{ selecting(CHANGE_REMOVE, IPPROTO_TCP, 8080, "", 0),
		  "No mapping fits tcp 8080." },
		{ selecting(CHANGE_REMOVE, 0, 0, "", 7), "No mapping fits id 7." },
		{ selecting(CHANGE_UPDATE, 0, 0, "web", 0),
		  "No mapping fits name \"web\"." },
		{ selecting(CHANGE_REMOVE, 0, 8080, "", 0),
		  "No mapping fits port 8080." },
		{ selecting(CHANGE_UPDATE, IPPROTO_UDPLITE, 53, "dns", 9),
		  "No mapping fits udplite 53 name \"dns\" id 9." },
		{ selecting(CHANGE_REMOVE, 0, 0, "", 0), "No mapping fits this." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_refusal(VERDICT_NOT_FOUND, &cases[i].change, NULL, cases[i].detail,
			       "natctl list shows what is there.");
}

static void expect_ambiguous(const struct mapping *const *fits, size_t n,
			     const char *start, const char *end)
{
	struct change change = selecting(CHANGE_REMOVE, IPPROTO_TCP, 443, "", 0);
	const struct refusal refusal = { .verdict = VERDICT_AMBIGUOUS,
					 .holders = fits,
					 .n_holders = n };
	struct problem p;

	problem_of_refusal(&refusal, &change, NOW, &p);
	cr_expect_eq(strncmp(p.detail, start, strlen(start)), 0, "%s", p.detail);
	cr_assert_geq(strlen(p.detail), strlen(end));
	cr_expect_str_eq(p.detail + strlen(p.detail) - strlen(end), end);
	cr_expect_str_eq(p.cure, "Name the one that is meant by its id.");
}

Test(refusal, ambiguous_names_the_ids)
{
	struct mapping m[6];
	const struct mapping *fits[6];

	for (size_t i = 0; i < 6; i++) {
		m[i] = said("tcp 443 -> [2001:1111:2222:3333:4444:5555:6666:7777]:443");
		m[i].id = UINT64_MAX - i;
		fits[i] = &m[i];
	}
	m[0] = holder_of("tcp 443-444 -> 192.168.1.10:443", 4, ORIGIN_ADMIN, 0);
	m[1] = said("tcp 443 -> [::10%lan0]:443");
	expect_ambiguous(fits, 2,
			 "tcp 443 fits 2 mappings: 4 (-> 192.168.1.10:443-444), one of "
			 "the same list (-> [::10%lan0]:443).",
			 "");
	expect_ambiguous(fits + 2, 4, "tcp 443 fits 4 mappings: 18446744073709551613 (",
			 "18446744073709551610 (-> "
			 "[2001:1111:2222:3333:4444:5555:6666:7777]:443).");
	expect_ambiguous(fits, 6, "tcp 443 fits 6 mappings: 4 (", " and others.");
}

Test(refusal, what_is_of_the_file_is_changed_in_the_file)
{
	struct change change = selecting(CHANGE_REMOVE, 0, 0, "web", 0);
	struct mapping holder =
		holder_of("tcp 8080 \"web\" -> 192.168.1.10:80", 7, ORIGIN_CONFIG, DAY);

	expect_refusal(VERDICT_OF_CONFIG, &change, &holder,
		       "tcp 8080 \"web\" -> 192.168.1.10:80 belongs to the configuration "
		       "file.",
		       "Remove it from the configuration file and reload.");
	change.kind = CHANGE_UPDATE;
	expect_refusal(VERDICT_OF_CONFIG, &change, &holder,
		       "tcp 8080 \"web\" -> 192.168.1.10:80 belongs to the configuration "
		       "file.",
		       "Change it in the configuration file and reload.");
}

Test(refusal, a_full_table_says_what_found_no_room)
{
	static const char *const asked[] = { "tcp 8080", "udp 9000-9003",
					     "tcp,udp,sctp,udplite 53",
					     "tcp 203.0.113.7:22" };
	char text[128], detail[128];

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct change change;

		snprintf(text, sizeof(text), "%s -> 192.168.1.10:80", asked[i]);
		snprintf(detail, sizeof(detail),
			 "There is no room for %s: the table is full.", asked[i]);
		change = said_add(text);
		expect_refusal(VERDICT_TABLE_FULL, &change, NULL, detail,
			       "Remove mappings that are no longer needed.");
	}
}

Test(refusal, a_flaw_stands_behind_what_was_asked_for)
{
	struct change add = said_add("tcp,udp 1000-9999 -> 192.168.1.10:2000");
	struct change update = selecting(CHANGE_UPDATE, 0, 0, "web", 0);
	struct refusal refusal = { .verdict = VERDICT_BAD_REQUEST };
	struct mapping m = said("tcp 1000-9999 -> 192.168.1.10:2000");
	struct problem p;

	refusal.flaw = mapping_flaw(&m);
	problem_of_refusal(&refusal, &add, NOW, &p);
	cr_expect_eq(p.verdict, VERDICT_BAD_REQUEST);
	cr_expect_str_eq(
		p.detail,
		"tcp,udp 1000-9999 -> 192.168.1.10:2000-10999 is not possible: A range "
		"with other ports inside than outside has at most 4,096 ports. Only one "
		"with the same ports inside, on any WAN address and for anybody, may be "
		"larger.");

	refusal.flaw = "There is no LAN of that name.";
	add = said_add("tcp 22 -> [::10%lan9]:22");
	problem_of_refusal(&refusal, &add, NOW, &p);
	cr_expect_str_eq(p.detail, "tcp 22 -> [::10%lan9]:22 is not possible: There is "
				   "no LAN of that name.");
	problem_of_refusal(&refusal, &update, NOW, &p);
	cr_expect_str_eq(p.detail,
			 "name \"web\" cannot be changed so: There is no LAN of "
			 "that name.");
}

static void expect_whole(const struct refusal *refusal, const struct change *change)
{
	struct problem p;

	problem_of_refusal(refusal, change, NOW, &p);
	cr_expect_null(strstr(p.detail, "..."), "%s", p.detail);
	cr_expect_eq(p.detail[strlen(p.detail) - 1], '.', "%s", p.detail);
	cr_expect_geq(strlen(p.detail), 300, "not the longest: %s", p.detail);
}

Test(refusal, the_longest_sentences_are_not_cut)
{
#define LONGEST "2001:1111:2222:3333:4444:5555:6666:7777"
#define WIDE(host, remotes)                                                              \
	"udplite [" LONGEST "]:10000-10009 \"" NAME "\" -> [" host                       \
	"]:20000 from " LONGEST "," remotes
#define NAME "a23456789012345678901234567890123456789012345678901234567890123"
	struct change add = said_add(WIDE("2001:db8::1", "2001:db8::/33"));
	struct change remove =
		selecting(CHANGE_REMOVE, IPPROTO_UDPLITE, 65535, NAME, UINT64_MAX);
	struct mapping m = holder_of(WIDE(LONGEST, "2001:db8::/32"), UINT64_MAX,
				     ORIGIN_CONFIG, 99 * DAY);
	const struct mapping *holders[5] = { &m, &m, &m, &m, &m };
	struct refusal refusal = { .verdict = VERDICT_CONFLICT,
				   .holders = holders,
				   .n_holders = ARRAY_SIZE(holders) };

	expect_whole(&refusal, &add);
	refusal.verdict = VERDICT_AMBIGUOUS;
	expect_whole(&refusal, &remove);
}

Test(refusal, other_verdicts_get_their_title)
{
	struct change change = selecting(CHANGE_REMOVE, 0, 0, "web", 0);

	expect_refusal(VERDICT_BUSY, &change, NULL, "Service Unavailable.", "");
}
