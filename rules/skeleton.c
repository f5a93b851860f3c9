/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * skeleton - chains and rules
 *
 * Theory of operation. The nat chains see the first packet of a connection only, so
 * everything that can wait for it is there: lookups, tests of addresses, spoofing,
 * timers. A packet of an established connection meets one rule of ours, the first of
 * `forward` (and where it exists the first of `input`).
 *
 * Base chains stand 5 before the customary priorities (dstnat -100, srcnat 100, filter
 * 0), where iptables-nft, docker and hand-written tables are. In nat hooks the first
 * chain that translates wins, so a mapping of ours is what happens, whatever was loaded
 * first. In filter hooks an accept of ours binds nobody else, and our drop comes before
 * a foreign reject, so that the WAN gets silence.
 *
 * docs/ruleset.md shows the whole as nft prints it, with the reason for each rule.
 */

#include "rules/skeleton.h"

#include <errno.h>
#include <libnftnl/chain.h>

#include "core/cleanup.h"
#include "rules/chains.h"
#include "rules/objects.h"

DEFINE_CLEANUP(nftnl_chain_free, struct nftnl_chain *)

struct rule *skeleton_rule(struct skeleton *s, const char *chain)
{
	rule_begin(&s->rule, chain);
	return &s->rule;
}

/* `iifname $WAN`: one name is a plain compare, which costs every new connection 200 ns
 * less than looking it up in a set. */
void skeleton_match_wan(struct skeleton *s, enum nft_meta_keys key, enum nft_cmp_ops op)
{
	const struct values names = {
		.type = TYPE_IFNAME,
		.values = s->options->wan,
		.len = IFNAMSIZ,
		.n = s->options->n_wan,
	};

	if (names.n == 0) {
		s->rule.never |= op == NFT_CMP_EQ;
		return;
	}
	rule_meta(&s->rule, key, REG0);
	rule_in_any(&s->rule, op, &names);
}

void rule_accept(struct rule *r)
{
	rule_verdict(r, NF_ACCEPT, NULL);
	rule_end(r);
}

void rule_drop(struct rule *r)
{
	rule_verdict(r, NF_DROP, NULL);
	rule_end(r);
}

void rule_goto(struct rule *r, const char *chain)
{
	rule_verdict(r, NFT_GOTO, chain);
	rule_end(r);
}

static bool always(const struct ruleset_options *options)
{
	return true;
}

static bool closes_input(const struct ruleset_options *options)
{
	return options->input_drop;
}

static bool clamps(const struct ruleset_options *options)
{
	return options->mss_mode != MSS_OFF;
}

#define DNAT_SHAPE(v)                                                                    \
	(set_bit(SET_FORWARD##v##_FROM) | set_bit(SET_FORWARD##v##_AT) |                 \
	 set_bit(SET_ONE_IN##v) | set_bit(SET_RANGE##v))
#define TO_WAN_SHAPE                                                                     \
	(set_bit(SET_UNTRANSLATED4) | set_bit(SET_UNTRANSLATED6) | OUT4_SHAPE |          \
	 OUT6_SHAPE)
#define FORWARD_SHAPE (set_bit(SET_PINHOLE6_FROM) | set_bit(SET_PINRANGE6))

/**
 * struct chain_spec
 * @type: NULL where other chains go to it, else hook and priority count
 * @shape: the sets for which it has a rule only where they have elements
 */
static const struct chain_spec {
	const char *name;
	void (*put_rules)(struct skeleton *s);
	bool (*is_wanted)(const struct ruleset_options *options);
	const char *type;
	uint32_t hook;
	int32_t priority;
	uint64_t shape;
} chains[] = {
	{ "prerouting", chain_prerouting, always, "nat", NF_INET_PRE_ROUTING, -105, 0 },
	{ "from_wan", chain_from_wan, always, NULL, 0, 0, 0 },
	{ "dnat4", chain_dnat4, always, NULL, 0, 0, DNAT_SHAPE(4) },
	{ "dnat6", chain_dnat6, always, NULL, 0, 0, DNAT_SHAPE(6) },
	{ "output", chain_output, always, "nat", NF_INET_LOCAL_OUT, -105, 0 },
	{ "postrouting", chain_postrouting, always, "nat", NF_INET_POST_ROUTING, 95, 0 },
	{ "to_wan", chain_to_wan, always, NULL, 0, 0, TO_WAN_SHAPE },
	{ "out4", chain_out4, always, NULL, 0, 0, OUT4_SHAPE },
	{ "out6", chain_out6, always, NULL, 0, 0, OUT6_SHAPE },
	{ "hairpin", chain_hairpin, always, NULL, 0, 0, 0 },
	{ "forward", chain_forward, always, "filter", NF_INET_FORWARD, -5, 0 },
	{ "forward_wan", chain_forward_wan, always, NULL, 0, 0, FORWARD_SHAPE },
	{ "input", chain_input, closes_input, "filter", NF_INET_LOCAL_IN, -5, 0 },
	{ "input_wan", chain_input_wan, closes_input, NULL, 0, 0, 0 },
	{ "clamp", chain_clamp, clamps, "filter", NF_INET_FORWARD, -155, 0 },
};

static int chain_fill(struct nftnl_chain *chain, const struct chain_spec *spec)
{
	if (nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, RULESET_TABLE) < 0 ||
	    nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, spec->name) < 0)
		return -ENOMEM;
	if (!spec->type)
		return 0;
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, spec->hook);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, spec->priority);
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	return nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, spec->type);
}

static void chain_put_spec(struct batch *b, const struct chain_spec *spec)
{
	CLEANUP(nftnl_chain_free) struct nftnl_chain *chain = nftnl_chain_alloc();
	struct nlmsghdr *nlh;

	if (!chain || chain_fill(chain, spec) < 0) {
		batch_fail(b, -ENOMEM);
		return;
	}
	nlh = batch_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	if (nlh)
		nftnl_chain_nlmsg_build_payload(nlh, chain);
	batch_close(b, nlh);
}

void chain_put(struct batch *b, const char *name)
{
	chain_put_spec(b, &(struct chain_spec){ .name = name });
}

void chain_flush(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELRULE, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, name);
	batch_close(b, nlh);
}

void chain_delete(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELCHAIN, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	batch_close(b, nlh);
}

bool skeleton_has_set(const struct ruleset_options *options, enum set_id id)
{
	if (id == SET_ROUTER4 || id == SET_ROUTER6)
		return closes_input(options) && options->asks_routers;
	return id != SET_OPEN || closes_input(options);
}

void skeleton_put(struct batch *b, struct image *image,
		  const struct ruleset_options *options, uint8_t protocols,
		  uint64_t shape, const size_t room[static SET_COUNT])
{
	struct skeleton s = { .rule = { .batch = b, .image = image },
			      .options = options,
			      .protocols = protocols,
			      .shape = shape };

	for (enum set_id id = 0; id < SET_COUNT; id++)
		if (skeleton_has_set(options, id))
			set_put(b, &set_specs[id], (uint32_t)room[id]);
	objects_put(b, protocols);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].is_wanted(options))
			chain_put_spec(b, &chains[i]);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].is_wanted(options))
			chains[i].put_rules(&s);
	image_add_batch(image, b);
	image_sort(image);
}

void skeleton_reshape(struct batch *b, const struct ruleset *rs, uint64_t from,
		      uint64_t to)
{
	struct skeleton s = { .rule = { .batch = b },
			      .options = &rs->options,
			      .protocols = rs->protocols,
			      .shape = to };

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		if (!((from ^ to) & chains[i].shape))
			continue;
		chain_flush(b, chains[i].name);
		chains[i].put_rules(&s);
	}
}

void spare_put_chains(struct batch *b, const struct ruleset *rs, const struct keys *old,
		      const struct keys *new, uint64_t shape)
{
	bool anew = (rs->shape ^ shape) & SPARE_SHAPE;
	struct skeleton s = { .rule = { .batch = b }, .shape = shape };
	struct spare_chain c;

	for (size_t i = 0; i < new->n; i++) {
		const char *chain = new->keys[i].chain;
		bool was = chain && keys_lead_to(old, old->n, chain);

		if (!chain || (was && !anew) || keys_lead_to(new, i, chain) ||
		    !spare_chain_parse(chain, &c))
			continue;
		if (was)
			chain_flush(b, chain);
		else
			chain_put(b, chain);
		chain_spare(&s, &c);
	}
}
