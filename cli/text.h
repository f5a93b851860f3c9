/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * text - words and numbers for people
 */

#include "core/text.h"

/**
 * text_clean() - make @text harmless to a terminal, in place
 *
 * Control characters (C0, DEL, and C1, which UTF-8 writes in two bytes) and what is not
 * UTF-8 become '?'. Returns @text.
 */
char *text_clean(char *text);

/** text_distance() - how many letters to add, drop, change or swap with the next to get
 * from @a to @b; SIZE_MAX for words too long to be compared */
size_t text_distance(const char *a, const char *b);

/** text_age() - "3 days", the largest unit that fits; returns @buf */
const char *text_age(uint64_t seconds, char buf[static TEXT_PHRASE_STRLEN]);

/** text_moment() - "2025-01-31 12:00:00 (3 days ago)", local time; returns @buf */
const char *text_moment(uint64_t at, uint64_t now, char buf[static TEXT_PHRASE_STRLEN]);

/* "16.0E" and NUL */
#define TEXT_BYTES_STRLEN 16
/** text_bytes() - "999", "1.2K", "51.2M": powers of 1024; returns @buf */
const char *text_bytes(uint64_t n, char buf[static TEXT_BYTES_STRLEN]);

/** text_quote() - @text as it may stand in a query of a URL (RFC 3986 2.3); cut when
 * @size is too small; returns @buf */
const char *text_quote(const char *text, char *buf, size_t size);
