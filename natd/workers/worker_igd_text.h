/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * worker_igd_text - texts of UPnP devices, and texts for them
 *
 * Pure; nothing of a device's is trusted. Numbers are decimal digits and nothing else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/url.h"
#include "core/worker_message.h"

/* base, path, and a scope put in */
#define IGD_URL_STRLEN (2 * WORKER_URL_MAX)

/** igd_number() - 0..@max. Return: 0, -EPROTO */
int igd_number(const char *text, uint32_t max, uint32_t *ret);
/** igd_port() - 1..65535. Return: 0, -EPROTO */
int igd_port(const char *text, uint16_t *ret);
/** igd_address() - of the family of @ret; "" leaves @ret alone. Return: 0, -EPROTO */
int igd_address(const char *text, struct in6_addr *ret);
/** igd_is_true() - "1", "true", "yes" in any case (UPnP Device Architecture 2.0, 2.5) */
bool igd_is_true(const char *text);

/** igd_show() - XML's five entities resolved, the rest as text_escape() does; returns
 * @ret */
const char *igd_show(const char *text, size_t len, char ret[static WORKER_TEXT_MAX + 1]);

/* each character as an entity, and NUL */
#define IGD_XML_STRLEN (WORKER_TEXT_MAX * 6 + 1)
/** igd_xml() - printable ASCII as it stands between tags; returns @ret */
const char *igd_xml(const char *text, char ret[static IGD_XML_STRLEN]);

/** igd_version() - of a service's or device's type, "urn:...:WANIPConnection:2";
 * 0 where it says none */
unsigned int igd_version(const char *type);
/** igd_is_response() - is there an element <ActionResponse> of any namespace, whole? */
bool igd_is_response(const char *body, size_t len, const char *action);
/** igd_first() - length of what goes to the end of the first element @name; 0 where
 * there is none */
size_t igd_first(const char *body, size_t len, const char *name);

/**
 * igd_url() - a URL of the router's, in the one way of writing that nobody misreads
 * @text:   must name @router, by an address
 * @scope:  interface index, of a link-local router; 0 else
 *
 * Return: 0; -EXDEV when it names another host, or by name, or another scheme, or cannot
 * be taken apart; -EPROTO when it has no scheme at all.
 */
int igd_url(const char *text, const struct in6_addr *router, uint32_t scope,
	    char ret[static IGD_URL_STRLEN]);
