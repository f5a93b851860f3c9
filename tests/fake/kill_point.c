/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The killing half of natd/common/kill_point.h. */

#include "natd/common/kill_point.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	[KILL_STORE_LOCKED] = "store-locked",
	[KILL_STORE_MIGRATED] = "store-migrated",
	[KILL_STORE_BUILT] = "store-built",
	[KILL_STORE_OPENED] = "store-opened",
	[KILL_RECOVERED] = "recovered",
	[KILL_LOG_REMOVED] = "log-removed",
	[KILL_SYNC_BEGIN] = "sync-begin",
	[KILL_SYNC_DONE] = "sync-done",
	[KILL_STRAYS_ENDED] = "strays-ended",
	[KILL_STAGED] = "staged",
	[KILL_STORE_BEGUN] = "store-begun",
	[KILL_KERNEL_APPLIED] = "kernel-applied",
	[KILL_STORE_COMMITTED] = "store-committed",
	[KILL_TABLE_COMMITTED] = "table-committed",
	[KILL_BARRED] = "barred",
	[KILL_ENDED] = "ended",
	[KILL_ANSWERED] = "answered",
	[KILL_RELOAD_RULES] = "reload-rules",
	[KILL_RELOAD_DONE] = "reload-done",
	[KILL_UPSTREAM_ROWS] = "upstream-rows",
	[KILL_UPSTREAM_SAVED] = "upstream-saved",
	[KILL_UPSTREAM_ASKED] = "upstream-asked",
	[KILL_UPSTREAM_TOLD] = "upstream-told",
};

#define COUNT (sizeof(names) / sizeof(names[0]))

static __attribute__((constructor)) void list(void)
{
	const char *at = getenv("NATD_KILL_AT");

	if (!at || strcmp(at, "list"))
		return;
	for (size_t i = 0; i < COUNT; i++)
		puts(names[i]);
	exit(0);
}

/* With NATD_KILL_SWITCH=FILE only once that file is there. */
static int is_armed(void)
{
	const char *path = getenv("NATD_KILL_SWITCH");
	FILE *file = path ? fopen(path, "r") : NULL;

	if (file)
		fclose(file);
	return !path || file;
}

void kill_point(enum kill_point point)
{
	const char *at = getenv("NATD_KILL_AT");

	if (at && !strcmp(at, names[point]) && is_armed())
		raise(SIGKILL);
}
