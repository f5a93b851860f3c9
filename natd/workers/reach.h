/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * reach - the files that natd needs once it serves
 */

#include <limits.h>

#include "natd/workers/confine.h"

#define REACH_MAX 40

/** struct reach - for confine(); @paths point into the rest of it */
struct reach {
	struct confine_path paths[REACH_MAX];
	size_t n;
	char config_dir[PATH_MAX], config_target[PATH_MAX], socket_dir[PATH_MAX];
};

/**
 * reach_list() - as natd was started
 * @config: file; its directory is read (editors put a new file in its place), and where a
 *          symbolic link leads, that one
 * @state:  directory, borrowed as long as @ret is used
 * @socket: its directory is written: the socket is removed at the end
 */
void reach_list(const char *config, const char *state, const char *socket,
		struct reach *ret);
