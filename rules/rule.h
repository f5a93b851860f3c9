/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rule - builds one rule, expression by expression
 *
 *	rule_begin(&r, "forward");
 *	rule_ct(&r, NFT_CT_STATUS, IPS_SEEN_REPLY | IPS_DST_NAT);
 *	rule_verdict(&r, NF_ACCEPT, NULL);
 *	rule_end(&r);
 *
 * The first error stays in the batch. The functions here are the words of the nft
 * language that our rules use, and make of them what nft makes.
 */

#include <libnftnl/rule.h>

#include "rules/image.h"
#include "rules/sets.h"

/**
 * struct rule - one at a time
 * @image:  gets a description of all that goes into @batch
 * @never:  it could match nothing, so it is left out
 * @n_anonymous: unnamed sets made in @batch so far; counts on from rule to rule
 */
struct rule {
	struct batch *batch;
	struct image *image;
	struct nftnl_rule *nftnl;
	uint32_t n_anonymous;
	bool never;
};

/** rule_begin() - @r->batch is set; @r->image may be NULL */
void rule_begin(struct rule *r, const char *chain);
void rule_end(struct rule *r);

/* ------------------------------------------------------------------ loads */

/* Registers of 4 bytes; four of them are one of nft's old ones of 16. */
enum { REG0 = 0 };

void rule_meta(struct rule *r, enum nft_meta_keys key, unsigned reg);
void rule_payload(struct rule *r, enum nft_payload_bases base, uint32_t offset,
		  uint32_t len, unsigned reg);
void rule_ct_original(struct rule *r, enum nft_ct_keys key, unsigned reg);
void rule_fib(struct rule *r, enum nft_fib_result result, uint32_t flags);

/* saddr, daddr, sport, dport of the packet */
void rule_saddr(struct rule *r, uint8_t family, unsigned reg);
void rule_daddr(struct rule *r, uint8_t family, unsigned reg);
void rule_sport(struct rule *r, unsigned reg);
void rule_dport(struct rule *r, unsigned reg);

/* ------------------------------------------------------------------ tests of REG0 */

void rule_compare(struct rule *r, enum nft_cmp_ops op, const void *value, uint32_t len);
void rule_is_u8(struct rule *r, uint8_t value);
void rule_mask(struct rule *r, const void *mask, uint32_t len);
void rule_in(struct rule *r, enum set_id set);
void rule_not_in(struct rule *r, enum set_id set);

/**
 * rule_in_any() - is REG0 one of these? One value is a plain compare, several make an
 * unnamed set
 * @values: @n values of @len bytes
 */
struct values {
	enum nft_type type;
	const void *values;
	uint32_t len;
	size_t n;
};
void rule_in_any(struct rule *r, enum nft_cmp_ops op, const struct values *values);

/* ------------------------------------------------------------------ whole tests */

void rule_family(struct rule *r, uint8_t family);
void rule_protocol(struct rule *r, uint8_t protocol);
/** one of the bits of @key (NFT_CT_STATE, NFT_CT_STATUS) is set */
void rule_ct_bits(struct rule *r, enum nft_ct_keys key, uint32_t bits);
/** address in REG0 is link-local, fe80::/10 */
void rule_is_link_local(struct rule *r);
/** address in REG0 is (NFT_CMP_EQ) or is not (NFT_CMP_NEQ) a ULA, fc00::/7 */
void rule_is_ula(struct rule *r, enum nft_cmp_ops op);

/* ------------------------------------------------------------------ actions */

/** count packets, in the rule itself, from @packets on */
void rule_counter(struct rule *r, uint64_t packets);
/** NF_ACCEPT, NF_DROP, or NFT_GOTO with a chain */
void rule_verdict(struct rule *r, int verdict, const char *chain);
/** a named counter or ct timeout */
void rule_object(struct rule *r, uint32_t type, const char *name);
/** look REG0 up in a map, result to REG0 */
void rule_map(struct rule *r, enum set_id map);
/** NFT_NAT_SNAT, NFT_NAT_DNAT to the address in REG0, and where @port_reg is not 0 the
 * port in that register */
void rule_nat(struct rule *r, enum nft_nat_types type, uint8_t family, unsigned port_reg);
void rule_masquerade(struct rule *r);
/** look REG0 up in a map of verdicts, and follow */
void rule_vmap(struct rule *r, enum set_id map);
void rule_dnat_to(struct rule *r, uint8_t family, const struct endpoint *to);
/** to the port in REG0 */
void rule_masquerade_to_reg(struct rule *r);
/** to one of these ports: the packet's own where it is one and free */
void rule_masquerade_to(struct rule *r, const struct port_range *ports);
/** NFT_NAT_SNAT to the address in REG0 and one of these ports */
void rule_snat_to(struct rule *r, uint8_t family, const struct port_range *ports);
/** TCP maximum segment size: of the route where @mss is 0 */
void rule_set_mss(struct rule *r, uint16_t mss);
