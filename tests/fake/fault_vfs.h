/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fault_vfs - a disk for SQLite that fails when told to
 *
 * A shim over the system's own VFS, made the default by fault_vfs_install().
 */

#include <stdbool.h>

/**
 * struct fault_vfs
 * @operations: opens, writes, syncs, truncations so far, and reads where they may fail
 * @fail_at:    the operation, counted from 1, that fails; 0 = none
 * @lasts:      those after it fail as well, until fail_at is 0
 * @reads:      reads count and fail, too
 * @happens:    a failing sync or write is done all the same
 * @system_errno: what sqlite3_system_errno() tells of it
 * @failed:     how many did
 */
struct fault_vfs {
	unsigned int operations;
	unsigned int fail_at;
	bool lasts;
	bool reads;
	bool happens;
	int system_errno;
	unsigned int failed;
};

extern struct fault_vfs fault_vfs;

void fault_vfs_install(void);
/** fault_vfs_arm() - the @nth operation from now on fails with EIO; 0 = none does */
void fault_vfs_arm(unsigned int nth, bool lasts, bool happens);
