/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * status - lines of what natd says of itself
 *
 * A newer or an older natd may say more or less: what is not there is not shown.
 */

#include <jansson.h>
#include <stdint.h>

#include "core/text.h"

/* "wan0 up, mtu 1500, 203.0.113.5, ..." */
#define STATUS_LINE_STRLEN 512

/** status_field() - a line, made harmless to a terminal */
void status_field(const char *label, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

const char *status_string(const json_t *object, const char *key); /* or "" */
uint64_t status_number(const json_t *object, const char *key);	  /* or 0 */
/** status_moment() - "2025-01-31 12:00:00 (3 days ago)", or ""; returns @buf */
const char *status_moment(const json_t *object, const char *key,
			  char buf[static TEXT_PHRASE_STRLEN]);

/** status_print_upstream() - of @status the routers above us, and what natd needs for
 * them; nothing where there is none and none is needed */
void status_print_upstream(const json_t *status);
