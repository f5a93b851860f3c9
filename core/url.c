/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/text.h"
#include "core/url.h"
#include "core/worker_message.h"

#define PREFIX	     "http://"
#define PREFIX_LEN   (sizeof(PREFIX) - 1)
#define DEFAULT_PORT 80
#define SCOPE_MARK   "%25"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

/* RFC 3986 3.1 */
static bool has_scheme(const char *text)
{
	const size_t len = strspn(text, LETTERS DIGITS "+-.");

	return len > 0 && strchr(LETTERS, text[0]) && text[len] == ':';
}

static int scheme_check(const char *text)
{
	const size_t len = strcspn(text, ":");

	if (!has_scheme(text))
		return -EINVAL;
	if (len != strlen("http") || strncasecmp(text, PREFIX, len) != 0)
		return -EPROTONOSUPPORT;
	return strncasecmp(text, PREFIX, PREFIX_LEN) == 0 ? 0 : -EINVAL;
}

/* What one reader takes for the end of a host, another for a part of it. */
static bool is_clean(const char *text)
{
	for (; *text; text++) {
		if (!text_is_plain(*text) || strchr(" #\\", *text))
			return false;
	}
	return true;
}

/* "fe80::1%25eth0" */
static int scoped_parse(char *text, struct url *url)
{
	char *mark = strstr(text, SCOPE_MARK);
	int r;

	if (mark) {
		const char *scope = mark + strlen(SCOPE_MARK);
		const size_t len = strlen(scope);

		if (len == 0 || len >= sizeof(url->scope) ||
		    strspn(scope, LETTERS DIGITS "-_.") != len)
			return -EINVAL;
		memcpy(url->scope, scope, len + 1);
		*mark = '\0';
	}
	r = address_parse(text, &url->host.addr);
	if (r < 0)
		return r;
	if (address_is_ipv4(&url->host.addr))
		return -EINVAL;
	return mark && !address_is_link_local(&url->host.addr) ? -EINVAL : 0;
}

/* Both: @ret_rest is what follows the address. */
static int ipv6_parse(char *text, struct url *url, const char **ret_rest)
{
	char *end = strchr(text, ']');

	if (!end)
		return -EINVAL;
	*end = '\0';
	*ret_rest = end + 1;
	return scoped_parse(text + 1, url);
}

static int ipv4_parse(char *text, struct url *url, const char **ret_rest)
{
	char address[INET_ADDRSTRLEN];
	const size_t len = strcspn(text, ":");

	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	*ret_rest = text + len;
	return address_parse(address, &url->host.addr);
}

static int authority_parse(char *text, struct url *url)
{
	const char *rest;
	int r;

	r = *text == '[' ? ipv6_parse(text, url, &rest) : ipv4_parse(text, url, &rest);
	if (r < 0)
		return r;
	if (!*rest)
		return 0;
	return *rest == ':' ? port_parse(rest + 1, &url->host.port) : -EINVAL;
}

int url_host(const char *text, struct url *ret)
{
	char authority[WORKER_URL_MAX + 1];
	struct url url = { .host.port = DEFAULT_PORT };
	size_t len;
	int r;

	if (strnlen(text, WORKER_URL_MAX + 1) > WORKER_URL_MAX)
		return -ENAMETOOLONG;
	if (!is_clean(text))
		return -EINVAL;
	r = scheme_check(text);
	if (r < 0)
		return r;
	text += PREFIX_LEN;
	len = strcspn(text, "/");
	memcpy(authority, text, len);
	authority[len] = '\0';
	r = authority_parse(authority, &url);
	if (r < 0)
		return r;
	url.path = text[len] ? text + len : "/";
	*ret = url;
	return 0;
}

bool url_is_of(const char *text, const struct in6_addr *addr)
{
	struct url url;

	return url_host(text, &url) == 0 && address_equal(&url.host.addr, addr);
}
