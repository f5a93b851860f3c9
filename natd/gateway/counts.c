/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * counts - what the kernel tells of every mapping at one moment
 *
 * One dump of the connection tracker and one of the elements' counters, whatever the
 * number of mappings. With accounting the dump and what natd has kept of connections that
 * are over are enough.
 */

#include "natd/gateway/counts_private.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/kernel/traffic.h"

DEFINE_CLEANUP(counts_free, struct counts *)

static int compare_counts(const void *left, const void *right)
{
	const struct count *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

struct count *counts_of(const struct counts *counts, uint64_t id)
{
	const struct count wanted = { .id = id };

	return bsearch(&wanted, counts->of, counts->n, sizeof(wanted), compare_counts);
}

static int count_connection(void *userdata, const struct connection *c)
{
	struct counts *counts = userdata;
	const struct mapping *m;
	struct count *count;

	m = connection_mapping(counts->gw->table, &counts->wan, c);
	if (!m || !connection_follows(c, m))
		return 0;
	count = counts_of(counts, m->id);
	if (!count)
		return 0;
	count->connections++;
	count->bytes_in += c->in.bytes;
	count->bytes_out += c->out.bytes;
	return 0;
}

static int read_kernel(struct counts *counts, struct gateway *gw)
{
	int r;

	r = conntrack_dump(gw->conntrack, count_connection, counts);
	if (r < 0 && r != -EINTR) {
		log_debug("Connections could not be counted: %s.", strerror(-r));
		for (size_t i = 0; i < counts->n; i++)
			counts->of[i].connections = -1;
	}
	return counts->accounting ? 0 : counts_read_elements(counts, gw);
}

/* ------------------------------------------------------------ the world around */

static bool concerns(const struct foreign_chain *chain, bool ipv6, bool ourselves)
{
	if (chain->hook != (ourselves ? NF_INET_LOCAL_IN : NF_INET_FORWARD))
		return false;
	return chain->family == NFPROTO_INET ||
	       chain->family == (ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

static void note_foreign(struct counts *counts, const struct gateway *gw)
{
	for (size_t i = 0; i < gw->n_foreign; i++) {
		foreign_chain_format(&gw->foreign[i], counts->texts[i]);
		for (int ipv6 = 0; ipv6 < 2; ipv6++)
			for (int ourselves = 0; ourselves < 2; ourselves++) {
				struct blocking *b = &counts->blocking[ipv6][ourselves];

				if (concerns(&gw->foreign[i], ipv6, ourselves))
					b->texts[b->n++] = counts->texts[i];
			}
	}
}

static void note_local(struct counts *counts, const struct gateway *gw)
{
	const struct link *links;
	size_t n;

	links = links_list(gw->links, &n);
	for (size_t i = 0; i < n; i++)
		counts->n_local += links_addresses(
			gw->links, links[i].name, counts->local + counts->n_local,
			ARRAY_SIZE(counts->local) - counts->n_local);
}

/* Borrowed lists are copied: a long list is written over many turns of the loop. */
static int note_addresses(struct counts *counts, const struct gateway *gw)
{
	const struct address_list wan = links_wan_addresses(gw->links);

	counts->wan_addresses = calloc(wan.n + 1, sizeof(*counts->wan_addresses));
	if (!counts->wan_addresses)
		return -ENOMEM;
	if (wan.n)
		memcpy(counts->wan_addresses, wan.addrs, wan.n * sizeof(*wan.addrs));
	counts->wan = (struct address_list){ counts->wan_addresses, wan.n };
	return 0;
}

static int note_listeners(struct counts *counts, struct gateway *gw)
{
	struct listener_list all;

	counts->listeners_known = gateway_listeners(gw, PROTOCOL_BITS, &all);
	if (!counts->listeners_known)
		return 0;
	counts->listeners = calloc(all.n + 1, sizeof(*counts->listeners));
	if (!counts->listeners)
		return -ENOMEM;
	if (all.n)
		memcpy(counts->listeners, all.listeners, all.n * sizeof(*all.listeners));
	counts->listener_list = (struct listener_list){ counts->listeners, all.n };
	return 0;
}

static void note_time(struct counts *counts, const struct gateway *gw)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	counts->now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	counts->lease_now = lease_clock_now(&gw->clock);
}

/* ------------------------------------------------------------ the mappings */

static unsigned int group_of(enum mapping_kind kind)
{
	if (kind < MAPPING_FORWARD6_FROM)
		return 0;
	return kind < MAPPING_PINHOLE6_FROM ? 1 : 2;
}

unsigned int counts_group(const struct mapping *m)
{
	unsigned int protocol = 0;

	while (protocol < PROTOCOL_COUNT - 1 && protocol_at(protocol) != m->protocol)
		protocol++;
	return protocol * KIND_GROUPS + group_of(mapping_kind(m));
}

static int note_mappings(struct counts *counts, const struct table *table)
{
	const struct mapping *m;

	counts->of = calloc(table_size(table) + 1, sizeof(*counts->of));
	if (!counts->of)
		return -ENOMEM;
	memset(counts->foremost, MAPPING_KINDS, sizeof(counts->foremost));
	table_for_each (table, m) {
		uint8_t *foremost = &counts->foremost[counts_group(m)];

		counts->of[counts->n++] = (struct count){ .id = m->id, .total = -1 };
		if (mapping_is_live(m) && mapping_kind(m) < *foremost)
			*foremost = (uint8_t)mapping_kind(m);
	}
	return 0;
}

int gateway_counts(struct gateway *gw, struct counts **ret)
{
	CLEANUP(counts_free) struct counts *counts = calloc(1, sizeof(*counts));
	int r;

	if (!counts)
		return -ENOMEM;
	counts->gw = gw;
	counts->accounting = gw->meter;
	note_time(counts, gw);
	r = note_addresses(counts, gw);
	if (r == 0)
		r = note_mappings(counts, gw->table);
	if (r == 0 && counts->n)
		r = note_listeners(counts, gw);
	if (r == 0 && counts->n)
		r = read_kernel(counts, gw);
	if (r < 0)
		return r;
	/* an owned table of another program can go without a notification */
	gateway_scan_foreign(gw);
	note_foreign(counts, gw);
	note_local(counts, gw);
	*ret = TAKE(counts);
	return 0;
}

void counts_free(struct counts *counts)
{
	if (!counts)
		return;
	free(counts->slots);
	free(counts->listeners);
	free(counts->wan_addresses);
	free(counts->of);
	free(counts);
}
