/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/netns.h"

#include <criterion/criterion.h>

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int user_namespace_error;

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		r = -errno;
	close(fd);
	return r;
}

static int map_root(uid_t uid, gid_t gid)
{
	char uids[32], gids[32];
	int r;

	snprintf(uids, sizeof(uids), "0 %u 1", uid);
	snprintf(gids, sizeof(gids), "0 %u 1", gid);
	r = write_file("/proc/self/setgroups", "deny");
	if (r == 0)
		r = write_file("/proc/self/uid_map", uids);
	if (r == 0)
		r = write_file("/proc/self/gid_map", gids);
	return r;
}

/*
 * Only a process with one thread may enter a user namespace, and Criterion gives each
 * test's process a second one before the test begins. So it is entered here, before
 * main().
 */
static __attribute__((constructor)) void enter_user_namespace(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWUSER) < 0)
		user_namespace_error = -errno;
	else
		user_namespace_error = map_root(uid, gid);
}

void netns_enter(void)
{
	if (user_namespace_error)
		cr_skip_test("no user namespaces: %s", strerror(-user_namespace_error));
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "%s", strerror(errno));
	netns_run("ip link set lo up");
}

int netns_new(void)
{
	int here = open("/proc/thread-self/ns/net", O_RDONLY);
	int there;

	cr_assert_geq(here, 0);
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "%s", strerror(errno));
	netns_run("ip link set lo up");
	there = netns_switch(here);
	close(here);
	return there;
}

int netns_switch(int fd)
{
	int here = open("/proc/thread-self/ns/net", O_RDONLY);

	cr_assert_geq(here, 0);
	cr_assert_eq(setns(fd, CLONE_NEWNET), 0, "%s", strerror(errno));
	return here;
}

__attribute__((format(printf, 1, 0))) static int run(const char *format, va_list args,
						     char *command, size_t size)
{
	int status;

	vsnprintf(command, size, format, args);
	fflush(NULL);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

void netns_run(const char *format, ...)
{
	char command[4096];
	va_list args;
	int status;

	va_start(args, format);
	status = run(format, args, command, sizeof(command));
	va_end(args);
	cr_assert_eq(status, 0, "exit status %d of: %s", status, command);
}

int netns_try(const char *format, ...)
{
	char command[4096];
	va_list args;
	int status;

	va_start(args, format);
	status = run(format, args, command, sizeof(command));
	va_end(args);
	return status;
}

void netns_drop_net_admin(void)
{
	capng_get_caps_process();
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	cr_assert_eq(capng_apply(CAPNG_SELECT_CAPS), 0);
}

void netns_forbid_descriptors(bool forbid)
{
	static rlim_t before;
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (forbid)
		before = limit.rlim_cur;
	limit.rlim_cur = forbid ? 3 : before;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

long netns_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
