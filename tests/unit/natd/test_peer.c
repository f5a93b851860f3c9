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
#include "natd/access/access.h"

#define MAY_ALL (MAY_LOOK | MAY_CHANGE | MAY_CONTROL)

static const struct access no_access;

/* @ret: for credentials_done() */
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
	credentials_done(&credentials);
	read_own(getegid(), &credentials);
	cr_expect(credentials.member, "the primary group counts");
	cr_expect(credentials_has_group(&credentials, getegid()));
	cr_expect_not(credentials_has_group(&credentials, 987654));
	credentials_done(&credentials);
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
	peer_judge(&credentials, geteuid(), &no_access, &peer);
	return peer.may || peer.administrator ? 3 : 0;
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
	peer_judge(&credentials, geteuid(), &no_access, &peer);
	if (!peer.known || !peer.administrator)
		return 3;
	return peer.may == MAY_ALL ? 0 : 4;
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

/* Return: is the child a member of @group, and is that told as its group? */
static bool is_member(int n, gid_t group)
{
	struct credentials credentials;
	bool member;

	read_child(n, group, &credentials);
	member = credentials.member;
	cr_expect_eq(member, credentials_has_group(&credentials, group));
	if (n)
		cr_expect(credentials.uid == 4242 && credentials.known);
	credentials_done(&credentials);
	return member;
}

/* Whoever runs the tests: any group of theirs; root can be anybody. */
Test(peer, is_a_member_by_any_of_its_groups)
{
	gid_t own[256];
	int n = getgroups(ARRAY_SIZE(own), own);

	for (int i = 0; i < n; i++)
		cr_expect(is_member(0, own[i]), "group %u", own[i]);
	cr_expect_not(is_member(0, 987654));
	if (!may_be_anybody())
		return;
	cr_expect(is_member(3, 5002));
	cr_expect_not(is_member(3, 5003));
	cr_expect(is_member(200, 5199), "more groups than the first guess");
	cr_expect(is_member(3, 4242), "the primary one");
}

Test(peer, is_judged_by_who_it_is)
{
	static const struct {
		struct credentials credentials;
		unsigned int may;
		bool administrator;
	} cases[] = {
		{ { .uid = 0, .known = true }, MAY_ALL, true },
		{ { .uid = 990, .known = true }, MAY_ALL, true },
		{ { .uid = 1000, .known = true, .member = true }, MAY_ALL, false },
		{ { .uid = 1000, .known = true }, 0, false },
		{ { .uid = 990, .known = false }, 0, false },
		{ { .uid = 0, .known = false }, 0, false },
		{ { .uid = 65534, .known = false, .member = true }, MAY_ALL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct peer peer;

		peer_judge(&cases[i].credentials, 990, &no_access, &peer);
		cr_expect_eq(peer.may, cases[i].may, "%zu", i);
		cr_expect_eq(peer.administrator, cases[i].administrator, "%zu", i);
	}
}

/* natd's user is 990; group 100 and user 1001 have rules. */
static struct access some_access(bool look)
{
	return (struct access){
		.given = true,
		.look = look,
		.rules = { { .is_group = true,
			     .id = 100,
			     .grant = { .rule = "group", .quota = 3 } },
			   { .id = 1001, .grant = { .rule = "user", .quota = 7 } } },
		.n = 2,
	};
}

Test(access, judges_by_the_rules_that_speak_of_somebody)
{
	static gid_t in_100[] = { 50, 100 }, in_50[] = { 50 };
	static const struct {
		struct credentials credentials;
		unsigned int may, may_where_all_look;
	} cases[] = {
		{ { .uid = 0, .known = true }, MAY_ALL, MAY_ALL },
		{ { .uid = 990, .known = true }, MAY_ALL, MAY_ALL },
		{ { .uid = 1000, .known = true, .member = true }, MAY_ALL, MAY_ALL },
		{ { 1, 1000, true, true, in_100, 2 },
		  MAY_LOOK | MAY_CHANGE,
		  MAY_LOOK | MAY_CHANGE },
		{ { 1, 1000, true, false, in_100, 2 },
		  MAY_LOOK | MAY_CHANGE,
		  MAY_LOOK | MAY_CHANGE },
		{ { 1, 1001, true, false, in_50, 1 },
		  MAY_LOOK | MAY_CHANGE,
		  MAY_LOOK | MAY_CHANGE },
		{ { 1, 1001, false, false, in_50, 1 }, 0, MAY_LOOK },
		{ { 1, 1002, true, false, in_50, 1 }, 0, MAY_LOOK },
	};
	const struct access closed = some_access(false), open = some_access(true);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct peer peer;

		peer_judge(&cases[i].credentials, 990, &closed, &peer);
		cr_expect_eq(peer.may, cases[i].may, "%zu", i);
		peer_judge(&cases[i].credentials, 990, &open, &peer);
		cr_expect_eq(peer.may, cases[i].may_where_all_look, "%zu", i);
	}
}

Test(access, gives_the_grants_that_speak_of_somebody)
{
	static gid_t groups[] = { 100 };
	const struct credentials both = { 1, 1001, true, false, groups, 1 };
	const struct credentials none = { .uid = 1002, .known = true };
	const struct access access = some_access(false);
	struct rights *rights;

	cr_assert_eq(access_rights(&access, &both, false, &rights), 0);
	cr_expect_eq(rights->uid, 1001);
	cr_expect_not(rights->all);
	cr_assert_eq(rights->n_grants, 2);
	cr_expect_eq(rights->grants[0].quota, 3);
	cr_expect_eq(rights->grants[1].quota, 7);
	rights_unref(rights);
	cr_assert_eq(access_rights(&access, &none, false, &rights), 0);
	cr_expect_eq(rights->n_grants, 0);
	rights_unref(rights);
	cr_assert_eq(access_rights(&access, &both, true, &rights), 0);
	cr_expect(rights->all);
	cr_expect_eq(rights->n_grants, 0);
	rights_unref(rights);
}

Test(access, is_open_where_others_may_look_or_change)
{
	struct access access = some_access(false);

	cr_expect(access_is_open(&access));
	access.n = 0;
	cr_expect_not(access_is_open(&access));
	access.look = true;
	cr_expect(access_is_open(&access));
	cr_expect_not(access_is_open(&no_access));
}

Test(peer, without_the_right_is_told_what_it_has)
{
	const struct peer changer = { .uid = 7,
				      .known = true,
				      .may = MAY_LOOK | MAY_CHANGE };
	char detail[128], cure[128];

	peer_refusal(&changer, "natd", detail, sizeof(detail), cure, sizeof(cure));
	cr_expect_str_eq(detail,
			 "uid 7 may look and change mappings, but may not do that.");
	cr_expect_str_eq(cure, "Ask as root: use sudo.");
}
