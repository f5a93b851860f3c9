/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/conntrack_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "core/cleanup.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

TestSuite(conntrack_faults, .init = conntrack_enter, .fini = conntrack_leave);

#define MANY 60000

Test(conntrack_faults, sixty_thousand_are_read_and_ended_in_seconds)
{
	size_t deleted = 0;
	long t0, t1, t2;

	insert_many(MANY);
	t0 = netns_milliseconds();
	cr_assert_eq(dump(), 0);
	t1 = netns_milliseconds();
	cr_assert_eq(entries.n, MANY);
	cr_assert_eq(conntrack_delete(ct, entries.c, entries.n, &deleted), 0);
	t2 = netns_milliseconds();
	cr_assert_eq(deleted, MANY);
	cr_log_info("%d entries: dump %ld ms, end %ld ms", MANY, t1 - t0, t2 - t1);
	cr_assert_lt(t2 - t0, 20000);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 0);
}

/* An unprivileged user namespace may not have the large receive buffer; then the batches
 * must be small enough for the small one. */
Test(conntrack_faults, no_answer_is_lost_with_the_small_receive_buffer)
{
	size_t deleted = 0;

	insert_many(1000);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 1000);
	for (int fd = 3; fd < 64; fd++) {
		int size = 212992 / 2, protocol = -1;
		socklen_t len = sizeof(protocol);

		if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
		    protocol == NETLINK_NETFILTER)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	cr_assert_eq(conntrack_delete(ct, entries.c, entries.n, &deleted), 0);
	cr_assert_eq(deleted, 1000);
}

/* ------------------------------------------------------------------ faults */

Test(conntrack_faults, a_torn_dump_is_said_and_complete)
{
	insert_forward(40000, "");
	insert_forward(40001, "");
	faulty_dump_torn_at(1);
	cr_assert_eq(dump(), -EINTR);
	cr_assert_eq(entries.n, 2);
	cr_assert_eq(dump(), 0);
}

Test(conntrack_faults, a_signal_is_not_a_torn_dump)
{
	insert_forward(40000, "");
	faulty_receive_interrupted(3);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 1);
	faulty_receive_interrupted(3);
	cr_assert_eq(conntrack_delete(ct, entries.c, 1, NULL), 0);
}

Test(conntrack_faults, a_dump_that_lost_messages_is_said_and_the_next_one_works)
{
	static const struct {
		int error, expected;
	} cases[] = { { ENOBUFS, -ENOBUFS },
		      { EAGAIN, -ETIMEDOUT },
		      { ENOMEM, -ENOMEM } };

	insert_many(2000);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		faulty_receive_fails(2, cases[i].error);
		cr_assert_eq(dump(), cases[i].expected);
		cr_assert_lt(entries.n, 2000);
		cr_assert_eq(dump(), 0);
		cr_assert_eq(entries.n, 2000);
	}
}

Test(conntrack_faults, a_dump_the_kernel_gives_up_is_an_error)
{
	faulty_answer(-ENOMEM);
	cr_assert_eq(dump(), -ENOMEM);
	cr_assert_eq(dump(), 0);
}

Test(conntrack_faults, a_refused_entry_does_not_keep_the_others)
{
	size_t deleted = 0;

	insert_forward(40000, "");
	insert_forward(40001, "");
	cr_assert_eq(dump(), 0);
	faulty_answer(-EBUSY);
	cr_assert_eq(conntrack_delete(ct, entries.c, 2, &deleted), -EBUSY);
	cr_assert_eq(deleted, 1);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 0);
}

Test(conntrack_faults, a_lost_answer_keeps_no_batch_from_being_tried)
{
	size_t deleted = 0;

	insert_many(1000);
	cr_assert_eq(dump(), 0);
	faulty_receive_fails(1, ENOBUFS);
	cr_assert_eq(conntrack_delete(ct, entries.c, entries.n, &deleted), -ENOBUFS);
	cr_assert_eq(deleted, 1000 - 128);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 0);
}

Test(conntrack_faults, a_kernel_that_does_not_answer_ends_the_attempts)
{
	size_t deleted = 99;

	insert_many(1000);
	cr_assert_eq(dump(), 0);
	faulty_receive_fails(1, EAGAIN);
	cr_assert_eq(conntrack_delete(ct, entries.c, entries.n, &deleted), -ETIMEDOUT);
	cr_assert_eq(deleted, 0);
	cr_assert_eq(dump(), 0);
	cr_assert_eq(entries.n, 1000 - 128);
}

Test(conntrack_faults, without_the_right_nothing_works)
{
	struct conntrack *other = NULL;
	size_t deleted = 99;

	insert_forward(40000, "");
	cr_assert_eq(dump(), 0);
	netns_drop_net_admin();
	cr_assert_eq(conntrack_delete(ct, entries.c, 1, &deleted), -EPERM);
	cr_assert_eq(deleted, 0);
	cr_assert_eq(dump(), -EPERM);
	cr_assert_eq(conntrack_open(&other), -EPERM);
	cr_assert_null(other);
}

Test(conntrack_faults, no_descriptors_left_is_said)
{
	struct conntrack *other = NULL;
	int r;

	netns_forbid_descriptors(true);
	r = conntrack_open(&other);
	netns_forbid_descriptors(false);
	cr_assert_eq(r, -EMFILE);
	cr_assert_null(other);
}

Test(conntrack_faults, a_kernel_without_ctnetlink_is_said)
{
	struct conntrack *other = NULL;

	faulty_answer(-EINVAL);
	cr_assert_eq(conntrack_open(&other), -EPROTONOSUPPORT);
	cr_assert_null(other);
}

Test(conntrack_faults, closing_nothing_is_fine)
{
	conntrack_close(NULL);
}
