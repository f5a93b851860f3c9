/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A socket file outlives its process, so one that is there is tried: what accepts is
 * another natd, what refuses the connection was left behind and is removed. Two natds
 * that start at the same moment could each remove the other's file; the store's lock,
 * which natd takes before it serves anybody, leaves one of them.
 *
 * The mode is the umask's doing and the owner is set before listen(): there is no moment
 * at which somebody could connect who may not.
 */

#include "natd/api/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Who floods natd with connections fills it, and all others wait behind them: natd turns
 * away some thousands in a second. */
#define LISTEN_QUEUE 128

static int fail(struct server_fault *why, int r, const char *path, const char *what)
{
	/* "not permitted" (chown) and "denied" (mkdir, bind) are one thing to people */
	if (r == -EPERM)
		r = -EACCES;
	snprintf(why->text, sizeof(why->text), "%s: %s: %s", path, what, strerror(-r));
	return r;
}

static int make_address(const char *path, struct sockaddr_un *ret,
			struct server_fault *why)
{
	size_t len = strlen(path);

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len >= sizeof(ret->sun_path)) {
		snprintf(why->text, sizeof(why->text),
			 "The socket's path has %zu bytes; the kernel takes %zu.", len,
			 sizeof(ret->sun_path) - 1);
		return -ENAMETOOLONG;
	}
	if (!len)
		return fail(why, -ENOENT, "--socket", "an empty path");
	memcpy(ret->sun_path, path, len + 1);
	return 0;
}

/* The umask may have taken the bits that let the group in. */
static int give_directory(const char *dir, uid_t uid, gid_t gid)
{
	int fd, r = 0;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0755) < 0 || fchown(fd, uid, gid) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* Only the last directory: one that lacks more is a mistyped path. */
static int make_directory(const char *path, uid_t uid, gid_t gid,
			  struct server_fault *why)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;
	int r;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = 0;
	if (mkdir(dir, 0755) < 0)
		return errno == EEXIST ? 0 : fail(why, -errno, dir, "cannot be made");
	r = give_directory(dir, uid, gid);
	return r < 0 ? fail(why, r, dir, "cannot be given to natd's user") : 0;
}

/* Return: 0 = somebody answers there; else what connect() said. */
static int probe(const struct sockaddr_un *address)
{
	int fd, r = 0;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		r = -errno;
	close(fd);
	/* its queue is full: it lives */
	return r == -EAGAIN ? 0 : r;
}

static int remove_stale(const struct sockaddr_un *address, struct server_fault *why)
{
	const char *path = address->sun_path;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : fail(why, -errno, path, "cannot be looked at");
	r = S_ISSOCK(st.st_mode) ? probe(address) : -EPROTOTYPE;
	if (r == 0) {
		snprintf(why->text, sizeof(why->text),
			 "natd is running already: it answers on %s.", path);
		return -EADDRINUSE;
	}
	if (r == -EPROTOTYPE) {
		snprintf(
			why->text, sizeof(why->text),
			"%s is there and is not natd's socket. It is left alone; remove it, or "
			"choose another --socket.",
			path);
		return -EEXIST;
	}
	if (r != -ECONNREFUSED && r != -ENOENT)
		return fail(why, r, path, "cannot be tried");
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(why, -errno, path, "was left behind and cannot be removed");
	return 0;
}

static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
	mode_t before = umask(0777 & ~mode);
	int r = 0;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		r = -errno;
	umask(before);
	return r;
}

/*
 * The directory may be natd's user's, and root must not be led to give away another file
 * that was put in the place of ours.
 */
static int give_socket(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;
	int fd, r = 0;

	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
		r = -EEXIST;
	if (r == 0 && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int start_listening(int fd, const struct sockaddr_un *address, uid_t uid,
			   gid_t gid, struct server_fault *why)
{
	const char *path = address->sun_path;

	int r;

	r = give_socket(path, uid, gid);
	if (r < 0)
		return fail(why, r, path, "cannot be given to natd's user");
	if (listen(fd, LISTEN_QUEUE) < 0)
		return fail(why, -errno, path, "cannot be listened on");
	return 0;
}

mode_t server_mode(const struct access *access, bool rootless)
{
	if (access_is_open(access))
		return 0666;
	return rootless ? 0600 : 0660;
}

int server_listen(const char *path, uid_t uid, gid_t gid, mode_t mode, int *ret_fd,
		  struct server_fault *why)
{
	struct sockaddr_un address;
	int fd, r;

	r = make_address(path, &address, why);
	if (r == 0)
		r = make_directory(path, uid, gid, why);
	if (r == 0)
		r = remove_stale(&address, why);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(why, -errno, path, "no socket");
	r = bind_with_mode(fd, &address, mode);
	if (r < 0) {
		close(fd);
		return fail(why, r, path, "cannot be made");
	}
	r = start_listening(fd, &address, uid, gid, why);
	if (r < 0) {
		unlink(path);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
