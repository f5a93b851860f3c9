/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * raw load N | raw add N | raw dump
 *
 * By netlink alone: N forwards in one transaction (half TCP, half UDP, from port 1024
 * on), one added and removed N times, or all of them read. Prints nanoseconds.
 */

#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/rawnl.h"
#include "tests/bench/timing.h"

#define FIRST 1024
#define SPARE 60000 /* a port that nobody has */

static void load(struct rawnl *raw, unsigned int n)
{
	uint64_t begun = now();

	rawnl_change(raw, NFT_MSG_NEWSETELEM, FIRST, n);
	printf("{\"load\":%lu}\n", now() - begun);
}

static void add(struct rawnl *raw, unsigned int n)
{
	struct times adds = { 0 }, removes = { 0 };

	while (n--) {
		uint64_t begun = now();

		rawnl_change(raw, NFT_MSG_NEWSETELEM, SPARE, 1);
		times_add(&adds, now() - begun);
		begun = now();
		rawnl_change(raw, NFT_MSG_DELSETELEM, SPARE, 1);
		times_add(&removes, now() - begun);
	}
	putchar('{');
	times_print(&adds, "add");
	putchar(',');
	times_print(&removes, "remove");
	puts("}");
	times_done(&adds);
	times_done(&removes);
}

int main(int argc, char *argv[])
{
	unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : 1;
	struct rawnl raw;
	uint64_t begun;

	rawnl_open(&raw);
	if (argc > 1 && !strcmp(argv[1], "load")) {
		load(&raw, n);
	} else if (argc > 1 && !strcmp(argv[1], "add")) {
		add(&raw, n);
	} else if (argc > 1 && !strcmp(argv[1], "dump")) {
		begun = now();
		n = rawnl_dump(&raw);
		printf("{\"dump\":%lu,\"elements\":%u}\n", now() - begun, n);
	} else {
		die("raw load N | raw add N | raw dump");
	}
	rawnl_close(&raw);
	return EXIT_SUCCESS;
}
