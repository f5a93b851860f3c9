/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "natd/peer.h"

static void read_own(gid_t group, struct credentials *ret)
{
	struct strangers strangers;
	int pair[2];

	strangers_read(&strangers);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(credentials_read(pair[0], group, &strangers, ret), 0);
	close(pair[0]);
	close(pair[1]);
}

Test(peer, is_read_from_the_socket)
{
	struct credentials credentials;

	read_own((gid_t)-1, &credentials);
	cr_expect_eq(credentials.pid, getpid());
	cr_expect_eq(credentials.uid, geteuid());
	cr_expect_not(credentials.member);
	read_own(getegid(), &credentials);
	cr_expect(credentials.member, "the primary group counts");
}

Test(peer, of_what_is_no_unix_socket_is_an_error)
{
	const struct strangers strangers = { (uid_t)-1, (gid_t)-1 };
	struct credentials credentials = { .uid = 77 };
	int pipes[2], tcp, lonely;

	cr_assert_eq(pipe(pipes), 0);
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	lonely = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_expect_eq(credentials_read(pipes[0], 0, &strangers, &credentials), -ENOTSOCK);
	cr_expect_lt(credentials_read(tcp, 0, &strangers, &credentials), 0);
	cr_expect_eq(credentials_read(lonely, 0, &strangers, &credentials), -ENOTCONN);
	cr_expect_eq(credentials.uid, 77, "nothing is written");
	close(lonely);
	close(tcp);
	close(pipes[0]);
	close(pipes[1]);
}

/* Return: 0, or the first thing that is not as it should be. */
static int judge_unmapped(void)
{
	struct credentials credentials;
	struct peer peer;

	if (unshare(CLONE_NEWUSER) || geteuid() != 65534)
		return 1;
	read_own(getegid(), &credentials);
	if (credentials.uid != geteuid() || credentials.known || credentials.member)
		return 2;
	peer_judge(&credentials, geteuid(), &peer);
	return peer.rights || peer.administrator ? 3 : 0;
}

static int judge_mapped(void)
{
	const unsigned int uid = geteuid();
	struct credentials credentials;
	struct peer peer;
	char map[32];
	int fd;

	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (unshare(CLONE_NEWUSER))
		return 1;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (write(fd, map, strlen(map)) != (ssize_t)strlen(map))
		return 2;
	close(fd);
	read_own((gid_t)-1, &credentials);
	peer_judge(&credentials, geteuid(), &peer);
	if (!peer.known || !peer.administrator)
		return 3;
	return peer.rights == (RIGHT_LOOK | RIGHT_CHANGE) ? 0 : 4;
}

/* A child, since Criterion's own process has a second thread and may not unshare(). */
static void expect_of_child(int (*judge)(void))
{
	pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0)
		_exit(judge());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0, "%d", WEXITSTATUS(status));
}

/* Not one id is mapped: everybody is 65534, we too. */
Test(peer, in_a_namespace_that_maps_nobody_is_nobody)
{
	expect_of_child(judge_unmapped);
}

Test(peer, who_is_mapped_as_root_is_an_administrator)
{
	expect_of_child(judge_mapped);
}

/* A child with @n supplementary groups from 5000 on connects, as uid 4242 where it can.
 */
static void read_child(int n, gid_t group, struct credentials *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t); /* the kernel chooses an abstract name */
	struct strangers strangers;
	gid_t groups[200];
	int listening, fd, status;
	pid_t child;

	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listening, (struct sockaddr *)&address, len), 0);
	len = sizeof(address);
	cr_assert_eq(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	cr_assert_eq(listen(listening, 1), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		for (int i = 0; i < n; i++)
			groups[i] = 5000 + (gid_t)i;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		_exit((n &&
		       (setgroups((size_t)n, groups) || setgid(4242) || setuid(4242))) ||
		      connect(fd, (struct sockaddr *)&address, len));
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	fd = accept(listening, NULL, NULL);
	cr_assert_geq(fd, 0);
	strangers_read(&strangers);
	cr_assert_eq(credentials_read(fd, group, &strangers, ret), 0);
	cr_expect_eq(ret->pid, child);
	close(fd);
	close(listening);
}

static bool may_be_anybody(void)
{
	struct strangers strangers;

	strangers_read(&strangers);
	return geteuid() == 0 && strangers.uid == (uid_t)-1;
}

/* Whoever runs the tests: any group of theirs; root can be anybody. */
Test(peer, is_a_member_by_any_of_its_groups)
{
	struct credentials credentials;
	gid_t own[256];
	int n = getgroups(ARRAY_SIZE(own), own);

	for (int i = 0; i < n; i++) {
		read_child(0, own[i], &credentials);
		cr_expect(credentials.member, "group %u", own[i]);
	}
	read_child(0, 987654, &credentials);
	cr_expect_not(credentials.member);
	if (!may_be_anybody())
		return;
	read_child(3, 5002, &credentials);
	cr_expect(credentials.member && credentials.uid == 4242 && credentials.known);
	read_child(3, 5003, &credentials);
	cr_expect_not(credentials.member);
	read_child(200, 5199, &credentials);
	cr_expect(credentials.member, "more groups than the first guess");
	read_child(3, 4242, &credentials);
	cr_expect(credentials.member, "the primary one");
}

Test(peer, is_judged_by_who_it_is)
{
	static const struct {
		struct credentials credentials;
		unsigned int rights;
		bool administrator;
	} cases[] = {
		{ { .uid = 0, .known = true }, RIGHT_LOOK | RIGHT_CHANGE, true },
		{ { .uid = 990, .known = true }, RIGHT_LOOK | RIGHT_CHANGE, true },
		{ { .uid = 1000, .known = true, .member = true },
		  RIGHT_LOOK | RIGHT_CHANGE,
		  false },
		{ { .uid = 1000, .known = true }, 0, false },
		{ { .uid = 990, .known = false }, 0, false },
		{ { .uid = 0, .known = false }, 0, false },
		{ { .uid = 65534, .known = false, .member = true },
		  RIGHT_LOOK | RIGHT_CHANGE,
		  false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct peer peer;

		peer_judge(&cases[i].credentials, 990, &peer);
		cr_expect_eq(peer.rights, cases[i].rights, "%zu", i);
		cr_expect_eq(peer.administrator, cases[i].administrator, "%zu", i);
	}
}
