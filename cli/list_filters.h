/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * list_filters - what "list", "lookup" and "connections" ask for, as the query of a URL
 */

#include "cli/args.h"

#define FILTERS_QUERY_MAX 1024

/** struct query - "/v1/mappings?name=web&port=80"; begin with query_begin() */
struct query {
	char path[FILTERS_QUERY_MAX];
	char mark;
};

void query_begin(struct query *query, const char *resource);
/** query_add() - @value is quoted: that it is right does not say that it means nothing
 * in a URL */
void query_add(struct query *query, const char *key, const char *value);

/**
 * filters_read() - those of the options of @args that natd filters mappings and
 * connections by
 *
 * Return: 0, or -EINVAL with @why written.
 */
int filters_read(const struct args *args, struct query *query, struct flaw *why);
