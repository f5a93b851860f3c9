/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fuzz - what the fuzz targets share
 *
 * A target is a file with LLVMFuzzerTestOneInput(). Linked with libFuzzer it looks for
 * inputs by itself; linked with replay.c it takes those of its corpus. What a target
 * holds to be true it says with hold().
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Straight to the descriptor: a target may have taken stderr for itself. */
#define hold(truth)                                                                      \
	do {                                                                             \
		if (!(truth)) {                                                          \
			dprintf(2, "%s:%d: it does not hold that %s\n", __FILE__,        \
				__LINE__, #truth);                                       \
			abort();                                                         \
		}                                                                        \
	} while (0)

/** struct digest - a sum that tells other bytes, and other orders, apart */
struct digest {
	uint64_t sum;
	size_t len;
};

static inline void digest_add(struct digest *d, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		d->sum = (d->sum ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
	d->len += len;
}

/** struct dice - choices that are the same for the same input */
struct dice {
	uint64_t state;
};

static inline struct dice dice_of(const void *bytes, size_t len)
{
	struct digest d = { .sum = 0xcbf29ce484222325 };

	digest_add(&d, bytes, len);
	return (struct dice){ d.sum };
}

/** dice_throw() - 1..@max */
static inline size_t dice_throw(struct dice *dice, size_t max)
{
	dice->state = dice->state * 6364136223846793005 + 1442695040888963407;
	return 1 + (size_t)(dice->state >> 33) % max;
}

/** dice_piece() - how much of @left bytes comes at once: mostly a little */
static inline size_t dice_piece(struct dice *dice, size_t left)
{
	size_t n = dice_throw(dice, 4) == 1 ? left : dice_throw(dice, 16);

	return n < left ? n : left;
}
