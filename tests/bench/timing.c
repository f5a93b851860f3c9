/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/timing.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(error));
	exit(EXIT_FAILURE);
}

uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void times_add(struct times *times, uint64_t ns)
{
	if (times->n == times->room) {
		times->room = times->room ? times->room * 2 : 256;
		times->ns = reallocarray(times->ns, times->room, sizeof(*times->ns));
		if (!times->ns)
			die("no memory");
	}
	times->ns[times->n++] = ns;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

void times_print(struct times *times, const char *name)
{
	if (!times->n)
		die("nothing was timed for %s", name);
	qsort(times->ns, times->n, sizeof(*times->ns), compare);
	printf("\"%s\":%lu", name, times->ns[times->n / 2]);
}

void times_done(struct times *times)
{
	free(times->ns);
	*times = (struct times){ 0 };
}

int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(to.sun_path))
		die("%s is too long", path);
	memcpy(to.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		die("%s", path);
	return fd;
}

void write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n <= 0)
			die("writing failed");
		at += n;
		len -= (size_t)n;
	}
}

size_t read_some(int fd, void *bytes, size_t room)
{
	ssize_t n = read(fd, bytes, room);

	if (n <= 0)
		die("no answer");
	return (size_t)n;
}
