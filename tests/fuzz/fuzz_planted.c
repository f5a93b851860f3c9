/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_planted - loses a block when it is told to "lose" it: this must be found, or that
 * nothing is found elsewhere means nothing
 */

#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void *volatile block;

	if (size != 4 || memcmp(data, "lose", 4) != 0)
		return 0;
	block = malloc(100);
	hold(block);
	block = NULL;
	return 0;
}
