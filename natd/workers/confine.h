/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * confine - what a process gives up for good: system calls (seccomp), files (Landlock),
 * memory and descriptors
 *
 * Lists of what is allowed, never of what is not. What the running kernel does not have
 * (Landlock before 5.13, or not compiled in) is told to the caller, who says so in the
 * log and in status; it is no fault.
 */

#include <stdbool.h>
#include <stddef.h>

/** enum confinement - who is confined; the lists are in confine_lists.c */
enum confinement {
	CONFINE_NATD,	  /* no execve, no AF_INET, no AF_INET6 */
	CONFINE_NURSERY,  /* what its workers have, making them, reading files */
	CONFINE_DATAGRAM, /* UDP, no file */
	CONFINE_IGD,	  /* TCP, no file */
	CONFINE_RESOLVER, /* UDP and TCP, no address of its own, no file */
};

/** struct confine_path - with what is below it
 * @path: need not exist: then it is left out
 * @write: else reading only. Nothing may be executed anywhere */
struct confine_path {
	const char *path;
	bool write;
};

struct confine_fault {
	char text[256];
};

/** struct confined - what came of it */
struct confined {
	bool landlock; /* files are out of reach */
	int landlock_abi;
};

/**
 * confine() - for this process and all its children, no_new_privs set
 * @paths: of files, for Landlock; n 0: none at all
 *
 * A call that is not on the list gives EPERM; execve and execveat too.
 * Memory and descriptors of the workers are bounded with setrlimit. A worker is confined
 * within the nursery: it has what both lists have.
 *
 * Return: 0; -EINVAL, -ENOMEM, -EPERM, -ENOSYS (no seccomp in this kernel); @why is
 * written, and the process must end.
 */
int confine(enum confinement who, const struct confine_path *paths, size_t n,
	    struct confined *ret, struct confine_fault *why);
