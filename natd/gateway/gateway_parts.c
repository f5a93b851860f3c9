/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_parts - the gateway as the engine sees it
 */

#include "natd/gateway/gateway_private.h"
#include "natd/gateway/gateway_upstream.h"

static struct address_list wan_addresses(void *userdata)
{
	struct gateway *gw = userdata;

	return links_wan_addresses(gw->links);
}

static int route_is_wan(void *userdata, const struct in6_addr *addr)
{
	struct gateway *gw = userdata;

	return links_route_is_wan(gw->links, addr);
}

static int is_local(void *userdata, const struct in6_addr *addr)
{
	struct gateway *gw = userdata;

	return links_is_local(gw->links, addr);
}

static int resync(void *userdata, struct ruleset_fault *why)
{
	struct ruleset_report report;

	return gateway_sync(userdata, &report, why);
}

static void committed(void *userdata, const struct plan *plan)
{
	struct gateway *gw = userdata;

	events_tell_plan(gw->events, plan);
	gateway_tell_held(gw, plan);
	meter_committed(gw->meter, plan);
	gateway_upstream_committed(gw, plan);
	if (gw->leases)
		leases_rearm(gw->leases);
}

static void decided(void *userdata)
{
	gateway_upstream_decided(userdata);
}

struct engine_parts gateway_parts(struct gateway *gw)
{
	return (struct engine_parts){
		.event = gw->event,
		.table = gw->table,
		.store = gw->store,
		.ruleset = gw->ruleset,
		.conntrack = gw->conntrack,
		.conditions = gateway_conditions,
		.snat = gateway_snat,
		.wan_addresses = wan_addresses,
		.route_is_wan = route_is_wan,
		.is_local = is_local,
		.resync = resync,
		.committed = committed,
		.decided = decided,
		.memory = &gw->memory,
		.endings_owed = gw->endings_owed,
		.userdata = gw,
	};
}
