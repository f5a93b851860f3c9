/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "core/connection.h"

const struct mapping *connection_mapping(const struct table *table,
					 const struct address_list *wan,
					 const struct connection *c)
{
	const struct endpoint *dialled = &c->orig_dst;

	if (address_is_any(&dialled->addr))
		return NULL;
	return table_match(table, c->protocol, dialled,
			   address_list_has(wan, &dialled->addr), &c->orig_src.addr);
}

bool connection_follows(const struct connection *c, const struct mapping *m)
{
	const uint16_t dialled = c->orig_dst.port;

	if (c->protocol != m->protocol || dialled < m->external.port ||
	    dialled > mapping_last_port(m))
		return false;
	/* of a pinhole this is also the address that was dialled: left alone */
	return address_equal(&c->reply_src.addr, &m->host) &&
	       c->reply_src.port == m->internal.port + (dialled - m->external.port);
}
