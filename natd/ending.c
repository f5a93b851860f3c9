/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/ending.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/kill_point.h"

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

struct owed {
	struct ending *ending;
	int error;
};

static void add_owed(void *userdata, uint8_t protocol, const struct endpoint *external)
{
	struct owed *owed = userdata;

	if (owed->error == 0)
		owed->error = ending_add(owed->ending, protocol, external, NULL);
}

int ending_add_owed(struct ending *ending, struct store *store)
{
	struct owed owed = { .ending = ending };
	int r = store_endings(store, add_owed, &owed);

	return r < 0 ? r : owed.error;
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

static uint8_t *loose_byte(struct ending_memory *memory, uint8_t protocol, uint16_t port)
{
	return &memory->loose[protocol == IPPROTO_UDP][port / 8];
}

static void note_loose(struct harvest *h, const struct connection *c)
{
	if (h->parts->memory)
		*loose_byte(h->parts->memory, c->protocol, c->orig_dst.port) |=
			(uint8_t)(1 << c->orig_dst.port % 8);
}

/* Towards a WAN address of ours: judged by what the table says of that port. */
static int judge_forward(struct harvest *h, const struct connection *c)
{
	const struct in6_addr *any =
		address_is_ipv4(&c->orig_dst.addr) ? &address_any4 : &address_any6;
	const struct ending_key *key =
		find_key(h->ending, c->protocol, any, c->orig_dst.port);
	const struct mapping *m;

	m = connection_mapping(h->parts->table, &h->wan, c);
	if (m && connection_follows(c, m))
		return 0;
	if ((key || h->everywhere) && (m || (key && is_translated(c))))
		return collect(h, c, key ? key->count : NULL);
	note_loose(h, c);
	return 0;
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

static bool leads_to_wan(const struct harvest *h, const struct in6_addr *addr)
{
	return h->parts->route_is_wan(h->parts->userdata, addr) > 0;
}

static bool leads_inside(const struct harvest *h, const struct in6_addr *addr)
{
	return h->parts->route_is_wan(h->parts->userdata, addr) == 0 &&
	       h->parts->is_local(h->parts->userdata, addr) == 0;
}

/* What others translated, or a helper expected, is theirs. */
static bool is_bare(const struct connection *c)
{
	return !(c->status & (IPS_NAT_MASK | IPS_EXPECTED));
}

/* "forward" lets pass what has been answered: what came in while there was no such rule
 * would stay. */
static int judge_unasked(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;

	if (!is_bare(c) || connection_mapping(h->parts->table, &h->wan, c) ||
	    !leads_to_wan(h, &c->orig_src.addr) || !leads_inside(h, &c->orig_dst.addr))
		return 0;
	return collect(h, c, NULL);
}

/* What is not translated with its first packet never is. */
static int judge_untranslated(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;

	if (!is_bare(c) || !address_is_ipv4(&c->orig_src.addr) ||
	    address_list_has(&h->wan, &c->orig_src.addr) ||
	    leads_to_wan(h, &c->orig_src.addr) || !leads_to_wan(h, &c->orig_dst.addr))
		return 0;
	return collect(h, c, NULL);
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
	return r;
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

	KILL_POINT(KILL_BARRED);
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

/* ------------------------------------------------------------ what is remembered */

static bool is_loose(struct ending_memory *memory, const struct ending_key *key)
{
	return *loose_byte(memory, key->protocol, key->external.port) &
	       1 << key->external.port % 8;
}

static bool nothing_is_stale(const struct ending *ending,
			     const struct engine_parts *parts)
{
	struct ending_memory *memory = parts->memory;
	uint64_t missed;

	if (!ending->additions || !memory || !memory->known ||
	    ruleset_missed(parts->ruleset, &missed) < 0 || missed != memory->missed)
		return false;
	for (size_t i = 0; i < ending->n; i++)
		if (is_loose(memory, &ending->keys[i]))
			return false;
	return true;
}

/* Before the look, so that what comes during it counts. Return: may it be remembered? */
static bool memory_begin(const struct engine_parts *parts)
{
	struct ending_memory *memory = parts->memory;

	if (!memory)
		return false;
	*memory = (struct ending_memory){ 0 };
	return ruleset_missed(parts->ruleset, &memory->missed) == 0;
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
	bool whole;
	int r, ended;

	*ret_ended = 0;
	if (!everywhere && (!ending->n || nothing_is_stale(ending, parts)))
		return 0;
	if (ending->n)
		qsort(ending->keys, ending->n, sizeof(*ending->keys), compare_keys);
	whole = memory_begin(parts);
	r = dump(&h, judge);
	ended = end_harvest(&h, true, ret_ended);
	if (parts->memory)
		parts->memory->known = whole && r == 0 && ended == 0;
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

static int end_judged(const struct engine_parts *parts, conntrack_entry judge_one,
		      bool bar, size_t *ret_ended)
{
	struct harvest h = {
		.parts = parts,
		.wan = parts->wan_addresses(parts->userdata),
	};
	int r, ended;

	r = dump(&h, judge_one);
	ended = end_harvest(&h, bar, ret_ended);
	return r < 0 ? r : ended;
}

int ending_of_unruled(const struct engine_parts *parts, size_t *ret_ended)
{
	int r, other;

	*ret_ended = 0;
	r = end_judged(parts, judge_unasked, true, ret_ended);
	other = end_judged(parts, judge_untranslated, false, ret_ended);
	return r < 0 ? r : other;
}
