/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/core/packet.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void packet_add(struct packet *packet, const void *bytes, size_t len)
{
	cr_assert_leq(packet->len + len, sizeof(packet->bytes));
	memcpy(packet->bytes + packet->len, bytes, len);
	packet->len += len;
}

struct packet packet_of(const char *hex)
{
	struct packet packet = { 0 };

	while (*hex) {
		const char digits[] = { hex[0], hex[1], '\0' };
		uint8_t byte;

		if (*hex == ' ') {
			hex++;
			continue;
		}
		cr_assert(isxdigit(hex[0]) && isxdigit(hex[1]), "\"%s\"", hex);
		byte = (uint8_t)strtoul(digits, NULL, 16);
		packet_add(&packet, &byte, 1);
		hex += 2;
	}
	return packet;
}

struct packet packet_of_text(const char *text)
{
	struct packet packet = { 0 };

	packet_add(&packet, text, strlen(text));
	return packet;
}

void *packet_block(const struct packet *packet, size_t len)
{
	void *block = malloc(len ? len : 1);

	cr_assert_not_null(block);
	memcpy(block, packet->bytes, len);
	return block;
}

void expect_packet(const void *bytes, size_t len, const char *hex, const char *what)
{
	const struct packet want = packet_of(hex);

	cr_assert_eq(len, want.len, "%s: %zu bytes instead of %zu", what, len, want.len);
	for (size_t i = 0; i < len; i++)
		cr_expect_eq(((const uint8_t *)bytes)[i], want.bytes[i],
			     "%s: byte %zu is %02x", what, i,
			     ((const uint8_t *)bytes)[i]);
}
