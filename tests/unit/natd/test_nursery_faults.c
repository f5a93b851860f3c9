/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/workers/nursery_private.h"
#include "nursery_fixture.h"

struct fault {
	int error, wanted;
	const char *says;
};

static int fail_to_fork(void *userdata)
{
	const struct identity id = own_identity();
	const struct fault *fault = userdata;
	struct nursery nursery = { .fd = 77 };
	struct nursery_fault why = { "" };

	fork_fail(1, fault->error);
	BOX_CHECK(nursery_start(&id, &nursery, &why) == fault->wanted);
	BOX_CHECK(strstr(why.text, fault->says), "%s", why.text);
	BOX_CHECK(nursery.fd == 77);
	return 0;
}

Test(nursery_faults, says_why_it_cannot_be_started)
{
	box_run(fail_to_fork, &(struct fault){ EAGAIN, -EAGAIN, "fork: Resource temp" });
	box_run(fail_to_fork,
		&(struct fault){ ENOMEM, -ENOMEM, "fork: Cannot allocate" });
}

static int want_descriptors(void *userdata)
{
	const struct identity id = own_identity();
	const struct rlimit none = { 3, 3 };
	struct nursery_fault why = { "" };
	struct nursery nursery;

	BOX_CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	BOX_CHECK(nursery_start(&id, &nursery, &why) == -EMFILE, "%s", why.text);
	BOX_CHECK(strstr(why.text, "sockets: Too many open files"), "%s", why.text);
	return 0;
}

Test(nursery_faults, cannot_be_started_without_descriptors)
{
	box_run(want_descriptors, NULL);
}

static int become_somebody_else(void *userdata)
{
	struct identity id = own_identity();
	struct nursery_fault why = { "" };
	struct nursery nursery;

	if (geteuid() == 0)
		BOX_CHECK(setresgid(65534, 65534, 65534) == 0 &&
			  setresuid(65534, 65534, 65534) == 0);
	id.uid = 12345;
	BOX_CHECK(nursery_start(&id, &nursery, &why) == -EPERM, "%s", why.text);
	BOX_CHECK(strstr(why.text, "12345"), "%s", why.text);
	return 0;
}

Test(nursery_faults, cannot_become_another_user_without_root)
{
	box_run(become_somebody_else, NULL);
}

static int fail_in_nursery(void *userdata)
{
	const struct rlimit few = { 5, 32 }, enough = { 32, 32 };
	struct nursery nursery;
	int fd;

	fork_fail(2, EAGAIN);
	if (begin(&nursery))
		return 1;
	BOX_CHECK(failed_with(&nursery) == -EAGAIN);
	BOX_CHECK(prlimit(nursery.pid, RLIMIT_NOFILE, &few, NULL) == 0);
	BOX_CHECK(failed_with(&nursery) == -EMFILE);
	BOX_CHECK(prlimit(nursery.pid, RLIMIT_NOFILE, &enough, NULL) == 0);
	BOX_CHECK(started(&nursery, WORKER_IGD, &fd) > 0);
	return 0;
}

Test(nursery_faults, what_it_lacks_is_told_and_it_goes_on)
{
	box_run(fail_in_nursery, NULL);
}

/* ------------------------------------------------------------ what cannot be read */

static int say_nonsense(void *userdata)
{
	static const struct nursery_request wrong[] = {
		{ 2, WORKER_IGD },
		{ NURSERY_START, WORKER_ROLES },
		{ UINT32_MAX, UINT32_MAX },
	};
	struct nursery nursery;
	char bytes[4096] = { 0 };
	int fd;

	if (begin(&nursery))
		return 1;
	for (size_t len = 1; len < sizeof(bytes); len += len < 32 ? 1 : 997)
		if (len != sizeof(struct nursery_request))
			BOX_CHECK(send(nursery.fd, bytes, len, 0) == (ssize_t)len);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		BOX_CHECK(send(nursery.fd, &wrong[i], sizeof(wrong[i]), 0) > 0);
	/* nothing was said to any of it */
	BOX_CHECK(started(&nursery, WORKER_IGD, &fd) > 0);
	return 0;
}

Test(nursery_faults, drops_what_is_no_request)
{
	box_run(say_nonsense, NULL);
}

static struct nursery false_nursery(int *ret_other)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	*ret_other = ends[1];
	return (struct nursery){ .fd = ends[0], .pid = getpid() };
}

static void say(int fd, const void *packet, size_t len, size_t n_fds)
{
	struct iovec part = { (void *)packet, len };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { .header = { CMSG_LEN(n_fds * sizeof(int)), SOL_SOCKET,
				  SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &null_fd,
		       sizeof(int));
	if (n_fds) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	cr_assert_eq(sendmsg(fd, &message, 0), (ssize_t)len, "%s", strerror(errno));
	close(null_fd);
}

static const struct {
	const char *what;
	struct nursery_report report;
	size_t len, n_fds;
	int wanted;
} reports[] = {
#define LEN sizeof(struct nursery_report)
	{ "started", { NURSERY_STARTED, WORKER_IGD, 5, 0 }, LEN, 1, 0 },
	{ "failed", { NURSERY_FAILED, WORKER_IGD, 0, -EAGAIN }, LEN, 0, 0 },
	{ "ended", { NURSERY_ENDED, WORKER_IGD, 5, 9 }, LEN, 0, 0 },
	{ "no socket", { NURSERY_STARTED, WORKER_IGD, 5, 0 }, LEN, 0, -EPROTO },
	{ "two", { NURSERY_STARTED, WORKER_IGD, 5, 0 }, LEN, 2, -EPROTO },
	{ "many", { NURSERY_STARTED, WORKER_IGD, 5, 0 }, LEN, 16, -EPROTO },
	{ "pid 0", { NURSERY_STARTED, WORKER_IGD, 0, 0 }, LEN, 1, -EPROTO },
	{ "pid -1", { NURSERY_STARTED, WORKER_IGD, -1, 0 }, LEN, 1, -EPROTO },
	{ "role", { NURSERY_STARTED, WORKER_ROLES, 5, 0 }, LEN, 1, -EPROTO },
	{ "a socket", { NURSERY_FAILED, WORKER_IGD, 0, -EAGAIN }, LEN, 1, -EPROTO },
	{ "no errno", { NURSERY_FAILED, WORKER_IGD, 0, 0 }, LEN, 0, -EPROTO },
	{ "good", { NURSERY_FAILED, WORKER_IGD, 0, 1 }, LEN, 0, -EPROTO },
	{ "far", { NURSERY_FAILED, WORKER_IGD, 0, -4096 }, LEN, 0, -EPROTO },
	{ "ended with", { NURSERY_ENDED, WORKER_IGD, 5, 9 }, LEN, 1, -EPROTO },
	{ "ended 0", { NURSERY_ENDED, WORKER_IGD, 0, 9 }, LEN, 0, -EPROTO },
	{ "kind", { 3, WORKER_IGD, 5, 9 }, LEN, 0, -EPROTO },
	{ "short", { NURSERY_ENDED, WORKER_IGD, 5, 9 }, LEN - 1, 0, -EPROTO },
	{ "byte", { NURSERY_STARTED, WORKER_IGD, 5, 9 }, 1, 1, -EPROTO },
};

Test(nursery_faults, a_report_that_is_none_is_dropped_with_its_descriptors)
{
	int other, fd;
	const struct nursery nursery = false_nursery(&other);
	const int before = descriptors_beyond(getpid(), 0);
	struct nursery_report said;
	char long_one[LEN + 1] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		int r;

		fd = 77;
		say(other, &reports[i].report, reports[i].len, reports[i].n_fds);
		r = nursery_hear(&nursery, &said, &fd);
		cr_expect_eq(r, reports[i].wanted, "%s: %d", reports[i].what, r);
		if (r == 0 && fd >= 0)
			close(fd);
		cr_expect_eq(descriptors_beyond(getpid(), 0), before, "%s",
			     reports[i].what);
	}
	memcpy(long_one, &reports[2].report, LEN);
	say(other, long_one, sizeof(long_one), 0);
	cr_expect_eq(nursery_hear(&nursery, &said, &fd), -EPROTO);
	cr_expect_eq(nursery_hear(&nursery, &said, &fd), -EAGAIN);
	close(other);
	cr_expect_eq(nursery_hear(&nursery, &said, &fd), -EPIPE);
	close(nursery.fd);
}

Test(nursery_faults, more_than_it_can_take_in_is_refused)
{
	int other, r = 0;
	const struct nursery nursery = false_nursery(&other);

	for (int i = 0; i < 1000000 && r == 0; i++)
		r = nursery_ask(&nursery, NURSERY_START, WORKER_IGD);
	cr_expect_eq(r, -EAGAIN);
	close(other);
	cr_expect_eq(nursery_ask(&nursery, NURSERY_START, WORKER_IGD), -EPIPE);
	close(nursery.fd);
}
