/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * confine_private - what each is left with
 */

#include <seccomp.h>
#include <stdint.h>
#include <sys/resource.h>

#include "natd/workers/confine.h"

/* The sanitizers need more than we do, and stderr to say what they found. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/** struct guarded - a call that is allowed with this argument only; several of one call:
 * with any of them */
struct guarded {
	const char *call;
	unsigned int n;
	struct scmp_arg_cmp args[3];
};

/**
 * struct calls - part of a list
 * @names: allowed whatever their arguments, a blank after each but the last
 */
struct calls {
	const char *names;
	const struct guarded *guarded;
	size_t n_guarded;
};

struct limit {
	unsigned int resource; /* RLIMIT_* */
	rlim_t value;
};

#define CONFINE_PARTS_MAX 9

/**
 * struct manner - of confinement
 * @parts:   up to the first NULL
 * @refused: see landlock_restrict()
 */
struct manner {
	const struct calls *parts[CONFINE_PARTS_MAX];
	const struct limit *limits;
	size_t n_limits;
	uint32_t refused;
};

/** confine_manner() - of @who */
const struct manner *confine_manner(enum confinement who);
