/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * process - whose a socket is, as far as the caller may look
 *
 * natd knows a program that listens by its user and its socket's inode. Which process has
 * that socket stands in /proc, readable for root and for the user whose it is.
 */

#include <sys/types.h>

#include "core/listener.h"

#define PROCESS_NAME_MAX 16

/**
 * struct process - the first that has the socket
 * @name: as the kernel has it; may hold anything
 */
struct process {
	pid_t pid;
	char name[PROCESS_NAME_MAX];
};

/**
 * process_of_socket()
 * @proc:  where the kernel's view is mounted, "/proc"
 * @inode: of the socket
 *
 * Return: 0; -ENOENT: nobody's that we may see; or another of opendir(3).
 */
int process_of_socket(const char *proc, uint32_t inode, struct process *ret);

/* address, uid, name, pid, and NUL */
#define PROCESS_LISTENER_STRLEN (LISTENER_STRLEN + PROCESS_NAME_MAX + 32)
/** process_describe() - "0.0.0.0:22 (uid 0): sshd, pid 812", or without what we may not
 * see; harmless to a terminal; returns @buf */
const char *process_describe(const struct listener *listener,
			     char buf[static PROCESS_LISTENER_STRLEN]);
