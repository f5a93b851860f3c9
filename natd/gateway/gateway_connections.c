/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/gateway/gateway_private.h"

#include <errno.h>

struct walk {
	struct gateway *gw;
	struct address_list wan;
	gateway_connection on_connection;
	void *userdata;
};

static int on_entry(void *userdata, const struct connection *c)
{
	struct walk *walk = userdata;
	const struct mapping *m = connection_mapping(walk->gw->table, &walk->wan, c);

	if (!m || !connection_follows(c, m))
		return 0;
	return walk->on_connection(walk->userdata, m, c);
}

int gateway_connections(struct gateway *gw, gateway_connection on_connection,
			void *userdata)
{
	struct walk walk = {
		.gw = gw,
		.wan = links_wan_addresses(gw->links),
		.on_connection = on_connection,
		.userdata = userdata,
	};
	int r;

	r = conntrack_dump(gw->conntrack, on_entry, &walk);
	/* torn: all that was there all the time is in it */
	return r == -EINTR ? 0 : r;
}

int gateway_end_connections(struct gateway *gw, const struct connection *connections,
			    size_t n, size_t *ret_ended)
{
	const struct engine_parts parts = gateway_parts(gw);

	return ending_kill(&parts, connections, n, ret_ended);
}
