/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/ending.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

/* a dump that was torn is begun again this often */
#define DUMP_TRIES 3

int ending_add(struct ending *ending, uint8_t protocol, const struct endpoint *external,
	       uint32_t *count)
{
	if (ending->n == ending->room) {
		size_t room = ending->room ? ending->room * 2 : 16;
		struct ending_key *keys;

		keys = reallocarray(ending->keys, room, sizeof(*keys));
		if (!keys)
			return -ENOMEM;
		ending->keys = keys;
		ending->room = room;
	}
	ending->keys[ending->n++] = (struct ending_key){
		.external = *external,
		.protocol = protocol,
		.count = count,
	};
	return 0;
}

void ending_done(struct ending *ending)
{
	free(ending->keys);
	*ending = (struct ending){ 0 };
}

static int compare_keys(const void *left, const void *right)
{
	const struct ending_key *a = left, *b = right;

	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	if (a->external.port != b->external.port)
		return a->external.port < b->external.port ? -1 : 1;
	return memcmp(&a->external.addr, &b->external.addr, sizeof(a->external.addr));
}

static const struct ending_key *find_key(const struct ending *ending, uint8_t protocol,
					 const struct in6_addr *addr, uint16_t port)
{
	const struct ending_key wanted = {
		.external = { .addr = *addr, .port = port },
		.protocol = protocol,
	};

	if (!ending->n)
		return NULL;
	return bsearch(&wanted, ending->keys, ending->n, sizeof(wanted), compare_keys);
}

/* What one dump collects; entries are ended after it, not while it runs. */
struct harvest {
	const struct engine_parts *parts;
	const struct ending *ending;
	const struct address_list *lost;
	struct address_list wan;
	bool everywhere;
	struct connection *stale;
	uint32_t **counts; /* beside @stale */
	size_t n, room;
};

static int collect(struct harvest *h, const struct connection *c, uint32_t *count)
{
	if (h->n == h->room) {
		size_t room = h->room ? h->room * 2 : 64;
		struct connection *stale;
		uint32_t **counts;

		stale = reallocarray(h->stale, room, sizeof(*stale));
		if (!stale)
			return -ENOMEM;
		h->stale = stale;
		counts = reallocarray(h->counts, room, sizeof(*counts));
		if (!counts)
			return -ENOMEM;
		h->counts = counts;
		h->room = room;
	}
	h->stale[h->n] = *c;
	h->counts[h->n++] = count;
	return 0;
}

static bool is_translated(const struct connection *c)
{
	return c->status & IPS_DST_NAT;
}

/* Towards a WAN address of ours: judged by what the table says of that port. */
static int judge_forward(struct harvest *h, const struct connection *c)
{
	const struct in6_addr *any =
		address_is_ipv4(&c->orig_dst.addr) ? &address_any4 : &address_any6;
	const struct ending_key *key =
		find_key(h->ending, c->protocol, any, c->orig_dst.port);
	const struct mapping *m;

	if (!key && !h->everywhere)
		return 0;
	m = connection_mapping(h->parts->table, &h->wan, c);
	if (m ? connection_follows(c, m) : !key || !is_translated(c))
		return 0;
	return collect(h, c, key ? key->count : NULL);
}

/*
 * Towards a host of ours under its own address. An entry does not tell by which interface
 * it came; where an answer would go does, and spares what comes from another LAN or a
 * VPN.
 */
static int judge_pinhole(struct harvest *h, const struct connection *c)
{
	const struct ending_key *key =
		find_key(h->ending, c->protocol, &c->orig_dst.addr, c->orig_dst.port);

	if (!key || connection_mapping(h->parts->table, &h->wan, c))
		return 0;
	if (h->parts->route_is_wan(h->parts->userdata, &c->orig_src.addr) <= 0)
		return 0;
	return collect(h, c, key->count);
}

static int judge(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;

	if (address_list_has(&h->wan, &c->orig_dst.addr))
		return judge_forward(h, c);
	if (address_is_ipv4(&c->orig_dst.addr) || is_translated(c))
		return 0;
	return judge_pinhole(h, c);
}

static int judge_lost(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;
	bool masqueraded = address_list_has(h->lost, &c->reply_dst.addr) &&
			   !address_equal(&c->reply_dst.addr, &c->orig_src.addr);
	bool forwarded = is_translated(c) && address_list_has(h->lost, &c->orig_dst.addr);

	return masqueraded || forwarded ? collect(h, c, NULL) : 0;
}

static int dump(struct harvest *h, conntrack_entry on_entry)
{
	int r = 0;

	for (int i = 0; i < DUMP_TRIES; i++) {
		h->n = 0;
		r = conntrack_dump(h->parts->conntrack, on_entry, h);
		if (r != -EINTR && r != -ENOBUFS)
			break;
	}
	return r == -EINTR ? 0 : r;
}

/*
 * Only what came to one of our hosts is kept from being made again. What ended at the
 * gateway itself (a datagram that met no mapping when it came) has no inner host.
 */
static int bar_return(struct harvest *h)
{
	struct connection *barred;
	struct ruleset_fault why;
	size_t n = 0;
	int r;

	if (!h->n)
		return 0;
	barred = calloc(h->n, sizeof(*barred));
	if (!barred)
		return -ENOMEM;
	for (size_t i = 0; i < h->n; i++)
		if (!address_list_has(&h->wan, &h->stale[i].reply_src.addr))
			barred[n++] = h->stale[i];
	r = n ? ruleset_end(h->parts->ruleset, barred, n, &why) : 0;
	free(barred);
	return r;
}

static int end_harvest(struct harvest *h, bool bar, size_t *ret_ended)
{
	int barred = bar ? bar_return(h) : 0;
	int r = 0;

	/* A set that is full is no reason to let the connections live. */
	for (size_t i = 0; i < h->n; i++) {
		size_t deleted = 0;
		int one;

		one = conntrack_delete(h->parts->conntrack, &h->stale[i], 1, &deleted);
		if (one < 0 && !r)
			r = one;
		*ret_ended += deleted;
		if (deleted && h->counts[i])
			(*h->counts[i])++;
	}
	free(h->stale);
	free(h->counts);
	return r ? r : barred;
}

int ending_run(struct ending *ending, const struct engine_parts *parts, bool everywhere,
	       size_t *ret_ended)
{
	struct harvest h = {
		.parts = parts,
		.ending = ending,
		.wan = parts->wan_addresses(parts->userdata),
		.everywhere = everywhere,
	};
	int r, ended;

	*ret_ended = 0;
	if (!ending->n && !everywhere)
		return 0;
	if (ending->n)
		qsort(ending->keys, ending->n, sizeof(*ending->keys), compare_keys);
	r = dump(&h, judge);
	ended = end_harvest(&h, true, ret_ended);
	return r < 0 ? r : ended;
}

int ending_of_address(const struct engine_parts *parts, const struct address_list *lost,
		      size_t *ret_ended)
{
	struct harvest h = { .parts = parts, .lost = lost };
	int r, ended;

	*ret_ended = 0;
	r = dump(&h, judge_lost);
	ended = end_harvest(&h, false, ret_ended);
	return r < 0 ? r : ended;
}
