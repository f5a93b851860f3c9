/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/ruleset_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/netns.h"
#include "tests/unit/core/make.h"

struct ruleset *rs;
struct table *table;
struct ruleset_options options;
struct ruleset_addresses addresses;
uint64_t sequence = 1;

static struct in6_addr wan[2];
static struct mnl_socket *monitor;
static unsigned monitored[NFT_MSG_MAX + 1];

void fixture_enter(void)
{
	netns_enter();
	strcpy(options.wan[0], "wan0");
	options.n_wan = 1;
	strcpy(options.lan[0], "lan0");
	options.n_lan = 1;
	options.symmetry = SYMMETRY_UDP;
	inet_pton(AF_INET6, "::ffff:203.0.113.5", &wan[0]);
	inet_pton(AF_INET6, "2001:db8:f::5", &wan[1]);
	addresses.wan.addrs = wan;
	addresses.wan.n = 2;
	table = make_table(200000);
	cr_assert_eq(ruleset_open(&rs), 0);
}

void fixture_leave(void)
{
	ruleset_close(rs);
	table_free(table);
	if (monitor)
		mnl_socket_close(monitor);
}

void fixture_protection(enum protection protection)
{
	if (protection == PROTECTION_OWNED && !ruleset_can_own(rs))
		cr_skip_test("this kernel cannot let a process own a table");
	options.protection = protection;
}

/* ---------------------------------------------------------------- mappings */

static void load(struct mapping m)
{
	m.id = table_next_id(table);
	cr_assert_eq(table_load(table, &m), 0);
	details_unref(m.details);
}

void fixture_load(const char *lines)
{
	char *copy = strdup(lines), *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		load(make_mapping(line));
	free(copy);
}

void fixture_load_many(size_t n)
{
	struct mapping m = make_mapping("tcp 1 192.168.1.10:80");

	for (size_t i = 0; i < n; i++) {
		m.protocol = i < 65535 ? IPPROTO_TCP : IPPROTO_UDP;
		m.external.port = (uint16_t)(i % 65535 + 1);
		load(m);
	}
}

struct ruleset_report fixture_sync(void)
{
	struct ruleset_fault why = { "" };
	struct ruleset_report report;
	int r;

	r = ruleset_sync(rs, &options, &addresses, table, sequence, NULL, NULL, &report,
			 &why);
	if (r == -EMSGSIZE)
		cr_skip_test("%s", why.text);
	cr_assert_eq(r, 0, "%s: %s", strerror(-r), why.text);
	return report;
}

struct ruleset_fault fixture_sync_fails(int error)
{
	struct ruleset_fault why = { "" };
	struct ruleset_report report;
	int r;

	r = ruleset_sync(rs, &options, &addresses, table, sequence, NULL, NULL, &report,
			 &why);
	cr_assert_eq(r, error, "%s, not %s: %s", strerror(-r), strerror(-error),
		     why.text);
	return why;
}

void assert_in_step(void)
{
	struct ruleset_report r = fixture_sync();

	cr_assert_not(
		r.created || r.replaced || r.rewritten || r.added || r.removed || r.other,
		"created %d replaced %d rewritten %d added %zu removed %zu other %zu",
		r.created, r.replaced, r.rewritten, r.added, r.removed, r.other);
}

int fixture_change(const char *lines, struct ruleset_fault *why)
{
	struct change_list list = make_list(lines);
	struct plan *plan;
	int r;

	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	cr_assert_not(plan_refused(plan, 0), "the table refuses: %s", lines);
	r = ruleset_apply(rs, plan, sequence + 1, why);
	if (r == 0) {
		sequence++;
		table_commit(table, plan);
	}
	plan_free(plan);
	change_list_done(&list);
	return r;
}

/* ---------------------------------------------------------------- others */

void fixture_reopen(void)
{
	ruleset_close(rs);
	rs = NULL;
	cr_assert_eq(ruleset_open(&rs), 0);
}

void fixture_while_away(const char *command)
{
	ruleset_close(rs);
	rs = NULL;
	netns_run("%s", command);
	cr_assert_eq(ruleset_open(&rs), 0);
}

char *fixture_listing(const char *command)
{
	FILE *from = popen(command, "r");
	char *text = NULL;
	size_t room = 0;

	cr_assert_not_null(from);
	if (getdelim(&text, &room, '\0', from) < 0)
		cr_assert_fail("%s prints nothing", command);
	cr_assert_eq(pclose(from), 0, "%s", command);
	return text;
}

void fixture_monitor(void)
{
	int group = NFNLGRP_NFTABLES, room = 64 << 20;

	if (monitor)
		mnl_socket_close(monitor);
	memset(monitored, 0, sizeof(monitored));
	monitor = mnl_socket_open(NETLINK_NETFILTER);
	cr_assert_not_null(monitor);
	cr_assert_eq(mnl_socket_bind(monitor, 0, MNL_SOCKET_AUTOPID), 0);
	(void)setsockopt(mnl_socket_get_fd(monitor), SOL_SOCKET, SO_RCVBUF, &room,
			 sizeof(room));
	cr_assert_eq(mnl_socket_setsockopt(monitor, NETLINK_ADD_MEMBERSHIP, &group,
					   sizeof(group)),
		     0);
}

static int count(const struct nlmsghdr *nlh, void *userdata)
{
	unsigned type = nlh->nlmsg_type & 0xff;

	cr_assert_lt(type, NFT_MSG_MAX);
	monitored[type]++;
	if (type != NFT_MSG_NEWGEN)
		monitored[NFT_MSG_MAX]++;
	return MNL_CB_OK;
}

unsigned fixture_monitored(unsigned type)
{
	struct pollfd p = { .fd = mnl_socket_get_fd(monitor), .events = POLLIN };
	char buf[65536];
	ssize_t n;

	while (poll(&p, 1, 0) > 0) {
		n = mnl_socket_recvfrom(monitor, buf, sizeof(buf));
		cr_assert_gt(n, 0, "%s", strerror(errno));
		cr_assert_gt(mnl_cb_run(buf, (size_t)n, 0, 0, count, NULL), 0);
	}
	return monitored[type];
}

void fixture_count_element(const char *map, const char *key, const char *data,
			   unsigned packets)
{
	netns_run("nft -f - <<'END'\n"
		  "delete element inet natd %s { %s }\n"
		  "add element inet natd %s { %s counter packets %u bytes 0%s%s }\n"
		  "END",
		  map, key, map, key, packets, data ? " : " : "", data ? data : "");
}
