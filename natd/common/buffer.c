/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/common/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define SMALLEST 256
/* most mappings are shorter: 650 bytes with the live fields */
#define MAPPING_ROOM 1024

char *buffer_room(struct buffer *buffer, size_t n)
{
	size_t room = buffer->room ? buffer->room : SMALLEST;
	char *more;

	if (buffer->failed)
		return NULL;
	while (room - buffer->len < n)
		room *= 2;
	if (room == buffer->room)
		return buffer->bytes + buffer->len;
	more = realloc(buffer->bytes, room);
	if (!more) {
		buffer->failed = true;
		return NULL;
	}
	buffer->bytes = more;
	buffer->room = room;
	return buffer->bytes + buffer->len;
}

void buffer_add(struct buffer *buffer, const char *bytes, size_t n)
{
	char *at = buffer_room(buffer, n);

	if (!at)
		return;
	memcpy(at, bytes, n);
	buffer->len += n;
}

void buffer_put(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_number(struct buffer *buffer, uint64_t n)
{
	char *at = buffer_room(buffer, TEXT_DIGITS_MAX);

	if (at)
		buffer->len += (size_t)(text_digits(n, at) - at);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		buffer->failed = true;
		return;
	}
	buffer_add(buffer, line, (size_t)n);
}

void buffer_mapping(struct buffer *buffer, const struct mapping *m,
		    const struct mapping_state *state)
{
	char *at = buffer_room(buffer, MAPPING_ROOM);
	size_t n;

	if (!at)
		return;
	n = api_write_mapping(at, buffer->room - buffer->len, m, state);
	if (n > buffer->room - buffer->len) {
		at = buffer_room(buffer, n);
		if (!at)
			return;
		n = api_write_mapping(at, n, m, state);
	}
	buffer->len += n;
}

void buffer_done(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){ 0 };
}
