/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What an IGD is asked, pinholes, and other habits of routers of that kind.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "up_world.h"

TestSuite(upstream_igd, .fini = up_world_end);

#define expect_state(id, is) cr_expect_eq(up_view(id).state, UPSTREAM_STATE_##is)

static void follow(uint64_t id, uint16_t port)
{
	const struct mapping m = up_mapping(id, IPPROTO_TCP, port, 1);

	up_follow(&m);
}

static struct mapping pinhole(uint64_t id, const char *host, uint16_t port)
{
	struct mapping m = {
		.id = id, .protocol = IPPROTO_TCP, .n_ports = 1, .enabled = true
	};

	m.external.port = m.internal.port = port;
	so(address_parse(host, &m.internal.addr) == 0);
	m.external.addr = address_any6;
	mapping_resolve(&m);
	return m;
}

static const struct sim_entry *held(uint16_t port)
{
	return sim_find(&W.routers[0], IPPROTO_TCP, &W.links[0].source, port);
}

Test(upstream_igd, an_entry_is_read_before_it_is_made)
{
	up_world_begin(SIM_IGD);
	follow(1, 8080);
	up_run(20 * SECOND);
	cr_assert_eq(W.jobs[JOB_IGD_READ], 1);
	cr_assert_eq(W.jobs[JOB_IGD_MAP], 1);
	cr_expect_leq(W.times[JOB_IGD_READ][0], W.times[JOB_IGD_MAP][0]);
	cr_expect_eq(W.last[JOB_IGD_MAP].flags, JOB_FLAG_EXACT);
	cr_expect_str_eq(W.last[JOB_IGD_MAP].text, "natd");
	cr_expect_str_eq(W.last[JOB_IGD_MAP].url, W.routers[0].url);
	cr_expect_str_eq(W.rows[0].url, W.routers[0].url);
}

Test(upstream_igd, an_entry_that_is_ours_already_is_no_conflict)
{
	up_world_begin(SIM_IGD);
	follow(1, 8080);
	up_run(20 * SECOND);
	up_kill();
	W.n_rows = 0; /* the store was lost */
	up_start(NULL, 0);
	follow(1, 8080);
	up_run(20 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
}

Test(upstream_igd, a_lease_that_is_not_taken_is_asked_for_without_an_end)
{
	static const bool cases[][2] = { { true, false }, { false, true } };

	for (size_t i = 0; i < 2; i++) {
		up_world_prepare(SIM_IGD);
		W.routers[0].only_permanent = cases[i][0];
		W.routers[0].no_lease = cases[i][1];
		up_start(NULL, 0);
		follow(1, 8080);
		up_run(20 * SECOND);
		expect_state(1, MAPPED);
		cr_expect_eq(up_view(1).expires, 0);
		cr_expect_eq(W.jobs[JOB_IGD_MAP], 2);
		cr_expect_eq(W.last[JOB_IGD_MAP].lifetime, 0);
		follow(2, 8081);
		up_run(20 * SECOND);
		expect_state(2, MAPPED);
		cr_expect_eq(W.jobs[JOB_IGD_MAP], 3, "it is remembered");
		up_forget(1);
		up_forget(2);
		up_run(20 * SECOND);
		cr_expect_eq(sim_ours(&W.routers[0]), 0);
		up_world_end();
	}
}

Test(upstream_igd, errors_are_said_in_words_with_their_number)
{
	static const struct {
		unsigned int code;
		const char *words;
	} cases[] = {
		{ 402, "does not take" },     { 501, "fails at it" },
		{ 606, "does not allow it" }, { 715, "remote host" },
		{ 726, "any remote host" },   { 727, "all ports" },
		{ 728, "no free port" },      { 799, "a reason that UPnP does not know" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char number[16];

		up_world_prepare(SIM_IGD | SIM_IGD2);
		W.routers[0].igd_error = cases[i].code;
		up_start(NULL, 0);
		follow(1, 8080);
		up_run(20 * SECOND);
		expect_state(1, REFUSED);
		snprintf(number, sizeof(number), "(UPnP %u)", cases[i].code);
		cr_expect(strstr(up_view(1).why, cases[i].words), "%s", up_view(1).why);
		cr_expect(strstr(up_view(1).why, number), "%s", up_view(1).why);
		W.routers[0].igd_error = 0;
		up_run(6 * MINUTE);
		expect_state(1, MAPPED);
		up_world_end();
	}
}

Test(upstream_igd, a_port_of_another_client_is_left_alone)
{
	up_world_begin(SIM_IGD);
	sim_foreign(&W.routers[0], IPPROTO_TCP, 8080);
	follow(1, 8080);
	up_run(20 * SECOND);
	expect_state(1, REFUSED);
	cr_expect_str_eq(up_view(1).why,
			 "port 8080 is taken by another client of the router");
	cr_expect_eq(W.jobs[JOB_IGD_MAP], 0);
	up_forget(1);
	up_run(20 * SECOND);
	cr_expect_eq(W.jobs[JOB_IGD_UNMAP], 0);
	cr_expect_eq(W.routers[0].wronged, 0);
}

Test(upstream_igd, where_entries_cannot_be_read_the_router_says_what_is_taken)
{
	up_world_prepare(SIM_IGD);
	W.routers[0].unreadable = true;
	up_start(NULL, 0);
	sim_foreign(&W.routers[0], IPPROTO_TCP, 8080);
	follow(1, 8080);
	follow(2, 8081);
	up_run(20 * SECOND);
	expect_state(1, REFUSED);
	cr_expect_str_eq(up_view(1).why,
			 "port 8080 is taken by another client of the router (718)");
	expect_state(2, MAPPED);
}

static void take_all_but_low_ports(void)
{
	for (uint16_t i = 0; i < SIM_ENTRIES_MAX / 2; i++)
		sim_foreign(&W.routers[0], IPPROTO_TCP, (uint16_t)(1024 + i));
}

Test(upstream_igd, another_port_is_on_disk_before_it_is_asked_for)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 1024, 1);

	m.auto_port = true;
	up_world_begin(SIM_IGD);
	take_all_but_low_ports();
	up_follow(&m);
	up_run(20 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_geq(up_view(1).external.port, 1024);
	cr_expect_eq(W.rows[0].external_port, up_view(1).external.port);
	cr_expect_eq(held(1024)->external_port, up_view(1).external.port);
	cr_expect_eq(W.routers[0].wronged, 0);
	up_kill();
	up_start(&m, 1);
	up_run(20 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
}

Test(upstream_igd, what_is_gone_from_the_table_is_made_again)
{
	up_world_begin(SIM_IGD);
	follow(1, 8080);
	up_run(20 * SECOND);
	sim_restart(&W.routers[0], W.now);
	up_run(62 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_not_null(held(8080));
}

Test(upstream_igd, what_another_client_took_meanwhile_is_not_taken_back)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	m.upstream = UPSTREAM_REQUIRED;
	up_world_begin(SIM_IGD);
	up_follow(&m);
	up_run(20 * SECOND);
	cr_expect(up_last(UPSTREAM_EVENT_HELD)->held);
	sim_foreign(&W.routers[0], IPPROTO_TCP, 8080);
	up_run(2 * MINUTE);
	expect_state(1, REFUSED);
	cr_expect_not(up_last(UPSTREAM_EVENT_HELD)->held);
	up_forget(1);
	up_run(MINUTE);
	cr_expect_eq(W.routers[0].wronged, 0);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_igd, a_lease_is_renewed_at_half_by_reading_and_making)
{
	up_world_begin(SIM_IGD);
	W.options.check = 2 * HOUR;
	upstream_configure(W.up, &W.options, W.now);
	follow(1, 8080);
	up_run(2 * HOUR - 10 * SECOND);
	cr_assert_eq(W.jobs[JOB_IGD_MAP], 2);
	cr_expect_geq(W.times[JOB_IGD_MAP][1] - W.times[JOB_IGD_MAP][0], 3600 * SECOND);
	cr_expect_leq(W.times[JOB_IGD_MAP][1] - W.times[JOB_IGD_MAP][0], 3601 * SECOND);
	expect_state(1, MAPPED);
}

Test(upstream_igd, each_check_reads_one_back_in_turn)
{
	bool seen[3] = { false };

	up_world_prepare(SIM_IGD);
	W.routers[0].only_permanent = true;
	up_start(NULL, 0);
	for (uint16_t i = 0; i < 3; i++)
		follow(1 + i, (uint16_t)(8080 + i));
	up_run(20 * SECOND);
	for (int i = 0; i < 3; i++) {
		const size_t before = W.jobs[JOB_IGD_READ];

		up_run(MINUTE);
		cr_assert_eq(W.jobs[JOB_IGD_READ] - before, 1);
		seen[W.last[JOB_IGD_READ].external_port - 8080] = true;
	}
	cr_expect(seen[0] && seen[1] && seen[2]);
}

Test(upstream_igd, another_boot_is_told_by_alive)
{
	up_world_begin(SIM_IGD);
	follow(1, 8080);
	follow(2, 8081);
	up_run(15 * SECOND);
	sim_restart(&W.routers[0], W.now);
	up_announce(ANSWER_SSDP_ALIVE, &W.routers[0]);
	up_run(5 * SECOND);
	cr_expect_eq(sim_ours(&W.routers[0]), 2);
}

Test(upstream_igd, a_farewell_and_alive_under_another_url_is_a_router_found_again)
{
	up_world_begin(SIM_IGD);
	follow(1, 8080);
	up_run(15 * SECOND);
	sim_restart(&W.routers[0], W.now);
	W.routers[0].boot_id = 0;
	up_announce(ANSWER_SSDP_BYEBYE, &W.routers[0]);
	strcpy(W.routers[0].url, "http://192.168.0.1:6000/rootDesc.xml");
	up_announce(ANSWER_SSDP_ALIVE, &W.routers[0]);
	up_run(MINUTE);
	expect_state(1, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	cr_expect_str_eq(W.rows[0].url, W.routers[0].url);
}

Test(upstream_igd, a_farewell_and_alive_at_the_same_place_is_another_boot)
{
	up_world_prepare(SIM_IGD);
	W.routers[0].boot_id = 0;
	up_start(NULL, 0);
	follow(1, 8080);
	up_run(15 * SECOND);
	sim_restart(&W.routers[0], W.now);
	W.routers[0].boot_id = 0;
	up_announce(ANSWER_SSDP_BYEBYE, &W.routers[0]);
	up_announce(ANSWER_SSDP_ALIVE, &W.routers[0]);
	up_run(5 * SECOND);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
}

/* A worker that dies of each job is bounded: the slot is as if it were not answered. */
Test(upstream_igd, a_worker_that_dies_of_it_is_no_answer)
{
	up_world_begin(SIM_IGD);
	up_run(15 * SECOND);
	cr_assert(up_link_view(0).found);
	W.delay = 3600 * SECOND;
	follow(1, 8080);
	for (int i = 0; i < 20; i++) {
		up_run(SECOND);
		if (W.igd_busy) {
			W.igd_busy = 0;
			upstream_worker_gone(W.up, WORKER_IGD, W.now);
		}
	}
	cr_expect_leq(W.jobs[JOB_IGD_READ], 4);
	cr_expect_neq(up_view(1).state, UPSTREAM_STATE_MAPPED);
	upstream_worker_gone(W.up, WORKER_IGD, W.now);
}

Test(upstream_igd, an_answer_that_never_comes_is_given_up)
{
	up_world_begin(SIM_IGD);
	up_run(15 * SECOND);
	follow(1, 8080);
	W.delay = 100 * HOUR;
	up_run(SECOND);
	cr_assert_eq(W.jobs[JOB_IGD_READ], 1);
	W.igd_busy = 0;
	up_run(29 * SECOND);
	expect_state(1, UNANSWERED);
}

/* ------------------------------------------------------------ IPv6 */

static void add_ipv6(unsigned int speaks)
{
	sim_init(&W.routers[W.n_routers++], "fe80::1", "::", speaks);
	up_link("wan0", 2, "fe80::1", "2001:db8:1::2");
}

Test(upstream_igd, a_pinhole_goes_by_pcp_for_its_host)
{
	const struct mapping m = pinhole(1, "2001:db8:5::10", 443);

	up_world_prepare(SIM_IGD | SIM_PINHOLE);
	add_ipv6(SIM_PCP);
	up_start(&m, 1);
	up_run(30 * SECOND);
	expect_state(1, MAPPED);
	cr_expect(up_is(W.last[JOB_PCP_MAP].internal, "2001:db8:5::10"));
	cr_expect(up_is(W.last[JOB_PCP_MAP].source, "2001:db8:1::2"));
	cr_expect(up_is(up_view(1).external.addr, "2001:db8:5::10"));
	cr_expect_eq(sim_ours(&W.routers[1]), 1);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	up_forget(1);
	up_run(MINUTE);
	cr_expect_eq(sim_ours(&W.routers[1]), 0);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_igd, a_pinhole_goes_by_the_igd_of_that_wan_where_pcp_is_not_spoken)
{
	const struct mapping m = pinhole(1, "2001:db8:5::10", 443);

	up_world_prepare(SIM_IGD | SIM_IGD2 | SIM_PINHOLE);
	add_ipv6(0);
	up_start(&m, 1);
	up_run(MINUTE);
	expect_state(1, MAPPED);
	cr_expect_eq(up_view(1).speech, UPSTREAM_IGD);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	cr_expect_eq(W.rows[0].unique, 1);
	cr_expect_eq(W.last[JOB_IGD_PINHOLE].unique, 0);
	up_run(90 * MINUTE);
	cr_expect_eq(W.jobs[JOB_IGD_PINHOLE], 2);
	cr_expect_eq(W.last[JOB_IGD_PINHOLE].unique, 1, "renewed under its number");
	up_kill();
	up_start(&m, 1);
	up_run(MINUTE);
	expect_state(1, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	cr_expect_eq(W.n_rows, 1);
	up_forget(1);
	up_run(MINUTE);
	cr_expect_eq(sim_ours(&W.routers[0]), 0);
	cr_expect_eq(W.n_rows, 0);
}

Test(upstream_igd, a_pinhole_that_the_router_forgot_is_made_anew)
{
	const struct mapping m = pinhole(1, "2001:db8:5::10", 443);

	up_world_prepare(SIM_IGD | SIM_IGD2 | SIM_PINHOLE);
	add_ipv6(0);
	up_start(&m, 1);
	up_run(MINUTE);
	sim_restart(&W.routers[0], W.now);
	up_announce(ANSWER_SSDP_ALIVE, &W.routers[0]);
	up_run(5 * SECOND);
	expect_state(1, MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	cr_expect_eq(W.rows[0].unique, 2);
}

Test(upstream_igd, without_a_firewall_to_ask_there_is_no_router_for_a_pinhole)
{
	const struct mapping m = pinhole(1, "2001:db8:5::10", 443);

	up_world_prepare(SIM_IGD | SIM_IGD2);
	add_ipv6(0);
	up_start(&m, 1);
	up_run(10 * MINUTE);
	expect_state(1, NO_ROUTER);
	cr_expect_eq(W.jobs[JOB_IGD_PINHOLE], 0);
	cr_expect_eq(W.n_rows, 0);
}
