/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * ending_judge - may a connection go on?
 */

#include "natd/gateway/ending_private.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <stdlib.h>

static int collect(struct harvest *h, const struct connection *c, uint32_t *count,
		   bool bar)
{
	if (h->n == h->room) {
		size_t room = h->room ? h->room * 2 : 64;
		struct stale *stale;

		stale = reallocarray(h->stale, room, sizeof(*stale));
		if (!stale)
			return -ENOMEM;
		h->stale = stale;
		h->room = room;
	}
	h->stale[h->n++] = (struct stale){ .connection = *c, .count = count, .bar = bar };
	return 0;
}

/*
 * Only what came to one of our hosts is kept from being made again. What ended at the
 * gateway itself (a datagram that met no mapping when it came) has no inner host.
 */
static int collect_inbound(struct harvest *h, const struct connection *c, uint32_t *count)
{
	return collect(h, c, count, !address_list_has(&h->wan, &c->reply_src.addr));
}

static bool is_translated(const struct connection *c)
{
	return c->status & IPS_DST_NAT;
}

static bool is_established(const struct connection *c)
{
	return c->status & (IPS_SEEN_REPLY | IPS_ASSURED);
}

/* By a mapping of before, whose change let it go on: what did not has a key. */
static bool may_be_drained(const struct connection *c)
{
	return is_translated(c) && is_established(c);
}

/* Who has an external address to himself gets what no mapping serves. */
static bool is_one_to_one(const struct harvest *h, const struct connection *c)
{
	const struct in6_addr *host;

	if (!h->parts->snat)
		return false;
	host = snat_host(h->parts->snat(h->parts->userdata), &c->orig_dst.addr);
	return host && address_equal(host, &c->reply_src.addr) &&
	       c->reply_src.port == c->orig_dst.port;
}

static void note_loose(const struct harvest *h, const struct connection *c)
{
	if (h->memory)
		ending_note_loose(h->memory, c->protocol, c->orig_dst.port);
}

static const struct ending_key *key_of(const struct harvest *h,
				       const struct connection *c,
				       const struct endpoint *dialled,
				       const struct in6_addr *remote)
{
	return h->ending ? ending_key_of(h->ending, c->protocol, dialled, remote) : NULL;
}

/* Towards a WAN address of ours: judged by what the table says of that port. */
static int judge_forward(struct harvest *h, const struct connection *c)
{
	const struct ending_key *key = key_of(h, c, &c->orig_dst, &c->orig_src.addr);
	const struct mapping *m;

	m = connection_mapping(h->parts->table, &h->wan, c);
	if (m && connection_follows(c, m))
		return 0;
	if (!m && is_translated(c) && is_one_to_one(h, c)) {
		note_loose(h, c);
		return 0;
	}
	if (key && key->drain && is_established(c)) {
		/* until a mapping for its port comes that does not drain */
		note_loose(h, c);
		return 0;
	}
	if (key ? m || is_translated(c) : h->everywhere && m && !may_be_drained(c))
		return collect_inbound(h, c, key ? key->count : NULL);
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
	const struct ending_key *key = key_of(h, c, &c->orig_dst, &c->orig_src.addr);

	if (!key || connection_mapping(h->parts->table, &h->wan, c) ||
	    (key->drain && is_established(c)))
		return 0;
	if (h->parts->route_is_wan(h->parts->userdata, &c->orig_src.addr) <= 0)
		return 0;
	return collect_inbound(h, c, key->count);
}

/* Does a host of ours leave by that connection under an address of a WAN's? */
static bool is_outbound(const struct harvest *h, const struct connection *c)
{
	return c->status & IPS_SRC_NAT && !is_translated(c) &&
	       address_list_has(&h->wan, &c->reply_dst.addr);
}

/*
 * A stream that is alive cannot move to another port, and while it is, its remote
 * endpoint dials nobody else. Datagrams can: the next one is given a port that is no
 * mapping's.
 */
static bool cannot_move(const struct connection *c)
{
	if (!(c->status & IPS_SEEN_REPLY))
		return false;
	if (c->protocol == IPPROTO_TCP)
		return c->state != TCP_CONNTRACK_TIME_WAIT &&
		       c->state != TCP_CONNTRACK_CLOSE;
	return c->protocol == IPPROTO_SCTP && c->state != SCTP_CONNTRACK_CLOSED;
}

/* Who has an external address to himself keeps his ports, and would leave the same way
 * again. */
static bool leaves_one_to_one(const struct harvest *h, const struct connection *c)
{
	const struct in6_addr *host = NULL;

	if (h->parts->snat)
		host = snat_host(h->parts->snat(h->parts->userdata), &c->reply_dst.addr);
	return host && address_equal(host, &c->orig_src.addr);
}

/* What comes to @m, from the remote endpoint of @c, would be taken for its answers. */
static bool is_in_the_way(const struct connection *c, const struct mapping *m)
{
	return !address_equal(&c->orig_src.addr, &m->host) ||
	       c->orig_src.port !=
		       m->internal.port + (c->reply_dst.port - m->external.port);
}

static int judge_outbound(struct harvest *h, const struct connection *c)
{
	const struct in6_addr *remote = &c->reply_src.addr;
	const struct ending_key *key = key_of(h, c, &c->reply_dst, remote);
	const struct mapping *m;

	if (!key && !h->everywhere)
		return 0;
	m = table_match(h->parts->table, c->protocol, &c->reply_dst, true, remote);
	if (!m || mapping_is_pinhole(m) || !is_in_the_way(c, m) || cannot_move(c) ||
	    leaves_one_to_one(h, c) || (key && key->drain && is_established(c)))
		return 0;
	return collect(h, c, key ? key->count : NULL, false);
}

int ending_judge(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;

	if (is_outbound(h, c) && !address_list_has(&h->wan, &c->orig_dst.addr))
		return judge_outbound(h, c);
	if (!h->ending)
		return 0;
	if (address_list_has(&h->wan, &c->orig_dst.addr))
		return judge_forward(h, c);
	if (address_is_ipv4(&c->orig_dst.addr) || is_translated(c))
		return 0;
	return judge_pinhole(h, c);
}

int ending_judge_lost(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;
	bool masqueraded = address_list_has(h->lost, &c->reply_dst.addr) &&
			   !address_equal(&c->reply_dst.addr, &c->orig_src.addr);
	bool forwarded = is_translated(c) && address_list_has(h->lost, &c->orig_dst.addr);

	return masqueraded || forwarded ? collect(h, c, NULL, false) : 0;
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
int ending_judge_unasked(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;

	if (!is_bare(c) || connection_mapping(h->parts->table, &h->wan, c) ||
	    !leads_to_wan(h, &c->orig_src.addr) || !leads_inside(h, &c->orig_dst.addr))
		return 0;
	return collect_inbound(h, c, NULL);
}

/* Is that host, towards that remote, to leave under its own address? */
static bool may_stay(const struct harvest *h, const struct connection *c)
{
	bool untranslated = false;

	if (h->parts->snat)
		(void)snat_of(h->parts->snat(h->parts->userdata), &c->orig_src.addr,
			      &c->orig_dst.addr, &untranslated);
	return untranslated;
}

/* What is not translated with its first packet never is. */
int ending_judge_untranslated(void *userdata, const struct connection *c)
{
	struct harvest *h = userdata;

	if (!is_bare(c) || !address_is_ipv4(&c->orig_src.addr) || may_stay(h, c) ||
	    address_list_has(&h->wan, &c->orig_src.addr) ||
	    leads_to_wan(h, &c->orig_src.addr) || !leads_to_wan(h, &c->orig_dst.addr))
		return 0;
	return collect(h, c, NULL, false);
}
