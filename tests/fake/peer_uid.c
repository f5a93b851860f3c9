/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * peer_uid - clients say themselves who they are
 *
 * Loaded before libc (LD_PRELOAD) into a natd whose user namespace has one uid only. A
 * client whose socket is bound to the abstract address "uid-N-..." seems to be user N.
 */

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

static void read_name(int fd, struct ucred *peer)
{
	struct sockaddr_un address = { 0 };
	socklen_t len = sizeof(address) - 1;
	unsigned int uid;

	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0 ||
	    len <= offsetof(struct sockaddr_un, sun_path) + 1 || address.sun_path[0])
		return;
	if (sscanf(address.sun_path + 1, "uid-%u-", &uid) == 1)
		peer->uid = uid;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	int (*next)(int, int, int, void *, socklen_t *) =
		(__typeof__(next))dlsym(RTLD_NEXT, "getsockopt");
	int r;

	r = next(fd, level, option, value, len);
	if (r == 0 && level == SOL_SOCKET && option == SO_PEERCRED)
		read_name(fd, value);
	return r;
}
