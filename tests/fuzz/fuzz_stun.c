/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_stun - what a STUN server answers
 *
 * Beside what the sanitizers see it is held that values stand in their range, and that
 * with another transaction nothing is an answer. The transaction is that which the input
 * names, since no fuzzer would find twelve bytes by itself.
 */

#include <errno.h>
#include <string.h>

#include "core/stun.h"
#include "tests/fuzz/fuzz.h"

#define AT_ID 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t id[STUN_ID_LEN] = { 0 };
	struct stun_response response;
	int r;

	if (size >= AT_ID + sizeof(id))
		memcpy(id, data + AT_ID, sizeof(id));
	r = stun_response_decode(data, size, id, &response);
	if (r < 0)
		hold(r == -EBADMSG || r == -EOPNOTSUPP);
	else if (response.error)
		hold(response.error >= 300 && response.error <= 699);
	else
		hold(response.mapped.port && !address_is_any(&response.mapped.addr));
	id[0] ^= 1;
	r = stun_response_decode(data, size, id, &response);
	hold(r == -EBADMSG || r == -ENOMSG);
	return 0;
}
