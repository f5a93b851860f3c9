/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * body - what a client sends after the head, taken as it comes
 *
 * A document is kept until it is whole. Lines are decoded one by one, so that a list of
 * any size is never there as text. What is refused is read on and thrown away: the client
 * is still writing and will not look for an answer before it is done.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/api.h"
#include "core/ndjson.h"
#include "natd/common/buffer.h"

/*
 * What all bodies that are being read may hold together: several lists of 65,535 changes
 * at once (about 10 MB each), and not one from each of 256 clients.
 */
#define BODIES_MAX (64 * 1024 * 1024)
/* of a refused body: 60,000 lines are 10 MB. More than this and the client is cut off */
#define BODY_DRAIN_MAX (32 * 1024 * 1024)

enum body_kind {
	BODY_NONE,     /* the request takes none */
	BODY_DOCUMENT, /* JSON */
	BODY_LINES,    /* NDJSON, a change a line */
};

/**
 * struct body
 * @shared:  what all bodies hold together, this one's @held included
 * @list:    BODY_LINES: the changes so far
 * @line:    of the one that is being read, from 1
 * @refused: @why says it; nothing is kept any more
 */
struct body {
	enum body_kind kind;
	size_t *shared, held;
	struct buffer document;
	struct ndjson lines;
	struct change_list list;
	uint64_t line, drained;
	bool refused;
	struct problem why;
};

void body_init(struct body *body, enum body_kind kind, size_t *shared);
/** body_done() - let go of all of it; NULL-safe parts, may be called again */
void body_done(struct body *body);

/** body_refuse() - with what stands in @body->why; what was kept is let go of */
void body_refuse(struct body *body);

/**
 * body_feed() - the next @len bytes
 * Return: 0, also when they are refused (see @refused); -EMSGSIZE: BODY_DRAIN_MAX is
 * reached, hang up.
 */
int body_feed(struct body *body, const char *bytes, size_t len);
/** body_end() - there is no more; @refused may be set by it */
void body_end(struct body *body);

/** body_parse() - the document as JSON, or NULL: refused. New reference */
json_t *body_parse(struct body *body);
