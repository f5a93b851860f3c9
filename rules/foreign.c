/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * foreign - finds other tables' chains that would drop what we accept
 *
 * An accept binds only the chain that says it: a base chain of another table with policy
 * drop on the same hook still drops. Chains of a dormant table are not in force.
 */

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/table.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "core/cleanup.h"
#include "rules/ruleset_private.h"

/* A dump is torn when somebody commits meanwhile; a busy one may do it again. */
#define TRIES 5

struct dormant {
	uint8_t family;
	char table[64];
};

/**
 * struct search
 * @chains: the caller's, @n of @max written
 */
struct search {
	struct dormant *dormant;
	size_t n_dormant;
	struct foreign_chain *chains;
	size_t n, max;
};

DEFINE_CLEANUP(nftnl_chain_free, struct nftnl_chain *)
DEFINE_CLEANUP(nftnl_table_free, struct nftnl_table *)

void printable_copy(char *to, size_t size, const char *name)
{
	size_t i;

	for (i = 0; i + 1 < size && name && name[i]; i++) {
		to[i] = name[i];
		if (name[i] < ' ' || name[i] > '~')
			to[i] = '?';
	}
	to[i] = 0;
}

static int on_table(const struct nlmsghdr *nlh, void *userdata)
{
	CLEANUP(nftnl_table_free) struct nftnl_table *table = nftnl_table_alloc();
	struct search *s = userdata;
	struct dormant *more;

	if (!table || nftnl_table_nlmsg_parse(nlh, table) < 0)
		return MNL_CB_ERROR;
	if (!(nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT))
		return MNL_CB_OK;
	more = reallocarray(s->dormant, s->n_dormant + 1, sizeof(*more));
	if (!more)
		return MNL_CB_ERROR;
	s->dormant = more;
	more += s->n_dormant++;
	more->family = (uint8_t)nftnl_table_get_u32(table, NFTNL_TABLE_FAMILY);
	printable_copy(more->table, sizeof(more->table),
		       nftnl_table_get_str(table, NFTNL_TABLE_NAME));
	return MNL_CB_OK;
}

static bool is_dormant(const struct search *s, uint8_t family, const char *table)
{
	for (size_t i = 0; i < s->n_dormant; i++) {
		if (s->dormant[i].family == family && !strcmp(s->dormant[i].table, table))
			return true;
	}
	return false;
}

static bool family_counts(uint8_t family)
{
	return family == NFPROTO_IPV4 || family == NFPROTO_IPV6 || family == NFPROTO_INET;
}

static bool may_drop(const struct nftnl_chain *chain)
{
	uint32_t hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);

	return nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) &&
	       nftnl_chain_is_set(chain, NFTNL_CHAIN_POLICY) &&
	       nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP &&
	       (hook == NF_INET_FORWARD || hook == NF_INET_LOCAL_IN);
}

static void consider(struct search *s, const struct nftnl_chain *chain)
{
	uint8_t family = (uint8_t)nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY);
	const char *table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
	struct foreign_chain found = { .family = family };

	if (!family_counts(family) || !may_drop(chain) || !table)
		return;
	if (family == NFPROTO_INET && !strcmp(table, RULESET_TABLE))
		return;
	found.hook = (uint8_t)nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
	printable_copy(found.table, sizeof(found.table), table);
	printable_copy(found.chain, sizeof(found.chain),
		       nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
	if (s->n < s->max && !is_dormant(s, family, found.table))
		s->chains[s->n++] = found;
}

static int on_chain(const struct nlmsghdr *nlh, void *userdata)
{
	CLEANUP(nftnl_chain_free) struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain || nftnl_chain_nlmsg_parse(nlh, chain) < 0)
		return MNL_CB_ERROR;
	consider(userdata, chain);
	return MNL_CB_OK;
}

static int search_once(struct ruleset *rs, struct search *s)
{
	int r;

	s->n = s->n_dormant = 0;
	r = ruleset_get(rs, NFT_MSG_GETTABLE, NFPROTO_UNSPEC, NLM_F_DUMP, NULL, NULL,
			on_table, s);
	if (r < 0)
		return r;
	return ruleset_get(rs, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP, NULL, NULL,
			   on_chain, s);
}

int ruleset_foreign(struct ruleset *rs, struct foreign_chain *ret, size_t max)
{
	struct search s = { .chains = ret, .max = max };
	int r = -EINTR;

	for (int i = 0; i < TRIES && r == -EINTR; i++)
		r = search_once(rs, &s);
	free(s.dormant);
	return r < 0 ? r : (int)s.n;
}

const char *foreign_chain_format(const struct foreign_chain *chain,
				 char buf[static FOREIGN_CHAIN_STRLEN])
{
	const char *family = chain->family == NFPROTO_IPV4   ? "ip"
			     : chain->family == NFPROTO_IPV6 ? "ip6"
							     : "inet";

	snprintf(buf, FOREIGN_CHAIN_STRLEN, "%s %s %s (hook %s, policy drop)", family,
		 chain->table, chain->chain,
		 chain->hook == NF_INET_FORWARD ? "forward" : "input");
	return buf;
}
