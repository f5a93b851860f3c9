/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * columns - rows of text, printed as a table
 *
 * On a terminal as wide as that, leaving out and cutting what may be; elsewhere it is all
 * there.
 * libsmartcols does it, loaded when a table is printed, since loading it costs more than
 * most commands take in all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/cleanup.h"

/** struct column - of a table; all borrowed until columns_free()
 * @right:  numbers
 * @cut:    may be cut when the terminal is narrow
 * @sparse: left out where none of its cells holds anything but "" or "-"
 * @hidden: left out
 * @spare:  may be left out when the terminal is narrow: those with the highest number
 * first */
struct column {
	const char *name;
	bool right;
	bool cut;
	bool sparse;
	bool hidden;
	unsigned char spare;
};

struct columns;

/** columns_new() - Return: 0, -ENOMEM */
int columns_new(const struct column *columns, size_t n, struct columns **ret);
void columns_free(struct columns *table); /* NULL is fine */
DEFINE_CLEANUP(columns_free, struct columns *)

/** columns_add() - a row of as many cells as there are columns; copied. Return: 0,
 * -ENOMEM */
int columns_add(struct columns *table, const char *const *cells);

/** columns_fit() - leave out what may be, as long as @out is a terminal that is too
 * narrow for what has been added; names and whatever else may be cut count as short ones
 */
void columns_fit(struct columns *table, FILE *out);

/** columns_print() - Return: 0, -ENOMEM */
int columns_print(const struct columns *table, FILE *out);

/**
 * columns_print_plain() - the same without the library: nothing is ever cut
 *
 * For machines without it: a gateway must be able to say what it forwards with what it
 * has. Nothing else in natctl needs the library. Return: 0, -ENOMEM.
 */
int columns_print_plain(const struct columns *table, FILE *out);
