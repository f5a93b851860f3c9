/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_chance - times that are not the same for everybody
 */

#include "core/upstream/upstream_private.h"

uint64_t chance_below(struct upstream *up, uint64_t n)
{
	uint64_t number;

	up->random(&number, sizeof(number));
	return n ? number % n : 0;
}

uint64_t chance_about(struct upstream *up, uint64_t ms)
{
	return ms - ms / 10 + chance_below(up, ms / 5 + 1);
}

uint64_t chance_double(uint64_t ms, uint64_t least, uint64_t most)
{
	return ms == 0 ? least : earlier(2 * ms, most);
}
