/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * notes - why forwards of a list are not in force, or not in all of it
 */

#include <stdio.h>

#include "core/api.h"

/* forwards that are explained; "list --json" has all */
#define NOTES_MAX 20

/**
 * struct notes - owner; zero-initialised it is empty
 * @n: forwards that have something to be explained
 */
struct notes {
	FILE *stream;
	char *text;
	size_t len;
	size_t n;
};

/** notes_word() - of STATE: "ok", "blocked", "disabled", "waiting", "shadowed", "partly"
 * (a part is shadowed), "in-use" (a program of the gateway listens there) */
const char *notes_word(const struct mapping_state *state, bool blocked);
/** notes_add() - Return: 0, -ENOMEM */
int notes_add(struct notes *notes, const struct mapping *m,
	      const struct mapping_state *state);
/** notes_why() - a phrase for a mapping that is @state->condition, and not active:
 * "it is disabled" */
void notes_why(const struct mapping *m, const struct mapping_state *state, char *buf,
	       size_t size);
/** notes_print() - Return: 0, -ENOMEM */
int notes_print(struct notes *notes, FILE *out);
void notes_done(struct notes *notes);
