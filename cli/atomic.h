/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * atomic - changes of many lines gathered into one request, all or nothing
 */

#include "cli/session.h"
#include "core/change.h"

/**
 * struct atomic - owner; zero-initialised it is empty
 * @lines: where each change was read
 */
struct atomic {
	struct change_list list;
	size_t *lines;
	size_t room;
};

/** atomic_add() - Return: 0; -E2BIG over API_LIST_MAX; -ENOMEM */
int atomic_add(struct atomic *atomic, const struct change *change, size_t line);
/** atomic_line() - line of the @i-th change; 0 = there is none */
size_t atomic_line(const struct atomic *atomic, size_t i);
/** atomic_send() - @session->atomic. Return: exit status */
int atomic_send(struct session *session);
void atomic_done(struct atomic *atomic);
