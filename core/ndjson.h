/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ndjson - cuts a stream of bytes into lines
 *
 * Bytes come in pieces of any length; lines go out whole. A line ends in "\n" (a "\r"
 * before it is taken off); an empty one is skipped; the last may lack its end.
 */

#include <stddef.h>

/* longest line taken, without its end */
#define NDJSON_LINE_MAX 16384

struct ndjson {
	char *rest; /* start of a line whose end has not come */
	size_t len;
};

/** ndjson_line - one line, NUL-terminated at @len; not 0 stops and is returned */
typedef int (*ndjson_line)(void *userdata, const char *line, size_t len);

/**
 * ndjson_feed() - take @len more bytes, call @on_line for each line they complete
 *
 * Return: 0; -EMSGSIZE when a line is longer than NDJSON_LINE_MAX; -ENOMEM; else what
 * @on_line returned.
 */
int ndjson_feed(struct ndjson *nd, const char *bytes, size_t len, ndjson_line on_line,
		void *userdata);
/** ndjson_end() - the stream is over: hand out what is left. Return: as ndjson_feed() */
int ndjson_end(struct ndjson *nd, ndjson_line on_line, void *userdata);
void ndjson_done(struct ndjson *nd);
