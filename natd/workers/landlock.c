/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A kernel refuses a right that it does not know. So what is handled is cut down to the
 * version it reports; what is allowed below a path, to that. Constants and structures
 * are those of the newest version we use: the headers we are compiled with may be older.
 */

#include "natd/workers/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "core/cleanup.h"

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP	(1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL		    (1ULL << 1)
#endif

/* struct landlock_ruleset_attr as of version 6 */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* 4 */
	uint64_t scoped;	     /* 6 */
};

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITING                                                                          \
	(READING | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |         \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)
/* what can be granted for a file that is no directory */
#define OF_FILES                                                                         \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                  \
	 LANDLOCK_ACCESS_FS_TRUNCATE)

/* the last right of files in each version from 1 on; later ones have no more */
static const uint64_t last_rights[] = {
	LANDLOCK_ACCESS_FS_MAKE_SYM,  LANDLOCK_ACCESS_FS_REFER,
	LANDLOCK_ACCESS_FS_TRUNCATE,  LANDLOCK_ACCESS_FS_TRUNCATE,
	LANDLOCK_ACCESS_FS_IOCTL_DEV,
};

/* LANDLOCK_NO_*: since which version, and as what */
static const struct refusal {
	uint32_t what;
	int abi;
	uint64_t net, scope;
} refusals[] = {
	{ LANDLOCK_NO_TCP_BIND, 4, .net = LANDLOCK_ACCESS_NET_BIND_TCP },
	{ LANDLOCK_NO_TCP_CONNECT, 4, .net = LANDLOCK_ACCESS_NET_CONNECT_TCP },
	{ LANDLOCK_NO_FOREIGN_SIGNAL, 6, .scope = LANDLOCK_SCOPE_SIGNAL },
	{ LANDLOCK_NO_ABSTRACT_UNIX, 6, .scope = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET },
};

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static struct ruleset_attr choose(int abi, uint32_t refused)
{
	const size_t known = (size_t)abi < ARRAY_SIZE(last_rights)
				     ? (size_t)abi
				     : ARRAY_SIZE(last_rights);
	struct ruleset_attr attr = { .handled_access_fs =
					     (last_rights[known - 1] << 1) - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		if (!(refused & refusals[i].what) || abi < refusals[i].abi)
			continue;
		attr.handled_access_net |= refusals[i].net;
		attr.scoped |= refusals[i].scope;
	}
	return attr;
}

/* Fields at the end that are zero may be beyond the kernel's own structure. */
static int make_ruleset(const struct ruleset_attr *attr)
{
	long fd = syscall(SYS_landlock_create_ruleset, attr, sizeof(*attr), 0);

	return fd < 0 ? -errno : (int)fd;
}

/* Is it only that the path leads nowhere, or nowhere for us? */
static bool is_not_there(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP ||
	       error == ENAMETOOLONG;
}

static int allow_fd(int ruleset, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	rule.allowed_access = S_ISDIR(st.st_mode) ? rights : rights & OF_FILES;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
		       0) < 0
		       ? -errno
		       : 0;
}

static int allow(int ruleset, const struct confine_path *path, uint64_t handled)
{
	int fd, r;

	fd = open(path->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return is_not_there(errno) ? 0 : -errno;
	r = allow_fd(ruleset, fd, (path->write ? WRITING : READING) & handled);
	close(fd);
	return r;
}

int landlock_restrict(const struct confine_path *paths, size_t n, uint32_t refused)
{
	int abi = landlock_abi(), fd, r = 0;
	struct ruleset_attr attr;

	if (!abi)
		return 0;
	attr = choose(abi, refused);
	fd = make_ruleset(&attr);
	if (fd < 0)
		return fd;
	for (size_t i = 0; i < n && r == 0; i++)
		r = allow(fd, &paths[i], attr.handled_access_fs);
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	close(fd);
	return r < 0 ? r : abi;
}
