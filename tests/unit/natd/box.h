/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * box - a private place for a piece of a test: a process with users and mounts of its own
 *
 * Criterion's processes have more than one thread, which may not enter a user namespace;
 * a child of theirs has one. In it nothing of Criterion works: a body says with
 * BOX_CHECK() what must be.
 */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define BOX_CHECK(condition, ...)                                                        \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: not so: %s", __FILE__, __LINE__,         \
				#condition);                                             \
			fprintf(stderr, " " __VA_ARGS__);                                \
			fputc('\n', stderr);                                             \
			return 1;                                                        \
		}                                                                        \
	} while (0)

/* what a body returns when it cannot be done here: the test is skipped */
#define BOX_SKIP 77

typedef int (*box_body)(void *userdata);

/** box_run() - @body in a child process; the test fails unless it returns 0 */
void box_run(box_body body, void *userdata);

/**
 * box_run_alone() - the same as root of new namespaces
 * @flags: CLONE_NEWNS, CLONE_NEWNET, beside CLONE_NEWUSER, which is always meant
 *
 * Skips the test, saying why, where user namespaces are not allowed.
 */
void box_run_alone(int flags, box_body body, void *userdata);
/** box_run_mapped() - the same in a user namespace with ids 0 to @ids - 1, as containers
 * have it; only for root */
void box_run_mapped(unsigned int ids, box_body body, void *userdata);
