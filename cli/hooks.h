/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * hooks - a command, run for one event after the other
 *
 * Events with one key run one after the other in their order; those with different keys
 * side by side, HOOKS_PARALLEL at most. A run that takes too long is killed with its
 * process group.
 */

#include <signal.h>

#include "cli/event.h"
#include "cli/session.h"

#define HOOKS_PARALLEL 8
/* events that wait for their run; more are left with natd */
#define HOOKS_WAITING_MAX 1024

struct hooks;

/**
 * hooks_new()
 * @command: for /bin/sh -c; borrowed until hooks_free()
 * @seconds: that a run may take
 * @mask:    signals that are blocked in a run; copied
 *
 * Return: 0, -ENOMEM.
 */
int hooks_new(const struct session *session, const char *command, unsigned int seconds,
	      const sigset_t *mask, struct hooks **ret);
/** hooks_free() - NULL is fine; what still runs is killed */
void hooks_free(struct hooks *hooks);

/** hooks_put() - @line: the event's JSON, copied. Return: 0, -ENOMEM */
int hooks_put(struct hooks *hooks, const struct event *event, const char *line,
	      size_t len);

/** hooks_tend() - reap, enforce the time limit, start what may; after hooks_put(), after
 * SIGCHLD, and when hooks_patience() is over */
void hooks_tend(struct hooks *hooks);
/** hooks_patience() - milliseconds until hooks_tend() has to be called; -1 = no limit */
int hooks_patience(const struct hooks *hooks);

bool hooks_full(const struct hooks *hooks);
bool hooks_idle(const struct hooks *hooks);

/** hooks_stop() - forget what waits, end what runs: SIGTERM, and soon SIGKILL */
void hooks_stop(struct hooks *hooks);
