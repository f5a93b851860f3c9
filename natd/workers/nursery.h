/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nursery - where workers come from
 *
 * A process forked before natd confines itself: a system call filter is inherited, and
 * natd's own would leave a worker without sockets. It knows a list of roles, starts one
 * when it is asked by number, and hands back one end of a socketpair. It reads no byte
 * from any network, holds no capability, and ends with its workers when natd does.
 *
 *	natd --- control (SOCK_SEQPACKET) --- nursery
 *	natd --- worker's socket (SOCK_SEQPACKET) --- worker
 */

#include <stdint.h>
#include <sys/types.h>

#include "core/worker_message.h"
#include "natd/workers/privileges.h"

struct nursery_fault {
	char text[256];
};

/**
 * struct nursery - natd's end
 * @fd:  control socket, non-blocking, close-on-exec
 * @pid: of the nursery
 */
struct nursery {
	int fd;
	pid_t pid;
};

/** struct nursery_request - natd to nursery */
struct nursery_request {
	uint32_t kind; /* enum nursery_request_kind */
	uint32_t role; /* enum worker_role */
};
enum nursery_request_kind {
	NURSERY_START, /* answered by NURSERY_STARTED or NURSERY_FAILED */
	NURSERY_STOP,  /* kills the worker of this role; NURSERY_ENDED follows */
};

/** struct nursery_report - nursery to natd; with _STARTED the worker's socket
 * (SCM_RIGHTS) */
struct nursery_report {
	uint32_t kind;	/* enum nursery_report_kind */
	uint32_t role;	/* enum worker_role */
	int32_t pid;	/* _STARTED, _ENDED */
	int32_t status; /* _ENDED: as of waitpid(2); _FAILED: negative errno */
};
enum nursery_report_kind { NURSERY_STARTED, NURSERY_FAILED, NURSERY_ENDED };

/**
 * nursery_start() - fork it, before any thread, event loop or confinement
 * @id: whom the nursery becomes, without any capability; in a user namespace
 *      (@id->rootless) it stays who it is. Both ends get no_new_privs
 *
 * The nursery ignores SIGTERM, SIGINT and SIGHUP (a service manager sends them to the
 * whole group) and ends when natd's end is closed; natd's death kills it as well.
 * Descriptors that are open are closed in it; 0 to 2 lead to /dev/null (2 is kept in a
 * build with sanitizers).
 *
 * Return: 0; -EMFILE, -EAGAIN, -ENOMEM, -EPERM, why /dev/null cannot be opened; @why is
 * written.
 */
int nursery_start(const struct identity *id, struct nursery *ret,
		  struct nursery_fault *why);
/** nursery_stop() - close natd's end and wait for the nursery to be gone, a second at
 * most, then SIGKILL (where natd is confined, by its own end, which is left to the
 * caller); fine with one that was never started (fd -1) */
void nursery_stop(struct nursery *nursery);

/** nursery_ask() - Return: 0, -EAGAIN (its queue is full), -EPIPE (it is gone) */
int nursery_ask(const struct nursery *nursery, enum nursery_request_kind kind,
		enum worker_role role);
/**
 * nursery_hear() - take one report
 * @ret_fd: with NURSERY_STARTED the worker's socket, non-blocking, close-on-exec, the
 *          caller's; else -1
 *
 * Return: 0; -EAGAIN (nothing there), -EPIPE (the nursery is gone), -EPROTO (what came
 * is no report: dropped, its descriptors closed).
 */
int nursery_hear(const struct nursery *nursery, struct nursery_report *ret, int *ret_fd);

/** nursery_describe_end() - of a report NURSERY_ENDED, for people: "killed by signal 9
 * (Killed)" */
void nursery_describe_end(int status, char *ret, size_t size);
