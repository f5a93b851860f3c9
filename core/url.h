/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * url - an http URL whose host is an address, as routers name their descriptions
 *
 * The narrowest reading: what is taken here has one meaning for whoever reads it after
 * us, so that a URL that names the router here cannot name another host there.
 */

#include <net/if.h>

#include "core/endpoint.h"

/**
 * struct url - "http://192.168.1.1:5000/rootDesc.xml"
 * @host:  port 80 where none is given
 * @scope: of "[fe80::1%25eth0]" the "eth0" (RFC 6874), else ""
 * @path:  what follows, with its query; borrowed from the text; "/" where there is none
 */
struct url {
	struct endpoint host;
	char scope[IF_NAMESIZE];
	const char *path;
};

/**
 * url_host() - take a URL apart
 * @text: NUL-terminated; "http://" in any case, an IPv4 address or an IPv6 address in
 *        brackets, perhaps a port, then nothing or a path. No user, name, fragment,
 *        backslash, blank, control character, or byte that is not ASCII; at most
 *        WORKER_URL_MAX bytes. The scope only with a link-local address, and made of
 *        letters, digits, "-", "_", "."
 * @ret:  written on success only; @path lives as long as @text
 *
 * Return: 0; -ENAMETOOLONG; -EPROTONOSUPPORT when the scheme is another; -EINVAL when it
 * is anything else that does not fit; -ERANGE when the port is not 1..65535.
 */
int url_host(const char *text, struct url *ret);

/** url_is_of() - is @text a URL as above, and its host @addr? */
bool url_is_of(const char *text, const struct in6_addr *addr);
