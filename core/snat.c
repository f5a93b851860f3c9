/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "core/snat.h"

const struct in6_addr *snat_host(const struct snat_list *list,
				 const struct in6_addr *external)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->snats[i].one_to_one &&
		    address_equal(&list->snats[i].to, external))
			return &list->snats[i].source.addr;
	return NULL;
}

/* ::/0 is of IPv6, although IPv4 addresses are kept in it */
static bool is_covered(const struct in6_addr *addr, const struct prefix *prefix)
{
	return prefix_is_ipv4(prefix) == address_is_ipv4(addr) &&
	       address_in_prefix(addr, prefix);
}

static bool is_untranslated(const struct snat_list *list, const struct in6_addr *remote)
{
	for (size_t i = 0; i < list->n_untranslated; i++)
		if (is_covered(remote, &list->untranslated[i]))
			return true;
	return false;
}

const struct snat *snat_of(const struct snat_list *list, const struct in6_addr *source,
			   const struct in6_addr *remote, bool *ret_untranslated)
{
	const struct snat *s, *best = NULL;

	*ret_untranslated = is_untranslated(list, remote);
	if (*ret_untranslated)
		return NULL;
	for (size_t i = 0; i < list->n; i++) {
		s = &list->snats[i];
		if (is_covered(source, &s->source) &&
		    (!best || s->source.len > best->source.len))
			best = s;
	}
	return best;
}
