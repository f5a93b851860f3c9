/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Confinement where the kernel does not have all of it, or refuses: each question by a
 * child that confines itself and tries. Built without sanitizers, as test_confine.c.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/workers/confine.h"
#include "natd/workers/landlock.h"

static int made(long r)
{
	return r < 0 ? errno : 0;
}

static int may_open(const char *path)
{
	return made(open(path, O_RDONLY | O_CLOEXEC));
}

static int may_execute(void)
{
	static char *const nothing[] = { NULL };

	return made(execve("/bin/true", nothing, nothing));
}

static int may_udp(void)
{
	return made(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
}

/* ------------------------------------------------------------ faults */

/* what the next call of each answers instead; 0: its own */
static struct {
	bool init;
	int rule, load;
} fail;

scmp_filter_ctx __real_seccomp_init(uint32_t action);
scmp_filter_ctx __wrap_seccomp_init(uint32_t action);
scmp_filter_ctx __wrap_seccomp_init(uint32_t action)
{
	return fail.init ? NULL : __real_seccomp_init(action);
}

int __real_seccomp_rule_add_array(scmp_filter_ctx ctx, uint32_t action, int syscall_nr,
				  unsigned int n, const struct scmp_arg_cmp *args);
int __wrap_seccomp_rule_add_array(scmp_filter_ctx ctx, uint32_t action, int syscall_nr,
				  unsigned int n, const struct scmp_arg_cmp *args);
int __wrap_seccomp_rule_add_array(scmp_filter_ctx ctx, uint32_t action, int syscall_nr,
				  unsigned int n, const struct scmp_arg_cmp *args)
{
	return fail.rule
		       ? fail.rule
		       : __real_seccomp_rule_add_array(ctx, action, syscall_nr, n, args);
}

int __real_seccomp_load(scmp_filter_ctx ctx);
int __wrap_seccomp_load(scmp_filter_ctx ctx);
int __wrap_seccomp_load(scmp_filter_ctx ctx)
{
	return fail.load ? fail.load : __real_seccomp_load(ctx);
}

/* A kernel that answers @error to @call, as an older one does, or one in a container. */
static int without(int call, int error, const struct scmp_arg_cmp *args, unsigned int n)
{
	scmp_filter_ctx filter = __real_seccomp_init(SCMP_ACT_ALLOW);

	BOX_CHECK(filter && __real_seccomp_rule_add_array(
				    filter, SCMP_ACT_ERRNO((unsigned int)error), call, n,
				    args) == 0);
	BOX_CHECK(__real_seccomp_load(filter) == 0);
	seccomp_release(filter);
	return 0;
}

/**
 * struct fault - what goes wrong, and what confine() answers then
 * @call: refused by the kernel with @error; -1: none
 */
struct fault {
	const char *says;
	int call, error;
	bool init;
	int rule, load, wanted;
};

static int meet(void *userdata)
{
	const struct scmp_arg_cmp look = SCMP_A0(SCMP_CMP_EQ, PR_GET_SECCOMP, 0);
	const struct fault *fault = userdata;
	struct confine_fault why = { "" };
	struct confined confined = { .landlock_abi = 77 };
	int r;

	if (fault->call >= 0 &&
	    without(fault->call, fault->error, &look, fault->call == SCMP_SYS(prctl)))
		return 1;
	fail.init = fault->init;
	fail.rule = fault->rule;
	fail.load = fault->load;
	r = confine(CONFINE_DATAGRAM, NULL, 0, &confined, &why);
	BOX_CHECK(r == fault->wanted, "%d", r);
	BOX_CHECK(strstr(why.text, fault->says), "%s", why.text);
	BOX_CHECK(confined.landlock_abi == 77);
	return 0;
}

Test(confine_faults, what_cannot_be_done_is_told)
{
	static struct fault faults[] = {
		{ "no seccomp", SCMP_SYS(prctl), EINVAL, .wanted = -ENOSYS },
		{ "seccomp: Cannot allocate", -1, .init = true, .wanted = -ENOMEM },
		{ "seccomp: Invalid", -1, .rule = -EINVAL, .wanted = -EINVAL },
		{ "seccomp: Operation not", -1, .load = -EPERM, .wanted = -EPERM },
		{ "Landlock: Operation not", SCMP_SYS(landlock_restrict_self), EPERM,
		  .wanted = -EPERM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (faults[i].call == SCMP_SYS(landlock_restrict_self) && !landlock_abi())
			continue;
		box_run(meet, &faults[i]);
	}
}

static int live_without_landlock(void *userdata)
{
	struct confine_fault why = { "" };
	struct confined confined = { .landlock = true, .landlock_abi = 77 };

	if (without(SCMP_SYS(landlock_create_ruleset), *(int *)userdata, NULL, 0))
		return 1;
	BOX_CHECK(landlock_abi() == 0);
	BOX_CHECK(confine(CONFINE_NATD, NULL, 0, &confined, &why) == 0, "%s", why.text);
	BOX_CHECK(!confined.landlock && confined.landlock_abi == 0);
	BOX_CHECK(may_open("/etc/passwd") == 0 && may_execute() == EPERM &&
		  may_udp() == EPERM);
	return 0;
}

Test(confine_faults, a_kernel_without_landlock_is_no_fault)
{
	box_run(live_without_landlock, &(int){ ENOSYS });
	box_run(live_without_landlock, &(int){ EOPNOTSUPP });
}

/* ------------------------------------------------------------ older kernels */

/* 0: the kernel's own */
static int pretended_abi;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long args[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (pretended_abi && number == SYS_landlock_create_ruleset && args[0] == 0)
		return pretended_abi;
	return __real_syscall(number, args[0], args[1], args[2], args[3], args[4],
			      args[5]);
}

static int live_with_old_landlock(void *userdata)
{
	const struct confine_path paths[] = { { "/etc", false }, { "/tmp", true } };
	struct confine_fault why = { "" };
	struct confined confined;

	pretended_abi = *(int *)userdata;
	BOX_CHECK(confine(CONFINE_NATD, paths, ARRAY_SIZE(paths), &confined, &why) == 0,
		  "version %d: %s", pretended_abi, why.text);
	BOX_CHECK(confined.landlock && confined.landlock_abi == pretended_abi);
	BOX_CHECK(may_open("/etc/passwd") == 0 && may_open("/usr") == EACCES);
	return 0;
}

/* 1 is Linux 5.13, 2 is 5.19 and the 6.1 of Debian 12; one that is not known yet. */
Test(confine_faults, each_version_of_landlock_is_used_as_far_as_it_goes)
{
	const int newest = landlock_abi();

	if (newest == 0)
		cr_skip("no Landlock");
	for (int abi = 1; abi <= newest; abi++)
		box_run(live_with_old_landlock, &abi);
	box_run(live_with_old_landlock, &(int){ newest + 100 });
}
