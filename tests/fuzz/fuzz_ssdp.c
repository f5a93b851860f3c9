/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_ssdp - what devices on the link say of themselves, and the URLs they name
 *
 * Beside what the sanitizers see it is held that texts end, fit and are printable, and
 * that a URL names the same host and path when it is written anew.
 */

#include <errno.h>
#include <string.h>

#include "core/ssdp.h"
#include "core/text.h"
#include "core/url.h"
#include "tests/fuzz/fuzz.h"

static void hold_printable(const char *text, size_t size)
{
	const size_t len = strnlen(text, size);

	hold(len < size);
	for (size_t i = 0; i < len; i++)
		hold(text_is_plain(text[i]));
}

static void write_anew(const struct url *url, char *buf, size_t size)
{
	char address[INET6_ADDRSTRLEN];

	address_format(&url->host.addr, address);
	if (address_is_ipv4(&url->host.addr))
		snprintf(buf, size, "http://%s:%u%s", address, url->host.port, url->path);
	else if (url->scope[0])
		snprintf(buf, size, "http://[%s%%25%s]:%u%s", address, url->scope,
			 url->host.port, url->path);
	else
		snprintf(buf, size, "http://[%s]:%u%s", address, url->host.port,
			 url->path);
}

static void read_url(const char *text)
{
	char anew[WORKER_URL_MAX + 128];
	struct url url, again;
	const int r = url_host(text, &url);

	if (r < 0) {
		hold(r == -EINVAL || r == -ENAMETOOLONG || r == -EPROTONOSUPPORT ||
		     r == -ERANGE);
		return;
	}
	hold(url.host.port && url.path[0] == '/');
	hold(url_is_of(text, &url.host.addr));
	hold(!url.scope[0] || address_is_link_local(&url.host.addr));
	hold_printable(url.scope, sizeof(url.scope));
	hold_printable(url.path, WORKER_URL_MAX + 1);
	write_anew(&url, anew, sizeof(anew));
	if (strlen(anew) > WORKER_URL_MAX)
		return;
	hold(url_host(anew, &again) == 0);
	hold(endpoint_equal(&again.host, &url.host));
	hold(strcmp(again.scope, url.scope) == 0 && strcmp(again.path, url.path) == 0);
}

static void read_message(const uint8_t *data, size_t size)
{
	struct ssdp_message message;
	const int r = ssdp_decode(data, size, &message);

	if (r < 0) {
		hold(r == -EMSGSIZE || r == -ENOMSG || r == -EBADMSG);
		return;
	}
	hold(size <= SSDP_PACKET_MAX);
	hold_printable(message.target, sizeof(message.target));
	hold_printable(message.usn, sizeof(message.usn));
	hold_printable(message.location, sizeof(message.location));
	hold_printable(message.server, sizeof(message.server));
	hold(message.target[0]);
	hold(message.location[0] || message.kind == SSDP_BYEBYE ||
	     message.kind == SSDP_UPDATE);
	hold(message.has_boot_id || message.boot_id == 0);
	read_url(message.location);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	hold(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	read_url(text);
	free(text);
	read_message(data, size);
	return 0;
}
