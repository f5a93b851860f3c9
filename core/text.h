/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * text - shows bytes from outside without letting them act
 *
 * What came from a client may hold line ends, escape sequences of a terminal, or no
 * UTF-8 at all. Sentences and logs show it through this.
 */

#include <stdbool.h>
#include <stddef.h>

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
