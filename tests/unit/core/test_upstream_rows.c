/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What is read back of the store is not trusted.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "up_world.h"

TestSuite(upstream_rows, .fini = up_world_end);

static struct upstream_row a_row(enum upstream_speech speech)
{
	struct upstream_row row = {
		.id = 1,
		.wan = "wan0",
		.internal_port = 80,
		.protocol = IPPROTO_TCP,
		.speech = (uint8_t)speech,
	};

	address_parse("192.168.0.1", &row.router);
	address_parse("192.168.0.2", &row.internal);
	row.external = address_any4;
	if (speech == UPSTREAM_IGD)
		strcpy(row.url, "http://192.168.0.1:5000/rootDesc.xml");
	return row;
}

static void flaw_is(const struct upstream_row *row, const char *flaw)
{
	if (flaw)
		cr_expect_str_eq(upstream_row_flaw(row), flaw);
	else
		cr_expect_null(upstream_row_flaw(row));
}

Test(upstream_rows, of_each_protocol_are_fine)
{
	for (unsigned int speech = 0; speech < UPSTREAM_SPEECHES; speech++) {
		const struct upstream_row row = a_row(speech);

		flaw_is(&row, NULL);
	}
}

Test(upstream_rows, with_numbers_that_are_none_are_flawed)
{
	struct upstream_row row = a_row(UPSTREAM_PCP);

	row.id = 0;
	flaw_is(&row, "its number is none");
	row.id = UINT64_C(1) << 63;
	flaw_is(&row, "its number is none");
	row = a_row(UPSTREAM_PCP);
	row.internal_port = 0;
	flaw_is(&row, "it has no port");
	row = a_row(UPSTREAM_PCP);
	row.protocol = IPPROTO_ICMP;
	flaw_is(&row, "no mapping has such a protocol");
	row = a_row(UPSTREAM_PCP);
	row.speech = UPSTREAM_SPEECHES;
	flaw_is(&row, "there is no such protocol of routers");
}

Test(upstream_rows, without_an_interface_or_an_end_of_a_text_are_flawed)
{
	struct upstream_row row = a_row(UPSTREAM_PCP);

	row.wan[0] = '\0';
	flaw_is(&row, "it has no interface");
	memset(row.wan, 'w', sizeof(row.wan));
	flaw_is(&row, "it has no interface");
	row = a_row(UPSTREAM_IGD);
	memset(row.url, 'u', sizeof(row.url));
	flaw_is(&row, "its URL has no end");
}

Test(upstream_rows, whose_addresses_do_not_go_together_are_flawed)
{
	struct upstream_row row = a_row(UPSTREAM_PCP);

	row.router = address_any4;
	flaw_is(&row, "an address is missing");
	row = a_row(UPSTREAM_PCP);
	row.external = address_any6;
	flaw_is(&row, "its addresses are of two families");
	row = a_row(UPSTREAM_PCP);
	address_parse("fe80::1", &row.router);
	flaw_is(&row, "router and internal address are of two families");
	row = a_row(UPSTREAM_NATPMP);
	address_parse("fe80::1", &row.router);
	address_parse("2001:db8::2", &row.internal);
	row.external = address_any6;
	flaw_is(&row, "NAT-PMP has TCP and UDP over IPv4 only");
}

Test(upstream_rows, that_have_what_their_protocol_has_not_are_flawed)
{
	struct upstream_row row = a_row(UPSTREAM_PCP);

	row.unique = 1;
	flaw_is(&row, "only UPnP has a URL and pinholes with numbers");
	row = a_row(UPSTREAM_NATPMP);
	row.protocol = IPPROTO_SCTP;
	flaw_is(&row, "NAT-PMP has TCP and UDP over IPv4 only");
	row = a_row(UPSTREAM_IGD);
	row.protocol = IPPROTO_SCTP;
	flaw_is(&row, "UPnP has no such protocol");
	row = a_row(UPSTREAM_IGD);
	row.unique = 1;
	flaw_is(&row, "only a pinhole has a number");
	row = a_row(UPSTREAM_IGD);
	strcpy(row.url, "http://192.168.0.9:5000/rootDesc.xml");
	flaw_is(&row, "its URL is not the router's");
	row = a_row(UPSTREAM_IGD);
	row.epoch_at = 1;
	flaw_is(&row, "UPnP has no epochs");
}

/* A router may be in its first second. */
Test(upstream_rows, with_an_epoch_that_was_told_at_no_time_are_flawed)
{
	struct upstream_row row = a_row(UPSTREAM_NATPMP);

	row.epoch_at = 1;
	flaw_is(&row, NULL);
	row.epoch = UINT32_MAX;
	flaw_is(&row, NULL);
	row.epoch_at = 0;
	flaw_is(&row, "its epoch is of no time");
}

Test(upstream_rows, that_are_flawed_or_there_already_are_not_restored)
{
	struct upstream_row row = a_row(UPSTREAM_PCP);

	up_world_begin(SIM_PCP);
	cr_expect_eq(upstream_restore(W.up, &row), 0);
	cr_expect_eq(upstream_restore(W.up, &row), -EINVAL, "its number twice");
	row.id = 2;
	cr_expect_eq(upstream_restore(W.up, &row), -EINVAL, "its slot twice");
	row.internal_port = 0;
	cr_expect_eq(upstream_restore(W.up, &row), -EINVAL);
}

/* What was told and could not be written is told again, with what came since. */
Test(upstream_rows, are_told_until_they_are_saved)
{
	struct upstream_row row;
	bool gone;

	up_world_prepare(SIM_PCP);
	W.store_fails = true;
	up_start(NULL, 0);
	for (uint16_t i = 1; i <= 3; i++) {
		const struct mapping m =
			up_mapping(i, IPPROTO_TCP, (uint16_t)(8000 + i), 1);

		up_follow(&m);
	}
	up_run(SECOND);
	for (int again = 0; again < 3; again++) {
		for (int i = 0; i < 3; i++) {
			cr_assert(upstream_next_row(W.up, &row, &gone));
			cr_expect_not(gone);
			cr_expect_eq(row.external_port, 0);
		}
		cr_expect_not(upstream_next_row(W.up, &row, &gone));
	}
	up_forget(2);
	up_run(SECOND);
	W.store_fails = false;
	up_run(SECOND);
	cr_expect_eq(W.n_rows, 2);
	cr_expect_eq(sim_ours(&W.routers[0]), 2);
	cr_expect_not(upstream_next_row(W.up, &row, &gone));
}

/* What was told, and then not written, is told again. */
Test(upstream_rows, are_told_in_pieces_and_anew)
{
	struct upstream_row row, first;
	size_t n = 0;
	bool gone;

	up_world_begin(SIM_PCP);
	W.store_fails = true;
	for (uint16_t port = 1; port <= 20; port++) {
		const struct mapping m = up_mapping(port, IPPROTO_TCP, port, 1);

		up_follow(&m);
	}
	up_run(SECOND);
	upstream_rows_anew(W.up);
	cr_assert(upstream_next_row(W.up, &first, &gone));
	cr_assert(upstream_next_row(W.up, &row, &gone));
	upstream_rows_anew(W.up);
	cr_assert(upstream_next_row(W.up, &row, &gone));
	cr_expect_eq(row.id, first.id);
	up_save(&row, gone);
	upstream_rows_saved(W.up, W.now);
	while (upstream_next_row(W.up, &row, &gone)) {
		cr_expect_neq(row.id, first.id);
		n++;
	}
	cr_expect_eq(n, 19);
}

/* As when a cable is pulled, or the WAN comes up after natd. */
Test(upstream_rows, of_a_link_that_comes_back_are_held_at_once)
{
	struct mapping m = up_mapping(1, IPPROTO_TCP, 8080, 1);

	m.upstream = UPSTREAM_REQUIRED;
	up_world_begin(SIM_PCP);
	up_follow(&m);
	up_run(SECOND);
	cr_assert_eq(up_view(1).state, UPSTREAM_STATE_MAPPED);
	up_kill();
	W.n_links = 0;
	m.held = true;
	up_start(&m, 1);
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_NO_ROUTER);
	up_run(MINUTE);
	cr_expect_eq(W.jobs[JOB_PCP_MAP], 1);
	W.n_links = 1;
	up_links_changed();
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_MAPPED);
	up_run(SECOND);
	cr_expect_eq(up_view(1).state, UPSTREAM_STATE_MAPPED);
	cr_expect_eq(sim_ours(&W.routers[0]), 1);
	cr_expect_eq(W.n_rows, 1);
}
