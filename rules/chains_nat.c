/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * chains_nat - what becomes of the first packet of a connection
 */

#include "rules/chains.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>
#include <netinet/tcp.h>
#include <stddef.h>

/* Each object looks at its own protocol only. */
void skeleton_set_timers(struct skeleton *s, const char *chain)
{
	struct rule *r = skeleton_rule(s, chain);

	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_udp");
	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_tcp");
	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_icmp");
	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_icmp6");
	if (s->protocols & PROTOCOL_BIT_UDPLITE)
		rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_udplite");
	rule_end(r);
}

void skeleton_nat_address(struct skeleton *s, const char *chain, enum nft_nat_types type,
			  uint8_t family, enum set_id map)
{
	struct rule *r;

	if (!skeleton_uses(s, map))
		return;
	r = skeleton_rule(s, chain);
	rule_family(r, family);
	if (type == NFT_NAT_DNAT)
		rule_daddr(r, family, REG0);
	else
		rule_saddr(r, family, REG0);
	rule_map(r, map);
	rule_nat(r, type, family, 0);
	rule_end(r);
}

/* ------------------------------------------------------------------ who is addressed */

static void match_dialled(struct rule *r, uint8_t family)
{
	rule_family(r, family);
	rule_daddr(r, family, REG0);
	rule_in(r, family == NFPROTO_IPV4 ? SET_WAN_ADDR4 : SET_WAN_ADDR6);
}

/* First half of the hairpin: a host that dials our WAN address gets what the world gets.
 * LANs only, what containers and VPNs do is not ours; and never our LAN address. */
static void hairpin_in(struct skeleton *s, uint8_t family, const char *to)
{
	struct rule *r = skeleton_rule(s, "prerouting");

	match_dialled(r, family);
	rule_meta(r, NFT_META_IIFNAME, REG0);
	rule_in(r, SET_LAN_IF);
	rule_goto(r, to);
}

void chain_prerouting(struct skeleton *s)
{
	skeleton_rule(s, "prerouting");
	skeleton_match_wan(s, NFT_META_IIFNAME, NFT_CMP_EQ);
	rule_goto(&s->rule, "from_wan");
	hairpin_in(s, NFPROTO_IPV4, "dnat4");
	hairpin_in(s, NFPROTO_IPV6, "dnat6");
}

/* A source that we would reach over a LAN does not come from outside. Not "is this the
 * route back": with two WANs the route back may be the other one. */
static void drop_spoofed(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "from_wan");

	rule_fib(r, NFT_FIB_RESULT_OIFNAME, NFTA_FIB_F_SADDR);
	rule_in(r, SET_LAN_FIB);
	rule_object(r, NFT_OBJECT_COUNTER, "spoofed");
	rule_drop(r);
}

/* A connection of a mapping that is still there, and that somebody ended: the client's
 * next segment would make its entry again. A new one from the same port begins with SYN.
 */
static void drop_ended(struct skeleton *s, const char *chain, uint8_t family)
{
	static const uint8_t syn = TH_SYN, none;
	struct rule *r = skeleton_rule(s, chain);
	unsigned words = family == NFPROTO_IPV4 ? 1 : 4;

	rule_family(r, family);
	rule_protocol(r, IPPROTO_TCP);
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_flags),
		     1, REG0);
	rule_mask(r, &syn, sizeof(syn));
	rule_compare(r, NFT_CMP_EQ, &none, sizeof(none));
	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_saddr(r, family, REG0 + 1);
	rule_sport(r, REG0 + 1 + words);
	rule_daddr(r, family, REG0 + 2 + words);
	rule_dport(r, REG0 + 2 + 2 * words);
	rule_in(r, family == NFPROTO_IPV4 ? SET_ENDED4 : SET_ENDED6);
	rule_drop(r);
}

/* Is it for an address of this very WAN? Asked of the kernel and not of a set, it is
 * right at once when DHCP changes the address, natd or no natd. Multicast, broadcast
 * and routed networks are left alone. */
static void pass_foreign(struct skeleton *s)
{
	static const uint32_t local = RTN_LOCAL;
	struct rule *r = skeleton_rule(s, "from_wan");

	rule_fib(r, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF);
	rule_compare(r, NFT_CMP_NEQ, &local, sizeof(local));
	rule_accept(r);
}

void chain_from_wan(struct skeleton *s)
{
	struct rule *r;

	drop_spoofed(s);
	drop_ended(s, "from_wan", NFPROTO_IPV6); /* of pinholes as well */
	skeleton_set_timers(s, "from_wan");
	pass_foreign(s);

	r = skeleton_rule(s, "from_wan");
	rule_family(r, NFPROTO_IPV4);
	rule_goto(r, "dnat4");

	/* Link-local addresses are no external addresses and cannot be routed on. */
	r = skeleton_rule(s, "from_wan");
	rule_family(r, NFPROTO_IPV6);
	rule_daddr(r, NFPROTO_IPV6, REG0);
	rule_is_link_local(r);
	rule_accept(r);

	rule_goto(skeleton_rule(s, "from_wan"), "dnat6");
}

/* Where the protocol and port lead, of mappings for some remote prefixes only. */
static void forward_restricted(struct skeleton *s, const char *chain, bool ipv4)
{
	enum set_id map = ipv4 ? SET_FORWARD4_FROM : SET_FORWARD6_FROM;
	struct rule *r;

	if (!skeleton_uses(s, map))
		return;
	r = skeleton_rule(s, chain);
	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_dport(r, REG0 + 1);
	rule_vmap(r, map);
	rule_end(r);
}

/* of one given external address */
static void forward_at(struct skeleton *s, const char *chain, bool ipv4)
{
	enum set_id map = ipv4 ? SET_FORWARD4_AT : SET_FORWARD6_AT;
	uint8_t family = ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	unsigned words = ipv4 ? 1 : 4;
	struct rule *r;

	if (!skeleton_uses(s, map))
		return;
	r = skeleton_rule(s, chain);
	rule_family(r, family);
	rule_daddr(r, family, REG0);
	rule_meta(r, NFT_META_L4PROTO, REG0 + words);
	rule_dport(r, REG0 + words + 1);
	rule_map(r, map);
	rule_nat(r, NFT_NAT_DNAT, family, REG0 + words);
	rule_end(r);
}

/* A host that has an address to itself: all that is dialled there and no mapping's,
 * whatever the protocol. */
static void forward_one(struct skeleton *s, const char *chain, bool ipv4)
{
	skeleton_nat_address(s, chain, NFT_NAT_DNAT, ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
			     ipv4 ? SET_ONE_IN4 : SET_ONE_IN6);
}

/* A translation of the address alone keeps the port, and so a whole range. */
static void forward_range(struct skeleton *s, const char *chain, bool ipv4)
{
	enum set_id map = ipv4 ? SET_RANGE4 : SET_RANGE6;
	struct rule *r;

	if (!skeleton_uses(s, map))
		return;
	r = skeleton_rule(s, chain);
	rule_dport(r, REG0);
	rule_meta(r, NFT_META_L4PROTO, REG0 + 1);
	rule_map(r, map);
	rule_nat(r, NFT_NAT_DNAT, ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6, 0);
	rule_end(r);
}

static void forward_any(struct skeleton *s, const char *chain, bool ipv4)
{
	struct rule *r = skeleton_rule(s, chain);
	uint8_t family = ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;

	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_dport(r, REG0 + 1);
	rule_map(r, ipv4 ? SET_FORWARD4 : SET_FORWARD6);
	rule_nat(r, NFT_NAT_DNAT, family, ipv4 ? REG0 + 1 : REG0 + 4);
	rule_end(r);
}

/* Who comes here is not translated, or to the host that has the address to itself, which
 * a mapping added later would have done otherwise. */
static void count_missed(struct skeleton *s, const char *chain)
{
	struct rule *r = skeleton_rule(s, chain);

	rule_object(r, NFT_OBJECT_COUNTER, "missed");
	rule_end(r);
}

/* Most particular first: enum mapping_kind. */
static void forward_by_maps(struct skeleton *s, const char *chain, bool ipv4)
{
	drop_ended(s, chain, ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	forward_restricted(s, chain, ipv4);
	forward_at(s, chain, ipv4);
	forward_any(s, chain, ipv4);
	forward_range(s, chain, ipv4);
	count_missed(s, chain);
	forward_one(s, chain, ipv4);
}

void chain_dnat4(struct skeleton *s)
{
	forward_by_maps(s, "dnat4", true);
}

void chain_dnat6(struct skeleton *s)
{
	forward_by_maps(s, "dnat6", false);
}

/* The gateway itself sees what the world sees. */
void chain_output(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "output");

	match_dialled(r, NFPROTO_IPV4);
	rule_goto(r, "dnat4");
	r = skeleton_rule(s, "output");
	match_dialled(r, NFPROTO_IPV6);
	rule_goto(r, "dnat6");
}
