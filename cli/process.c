/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/text.h"
#include "core/cleanup.h"

DEFINE_CLEANUP(closedir, DIR *)

/* @link: "socket:[12345]" */
static bool has_link(int fds, const char *link)
{
	CLEANUP(closedir) DIR *dir = fdopendir(fds);
	const size_t len = strlen(link);
	const struct dirent *entry;

	if (!dir) {
		close(fds);
		return false;
	}
	while ((entry = readdir(dir))) {
		char target[64];
		ssize_t n = readlinkat(fds, entry->d_name, target, sizeof(target));

		if (n == (ssize_t)len && !memcmp(target, link, len))
			return true;
	}
	return false;
}

static void read_name(int proc, const char *pid, char name[static PROCESS_NAME_MAX])
{
	char path[64];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%.20s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, PROCESS_NAME_MAX - 1);
		close(fd);
	}
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static bool has_socket(int proc, const char *pid, const char *link)
{
	char path[64];
	int fds;

	snprintf(path, sizeof(path), "%.20s/fd", pid);
	fds = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fds >= 0 && has_link(fds, link);
}

int process_of_socket(const char *proc, uint32_t inode, struct process *ret)
{
	CLEANUP(closedir) DIR *dir = opendir(proc);
	const int fd = dir ? dirfd(dir) : -1;
	const struct dirent *entry;
	char link[32];

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "socket:[%u]", inode);
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !has_socket(fd, entry->d_name, link))
			continue;
		ret->pid = (pid_t)strtol(entry->d_name, NULL, 10);
		read_name(fd, entry->d_name, ret->name);
		return 0;
	}
	return -ENOENT;
}

const char *process_describe(const struct listener *listener,
			     char buf[static PROCESS_LISTENER_STRLEN])
{
	char text[LISTENER_STRLEN];
	struct process process;

	snprintf(buf, PROCESS_LISTENER_STRLEN, "%s", listener_describe(listener, text));
	if (listener->inode && process_of_socket("/proc", listener->inode, &process) == 0)
		text_append(buf, PROCESS_LISTENER_STRLEN, ": %s, pid %d", process.name,
			    (int)process.pid);
	return text_clean(buf);
}
