/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * table_hosts - host suffixes follow the prefix of their LAN
 *
 * First every suffix whose host is no longer right loses it, then each gets the new one
 * unless another mapping is there already. In one pass a suffix could meet another that
 * is yet to move out of its way.
 */

#include "core/conditions.h"
#include "core/table_private.h"

static const struct in6_addr *prefix_of(const struct lan_prefix_list *lans,
					const struct mapping *m)
{
	const struct lan_prefix *lan = lan_prefix_find(lans, mapping_lan(m));

	return lan && !address_is_any(&lan->prefix) ? &lan->prefix : NULL;
}

/* Does @m have the host that it should? */
static bool is_settled(const struct lan_prefix_list *lans, const struct mapping *m)
{
	struct mapping settled = *m;

	mapping_settle_host(&settled, prefix_of(lans, m));
	return address_equal(&settled.host, &m->host);
}

/* Its host may be the very address that it is reached at: as a pinhole it would be of
 * another kind. */
static bool may_have_host(const struct table *table, const struct node *node,
			  const struct in6_addr *prefix)
{
	struct mapping settled = node->mapping;

	mapping_settle_host(&settled, prefix);
	return mapping_kind(&settled) == node->kind &&
	       !table_same_element(table, &settled, PRESENT, node);
}

/* Every suffix without host is asked, whether it had one or not: what was in its way may
 * be gone. Return: how many have one that had none before. */
static size_t settle_all(struct table *table, const struct lan_prefix_list *lans)
{
	const struct in6_addr *prefix;
	size_t n = 0;

	for (struct node *node = table->first; node; node = node->next) {
		if (!node->mapping.suffix || !address_is_any(&node->mapping.host))
			continue;
		prefix = prefix_of(lans, &node->mapping);
		if (prefix && may_have_host(table, node, prefix)) {
			table_rekey(table, node, prefix);
			n += !node->moves;
		}
		node->moves = false;
	}
	return n;
}

/* Return: how many have lost their host. */
static size_t unsettle(struct table *table, const struct lan_prefix_list *lans)
{
	size_t n = 0;

	for (struct node *node = table->first; node; node = node->next) {
		const struct mapping *m = &node->mapping;

		if (m->suffix && !address_is_any(&m->host) && !is_settled(lans, m)) {
			table_rekey(table, node, NULL);
			node->moves = true;
			n++;
		}
	}
	return n;
}

void table_settle_hosts(struct table *table, const struct lan_prefix_list *lans,
			size_t *ret_changed)
{
	size_t n = 0;

	assert(!table->plan);
	if (table->n_suffix > 0) {
		n = unsettle(table, lans);
		n += settle_all(table, lans);
	}
	*ret_changed = n;
}
