/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/teardown.h"

#include <errno.h>
#include <ifaddrs.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/uplink.h"
#include "natd/workers/confine.h"

/* how often it is looked whether all is given back */
#define LOOK_USEC 20000

struct teardown {
	struct upstream_link links[UPSTREAM_LINKS_MAX];
	size_t n_links, n_rows;
	struct uplink *uplink;
	sd_event *event;
};

/* ------------------------------------------------------------ links */

static bool is_known(const struct teardown *t, const struct upstream_row *row)
{
	for (size_t i = 0; i < t->n_links; i++) {
		if (!strcmp(t->links[i].wan, row->wan) &&
		    address_equal(&t->links[i].gateway, &row->router))
			return true;
	}
	return false;
}

/* The WANs as the rows name them: that a row is there says that it was one. */
static void on_row(void *userdata, const struct upstream_row *row)
{
	struct teardown *t = userdata;
	struct upstream_link *link = &t->links[t->n_links];
	const unsigned int ifindex = if_nametoindex(row->wan);

	t->n_rows++;
	if (!ifindex || is_known(t, row) || t->n_links == ARRAY_SIZE(t->links))
		return;
	*link = (struct upstream_link){ .ifindex = ifindex, .gateway = row->router };
	memcpy(link->wan, row->wan, sizeof(link->wan));
	t->n_links++;
}

static bool read_address(const struct ifaddrs *ifa, struct in6_addr *ret)
{
	if (!ifa->ifa_addr)
		return false;
	if (ifa->ifa_addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)ifa->ifa_addr;

		*ret = address_any4;
		memcpy(&ret->s6_addr[12], &in->sin_addr, 4);
		return true;
	}
	if (ifa->ifa_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)ifa->ifa_addr;

		*ret = in6->sin6_addr;
		return !address_is_link_local(ret);
	}
	return false;
}

static void take_address(struct upstream_link *link, const char *name,
			 const struct in6_addr *addr)
{
	if (strcmp(link->wan, name) ||
	    address_is_ipv4(addr) != address_is_ipv4(&link->gateway) ||
	    link->n_addresses == ARRAY_SIZE(link->addresses))
		return;
	if (!link->n_addresses)
		link->source = *addr;
	link->addresses[link->n_addresses++] = *addr;
}

static int add_addresses(struct teardown *t)
{
	struct ifaddrs *all;
	size_t n = 0;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next) {
		struct in6_addr addr;

		for (size_t i = 0; read_address(ifa, &addr) && i < t->n_links; i++)
			take_address(&t->links[i], ifa->ifa_name, &addr);
	}
	freeifaddrs(all);
	/* without an address of ours nobody can be asked */
	for (size_t i = 0; i < t->n_links; i++) {
		if (t->links[i].n_addresses)
			t->links[n++] = t->links[i];
	}
	t->n_links = n;
	return 0;
}

/* ------------------------------------------------------------ withdrawing */

static bool may_write(void *userdata)
{
	return true;
}

static void on_happened(void *userdata, const struct upstream_event *event)
{
}

static bool is_done(const struct teardown *t)
{
	return upstream_pending(uplink_upstream(t->uplink)) == 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct teardown *t = userdata;

	/* the rows of what was given back are written within a second */
	if (is_done(t) && uplink_saved(t->uplink))
		return sd_event_exit(t->event, 0);
	sd_event_source_set_time_relative(source, LOOK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct teardown *t = userdata;

	return sd_event_exit(t->event, 0);
}

static int run(struct teardown *t)
{
	const uint64_t late = TEARDOWN_SECONDS * UINT64_C(1000000);
	const uint64_t now = uplink_now(t->uplink);
	int r;

	r = upstream_set_links(uplink_upstream(t->uplink), t->links, t->n_links, now);
	if (r < 0)
		return r;
	upstream_withdraw(uplink_upstream(t->uplink), now);
	uplink_begin(t->uplink);
	r = sd_event_add_time_relative(t->event, NULL, CLOCK_MONOTONIC, 0, 0, on_look, t);
	if (r >= 0)
		r = sd_event_add_time_relative(t->event, NULL, CLOCK_MONOTONIC, late, 0,
					       on_late, t);
	if (r >= 0)
		r = sd_event_loop(t->event);
	return r < 0 ? r : 0;
}

static int start(struct teardown *t, struct store *store, const struct nursery *nursery,
		 struct lease_clock *clock)
{
	const struct uplink_parts parts = {
		.event = t->event,
		.nursery = nursery,
		.store = store,
		.clock = clock,
		.may_write = may_write,
		.happened = on_happened,
		.userdata = t,
	};
	struct upstream_options options;
	struct lease_anchor anchor;
	int r;

	upstream_options_default(&options);
	store_anchor(store, &anchor);
	/* without the boot id it goes by the wall clock */
	(void)lease_clock_begin(clock, &anchor);
	r = uplink_new(&parts, &options, &t->uplink);
	return r < 0 ? r : run(t);
}

static void count(void *userdata, const struct upstream_row *row)
{
	++*(size_t *)userdata;
}

/* What needs more than natd has while it runs has been done: interfaces are known by
 * name and address. */
static int shut_in(const struct reach *reach)
{
	struct confine_fault why = { "" };
	struct confined confined;
	int r;

	r = confine(CONFINE_NATD, reach->paths, reach->n, &confined, &why);
	if (r < 0)
		log_error("%s.", why.text);
	return r;
}

int teardown_withdraw(struct store *store, const struct nursery *nursery,
		      const struct reach *reach, struct teardown_result *ret)
{
	struct lease_clock clock = { 0 };
	struct teardown t = { 0 };
	size_t left = 0;
	int r;

	r = store_upstream(store, on_row, &t);
	if (r < 0 && r != -EUCLEAN)
		return r;
	r = add_addresses(&t);
	if (r == 0)
		r = shut_in(reach);
	if (r == 0 && t.n_rows)
		r = sd_event_new(&t.event);
	if (r >= 0 && t.n_rows)
		r = start(&t, store, nursery, &clock);
	uplink_free(t.uplink);
	sd_event_unref(t.event);
	/* also those of an interface that is not there, whose router nobody asked */
	if (r >= 0)
		r = store_upstream(store, count, &left);
	if (r < 0 && r != -EUCLEAN)
		return r;
	*ret = (struct teardown_result){
		.withdrawn = t.n_rows - left,
		.left = left,
		.damaged = store_upstream_damaged(store),
	};
	return 0;
}
