/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "natd/workers/privileges.h"

#define NET_ADMIN (UINT64_C(1) << CAP_NET_ADMIN)

/* "CapEff:" and the like out of /proc/self/status, as the kernel tells it. */
static uint64_t status_of(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t value = UINT64_MAX;
	size_t len = strlen(name);

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, len) && line[len] == ':')
			value = strtoull(line + len + 1, NULL, 16);
	}
	if (file)
		fclose(file);
	return value;
}

static int has_net_admin_only(void)
{
	BOX_CHECK(status_of("CapEff") == NET_ADMIN, "%" PRIx64, status_of("CapEff"));
	BOX_CHECK(status_of("CapPrm") == NET_ADMIN, "%" PRIx64, status_of("CapPrm"));
	BOX_CHECK(status_of("CapInh") == 0, "%" PRIx64, status_of("CapInh"));
	BOX_CHECK(status_of("CapAmb") == 0, "%" PRIx64, status_of("CapAmb"));
	BOX_CHECK(status_of("NoNewPrivs") == 1);
	return 0;
}

static int set_caps(uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version =
							   _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)permitted, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(permitted >> 32), (uint32_t)(permitted >> 32),
		  (uint32_t)(inheritable >> 32) },
	};

	return (int)syscall(SYS_capset, &header, data);
}

/* ------------------------------------------------------------ root of the machine */

static void need_root_of_the_machine(void)
{
	FILE *file = fopen("/proc/self/uid_map", "re");
	unsigned long inside = 1, outside = 1, count = 0;

	if (file && fscanf(file, "%lu %lu %lu", &inside, &outside, &count) != 3)
		count = 0;
	if (file)
		fclose(file);
	if (geteuid() != 0 || inside || outside || count != UINT32_MAX)
		cr_skip_test("needs root outside of a user namespace");
}

static int become_nobody(void *userdata)
{
	static const gid_t others[] = { 4, 27 };
	struct privileges_fault why = { "" };
	const struct passwd *pw = getpwnam("nobody");
	const struct group *gr = getgrnam("nogroup");
	struct identity id;
	uid_t uid[3];
	gid_t gid[3];

	BOX_CHECK(setgroups(2, others) == 0, "%m");
	BOX_CHECK(set_caps(status_of("CapPrm"), NET_ADMIN | 1) == 0, "%m");
	BOX_CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0,
		  "%m");

	BOX_CHECK(privileges_resolve("nobody", "nogroup", &id, &why) == 0, "%s",
		  why.text);
	BOX_CHECK(pw && id.uid == pw->pw_uid && gr && id.gid == gr->gr_gid &&
		  !id.rootless);
	BOX_CHECK(privileges_drop(&id, &why) == 0, "%s", why.text);

	getresuid(&uid[0], &uid[1], &uid[2]);
	getresgid(&gid[0], &gid[1], &gid[2]);
	for (int i = 0; i < 3; i++)
		BOX_CHECK(uid[i] == id.uid && gid[i] == id.gid, "uid %u, gid %u", uid[i],
			  gid[i]);
	BOX_CHECK(getgroups(0, NULL) == 0);
	BOX_CHECK(status_of("CapBnd") == 0, "%" PRIx64, status_of("CapBnd"));
	BOX_CHECK(setuid(0) < 0 && errno == EPERM);
	return has_net_admin_only();
}

Test(privileges, root_becomes_the_user_with_net_admin_alone)
{
	need_root_of_the_machine();
	box_run(become_nobody, NULL);
}

static int stay_root(void *userdata)
{
	struct privileges_fault why = { "" };
	struct identity id;

	BOX_CHECK(privileges_resolve("root", "root", &id, &why) == 0, "%s", why.text);
	BOX_CHECK(id.uid == 0 && !id.rootless);
	BOX_CHECK(privileges_drop(&id, &why) == 0, "%s", why.text);
	BOX_CHECK(geteuid() == 0);
	BOX_CHECK(status_of("CapBnd") == 0);
	return has_net_admin_only();
}

Test(privileges, user_root_keeps_its_uid_and_loses_the_rest)
{
	need_root_of_the_machine();
	box_run(stay_root, NULL);
}

Test(privileges, a_missing_user_or_group_is_named_with_the_cure)
{
	struct privileges_fault why = { "" };
	struct identity id = { .uid = 77 };

	need_root_of_the_machine();
	cr_expect_eq(privileges_resolve("natd-missing", "nogroup", &id, &why), -ENOENT);
	cr_expect_str_eq(
		why.text,
		"user \"natd-missing\" does not exist; create it with: adduser "
		"--system --group --no-create-home natd-missing, or set \"user\" in "
		"natd.conf");
	cr_expect_eq(privileges_resolve("nobody", "natd-missing", &id, &why), -ENOENT);
	cr_expect_str_eq(
		why.text,
		"group \"natd-missing\" does not exist; create it with: addgroup "
		"--system natd-missing, or set \"group\" in natd.conf");
	cr_expect_eq(id.uid, 77, "touched on failure");
}

/* As a service manager starts it: the user's, with an ambient CAP_NET_ADMIN. */
static int start_as_user(void *userdata)
{
	struct privileges_fault why = { "" };
	struct identity id;

	BOX_CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	BOX_CHECK(setresgid(65534, 65534, 65534) == 0 &&
		  setresuid(65534, 65534, 65534) == 0);
	BOX_CHECK(set_caps(NET_ADMIN, NET_ADMIN) == 0, "%m");
	BOX_CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0,
		  "%m");

	BOX_CHECK(privileges_resolve("natd-missing", "natd-missing", &id, &why) == 0);
	BOX_CHECK(id.uid == 65534 && id.gid == 65534);
	BOX_CHECK(privileges_drop(&id, &why) == 0, "%s", why.text);
	BOX_CHECK(geteuid() == 65534);
	return has_net_admin_only();
}

Test(privileges, who_was_started_as_a_user_with_net_admin_stays_it)
{
	need_root_of_the_machine();
	box_run(start_as_user, NULL);
}

static int start_without(void *userdata)
{
	struct privileges_fault why = { "" };
	struct identity id;

	/* of a user namespace's root, who may be the only one there, take all he can do
	 */
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		BOX_CHECK(set_caps(0, 0) == 0, "%m");
	BOX_CHECK(privileges_resolve("nobody", "nogroup", &id, &why) == 0);
	BOX_CHECK(privileges_drop(&id, &why) == -EPERM);
	BOX_CHECK(strstr(why.text, "without CAP_NET_ADMIN"), "%s", why.text);
	BOX_CHECK(strstr(why.text, "start it as root"), "%s", why.text);
	return 0;
}

Test(privileges, who_is_neither_root_nor_net_admin_is_told)
{
	box_run(start_without, NULL);
}

/* Root of a container that was denied CAP_SETUID cannot become another. */
static int start_without_setuid(void *userdata)
{
	struct privileges_fault why = { "" };
	struct identity id;

	BOX_CHECK(privileges_resolve("nobody", "nogroup", &id, &why) == 0);
	BOX_CHECK(set_caps(NET_ADMIN, 0) == 0, "%m");
	BOX_CHECK(privileges_drop(&id, &why) == -EPERM);
	BOX_CHECK(!strncmp(why.text, "privileges cannot be dropped: ", 30), "%s",
		  why.text);
	return 0;
}

Test(privileges, a_change_of_user_that_is_refused_is_a_fault)
{
	need_root_of_the_machine();
	box_run(start_without_setuid, NULL);
}

/* ------------------------------------------------------------ root of a user namespace
 */

static int stay_rootless(void *userdata)
{
	struct privileges_fault why = { "" };
	struct identity id;

	BOX_CHECK(privileges_resolve(userdata, "nogroup", &id, &why) == 0, "%s",
		  why.text);
	BOX_CHECK(id.rootless && id.uid == 0 && id.gid == getegid());
	BOX_CHECK(privileges_drop(&id, &why) == 0, "%s", why.text);
	BOX_CHECK(geteuid() == 0);
	BOX_CHECK(status_of("CapBnd") == 0, "%" PRIx64, status_of("CapBnd"));
	return has_net_admin_only();
}

Test(privileges, in_a_user_namespace_an_unmapped_user_means_its_root)
{
	box_run_alone(0, stay_rootless, (void *)"nobody");
}

Test(privileges, in_a_user_namespace_a_missing_user_means_its_root)
{
	box_run_alone(0, stay_rootless, (void *)"natd-missing");
}

/* uid and gid 0 are the mapped ones here: "root" can be become, and is what it is. */
static int become_the_mapped(void *userdata)
{
	struct privileges_fault why = { "" };
	struct identity id;

	BOX_CHECK(privileges_resolve("root", "root", &id, &why) == 0, "%s", why.text);
	BOX_CHECK(!id.rootless && id.uid == 0);
	BOX_CHECK(privileges_drop(&id, &why) == 0, "%s", why.text);
	return has_net_admin_only();
}

Test(privileges, in_a_user_namespace_a_mapped_user_is_become)
{
	box_run_alone(0, become_the_mapped, NULL);
}

static int become_mapped_nobody(void *userdata)
{
	struct privileges_fault why = { "" };
	struct identity id;

	BOX_CHECK(privileges_resolve("nobody", "nogroup", &id, &why) == 0, "%s",
		  why.text);
	BOX_CHECK(!id.rootless && id.uid == 65534 && id.gid == 65534);
	BOX_CHECK(privileges_drop(&id, &why) == 0, "%s", why.text);
	BOX_CHECK(geteuid() == 65534 && getegid() == 65534 && getgroups(0, NULL) == 0);
	return has_net_admin_only();
}

/* A container's namespace: 0 to 65535 are mapped. Only the machine's root can make one.
 */
Test(privileges, in_a_container_the_user_is_become)
{
	need_root_of_the_machine();
	box_run_mapped(65536, become_mapped_nobody, NULL);
}
