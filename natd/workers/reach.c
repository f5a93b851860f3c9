/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/workers/reach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

/* who users are (name services with their libraries, caches and sockets), what time it
 * is, random numbers, the kernel's settings */
static const struct confine_path fixed[] = {
	{ "/etc", false },
	{ "/usr/lib", false },
	{ "/usr/lib32", false },
	{ "/usr/lib64", false },
	{ "/usr/libx32", false },
	{ "/usr/local/lib", false },
	{ "/usr/share/zoneinfo", false },
	{ "/lib", false },
	{ "/lib32", false },
	{ "/lib64", false },
	{ "/nix/store", false },
	{ "/gnu/store", false },
	{ "/run/systemd", false },
	{ "/run/host", false },
	{ "/run/userdb", false },
	{ "/run/nscd", false },
	{ "/var/lib/extrausers", false },
	{ "/var/lib/sss", false },
	{ "/dev/null", false },
	{ "/dev/random", false },
	{ "/dev/urandom", false },
	{ "/proc", false },
	{ "/proc/sys/net", true },
#ifdef NATD_COVERAGE
	/* figures of a build that counts its lines are written beside what it was built
	   of */
	{ "/", true },
#endif
};

static void add(struct reach *reach, const char *path, bool write)
{
	reach->paths[reach->n++] = (struct confine_path){ path, write };
}

/* Of a path without a directory: the one that natd was started in. */
static void cut_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		memcpy(path, ".", 2);
	else
		slash[slash == path] = '\0';
}

/* A path that is too long has not been opened, either. */
static void dir_of(const char *path, char ret[static PATH_MAX])
{
	if (snprintf(ret, PATH_MAX, "%s", path) < PATH_MAX)
		cut_name(ret);
}

void reach_list(const char *config, const char *state, const char *socket,
		struct reach *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		add(ret, fixed[i].path, fixed[i].write);
	dir_of(config, ret->config_dir);
	add(ret, ret->config_dir, false);
	if (realpath(config, ret->config_target)) {
		cut_name(ret->config_target);
		add(ret, ret->config_target, false);
	}
	dir_of(socket, ret->socket_dir);
	add(ret, ret->socket_dir, true);
	add(ret, state, true);
}
