/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "natd/api/server.h"

static char dir[64], path[108];
static struct server_fault why;
static int fd = -1;

static void start(void)
{
	snprintf(dir, sizeof(dir), "/tmp/natd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/api.sock", dir);
}

static void stop(void)
{
	char sub[96];

	if (fd >= 0)
		close(fd);
	unlink(path);
	snprintf(sub, sizeof(sub), "%s/natd", dir);
	rmdir(sub);
	cr_assert_eq(rmdir(dir), 0, "%s", strerror(errno));
}

TestSuite(listen, .init = start, .fini = stop, .timeout = 20);

static int listen_at(const char *at, bool rootless)
{
	static const struct access nobody_else;

	return server_listen(at, geteuid(), getegid(),
			     server_mode(&nobody_else, rootless), &fd, &why);
}

static int try_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int s, r;

	memcpy(address.sun_path, path, sizeof(address.sun_path));
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = connect(s, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(s);
	return r;
}

static mode_t mode_of(const char *at)
{
	struct stat st;

	cr_assert_eq(lstat(at, &st), 0);
	return st.st_mode & 07777;
}

Test(listen, the_socket_is_there_with_its_mode_whatever_the_umask)
{
	static const mode_t umasks[] = { 0, 022, 0777 };

	for (size_t i = 0; i < sizeof(umasks) / sizeof(*umasks); i++) {
		mode_t before = umask(umasks[i]);

		cr_assert_eq(listen_at(path, i == 1), 0, "%s", why.text);
		cr_expect_eq(umask(before), umasks[i], "the umask is as it was");
		cr_expect_eq(mode_of(path), i == 1 ? 0600 : 0660);
		cr_expect_eq(try_connect(), 0);
		cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
		close(fd);
	}
}

Test(listen, anybody_may_connect_exactly_where_the_access_block_speaks_of_others)
{
	static const struct {
		struct access access;
		bool rootless;
		mode_t mode;
	} cases[] = {
		{ { .given = false }, false, 0660 },
		{ { .given = false }, true, 0600 },
		{ { .given = true }, false, 0660 },
		{ { .given = true }, true, 0600 },
		{ { .given = true, .look = true }, false, 0666 },
		{ { .given = true, .look = true }, true, 0666 },
		{ { .given = true, .n = 1 }, false, 0666 },
		{ { .given = true, .n = 1 }, true, 0666 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		mode_t mode = server_mode(&cases[i].access, cases[i].rootless);

		cr_expect_eq(mode, cases[i].mode, "case %zu: %o", i, mode);
		cr_assert_eq(server_listen(path, geteuid(), getegid(), mode, &fd, &why),
			     0, "%s", why.text);
		cr_expect_eq(mode_of(path), cases[i].mode, "case %zu", i);
		close(fd);
	}
}

Test(listen, its_directory_is_made_where_it_is_missing)
{
	char at[108], sub[96];
	mode_t before = umask(077);

	snprintf(sub, sizeof(sub), "%s/natd", dir);
	snprintf(at, sizeof(at), "%s/natd/api.sock", dir);
	cr_assert_eq(listen_at(at, false), 0, "%s", why.text);
	umask(before);
	cr_expect_eq(mode_of(sub), 0755);
	unlink(at);
}

Test(listen, more_than_one_missing_directory_is_a_wrong_path)
{
	char at[108];

	snprintf(at, sizeof(at), "%s/a/b/api.sock", dir);
	cr_expect_eq(listen_at(at, false), -ENOENT);
	cr_expect(strstr(why.text, "/a/b"), "%s", why.text);
}

Test(listen, what_was_left_behind_is_replaced)
{
	cr_assert_eq(listen_at(path, false), 0);
	close(fd);
	cr_assert_eq(try_connect(), -ECONNREFUSED);
	cr_assert_eq(listen_at(path, false), 0, "%s", why.text);
	cr_expect_eq(try_connect(), 0);
}

Test(listen, one_that_answers_is_natd_running_already)
{
	int first;

	cr_assert_eq(listen_at(path, false), 0);
	first = fd;
	cr_expect_eq(listen_at(path, false), -EADDRINUSE);
	cr_expect(strstr(why.text, "natd is running already"), "%s", why.text);
	cr_expect_eq(fd, first, "nothing is returned");
	cr_expect_eq(try_connect(), 0);
}

Test(listen, one_whose_queue_is_full_is_alive)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int clients[3], busy;

	memcpy(address.sun_path, path, sizeof(address.sun_path));
	busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(busy, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(busy, 0), 0);
	for (int i = 0; i < 3; i++) {
		clients[i] =
			socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(clients[i], (struct sockaddr *)&address, sizeof(address));
	}
	cr_expect_eq(listen_at(path, false), -EADDRINUSE);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(busy);
}

Test(listen, other_files_are_left_alone)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char target[108];
	int other;

	other = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	close(other);
	cr_expect_eq(listen_at(path, false), -EEXIST);
	cr_expect(strstr(why.text, "left alone"), "%s", why.text);
	cr_expect_eq(access(path, F_OK), 0);
	unlink(path);

	snprintf(target, sizeof(target), "%s/target", dir);
	cr_assert_eq(symlink(target, path), 0);
	cr_expect_eq(listen_at(path, false), -EEXIST);
	cr_expect_neq(access(target, F_OK), 0);
	unlink(path);

	memcpy(address.sun_path, path, sizeof(address.sun_path));
	other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_expect_eq(listen_at(path, false), -EEXIST);
	cr_expect_eq(access(path, F_OK), 0);
	close(other);
}

Test(listen, the_path_has_a_limit)
{
	char at[200];

	memset(at, 'x', sizeof(at));
	at[108] = 0;
	cr_expect_eq(listen_at(at, false), -ENAMETOOLONG);
	cr_expect(strstr(why.text, "107"), "%s", why.text);
	cr_expect_eq(listen_at("", false), -ENOENT);
	/* 107 bytes are taken */
	snprintf(at, sizeof(at), "%s/%0*d", dir, (int)(107 - strlen(dir) - 1), 0);
	cr_assert_eq(strlen(at), 107);
	cr_expect_eq(listen_at(at, false), 0, "%s", why.text);
	cr_expect_eq(mode_of(at), 0660);
	unlink(at);
}

/* Root without its capabilities is a user like others. */
static void drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_BOTH) != 0 && geteuid() == 0)
		_exit(2);
}

Test(listen, a_directory_that_may_not_be_written_is_said)
{
	pid_t child;
	int status;

	cr_assert_eq(chmod(dir, 0555), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		drop_capabilities();
		_exit(listen_at(path, false) == -EACCES && strstr(why.text, dir) ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	cr_assert_eq(chmod(dir, 0755), 0);
}

static int write_file(const char *file, const char *text)
{
	int map = open(file, O_WRONLY | O_CLOEXEC);
	ssize_t n = write(map, text, strlen(text));

	close(map);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* In a user namespace, where anybody may mount. Return: what server_listen() does. */
static int listen_read_only(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
	    write_file("/proc/self/setgroups", "deny") ||
	    write_file("/proc/self/uid_map", uids) ||
	    write_file("/proc/self/gid_map", gids) ||
	    mount("none", dir, "tmpfs", MS_RDONLY, NULL))
		return 0;
	return listen_at(path, false);
}

/* A child, since Criterion's own process has a second thread. */
Test(listen, a_file_system_that_is_read_only_is_said)
{
	pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0)
		_exit(listen_read_only() == -EROFS && why.text[0] ? 0 : 1);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
}

/* -EINVAL in a user namespace that does not know the owner. */
static bool is_refused_owner(int r)
{
	return (r == -EACCES || r == -EINVAL) && access(path, F_OK) < 0;
}

Test(listen, an_owner_who_cannot_be_set_leaves_no_socket)
{
	const uid_t other = geteuid() ? 0 : 54321;
	pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		drop_capabilities();
		_exit(is_refused_owner(
			      server_listen(path, other, getegid(), 0660, &fd, &why))
			      ? 0
			      : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
}
