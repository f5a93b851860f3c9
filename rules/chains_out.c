/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * chains_out - under which address and from which port the first packet leaves
 */

#include "rules/chains.h"

#include <linux/netfilter/nf_conntrack_common.h>

#include "rules/backs.h"

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
static void translate(struct skeleton *s, uint8_t family)
{
	struct rule *r = skeleton_rule(s, "to_wan");
	bool ipv4 = family == NFPROTO_IPV4;

	rule_family(r, family);
	/* IPv6 is routed, not translated, but for these. */
	if (!ipv4) {
		rule_saddr(r, family, REG0);
		rule_in(r, SET_MASQUERADE6);
	}
	rule_saddr(r, family, REG0);
	rule_not_in(r, ipv4 ? SET_WAN_ADDR4 : SET_WAN_ADDR6);
	if (s->shape & (ipv4 ? OUT4_SHAPE : OUT6_SHAPE)) {
		rule_goto(r, ipv4 ? "out4" : "out6");
	} else {
		rule_masquerade(r);
		rule_end(r);
	}
}

static void pass_untranslated(struct skeleton *s, uint8_t family)
{
	enum set_id set = family == NFPROTO_IPV4 ? SET_UNTRANSLATED4 : SET_UNTRANSLATED6;
	struct rule *r;

	if (!skeleton_uses(s, set))
		return;
	r = skeleton_rule(s, "to_wan");
	rule_family(r, family);
	rule_daddr(r, family, REG0);
	rule_in(r, set);
	rule_accept(r);
}

void chain_to_wan(struct skeleton *s)
{
	drop_ended(s, NFPROTO_IPV4);
	drop_ended(s, NFPROTO_IPV6);
	skeleton_set_timers(s, "to_wan");
	pass_untranslated(s, NFPROTO_IPV4);
	pass_untranslated(s, NFPROTO_IPV6);
	translate(s, NFPROTO_IPV4);
	translate(s, NFPROTO_IPV6);
}

/* ------------------------------------------------------------------ who leaves how */

static void load_source(struct rule *r, uint8_t family)
{
	unsigned words = family == NFPROTO_IPV4 ? 1 : 4;

	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_saddr(r, family, REG0 + 1);
	rule_sport(r, REG0 + 1 + words);
}

/* Where a mapping leads, that leaves from its external port. Where both numbers are the
 * same it is seen to later, and only when that port would not be kept anyway. */
static void leave_from_mapping(struct skeleton *s, const char *chain, uint8_t protocol,
			       enum set_id map)
{
	bool ipv4 = map == SET_BACK4 || map == SET_BACK4_AT;
	bool given = map == SET_BACK4_AT || map == SET_BACK6_AT;
	uint8_t family = ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	struct rule *r;

	if (!skeleton_uses(s, map))
		return;
	r = skeleton_rule(s, chain);
	rule_protocol(r, protocol);
	rule_family(r, family);
	load_source(r, family);
	rule_map(r, map);
	if (given)
		rule_nat(r, NFT_NAT_SNAT, family, ipv4 ? REG0 + 1 : REG0 + 4);
	else
		rule_masquerade_to_reg(r);
	rule_end(r);
}

static void leave_from_mappings(struct skeleton *s, const char *chain, uint8_t family)
{
	const bool ipv4 = family == NFPROTO_IPV4;

	for (unsigned i = 0; i < PROTOCOL_COUNT; i++) {
		if (!protocol_is_symmetric(s->options->symmetry, protocol_at(i)))
			continue;
		leave_from_mapping(s, chain, protocol_at(i),
				   ipv4 ? SET_BACK4 : SET_BACK6);
		leave_from_mapping(s, chain, protocol_at(i),
				   ipv4 ? SET_BACK4_AT : SET_BACK6_AT);
	}
}

/* Where ports are forwarded, nobody else leaves from one of them. */
static void leave_from_spare(struct skeleton *s, const char *chain)
{
	struct rule *r;

	for (unsigned i = 0; i < PROTOCOL_COUNT; i++) {
		if (!skeleton_uses(s, set_of_spare(i)))
			continue;
		r = skeleton_rule(s, chain);
		rule_protocol(r, protocol_at(i));
		rule_sport(r, REG0);
		rule_vmap(r, set_of_spare(i));
		rule_end(r);
	}
}

static void leave(struct skeleton *s, const char *chain, uint8_t family)
{
	bool ipv4 = family == NFPROTO_IPV4;
	struct rule *r;

	leave_from_mappings(s, chain, family);
	skeleton_nat_address(s, chain, NFT_NAT_SNAT, family,
			     ipv4 ? SET_ONE_OUT4 : SET_ONE_OUT6);
	leave_from_spare(s, chain);
	skeleton_nat_address(s, chain, NFT_NAT_SNAT, family,
			     ipv4 ? SET_SNAT4 : SET_SNAT6);
	r = skeleton_rule(s, chain);
	rule_masquerade(r);
	rule_end(r);
}

void chain_out4(struct skeleton *s)
{
	leave(s, "out4", NFPROTO_IPV4);
}

void chain_out6(struct skeleton *s)
{
	leave(s, "out6", NFPROTO_IPV6);
}

/* ------------------------------------------------------------------ spare ports */

/* A flow of the very host that the port is forwarded to. */
static void stay_same(struct skeleton *s, const char *chain, uint8_t family)
{
	enum set_id set = family == NFPROTO_IPV4 ? SET_SAME4 : SET_SAME6;
	struct rule *r;

	if (!skeleton_uses(s, set))
		return;
	r = skeleton_rule(s, chain);
	rule_family(r, family);
	load_source(r, family);
	rule_in(r, set);
	rule_masquerade(r);
	rule_end(r);
}

static void stay_in_range(struct skeleton *s, const char *chain, uint8_t family)
{
	enum set_id set = family == NFPROTO_IPV4 ? SET_KEEP4 : SET_KEEP6;
	struct rule *r;

	if (!skeleton_uses(s, set))
		return;
	r = skeleton_rule(s, chain);
	rule_family(r, family);
	rule_sport(r, REG0);
	rule_meta(r, NFT_META_L4PROTO, REG0 + 1);
	rule_saddr(r, family, REG0 + 2);
	rule_in(r, set);
	rule_masquerade(r);
	rule_end(r);
}

static void leave_among(struct skeleton *s, const char *chain,
			const struct spare_chain *c, uint8_t family)
{
	enum set_id map = family == NFPROTO_IPV4 ? SET_SNAT4 : SET_SNAT6;
	struct rule *r;

	if (!skeleton_uses(s, map))
		return;
	r = skeleton_rule(s, chain);
	rule_protocol(r, c->protocol);
	rule_family(r, family);
	rule_saddr(r, family, REG0);
	rule_map(r, map);
	rule_snat_to(r, family, &c->ports);
	rule_end(r);
}

void chain_spare(struct skeleton *s, const struct spare_chain *c)
{
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	char chain[CHAIN_ROOM];
	struct rule *r;

	spare_chain_name(c, chain);
	for (size_t i = 0; c->moved && i < 2; i++) {
		stay_same(s, chain, families[i]);
		stay_in_range(s, chain, families[i]);
	}
	for (size_t i = 0; i < 2; i++)
		leave_among(s, chain, c, families[i]);
	r = skeleton_rule(s, chain);
	rule_protocol(r, c->protocol);
	rule_masquerade_to(r, &c->ports);
	rule_end(r);
}

/* ------------------------------------------------------------------ hairpin */

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
	skeleton_set_timers(s, "hairpin");
	show_dialled(s, NFT_CT_DST_IP, NFPROTO_IPV4);
	show_dialled(s, NFT_CT_DST_IP6, NFPROTO_IPV6);
}
