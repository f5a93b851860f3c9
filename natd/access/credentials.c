/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A file of its own, so that a test can put another in its place.
 */

#include "natd/access/peer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* what /proc/sys/kernel/overflow{u,g}id hold where nobody touched them */
#define OVERFLOW_ID 65534

static unsigned int read_number(const char *path, unsigned int otherwise)
{
	unsigned int number;
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return otherwise;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own number */
	if (fscanf(file, "%u", &number) != 1)
		number = otherwise;
	fclose(file);
	return number;
}

/* (uid_t)-1 is no id, so a full map has one less than 2^32. */
static bool maps_all(const char *path)
{
	unsigned int inside, outside, count;
	uint64_t sum = 0;
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return false;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
	while (fscanf(file, "%u %u %u", &inside, &outside, &count) == 3)
		sum += count;
	fclose(file);
	return sum >= UINT32_MAX;
}

void strangers_read(struct strangers *ret)
{
	ret->uid = (uid_t)-1;
	ret->gid = (gid_t)-1;
	if (!maps_all("/proc/self/uid_map"))
		ret->uid = read_number("/proc/sys/kernel/overflowuid", OVERFLOW_ID);
	if (!maps_all("/proc/self/gid_map"))
		ret->gid = read_number("/proc/sys/kernel/overflowgid", OVERFLOW_ID);
}

static int read_groups(int fd, gid_t **ret, size_t *ret_n)
{
	gid_t *groups = NULL, *more;
	socklen_t len = 64 * sizeof(*groups);
	int r;

	/* Too small a buffer is -ERANGE, and @len becomes what is needed. */
	do {
		more = realloc(groups, len);
		if (!more) {
			free(groups);
			return -ENOMEM;
		}
		groups = more;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0) {
			*ret = groups;
			*ret_n = len / sizeof(*groups);
			return 0;
		}
		r = -errno;
	} while (r == -ERANGE);
	free(groups);
	return r;
}

/* The primary group may or may not be among the supplementary ones: it is put in front.
 * What the namespace does not know is nobody's in particular. */
static int take_groups(int fd, gid_t primary, gid_t stranger, struct credentials *ret)
{
	gid_t *groups = NULL, *all;
	size_t n = 0;
	int r;

	r = read_groups(fd, &groups, &n);
	if (r < 0)
		return r;
	all = reallocarray(NULL, n + 1, sizeof(*all));
	if (!all) {
		free(groups);
		return -ENOMEM;
	}
	ret->groups = all;
	if (primary != stranger)
		all[ret->n_groups++] = primary;
	for (size_t i = 0; i < n; i++)
		if (groups[i] != stranger)
			all[ret->n_groups++] = groups[i];
	free(groups);
	return 0;
}

int credentials_read(int fd, gid_t group, const struct strangers *strangers,
		     struct credentials *ret)
{
	struct credentials credentials = { 0 };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid == (uid_t)-1)
		return -ENOTCONN;
	r = take_groups(fd, peer.gid, strangers->gid, &credentials);
	if (r < 0)
		return r;
	credentials.pid = peer.pid;
	credentials.uid = peer.uid;
	credentials.known = peer.uid != strangers->uid;
	credentials.member =
		group != (gid_t)-1 && credentials_has_group(&credentials, group);
	*ret = credentials;
	return 0;
}
