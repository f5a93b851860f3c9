/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ndjson.h"

/* a whole line, the "\r" that may follow it, NUL */
#define ROOM (NDJSON_LINE_MAX + 2)

static int append(struct ndjson *nd, const char *bytes, size_t len)
{
	if (!nd->rest) {
		nd->rest = malloc(ROOM);
		if (!nd->rest)
			return -ENOMEM;
	}
	if (len >= ROOM - nd->len)
		return -EMSGSIZE;
	memcpy(nd->rest + nd->len, bytes, len);
	nd->len += len;
	return 0;
}

/* The "\r" of a line end is no part of the line, and may be all that is over the limit.
 */
static size_t without_cr(const struct ndjson *nd)
{
	return nd->len > 0 && nd->rest[nd->len - 1] == '\r' ? nd->len - 1 : nd->len;
}

static int hand_out(struct ndjson *nd, ndjson_line on_line, void *userdata)
{
	const size_t len = without_cr(nd);

	nd->len = 0;
	if (len == 0)
		return 0;
	if (len > NDJSON_LINE_MAX)
		return -EMSGSIZE;
	nd->rest[len] = '\0';
	return on_line(userdata, nd->rest, len);
}

int ndjson_feed(struct ndjson *nd, const char *bytes, size_t len, ndjson_line on_line,
		void *userdata)
{
	const char *stop;
	size_t piece;
	int r;

	while (len > 0) {
		stop = memchr(bytes, '\n', len);
		piece = stop ? (size_t)(stop - bytes) : len;
		r = append(nd, bytes, piece);
		if (r < 0)
			return r;
		if (!stop)
			return without_cr(nd) > NDJSON_LINE_MAX ? -EMSGSIZE : 0;
		r = hand_out(nd, on_line, userdata);
		if (r != 0)
			return r;
		bytes = stop + 1;
		len -= piece + 1;
	}
	return 0;
}

int ndjson_end(struct ndjson *nd, ndjson_line on_line, void *userdata)
{
	return hand_out(nd, on_line, userdata);
}

void ndjson_done(struct ndjson *nd)
{
	free(nd->rest);
	*nd = (struct ndjson){ 0 };
}
