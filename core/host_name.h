/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * host_name - a name that name servers may be asked for
 *
 * In the form that is asked for: a name in other letters than those of ASCII stands in
 * its "xn--" form (RFC 5891).
 */

#define HOST_NAME_MAX_LEN 253			  /* RFC 1035 2.3.4, as text */
#define HOST_NAME_STRLEN  (HOST_NAME_MAX_LEN + 2) /* a dot at its end, and NUL */

/**
 * host_name_flaw() - why no host can be called @text (RFC 1123 2.1)
 *
 * A dot at the end is fine: the name is whole, and no domain is tried behind it.
 *
 * Return: NULL where one can, else a borrowed phrase: "it has other characters than
 * letters, digits, hyphens and dots".
 */
const char *host_name_flaw(const char *text);
