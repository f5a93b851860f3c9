/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nursery_fixture - a nursery with workers that do as a test says
 *
 * Stands in for natd's own workers. A packet that is no job is an order, of one letter:
 * 'p' say it back, 'e' end with status 7, 'a' abort, 'g' say what cannot be read,
 * 'f' announce a router, without end, 'F' answer the job 1, without end,
 * 'u' use what only one of the roles may (answered by an errno, as a byte). A job is
 * answered as one that went well; its @lifetime may be an order as well.
 */

#include <stdbool.h>

#include "natd/workers/nursery.h"

/* fork() in nursery_start(), and in the nursery, fails so: the @nth from now on */
void fork_fail(unsigned int nth, int error);

struct identity own_identity(void);

/** order() - Return: 0, or what send(2) said */
int order(int fd, char letter);
/** heard() - what a worker says; waits ten seconds at most. Return: its length, 0: its
 * end, or a negative errno */
ssize_t heard(int fd, void *packet, size_t size);
/** report() - the nursery's next; waits ten seconds at most. Return: as nursery_hear() */
int report(const struct nursery *nursery, struct nursery_report *ret, int *ret_fd);
/** started() - Return: pid of a new worker of @role, with its socket; -1: there is none
 */
pid_t started(const struct nursery *nursery, enum worker_role role, int *ret_fd);

/** status_of() - a line of /proc/PID/status, without its name. Return: @ret, "" without
 */
const char *status_of(pid_t pid, const char *name, char ret[static 128]);
/** is_gone() - within a second; a zombie is gone */
bool is_gone(pid_t pid);
/** failed_with() - Return: why the igd worker cannot be started; 0: something else was
 * said */
int failed_with(const struct nursery *nursery);
/** descriptors_beyond() - Return: how many of @pid are none of those below @n; -1: cannot
 * be read */
int descriptors_beyond(pid_t pid, int n);
/** begin() - what the body of a box begins with: a nursery that runs as who we are */
int begin(struct nursery *ret);
