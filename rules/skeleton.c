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

/**
 * struct chain_spec
 * @type: NULL where other chains go to it, else hook and priority count
 */
static const struct chain_spec {
	const char *name;
	void (*put_rules)(struct skeleton *s);
	bool (*is_wanted)(const struct ruleset_options *options);
	const char *type;
	uint32_t hook;
	int32_t priority;
} chains[] = {
	{ "prerouting", chain_prerouting, always, "nat", NF_INET_PRE_ROUTING, -105 },
	{ "from_wan", chain_from_wan, always, NULL, 0, 0 },
	{ "dnat4", chain_dnat4, always, NULL, 0, 0 },
	{ "dnat6", chain_dnat6, always, NULL, 0, 0 },
	{ "output", chain_output, always, "nat", NF_INET_LOCAL_OUT, -105 },
	{ "postrouting", chain_postrouting, always, "nat", NF_INET_POST_ROUTING, 95 },
	{ "to_wan", chain_to_wan, always, NULL, 0, 0 },
	{ "hairpin", chain_hairpin, always, NULL, 0, 0 },
	{ "forward", chain_forward, always, "filter", NF_INET_FORWARD, -5 },
	{ "forward_wan", chain_forward_wan, always, NULL, 0, 0 },
	{ "input", chain_input, closes_input, "filter", NF_INET_LOCAL_IN, -5 },
	{ "input_wan", chain_input_wan, closes_input, NULL, 0, 0 },
	{ "clamp", chain_clamp, clamps, "filter", NF_INET_FORWARD, -155 },
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

static void chain_put(struct batch *b, const struct chain_spec *spec)
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
	return id != SET_OPEN || closes_input(options);
}

static uint32_t size_of(enum set_id id, const size_t room[static MAPPING_SETS])
{
	for (enum mapping_kind kind = 0; kind < MAPPING_SETS; kind++)
		if (set_of_mappings(kind) == id)
			return (uint32_t)room[kind];
	return set_specs[id].size;
}

void skeleton_put(struct batch *b, struct image *image,
		  const struct ruleset_options *options,
		  const size_t room[static MAPPING_SETS])
{
	struct skeleton s = { .rule = { .batch = b, .image = image },
			      .options = options };

	for (enum set_id id = 0; id < SET_COUNT; id++)
		if (skeleton_has_set(options, id))
			set_put(b, &set_specs[id], size_of(id, room));
	objects_put(b);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].is_wanted(options))
			chain_put(b, &chains[i]);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].is_wanted(options))
			chains[i].put_rules(&s);
	image_add_batch(image, b);
}
