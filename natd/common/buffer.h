/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * buffer - text that grows
 *
 * Zero-initialised it is empty. The first fault is remembered, so that a writer looks
 * once, at the end.
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/api.h"

struct buffer {
	char *bytes;
	size_t len, room;
	bool failed; /* there was no memory; what came after is not in it */
};

/** buffer_room() - at least @n bytes after @len, or NULL (then it has failed); a writer
 * adds what it wrote to @len */
char *buffer_room(struct buffer *buffer, size_t n);
void buffer_add(struct buffer *buffer, const char *bytes, size_t n);
void buffer_put(struct buffer *buffer, const char *text);
/** buffer_number() - decimal: what long lists have in every line */
void buffer_number(struct buffer *buffer, uint64_t n);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** buffer_mapping() - @state as for api_write_mapping() */
void buffer_mapping(struct buffer *buffer, const struct mapping *m,
		    const struct mapping_state *state);
void buffer_done(struct buffer *buffer);
