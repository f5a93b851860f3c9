/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * chains - the rules of each chain, and what the files that write them share
 */

#include "rules/rule.h"
#include "rules/usage.h"

/** struct skeleton
 * @protocols: PROTOCOL_BIT_* that the kernel tracks
 * @shape: set_bit() of the sets that have elements */
struct skeleton {
	struct rule rule;
	const struct ruleset_options *options;
	uint8_t protocols;
	uint64_t shape;
};

static inline bool skeleton_uses(const struct skeleton *s, enum set_id id)
{
	return s->shape & set_bit(id);
}

/** skeleton_rule() - begin the next rule of a chain; returns it, good until it ends */
struct rule *skeleton_rule(struct skeleton *s, const char *chain);
/** skeleton_match_wan() - interface @key is (NFT_CMP_EQ) or is not one of the WANs */
void skeleton_match_wan(struct skeleton *s, enum nft_meta_keys key, enum nft_cmp_ops op);

/** skeleton_set_timers() - append the rule that gives a connection its timers */
void skeleton_set_timers(struct skeleton *s, const char *chain);

/** skeleton_nat_address() - where @map has elements, append the rule that translates who
 * is dialled at (NFT_NAT_DNAT) or comes from (NFT_NAT_SNAT) one of its addresses */
void skeleton_nat_address(struct skeleton *s, const char *chain, enum nft_nat_types type,
			  uint8_t family, enum set_id map);

/* the last word of a rule, and its end */
void rule_accept(struct rule *r);
void rule_drop(struct rule *r);
void rule_goto(struct rule *r, const char *chain);

/* nat */
void chain_prerouting(struct skeleton *s);
void chain_from_wan(struct skeleton *s);
void chain_dnat4(struct skeleton *s);
void chain_dnat6(struct skeleton *s);
void chain_output(struct skeleton *s);
void chain_postrouting(struct skeleton *s);
void chain_to_wan(struct skeleton *s);
void chain_out4(struct skeleton *s);
void chain_out6(struct skeleton *s);
void chain_hairpin(struct skeleton *s);
/** chain_spare() - the rules of a chain that a map of spare ports leads to */
void chain_spare(struct skeleton *s, const struct spare_chain *c);
/* the sets that these depend on */
#define SPARE_SHAPE                                                                      \
	(set_bit(SET_SNAT4) | set_bit(SET_SNAT6) | set_bit(SET_SAME4) |                  \
	 set_bit(SET_SAME6) | set_bit(SET_KEEP4) | set_bit(SET_KEEP6))

/* filter */
void chain_forward(struct skeleton *s);
void chain_forward_wan(struct skeleton *s);
void chain_input(struct skeleton *s);
void chain_input_wan(struct skeleton *s);
void chain_clamp(struct skeleton *s);

/* The sets that out4 and out6 depend on; without any there is nothing to look up, and
 * nobody goes there. */
#define OUT_SHAPE(v)                                                                     \
	(set_bit(SET_BACK##v) | set_bit(SET_BACK##v##_AT) | set_bit(SET_ONE_OUT##v) |    \
	 set_bit(SET_SNAT##v) | set_bit(SET_SPARE_TCP) | set_bit(SET_SPARE_UDP) |        \
	 set_bit(SET_SPARE_SCTP) | set_bit(SET_SPARE_UDPLITE))
#define OUT4_SHAPE OUT_SHAPE(4)
#define OUT6_SHAPE OUT_SHAPE(6)
