/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * scenario_ruleset - everything that is asked of nf_tables
 */

#include <arpa/inet.h>
#include <string.h>

#include "core/conditions.h"
#include "core/text.h"
#include "rules/ruleset.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kernel.h"

/* the lowest two bits say what is played */
enum play { PLAY_SYNC, PLAY_FIGURES, PLAY_OTHERS, PLAY_CHANGES };

#define PLAY	   0x03
#define WATCHED	   0x04
#define INPUT_DROP 0x08
#define SYMMETRIC  0x10

static struct in6_addr wan[2];
static struct snat snats[2];
static struct prefix vpn;
static const struct prefix ula = {
	.addr = { .s6_addr = { 0xfd, [15] = 0 } },
	.len = 64,
};

static struct ruleset_addresses all_addresses(void)
{
	hold(address_parse("203.0.113.5", &wan[0]) == 0);
	hold(address_parse("2001:db8:f::5", &wan[1]) == 0);
	hold(prefix_parse("192.168.0.0/16", &snats[0].source) == 0);
	hold(prefix_parse("192.168.1.12", &snats[1].source) == 0);
	hold(prefix_parse("10.0.0.0/8", &vpn) == 0);
	snats[0].to = snats[1].to = wan[0];
	snats[1].one_to_one = true;
	return (struct ruleset_addresses){
		.wan = { wan, 2 },
		.masquerade6 = &ula,
		.n_masquerade6 = 1,
		.snat = { snats, 2, &vpn, 1 },
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
		.symmetry = how & SYMMETRIC ? SYMMETRY_ALL : SYMMETRY_UDP,
	};

	if (o.input_drop)
		o.open[o.n_open++] = (struct open_port){ IPPROTO_TCP, 22 };
	return o;
}

/** struct example - a mapping in words; @at, @from may be NULL */
struct example {
	uint16_t port, n_ports;
	const char *to, *at, *from;
};

static struct mapping mapping_of(const struct example *e)
{
	struct mapping m = {
		.protocol = IPPROTO_TCP,
		.external.port = e->port,
		.n_ports = e->n_ports,
		.enabled = true,
		.origin = ORIGIN_ADMIN,
	};
	struct prefix from;

	hold(endpoint_parse(e->to, &m.internal) == 0);
	if (e->at)
		hold(address_parse(e->at, &m.external.addr) == 0);
	if (e->from) {
		hold(prefix_parse(e->from, &from) == 0);
		hold(details_new("", "", &from, 1, &m.details) == 0);
	}
	mapping_resolve(&m);
	return m;
}

/* One of each kind. */
static struct table *make_table(void)
{
	static const uint8_t seed[16] = { 1 };
	static const struct example mappings[] = {
		{ 8080, 1, "192.168.1.10:80", NULL, NULL },
		{ 53, 1, "[fd00::10]:53", NULL, NULL },
		{ 443, 1, "[2001:db8::10]:443", NULL, NULL },
		{ 8080, 1, "192.168.1.11:80", NULL, "198.51.100.0/24" },
		{ 7000, 1, "192.168.1.10:70", "203.0.113.5", NULL },
		{ 5000, 101, "192.168.1.10:5000", NULL, NULL },
		{ 8443, 1, "[fd00::11]:443", NULL, "2001:db8:c::/48" },
		{ 7000, 1, "[fd00::10]:70", "2001:db8:f::5", NULL },
		{ 5000, 101, "[fd00::10]:5000", NULL, NULL },
		{ 444, 1, "[2001:db8::10]:444", NULL, "2001:db8:c::/48" },
		{ 6000, 101, "[2001:db8::10]:6000", NULL, NULL },
	};
	struct table *table = table_new(16, seed);

	hold(table);
	for (size_t i = 0; i < sizeof(mappings) / sizeof(mappings[0]); i++) {
		struct mapping m = mapping_of(&mappings[i]);

		m.id = table_next_id(table);
		hold(table_load(table, &m) == 0);
		details_unref(m.details);
	}
	return table;
}

static void on_endpoint(const struct endpoint *external)
{
	char text[ENDPOINT_STRLEN];

	hold(endpoint_format(external, text)[0]);
}

static void on_slot(void *userdata, const struct ruleset_slot *slot)
{
	char text[PREFIX_STRLEN];

	hold(slot->kind < MAPPING_KINDS);
	on_endpoint(&slot->external);
	on_endpoint(&slot->internal);
	hold(prefix_format(&slot->remote, text)[0]);
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

	r = ruleset_sync(rs, &options, &addresses, table, 7, on_slot, NULL, &report,
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

	hold(ruleset_counters(rs, on_slot, NULL) <= 0);
	hold(ruleset_figures(rs, &figures) <= 0);
	hold(ruleset_sequence(rs, &sequence) <= 0);
	hold(ruleset_missed(rs, &missed) <= 0);
	hold(ruleset_elements(rs, on_slot, NULL) <= 0);
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
		  .mapping = mapping_of(
			  &(struct example){ 8443, 1, "192.168.1.11:443", NULL, NULL }) },
		{ .kind = CHANGE_REMOVE, .selector.id = 4 },
	};
	const struct conditions at = {
		.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP,
		.listeners_known = true,
	};
	const struct change_list list = { .changes = changes, .n = 3, .room = 3 };
	struct ruleset_fault why = { "" };
	struct plan *plan;

	hold(table_stage(table, &list, 1, &at, &plan) == 0);
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
