/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>

#include "core/cleanup.h"
#include "rules/ruleset.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

#define MAX 16

static struct ruleset *rs;
static struct foreign_chain found[MAX];

static void enter(void)
{
	netns_enter();
	cr_assert_eq(ruleset_open(&rs), 0);
}

static void leave(void)
{
	ruleset_close(rs);
}

TestSuite(foreign, .init = enter, .fini = leave);

/* all of them, one a line, in the kernel's order */
static const char *listed(void)
{
	static char text[MAX * FOREIGN_CHAIN_STRLEN];
	char line[FOREIGN_CHAIN_STRLEN];
	int n = ruleset_foreign(rs, found, MAX);

	cr_assert_geq(n, 0, "%s", strerror(-n));
	text[0] = 0;
	for (int i = 0; i < n; i++) {
		strcat(text, i ? "\n" : "");
		strcat(text, foreign_chain_format(&found[i], line));
	}
	return text;
}

static void assert_listed(const char *expected)
{
	const char *text = listed();

	cr_assert_str_eq(text, expected, "listed: \"%s\"", text);
}

Test(foreign, without_other_tables_there_is_none)
{
	assert_listed("");
}

Test(foreign, the_forward_policy_of_iptables_is_found)
{
	netns_run("iptables-nft -P FORWARD DROP");
	assert_listed("ip filter FORWARD (hook forward, policy drop)");
	cr_assert_eq(found[0].family, NFPROTO_IPV4);
	cr_assert_eq(found[0].hook, NF_INET_FORWARD);
	cr_assert_str_eq(found[0].table, "filter");
	cr_assert_str_eq(found[0].chain, "FORWARD");
	netns_run("iptables-nft -P FORWARD ACCEPT");
	assert_listed("");
}

Test(foreign, what_is_listed_and_what_is_not)
{
	static const struct {
		const char *family, *chain, *expected;
	} cases[] = {
		{ "ip", "type filter hook forward priority 0; policy drop;",
		  "ip t c (hook forward, policy drop)" },
		{ "ip6", "type filter hook forward priority 10; policy drop;",
		  "ip6 t c (hook forward, policy drop)" },
		{ "inet", "type filter hook forward priority -300; policy drop;",
		  "inet t c (hook forward, policy drop)" },
		{ "inet", "type filter hook input priority 0; policy drop;",
		  "inet t c (hook input, policy drop)" },
		{ "ip", "type filter hook input priority 0; policy drop;",
		  "ip t c (hook input, policy drop)" },
		{ "inet", "type filter hook forward priority 0; policy accept;", "" },
		{ "inet", "type filter hook forward priority 0; drop;", "" },
		{ "inet", "type filter hook output priority 0; policy drop;", "" },
		{ "inet", "type filter hook prerouting priority 0; policy drop;", "" },
		{ "inet", "type filter hook postrouting priority 0; policy drop;", "" },
		{ "inet", "", "" },
		{ "bridge", "type filter hook forward priority 0; policy drop;", "" },
		{ "bridge", "type filter hook input priority 0; policy drop;", "" },
		{ "arp", "type filter hook input priority 0; policy drop;", "" },
		{ "netdev", "type filter hook ingress device lo priority 0; policy drop;",
		  "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		netns_run("nft 'table %s t { chain c { %s }; }'", cases[i].family,
			  cases[i].chain);
		assert_listed(cases[i].expected);
		netns_run("nft delete table %s t", cases[i].family);
	}
}

Test(foreign, several_are_listed_and_not_more_than_asked_for)
{
	netns_run(
		"nft 'table inet one { chain a { type filter hook forward priority 0; policy "
		"drop; }; chain b { type filter hook input priority 0; policy drop; }; }; "
		"table ip6 two { chain c { type filter hook forward priority 0; policy drop; "
		"}; }'");
	assert_listed("inet one a (hook forward, policy drop)\n"
		      "inet one b (hook input, policy drop)\n"
		      "ip6 two c (hook forward, policy drop)");
	cr_assert_eq(ruleset_foreign(rs, found, 2), 2);
	cr_assert_eq(ruleset_foreign(rs, NULL, 0), 0);
}

Test(foreign, our_own_table_is_not_foreign_and_its_namesakes_are)
{
	netns_run(
		"nft 'table inet natd { chain f { type filter hook forward priority 0; policy "
		"drop; }; }; table ip natd { chain f { type filter hook forward priority 0; "
		"policy drop; }; }'");
	assert_listed("ip natd f (hook forward, policy drop)");
}

Test(foreign, a_dormant_table_drops_nothing)
{
	netns_run("nft 'table inet t { flags dormant; chain c { type filter hook forward "
		  "priority 0; policy drop; }; }'");
	assert_listed("");
	netns_run(
		"nft 'table ip t { chain c { type filter hook forward priority 0; policy "
		"drop; }; }'");
	assert_listed("ip t c (hook forward, policy drop)");
	netns_run("nft 'table inet t { }'"); /* wakes it */
	assert_listed("inet t c (hook forward, policy drop)\n"
		      "ip t c (hook forward, policy drop)");
}

Test(foreign, long_names_are_cut)
{
	static const char tail[] = " (hook forward, policy drop)";
	char name[128], line[FOREIGN_CHAIN_STRLEN];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	netns_run(
		"nft 'table inet %s { chain %s { type filter hook forward priority 0; policy "
		"drop; }; }'",
		name, name);
	cr_assert_eq(ruleset_foreign(rs, found, MAX), 1);
	cr_assert_eq(strlen(found[0].table), 63);
	cr_assert_eq(strlen(found[0].chain), 63);
	foreign_chain_format(&found[0], line);
	cr_assert_eq(strlen(line), strlen("inet ") + 63 + 1 + 63 + strlen(tail));
	cr_assert_str_eq(line + strlen(line) - strlen(tail), tail);
}

Test(foreign, hundreds_of_other_chains_are_passed_over)
{
	netns_run(
		"(echo 'table inet many {'; for i in $(seq 1 1000); do echo \"chain c$i { }\"; "
		"done; echo 'chain last { type filter hook forward priority 0; policy drop; }';"
		"echo '}') | nft -f -");
	assert_listed("inet many last (hook forward, policy drop)");
}

Test(foreign, a_torn_dump_is_asked_for_again)
{
	netns_run(
		"nft 'table ip t { chain c { type filter hook forward priority 0; policy "
		"drop; }; }'");
	faulty_dump_torn_at(1);
	assert_listed("ip t c (hook forward, policy drop)");
	faulty_dump_torn_at(3);
	assert_listed("ip t c (hook forward, policy drop)");
}

Test(foreign, a_kernel_that_refuses_is_an_error)
{
	faulty_receive_fails(1, ENOMEM);
	cr_assert_eq(ruleset_foreign(rs, found, MAX), -ENOMEM);
	netns_drop_net_admin();
	cr_assert_eq(ruleset_foreign(rs, found, MAX), -EPERM);
}
