/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* packet - bytes written by hand, and given to a decoder in a block of their own length,
 * so that a sanitizer sees a step beyond */

#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 4096

struct packet {
	size_t len;
	uint8_t bytes[PACKET_MAX];
};

/** packet_of() - of hexadecimal digits; blanks are for the reader */
struct packet packet_of(const char *hex);
/** packet_of_text() - of a text, without its NUL */
struct packet packet_of_text(const char *text);
void packet_add(struct packet *packet, const void *bytes, size_t len);
/** packet_block() - the first @len bytes, to be freed */
void *packet_block(const struct packet *packet, size_t len);

/** expect_packet() - @bytes are those of @hex */
void expect_packet(const void *bytes, size_t len, const char *hex, const char *what);
