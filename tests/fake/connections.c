/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * connections - what a connection tracker has: one connection through each mapping
 */

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "tests/fake/gateway.h"

static struct connection connection_of(const struct mapping *m)
{
	struct connection c = {
		.protocol = m->protocol,
		.orig_dst = m->external,
		.reply_src = { .addr = m->host, .port = m->internal.port },
		.state = TCP_CONNTRACK_ESTABLISHED,
		.status = IPS_SEEN_REPLY | IPS_ASSURED,
		.timeout = 431988,
	};

	(void)endpoint_parse(mapping_is_ipv4(m) ? "198.51.100.9:51234"
						: "[2001:db8:ffff::9]:51234",
			     &c.orig_src);
	c.reply_dst = c.orig_src;
	return c;
}

int gateway_connections(struct gateway *gw, gateway_connection on_connection,
			void *userdata)
{
	const struct mapping *m;
	int r = 0;

	table_for_each (gw->table, m) {
		const struct connection c = connection_of(m);

		r = on_connection(userdata, m, &c);
		if (r)
			break;
	}
	return r;
}

int gateway_end_connections(struct gateway *gw, const struct connection *connections,
			    size_t n, size_t *ret_ended)
{
	*ret_ended = n;
	return 0;
}
