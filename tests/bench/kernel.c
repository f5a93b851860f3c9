/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * kernel N
 *
 * What natd's own code takes to bring N forwards into the kernel, without API and store:
 * from the plan to the kernel's verdict. In the network namespace it is started in.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conditions.h"
#include "rules/ruleset.h"
#include "tests/bench/timing.h"

#define FIRST 1024

static void add_forwards(struct change_list *list, unsigned int n)
{
	struct change change = {
		.kind = CHANGE_ADD,
		.mapping = {
			.external = { .addr = address_any4 },
			.internal = { .port = 9 },
			.origin = ORIGIN_ADMIN,
			.enabled = true,
		},
	};

	if (address_parse("192.168.1.10", &change.mapping.internal.addr) < 0)
		die("no address");
	for (unsigned int i = 0; i < n; i++) {
		change.protocols = i < n / 2 ? PROTOCOL_BIT_TCP : PROTOCOL_BIT_UDP;
		change.mapping.external.port = (uint16_t)(FIRST + i % (n / 2));
		if (change_list_add(list, &change) < 0)
			die("no memory");
	}
}

static struct ruleset *make_table(const struct table *table)
{
	static struct ruleset_options options = { .n_wan = 1, .n_lan = 1 };
	static const struct ruleset_addresses addresses;
	struct ruleset_report report;
	struct ruleset_fault why;
	struct ruleset *rs;

	strcpy(options.wan[0], "wan0");
	strcpy(options.lan[0], "lan0");
	if (ruleset_open(&rs) < 0 || ruleset_sync(rs, &options, &addresses, table, 1,
						  NULL, NULL, &report, &why) < 0)
		die("no table");
	return rs;
}

int main(int argc, char *argv[])
{
	static const uint8_t seed[16];
	static const struct conditions at = {
		.now = 1,
		.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP,
	};
	unsigned int n = argc > 1 ? (unsigned int)atoi(argv[1]) & ~1U : 0;
	struct change_list list = { 0 };
	struct ruleset_fault why;
	struct table *table = table_new(65535, seed);
	struct ruleset *rs;
	struct plan *plan;
	uint64_t begun;

	if (!n || !table)
		die("kernel N");
	rs = make_table(table);
	add_forwards(&list, n);
	if (table_stage(table, &list, 1, &at, &plan) < 0 || plan_size(plan) != n)
		die("no plan of %u", n);
	begun = now();
	if (ruleset_apply(rs, plan, 2, &why) < 0)
		die("%s", why.text);
	printf("{\"load\":%lu}\n", now() - begun);
	plan_free(plan);
	change_list_done(&list);
	if (ruleset_delete(rs) < 0)
		die("the table stays");
	ruleset_close(rs);
	table_free(table);
	return EXIT_SUCCESS;
}
