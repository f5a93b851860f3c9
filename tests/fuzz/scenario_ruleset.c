/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * scenario_ruleset - everything that is asked of nf_tables
 */

#include <arpa/inet.h>
#include <string.h>

#include "core/text.h"
#include "rules/ruleset.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kernel.h"

/* the lowest two bits say what is played */
enum play { PLAY_SYNC, PLAY_FIGURES, PLAY_OTHERS, PLAY_CHANGES };

#define PLAY	   0x03
#define WATCHED	   0x04
#define INPUT_DROP 0x08

static struct in6_addr wan[2];
static const struct prefix ula = {
	.addr = { .s6_addr = { 0xfd, [15] = 0 } },
	.len = 64,
};

static struct ruleset_addresses all_addresses(void)
{
	hold(address_parse("203.0.113.5", &wan[0]) == 0);
	hold(address_parse("2001:db8:f::5", &wan[1]) == 0);
	return (struct ruleset_addresses){
		.wan = { wan, 2 },
		.masquerade6 = &ula,
		.n_masquerade6 = 1,
	};
}

static struct ruleset_options options_of(uint8_t how)
{
	struct ruleset_options o = {
		.protection = how & WATCHED ? PROTECTION_WATCHED : PROTECTION_AUTO,
		.wan = { "wan0" },
		.n_wan = 1,
		.lan = { "lan0" },
		.n_lan = 1,
		.input_drop = how & INPUT_DROP,
		.mss_mode = MSS_ROUTE,
	};

	if (o.input_drop)
		o.open[o.n_open++] = (struct open_port){ IPPROTO_TCP, 22 };
	return o;
}

static struct mapping mapping_of(uint16_t port, const char *to)
{
	struct mapping m = {
		.protocol = IPPROTO_TCP,
		.external.port = port,
		.enabled = true,
		.origin = ORIGIN_ADMIN,
	};

	hold(endpoint_parse(to, &m.internal) == 0);
	mapping_resolve(&m);
	return m;
}

/* One of each kind. */
static struct table *make_table(void)
{
	static const uint8_t seed[16] = { 1 };
	static const struct {
		uint16_t port;
		const char *to;
	} mappings[] = {
		{ 8080, "192.168.1.10:80" },
		{ 53, "[fd00::10]:53" },
		{ 443, "[2001:db8::10]:443" },
	};
	struct table *table = table_new(16, seed);

	hold(table);
	for (size_t i = 0; i < sizeof(mappings) / sizeof(mappings[0]); i++) {
		struct mapping m = mapping_of(mappings[i].port, mappings[i].to);

		m.id = table_next_id(table);
		hold(table_load(table, &m) == 0);
	}
	return table;
}

static void on_endpoint(const struct endpoint *external)
{
	char text[ENDPOINT_STRLEN];

	hold(endpoint_format(external, text)[0]);
}

static void on_extra(void *userdata, uint8_t protocol, const struct endpoint *external)
{
	on_endpoint(external);
}

static void on_count(void *userdata, uint8_t protocol, const struct endpoint *external,
		     uint64_t packets)
{
	on_endpoint(external);
}

static void on_element(void *userdata, uint8_t protocol, const struct endpoint *external,
		       const struct endpoint *internal)
{
	on_endpoint(external);
	on_endpoint(internal);
}

static void hold_text(const char *text, size_t size)
{
	hold(memchr(text, '\0', size));
	for (; *text; text++)
		hold(text_is_plain(*text));
}

static int sync_once(struct ruleset *rs, uint8_t how, struct table *table)
{
	const struct ruleset_options options = options_of(how);
	const struct ruleset_addresses addresses = all_addresses();
	struct ruleset_report report;
	struct ruleset_fault why;
	int r;

	r = ruleset_sync(rs, &options, &addresses, table, 7, on_extra, NULL, &report,
			 &why);
	hold(r <= 0 && memchr(why.text, '\0', sizeof(why.text)));
	return r;
}

/* ------------------------------------------------------------ the plays */

/* A table for the real kernel to tell of; and, for changes, one that has been synced. */
static void prepare(struct ruleset *rs, uint8_t how, struct table *table)
{
	if (!kernel_is_real() && (how & PLAY) != PLAY_CHANGES)
		return;
	kernel_aside(true);
	hold(sync_once(rs, how, table) == 0);
	kernel_aside(false);
}

static void play_sync(struct ruleset *rs, uint8_t how, struct table *table)
{
	sync_once(rs, how, table);
}

static void play_figures(struct ruleset *rs, uint8_t how, struct table *table)
{
	struct ruleset_figures figures;
	uint64_t sequence, missed;

	hold(ruleset_counters(rs, on_count, NULL) <= 0);
	hold(ruleset_figures(rs, &figures) <= 0);
	hold(ruleset_sequence(rs, &sequence) <= 0);
	hold(ruleset_missed(rs, &missed) <= 0);
	hold(ruleset_elements(rs, on_element, NULL) <= 0);
}

static void play_others(struct ruleset *rs, uint8_t how, struct table *table)
{
	struct foreign_chain chains[4];
	struct ruleset_news news;
	char text[FOREIGN_CHAIN_STRLEN];
	int n;

	if (ruleset_watch(rs, &news) == 0)
		hold_text(news.by.name, sizeof(news.by.name));
	n = ruleset_foreign(rs, chains, 4);
	hold(n <= 4);
	for (int i = 0; i < n; i++)
		hold_text(foreign_chain_format(&chains[i], text), sizeof(text));
}

static void change(struct ruleset *rs, struct table *table)
{
	struct change changes[] = {
		{ .kind = CHANGE_REMOVE, .selector.id = 1 },
		{ .kind = CHANGE_ADD,
		  .protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP,
		  .mapping = mapping_of(8443, "192.168.1.11:443") },
	};
	const struct change_list list = { changes, 2, 2 };
	struct ruleset_fault why = { "" };
	struct plan *plan;

	hold(table_stage(table, &list, 1, &plan) == 0);
	hold(ruleset_apply(rs, plan, 8, &why) <= 0);
	hold(memchr(why.text, '\0', sizeof(why.text)));
	plan_free(plan);
}

static void play_changes(struct ruleset *rs, uint8_t how, struct table *table)
{
	struct ruleset_addresses addresses = all_addresses();
	struct connection c = { .protocol = IPPROTO_TCP };
	struct ruleset_fault why;

	change(rs, table);
	addresses.wan.n = 1;
	hold(ruleset_set_addresses(rs, &addresses, &why) <= 0);
	hold(endpoint_parse("198.51.100.7:4000", &c.orig_src) == 0);
	hold(endpoint_parse("192.168.1.10:80", &c.reply_src) == 0);
	hold(ruleset_end(rs, &c, 1, &why) <= 0);
	hold(ruleset_delete(rs) <= 0);
}

void scenario_ruleset(uint8_t how)
{
	static void (*const plays[])(struct ruleset *rs, uint8_t how,
				     struct table *table) = {
		[PLAY_SYNC] = play_sync,
		[PLAY_FIGURES] = play_figures,
		[PLAY_OTHERS] = play_others,
		[PLAY_CHANGES] = play_changes,
	};
	struct table *table = make_table();
	struct ruleset *rs = NULL;

	if (ruleset_open(&rs) == 0) {
		prepare(rs, how, table);
		kernel_meanwhile();
		plays[how & PLAY](rs, how, table);
	}
	ruleset_close(rs);
	table_free(table);
}
