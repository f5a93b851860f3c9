/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * chains - the rules of each chain, and what the files that write them share
 */

#include "rules/rule.h"

struct skeleton {
	struct rule rule;
	const struct ruleset_options *options;
};

/** skeleton_rule() - begin the next rule of a chain; returns it, good until it ends */
struct rule *skeleton_rule(struct skeleton *s, const char *chain);
/** skeleton_match_wan() - interface @key is (NFT_CMP_EQ) or is not one of the WANs */
void skeleton_match_wan(struct skeleton *s, enum nft_meta_keys key, enum nft_cmp_ops op);

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
void chain_hairpin(struct skeleton *s);

/* filter */
void chain_forward(struct skeleton *s);
void chain_forward_wan(struct skeleton *s);
void chain_input(struct skeleton *s);
void chain_input_wan(struct skeleton *s);
void chain_clamp(struct skeleton *s);
