/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A list of 60,000 mappings is written without an object for each: what
 * api_encode_mapping() says, byte for byte as json_dumps() prints it compact, straight
 * into a buffer. Strings are printable ASCII by then, so that only '"' and '\' need care.
 */

#include <string.h>

#include "core/api_private.h"

/** struct out - @len counts on beyond @room, where nothing is written */
struct out {
	char *buf;
	size_t room;
	size_t len;
};

static void put(struct out *out, const char *bytes, size_t n)
{
	if (out->len <= out->room && n <= out->room - out->len)
		memcpy(out->buf + out->len, bytes, n);
	out->len += n;
}

static void put_text(struct out *out, const char *text)
{
	put(out, text, strlen(text));
}

static void put_number(struct out *out, uint64_t n)
{
	char digits[TEXT_DIGITS_MAX];

	put(out, digits, (size_t)(text_digits(n, digits) - digits));
}

static void put_known(struct out *out, int64_t value)
{
	if (value < 0)
		put_text(out, "null");
	else
		put_number(out, (uint64_t)value);
}

static void put_string(struct out *out, const char *text)
{
	put(out, "\"", 1);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			put(out, "\\", 1);
		put(out, text, 1);
	}
	put(out, "\"", 1);
}

static void put_address(struct out *out, const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (address_is_any(addr)) {
		put_text(out, "null");
		return;
	}
	put_string(out, address_format(addr, text));
}

static void put_endpoint(struct out *out, const struct endpoint *e)
{
	put_text(out, "{\"address\":");
	put_address(out, &e->addr);
	put_text(out, ",\"port\":");
	put_number(out, e->port);
	put_text(out, "}");
}

static void put_state(struct out *out, const struct mapping_state *state)
{
	char text[BLOCKED_BY_STRLEN];

	put_text(out, ",\"connections\":");
	put_known(out, state->connections);
	put_text(out, ",\"connections_total\":");
	put_known(out, state->total);
	put_text(out, ",\"blocked_by\":[");
	for (size_t i = 0; i < state->n_blocked_by; i++) {
		const char *sentence = state->blocked_by[i];

		if (i > 0)
			put(out, ",", 1);
		put_string(out,
			   text_escape(sentence, strlen(sentence), text, sizeof(text)));
	}
	put_text(out, "]");
}

size_t api_write_mapping(char *buf, size_t room, const struct mapping *m,
			 const struct mapping_state *state)
{
	struct out out = { .buf = buf, .room = room };
	char owner[OWNER_STRLEN], created[API_TIME_STRLEN];

	put_text(&out, "{\"id\":");
	put_number(&out, m->id);
	put_text(&out, ",\"name\":");
	if (m->name[0])
		put_string(&out, m->name);
	else
		put_text(&out, "null");
	put_text(&out, ",\"protocol\":\"");
	put_text(&out, protocol_name(m->protocol));
	put_text(&out, "\",\"external\":");
	put_endpoint(&out, &m->external);
	put_text(&out, ",\"internal\":");
	put_endpoint(&out, &m->internal);
	put_text(&out, ",\"origin\":\"");
	put_text(&out, origin_name((enum origin)m->origin));
	put_text(&out, "\",\"owner\":\"");
	put_text(&out, mapping_owner(m, owner));
	put_text(&out, m->enabled ? "\",\"enabled\":true" : "\",\"enabled\":false");
	put_text(&out, ",\"created\":\"");
	put_text(&out, api_time_format(m->created, created));
	put_text(&out, "\"");
	if (state)
		put_state(&out, state);
	put_text(&out, "}");
	return out.len;
}
