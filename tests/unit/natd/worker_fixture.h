/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * worker_fixture - a worker, confined, on a link with a router
 *
 *	us: wan0 192.168.1.2, 2001:db8:1::2, fe80::2
 *	the router, in a namespace of its own: lan0 192.168.1.1, 2001:db8:1::1, fe80::1,
 *	and 192.168.1.9, which is taken for another host
 *
 * To be linked with tests/kernel/netns.c. All that is started ends with the test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/endpoint.h"
#include "core/worker_message.h"

#define OUR_ADDRESS    "192.168.1.2"
#define ROUTER_ADDRESS "192.168.1.1"
#define OTHER_ADDRESS  "192.168.1.9"
#define OUR_ADDRESS6   "2001:db8:1::2"
#define ROUTER_URL     "http://192.168.1.1:5000/desc.xml"

/* ------------------------------------------------------------ the router */

/** struct program - runs on the router; @in and @out are its stdin and stdout */
struct program {
	pid_t pid;
	int in, out;
};

/** link_up() - before anything else */
void link_up(void);
uint32_t link_index(void); /* of wan0 */
/** on_router() - a shell command there, which must succeed */
void on_router(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** router_start() - tests/fake/router.py with @options, separated by blanks; returns when
 * it listens */
struct program router_start(const char *options);
/** names_start() - the same of tests/fake/names.py */
struct program names_start(const char *options);
/** miniupnpd_start() - with an empty table; returns when it listens. Skips the test where
 * MINIUPNPD is not set */
struct program miniupnpd_start(void);
void program_say(const struct program *program, const char *line);
/** program_expect() - read its output up to @text, 10 s at most */
void program_expect(const struct program *program, const char *text);
/** program_said() - what it has written and nobody has read, without waiting */
const char *program_said(const struct program *program);
void program_stop(struct program *program);

/* ------------------------------------------------------------ the worker */

struct worker {
	pid_t pid;
	int fd; /* natd's end */
};

/** worker_start() - in a child of ours, with whatever sanitizers we have */
struct worker worker_start(enum worker_role role);
/** worker_start_plain() - without sanitizers, so with all its limits */
struct worker worker_start_plain(enum worker_role role);
bool worker_lives(const struct worker *worker);
/** worker_stop() - close natd's end; it must end by itself, with success */
void worker_stop(struct worker *worker);
/** worker_wait() - for its end, @seconds at most; Return: as of waitpid(2) */
int worker_wait(struct worker *worker, int seconds);
/** worker_peak() - kB of address space it has had */
long worker_peak(const struct worker *worker);

/** job_of() - to the router, from us, with a serial and a nonce of its own, for tcp 8080
 * here, 120 s, described as "web" */
struct worker_job job_of(enum worker_job_kind kind);
void worker_ask(const struct worker *worker, const struct worker_job *job);
/** worker_hear() - an answer within @ms, which must be one that natd takes; false: none
 */
bool worker_hear(const struct worker *worker, int ms, struct worker_answer *ret);
/** worker_answers() - ask, and hear the answer to just that; there must be one */
struct worker_answer worker_answers(const struct worker *worker,
				    const struct worker_job *job);
/** worker_silent() - ask, and nothing comes */
void worker_silent(const struct worker *worker, const struct worker_job *job);

struct in6_addr address(const char *text);
