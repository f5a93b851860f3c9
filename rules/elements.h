/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * elements - reads the elements out of a dump
 *
 * With libmnl alone: an object of libnftnl for each of 60,000 elements costs more than
 * the dump.
 */

#include "rules/ruleset_private.h"

/** struct counted - one element of a dump
 * @key:   NULL of the catch-all
 * @end:   NULL unless it is an interval of concatenated fields
 * @chain: of a verdict map, where @verdict leads; else NULL */
struct counted {
	const uint8_t *key, *end;
	const uint8_t *data;
	const char *chain;
	uint16_t key_len, end_len, data_len;
	int32_t verdict;
	uint32_t flags;
	const struct nlattr *counter; /* NULL without one */
};

/** counted_packets() - what its counter says; 0 without one */
uint64_t counted_packets(const struct counted *e);

/** elements_each() - call back for every element in a NEWSETELEM message; not 0 stops and
 * is returned */
int elements_each(const struct nlmsghdr *nlh,
		  int (*on_element)(void *userdata, const struct counted *e),
		  void *userdata);
