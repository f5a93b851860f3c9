/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../core/make.h"
#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/kernel/traffic.h"
#include "rules/conntrack.h"
#include "tests/fake/alloc.h"

/* The figures, with a store and a kernel that say what the test wants. */

static struct {
	struct {
		uint64_t id;
		struct store_traffic traffic;
	} rows[8];
	size_t n_rows;
	int fail_traffic, fail_put, fail_open, fail_read;
	struct connection over[8];
	size_t n_over;
	int fd;
} world;

static struct table *table;
static struct meter *meter;
static sd_event *event;
static struct in6_addr wan[1];

int store_traffic(struct store *store, store_on_traffic on_traffic, void *userdata)
{
	for (size_t i = 0; i < world.n_rows; i++)
		on_traffic(userdata, world.rows[i].id, &world.rows[i].traffic);
	return -world.fail_traffic;
}

int store_put_traffic(struct store *store, uint64_t id,
		      const struct store_traffic *traffic)
{
	size_t i = 0;

	if (world.fail_put)
		return -world.fail_put;
	while (i < world.n_rows && world.rows[i].id != id)
		i++;
	world.rows[i].id = id;
	world.rows[i].traffic = *traffic;
	world.n_rows += i == world.n_rows;
	return 0;
}

int conntrack_events_open(struct conntrack_events **ret)
{
	if (world.fail_open)
		return -world.fail_open;
	world.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*ret = (struct conntrack_events *)&world;
	return 0;
}

void conntrack_events_close(struct conntrack_events *events)
{
	if (events)
		close(world.fd);
}

int conntrack_events_fd(const struct conntrack_events *events)
{
	return world.fd;
}

int conntrack_events_read(struct conntrack_events *events, size_t most,
			  conntrack_entry on_entry, void *userdata)
{
	uint64_t value;

	(void)!read(world.fd, &value, sizeof(value));
	for (size_t i = 0; i < world.n_over; i++)
		on_entry(userdata, &world.over[i]);
	world.n_over = 0;
	return -world.fail_read;
}

static struct address_list wan_addresses(void *userdata)
{
	return (struct address_list){ .addrs = wan, .n = 1 };
}

static int open_meter(void)
{
	const struct meter_parts parts = {
		.event = event,
		.table = table,
		.wan_addresses = wan_addresses,
	};

	return meter_open(&parts, &meter);
}

static void set_up(void)
{
	log_level(LOG_EMERG);
	memset(&world, 0, sizeof(world));
	cr_assert_eq(address_parse("203.0.113.5", &wan[0]), 0);
	cr_assert_geq(sd_event_new(&event), 0);
	table = make_loaded("tcp 8080 192.168.1.10:80 web\n"
			    "udp 9000-9003 192.168.1.10:8000 wide");
	cr_assert_eq(open_meter(), 0);
}

static void tear_down(void)
{
	meter_close(meter);
	table_free(table);
	sd_event_unref(event);
}

TestSuite(traffic, .init = set_up, .fini = tear_down, .timeout = 60);

static struct connection *end(uint8_t protocol, uint16_t dialled, const char *server)
{
	struct connection *c = &world.over[world.n_over++];

	*c = (struct connection){
		.protocol = protocol,
		.status = IPS_DST_NAT,
		.in = { .packets = 3, .bytes = 300 },
		.out = { .packets = 5, .bytes = 5000 },
		.counted = true,
	};
	cr_assert_eq(endpoint_parse("198.51.100.7:1", &c->orig_src), 0);
	c->orig_dst = (struct endpoint){ .addr = wan[0], .port = dialled };
	cr_assert_eq(endpoint_parse(server, &c->reply_src), 0);
	c->reply_dst = c->orig_src;
	return c;
}

static void hear(void)
{
	uint64_t one = 1;

	cr_assert_eq(write(world.fd, &one, sizeof(one)), sizeof(one));
	cr_assert_gt(sd_event_run(event, 1000000), 0);
}

static struct store_traffic of(uint64_t id)
{
	const struct store_traffic *traffic = meter_of(meter, id);

	return traffic ? *traffic : (struct store_traffic){ 0 };
}

Test(traffic, what_is_over_is_added_to_its_mapping)
{
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	end(IPPROTO_UDP, 9003, "192.168.1.10:8003");
	end(IPPROTO_UDP, 9004, "192.168.1.10:8004");
	end(IPPROTO_TCP, 22, "192.168.1.10:22");
	hear();
	cr_expect_eq(of(1).connections, 2);
	cr_expect_eq(of(1).bytes_in, 600);
	cr_expect_eq(of(1).bytes_out, 10000);
	cr_expect_eq(of(1).packets_in, 6);
	cr_expect_eq(of(1).packets_out, 10);
	cr_expect_eq(of(2).connections, 1);
	cr_expect_null(meter_of(meter, 3));
}

/* It began through this mapping, which led elsewhere then. */
Test(traffic, a_change_of_the_host_takes_nothing_away)
{
	end(IPPROTO_TCP, 8080, "192.168.1.66:80")->start = UINT64_C(2000) * 1000000000;
	end(IPPROTO_TCP, 8080, "192.168.1.66:80")->start = UINT64_C(500) * 1000000000;
	end(IPPROTO_TCP, 8080, "192.168.1.66:80");
	hear();
	cr_expect_eq(of(1).connections, 1, "%lu", of(1).connections);
}

Test(traffic, figures_go_on_from_what_the_store_has)
{
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	hear();
	cr_assert_eq(meter_save(meter), 0);
	meter_close(TAKE(meter));
	cr_assert_eq(world.n_rows, 1);
	cr_assert_eq(open_meter(), 0);
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	hear();
	cr_expect_eq(of(1).connections, 2);
	cr_expect_eq(of(1).bytes_in, 600);
}

Test(traffic, saving_takes_what_waits_and_only_what_is_new)
{
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	cr_assert_eq(meter_save(meter), 0);
	cr_expect_eq(world.n_rows, 1, "the last word was not heard");
	world.n_rows = 0;
	cr_assert_eq(meter_save(meter), 0);
	cr_expect_eq(world.n_rows, 0);
}

Test(traffic, what_could_not_be_saved_is_saved_later)
{
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	world.fail_put = ENOMEM;
	cr_expect_eq(meter_save(meter), -ENOMEM);
	world.fail_put = 0;
	cr_expect_eq(meter_save(meter), 0);
	cr_expect_eq(world.n_rows, 1);
}

Test(traffic, figures_go_with_their_mapping)
{
	struct change_list list = make_list("-tcp 8080");
	struct plan *plan;

	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	hear();
	cr_assert_eq(table_stage(table, &list, 1, &ordinary, &plan), 0);
	table_commit(table, plan);
	meter_committed(meter, plan);
	plan_free(plan);
	change_list_done(&list);
	cr_expect_null(meter_of(meter, 1));
	/* and a row that the store still has is nobody's */
	world.rows[0].id = 1;
	world.n_rows = 1;
	meter_close(TAKE(meter));
	cr_assert_eq(open_meter(), 0);
	cr_expect_null(meter_of(meter, 1));
}

Test(traffic, what_the_kernel_could_not_say_is_counted_as_lost)
{
	world.fail_read = ENOBUFS;
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	hear();
	cr_expect_eq(meter_lost(meter), 1);
	cr_expect_eq(of(1).connections, 1, "what it said all the same");
	world.fail_read = 0;
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	hear();
	cr_expect_eq(of(1).connections, 2);
}

Test(traffic, without_memory_it_is_lost_and_the_next_is_not)
{
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	alloc_fail_at(1, false);
	hear();
	cr_expect_eq(alloc_fail_at(0, false), 1);
	cr_expect_eq(meter_lost(meter), 1);
	end(IPPROTO_TCP, 8080, "192.168.1.10:80");
	hear();
	cr_expect_eq(of(1).connections, 1);
}

Test(traffic, what_cannot_be_opened_is_said)
{
	meter_close(TAKE(meter));
	world.fail_open = EMFILE;
	cr_expect_eq(open_meter(), -EMFILE);
	world.fail_open = 0;
	world.fail_traffic = EIO;
	cr_expect_eq(open_meter(), -EIO);
	world.fail_traffic = EUCLEAN;
	cr_expect_eq(open_meter(), 0, "the others are good");
}

static bool starve(unsigned int nth)
{
	bool failed;
	int r;

	alloc_fail_at(nth, false);
	r = open_meter();
	failed = alloc_fail_at(0, false) > 0;
	cr_expect_eq(r, failed ? -ENOMEM : 0, "allocation %u: %d", nth, r);
	if (r == 0)
		meter_close(TAKE(meter));
	return failed;
}

Test(traffic, without_memory_there_is_none)
{
	unsigned int nth = 1;

	meter_close(TAKE(meter));
	world.rows[0].id = 1;
	world.n_rows = 1;
	while (starve(nth))
		cr_assert_lt(++nth, 100);
	cr_expect_geq(nth, 3);
}
