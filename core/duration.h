/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * duration - lengths of time as people write them
 */

#include <stddef.h>
#include <stdint.h>

/**
 * duration_parse() - read "90s", "15m", "1h", "7d", "2w", "1h30m", or "90" (seconds)
 *
 * Units go from the larger to the smaller, none twice. Return: 0; -EINVAL when @text is
 * no duration; -ERANGE when it is more than UINT32_MAX seconds.
 */
int duration_parse(const char *text, uint32_t *ret);

/* "7101w6d23h59m59s" and NUL */
#define DURATION_STRLEN 24
/** duration_format() - the two largest units that are not zero: "7d", "1h30m", "59s",
 * "0s"; what is smaller is left out. Returns @buf */
const char *duration_format(uint64_t seconds, char buf[static DURATION_STRLEN]);
