/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * kernel_promise - what libnftnl takes the kernel's word for
 *
 * libnftnl 1.2.4 reads a pointer that nobody has set when a jump names no chain. No
 * kernel says so, and natd cannot mend it: such a rule does not reach the library here,
 * as if that had said that it does not know the rule.
 */

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <string.h>

int __real_nftnl_rule_nlmsg_parse(const struct nlmsghdr *nlh, struct nftnl_rule *rule);
int __wrap_nftnl_rule_nlmsg_parse(const struct nlmsghdr *nlh, struct nftnl_rule *rule);

static bool verdict_is_whole(const struct nlattr *verdict)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, verdict)
		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN)
			return true;
	mnl_attr_for_each_nested (attr, verdict) {
		int code = NFT_JUMP;

		if (mnl_attr_get_type(attr) != NFTA_VERDICT_CODE)
			continue;
		if (mnl_attr_get_payload_len(attr) >= sizeof(code))
			memcpy(&code, mnl_attr_get_payload(attr), sizeof(code));
		if ((int)ntohl((uint32_t)code) == NFT_JUMP ||
		    (int)ntohl((uint32_t)code) == NFT_GOTO)
			return false;
	}
	return true;
}

/* Every verdict below an expression list, @depth levels down. */
static bool is_whole(const struct nlattr *nest, unsigned int depth)
{
	static const uint16_t path[] = { NFTA_LIST_ELEM, NFTA_EXPR_DATA,
					 NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT };
	const struct nlattr *attr;

	if (depth == sizeof(path) / sizeof(path[0]))
		return verdict_is_whole(nest);
	mnl_attr_for_each_nested (attr, nest)
		if (mnl_attr_get_type(attr) == path[depth] && !is_whole(attr, depth + 1))
			return false;
	return true;
}

int __wrap_nftnl_rule_nlmsg_parse(const struct nlmsghdr *nlh, struct nftnl_rule *rule)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS &&
		    !is_whole(attr, 0))
			return -1;
	return __real_nftnl_rule_nlmsg_parse(nlh, rule);
}
