/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A list of 60,000 mappings is written without an object for each, straight into a
 * buffer, as json_dumps() would print it compact. Strings are UTF-8 without control
 * characters by then, so that only '"' and '\' need care. api_encode_mapping() reads this
 * text.
 */

#include <stdlib.h>
#include <string.h>

#include "core/api_private.h"
#include "core/cleanup.h"

DEFINE_CLEANUP(free, void *)

/** struct out - @len counts on beyond @room, where nothing is written */
struct out {
	char *buf;
	size_t room;
	size_t len;
};

/* Inline, so that of a literal the length is known, and a few moves copy it. */
static inline __attribute__((always_inline)) void put(struct out *out, const char *bytes,
						      size_t n)
{
	if (n && out->len <= out->room && n <= out->room - out->len)
		memcpy(out->buf + out->len, bytes, n);
	out->len += n;
}

static inline __attribute__((always_inline)) void put_text(struct out *out,
							   const char *text)
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
	size_t n;

	put_text(out, "\"");
	for (; *text; text += n) {
		n = strcspn(text, "\"\\");
		put(out, text, n);
		if (!text[n])
			break;
		put_text(out, "\\");
		put(out, text + n++, 1);
	}
	put_text(out, "\"");
}

/* What has no need of care. */
static void put_plain(struct out *out, const char *text)
{
	put_text(out, "\"");
	put_text(out, text);
	put_text(out, "\"");
}

static void put_address(struct out *out, const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (address_is_any(addr))
		put_text(out, "null");
	else
		put_plain(out, address_format(addr, text));
}

static void put_ports(struct out *out, uint16_t port, uint16_t n)
{
	put_text(out, ",\"port\":");
	put_number(out, port);
	put_text(out, ",\"end_port\":");
	put_number(out, port + n - 1u);
}

static void put_text_or_null(struct out *out, const char *text)
{
	if (text[0])
		put_string(out, text);
	else
		put_text(out, "null");
}

static void put_external(struct out *out, const struct mapping *m)
{
	put_text(out, ",\"external\":{\"address\":");
	put_address(out, &m->external.addr);
	put_ports(out, m->external.port, m->n_ports);
}

static void put_internal(struct out *out, const struct mapping *m)
{
	put_text(out, "},\"internal\":{\"address\":");
	put_address(out, &m->internal.addr);
	put_ports(out, m->internal.port, m->n_ports);
	put_text(out, ",\"interface\":");
	put_text_or_null(out, mapping_lan(m));
	put_text(out, ",\"host\":");
	put_address(out, &m->host);
}

static void put_remotes(struct out *out, const struct mapping *m)
{
	char text[PREFIX_STRLEN];
	const struct prefix *remotes;
	size_t n;

	remotes = mapping_remotes(m, &n);
	put_text(out, "},\"from\":[");
	for (size_t i = 0; i < n; i++) {
		put(out, ",", i > 0);
		put_plain(out, prefix_format(&remotes[i], text));
	}
}

static void put_time(struct out *out, uint64_t seconds)
{
	char text[API_TIME_STRLEN];

	put_plain(out, api_time_format(seconds, text));
}

static void put_who(struct out *out, const struct mapping *m, uint32_t uid)
{
	if (m->origin == ORIGIN_CONFIG) {
		put_text(out, "\"config\"");
		return;
	}
	put_text(out, "\"uid:");
	put_number(out, uid);
	put_text(out, "\"");
}

static void put_times(struct out *out, const struct mapping *m)
{
	char created[API_TIME_STRLEN], changed[API_TIME_STRLEN];

	put_text(out, ",\"created\":");
	put_plain(out, api_time_format(m->created, created));
	put_text(out, ",\"changed\":");
	/* most are never changed */
	put_plain(out, m->changed == m->created ? created
						: api_time_format(m->changed, changed));
}

static void put_history(struct out *out, const struct mapping *m)
{
	put_text(out, "],\"origin\":\"");
	put_text(out, origin_name((enum origin)m->origin));
	put_text(out, "\",\"owner\":");
	put_who(out, m, m->owner_uid);
	put_text(out, m->enabled ? ",\"enabled\":true" : ",\"enabled\":false");
	put_text(out, ",\"comment\":");
	put_text_or_null(out, mapping_comment(m));
	put_times(out, m);
	put_text(out, ",\"changed_by\":");
	put_who(out, m, m->changed_by);
}

static void put_lease(struct out *out, const struct mapping *m,
		      const struct mapping_state *state)
{
	put_text(out, ",\"lease\":");
	if (!m->lifetime) {
		put_text(out, "null");
		return;
	}
	put_text(out, "{\"lifetime\":");
	put_number(out, m->lifetime);
	if (state) {
		put_text(out, ",\"remaining\":");
		put_number(out, state->remaining);
		put_text(out, ",\"expires\":");
		put_time(out, state->expires);
	}
	put_text(out, "}");
}

/* What endpoint_format() makes by way of printf(). */
static void put_endpoint(struct out *out, const struct endpoint *e)
{
	const bool ipv4 = address_is_ipv4(&e->addr);
	char text[INET6_ADDRSTRLEN];

	put_text(out, ipv4 ? "\"" : "\"[");
	put_text(out, address_format(&e->addr, text));
	put_text(out, ipv4 ? ":" : "]:");
	put_number(out, e->port);
	put_text(out, "\"");
}

static void put_time_or_null(struct out *out, uint64_t seconds)
{
	if (seconds)
		put_time(out, seconds);
	else
		put_text(out, "null");
}

/* Sentences quote what a router says. */
static void put_sentence_or_null(struct out *out, const char *text)
{
	char plain[2 * UPSTREAM_WHY_STRLEN];

	if (text[0])
		put_string(out, text_escape(text, strlen(text), plain, sizeof(plain)));
	else
		put_text(out, "null");
}

static void put_upstream_view(struct out *out, const struct upstream_view *view)
{
	put_text(out, ",\"interface\":");
	put_text_or_null(out, view->wan);
	put_text(out, ",\"protocol\":");
	if (view->state == UPSTREAM_STATE_NO_ROUTER)
		put_text(out, "null");
	else
		put_plain(out, upstream_speech_name(view->speech));
	put_text(out, ",\"external\":");
	if (view->state != UPSTREAM_STATE_MAPPED || address_is_any(&view->external.addr))
		put_text(out, "null");
	else
		put_endpoint(out, &view->external);
	put_text(out, ",\"expires\":");
	put_time_or_null(out, view->expires);
	put_text(out, ",\"renews\":");
	put_time_or_null(out, view->renews);
}

/* Most go nowhere, and then there is no more to say. */
static void put_upstream(struct out *out, const struct mapping *m,
			 const struct mapping_state *state)
{
	put_text(out, ",\"upstream\":{\"wish\":\"");
	put_text(out, upstream_wish_name((enum upstream_wish)m->upstream));
	put_text(out, "\"");
	if (state) {
		const struct upstream_view *view = &state->upstream;

		put_text(out, ",\"state\":\"");
		put_text(out, upstream_state_name(view->state));
		put_text(out, "\"");
		if (view->state != UPSTREAM_STATE_OFF)
			put_upstream_view(out, view);
		put_text(out, ",\"problem\":");
		put_sentence_or_null(out, view->why);
	}
	put_text(out, "}");
}

static void put_endpoints(struct out *out, const struct mapping_state *state)
{
	put_text(out, ",\"endpoints\":[");
	for (size_t i = 0; i < state->n_endpoints; i++) {
		put(out, ",", i > 0);
		put_endpoint(out, &state->endpoints[i]);
	}
	put_text(out, "]");
}

static void put_blocked_by(struct out *out, const struct mapping_state *state)
{
	char text[BLOCKED_BY_STRLEN];

	put_text(out, ",\"blocked_by\":[");
	for (size_t i = 0; i < state->n_blocked_by; i++) {
		const char *sentence = state->blocked_by[i];

		put(out, ",", i > 0);
		put_string(out,
			   text_escape(sentence, strlen(sentence), text, sizeof(text)));
	}
	put_text(out, "],\"shadowed_by\":[");
	for (size_t i = 0; i < state->n_shadowed_by; i++) {
		put(out, ",", i > 0);
		put_number(out, state->shadowed_by[i]);
	}
	put_text(out, "]");
}

static void put_listener(struct out *out, const struct listener *listener)
{
	char text[INET6_ADDRSTRLEN];

	put_text(out, "{\"address\":");
	put_plain(out, address_format(&listener->local.addr, text));
	put_text(out, ",\"port\":");
	put_number(out, listener->local.port);
	put_text(out, ",\"uid\":");
	put_number(out, listener->uid);
	put_text(out, ",\"inode\":");
	if (listener->inode)
		put_number(out, listener->inode);
	else
		put_text(out, "null");
	put_text(out, "}");
}

static void put_listeners(struct out *out, const struct mapping_state *state)
{
	put_text(out, ",\"listeners\":");
	if (!state->listeners_known) {
		put_text(out, "null");
		return;
	}
	put_text(out, "[");
	for (size_t i = 0; i < state->n_listeners && i < REFUSAL_LISTENERS_MAX; i++) {
		put(out, ",", i > 0);
		put_listener(out, &state->listeners[i]);
	}
	put_text(out, "]");
}

static void put_state(struct out *out, const struct mapping_state *state)
{
	put_text(out, ",\"state\":\"");
	put_text(out, condition_name(state->condition));
	put_text(out, "\"");
	put_endpoints(out, state);
}

static void put_figures(struct out *out, const struct mapping_state *state)
{
	put_text(out, ",\"connections\":");
	put_known(out, state->connections);
	put_text(out, ",\"connections_total\":");
	put_known(out, state->total);
	put_text(out, ",\"bytes_in\":");
	put_known(out, state->bytes_in);
	put_text(out, ",\"bytes_out\":");
	put_known(out, state->bytes_out);
	put_blocked_by(out, state);
	put_listeners(out, state);
}

size_t api_write_mapping(char *buf, size_t room, const struct mapping *m,
			 const struct mapping_state *state)
{
	struct out out = { .buf = buf, .room = room };

	put_text(&out, "{\"id\":");
	put_number(&out, m->id);
	put_text(&out, ",\"name\":");
	put_text_or_null(&out, m->name);
	put_text(&out, ",\"protocol\":\"");
	put_text(&out, protocol_name(m->protocol));
	put_text(&out, "\"");
	put_external(&out, m);
	put_internal(&out, m);
	put_remotes(&out, m);
	put_history(&out, m);
	put_lease(&out, m, state);
	if (state)
		put_state(&out, state);
	put_upstream(&out, m, state);
	if (state)
		put_figures(&out, state);
	put_text(&out, "}");
	return out.len;
}

/* jansson's parser does not look whether there was memory for one more character of a
 * string: it may lack one. */
static bool is_whole(json_t *json, const char *text, size_t len)
{
	CLEANUP(free) void *again = json ? json_dumps(json, JSON_COMPACT) : NULL;

	return again && strlen(again) == len && memcmp(again, text, len) == 0;
}

json_t *api_encode_mapping(const struct mapping *m, const struct mapping_state *state)
{
	const size_t len = api_write_mapping(NULL, 0, m, state);
	CLEANUP(free) void *text = malloc(len);
	json_t *json;

	if (!text)
		return NULL;
	api_write_mapping(text, len, m, state);
	json = json_loadb(text, len, 0, NULL);
	if (is_whole(json, text, len))
		return json;
	json_decref(json);
	return NULL;
}

json_t *api_encode_listener(const struct listener *listener)
{
	char text[INET6_ADDRSTRLEN];

	return json_pack("{s:s, s:i, s:I, s:o}", "address",
			 address_format(&listener->local.addr, text), "port",
			 listener->local.port, "uid", (json_int_t)listener->uid, "inode",
			 listener->inode ? json_integer(listener->inode) : json_null());
}
