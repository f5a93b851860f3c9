/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * When the connection tracker need not be read: natd/gateway/ending.h, struct
 * ending_memory
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>
#include <string.h>

#include "natd/gateway/ending.h"
#include "tests/fake/parts.h"

static struct ending_memory memory;
static struct table *table;
static struct in6_addr wan[1];

static struct address_list wan_addresses(void *userdata)
{
	return (struct address_list){ .addrs = wan, .n = 1 };
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	return 1;
}

static void set_up(void)
{
	static const uint8_t seed[16] = { 1 };

	fake = (struct fake_parts){ .missed = 4711 };
	memory = (struct ending_memory){ 0 };
	table = table_new(100, seed);
	cr_assert_not_null(table);
	cr_assert_eq(address_parse("203.0.113.5", &wan[0]), 0);
}

static void tear_down(void)
{
	table_free(table);
}

TestSuite(ending, .init = set_up, .fini = tear_down);

/* A connection that ends at the gateway itself, since no mapping was there for it. */
static void enter_untranslated(uint16_t port)
{
	struct connection *c = &fake.entries[fake.n_entries++];

	*c = (struct connection){ .protocol = IPPROTO_TCP, .id = port };
	cr_assert_eq(endpoint_parse("198.51.100.7:1", &c->orig_src), 0);
	c->orig_dst = (struct endpoint){ .addr = wan[0], .port = port };
	c->reply_src = c->orig_dst;
	c->reply_dst = c->orig_src;
}

static int run(uint16_t port, bool additions, bool everywhere)
{
	struct engine_parts parts = {
		.table = table,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.memory = &memory,
	};
	const struct mapping m = {
		.external = { .addr = address_any4, .port = port },
		.protocol = IPPROTO_TCP,
		.n_ports = 1,
	};
	struct ending ending = { .additions = additions };
	size_t ended;
	int r;

	cr_assert_eq(ending_add(&ending, &m, false, NULL), 0);
	r = ending_run(&ending, &parts, everywhere, &ended);
	ending_done(&ending);
	return r;
}

/* Return: was the connection tracker read? */
static bool looks(uint16_t port, bool additions)
{
	int before = fake.dumps;

	cr_assert_eq(run(port, additions, false), 0);
	return fake.dumps > before;
}

Test(ending, the_first_look_spares_the_next)
{
	cr_expect(looks(80, true), "nothing is known yet");
	cr_expect_not(looks(80, true));
	cr_expect_not(looks(81, true), "nor for another port");
}

Test(ending, looks_again_when_somebody_met_no_mapping)
{
	looks(80, true);
	fake.missed++;
	cr_expect(looks(81, true));
	cr_expect_not(looks(82, true));
}

Test(ending, looks_whenever_something_was_removed)
{
	looks(80, true);
	cr_expect(looks(80, false));
}

Test(ending, looks_for_a_port_towards_which_it_left_a_connection)
{
	enter_untranslated(22);
	looks(80, true);
	cr_expect_not(looks(81, true));
	cr_expect(looks(22, true));
}

Test(ending, remembers_what_is_looked_at_everywhere)
{
	enter_untranslated(22);
	cr_assert_eq(run(80, true, true), 0);
	cr_expect_not(looks(81, true));
	cr_expect(looks(22, true));
}

Test(ending, remembers_nothing_when_the_kernel_cannot_tell)
{
	fake.missed = 0;
	looks(80, true);
	cr_expect(looks(81, true));
	fake.missed = 1;
	cr_expect(looks(82, true));
	fake.missed = 0;
	cr_expect(looks(83, true), "set back");
}

Test(ending, remembers_nothing_of_a_look_that_failed)
{
	fake.fail_dump = ENOMEM;
	cr_expect_eq(run(80, true, false), -ENOMEM);
	fake.fail_dump = 0;
	cr_expect(looks(81, true));
}

Test(ending, remembers_nothing_of_a_look_that_was_torn)
{
	fake.fail_dump = EINTR;
	cr_expect_eq(run(80, true, false), -EINTR);
	fake.fail_dump = 0;
	cr_expect(looks(81, true));
}

Test(ending, remembers_nothing_when_an_end_failed)
{
	enter_untranslated(22);
	fake.entries[0].status = IPS_DST_NAT;
	fake.fail_delete = EBUSY;
	cr_expect_eq(run(22, false, false), -EBUSY);
	fake.fail_delete = 0;
	cr_expect(looks(81, true));
}
