/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "natd/kernel/sysctl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_LEN 64

static int open_setting(const char *name, int flags)
{
	char path[NAME_LEN + sizeof("/proc/sys/")];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "/proc/sys/%s", name) >= sizeof(path))
		return -ENOENT;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_get(const char *name, int *ret)
{
	char text[32], *end;
	ssize_t n;
	long value;
	int fd;

	fd = open_setting(name, O_RDONLY);
	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = 0;
	value = strtol(text, &end, 10);
	if (end == text || (*end && *end != '\n') || value < INT_MIN || value > INT_MAX)
		return -EIO;
	*ret = (int)value;
	return 0;
}

static int set(const char *name, int value)
{
	char text[16];
	int fd, len, r = 0;

	fd = open_setting(name, O_WRONLY);
	if (fd < 0)
		return fd;
	len = snprintf(text, sizeof(text), "%d\n", value);
	if (write(fd, text, (size_t)len) != len)
		r = errno == EACCES || errno == EPERM ? -EACCES : -EIO;
	close(fd);
	return r;
}

static int complain(const char *name, int value, int error, struct sysctl_fault *why)
{
	snprintf(why->text, sizeof(why->text),
		 "%s should be %d and cannot be set: %s. Set it before natd starts "
		 "(sysctl -w %s=%d).",
		 name, value, strerror(-error), name, value);
	return error;
}

/* What is right already is not written: it may be right and read-only, as in containers.
 */
static int ensure(const char *name, int value, struct sysctl_fault *why)
{
	int present, r;

	r = sysctl_get(name, &present);
	if (r == 0 && present == value)
		return 0;
	if (r == 0)
		r = set(name, value);
	return r < 0 ? complain(name, value, r, why) : 0;
}

/* 0 stays: somebody wants no router advertisements there. */
static int accept_ra(const struct link *wan, struct sysctl_fault *why)
{
	char name[NAME_LEN];
	int value, r;

	/* The kernel gives an interface no name that leads elsewhere. */
	assert(!strchr(wan->name, '/'));
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_ra", wan->name);
	r = sysctl_get(name, &value);
	if (r == -ENOENT || (r == 0 && value != 1))
		return 0; /* no IPv6 there, or nothing to do */
	if (r == 0)
		r = set(name, 2);
	/* it may have gone meanwhile */
	return r < 0 && r != -ENOENT ? complain(name, 2, r, why) : 0;
}

int sysctl_accept_ra(const struct links *links, struct sysctl_fault *why)
{
	const struct link *list;
	int first_error = 0;
	size_t n;

	list = links_list(links, &n);
	for (size_t i = 0; i < n; i++) {
		int r = list[i].wan && list[i].present ? accept_ra(&list[i], why) : 0;

		if (r < 0 && !first_error)
			first_error = r;
	}
	return first_error;
}

static int forwarding6(struct sysctl_fault *why)
{
	static const char name[] = "net/ipv6/conf/all/forwarding";
	int value;

	if (sysctl_get(name, &value) == -ENOENT)
		return 0;
	return ensure(name, 1, why);
}

int sysctl_forwarding(const struct links *links, struct sysctl_fault *why)
{
	struct sysctl_fault why4 = { "" };
	int r, r4;

	/* First: a WAN with accept_ra = 1 loses its default route in the very moment.
	 * Where that cannot be helped, IPv6 stays as it is. */
	r = sysctl_accept_ra(links, why);
	r4 = ensure("net/ipv4/ip_forward", 1, &why4);
	if (r == 0)
		r = forwarding6(why);
	if (r4 < 0)
		*why = why4;
	return r4 < 0 ? r4 : r;
}

/* Anything but 0 lets it tell what ends, 2 (the kernel's own) as long as somebody
 * listens.
 */
static int ensure_events(struct sysctl_fault *why)
{
	static const char name[] = "net/netfilter/nf_conntrack_events";
	int value;

	if (sysctl_get(name, &value) == 0 && value)
		return 0;
	return ensure(name, 1, why);
}

int sysctl_accounting(struct sysctl_fault *why)
{
	int r;

	r = ensure("net/netfilter/nf_conntrack_acct", 1, why);
	if (r == 0)
		r = ensure_events(why);
	if (r == 0)
		r = ensure("net/netfilter/nf_conntrack_timestamp", 1, why);
	return r;
}
