/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * netns - a network of a test's own
 *
 * A Criterion test is a process of its own, and runs in a user namespace of its own in
 * which it is root (linking this is enough); netns_enter() gives it a network as well.
 * The kernel removes all of it when the process ends, however it ends.
 */

#include <stdbool.h>

/** netns_enter() - become root of a private network with only a loopback, which is up;
 * skips the test where the kernel allows no user namespaces */
void netns_enter(void);

/** netns_new() - make another network namespace; Return: its descriptor, for
 * netns_switch() and "ip link set X netns /proc/self/fd/N" of netns_run() */
int netns_new(void);

/** netns_switch() - go over to @fd; Return: the descriptor of the one that is left */
int netns_switch(int fd);

/** netns_run() - run a shell command, which must succeed */
void netns_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** netns_try() - the same; Return: its exit status */
int netns_try(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** netns_drop_net_admin() - lose the right to program the network, for ever */
void netns_drop_net_admin(void);

/** netns_forbid_descriptors() - no new ones; allow them again before the test ends, or
 * the leak checker waits for its report for ever */
void netns_forbid_descriptors(bool forbid);

/** netns_milliseconds() - of the monotonic clock */
long netns_milliseconds(void);
