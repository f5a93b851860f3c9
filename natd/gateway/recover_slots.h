/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * recover_slots - the elements of the kernel's table, and of which mappings they are
 *
 * A mapping of several ports or remote prefixes is several elements; the kernel does not
 * say which belong together. A mapping that is known from elsewhere takes its own; what
 * is left is joined where it could be one.
 */

#include "rules/ruleset.h"

struct slot;

/** struct slots - zero-initialised it is empty */
struct slots {
	struct slot *slots;
	size_t n, room;
};

/** slots_add() - Return: 0 or -ENOMEM */
int slots_add(struct slots *slots, const struct ruleset_slot *slot);
/** slots_settle() - all are there: of those told twice the last word stays. Before the
 * functions below */
void slots_settle(struct slots *slots);
void slots_done(struct slots *slots);

/** slots_take() - does the kernel hold all elements of @m, resolved, and lead them where
 * @m does (with a suffix: to it in one prefix, whichever)? Then they are @m's, and no
 * other's */
bool slots_take(struct slots *slots, const struct mapping *m);
/** slots_serve() - does the kernel serve the first port of @m, wherever it leads? */
bool slots_serve(const struct slots *slots, const struct mapping *m);

/** slots_joined - @m has neither id nor name; borrowed */
typedef void (*slots_joined)(void *userdata, struct mapping *m);
/** slots_join() - mappings of the elements that nobody took. Return: 0 or -ENOMEM */
int slots_join(const struct slots *slots, slots_joined on_mapping, void *userdata);
