/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * siphash - a keyed hash of short inputs (Aumasson, Bernstein: SipHash, 2012)
 *
 * Who does not know the key cannot choose inputs that collide.
 */

#include <stddef.h>
#include <stdint.h>

/** siphash13() - SipHash-1-3 of @len bytes, as hash tables use it */
uint64_t siphash13(const uint8_t key[static 16], const void *data, size_t len);
