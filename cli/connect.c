/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/connect.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/text.h"

#define START_IT "Start it with: systemctl start natd"
#define NAME_IT	 "Name natd's with --socket PATH or NATD_SOCKET."

/* connect(2) says the same of a socket nobody listens on and of a file that is none. */
static int tell_refused(const char *path, int error)
{
	struct stat st;

	if (error == ECONNREFUSED && stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return ENOTSOCK;
	return error;
}

static int flaw_of_permission(const char *path, struct flaw *why)
{
	const struct group *group = NULL;
	struct stat st;

	if (stat(path, &st) == 0) {
		if (!(st.st_mode & S_IWGRP))
			return flaw_set(why, "no permission to open %s. Use sudo.", path);
		group = getgrgid(st.st_gid);
	}
	return flaw_set(why, "no permission to open %s. Join group %s, or use sudo.",
			path, group ? group->gr_name : "natd");
}

static void flaw_of_connect(const char *path, unsigned int timeout, int error,
			    struct flaw *why)
{
	char patience[TEXT_PHRASE_STRLEN];

	switch (error) {
	case ENOENT:
	case ENOTDIR:
		flaw_set(why, "natd is not running: no socket at %s. " START_IT, path);
		return;
	case ECONNREFUSED:
		flaw_set(why, "natd is not running: nobody listens at %s. " START_IT,
			 path);
		return;
	case EACCES:
	case EPERM:
		flaw_of_permission(path, why);
		return;
	case ENOTSOCK:
		flaw_set(why, "%s is not a socket. " NAME_IT, path);
		return;
	case EPROTOTYPE:
		flaw_set(why, "%s is another program's socket. " NAME_IT, path);
		return;
	case EAGAIN:
		flaw_set(why,
			 "natd took no connection at %s for %s. "
			 "See: systemctl status natd",
			 path, text_things(timeout, "second", patience));
		return;
	default:
		flaw_set(why, "cannot connect to %s: %s. " NAME_IT, path,
			 strerror(error));
	}
}

static int try_connect(int fd, const char *path, unsigned int timeout)
{
	/* connect(2) on a UNIX socket waits for room in the queue as long as sending may
	 */
	struct timeval patience = { .tv_sec = timeout };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno;
	return 0;
}

int connect_socket(const char *path, unsigned int timeout, struct flaw *why)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? errno : try_connect(fd, path, timeout);

	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	error = tell_refused(path, error);
	flaw_of_connect(path, timeout, error, why);
	return -error;
}
