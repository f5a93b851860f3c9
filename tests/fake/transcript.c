/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * transcript - what clients and natd say to each other, written down byte by byte
 *
 * Stands in front of libc's functions, loaded before them (LD_PRELOAD, for the program
 * that is under test) or linked in. With NATD_TEST_TRANSCRIPT set, a folder, each process
 * makes a file in it, which tests/openapi/check reads. A record is
 *
 *	PROCESS CONNECTION < LENGTH\n	< from the client, > to the client
 *	LENGTH bytes\n
 *
 * Only connections that were accepted are recorded.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FD_MAX 4096

static int file = -1;
/* of each descriptor that accept4() gave; 0 = none of it */
static unsigned int connections[FD_MAX];
static unsigned int n_connections;

__attribute__((constructor)) static void open_file(void)
{
	const char *folder = getenv("NATD_TEST_TRANSCRIPT");
	char path[4096];

	if (!folder || !folder[0])
		return;
	snprintf(path, sizeof(path), "%s/XXXXXX", folder);
	file = mkostemp(path, O_APPEND | O_CLOEXEC);
}

static bool is_recorded(int fd)
{
	return file >= 0 && fd >= 0 && fd < FD_MAX && connections[fd];
}

/* In one write(), so that processes which share the file do not mix. */
static void record(int fd, char direction, const struct iovec *parts, size_t n_parts,
		   size_t len)
{
	const int error = errno;
	struct iovec all[16];
	char head[64];
	size_t n = 1, left = len;

	all[0].iov_base = head;
	all[0].iov_len = (size_t)snprintf(head, sizeof(head), "%d %u %c %zu\n", getpid(),
					  connections[fd], direction, len);
	for (size_t i = 0; i < n_parts && left && n < 15; i++, n++) {
		all[n] = parts[i];
		if (all[n].iov_len > left)
			all[n].iov_len = left;
		left -= all[n].iov_len;
	}
	all[n].iov_base = (char[]){ '\n' };
	all[n++].iov_len = 1;
	if (left || writev(file, all, (int)n) < 0)
		abort();
	errno = error;
}

#define NEXT(function) ((__typeof__(&(function)))dlsym(RTLD_NEXT, #function))

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	int accepted = NEXT(accept4)(fd, address, len, flags);

	if (accepted >= 0 && accepted < FD_MAX)
		connections[accepted] = ++n_connections;
	return accepted;
}

/* The number may be a client's next, where a test is both sides. */
int close(int fd)
{
	if (fd >= 0 && fd < FD_MAX)
		connections[fd] = 0;
	return NEXT(close)(fd);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n = NEXT(recv)(fd, buf, len, flags);
	const struct iovec part = { .iov_base = buf, .iov_len = len };

	if (n > 0 && is_recorded(fd))
		record(fd, '<', &part, 1, (size_t)n);
	return n;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	ssize_t n = NEXT(send)(fd, buf, len, flags);
	const struct iovec part = { .iov_base = (void *)buf, .iov_len = len };

	if (n > 0 && is_recorded(fd))
		record(fd, '>', &part, 1, (size_t)n);
	return n;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t n = NEXT(sendmsg)(fd, message, flags);

	if (n > 0 && is_recorded(fd))
		record(fd, '>', message->msg_iov, message->msg_iovlen, (size_t)n);
	return n;
}
