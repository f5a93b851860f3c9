/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "core/connection.h"

bool address_list_has(const struct address_list *list, const struct in6_addr *addr)
{
	for (size_t i = 0; i < list->n; i++) {
		if (address_equal(&list->addrs[i], addr))
			return true;
	}
	return false;
}

static const struct mapping *find_enabled(const struct table *table,
					  const struct connection *c,
					  const struct in6_addr *addr)
{
	const struct endpoint dialled = { .addr = *addr, .port = c->orig_dst.port };
	const struct mapping *m = table_find(table, c->protocol, &dialled);

	return m && m->enabled ? m : NULL;
}

const struct mapping *connection_mapping(const struct table *table,
					 const struct address_list *wan,
					 const struct connection *c)
{
	const struct in6_addr *dialled = &c->orig_dst.addr;
	const struct mapping *m = NULL;

	if (address_is_any(dialled))
		return NULL;
	if (address_list_has(wan, dialled))
		m = find_enabled(table, c,
				 address_is_ipv4(dialled) ? &address_any4
							  : &address_any6);
	return m ? m : find_enabled(table, c, dialled);
}

bool connection_follows(const struct connection *c, const struct mapping *m)
{
	/* of a pinhole this is also the address that was dialled: left alone */
	return c->protocol == m->protocol && endpoint_equal(&c->reply_src, &m->internal);
}
