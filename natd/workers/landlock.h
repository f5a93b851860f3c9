/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * landlock - files out of reach (landlock(7)), by whatever version the kernel has
 */

#include <stdint.h>

#include "natd/workers/confine.h"

#define LANDLOCK_NO_TCP_BIND	   (1u << 0) /* Linux 6.7 */
#define LANDLOCK_NO_TCP_CONNECT	   (1u << 1)
#define LANDLOCK_NO_FOREIGN_SIGNAL (1u << 2) /* to who is not in here; Linux 6.12 */
#define LANDLOCK_NO_ABSTRACT_UNIX  (1u << 3)

/** landlock_abi() - Return: version of the running kernel; 0: it has no Landlock, or it
 * is switched off */
int landlock_abi(void);

/**
 * landlock_restrict() - from now on these files, for reading or writing, and no others
 * @paths: what is not there is left out
 * @refused: LANDLOCK_NO_*, as far as the kernel knows them
 *
 * What is open stays open. no_new_privs must be set.
 *
 * Return: the version used, 0 without Landlock (then nothing was done); -ENOMEM, -EPERM,
 * -E2BIG (within too many others), -EMFILE.
 */
int landlock_restrict(const struct confine_path *paths, size_t n, uint32_t refused);
