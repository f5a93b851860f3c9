/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * server - HTTP/1.1 with JSON on a UNIX socket
 *
 * Accepts itself, looks at the peer's credentials, hands the descriptor to libmicrohttpd,
 * whose epoll descriptor is nested in the sd-event loop. Who may ask: root, natd's own
 * user (so the namespace's root when rootless), and members of the configured group.
 * Bounded: body, head, clients (in all and per uid, some kept for administrators), time.
 */

#include <sys/stat.h>
#include <sys/types.h>

#include "natd/gateway/gateway.h"

struct server;

struct server_fault {
	char text[256];
};

/** server_mode() - of the socket file: 0666 where @access is open, else 0660, and 0600
 * when
 * @rootless (there is no group of natd's) */
mode_t server_mode(const struct access *access, bool rootless);

/**
 * server_listen() - create the socket file, before privileges are dropped
 * @path:  at most 107 bytes; its directory is made when missing. A stale socket file is
 *         replaced; one that answers is -EADDRINUSE ("natd is running already"); any
 *         other file is -EEXIST and left alone
 * @uid, @gid: owner of the file
 * @mode:  of the file, see server_mode()
 * @ret_fd: listening, non-blocking, close-on-exec
 *
 * Return: 0; -EADDRINUSE, -EEXIST, -ENAMETOOLONG, -EACCES, -EROFS, -ENOENT; @why.
 */
int server_listen(const char *path, uid_t uid, gid_t gid, mode_t mode, int *ret_fd,
		  struct server_fault *why);

/**
 * server_new() - serve on it
 * @fd:    taken over on success
 * @group: who may ask beside root and natd's user
 * Return: 0, -ENOMEM, -EMFILE.
 */
int server_new(sd_event *event, struct gateway *gw, int fd, gid_t group,
	       struct server **ret);
/** server_follow() - the socket file's mode follows the configuration from now on, as
 * long as the file is ours */
void server_follow(struct server *server, bool rootless);
/** server_free() - closes all clients; the socket file is removed by path */
void server_free(struct server *server);
