/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * Limits first, then files, system calls last: each needs calls that the next takes away.
 * A call that is allowed whatever its arguments costs nothing worth naming (the kernel
 * keeps a bitmap of those); for the others the filter is run.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/workers/confine_private.h"
#include "natd/workers/landlock.h"

DEFINE_CLEANUP(seccomp_release, scmp_filter_ctx)

static int fail(struct confine_fault *why, int r, const char *what)
{
	snprintf(why->text, sizeof(why->text), "natd cannot be confined: %s: %s", what,
		 strerror(-r));
	return r;
}

/* ------------------------------------------------------------ seccomp */

/* Allowed altogether by another part, or not a call of this machine: both are fine. */
static int add_rule(scmp_filter_ctx filter, uint32_t action, const char *call,
		    unsigned int n, const struct scmp_arg_cmp *args)
{
	int nr, r;

	nr = seccomp_syscall_resolve_name(call);
	if (nr == __NR_SCMP_ERROR)
		return -EINVAL;
	r = seccomp_rule_add_array(filter, action, nr, n, args);
	return r == -EEXIST || r == -EDOM ? 0 : r;
}

static int allow_names(scmp_filter_ctx filter, const char *names)
{
	char name[32];
	size_t len;
	int r = 0;

	for (; *names && r == 0; names += len) {
		names += strspn(names, " ");
		len = strcspn(names, " ");
		if (len >= sizeof(name))
			return -EINVAL;
		memcpy(name, names, len);
		name[len] = '\0';
		r = add_rule(filter, SCMP_ACT_ALLOW, name, 0, NULL);
	}
	return r;
}

static int allow_guarded(scmp_filter_ctx filter, const struct calls *calls)
{
	int r = 0;

	for (size_t i = 0; i < calls->n_guarded && r == 0; i++)
		r = add_rule(filter, SCMP_ACT_ALLOW, calls->guarded[i].call,
			     calls->guarded[i].n, calls->guarded[i].args);
	return r;
}

/* abort(3) is a signal to oneself. Who is told that there is no clone3() takes clone().
 */
static int allow_others(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	int r;

	r = add_rule(filter, SCMP_ACT_ALLOW, "tgkill", 1, &self);
	if (r == 0)
		r = add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
	return r;
}

static int fill(scmp_filter_ctx filter, const struct manner *manner)
{
	int r;

	r = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (r == 0) /* a tree, not a chain of comparisons */
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; manner->parts[i] && r == 0; i++)
		r = allow_names(filter, manner->parts[i]->names);
	for (size_t i = 0; manner->parts[i] && r == 0; i++)
		r = allow_guarded(filter, manner->parts[i]);
	return r == 0 ? allow_others(filter) : r;
}

static int confine_calls(const struct manner *manner, struct confine_fault *why)
{
	CLEANUP(seccomp_release) scmp_filter_ctx filter = NULL;
	int r;

	if (prctl(PR_GET_SECCOMP) < 0 && errno == EINVAL)
		return fail(why, -ENOSYS, "this kernel has no seccomp");
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return fail(why, -ENOMEM, "seccomp");
	r = fill(filter, manner);
	if (r == 0)
		r = seccomp_load(filter);
	return r < 0 ? fail(why, r, "seccomp") : 0;
}

/* ------------------------------------------------------------ all of it */

static int confine_limits(const struct manner *manner, struct confine_fault *why)
{
	for (size_t i = 0; i < manner->n_limits; i++) {
		const struct limit *limit = &manner->limits[i];
		struct rlimit value;

		if (getrlimit(limit->resource, &value) < 0)
			return fail(why, -errno, "limits");
		/* who has less already stays there */
		if (value.rlim_max > limit->value)
			value.rlim_max = limit->value;
		value.rlim_cur = value.rlim_max;
		if (setrlimit(limit->resource, &value) < 0)
			return fail(why, -errno, "limits");
	}
	return 0;
}

int confine(enum confinement who, const struct confine_path *paths, size_t n,
	    struct confined *ret, struct confine_fault *why)
{
	const struct manner *manner = confine_manner(who);
	int abi, r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(why, -errno, "no_new_privs");
	r = confine_limits(manner, why);
	if (r < 0)
		return r;
	abi = landlock_restrict(paths, n, manner->refused);
	if (abi < 0)
		return fail(why, abi, "Landlock");
	r = confine_calls(manner, why);
	if (r < 0)
		return r;
	*ret = (struct confined){ .landlock = abi > 0, .landlock_abi = abi };
	return 0;
}
