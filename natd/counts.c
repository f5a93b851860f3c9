/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * counts - what the kernel tells of every mapping at one moment
 *
 * One dump of the connection tracker and one of the elements' counters, whatever the
 * number of mappings.
 */

#include "natd/gateway_private.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/log.h"

struct count {
	uint64_t id;
	int64_t connections, total;
};

/* Chains in the way of one family's mappings, to a host behind us or to ourselves. */
struct blocking {
	const char *texts[GATEWAY_FOREIGN_MAX];
	size_t n;
};

struct counts {
	const struct gateway *gw;
	struct address_list wan;
	struct count *of; /* in order of id */
	size_t n;
	char texts[GATEWAY_FOREIGN_MAX][FOREIGN_CHAIN_STRLEN];
	struct blocking blocking[2][2]; /* [IPv6][to ourselves] */
	struct in6_addr local[256];
	size_t n_local;
};

static int compare_counts(const void *left, const void *right)
{
	const struct count *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static struct count *find_count(const struct counts *counts, uint64_t id)
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
	count = find_count(counts, m->id);
	if (count)
		count->connections++;
	return 0;
}

static void count_element(void *userdata, uint8_t protocol,
			  const struct endpoint *external, uint64_t packets)
{
	struct counts *counts = userdata;
	const struct mapping *m;
	struct count *count;

	m = table_find(counts->gw->table, protocol, external);
	count = m ? find_count(counts, m->id) : NULL;
	if (count)
		count->total = (int64_t)packets;
}

static void forget_connections(struct counts *counts)
{
	for (size_t i = 0; i < counts->n; i++)
		counts->of[i].connections = -1;
}

static void read_kernel(struct counts *counts, struct gateway *gw)
{
	int r;

	r = conntrack_dump(gw->conntrack, count_connection, counts);
	if (r < 0 && r != -EINTR) {
		log_debug("Connections could not be counted: %s.", strerror(-r));
		forget_connections(counts);
	}
	r = ruleset_counters(gw->ruleset, count_element, counts);
	if (r < 0)
		log_debug("The elements' counters could not be read: %s.", strerror(-r));
}

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

int gateway_counts(struct gateway *gw, struct counts **ret)
{
	struct counts *counts;
	const struct mapping *m;

	counts = calloc(1, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	counts->gw = gw;
	counts->wan = links_wan_addresses(gw->links);
	counts->of = calloc(table_size(gw->table) + 1, sizeof(*counts->of));
	if (!counts->of) {
		free(counts);
		return -ENOMEM;
	}
	table_for_each (gw->table, m) {
		counts->of[counts->n++] = (struct count){ .id = m->id, .total = -1 };
	}
	if (counts->n)
		read_kernel(counts, gw);
	/* an owned table of another program can go without a notification */
	gateway_scan_foreign(gw);
	note_foreign(counts, gw);
	note_local(counts, gw);
	*ret = counts;
	return 0;
}

void counts_free(struct counts *counts)
{
	if (!counts)
		return;
	free(counts->of);
	free(counts);
}

void counts_state(const struct counts *counts, const struct mapping *m,
		  struct mapping_state *ret)
{
	const struct address_list local = { .addrs = counts->local,
					    .n = counts->n_local };
	const struct count *count = find_count(counts, m->id);
	const struct blocking *b =
		&counts->blocking[!address_is_ipv4(&m->internal.addr)]
				 [address_list_has(&local, &m->internal.addr)];

	*ret = (struct mapping_state){
		.connections = count ? count->connections : -1,
		.total = count ? count->total : -1,
		.blocked_by = b->texts,
		.n_blocked_by = b->n,
	};
}
