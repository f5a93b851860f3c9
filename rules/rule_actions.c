/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rule_actions - what a rule does with a packet
 */

#include <arpa/inet.h>
#include <stdio.h> /* libnftnl needs it */

#include <libnftnl/expr.h>
#include <linux/netfilter/nf_nat.h>
#include <netinet/tcp.h>

#include "rules/rule_private.h"

void rule_verdict(struct rule *r, int verdict, const char *chain)
{
	struct nftnl_expr *e = rule_add(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		rule_set_name(r, e, NFTNL_EXPR_IMM_CHAIN, chain);
}

void rule_counter(struct rule *r, uint64_t packets)
{
	struct nftnl_expr *e = rule_add(r, "counter");

	if (e && packets)
		nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_PACKETS, packets);
}

void rule_vmap(struct rule *r, enum set_id map)
{
	struct nftnl_expr *e = rule_lookup(r, set_specs[map].name, map + 1);

	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
}

void rule_object(struct rule *r, uint32_t type, const char *name)
{
	struct nftnl_expr *e = rule_add(r, "objref");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, type);
	rule_set_name(r, e, NFTNL_EXPR_OBJREF_IMM_NAME, name);
}

void rule_map(struct rule *r, enum set_id map)
{
	struct nftnl_expr *e = rule_lookup(r, set_specs[map].name, map + 1);

	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, rule_reg(REG0));
}

void rule_nat(struct rule *r, enum nft_nat_types type, uint8_t family, unsigned port_reg)
{
	struct nftnl_expr *e = rule_add(r, "nat");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, type);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, family);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, rule_reg(REG0));
	if (port_reg)
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, rule_reg(port_reg));
}

void rule_masquerade(struct rule *r)
{
	rule_add(r, "masq");
}

/* Of a masquerade the kernel takes the word for it that ports are given. */
static void masquerade_to(struct rule *r, unsigned first, unsigned last)
{
	struct nftnl_expr *e = rule_add(r, "masq");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN, rule_reg(first));
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MAX, rule_reg(last));
}

void rule_masquerade_to_reg(struct rule *r)
{
	masquerade_to(r, REG0, REG0);
}

/* A register of 16 bytes each for the address and the ends of the range. */
enum { REG_ADDR = 0, REG_FIRST = 4, REG_LAST = 8 };

static void load(struct rule *r, unsigned reg, const void *bytes, uint32_t len)
{
	struct nftnl_expr *e = rule_add(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, rule_reg(reg));
	rule_set_bytes(r, e, NFTNL_EXPR_IMM_DATA, bytes, len);
}

static void load_port(struct rule *r, unsigned reg, uint16_t port)
{
	uint16_t be = htons(port);

	load(r, reg, &be, sizeof(be));
}

void rule_masquerade_to(struct rule *r, const struct port_range *ports)
{
	load_port(r, REG_FIRST, ports->first);
	load_port(r, REG_LAST, ports->last);
	masquerade_to(r, REG_FIRST, REG_LAST);
}

void rule_snat_to(struct rule *r, uint8_t family, const struct port_range *ports)
{
	struct nftnl_expr *e;

	load_port(r, REG_FIRST, ports->first);
	load_port(r, REG_LAST, ports->last);
	e = rule_add(r, "nat");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, family);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, rule_reg(REG_ADDR));
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, rule_reg(REG_FIRST));
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, rule_reg(REG_LAST));
}

void rule_dnat_to(struct rule *r, uint8_t family, const struct endpoint *to)
{
	uint32_t skip = family == NFPROTO_IPV4 ? 12 : 0;

	load(r, REG_ADDR, to->addr.s6_addr + skip, 16 - skip);
	load_port(r, REG_FIRST, to->port);
	rule_nat(r, NFT_NAT_DNAT, family, REG_FIRST);
}

#define TCPOPT_MSS_AT 2 /* bytes into the option */

static void load_mss(struct rule *r, uint16_t mss)
{
	uint16_t be = htons(mss);
	struct nftnl_expr *e = rule_add(r, mss ? "immediate" : "rt");

	if (!e)
		return;
	if (mss) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, rule_reg(REG0));
		rule_set_bytes(r, e, NFTNL_EXPR_IMM_DATA, &be, sizeof(be));
		return;
	}
	nftnl_expr_set_u32(e, NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_RT_DREG, rule_reg(REG0));
	e = rule_add(r, "byteorder");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SREG, rule_reg(REG0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_DREG, rule_reg(REG0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_LEN, sizeof(be));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(be));
}

void rule_set_mss(struct rule *r, uint16_t mss)
{
	struct nftnl_expr *e;

	load_mss(r, mss);
	e = rule_add(r, "exthdr");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_SREG, rule_reg(REG0));
	nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, TCPOPT_MAXSEG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OFFSET, TCPOPT_MSS_AT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_LEN, sizeof(mss));
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
}
