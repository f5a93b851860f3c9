/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * chains_nat - what becomes of the first packet of a connection
 */

#include "rules/chains.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>

/* Each object looks at its own protocol only. */
static void set_timers(struct skeleton *s, const char *chain)
{
	struct rule *r = skeleton_rule(s, chain);

	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_udp");
	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_tcp");
	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_icmp");
	rule_object(r, NFT_OBJECT_CT_TIMEOUT, "natd_icmp6");
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
	set_timers(s, "from_wan");
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

static void forward_by_map(struct skeleton *s, const char *chain, uint8_t family)
{
	struct rule *r = skeleton_rule(s, chain);
	bool is_ipv4 = family == NFPROTO_IPV4;

	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_dport(r, REG0 + 1);
	rule_map(r, is_ipv4 ? SET_FORWARD4 : SET_FORWARD6);
	rule_nat(r, NFT_NAT_DNAT, family, is_ipv4 ? REG0 + 1 : REG0 + 4);
	rule_end(r);

	/* Who comes here is not translated, which a mapping added later would have done.
	 */
	r = skeleton_rule(s, chain);
	rule_object(r, NFT_OBJECT_COUNTER, "missed");
	rule_end(r);
}

void chain_dnat4(struct skeleton *s)
{
	forward_by_map(s, "dnat4", NFPROTO_IPV4);
}

void chain_dnat6(struct skeleton *s)
{
	forward_by_map(s, "dnat6", NFPROTO_IPV6);
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

/* ------------------------------------------------------------------ under which address
 */

/* Second half of the hairpin. "Not from a WAN" and not "from a LAN": under
 * bridge-nf-call-iptables=1 there is no input interface here. */
void chain_postrouting(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "postrouting");

	skeleton_match_wan(s, NFT_META_OIFNAME, NFT_CMP_EQ);
	rule_goto(r, "to_wan");

	r = skeleton_rule(s, "postrouting");
	skeleton_match_wan(s, NFT_META_IIFNAME, NFT_CMP_NEQ);
	rule_meta(r, NFT_META_OIFNAME, REG0);
	rule_in(r, SET_LAN_IF);
	rule_ct_bits(r, NFT_CT_STATUS, IPS_DST_NAT);
	rule_goto(r, "hairpin");
}

/* Deleting a connection's entry does not end it: the server's next segment would make a
 * new one. It ends here. */
static void drop_ended(struct skeleton *s, uint8_t family)
{
	struct rule *r = skeleton_rule(s, "to_wan");
	unsigned words = family == NFPROTO_IPV4 ? 1 : 4;

	rule_family(r, family);
	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_saddr(r, family, REG0 + 1);
	rule_sport(r, REG0 + 1 + words);
	rule_daddr(r, family, REG0 + 2 + words);
	rule_dport(r, REG0 + 2 + 2 * words);
	rule_in(r, family == NFPROTO_IPV4 ? SET_ENDED4 : SET_ENDED6);
	rule_drop(r);
}

/* A program of the gateway that bound one of several WAN addresses keeps it. */
void chain_to_wan(struct skeleton *s)
{
	struct rule *r;

	drop_ended(s, NFPROTO_IPV4);
	drop_ended(s, NFPROTO_IPV6);
	set_timers(s, "to_wan");

	r = skeleton_rule(s, "to_wan");
	rule_family(r, NFPROTO_IPV4);
	rule_saddr(r, NFPROTO_IPV4, REG0);
	rule_not_in(r, SET_WAN_ADDR4);
	rule_masquerade(r);
	rule_end(r);

	/* IPv6 is routed, not translated, but for these. */
	r = skeleton_rule(s, "to_wan");
	rule_family(r, NFPROTO_IPV6);
	rule_saddr(r, NFPROTO_IPV6, REG0);
	rule_in(r, SET_MASQUERADE6);
	rule_saddr(r, NFPROTO_IPV6, REG0);
	rule_not_in(r, SET_WAN_ADDR6);
	rule_masquerade(r);
	rule_end(r);
}

/* The server sees the external address that was dialled (RFC 4787 REQ-9a). Only one of
 * ours: somebody else's dnat must not get the address that was dialled as its source. */
static void show_dialled(struct skeleton *s, enum nft_ct_keys key, uint8_t family)
{
	struct rule *r = skeleton_rule(s, "hairpin");

	rule_ct_original(r, key, REG0);
	rule_in(r, family == NFPROTO_IPV4 ? SET_WAN_ADDR4 : SET_WAN_ADDR6);
	rule_ct_original(r, key, REG0);
	rule_nat(r, NFT_NAT_SNAT, family, 0);
	rule_end(r);
}

void chain_hairpin(struct skeleton *s)
{
	set_timers(s, "hairpin");
	show_dialled(s, NFT_CT_DST_IP, NFPROTO_IPV4);
	show_dialled(s, NFT_CT_DST_IP6, NFPROTO_IPV6);
}
