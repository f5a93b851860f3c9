/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Can the internet reach a WAN?
 */

#include <string.h>

#include "up_world.h"

TestSuite(upstream_verdict, .fini = up_world_end);

/** struct verdict_case - a WAN as it is, and what is to be said of it */
struct verdict_case {
	const char *source;
	unsigned int speaks;
	const char *external;
	const char *stun;
	size_t mappings;
	enum upstream_verdict verdict;
	const char *words;
};

static const struct verdict_case cases[] = {
	{ "9.9.9.2", 0, "", "", 0, UPSTREAM_PUBLIC, "9.9.9.2 is a public address" },
	{ "9.9.9.2", 0, "", "9.9.9.2", 0, UPSTREAM_PUBLIC, "nobody says otherwise" },
	{ "9.9.9.2", 0, "", "5.5.5.5", 0, UPSTREAM_BEHIND_NAT,
	  "9.9.9.2 looks public, but the internet sees 5.5.5.5" },
	{ "9.9.9.2", SIM_PCP, "9.9.9.2", "", 1, UPSTREAM_PUBLIC, "public address" },
	{ "9.9.9.2", SIM_NATPMP, "8.8.8.8", "", 1, UPSTREAM_MAPPED, "1 port" },
	{ "192.168.0.2", 0, "", "", 1, UPSTREAM_BEHIND_NAT,
	  "192.168.0.2 is a private address (RFC 1918), and the router 192.168.0.1 does "
	  "not answer (PCP, NAT-PMP, UPnP)" },
	{ "192.168.0.2", SIM_PCP, "8.8.8.8", "", 4, UPSTREAM_MAPPED,
	  "the router 192.168.0.1 holds 4 ports for us at 8.8.8.8" },
	{ "192.168.0.2", SIM_PCP, "8.8.8.8", "8.8.8.8", 1, UPSTREAM_MAPPED, "holds" },
	{ "192.168.0.2", SIM_PCP, "8.8.8.8", "7.7.7.7", 1, UPSTREAM_BEHIND_NAT,
	  "but the internet sees 7.7.7.7: another NAT is above it" },
	{ "192.168.0.2", SIM_PCP, "100.64.3.2", "", 1, UPSTREAM_BEHIND_NAT,
	  "has 100.64.3.2, an address of a provider's own NAT (RFC 6598): another NAT is "
	  "above it" },
	{ "192.168.0.2", SIM_NATPMP, "10.0.0.4", "", 1, UPSTREAM_BEHIND_NAT, "10.0.0.4" },
	{ "192.168.0.2", SIM_NATPMP, "203.0.113.4", "", 1, UPSTREAM_BEHIND_NAT,
	  "examples" },
	{ "192.168.0.2", SIM_NATPMP, "198.18.0.1", "", 1, UPSTREAM_BEHIND_NAT,
	  "laboratories" },
	{ "192.168.0.2", SIM_NATPMP, "8.8.8.8", "", 0, UPSTREAM_BEHIND_NAT,
	  "holds nothing for us: nothing is asked of it" },
};

static void check(const struct verdict_case *c)
{
	struct upstream_link_view view;

	up_world_prepare(c->speaks);
	address_parse(c->source, &W.links[0].source);
	W.links[0].addresses[0] = W.links[0].source;
	if (c->external[0])
		address_parse(c->external, &W.routers[0].external);
	if (c->stun[0]) {
		address_parse("1.1.1.1", &W.options.stun.addr);
		W.options.stun.port = 3478;
		address_parse(c->stun, &W.stun_sees);
	}
	up_start(NULL, 0);
	for (size_t i = 0; i < c->mappings; i++) {
		const struct mapping m =
			up_mapping(1 + i, IPPROTO_TCP, (uint16_t)(80 + i), 1);

		up_follow(&m);
	}
	up_run(20 * SECOND);
	view = up_link_view(0);
	cr_expect_eq(view.verdict, c->verdict, "%s %s: %s", c->source, c->external,
		     view.why);
	cr_expect(strstr(view.why, c->words), "%s: %s", c->words, view.why);
	cr_expect_eq(strchr(view.why, '\n'), NULL);
	up_world_end();
}

Test(upstream_verdict, is_one_of_four_with_its_reason)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

Test(upstream_verdict, is_unknown_while_nobody_has_answered)
{
	up_world_begin(0);
	cr_expect_eq(up_link_view(0).verdict, UPSTREAM_UNKNOWN);
	cr_expect_str_eq(up_link_view(0).why,
			 "the router 192.168.0.1 has not answered yet");
}

Test(upstream_verdict, says_why_nothing_is_held)
{
	const struct mapping m = up_mapping(1, IPPROTO_TCP, 80, 1);

	up_world_prepare(SIM_PCP);
	W.routers[0].pcp_error = 2;
	up_start(&m, 1);
	up_run(SECOND);
	cr_expect_eq(up_link_view(0).verdict, UPSTREAM_BEHIND_NAT);
	cr_expect_str_eq(up_link_view(0).why,
			 "the router 192.168.0.1 holds nothing for us: the router does "
			 "not allow it (PCP 2)");
}

Test(upstream_verdict, of_a_wan_where_nobody_is_asked)
{
	up_world_prepare(SIM_PCP);
	W.options.enable = false;
	up_start(NULL, 0);
	cr_expect_eq(up_link_view(0).verdict, UPSTREAM_BEHIND_NAT);
	cr_expect(strstr(up_link_view(0).why, "is not to be asked"));
}

Test(upstream_verdict, of_ipv6_is_none)
{
	up_world_prepare(SIM_PCP);
	up_link("wan0", 2, "fe80::1", "2001:db8:1::2");
	sim_init(&W.routers[W.n_routers++], "fe80::1", "::", 0);
	up_start(NULL, 0);
	up_run(MINUTE);
	cr_expect_eq(up_link_view(1).verdict, UPSTREAM_UNKNOWN);
	cr_expect(strstr(up_link_view(1).why, "(PCP)"), "%s", up_link_view(1).why);
}

Test(upstream_verdict, stun_is_asked_three_times_and_with_every_check)
{
	up_world_prepare(SIM_PCP);
	address_parse("1.1.1.1", &W.options.stun.addr);
	W.options.stun.port = 3478;
	up_start(NULL, 0);
	up_run(10 * SECOND);
	cr_expect_eq(W.jobs[JOB_STUN_BIND], 3);
	cr_expect(up_is(W.last[JOB_STUN_BIND].router, "1.1.1.1"));
	cr_expect_eq(W.last[JOB_STUN_BIND].router_port, 3478);
	address_parse("8.8.8.8", &W.stun_sees);
	up_run(5 * MINUTE);
	cr_expect_eq(W.jobs[JOB_STUN_BIND], 8);
	cr_expect(up_is(up_link_view(0).stun, "8.8.8.8"));
	W.stun_sees = address_any4;
	up_run(5 * MINUTE);
	cr_expect(up_is(up_link_view(0).stun, "0.0.0.0"), "it is not known any more");
}

/* Anybody on the link can announce in the router's name. */
Test(upstream_verdict, an_announced_address_is_asked_for_before_it_is_believed)
{
	const struct mapping m = up_mapping(1, IPPROTO_TCP, 80, 1);
	struct sim_router forged;
	size_t told;

	up_world_begin(SIM_NATPMP);
	up_follow(&m);
	up_run(MINUTE);
	cr_assert_eq(up_count(UPSTREAM_EVENT_MAPPED), 1);
	told = up_count(UPSTREAM_EVENT_ADDRESS);
	forged = W.routers[0];
	W.jobs[JOB_NATPMP_ADDRESS] = 0;
	for (uint8_t i = 1; i <= 100; i++) {
		forged.external.s6_addr[15] = i;
		up_announce(ANSWER_NATPMP_ANNOUNCE, &forged);
		up_run(SECOND / 10);
	}
	cr_expect_eq(up_count(UPSTREAM_EVENT_ADDRESS), told);
	cr_expect_leq(W.jobs[JOB_NATPMP_ADDRESS], 12);
	W.routers[0].external.s6_addr[15] ^= 1;
	up_announce(ANSWER_NATPMP_ANNOUNCE, &W.routers[0]);
	up_run(2 * SECOND);
	cr_expect_eq(up_count(UPSTREAM_EVENT_ADDRESS), told + 1);
}

Test(upstream_verdict, nobody_is_asked_where_no_gateway_is)
{
	struct mapping m;

	up_world_prepare(SIM_PCP);
	W.links[0].gateway = address_any4;
	up_start(NULL, 0);
	m = up_mapping(1, IPPROTO_TCP, 8080, 1);
	up_follow(&m);
	up_run(HOUR);
	for (unsigned int kind = 0; kind < JOB_KINDS; kind++)
		cr_expect_eq(W.jobs[kind], 0, "kind %u", kind);
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_NO_ROUTER);
	cr_expect_eq(up_link_view(0).tries, 0);
	cr_expect_eq(up_link_view(0).verdict, UPSTREAM_BEHIND_NAT);
	cr_expect_str_eq(up_link_view(0).why,
			 "192.168.0.2 is a private address (RFC 1918), and no router is "
			 "known above it");
}

/* It says that it speaks NAT-PMP, and as soon as it is asked again that it does not. */
Test(upstream_verdict, a_router_that_comes_and_goes_is_told_of_less_and_less)
{
	size_t told;

	up_world_begin(SIM_NATPMP);
	for (int i = 0; i < 3600; i++) {
		W.routers[0].speaks = i % 2 ? SIM_NATPMP : SIM_PCP;
		up_announce(i % 2 ? ANSWER_NATPMP_ANNOUNCE : ANSWER_PCP_ANNOUNCE,
			    &W.routers[0]);
		up_run(SECOND);
	}
	told = up_count(UPSTREAM_EVENT_FOUND) + up_count(UPSTREAM_EVENT_LOST);
	cr_expect_lt(told, 40, "%zu events in an hour", told);
	W.routers[0].speaks = SIM_NATPMP;
	up_run(20 * MINUTE);
	cr_expect(up_link_view(0).found, "steady again, it is found");
}
