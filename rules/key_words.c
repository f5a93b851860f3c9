/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * key_words - keys of sets as nft prints them
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "rules/sets.h"

static size_t field_len(enum nft_type type, size_t key_len)
{
	switch (type) {
	case TYPE_IPV6_ADDR:
		return 16;
	case TYPE_STRING:
	case TYPE_IFNAME:
		return key_len;
	case TYPE_IPV4_ADDR:
	case TYPE_INET_PROTO:
	case TYPE_INET_SERVICE:
	case TYPE_MARK:
	case TYPE_ICMPV6_TYPE:
		return 4;
	}
	return 4;
}

static int field_format(enum nft_type type, const uint8_t *at, size_t len, char *buf,
			size_t room)
{
	char text[INET6_ADDRSTRLEN];
	uint32_t number;
	uint16_t port;

	switch (type) {
	case TYPE_IPV4_ADDR:
		return snprintf(buf, room, "%s",
				inet_ntop(AF_INET, at, text, sizeof(text)));
	case TYPE_IPV6_ADDR:
		return snprintf(buf, room, "%s",
				inet_ntop(AF_INET6, at, text, sizeof(text)));
	case TYPE_INET_PROTO:
		if (!protocol_bit(at[0]))
			return snprintf(buf, room, "%u", at[0]);
		return snprintf(buf, room, "%s", protocol_name(at[0]));
	case TYPE_INET_SERVICE:
		memcpy(&port, at, sizeof(port));
		return snprintf(buf, room, "%u", ntohs(port));
	case TYPE_MARK:
		memcpy(&number, at, sizeof(number));
		return snprintf(buf, room, "%u", number);
	case TYPE_STRING:
	case TYPE_IFNAME:
		return snprintf(buf, room, "%.*s", (int)len, (const char *)at);
	case TYPE_ICMPV6_TYPE:
		return snprintf(buf, room, "%u", at[0]);
	}
	return snprintf(buf, room, "?");
}

const char *set_key_format(const struct set_spec *spec, const uint8_t *key, size_t len,
			   char buf[static KEY_STRLEN])
{
	size_t at = 0, used = 0, step;
	enum nft_type type;

	buf[0] = '\0';
	for (int shift = 30; shift >= 0; shift -= 6) {
		type = spec->key_type >> shift & 0x3f;
		if (!type)
			continue;
		step = field_len(type, spec->key_len);
		if (at + step > len)
			break;
		if (at && used < KEY_STRLEN)
			used += (size_t)snprintf(buf + used, KEY_STRLEN - used, " . ");
		if (used < KEY_STRLEN)
			used += (size_t)field_format(type, key + at, step, buf + used,
						     KEY_STRLEN - used);
		at += step;
	}
	return buf;
}
