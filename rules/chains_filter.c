/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * chains_filter - what may pass, and what may enter the gateway
 */

#include "rules/chains.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stddef.h>

#include "core/cleanup.h"

/* ------------------------------------------------------------------ what may pass */

#define CT_STATE_INVALID 1u /* NF_CT_STATE_INVALID_BIT */
#define CT_STATE(state)	 (1u << ((state) + 1))

/* Nobody on the internet can answer a host's private address (RFC 4193 4.3), not even
 * where the host has a global one too and picked the wrong one. Other ULAs may be
 * behind the WAN, of the same site. */
static void keep_ula(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "forward");

	rule_family(r, NFPROTO_IPV6);
	rule_saddr(r, NFPROTO_IPV6, REG0);
	rule_is_ula(r, NFT_CMP_EQ);
	rule_daddr(r, NFPROTO_IPV6, REG0);
	rule_is_ula(r, NFT_CMP_NEQ);
	rule_saddr(r, NFPROTO_IPV6, REG0);
	rule_not_in(r, SET_MASQUERADE6);
	skeleton_match_wan(s, NFT_META_OIFNAME, NFT_CMP_EQ);
	rule_object(r, NFT_OBJECT_COUNTER, "invalid_out");
	rule_drop(r);
}

/* All packets of a connection that has been answered, and all of one that was translated
 * to its destination, end at the first rule: one load, one mask. Not "state established":
 * a stream in one direction (a camera, syslog) stays "new" for ever. */
void chain_forward(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "forward");

	rule_ct_bits(r, NFT_CT_STATUS, IPS_SEEN_REPLY | IPS_DST_NAT);
	rule_accept(r);

	r = skeleton_rule(s, "forward");
	skeleton_match_wan(s, NFT_META_IIFNAME, NFT_CMP_EQ);
	rule_goto(r, "forward_wan");

	/* What conntrack will not own is not translated: it would leave with the private
	 * source address. */
	r = skeleton_rule(s, "forward");
	rule_ct_bits(r, NFT_CT_STATE, CT_STATE_INVALID);
	skeleton_match_wan(s, NFT_META_OIFNAME, NFT_CMP_EQ);
	rule_object(r, NFT_OBJECT_COUNTER, "invalid_out");
	rule_drop(r);

	if (!s->options->ula_may_leave)
		keep_ula(s);
}

static struct rule *of_pinhole(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "forward_wan");

	rule_family(r, NFPROTO_IPV6);
	rule_daddr(r, NFPROTO_IPV6, REG0);
	rule_meta(r, NFT_META_L4PROTO, REG0 + 4);
	rule_dport(r, REG0 + 5);
	return r;
}

static void pass_pinholes(struct skeleton *s)
{
	struct rule *r;

	if (skeleton_uses(s, SET_PINHOLE6_FROM)) {
		r = of_pinhole(s);
		rule_vmap(r, SET_PINHOLE6_FROM);
		rule_end(r);
	}
	r = of_pinhole(s);
	rule_in(r, SET_PINHOLE6);
	rule_accept(r);

	if (!skeleton_uses(s, SET_PINRANGE6))
		return;
	r = skeleton_rule(s, "forward_wan");
	rule_family(r, NFPROTO_IPV6);
	rule_dport(r, REG0);
	rule_meta(r, NFT_META_L4PROTO, REG0 + 1);
	rule_daddr(r, NFPROTO_IPV6, REG0 + 2);
	rule_in(r, SET_PINRANGE6);
	rule_accept(r);
}

void chain_forward_wan(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "forward_wan");

	rule_ct_bits(r, NFT_CT_STATE, CT_STATE_INVALID);
	rule_object(r, NFT_OBJECT_COUNTER, "invalid_in");
	rule_drop(r);

	r = skeleton_rule(s, "forward_wan");
	rule_ct_bits(r, NFT_CT_STATE, CT_STATE(IP_CT_RELATED));
	rule_accept(r);

	pass_pinholes(s);

	r = skeleton_rule(s, "forward_wan");
	rule_object(r, NFT_OBJECT_COUNTER, "refused");
	rule_drop(r);
}

/* ------------------------------------------------------------------ the gateway itself
 */

void chain_input(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "input");

	rule_ct_bits(r, NFT_CT_STATE,
		     CT_STATE(IP_CT_ESTABLISHED) | CT_STATE(IP_CT_RELATED));
	rule_accept(r);
	r = skeleton_rule(s, "input");
	skeleton_match_wan(s, NFT_META_IIFNAME, NFT_CMP_EQ);
	rule_goto(r, "input_wan");
}

static void match_icmp6(struct rule *r, const uint8_t *types, size_t n)
{
	const struct values v = {
		.type = TYPE_ICMPV6_TYPE, .values = types, .len = 1, .n = n
	};

	rule_protocol(r, IPPROTO_ICMPV6);
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, REG0);
	rule_in_any(r, NFT_CMP_EQ, &v);
}

#define MLD2_LISTENER_REPORT 143 /* RFC 3810 */

/* Without these there is no IPv6 on the WAN: RFC 4890 4.4.1. */
static void input_icmp(struct skeleton *s)
{
	static const uint8_t neighbours[] = { ND_ROUTER_SOLICIT, ND_ROUTER_ADVERT,
					      ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT };
	static const uint8_t others[] = { ICMP6_PACKET_TOO_BIG,	  ICMP6_ECHO_REQUEST,
					  MLD_LISTENER_QUERY,	  MLD_LISTENER_REPORT,
					  MLD_LISTENER_REDUCTION, MLD2_LISTENER_REPORT };
	struct rule *r = skeleton_rule(s, "input_wan");

	rule_family(r, NFPROTO_IPV4);
	rule_protocol(r, IPPROTO_ICMP);
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, REG0);
	rule_is_u8(r, ICMP_ECHO);
	rule_accept(r);

	r = skeleton_rule(s, "input_wan");
	rule_family(r, NFPROTO_IPV6);
	rule_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_hlim), 1,
		     REG0);
	rule_is_u8(r, 255);
	match_icmp6(r, neighbours, ARRAY_SIZE(neighbours));
	rule_accept(r);

	r = skeleton_rule(s, "input_wan");
	rule_family(r, NFPROTO_IPV6);
	match_icmp6(r, others, ARRAY_SIZE(others));
	rule_accept(r);
}

#define DHCP_SERVER   67
#define DHCP_CLIENT   68
#define DHCPV6_CLIENT 546

/* DHCP answers by broadcast, and DHCPv6 from an address that was never asked: conntrack
 * sees no answer in them. */
static void input_dhcp(struct skeleton *s)
{
	const uint16_t ports[] = { htons(DHCP_SERVER), htons(DHCP_CLIENT) };
	const uint16_t client6 = htons(DHCPV6_CLIENT);
	struct rule *r = skeleton_rule(s, "input_wan");

	rule_protocol(r, IPPROTO_UDP);
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(ports), REG0);
	rule_compare(r, NFT_CMP_EQ, ports, sizeof(ports));
	rule_accept(r);

	r = skeleton_rule(s, "input_wan");
	rule_family(r, NFPROTO_IPV6);
	rule_saddr(r, NFPROTO_IPV6, REG0);
	rule_is_link_local(r);
	rule_protocol(r, IPPROTO_UDP);
	rule_dport(r, REG0);
	rule_compare(r, NFT_CMP_EQ, &client6, sizeof(client6));
	rule_accept(r);
}

#define SSDP	   1900 /* UPnP Device Architecture 1.3.2 */
#define PCP_CLIENT 5350 /* RFC 6887 14.1.1, RFC 6886 3.2.1 */

/* Routers say by multicast that they have come back or have another address. What they
 * are asked is asked of their own address as well, also where it is asked by multicast:
 * so conntrack knows the answers, and nothing else is let in, not even from a router. */
static void input_routers(struct skeleton *s, uint8_t family)
{
	const uint16_t announced[] = { htons(SSDP), htons(PCP_CLIENT) };
	const struct values ports = {
		.type = TYPE_INET_SERVICE, .values = announced, .len = 2, .n = 2
	};
	struct rule *r = skeleton_rule(s, "input_wan");

	rule_family(r, family);
	rule_saddr(r, family, REG0);
	rule_in(r, family == NFPROTO_IPV4 ? SET_ROUTER4 : SET_ROUTER6);
	rule_protocol(r, IPPROTO_UDP);
	rule_dport(r, REG0);
	rule_in_any(r, NFT_CMP_EQ, &ports);
	rule_accept(r);
}

void chain_input_wan(struct skeleton *s)
{
	struct rule *r = skeleton_rule(s, "input_wan");

	/* a forward to the gateway itself */
	rule_ct_bits(r, NFT_CT_STATUS, IPS_DST_NAT);
	rule_accept(r);

	r = skeleton_rule(s, "input_wan");
	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_dport(r, REG0 + 1);
	rule_in(r, SET_OPEN);
	rule_accept(r);

	input_icmp(s);
	input_dhcp(s);
	if (s->options->asks_routers) {
		input_routers(s, NFPROTO_IPV4);
		input_routers(s, NFPROTO_IPV6);
	}

	r = skeleton_rule(s, "input_wan");
	rule_family(r, NFPROTO_IPV4);
	rule_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, protocol), 1,
		     REG0);
	rule_is_u8(r, IPPROTO_IGMP);
	rule_accept(r);

	/* Silence, where the kernel would answer RST at once: RFC 5382 REQ-4. */
	r = skeleton_rule(s, "input_wan");
	rule_object(r, NFT_OBJECT_COUNTER, "refused");
	rule_drop(r);
}

/* ------------------------------------------------------------------ segment size */

static void clamp_direction(struct skeleton *s, enum nft_meta_keys key)
{
	static const uint8_t syn_rst = TH_SYN | TH_RST;
	struct rule *r = skeleton_rule(s, "clamp");

	rule_protocol(r, IPPROTO_TCP);
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_flags),
		     1, REG0);
	rule_mask(r, &syn_rst, sizeof(syn_rst));
	rule_is_u8(r, TH_SYN);
	skeleton_match_wan(s, key, NFT_CMP_EQ);
	rule_set_mss(r, s->options->mss_mode == MSS_FIXED ? s->options->mss : 0);
	rule_end(r);
}

void chain_clamp(struct skeleton *s)
{
	clamp_direction(s, NFT_META_OIFNAME);
	clamp_direction(s, NFT_META_IIFNAME);
}
