/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/siphash.h"
#include "core/ssdp.h"
#include "core/text.h"

#define IGD "urn:schemas-upnp-org:device:InternetGatewayDevice:"

const struct in6_addr ssdp_group4 = { .s6_addr = {
					      [10] = 0xff, 0xff, 239, 255, 255, 250 } };
const struct in6_addr ssdp_group6 = { .s6_addr = { 0xff, 0x02, [15] = 0x0c } };

/** struct slice - a piece of the packet; text NULL: not there */
struct slice {
	const char *text;
	size_t len;
};

enum header {
	HEADER_NTS,
	HEADER_ST,
	HEADER_NT,
	HEADER_USN,
	HEADER_LOCATION,
	HEADER_SERVER,
	HEADER_BOOTID,
	HEADER_NEXTBOOTID,
	HEADER_NLS,
};
#define HEADERS (HEADER_NLS + 1)

static const char *const header_names[HEADERS] = {
	[HEADER_NTS] = "NTS",
	[HEADER_ST] = "ST",
	[HEADER_NT] = "NT",
	[HEADER_USN] = "USN",
	[HEADER_LOCATION] = "LOCATION",
	[HEADER_SERVER] = "SERVER",
	[HEADER_BOOTID] = "BOOTID.UPNP.ORG",
	[HEADER_NEXTBOOTID] = "NEXTBOOTID.UPNP.ORG",
	[HEADER_NLS] = "01-NLS",
};

size_t ssdp_search_encode(unsigned int version, const struct in6_addr *to,
			  char buf[static SSDP_SEARCH_MAX])
{
	const bool is_group =
		address_equal(to, &ssdp_group4) || address_equal(to, &ssdp_group6);
	const struct endpoint host = { *to, SSDP_PORT };
	char text[ENDPOINT_STRLEN];
	int len;

	len = snprintf(buf, SSDP_SEARCH_MAX,
		       "M-SEARCH * HTTP/1.1\r\n"
		       "HOST: %s\r\n"
		       "MAN: \"ssdp:discover\"\r\n"
		       "%s"
		       "ST: " IGD "%u\r\n"
		       "\r\n",
		       endpoint_format(&host, text), is_group ? "MX: 2\r\n" : "",
		       version);
	assert(len > 0 && len < SSDP_SEARCH_MAX);
	return (size_t)len;
}

static bool slice_is(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && strncasecmp(slice.text, text, slice.len) == 0;
}

static bool slice_begins(struct slice slice, const char *text)
{
	return slice.len >= strlen(text) && memcmp(slice.text, text, strlen(text)) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice slice_trim(struct slice slice)
{
	while (slice.len && is_blank(slice.text[0])) {
		slice.text++;
		slice.len--;
	}
	while (slice.len && is_blank(slice.text[slice.len - 1]))
		slice.len--;
	return slice;
}

/* Takes a line off @rest. */
static int line_next(struct slice *rest, struct slice *ret)
{
	const char *end = memchr(rest->text, '\n', rest->len);
	struct slice line = { rest->text, 0 };

	if (!end)
		return rest->len > SSDP_LINE_MAX ? -EMSGSIZE : -EBADMSG;
	line.len = (size_t)(end - rest->text);
	rest->text += line.len + 1;
	rest->len -= line.len + 1;
	if (line.len && line.text[line.len - 1] == '\r')
		line.len--;
	if (line.len > SSDP_LINE_MAX)
		return -EMSGSIZE;
	*ret = line;
	return 0;
}

static void header_note(struct slice line, struct slice headers[static HEADERS])
{
	const char *colon = memchr(line.text, ':', line.len);
	struct slice name = { line.text, 0 }, value;

	if (!colon)
		return;
	name.len = (size_t)(colon - line.text);
	value = (struct slice){ colon + 1, line.len - name.len - 1 };
	for (size_t i = 0; i < HEADERS; i++) {
		if (!headers[i].text && slice_is(name, header_names[i]))
			headers[i] = slice_trim(value);
	}
}

static int headers_read(struct slice *rest, struct slice headers[static HEADERS])
{
	struct slice line;
	int r;

	for (;;) {
		r = line_next(rest, &line);
		if (r < 0)
			return r;
		if (line.len == 0)
			return 0;
		header_note(line, headers);
	}
}

/* "HTTP/1.1 200 OK"; the words behind the number are the device's */
static bool is_ok(struct slice line)
{
	static const char start[] = "HTTP/1.x 200";
	const size_t x = strlen("HTTP/1.");

	if (line.len < strlen(start) || memcmp(line.text, start, x) != 0)
		return false;
	if (memcmp(line.text + x + 1, start + x + 1, strlen(start) - x - 1) != 0)
		return false;
	return line.len == strlen(start) || line.text[strlen(start)] == ' ';
}

static int notify_kind(struct slice nts, enum ssdp_kind *ret)
{
	static const struct {
		const char *name;
		enum ssdp_kind kind;
	} kinds[] = {
		{ "ssdp:alive", SSDP_ALIVE },
		{ "ssdp:byebye", SSDP_BYEBYE },
		{ "ssdp:update", SSDP_UPDATE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (nts.text && slice_is(nts, kinds[i].name)) {
			*ret = kinds[i].kind;
			return 0;
		}
	}
	return -ENOMSG;
}

/* @max: without NUL. What is not there is "". */
static int text_take(struct slice value, size_t max, char *ret)
{
	if (value.len > max)
		return -EMSGSIZE;
	for (size_t i = 0; i < value.len; i++) {
		if (!text_is_plain(value.text[i]))
			return -EBADMSG;
	}
	if (value.len)
		memcpy(ret, value.text, value.len);
	ret[value.len] = '\0';
	return 0;
}

static int texts_take(const struct slice headers[static HEADERS],
		      struct ssdp_message *message)
{
	const bool is_response = message->kind == SSDP_RESPONSE;
	const struct slice *server = &headers[HEADER_SERVER];
	int r;

	r = text_take(headers[is_response ? HEADER_ST : HEADER_NT], SSDP_NAME_MAX,
		      message->target);
	if (r < 0)
		return r;
	r = text_take(headers[HEADER_USN], SSDP_NAME_MAX, message->usn);
	if (r < 0)
		return r;
	r = text_take(headers[HEADER_LOCATION], WORKER_URL_MAX, message->location);
	if (r < 0)
		return r;
	if (server->text)
		text_escape(server->text, server->len, message->server,
			    sizeof(message->server));
	return 0;
}

static bool is_whole(const struct ssdp_message *message)
{
	const bool needs_location =
		message->kind == SSDP_RESPONSE || message->kind == SSDP_ALIVE;

	return message->target[0] && (message->location[0] || !needs_location);
}

/* UINT32_MAX: more than that, or no number */
static uint32_t number_of(struct slice text)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.text[i] < '0' || text.text[i] > '9')
			return UINT32_MAX;
		value = value * 10 + (uint64_t)(text.text[i] - '0');
		if (value >= UINT32_MAX)
			return UINT32_MAX;
	}
	return text.len ? (uint32_t)value : UINT32_MAX;
}

/* Nobody gains from two texts with one hash: the device says them both itself. */
static uint32_t boot_id_of(struct slice text)
{
	static const uint8_t key[16];
	const uint32_t number = number_of(text);

	if (number != UINT32_MAX)
		return number;
	return (uint32_t)siphash13(key, text.text, text.len);
}

static void boot_id_take(const struct slice headers[static HEADERS],
			 struct ssdp_message *message)
{
	const struct slice *candidates[] = {
		message->kind == SSDP_UPDATE ? &headers[HEADER_NEXTBOOTID]
					     : &headers[HEADER_BOOTID],
		&headers[HEADER_BOOTID],
		&headers[HEADER_NLS],
	};

	for (size_t i = 0; i < ARRAY_SIZE(candidates) && !message->has_boot_id; i++) {
		if (candidates[i]->text) {
			message->has_boot_id = true;
			message->boot_id = boot_id_of(*candidates[i]);
		}
	}
}

static unsigned int igd_version(const char *target)
{
	const size_t len = strlen(IGD);
	uint32_t version;

	if (strncmp(target, IGD, len) != 0)
		return 0;
	version = number_of((struct slice){ target + len, strlen(target + len) });
	return version == UINT32_MAX ? 0 : version;
}

static int headers_take(const struct slice headers[static HEADERS],
			struct ssdp_message *message)
{
	int r = 0;

	if (message->kind != SSDP_RESPONSE)
		r = notify_kind(headers[HEADER_NTS], &message->kind);
	if (r < 0)
		return r;
	r = texts_take(headers, message);
	if (r < 0)
		return r;
	if (!is_whole(message))
		return -EBADMSG;
	boot_id_take(headers, message);
	message->igd = igd_version(message->target);
	return 0;
}

int ssdp_decode(const void *packet, size_t len, struct ssdp_message *ret)
{
	struct slice headers[HEADERS] = { 0 }, rest = { packet, len }, line;
	struct ssdp_message message = { 0 };
	int r;

	if (len > SSDP_PACKET_MAX)
		return -EMSGSIZE;
	r = len ? line_next(&rest, &line) : -ENOMSG;
	if (r < 0)
		return r == -EMSGSIZE ? r : -ENOMSG;
	if (is_ok(line))
		message.kind = SSDP_RESPONSE;
	else if (slice_begins(line, "NOTIFY * HTTP/1."))
		message.kind = SSDP_ALIVE;
	else
		return -ENOMSG;
	r = headers_read(&rest, headers);
	if (r < 0)
		return r;
	r = headers_take(headers, &message);
	if (r < 0)
		return r;
	*ret = message;
	return 0;
}
