/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * blocked - which chains of other programs stand in the way of which forwards
 */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* ids shown for one chain; "list --json" has them all */
#define BLOCKED_IDS_MAX 16

struct blocked_chain;

/** struct blocked - owner; zero-initialised it is empty */
struct blocked {
	struct blocked_chain *chains;
	size_t n;
};

/** blocked_add() - what @blocked_by, a mapping's, says of mapping @id. Return: 0, -ENOMEM
 */
int blocked_add(struct blocked *blocked, uint64_t id, const json_t *blocked_by);
/** blocked_print() - a line for each chain, and what to do; nothing when there is none */
void blocked_print(const struct blocked *blocked, FILE *out);
void blocked_done(struct blocked *blocked);
