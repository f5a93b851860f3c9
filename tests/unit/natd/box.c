/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "box.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	BOX_CHECK(fd >= 0, "%s: %m", path);
	n = write(fd, text, strlen(text));
	close(fd);
	BOX_CHECK(n == (ssize_t)strlen(text), "%s: %m", path);
	return 0;
}

static int enter(int flags)
{
	unsigned int uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER | flags) < 0)
		return BOX_SKIP;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (put("/proc/self/setgroups", "deny") || put("/proc/self/uid_map", map))
		return 1;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	if (put("/proc/self/gid_map", map))
		return 1;
	if (flags & CLONE_NEWNS)
		BOX_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "%m");
	return 0;
}

static void wait_for(pid_t pid)
{
	int status = 0;

	cr_assert_gt(pid, 0, "%s", strerror(errno));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == BOX_SKIP)
		cr_skip_test("needs user namespaces, or a second user id");
	cr_assert_eq(WEXITSTATUS(status), 0, "the child says: %d", WEXITSTATUS(status));
}

void box_run(box_body body, void *userdata)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(body(userdata));
	wait_for(pid);
}

void box_run_alone(int flags, box_body body, void *userdata)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		status = enter(flags);
		_exit(status ? status : body(userdata));
	}
	wait_for(pid);
}

/* The writer of such a map has to be root outside: it is us, and the child waits for it.
 */
static int give_ids(pid_t pid, unsigned int ids)
{
	char path[64], map[64];

	snprintf(map, sizeof(map), "0 0 %u", ids);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (put(path, map))
		return 1;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	return put(path, map);
}

static int run_mapped(const int ready[2], const int mapped[2], box_body body,
		      void *userdata)
{
	char byte;

	if (unshare(CLONE_NEWUSER) < 0)
		return BOX_SKIP;
	BOX_CHECK(write(ready[1], "", 1) == 1);
	BOX_CHECK(read(mapped[0], &byte, 1) == 1);
	return body(userdata);
}

void box_run_mapped(unsigned int ids, box_body body, void *userdata)
{
	int ready[2], mapped[2];
	char byte;
	pid_t pid;

	cr_assert(pipe2(ready, O_CLOEXEC) == 0 && pipe2(mapped, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0)
		_exit(run_mapped(ready, mapped, body, userdata));
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		cr_expect_eq(give_ids(pid, ids), 0);
		cr_expect_eq(write(mapped[1], "", 1), 1);
	}
	close(ready[0]);
	close(mapped[0]);
	close(mapped[1]);
	wait_for(pid);
}
