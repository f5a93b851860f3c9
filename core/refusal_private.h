/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * refusal_private - what refusal.c (what is in the way) and refusal_limits.c (what is not
 * to be had) share, and nobody else
 */

#include "core/outcome.h"

/* a change or a selector in words */
#define ASKED_STRLEN                                                                     \
	(PROTOCOLS_STRLEN + 2 * MAPPING_ENDPOINT_STRLEN + MAPPING_NAME_MAX + 32)

/** refusal_ports() - "tcp,udp 8080", "tcp 203.0.113.7:9000-9003": what the change that
 * adds asks for outside */
const char *refusal_ports(const struct change *change, char buf[static ASKED_STRLEN]);
/** refusal_asked() - the same with where it leads; of other changes the selector. Both
 * return a text within @buf, not always its beginning */
const char *refusal_asked(const struct change *change, char buf[static ASKED_STRLEN]);

void refusal_port_in_use(const struct refusal *refusal, const struct change *change,
			 struct problem *ret);
void refusal_no_port(const struct refusal *refusal, const struct change *change,
		     struct problem *ret);
void refusal_no_protocol(const struct refusal *refusal, const struct change *change,
			 struct problem *ret);
void refusal_no_upstream(const struct change *change, struct problem *ret);
void refusal_not_permitted(const struct refusal *refusal, const struct change *change,
			   struct problem *ret);
