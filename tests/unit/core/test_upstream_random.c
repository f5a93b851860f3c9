/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Whatever happens, in whatever order: when it is quiet again the routers hold what is
 * wanted, and nothing else of ours, and the store has a row for each. Beside that all
 * that up_world.c looks at with every step. NATD_TEST_SEED repeats a run; with
 * NATD_TEST_LONG there are a million steps.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "up_world.h"

TestSuite(upstream_random, .fini = up_world_end);

#define STEPS	   10000
#define STEPS_LONG 1000000
#define EPISODE	   150
#define MAPPINGS   10
#define PORTS	   6
#define WEEK	   (8 * 24 * HOUR)

static struct mapping table[MAPPINGS];
static bool in_table[MAPPINGS];
static bool linked[2];

static struct sim_router *any_router(void)
{
	return &W.routers[up_below(2)];
}

/* ------------------------------------------------------------ what may happen */

static void change_mapping(void)
{
	const size_t i = up_below(MAPPINGS);
	const uint8_t protocol = up_below(2) ? IPPROTO_TCP : IPPROTO_UDP;

	if (in_table[i] && up_below(3) == 0) {
		in_table[i] = false;
		up_forget(i + 1);
		return;
	}
	table[i] = up_mapping(i + 1, protocol, (uint16_t)(8000 + up_below(PORTS)),
			      (uint16_t)(1 + (up_below(4) ? 0 : up_below(3))));
	table[i].auto_port = up_below(3) == 0;
	table[i].upstream = (uint8_t)up_below(4);
	table[i].enabled = up_below(5) != 0;
	in_table[i] = true;
	up_follow(&table[i]);
}

static void change_options(void)
{
	switch (up_below(4)) {
	case 0:
		W.options.policy = up_below(6) ? UPSTREAM_ALL : up_below(3);
		break;
	case 1:
		W.options.enable = up_below(5) != 0;
		break;
	case 2:
		W.options.other_port = up_below(2);
		break;
	default:
		W.options.lifetime = 120 + up_below(1000);
	}
	so(upstream_configure(W.up, &W.options, W.now) == 0);
}

static void set_links(void)
{
	static const char *const sources[2][2] = { { "192.168.0.2", "192.168.0.3" },
						   { "10.0.0.2", "10.0.0.3" } };
	static const char *const gateways[2] = { "192.168.0.1", "10.0.0.1" };
	static const char *const wans[2] = { "wan0", "wan1" };

	W.n_links = 0;
	for (unsigned int i = 0; i < 2; i++) {
		if (linked[i])
			up_link(wans[i], 2 + i, gateways[i],
				sources[i][up_below(8) == 0]);
	}
	up_links_changed();
}

static void change_links(void)
{
	linked[0] = up_below(4) != 0;
	linked[1] = up_below(4) != 0;
	set_links();
}

static void announce(const struct sim_router *router)
{
	if (!router->up)
		return;
	if (router->speaks & SIM_PCP)
		up_announce(ANSWER_PCP_ANNOUNCE, router);
	if (router->speaks & SIM_NATPMP)
		up_announce(ANSWER_NATPMP_ANNOUNCE, router);
	if (router->speaks & SIM_IGD)
		up_announce(ANSWER_SSDP_ALIVE, router);
}

static void reset_router(struct sim_router *router)
{
	static const unsigned int speaks[] = {
		SIM_PCP, SIM_NATPMP,	     SIM_PCP | SIM_NATPMP,
		SIM_IGD, SIM_IGD | SIM_IGD2, SIM_NATPMP | SIM_IGD
	};

	sim_restart(router, W.now);
	router->speaks = speaks[up_below(6)];
	if (up_below(2))
		announce(router);
}

static void change_habits(struct sim_router *router)
{
	static const unsigned int errors[] = { 0, 0, 2, 8, 10 };

	router->pcp_error = errors[up_below(5)];
	router->natpmp_error = router->pcp_error ? 4 : 0;
	router->igd_error = router->pcp_error ? 501 : 0;
	router->error_lifetime = up_below(2) * 30;
	router->only_permanent = up_below(4) == 0;
	router->lease_max = up_below(3) ? 0 : 60 + up_below(600);
	router->quota = up_below(4) ? SIM_ENTRIES_MAX : up_below(8);
}

static void change_router(struct sim_router *router)
{
	static const char *const external[] = { "8.8.8.8", "9.9.9.9", "100.64.0.5" };

	switch (up_below(8)) {
	case 0:
		router->up = up_below(2);
		router->refusing = up_below(2);
		break;
	case 1:
		reset_router(router);
		break;
	case 2:
		sim_restart(router, W.now);
		announce(router);
		break;
	case 3:
		address_parse(external[up_below(3)], &router->external);
		break;
	case 4:
		sim_foreign(router, IPPROTO_TCP, (uint16_t)(8000 + up_below(PORTS)));
		break;
	case 5:
		for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
			if (router->entries[i].foreign)
				router->entries[i].protocol = 0;
		}
		break;
	case 6:
		announce(router);
		break;
	default:
		change_habits(router);
	}
}

static void restart_natd(void)
{
	struct mapping left[MAPPINGS];
	size_t n = 0;

	for (size_t i = 0; i < MAPPINGS; i++) {
		if (in_table[i])
			left[n++] = table[i];
	}
	up_kill();
	up_start(left, n);
}

static void lose_worker(void)
{
	const enum worker_role role = up_below(2) ? WORKER_IGD : WORKER_DATAGRAM;

	if (role == WORKER_IGD)
		W.igd_busy = 0;
	memset(W.sent, 0, sizeof(W.sent));
	upstream_worker_gone(W.up, role, W.now);
}

static void change_weather(void)
{
	W.loss = up_below(3) ? 0 : up_below(60);
	W.delay = up_below(3) ? up_below(10) : up_below(800);
	W.store_fails = up_below(10) == 0;
}

static void step(void)
{
	const unsigned int what = up_below(20);

	if (what < 9)
		change_mapping();
	else if (what < 13)
		change_router(any_router());
	else if (what == 13)
		change_options();
	else if (what == 14)
		change_links();
	else if (what == 15)
		change_weather();
	else if (what == 16)
		restart_natd();
	else if (what == 17)
		lose_worker();
	up_run(up_below(3)    ? up_below(300)
	       : up_below(12) ? up_below(20000)
			      : 20 * MINUTE);
}

/* ------------------------------------------------------------ when it is quiet */

static void calm_down(void)
{
	W.loss = 0;
	W.delay = 3;
	W.store_fails = false;
	for (size_t r = 0; r < 2; r++) {
		struct sim_router *router = &W.routers[r];

		router->up = true;
		router->pcp_error = router->natpmp_error = router->igd_error = 0;
		router->only_permanent = false;
		router->lease_max = 0;
		router->quota = SIM_ENTRIES_MAX;
	}
	linked[0] = linked[1] = true;
	set_links();
	W.options.check = HOUR;
	so(upstream_configure(W.up, &W.options, W.now) == 0);
	up_run(WEEK);
}

static bool goes(const struct mapping *m)
{
	if (!W.options.enable || !m->enabled || m->upstream == UPSTREAM_NO)
		return false;
	return W.options.policy == UPSTREAM_ALL ||
	       (W.options.policy == UPSTREAM_CHOSEN && m->upstream != UPSTREAM_DEFAULT);
}

static bool may_have_other(const struct mapping *m)
{
	return m->n_ports == 1 && (m->auto_port || W.options.other_port);
}

/** struct wanted - a slot as it should be */
struct wanted {
	bool wanted, exact;
};

static struct wanted want(uint8_t protocol, uint16_t port)
{
	struct wanted ret = { 0 };

	for (size_t i = 0; i < MAPPINGS; i++) {
		const struct mapping *m = &table[i];

		if (!in_table[i] || !goes(m) || m->protocol != protocol ||
		    port < m->external.port || port > mapping_last_port(m))
			continue;
		ret.wanted = true;
		ret.exact |= !may_have_other(m);
	}
	return ret;
}

static bool is_taken(const struct sim_router *router, uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
		const struct sim_entry *entry = &router->entries[i];

		if (entry->protocol == protocol && entry->external_port == port &&
		    (entry->foreign || entry->internal_port != port))
			return true;
	}
	return false;
}

static const struct upstream_row *row_of(const struct sim_router *router,
					 uint8_t protocol,
					 const struct in6_addr *internal, uint16_t port)
{
	for (size_t i = 0; i < W.n_rows; i++) {
		const struct upstream_row *row = &W.rows[i];

		if (row->protocol == protocol && row->internal_port == port &&
		    address_equal(&row->router, &router->addr) &&
		    address_equal(&row->internal, internal))
			return row;
	}
	return NULL;
}

/* Return: whether it is there. */
static bool slot_must_be_right(size_t r, uint8_t protocol, uint16_t port)
{
	const struct sim_router *router = &W.routers[r];
	const struct in6_addr *internal = &W.links[r].source;
	const struct wanted wanted = want(protocol, port);
	const struct sim_entry *entry = sim_find(router, protocol, internal, port);
	const struct upstream_row *row = row_of(router, protocol, internal, port);

	so(!entry == !wanted.wanted ||
	   (wanted.exact && is_taken(router, protocol, port)));
	so(!row == !wanted.wanted);
	if (!entry)
		return false;
	so(!wanted.exact || entry->external_port == port);
	so(row->external_port == entry->external_port);
	so(!entry->has_nonce || row->speech != UPSTREAM_PCP ||
	   memcmp(row->nonce, entry->nonce, sizeof(row->nonce)) == 0);
	return true;
}

static void everything_must_be_right(void)
{
	size_t rows = 0;

	for (size_t r = 0; r < 2; r++) {
		size_t n = 0;

		sim_expire(&W.routers[r], W.now);
		for (uint16_t port = 8000; port < 8000 + PORTS + 3; port++) {
			n += slot_must_be_right(r, IPPROTO_TCP, port);
			n += slot_must_be_right(r, IPPROTO_UDP, port);
			rows += want(IPPROTO_TCP, port).wanted;
			rows += want(IPPROTO_UDP, port).wanted;
		}
		so(sim_ours(&W.routers[r]) == n);
		so(W.routers[r].wronged == 0);
	}
	so(W.n_rows == rows);
	so(upstream_pending(W.up) == 0);
}

static void begin_world(void)
{
	memset(in_table, 0, sizeof(in_table));
	linked[0] = linked[1] = true;
	up_world_prepare(SIM_PCP | SIM_NATPMP);
	sim_init(&W.routers[W.n_routers++], "10.0.0.1", "9.9.9.9", SIM_IGD);
	W.routers[1].ifindex = 3;
	W.options.check = 30 * SECOND;
	W.options.lifetime = 600;
	up_link("wan1", 3, "10.0.0.1", "10.0.0.2");
	up_start(NULL, 0);
}

Test(upstream_random, when_it_is_quiet_all_that_is_wanted_is_held_and_nothing_else)
{
	const bool is_long = getenv("NATD_TEST_LONG");
	const unsigned int steps = is_long ? STEPS_LONG : STEPS;

	if (!getenv("NATD_TEST_SEED"))
		cr_assert_eq(getrandom(&up_seed, sizeof(up_seed), 0), sizeof(up_seed));
	begin_world();
	for (unsigned int i = 1; i <= steps; i++) {
		step();
		if (i % EPISODE)
			continue;
		calm_down();
		everything_must_be_right();
		W.options.check = 30 * SECOND;
		so(upstream_configure(W.up, &W.options, W.now) == 0);
	}
}
