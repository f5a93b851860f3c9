/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/outcome.h"

/* Titles are the phrases of the HTTP status, as RFC 9457 4.2.1 wants for about:blank. */
static const struct outcome outcomes[] = {
	[VERDICT_ADDED] = { "added", "Created", 201, 0 },
	[VERDICT_REMOVED] = { "removed", "OK", 200, 0 },
	[VERDICT_CHANGED] = { "changed", "OK", 200, 0 },
	[VERDICT_UNCHANGED] = { "unchanged", "OK", 200, 0 },
	[VERDICT_CONFLICT] = { "conflict", "Conflict", 409, 1 },
	[VERDICT_NAME_TAKEN] = { "name-taken", "Conflict", 409, 1 },
	[VERDICT_NOT_FOUND] = { "not-found", "Not Found", 404, 1 },
	[VERDICT_AMBIGUOUS] = { "ambiguous", "Conflict", 409, 1 },
	[VERDICT_OF_CONFIG] = { "of-config", "Conflict", 409, 1 },
	[VERDICT_TABLE_FULL] = { "table-full", "Insufficient Storage", 507, 1 },
	[VERDICT_PORT_IN_USE] = { "port-in-use", "Conflict", 409, 1 },
	[VERDICT_NO_PORT] = { "no-port", "Insufficient Storage", 507, 1 },
	[VERDICT_NO_PROTOCOL] = { "no-protocol", "Unprocessable Content", 422, 1 },
	[VERDICT_NO_UPSTREAM] = { "no-upstream", "Unprocessable Content", 422, 1 },
	[VERDICT_BAD_REQUEST] = { "bad-request", "Bad Request", 400, 1 },
	[VERDICT_NOT_PERMITTED] = { "not-permitted", "Forbidden", 403, 1 },
	[VERDICT_NO_RESOURCE] = { "no-resource", "Not Found", 404, 1 },
	[VERDICT_BAD_METHOD] = { "bad-method", "Method Not Allowed", 405, 1 },
	[VERDICT_TOO_LARGE] = { "too-large", "Content Too Large", 413, 1 },
	[VERDICT_BAD_CONFIG] = { "bad-config", "Unprocessable Content", 422, 1 },
	[VERDICT_FAULT] = { "fault", "Internal Server Error", 500, 3 },
	[VERDICT_UNKNOWN] = { "outcome-unknown", "Internal Server Error", 500, 3 },
	[VERDICT_BUSY] = { "busy", "Service Unavailable", 503, 3 },
};

static_assert(ARRAY_SIZE(outcomes) == VERDICT_COUNT, "an outcome for each verdict");

const struct outcome *outcome_of(enum verdict verdict)
{
	assert((size_t)verdict < VERDICT_COUNT);
	return &outcomes[verdict];
}

int outcome_by_code(const char *code, enum verdict *ret)
{
	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		if (strcmp(outcomes[i].code, code) == 0) {
			*ret = (enum verdict)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Sentences quote what others wrote: whatever went in, no control byte comes out. */
static void make_harmless(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '\x7f')
			*text = '?';
	}
}

/* A sentence that was cut says so, and does not end in half a UTF-8 character. */
static void mark_cut(char *text, size_t size)
{
	static const char dots[] = "...";
	size_t at = size - sizeof(dots);

	while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	memcpy(text + at, dots, sizeof(dots));
}

void problem_set(struct problem *p, enum verdict verdict, const char *cure,
		 const char *format, ...)
{
	va_list args;
	int n;

	p->verdict = verdict;
	p->index = -1;

	va_start(args, format);
	n = vsnprintf(p->detail, sizeof(p->detail), format, args);
	va_end(args);
	if (n >= (int)sizeof(p->detail))
		mark_cut(p->detail, sizeof(p->detail));
	make_harmless(p->detail);

	n = snprintf(p->cure, sizeof(p->cure), "%s", cure ? cure : "");
	if (n >= (int)sizeof(p->cure))
		mark_cut(p->cure, sizeof(p->cure));
	make_harmless(p->cure);
}
