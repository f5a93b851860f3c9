/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules/ruleset_private.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"
#include "tests/unit/core/make.h"

TestSuite(ruleset_faults, .init = fixture_enter, .fini = fixture_leave);

static struct ruleset_fault why;

/* ---------------------------------------------------------------- opening */

Test(ruleset_faults, without_the_right_to_program_the_network_it_is_eperm)
{
	struct ruleset *other;

	netns_drop_net_admin();
	cr_assert_eq(ruleset_open(&other), -EPERM);
}

Test(ruleset_faults, without_a_free_descriptor_it_is_emfile)
{
	struct rlimit limit, none;
	struct ruleset *other;
	int r;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ 3, limit.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = ruleset_open(&other);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(r, -EMFILE);
}

Test(ruleset_faults, a_kernel_without_nf_tables_is_told)
{
	struct ruleset *other;

	faulty_answer(-EINVAL);
	cr_assert_eq(ruleset_open(&other), -EPROTONOSUPPORT);
}

Test(ruleset_faults, closing_nothing_is_fine)
{
	ruleset_close(NULL);
}

/* ---------------------------------------------------------------- older kernels */

Test(ruleset_faults, a_kernel_that_cannot_own_is_told)
{
	struct ruleset_fault words;

	rs->can_own = false;
	options.protection = PROTECTION_OWNED;
	words = fixture_sync_fails(-EOPNOTSUPP);
	cr_assert(strstr(words.text, "Linux 6.9"), "%s", words.text);
	options.protection = PROTECTION_AUTO;
	fixture_sync();
	cr_assert_eq(ruleset_protection(rs), PROTECTION_WATCHED);
}

/* There a size cannot be changed, so the sets are large from the start. */
Test(ruleset_faults, a_kernel_that_cannot_own_gets_large_sets)
{
	rs->can_own = false;
	fixture_sync();
	netns_run("nft list map inet natd forward4 | grep -q 'size 65536'");
	netns_run("nft list set inet natd pinhole6 | grep -q 'size 65536'");
	assert_in_step();
	fixture_load_many(70000);
	cr_assert_eq(fixture_sync().added, 70000);
	netns_run("nft -t list map inet natd forward4 | grep -q 'size 131072'");
	assert_in_step();
}

/* ---------------------------------------------------------------- large transactions */

static bool buffer_is_fixed;

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

/* net.core.wmem_max is the machine's and not the namespace's, so a small one is played.
 */
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (buffer_is_fixed && level == SOL_SOCKET && name == SO_SNDBUFFORCE) {
		errno = EPERM;
		return -1;
	}
	if (buffer_is_fixed && level == SOL_SOCKET && name == SO_SNDBUF)
		return 0;
	return __real_setsockopt(fd, level, name, value, len);
}

static int apply(const struct change_list *list)
{
	struct plan *plan;
	int r;

	cr_assert_eq(table_stage(table, list, 1, &ordinary, &plan), 0);
	cr_assert_not(plan_refused(plan, 0));
	r = ruleset_apply(rs, plan, sequence + 1, &why);
	if (r == 0) {
		sequence++;
		table_commit(table, plan);
	}
	plan_free(plan);
	return r;
}

static int apply_ports(uint16_t from, uint16_t to)
{
	struct change change = make_add("tcp 1 192.168.1.10:80");
	struct change_list list = { 0 };
	int r;

	for (unsigned port = from; port <= to; port++) {
		change.mapping.external.port = (uint16_t)port;
		cr_assert_eq(change_list_add(&list, &change), 0);
	}
	r = apply(&list);
	change_list_done(&list);
	return r;
}

Test(ruleset_faults, a_transaction_larger_than_the_buffer_is_refused_with_both_numbers)
{
	size_t need, allowed;
	int room = 100000;

	fixture_sync();
	cr_assert_eq(setsockopt(mnl_socket_get_fd(rs->nl), SOL_SOCKET, SO_SNDBUF, &room,
				sizeof(room)),
		     0);
	buffer_is_fixed = true;
	cr_assert_eq(apply_ports(1, 10000), -EMSGSIZE);
	cr_assert_eq(sscanf(why.text,
			    "the transaction has %zu bytes, and this socket may send %zu "
			    "(net.core.wmem_max)",
			    &need, &allowed),
		     2, "%s", why.text);
	cr_assert(need > 10000 * 36 && need < 10000 * 37, "%zu", need);
	cr_assert_eq(allowed, 2 * (size_t)room - 32);
	assert_in_step();
	cr_assert_eq(apply_ports(1, 4900), 0, "what fits is sent: %s", why.text);
	assert_in_step();
}

Test(ruleset_faults, a_sync_larger_than_the_buffer_is_refused)
{
	int room = 100000;

	fixture_load_many(10000);
	cr_assert_eq(setsockopt(mnl_socket_get_fd(rs->nl), SOL_SOCKET, SO_SNDBUF, &room,
				sizeof(room)),
		     0);
	buffer_is_fixed = true;
	fixture_sync_fails(-EMSGSIZE);
	netns_run("! nft list table inet natd 2>/dev/null");
	buffer_is_fixed = false;
	cr_assert(fixture_sync().created);
}

/* ---------------------------------------------------------------- lost answers */

/* The number in the kernel tells whether a transaction is in force. */
Test(ruleset_faults, a_lost_yes_is_found_out)
{
	fixture_sync();
	faulty_receive_fails(1, ENOBUFS);
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), 0);
	assert_in_step();
}

Test(ruleset_faults, a_lost_no_is_found_out)
{
	options.protection = PROTECTION_WATCHED;
	fixture_sync();
	netns_run(
		"nft add element inet natd forward4 '{ tcp . 8080 : 192.168.1.6 . 80 }'");
	faulty_receive_fails(1, ENOBUFS);
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), -ESTALE);
	cr_assert_eq(fixture_sync().removed, 1);
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), 0);
}

Test(ruleset_faults, an_interrupted_read_is_read_again)
{
	fixture_sync();
	faulty_receive_interrupted(2);
	cr_assert_eq(fixture_change("+tcp 8080 192.168.1.10:80", &why), 0, "%s",
		     why.text);
	faulty_receive_interrupted(2);
	assert_in_step();
}

Test(ruleset_faults, a_lost_answer_to_a_sync_is_asked_for_again)
{
	fixture_load_many(3);
	for (unsigned nth = 1; nth < 40; nth++) {
		struct ruleset_report report;
		int r;

		ruleset_delete(rs);
		faulty_receive_fails(nth, ENOBUFS);
		r = ruleset_sync(rs, &options, &addresses, table, sequence, NULL, NULL,
				 &report, &why);
		faulty_receive_fails(0, 0);
		cr_assert_eq(r, 0, "the %u. answer lost: %s %s", nth, strerror(-r),
			     why.text);
		assert_in_step();
	}
}

static struct change_list replacing(uint16_t from, uint16_t to)
{
	struct change remove = make_remove("tcp 1"),
		      add = make_add("tcp 1 192.168.1.11:80");
	struct change_list list = { 0 };

	for (unsigned port = from; port <= to; port++) {
		remove.selector.port = add.mapping.external.port = (uint16_t)port;
		cr_assert_eq(change_list_add(&list, &remove), 0);
		cr_assert_eq(change_list_add(&list, &add), 0);
	}
	return list;
}

/* More refusals than the socket can hold; the first is the one that counts. */
Test(ruleset_faults, more_refusals_than_can_be_read_name_the_first)
{
	struct change_list list = replacing(1, 3000);

	options.protection = PROTECTION_WATCHED;
	fixture_load_many(3000);
	fixture_sync();
	netns_run("nft flush map inet natd forward4");
	cr_assert_eq(apply(&list), -ESTALE);
	cr_assert_str_eq(why.text,
			 "element tcp . 1 of map forward4: No such file or directory");
	cr_assert_eq(fixture_sync().added, 3000);
	cr_assert_eq(apply(&list), 0, "%s", why.text);
	change_list_done(&list);
	assert_in_step();
}

/* ---------------------------------------------------------------- torn dumps */

Test(ruleset_faults, a_torn_dump_is_asked_for_again)
{
	fixture_load_many(1000);
	fixture_sync();
	for (unsigned nth = 1; nth < 40; nth++) {
		faulty_dump_torn_at(nth);
		assert_in_step();
		faulty_dump_torn_at(0);
	}
}

Test(ruleset_faults, torn_counters_are_asked_for_again)
{
	uint64_t found = 0;

	fixture_sync();
	faulty_dump_torn_at(1);
	cr_assert_eq(ruleset_sequence(rs, &found), 0);
	cr_assert_eq(found, sequence);
}

/* ---------------------------------------------------------------- somebody else at work
 */

static pid_t start(const char *command)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	return pid;
}

Test(ruleset_faults, a_vandal_cannot_win)
{
	int status, n = 0;
	pid_t vandal;

	options.protection = PROTECTION_WATCHED;
	fixture_load_many(100);
	fixture_sync();
	vandal = start("for i in $(seq 25); do"
		       "	nft flush chain inet natd forward_wan;"
		       "	nft flush map inet natd forward4;"
		       "	nft insert rule inet natd forward drop;"
		       "	nft flush ruleset;"
		       "	nft 'add table inet natd; add chain inet natd mine';"
		       "done 2>/dev/null; true");
	while (waitpid(vandal, &status, WNOHANG) == 0) {
		fixture_sync();
		n++;
	}
	cr_assert_eq(status, 0);
	cr_assert_gt(n, 10);
	fixture_sync();
	assert_in_step();
}
