/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * text - shows bytes from outside without letting them act, and numbers as people read
 * them
 *
 * What came from a client may hold line ends, escape sequences of a terminal, or no
 * UTF-8 at all. Sentences and logs show it through this.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Is @c shown as it is? Else it is shown as "\xNN" */
bool text_is_plain(char c);

/**
 * text_escape() - printable ASCII as it is, every other byte as \xNN
 * @buf:  always NUL-terminated
 * @size: at least 8; what does not fit is replaced by "..."
 *
 * Return: @buf.
 */
const char *text_escape(const char *text, size_t len, char *buf, size_t size);

/** text_append() - printf() behind what @buf, of @size bytes, holds already; what does
 * not fit is left off */
void text_append(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** text_hex() - 2 * @n hexadecimal digits in small letters, and nothing else, into bytes
 *
 * Return: 0; -EINVAL, and @ret is as it was. */
int text_hex(const char *text, uint8_t *ret, size_t n);

/* of the largest number */
#define TEXT_DIGITS_MAX 20
/** text_digits() - decimal, without NUL, in a fraction of the time that printf() takes;
 * returns the end of what it wrote */
char *text_digits(uint64_t n, char *at);

/* "18,446,744,073,709,551,615" and NUL */
#define TEXT_COUNT_STRLEN 28
/** text_count() - "65,535"; returns @buf */
const char *text_count(uint64_t n, char buf[static TEXT_COUNT_STRLEN]);

#define TEXT_PHRASE_STRLEN 64
/** text_things() - "no connections", "1 connection", "12 addresses"; returns @buf */
const char *text_things(uint64_t n, const char *thing,
			char buf[static TEXT_PHRASE_STRLEN]);
