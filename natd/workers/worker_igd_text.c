/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/workers/worker_igd_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/text.h"

static const struct entity {
	char character;
	const char *name;
} entities[] = {
	{ '&', "&amp;" },  { '<', "&lt;" },    { '>', "&gt;" },
	{ '"', "&quot;" }, { '\'', "&apos;" },
};

int igd_number(const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t n = 0;

	if (!*text)
		return -EPROTO;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EPROTO;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return -EPROTO;
	}
	*ret = (uint32_t)n;
	return 0;
}

int igd_port(const char *text, uint16_t *ret)
{
	uint32_t n;

	if (igd_number(text, UINT16_MAX, &n) < 0 || n == 0)
		return -EPROTO;
	*ret = (uint16_t)n;
	return 0;
}

int igd_address(const char *text, struct in6_addr *ret)
{
	struct in6_addr addr;

	if (!*text)
		return 0;
	if (address_parse(text, &addr) < 0 ||
	    address_is_ipv4(&addr) != address_is_ipv4(ret))
		return -EPROTO;
	*ret = addr;
	return 0;
}

bool igd_is_true(const char *text)
{
	return !strcmp(text, "1") || !strcasecmp(text, "true") ||
	       !strcasecmp(text, "yes");
}

static const struct entity *entity_at(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(entities); i++) {
		size_t n = strlen(entities[i].name);

		if (n <= len && memcmp(text, entities[i].name, n) == 0)
			return &entities[i];
	}
	return NULL;
}

const char *igd_show(const char *text, size_t len, char ret[static WORKER_TEXT_MAX + 1])
{
	char plain[4 * WORKER_TEXT_MAX];
	size_t n = 0, step;

	for (size_t i = 0; i < len && n < sizeof(plain); i += step) {
		const struct entity *entity = entity_at(text + i, len - i);

		plain[n] = text[i];
		step = 1;
		if (entity) {
			plain[n] = entity->character;
			step = strlen(entity->name);
		}
		n++;
	}
	return text_escape(plain, n, ret, WORKER_TEXT_MAX + 1);
}

static const char *entity_of(char character)
{
	for (size_t i = 0; i < ARRAY_SIZE(entities); i++) {
		if (entities[i].character == character)
			return entities[i].name;
	}
	return NULL;
}

const char *igd_xml(const char *text, char ret[static IGD_XML_STRLEN])
{
	char *at = ret;

	for (size_t i = 0; i < WORKER_TEXT_MAX && text[i]; i++) {
		const char *entity = entity_of(text[i]);

		if (entity)
			at = stpcpy(at, entity);
		else
			*at++ = text[i];
	}
	*at = '\0';
	return ret;
}

unsigned int igd_version(const char *type)
{
	const char *colon = strrchr(type, ':');
	uint32_t version;

	if (!colon || igd_number(colon + 1, UINT16_MAX, &version) < 0)
		return 0;
	return version;
}

static bool is_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* "<name", "<prefix:name", or the same with a "/", and then what may follow a name. */
static const char *element_at(const char *from, const char *end, const char *name)
{
	size_t n = strlen(name);

	while (from < end) {
		const char *at = memmem(from, (size_t)(end - from), name, n);

		if (!at || at + n >= end)
			return NULL;
		if (at > from && is_of(at[-1], "<:/") && is_of(at[n], " \t\r\n/>"))
			return at;
		from = at + 1;
	}
	return NULL;
}

#define PREFIX_MAX     64  /* "</prefix:" */
#define ATTRIBUTES_MAX 512 /* up to the ">" */

static size_t least(ptrdiff_t a, size_t b)
{
	return (size_t)a < b ? (size_t)a : b;
}

/* "</name>", "</prefix:name>", "<name/>": what was cut off has none of them. */
static bool is_end(const char *body, const char *end, const char *name)
{
	size_t before = least(name - body, PREFIX_MAX);
	const char *tag = memrchr(name - before, '<', before);
	const char *close = memchr(name, '>', least(end - name, ATTRIBUTES_MAX));

	return close && tag && (tag[1] == '/' || close[-1] == '/');
}

bool igd_is_response(const char *body, size_t len, const char *action)
{
	const char *end = body + len, *at = body;
	char name[64];

	snprintf(name, sizeof(name), "%sResponse", action);
	while ((at = element_at(at, end, name))) {
		if (is_end(body, end, at))
			return true;
		at++;
	}
	return false;
}

size_t igd_first(const char *body, size_t len, const char *name)
{
	char tag[64];
	int n = snprintf(tag, sizeof(tag), "</%s>", name);
	const char *at = memmem(body, len, tag, (size_t)n);

	return at ? (size_t)(at - body) + (size_t)n : 0;
}

int igd_url(const char *text, const struct in6_addr *router, uint32_t scope,
	    char ret[static IGD_URL_STRLEN])
{
	char addr[INET6_ADDRSTRLEN], zone[16] = "";
	bool v4 = address_is_ipv4(router);
	struct url url;

	if (url_host(text, &url) < 0)
		return strstr(text, "://") ? -EXDEV : -EPROTO;
	if (!address_equal(&url.host.addr, router))
		return -EXDEV;
	if (scope)
		snprintf(zone, sizeof(zone), "%%25%u", scope);
	snprintf(ret, IGD_URL_STRLEN, "http://%s%s%s%s:%u%s", v4 ? "" : "[",
		 address_format(router, addr), zone, v4 ? "" : "]", url.host.port,
		 url.path);
	return 0;
}
