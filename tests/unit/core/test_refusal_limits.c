/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/outcome.h"
#include "said.h"

#define FAMILY "group \"family\" (natd.conf:12)"

static void expect_refusal(const struct refusal *refusal, const char *asked,
			   const char *detail, const char *cure)
{
	struct change change = said_add(asked);
	struct problem p;

	problem_of_refusal(refusal, &change, 0, &p);
	cr_expect_eq(p.verdict, refusal->verdict);
	cr_expect_str_eq(p.detail, detail);
	if (cure)
		cr_expect_str_eq(p.cure, cure);
	else
		cr_expect_neq(p.cure[0], 0);
	cr_expect_eq(p.cure[strlen(p.cure) - 1], '.', "%s", p.cure);
	cr_expect_null(strstr(p.cure, "..."), "cut: %s", p.cure);
}

static struct listener at(const char *address, uint16_t port, uint8_t protocol)
{
	return (struct listener){ .local = { said_address(address), port },
				  .protocol = protocol };
}

Test(refusal, a_port_of_a_program_names_where_it_listens)
{
	struct refusal refusal = {
		.verdict = VERDICT_PORT_IN_USE,
		.listeners = { at("0.0.0.0", 22, IPPROTO_TCP), at("::", 22, IPPROTO_TCP),
			       at("203.0.113.5", 22, IPPROTO_TCP),
			       at("2001:db8::5", 22, IPPROTO_TCP) },
		.n_listeners = 1,
	};
	static const char cure[] =
		"Choose another port, or take it with --force: from the WAN the mapping "
		"is reached then, and what listens there only from the LAN.";

	expect_refusal(&refusal, "tcp,udp 22 -> 192.168.1.10:22",
		       "tcp 22 is used by a program of this machine that listens on "
		       "0.0.0.0:22 (uid 0).",
		       cure);
	refusal.n_listeners = 2;
	expect_refusal(&refusal, "tcp 22 -> 192.168.1.10:22",
		       "tcp 22 is used by programs of this machine that listen on "
		       "0.0.0.0:22 (uid 0) and [::]:22 (uid 0).",
		       cure);
	refusal.n_listeners = 4;
	expect_refusal(&refusal, "tcp 22 -> 192.168.1.10:22",
		       "tcp 22 is used by programs of this machine that listen on "
		       "0.0.0.0:22 (uid 0), [::]:22 (uid 0), 203.0.113.5:22 (uid 0) and "
		       "[2001:db8::5]:22 (uid 0).",
		       cure);
	refusal.n_listeners = 7;
	expect_refusal(&refusal, "tcp 203.0.113.7:20-29 -> 192.168.1.10:20",
		       "A part of tcp 203.0.113.7:20-29 is used by programs of this "
		       "machine that listen on 0.0.0.0:22 (uid 0), [::]:22 (uid 0), "
		       "203.0.113.5:22 (uid 0), [2001:db8::5]:22 (uid 0) and 3 more.",
		       cure);
}

Test(refusal, a_port_of_a_program_that_an_update_meets_names_the_mapping)
{
	struct change change = { .kind = CHANGE_UPDATE, .selector = { .name = "ssh" } };
	const struct refusal refusal = {
		.verdict = VERDICT_PORT_IN_USE,
		.listeners = { at("0.0.0.0", 22, IPPROTO_TCP) },
		.n_listeners = 1,
	};
	struct problem p;

	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail,
			 "A port of name \"ssh\" is used by a program of this machine "
			 "that listens on 0.0.0.0:22 (uid 0).");
	cr_expect_str_eq(p.cure,
			 "Leave the port inside as it is, or end what listens there.");
}

Test(refusal, an_exhausted_pool_says_how_large_how_full_and_who_uses_most)
{
	struct refusal refusal = {
		.verdict = VERDICT_NO_PORT,
		.pool = { .pool = { 49152, 65535 },
			  .n = 16384,
			  .taken = 16380,
			  .listened = 4,
			  .top = "uid:1000",
			  .top_n = 9000 },
	};

	expect_refusal(
		&refusal, "tcp,udp auto -> 192.168.1.10:80",
		"No port is free for tcp,udp in the pool 49152-65535: of its 16384 "
		"ports 16380 serve mappings (most of them, 9000, of uid:1000) and "
		"4 programs of this machine.",
		"Remove mappings that are no longer needed, ask for a certain "
		"port, or make the pool larger in natd.conf.");
	refusal.pool.taken = 10;
	refusal.pool.top_n = 0;
	expect_refusal(
		&refusal, "udp auto -> 192.168.1.10:80",
		"No port is free for udp in the pool 49152-65535: of its 16384 "
		"ports 10 serve mappings and 4 programs of this machine; 16370 are "
		"free, but not for all that is asked.",
		NULL);
}

Test(refusal, a_range_wants_ports_in_a_row)
{
	struct change change = said_add("udp auto -> 192.168.1.10:8000");
	const struct refusal refusal = {
		.verdict = VERDICT_NO_PORT,
		.pool = { .pool = { 50000, 50003 }, .n = 4, .taken = 1 },
	};
	struct problem p;

	change.mapping.n_ports = 4;
	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail,
			 "No 4 ports in a row are free for udp in the pool 50000-50003: "
			 "of its 4 ports 1 serve mappings and 0 programs of this "
			 "machine; 3 are free, but not for all that is asked.");
}

Test(refusal, a_protocol_that_the_kernel_lacks_is_named)
{
	static const struct {
		const char *asked, *detail, *cure;
	} cases[] = {
		{ "sctp 80 -> 192.168.1.10:80",
		  "The running kernel does not translate sctp.",
		  "The kernel must be built with CONFIG_NF_CT_PROTO_SCTP." },
		{ "tcp,udp,udplite 80 -> 192.168.1.10:80",
		  "The running kernel does not translate udplite.",
		  "It takes a kernel with CONFIG_NF_CT_PROTO_UDPLITE, and "
		  "sysctl net.netfilter.nf_conntrack_checksum=0." },
		{ "tcp,sctp,udplite 80 -> 192.168.1.10:80",
		  "The running kernel does not translate sctp,udplite.",
		  "Use another protocol: natctl status shows which ones this kernel "
		  "translates." },
		{ "udp 80 -> 192.168.1.10:80",
		  "The running kernel does not translate udp.",
		  "Use another protocol: natctl status shows which ones this kernel "
		  "translates." },
	};
	const struct refusal refusal = { .verdict = VERDICT_NO_PROTOCOL };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_refusal(&refusal, cases[i].asked, cases[i].detail, cases[i].cure);
}

/* One that was made under another kernel is enabled again. */
Test(refusal, a_protocol_that_an_update_would_need_is_the_mappings)
{
	struct change change = { .kind = CHANGE_UPDATE, .selector = { .id = 7 } };
	struct mapping m = said("sctp 80 -> 192.168.1.10:80");
	const struct mapping *holder = &m;
	const struct refusal refusal = { .verdict = VERDICT_NO_PROTOCOL,
					 .holders = &holder,
					 .n_holders = 1 };
	struct problem p;

	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail, "The running kernel does not translate sctp.");

	change = said_add("udplite 80 -> 192.168.1.10:80");
	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail, "The running kernel does not translate udplite.");
}

Test(refusal, a_router_that_is_not_asked_is_said_with_the_word_that_asks_it)
{
	const struct refusal refusal = { .verdict = VERDICT_NO_UPSTREAM };
	const struct change update = { .kind = CHANGE_UPDATE, .selector = { .id = 7 } };
	const char *cure =
		"Have it asked with upstream { enable = yes  policy = chosen } in "
		"natd.conf, or leave upstream at default.";
	struct problem p;

	expect_refusal(&refusal, "tcp,udp 80 -> 192.168.1.10:80",
		       "The router above us cannot be asked for tcp,udp 80 -> "
		       "192.168.1.10:80: the configuration has that switched off.",
		       cure);
	problem_of_refusal(&refusal, &update, 0, &p);
	cr_expect_str_eq(p.detail, "The router above us cannot be asked for id 7: the "
				   "configuration has that switched off.");
	cr_expect_str_eq(p.cure, cure);
}

static struct grant family(void)
{
	struct grant grant = { .rule = FAMILY };

	grant.map[grant.n_map++] = (struct port_range){ 1024, 65535 };
	grant.internal[grant.n_internal++] = said_prefix("192.168.1.0/24");
	return grant;
}

Test(refusal, what_is_not_permitted_names_the_rule_and_what_it_allows)
{
	static const struct {
		enum right missing;
		uint32_t limit;
		const char *allows, *cure;
	} cases[] = {
		{ RIGHT_ANY, 0, "no mappings",
		  "Ask as root or as a member of natd's group, or have it allowed in the "
		  "access block of natd.conf." },
		{ RIGHT_FORCE, 0, "no ports that programs of this machine use",
		  "Choose another port." },
		{ RIGHT_MAP, 0, "external ports 1024-65535",
		  "Choose another external port, or port 0 for one that is allowed." },
		{ RIGHT_PRIVILEGED, 0, "no external ports below 1024",
		  "Choose another external port, or port 0 for one that is allowed." },
		{ RIGHT_INTERNAL, 0, "internal addresses in 192.168.1.0/24",
		  "Choose another internal address." },
		{ RIGHT_LIFETIME, 7 * 86400,
		  "leases of at most 1w, and nothing without one",
		  "Ask for a lease that is no longer, with --lease TIME." },
		{ RIGHT_LIFETIME, 90, "leases of at most 1m30s, and nothing without one",
		  NULL },
		{ RIGHT_LIFETIME, 5400,
		  "leases of at most 1h30m, and nothing without one", NULL },
		{ RIGHT_LIFETIME, 7200, "leases of at most 2h, and nothing without one",
		  NULL },
		{ RIGHT_LIFETIME, 0, "leases of at most 0s, and nothing without one",
		  NULL },
		{ RIGHT_QUOTA, 100, "100 mappings at a time, and there are as many",
		  "Remove a mapping of yours that is no longer needed." },
		{ RIGHT_QUOTA, 1, "1 mapping at a time, and there are as many", NULL },
	};
	const struct grant grant = family();
	char detail[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct refusal refusal = {
			.verdict = VERDICT_NOT_PERMITTED,
			.denial = { cases[i].missing, &grant, cases[i].limit },
		};

		snprintf(detail, sizeof(detail),
			 "tcp,udp 80-89 -> 192.168.2.10:80-89 is not permitted: " FAMILY
			 " allows %s.",
			 cases[i].allows);
		expect_refusal(&refusal, "tcp,udp 80-89 -> 192.168.2.10:80", detail,
			       cases[i].cure);
	}
}

Test(refusal, a_change_that_is_not_permitted_names_the_mapping_meant)
{
	struct change change = { .kind = CHANGE_UPDATE, .selector = { .name = "web" } };
	const struct grant grant = family();
	struct refusal refusal = { .verdict = VERDICT_NOT_PERMITTED,
				   .denial = { RIGHT_INTERNAL, &grant, 0 } };
	struct problem p;

	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail, "A change of name \"web\" is not permitted: " FAMILY
				   " allows internal addresses in 192.168.1.0/24.");
	refusal.denial = (struct denial){ .missing = RIGHT_ANY };
	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail, "A change of name \"web\" is not permitted: no rule "
				   "of the access block speaks of who asks.");
}

Test(refusal, of_many_bounds_of_a_rule_the_first_are_named)
{
	struct grant grant = { .rule = FAMILY, .n_map = 5, .n_internal = 5 };
	struct refusal refusal = { .verdict = VERDICT_NOT_PERMITTED,
				   .denial = { RIGHT_MAP, &grant, 0 } };

	for (uint16_t i = 0; i < 5; i++) {
		grant.map[i] = (struct port_range){ (uint16_t)(i * 10 + 1),
						    (uint16_t)(i * 10 + 1 + i) };
		grant.internal[i] =
			said_prefix("2001:1111:2222:3333:4444:5555:6666:7777");
	}
	expect_refusal(&refusal, "tcp 80 -> 192.168.1.10:80",
		       "tcp 80 -> 192.168.1.10:80 is not permitted: " FAMILY
		       " allows external ports 1, 11-12, 21-23, 31-34 and others.",
		       NULL);
	grant.n_map = 4;
	expect_refusal(&refusal, "tcp 80 -> 192.168.1.10:80",
		       "tcp 80 -> 192.168.1.10:80 is not permitted: " FAMILY
		       " allows external ports 1, 11-12, 21-23, 31-34.",
		       NULL);
	refusal.denial.missing = RIGHT_INTERNAL;
#define LONGEST "2001:1111:2222:3333:4444:5555:6666:7777"
#define ONE	LONGEST "/128"
	expect_refusal(&refusal, "tcp 80 -> 192.168.1.10:80",
		       "tcp 80 -> 192.168.1.10:80 is not permitted: " FAMILY
		       " allows internal addresses in " ONE ", " ONE ", " ONE ", " ONE
		       " and others.",
		       NULL);
	grant.n_internal = 4;
	expect_refusal(&refusal, "tcp 80 -> 192.168.1.10:80",
		       "tcp 80 -> 192.168.1.10:80 is not permitted: " FAMILY
		       " allows internal addresses in " ONE ", " ONE ", " ONE ", " ONE
		       ".",
		       NULL);
}

Test(refusal, the_longest_rule_is_not_cut)
{
	struct grant grant = { .n_internal = 5 };
	const struct refusal refusal = { .verdict = VERDICT_NOT_PERMITTED,
					 .denial = { RIGHT_INTERNAL, &grant, 0 } };
	struct change change =
		said_add("tcp,udp,sctp,udplite [" LONGEST "]:10000-10009 -> "
			 "[" LONGEST "]:20000");
	struct problem p;

	memset(grant.rule, 'r', sizeof(grant.rule) - 1);
	for (size_t i = 0; i < 5; i++)
		grant.internal[i] = said_prefix(LONGEST);
	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_geq(strlen(p.detail), 400);
	cr_expect_not_null(strstr(p.detail, " and others."), "%s", p.detail);
}

Test(refusal, of_whom_no_rule_speaks_is_told_so)
{
	const struct refusal refusal = { .verdict = VERDICT_NOT_PERMITTED };

	expect_refusal(
		&refusal, "tcp auto -> 192.168.1.10:80",
		"tcp auto -> 192.168.1.10:80 is not permitted: no rule of the "
		"access block speaks of who asks.",
		"Ask as root or as a member of natd's group, or have it allowed in "
		"the access block of natd.conf.");
}

Test(refusal, what_belongs_to_another_names_him)
{
	struct change change = { .kind = CHANGE_REMOVE, .selector = { .name = "web" } };
	struct mapping m = said("tcp 8080 \"web\" -> 192.168.1.10:80");
	const struct mapping *holder = &m;
	const struct refusal refusal = { .verdict = VERDICT_NOT_PERMITTED,
					 .holders = &holder,
					 .n_holders = 1,
					 .denial = { .missing = RIGHT_OWN } };
	struct problem p;

	m.owner_uid = 1000;
	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail,
			 "tcp 8080 \"web\" -> 192.168.1.10:80 belongs to uid:1000.");
	cr_expect_str_eq(p.cure, "Only who added it, and who may do all, can change or "
				 "remove it.");
	m.origin = ORIGIN_CONFIG;
	problem_of_refusal(&refusal, &change, 0, &p);
	cr_expect_str_eq(p.detail,
			 "tcp 8080 \"web\" -> 192.168.1.10:80 belongs to config.");
}
