/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * connect - natd's socket, opened, or a sentence that says why not
 */

#include "cli/flaw.h"

/**
 * connect_socket()
 * @path: shorter than sun_path
 * @why:  written on failure
 *
 * Return: descriptor, owned by the caller; -ENOENT, -ECONNREFUSED, -ENOTSOCK (something
 * else is there), -EPROTOTYPE (another kind of socket), -EACCES, -EAGAIN (it took no
 * connection for @timeout seconds), or another of socket(2) and connect(2).
 */
int connect_socket(const char *path, unsigned int timeout, struct flaw *why);
