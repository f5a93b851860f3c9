/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/cleanup.h"
#include "random_world.h"

uint64_t world_seed;
static uint64_t random_state;

static const char *const hosts[] = { "192.168.1.10", "192.168.1.11", "fd00::10",
				     "2001:db8::10", "2001:db8::11" };
static const char *const suffixes[] = { "::10", "::11" };
static const char *const given[] = { "203.0.113.5", "203.0.113.6", "2001:db8:f::5" };
static const char *const names[] = { "", "", "", "a", "b", "c", "d" };
static const char *const comments[] = { "", "", "seen" };
static const char *const lans[] = { "", "lan0", "lan1" };
static const char *const prefixes[] = { "::", "2001:db8::", "2001:db8:1::" };

static const char *const remotes4[][3] = {
	{ "10.0.0.0/8" },
	{ "10.1.0.0/16" },
	{ "10.0.0.0/8", "198.51.100.0/24" },
	{ "10.1.0.0/16", "10.1.2.0/24" },
	{ "10.1.2.0/24" },
};
static const char *const remotes6[][3] = {
	{ "2001:db8:a::/48" },
	{ "2001:db8:a:1::/64" },
	{ "2001:db8:a::/48", "2001:db8:a:1::/64" },
};

static const char *const dialled[WORLD_DIALLED] = {
	"203.0.113.5",	  "203.0.113.6",    "203.0.113.7",
	"2001:db8:f::5",  "2001:db8::10",   "2001:db8::11",
	"2001:db8:1::10", "2001:db8:1::11", "192.168.1.10",
};
static const char *const remotes[WORLD_REMOTES] = {
	"10.9.9.9", "10.1.9.9",	       "10.1.2.3",	  "198.51.100.1",
	"8.8.8.8",  "2001:db8:a:9::1", "2001:db8:a:1::1", "2001:db8:b::1",
};
struct in6_addr world_dialled[WORLD_DIALLED];
struct in6_addr world_remotes[WORLD_REMOTES];

static struct rights *who[4];
static struct lan_prefix lan_prefixes[2] = { { .lan = "lan0" }, { .lan = "lan1" } };
static struct lan_prefix_list lan_list = { lan_prefixes, 2 };
static struct conditions conditions;
static struct listener listeners[3];

/* splitmix64: a run must be repeatable from its seed alone */
unsigned int below(unsigned int n)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned int)((z ^ z >> 31) % n);
}

#define one_of(array) ((array)[below(ARRAY_SIZE(array))])

static uint64_t choose_seed(void)
{
	const char *text = getenv("NATD_TEST_SEED");
	uint64_t chosen;

	if (text)
		return strtoull(text, NULL, 10);
	cr_assert_eq(getrandom(&chosen, sizeof(chosen), 0), (ssize_t)sizeof(chosen));
	return chosen;
}

static struct in6_addr address_of(const char *text)
{
	struct in6_addr addr;

	cr_assert_eq(address_parse(text, &addr), 0, "%s", text);
	return addr;
}

static struct rights *make_rights(uint32_t uid, bool all, size_t n)
{
	struct grant grants[] = {
		{ .rule = "first",
		  .map = { { 1, 5 }, { 1000, 2001 } },
		  .n_map = 2,
		  .n_internal = 2,
		  .privileged = true,
		  .quota = 6,
		  .max_lifetime = 50 },
		{ .rule = "second",
		  .map = { { 3, 8 }, { 2000, 2003 } },
		  .n_map = 2,
		  .quota = GRANT_UNLIMITED,
		  .privileged = true,
		  .max_lifetime = GRANT_UNLIMITED },
		{ .rule = "third",
		  .map = { { 1, 65535 } },
		  .n_map = 1,
		  .quota = 3,
		  .max_lifetime = 1000 },
	};

	prefix_parse("192.168.1.10/32", &grants[0].internal[0]);
	prefix_parse("2001:db8::/32", &grants[0].internal[1]);
	return rights_new(uid, all, grants, n);
}

void world_set_up(void)
{
	random_state = world_seed = choose_seed();
	fprintf(stderr, "NATD_TEST_SEED=%" PRIu64 "\n", world_seed);
	for (size_t i = 0; i < WORLD_DIALLED; i++)
		world_dialled[i] = address_of(dialled[i]);
	for (size_t i = 0; i < WORLD_REMOTES; i++)
		world_remotes[i] = address_of(remotes[i]);
	who[0] = make_rights(1000, true, 0);
	who[1] = make_rights(1001, false, 1);
	who[2] = make_rights(1002, false, 3);
	who[3] = make_rights(1003, false, 0);
	conditions = (struct conditions){ .now = 1000, .lease_now = 5000 };
}

void world_tear_down(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(who); i++)
		rights_unref(who[i]);
}

static void random_listeners(void)
{
	static const char *const locals[] = { "0.0.0.0", "::", "203.0.113.5",
					      "192.168.1.1" };
	const size_t n = below(ARRAY_SIZE(listeners) + 1);

	for (size_t i = 0; i < n; i++)
		listeners[i] = (struct listener){
			.local = { address_of(one_of(locals)),
				   (uint16_t)(1 + below(WORLD_PORTS)) },
			.protocol = below(2) ? IPPROTO_TCP : IPPROTO_UDP,
			.v6only = below(2),
			.inode = (uint32_t)i,
		};
	qsort(listeners, n, sizeof(listeners[0]), listener_compare);
	conditions.listeners = (struct listener_list){ listeners, n };
	conditions.listeners_known = below(10);
}

const struct conditions *world_conditions(void)
{
	static const struct port_range pool[] = { { 5, 9 }, { 2000, 2003 } };
	static const struct port_range reserved[] = { { 6, 6 }, { 2001, 2001 } };

	conditions.now += below(3);
	conditions.lease_now += below(20000);
	conditions.protocols = below(10) ? 0x0f : PROTOCOL_BIT_TCP;
	conditions.pool = (struct port_list){ pool, 1 + below(2) };
	conditions.reserved = (struct port_list){ reserved, below(3) };
	conditions.wan = (struct address_list){ world_dialled, WORLD_WANS };
	conditions.lans = lan_list;
	conditions.upstream = below(4);
	conditions.random = below(UINT32_MAX);
	random_listeners();
	return &conditions;
}

uint64_t world_soon(void)
{
	return conditions.lease_now + below(20000);
}

const struct lan_prefix_list *world_change_lans(void)
{
	lan_list.n = below(8) ? 2 : below(2);
	lan_prefixes[0].prefix = address_of(one_of(prefixes));
	lan_prefixes[1].prefix = address_of(prefixes[below(2) * 2]);
	return &lan_list;
}

/* ------------------------------------------------------------------- requests */

static size_t random_remotes(bool ipv4, struct prefix ret[3])
{
	const char *const *texts = ipv4 ? remotes4[below(ARRAY_SIZE(remotes4))]
					: remotes6[below(ARRAY_SIZE(remotes6))];
	size_t n = 0;

	for (; n < 3 && texts[n]; n++)
		cr_assert_eq(prefix_parse(texts[n], &ret[n]), 0, "%s", texts[n]);
	return n;
}

static void random_details(struct mapping *m)
{
	const bool ipv4 = address_is_ipv4(&m->internal.addr);
	const char *lan = m->suffix ? one_of(lans) : below(60) ? "" : "lan0";
	struct prefix prefixes_wanted[3];
	size_t n = 0;

	if (below(3) == 0)
		n = random_remotes(below(60) ? ipv4 : !ipv4, prefixes_wanted);
	m->details = model_details(lan, one_of(comments), prefixes_wanted, n);
}

static void random_internal(struct mapping *m)
{
	m->suffix = below(4) == 0;
	m->internal.addr = address_of(m->suffix ? one_of(suffixes) : one_of(hosts));
}

static void random_ports(struct mapping *m)
{
	m->n_ports = below(3) ? 1 : (uint16_t)below(4);
	if (below(100) == 0)
		m->n_ports = 5000;
	if (below(5))
		m->external.port = (uint16_t)(1 + below(WORLD_PORTS));
	m->internal.port = (uint16_t)(1 + below(WORLD_PORTS));
	if (m->external.port && below(2))
		m->internal.port = m->external.port;
}

static struct change random_add(void)
{
	struct change change = { .kind = CHANGE_ADD, .force = below(4) == 0 };
	struct mapping *m = &change.mapping;

	change.drain = below(2);
	change.protocols = (uint8_t)(below(10) ? 1 + below(3) : 1 + below(15));
	random_internal(m);
	random_ports(m);
	random_details(m);
	if (below(4) == 0)
		m->external.addr = address_of(one_of(given));
	strcpy(m->name, one_of(names));
	m->origin = below(5) ? ORIGIN_ADMIN : ORIGIN_CONFIG;
	m->owner_uid = 1000 + below(3);
	m->enabled = below(4);
	m->created = below(2) * below(1000);
	m->lifetime = below(3) ? 0 : 10 + below(60);
	m->upstream = (uint8_t)(below(3) ? UPSTREAM_DEFAULT : below(4));
	return change;
}

static void random_selector(const struct model *model, struct selector *s)
{
	const unsigned int kind = below(8);

	if (kind <= 2 && model->n > 0)
		s->id = model->mappings[below((unsigned int)model->n)].id +
			(below(4) == 0);
	if (kind == 3 || kind == 4)
		strcpy(s->name, one_of(names));
	if (kind >= 4)
		s->port = (uint16_t)(1 + below(WORLD_PORTS));
	if (kind >= 5 || below(4) == 0)
		s->protocol = below(2) ? IPPROTO_TCP : IPPROTO_UDP;
}

static struct change random_remove(const struct model *model)
{
	struct change change = { .kind = CHANGE_REMOVE, .config_too = below(2) };

	change.drain = below(2);
	change.expired = below(4) == 0;
	random_selector(model, &change.selector);
	return change;
}

static struct change random_update(const struct model *model)
{
	struct change change = { .kind = CHANGE_UPDATE, .config_too = below(2) };
	struct patch *patch = &change.patch;

	change.drain = below(2);
	random_selector(model, &change.selector);
	patch->set = below(3) ? 1u << below(7) : below(128);
	patch->enabled = below(2);
	patch->held = below(2);
	patch->upstream = (uint8_t)below(4);
	patch->lifetime = below(2) * (10 + below(60));
	strcpy(patch->name, one_of(names));
	patch->suffix = below(3) == 0;
	patch->details = model_details(one_of(lans), one_of(comments), NULL, 0);
	patch->internal.addr =
		address_of(patch->suffix ? one_of(suffixes) : one_of(hosts));
	patch->internal.port = (uint16_t)below(WORLD_PORTS);
	patch->n_ports = (uint16_t)(below(4) ? 0 : 1 + below(3));
	return change;
}

struct change_list world_list(const struct model *model)
{
	struct change_list list = { 0 };
	const unsigned int n = 1 + below(4);

	if (below(2))
		list.rights = rights_ref(who[below(8) ? below(3) : 3]);
	for (unsigned int i = 0; i < n; i++) {
		const unsigned int kind = below(8);
		struct change change = kind < 5	  ? random_add()
				       : kind < 6 ? random_remove(model)
						  : random_update(model);

		cr_assert_eq(change_list_add(&list, &change), 0);
	}
	return list;
}
