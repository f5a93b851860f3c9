/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * upstream - what the router above us has of a forward, in words
 */

#include "core/api.h"

/* "[2001:db8::1]:9000-65535" */
#define UPSTREAM_CELL_STRLEN (ENDPOINT_STRLEN + 8)

/**
 * upstream_cell() - for a list
 *
 * "51.15.0.9:8080" as the internet sees it, of a range "51.15.0.9:9000-9003"; "mapped"
 * where that router does not say its address; "asking", "refused", "no router",
 * "unanswered"; "" of what stays here. Returns @buf.
 */
const char *upstream_cell(const struct mapping *m, const struct upstream_view *view,
			  char buf[static UPSTREAM_CELL_STRLEN]);

/** upstream_protocol() - "PCP" for natd's "pcp"; what is not known stays as it is */
const char *upstream_protocol(const char *name);

/** upstream_is_seen() - is the endpoint known that the internet sees? */
bool upstream_is_seen(const struct upstream_view *view);

/** upstream_is_missing() - must the router above us hold it, and does not? */
bool upstream_is_missing(const struct mapping *m, const struct upstream_view *view);

/** upstream_is_problem() - it is not there, and it can be said why: refused, unanswered,
 * or it is wished for and cannot go, or is not asked for */
bool upstream_is_problem(const struct mapping *m, const struct upstream_view *view);

/** upstream_why() - a phrase for a mapping that the router above us does not hold,
 * harmless to a terminal; appended to @buf */
void upstream_why(const struct upstream_view *view, char *buf, size_t size);
