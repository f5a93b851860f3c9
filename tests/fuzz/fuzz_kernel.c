/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_kernel - a scenario in front of a kernel that says anything
 *
 * Compiled once for each, with SCENARIO its function. The first byte of an input says how
 * it is played, the rest is what the kernel says (tests/fuzz/kernel.h).
 */

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/give_up.h"
#include "tests/fuzz/kernel.h"

static void play(void *userdata)
{
	const uint8_t *how = userdata;

	SCENARIO(*how);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;

	if (!size)
		return 0;
	how = data[0];
	kernel_begin(data + 1, size - 1);
	if (give_up_or(play, &how, kernel_give_up))
		kernel_end();
	return 0;
}
