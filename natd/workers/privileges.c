/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/workers/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* ------------------------------------------------------------ user namespaces */

/*
 * struct id_map - what a line of /proc/self/uid_map says (user_namespaces(7))
 */
struct id_map {
	uint64_t inside, outside, count;
};

static bool is_whole(const struct id_map *map)
{
	return map->inside == 0 && map->outside == 0 && map->count == UINT32_MAX;
}

/* Is @id mapped by @path? *@ret_whole: are all, as where there is no user namespace? A
 * kernel without user namespaces has no such file. */
static bool id_is_mapped(const char *path, uint32_t id, bool *ret_whole)
{
	FILE *file = fopen(path, "re");
	struct id_map map;
	bool mapped = false;

	*ret_whole = !file;
	if (!file)
		return true;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
	while (fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &map.inside, &map.outside,
		      &map.count) == 3) {
		*ret_whole = *ret_whole || is_whole(&map);
		if (id >= map.inside && id - map.inside < map.count)
			mapped = true;
	}
	fclose(file);
	return mapped;
}

static bool in_user_namespace(void)
{
	bool whole;

	id_is_mapped("/proc/self/uid_map", 0, &whole);
	return !whole;
}

static bool ids_are_mapped(uid_t uid, gid_t gid)
{
	bool whole;

	return id_is_mapped("/proc/self/uid_map", uid, &whole) &&
	       id_is_mapped("/proc/self/gid_map", gid, &whole);
}

/* ------------------------------------------------------------ who */

static int refuse_user(const char *user, struct privileges_fault *why)
{
	snprintf(
		why->text, sizeof(why->text),
		"user \"%.32s\" does not exist; create it with: adduser --system --group "
		"--no-create-home %.32s, or set \"user\" in natd.conf",
		user, user);
	return -ENOENT;
}

static int refuse_group(const char *group, struct privileges_fault *why)
{
	snprintf(
		why->text, sizeof(why->text),
		"group \"%.32s\" does not exist; create it with: addgroup --system %.32s, "
		"or set \"group\" in natd.conf",
		group, group);
	return -ENOENT;
}

int privileges_resolve(const char *user, const char *group, struct identity *ret,
		       struct privileges_fault *why)
{
	const struct passwd *pw;
	const struct group *gr;
	bool contained = in_user_namespace();

	/* who is not root cannot become another, and is asked for CAP_NET_ADMIN later */
	if (geteuid() != 0) {
		*ret = (struct identity){ .uid = geteuid(), .gid = getegid() };
		return 0;
	}
	pw = getpwnam(user);
	gr = getgrnam(group);
	if (contained && (!pw || !gr || !ids_are_mapped(pw->pw_uid, gr->gr_gid))) {
		*ret = (struct identity){ .uid = 0, .gid = getegid(), .rootless = true };
		return 0;
	}
	if (!pw)
		return refuse_user(user, why);
	if (!gr)
		return refuse_group(group, why);
	*ret = (struct identity){ .uid = pw->pw_uid, .gid = gr->gr_gid };
	return 0;
}

/* ------------------------------------------------------------ become */

static int refuse_drop(const char *what, int error, struct privileges_fault *why)
{
	snprintf(why->text, sizeof(why->text), "privileges cannot be dropped: %s: %s",
		 what, strerror(error));
	return -error;
}

static int choose(bool net_admin)
{
	capng_clear(CAPNG_SELECT_ALL);
	return net_admin ? capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
					CAP_NET_ADMIN)
			 : 0;
}

static int change_id(const struct identity *id, bool bounding,
		     struct privileges_fault *why)
{
	unsigned int flags = CAPNG_DROP_SUPP_GRP | (bounding ? CAPNG_CLEAR_BOUNDING : 0);
	int r;

	errno = 0;
	r = capng_change_id((int)id->uid, (int)id->gid, (capng_flags_t)flags);
	if (r < 0) {
		char what[80];

		snprintf(what, sizeof(what), "changing to uid %u, gid %u (step %d)",
			 id->uid, id->gid, -r);
		return refuse_drop(what, errno ? errno : EPERM, why);
	}
	return 0;
}

static int trim(bool bounding, struct privileges_fault *why)
{
	errno = 0;
	if ((bounding && capng_apply(CAPNG_SELECT_BOUNDS) < 0) ||
	    capng_apply(CAPNG_SELECT_CAPS) < 0)
		return refuse_drop("giving up capabilities", errno ? errno : EPERM, why);
	return 0;
}

/* The capabilities of the process have been read. */
static int drop(const struct identity *id, bool net_admin, struct privileges_fault *why)
{
	/* without it the bounding set stays as the service manager left it */
	const bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	int r;

	if (choose(net_admin) < 0)
		return refuse_drop("choosing capabilities", EINVAL, why);
	if (id->uid == geteuid() && id->gid == getegid())
		r = trim(bounding, why);
	else
		r = change_id(id, bounding, why);
	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return refuse_drop("ambient capabilities", errno, why);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return refuse_drop("no_new_privs", errno, why);
	return 0;
}

int privileges_drop(const struct identity *id, struct privileges_fault *why)
{
	if (capng_get_caps_process() < 0 ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN)) {
		snprintf(
			why->text, sizeof(why->text),
			"natd runs as uid %u without CAP_NET_ADMIN and cannot program the "
			"network; start it as root, or by its systemd unit",
			geteuid());
		return -EPERM;
	}
	return drop(id, true, why);
}

int privileges_drop_all(const struct identity *id, struct privileges_fault *why)
{
	if (capng_get_caps_process() < 0)
		return refuse_drop("reading capabilities", EPERM, why);
	return drop(id, false, why);
}
