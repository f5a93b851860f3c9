/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * objects - named counters and connection timers of the table
 *
 * Written and read without libnftnl: it has no form for the timers of ICMP.
 */

#include "rules/batch.h"

/** objects_put() - append NEWOBJ for all of them
 * @protocols: PROTOCOL_BIT_* that the kernel tracks */
void objects_put(struct batch *b, uint8_t protocols);
/** object_put_timeout() - append NEWOBJ for timers that are the kernel's defaults */
void object_put_timeout(struct batch *b, const char *table, const char *name,
			uint8_t protocol);
/** object_delete() - append DELOBJ */
void object_delete(struct batch *b, const char *name, uint32_t type);

/** struct object - one NEWOBJ message, taken apart; borrowed from it */
struct object {
	const char *name;
	const struct nlattr *data;
	uint32_t type;
};

/** object_parse() - Return: 0, or -EINVAL when name or type is missing */
int object_parse(const struct nlmsghdr *nlh, struct object *ret);

/** object_describe() - what matters of it as text, the same for what we send and what the
 * kernel holds; returns @buf */
const char *object_describe(const struct object *o, char *buf, size_t room);

/** object_packets() - of a counter; 0 where it has none */
uint64_t object_packets(const struct object *o);
