/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Dumps that are read a piece at a time, and what the kernel says of what is over. */

#include "tests/kernel/conntrack_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/cleanup.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

TestSuite(conntrack_pieces, .init = conntrack_enter, .fini = conntrack_leave);

static size_t n_told;
static struct connection last;

static int note(void *userdata, const struct connection *c)
{
	n_told++;
	last = *c;
	return 0;
}

static int refuse(void *userdata, const struct connection *c)
{
	return -ENOMEM;
}

/* Return: what the last step said; @ret: how many there were */
static int step_through(uint64_t usec, size_t *ret)
{
	int r;

	*ret = 0;
	do {
		r = conntrack_step(ct, usec, note, NULL);
		(*ret)++;
	} while (r > 0);
	return r;
}

Test(conntrack_pieces, a_dump_can_be_read_in_pieces)
{
	size_t steps;

	insert_many(20000);
	n_told = 0;
	cr_assert_eq(conntrack_begin(ct), 0);
	cr_assert_eq(step_through(0, &steps), 0);
	cr_expect_eq(n_told, 20000, "%zu", n_told);
	cr_expect_gt(steps, 10, "%zu", steps);
}

Test(conntrack_pieces, other_calls_may_come_in_between)
{
	size_t steps, deleted = 0;

	insert_many(20000);
	n_told = 0;
	cr_assert_eq(conntrack_begin(ct), 0);
	cr_assert_eq(conntrack_step(ct, 0, note, NULL), CONNTRACK_MORE);
	cr_assert_eq(dump(), 0);
	cr_expect_eq(entries.n, 20000);
	cr_assert_eq(conntrack_delete(ct, entries.c, 1, &deleted), 0);
	cr_expect_eq(deleted, 1);
	cr_assert_eq(step_through(1000, &steps), 0);
	cr_expect_geq(n_told, 19999);
}

Test(conntrack_pieces, one_that_is_given_up_does_not_disturb_the_next)
{
	size_t steps;

	insert_many(20000);
	cr_assert_eq(conntrack_begin(ct), 0);
	cr_assert_eq(conntrack_step(ct, 0, note, NULL), CONNTRACK_MORE);
	conntrack_give_up(ct);
	cr_expect_eq(conntrack_step(ct, 0, note, NULL), -EBADF);
	n_told = 0;
	cr_assert_eq(conntrack_begin(ct), 0);
	cr_assert_eq(step_through(1000, &steps), 0);
	cr_expect_eq(n_told, 20000);
}

Test(conntrack_pieces, faults_end_it_and_the_next_works)
{
	size_t steps;

	insert_many(10);
	cr_assert_eq(conntrack_begin(ct), 0);
	faulty_receive_fails(1, ENOBUFS);
	cr_expect_eq(conntrack_step(ct, 0, note, NULL), -ENOBUFS);
	cr_assert_eq(conntrack_begin(ct), 0);
	faulty_dump_torn_at(1);
	cr_expect_eq(step_through(1000, &steps), -EINTR);
	faulty_send_fails(1, ENOBUFS);
	cr_expect_eq(conntrack_begin(ct), -ENOBUFS);
	cr_assert_eq(conntrack_begin(ct), 0);
	faulty_receive_dry_at(1);
	cr_expect_eq(conntrack_step(ct, 0, note, NULL), CONNTRACK_WAIT);
	cr_expect_eq(step_through(1000, &steps), 0);
	cr_assert_eq(conntrack_begin(ct), 0);
	cr_expect_eq(conntrack_step(ct, 0, refuse, NULL), -ENOMEM);
	netns_forbid_descriptors(true);
	cr_expect_eq(conntrack_begin(ct), -EMFILE);
	netns_forbid_descriptors(false);
	n_told = 0;
	cr_assert_eq(conntrack_begin(ct), 0);
	cr_expect_eq(step_through(1000, &steps), 0);
	cr_expect_eq(n_told, 10);
}

/* ------------------------------------------------------------ what is in an entry */

Test(conntrack_pieces, the_state_of_the_protocol_is_told)
{
	insert_forward(40000, "");
	netns_run("conntrack -I -p sctp -s 198.51.100.7 -d 203.0.113.5 --orig-port-src 1 "
		  "--orig-port-dst 9 -r 192.168.1.10 -q 198.51.100.7 --reply-port-src 9 "
		  "--reply-port-dst 1 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2 "
		  "-t 100 2>/dev/null");
	netns_run("conntrack -I -p udplite -s 198.51.100.7 -d 203.0.113.5 "
		  "--orig-port-src 2 --orig-port-dst 9 -r 192.168.1.10 -q 198.51.100.7 "
		  "--reply-port-src 9 --reply-port-dst 2 -t 100 2>/dev/null");
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 3);
	cr_expect_eq(of_source_port(40000).state, TCP_CONNTRACK_ESTABLISHED);
	cr_expect_eq(of_source_port(1).protocol, IPPROTO_SCTP);
	cr_expect_eq(of_source_port(1).state, SCTP_CONNTRACK_ESTABLISHED);
	cr_expect_eq(of_source_port(1).reply_src.port, 9);
	cr_expect_eq(of_source_port(2).protocol, IPPROTO_UDPLITE);
	cr_expect_not(of_source_port(2).counted, "nobody counts here");
	cr_expect_eq(of_source_port(2).start, 0);
}

Test(conntrack_pieces, entries_of_every_protocol_can_be_ended)
{
	size_t deleted = 0;

	netns_run("conntrack -I -p sctp -s 198.51.100.7 -d 203.0.113.5 --orig-port-src 1 "
		  "--orig-port-dst 9 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2 "
		  "-t 100 2>/dev/null");
	netns_run("conntrack -I -p udplite -s 198.51.100.7 -d 203.0.113.5 "
		  "--orig-port-src 2 --orig-port-dst 9 -t 100 2>/dev/null");
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 2);
	cr_assert_eq(conntrack_delete(ct, entries.c, entries.n, &deleted), 0);
	cr_expect_eq(deleted, 2);
}

/* Real datagrams: what is inserted by hand counts nothing. */
static void exchange(void)
{
	netns_run("printf 0123456789 | socat -t0 - UDP4-SENDTO:127.0.0.1:4000,"
		  "sourceport=4001 2>/dev/null; true");
}

static void count(void)
{
	netns_run(
		"echo 1 >/proc/sys/net/netfilter/nf_conntrack_acct && "
		"echo 1 >/proc/sys/net/netfilter/nf_conntrack_timestamp && "
		"echo 1 >/proc/sys/net/netfilter/nf_conntrack_events && "
		"ip link set lo up && nft 'add table ip t; add chain ip t c { type filter "
		"hook output priority 0; }; add rule ip t c ct state new accept'");
}

Test(conntrack_pieces, what_went_through_is_counted)
{
	struct connection c;

	count();
	exchange();
	cr_assert_eq(dump(), 0);
	c = of_source_port(4001);
	cr_expect(c.counted);
	cr_expect_eq(c.in.packets, 1, "%lu", c.in.packets);
	cr_expect_eq(c.in.bytes, 38, "%lu", c.in.bytes);
	cr_expect_gt(c.start, UINT64_C(1000000000000000000));
}

/* ------------------------------------------------------------ what is over */

static struct conntrack_events *events;

static void wait_for(size_t n)
{
	struct pollfd poller = { .fd = conntrack_events_fd(events), .events = POLLIN };

	while (n_told < n) {
		cr_assert_eq(poll(&poller, 1, 5000), 1, "%zu of %zu", n_told, n);
		cr_assert_eq(conntrack_events_read(events, 1000, note, NULL), 0);
	}
}

Test(conntrack_pieces, an_entry_that_is_over_tells_what_it_carried)
{
	count();
	cr_assert_eq(conntrack_events_open(&events), 0);
	exchange();
	cr_assert_eq(conntrack_events_read(events, 1000, note, NULL), 0);
	n_told = 0;
	netns_run("conntrack -D -p udp --orig-port-src 4001 2>/dev/null >&2");
	wait_for(1);
	cr_expect_eq(last.orig_src.port, 4001);
	cr_expect_eq(last.orig_dst.port, 4000);
	cr_expect_eq(last.in.bytes, 38, "%lu", last.in.bytes);
	cr_expect_gt(last.start, 0);
	conntrack_events_close(events);
}

/* What did not fit is lost, and said; what comes afterwards is told. */
Test(conntrack_pieces, a_flood_is_survived)
{
	int small = 2048, r;

	count();
	cr_assert_eq(conntrack_events_open(&events), 0);
	setsockopt(conntrack_events_fd(events), SOL_SOCKET, SO_RCVBUF, &small,
		   sizeof(small));
	insert_many(3000);
	netns_run("conntrack -F 2>/dev/null");
	n_told = 0;
	r = conntrack_events_read(events, 10000, note, NULL);
	cr_assert_eq(r, -ENOBUFS, "%d, %zu told", r, n_told);
	while (conntrack_events_read(events, 10000, note, NULL) == -ENOBUFS)
		;
	n_told = 0;
	insert_forward(40000, "");
	netns_run("conntrack -D -p tcp 2>/dev/null >&2");
	wait_for(1);
	cr_expect_eq(last.orig_src.port, 40000);
	conntrack_events_close(events);
}

Test(conntrack_pieces, without_descriptors_nobody_listens)
{
	netns_forbid_descriptors(true);
	cr_expect_eq(conntrack_events_open(&events), -EMFILE);
	netns_forbid_descriptors(false);
}
