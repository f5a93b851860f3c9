/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_upstream - what the routers above us are told, and what comes of it
 */

#include "natd/gateway/gateway_upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/gateway_private.h"

/**
 * struct gateway_upstream
 * @following: mappings are told; false: the configuration never had a router asked, and
 *             none is held
 */
struct gateway_upstream {
	struct uplink *uplink;
	struct upstream_held *held;
	bool following;
};

struct uplink *gateway_uplink(const struct gateway *gw)
{
	return gw->up ? gw->up->uplink : NULL;
}

static struct upstream *upstream_of(const struct gateway *gw)
{
	return uplink_upstream(gw->up->uplink);
}

/* ------------------------------------------------------------ mappings */

void gateway_upstream_follow(struct gateway *gw, const struct mapping *m)
{
	char text[MAPPING_STRLEN];
	int r;

	r = upstream_follow(upstream_of(gw), m, uplink_now(gw->up->uplink));
	if (r < 0)
		log_warning("The router above us is not asked for %s: %s.",
			    mapping_describe(m, text), strerror(-r));
}

static void follow_all(struct gateway *gw, bool (*concerned)(const struct mapping *m))
{
	const struct mapping *m;

	table_for_each (gw->table, m) {
		if (!concerned || concerned(m))
			gateway_upstream_follow(gw, m);
	}
	uplink_kick(gw->up->uplink);
}

static bool has_suffix(const struct mapping *m)
{
	return m->suffix;
}

static bool is_required(const struct mapping *m)
{
	return m->upstream == UPSTREAM_REQUIRED;
}

void gateway_upstream_follow_required(struct gateway *gw)
{
	follow_all(gw, is_required);
}

void gateway_upstream_decided(struct gateway *gw)
{
	if (gw->up)
		uplink_go_on(gw->up->uplink);
}

void gateway_upstream_hosts(struct gateway *gw)
{
	if (gw->up && gw->up->following)
		follow_all(gw, has_suffix);
}

void gateway_upstream_committed(struct gateway *gw, const struct plan *plan)
{
	if (!gw->up || !gw->up->following)
		return;
	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);

		if (effect->kind == CHANGE_REMOVE)
			upstream_forget(upstream_of(gw), effect->mapping->id,
					uplink_now(gw->up->uplink));
		else
			gateway_upstream_follow(gw, effect->mapping);
	}
	uplink_kick(gw->up->uplink);
}

/* ------------------------------------------------------------ events */

static json_t *encode_mapping(const struct gateway *gw, uint64_t id)
{
	const struct mapping *m = table_find_id(gw->table, id);

	return m ? api_encode_mapping(m, NULL) : NULL;
}

static json_t *encode_external(const struct endpoint *external)
{
	char text[ENDPOINT_STRLEN];

	return address_is_any(&external->addr)
		       ? json_null()
		       : json_string(endpoint_format(external, text));
}

static json_t *encode_router(const struct upstream_event *e)
{
	return json_pack("{s:s, s:o, s:s}", "interface", e->wan, "router",
			 gateway_encode_address(&e->router), "protocol",
			 upstream_speech_name(e->speech));
}

static void tell_router(struct gateway *gw, const struct upstream_event *e)
{
	const bool found = e->kind == UPSTREAM_EVENT_FOUND;
	char text[INET6_ADDRSTRLEN];

	log_notice(found ? "Router %s above %s speaks %s."
			 : "Router %s above %s is not "
			   "reached by %s any more.",
		   address_format(&e->router, text), e->wan,
		   upstream_speech_name(e->speech));
	events_tell(gw->events, found ? EVENT_UPSTREAM_FOUND : EVENT_UPSTREAM_LOST,
		    encode_router(e));
}

static void tell_address(struct gateway *gw, const struct upstream_event *e)
{
	char router[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];

	if (address_is_any(&e->external.addr))
		log_notice("Router %s above %s has no external address.",
			   address_format(&e->router, router), e->wan);
	else
		log_notice("Router %s above %s has external address %s.",
			   address_format(&e->router, router), e->wan,
			   address_format(&e->external.addr, text));
	events_tell(gw->events, EVENT_EXTERNAL_ADDRESS,
		    json_pack("{s:s, s:o, s:o}", "interface", e->wan, "router",
			      gateway_encode_address(&e->router), "address",
			      gateway_encode_address(&e->external.addr)));
}

/* One that was removed meanwhile is not spoken of. */
static void tell_mapping(struct gateway *gw, const struct upstream_event *e)
{
	const bool mapped = e->kind == UPSTREAM_EVENT_MAPPED;

	if (!table_find_id(gw->table, e->id))
		return;
	events_tell(
		gw->events, mapped ? EVENT_UPSTREAM_MAPPED : EVENT_UPSTREAM_REFUSED,
		json_pack("{s:o, s:s, s:s, s:o}", "mapping", encode_mapping(gw, e->id),
			  "interface", e->wan, "protocol",
			  upstream_speech_name(e->speech),
			  mapped ? "external" : "problem",
			  mapped ? encode_external(&e->external) : json_string(e->why)));
}

static void on_happened(void *userdata, const struct upstream_event *e)
{
	struct gateway *gw = userdata;

	switch (e->kind) {
	case UPSTREAM_EVENT_FOUND:
	case UPSTREAM_EVENT_LOST:
		tell_router(gw, e);
		break;
	case UPSTREAM_EVENT_ADDRESS:
		tell_address(gw, e);
		break;
	case UPSTREAM_EVENT_MAPPED:
	case UPSTREAM_EVENT_REFUSED:
		tell_mapping(gw, e);
		break;
	case UPSTREAM_EVENT_HELD:
		held_submit(gw->up->held, e->id, e->held);
		break;
	}
}

static bool may_write(void *userdata)
{
	const struct gateway *gw = userdata;

	return !engine_is_stuck(gw->engine);
}

/* ------------------------------------------------------------ links */

static void add_link(const struct gateway *gw, const struct link *link, bool ipv4,
		     struct upstream_link *links, size_t *n)
{
	const struct link_gateway *gateway = &link->gateways[ipv4 ? 0 : 1];
	struct in6_addr addrs[64];
	struct upstream_link *ret = &links[*n];
	size_t found;

	if (!link->wan || !link->present || *n == UPSTREAM_LINKS_MAX)
		return;
	*ret = (struct upstream_link){
		.ifindex = link->index,
		.gateway = address_is_any(&gateway->gateway)
				   ? (ipv4 ? address_any4 : address_any6)
				   : gateway->gateway,
		.source = gateway->source,
	};
	memcpy(ret->wan, link->name, sizeof(ret->wan));
	found = links_addresses(gw->links, link->name, addrs, ARRAY_SIZE(addrs));
	for (size_t i = 0; i < found && ret->n_addresses < ARRAY_SIZE(ret->addresses);
	     i++) {
		if (address_is_ipv4(&addrs[i]) == ipv4)
			ret->addresses[ret->n_addresses++] = addrs[i];
	}
	if (!ret->n_addresses)
		return;
	/* a source that the kernel names and that is no global address of the WAN's
	 * cannot be what packets from the world are for */
	if (address_is_any(&ret->source))
		ret->source = ret->addresses[0];
	(*n)++;
}

static size_t list_links(const struct gateway *gw,
			 struct upstream_link ret[static UPSTREAM_LINKS_MAX])
{
	const struct link *links;
	size_t n_links, n = 0;

	links = links_list(gw->links, &n_links);
	for (size_t i = 0; i < n_links; i++) {
		add_link(gw, &links[i], true, ret, &n);
		add_link(gw, &links[i], false, ret, &n);
	}
	return n;
}

void gateway_upstream_links(struct gateway *gw)
{
	struct upstream_link links[UPSTREAM_LINKS_MAX];
	int r;

	if (!gw->up)
		return;
	r = upstream_set_links(upstream_of(gw), links, list_links(gw, links),
			       uplink_now(gw->up->uplink));
	if (r < 0)
		log_warning("Not every router above us is asked: %s.", strerror(-r));
	uplink_kick(gw->up->uplink);
}

/* ------------------------------------------------------------ configuration */

/* By a router that natd asked in an earlier life. */
static bool is_any_held(const struct gateway *gw)
{
	const struct mapping *m;

	table_for_each (gw->table, m) {
		if (is_required(m) && m->held)
			return true;
	}
	return false;
}

void gateway_upstream_configure(struct gateway *gw)
{
	const struct upstream_options *options = &gw->config->upstream;
	int r;

	if (!gw->up)
		return;
	r = upstream_configure(upstream_of(gw), options, uplink_now(gw->up->uplink));
	if (r < 0)
		log_error("The upstream options are not in force: %s.", strerror(-r));
	if (!gw->up->following && (options->enable || is_any_held(gw))) {
		gw->up->following = true;
		follow_all(gw, NULL);
	}
	gateway_upstream_links(gw);
}

/* ------------------------------------------------------------ views */

uint64_t gateway_upstream_wall(const struct gateway *gw, uint64_t lease_ms)
{
	const int64_t ahead = (int64_t)(lease_ms - lease_clock_now(&gw->clock));
	struct timespec now;

	if (!lease_ms)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	/* to the nearest second: it is not to go to and fro with the moment of asking */
	return (uint64_t)(now.tv_sec + (now.tv_nsec / 1000000 + ahead + 500) / 1000);
}

void gateway_upstream_view(const struct gateway *gw, uint64_t id,
			   struct upstream_view *ret)
{
	if (!gw->up) {
		*ret = (struct upstream_view){ .state = UPSTREAM_STATE_OFF };
		return;
	}
	upstream_view(upstream_of(gw), id, ret);
	ret->expires = gateway_upstream_wall(gw, ret->expires);
	ret->renews = gateway_upstream_wall(gw, ret->renews);
}

size_t gateway_upstream_routers(const struct gateway *gw, struct in6_addr *ret,
				size_t max)
{
	const struct link *links;
	size_t n_links, n = 0;

	if (!gw->config->upstream.enable)
		return 0;
	links = links_list(gw->links, &n_links);
	for (size_t i = 0; i < 2 * n_links && n < max; i++) {
		const struct in6_addr *gateway = &links[i / 2].gateways[i % 2].gateway;
		const struct address_list before = { .addrs = ret, .n = n };

		if (!address_is_any(gateway) && !address_list_has(&before, gateway))
			ret[n++] = *gateway;
	}
	return n;
}

/* ------------------------------------------------------------ start and end */

int gateway_start_upstream(struct gateway *gw)
{
	const struct uplink_parts parts = {
		.event = gw->event,
		.nursery = gw->nursery,
		.store = gw->store,
		.clock = &gw->clock,
		.may_write = may_write,
		.happened = on_happened,
		.userdata = gw,
	};
	int r;

	if (!gw->nursery)
		return 0;
	gw->up = calloc(1, sizeof(*gw->up));
	if (!gw->up)
		return -ENOMEM;
	r = held_new(gw, &gw->up->held);
	if (r == 0)
		r = uplink_new(&parts, &gw->config->upstream, &gw->up->uplink);
	if (r < 0) {
		gateway_stop_upstream(gw);
		return r;
	}
	if (upstream_pending(upstream_of(gw)))
		r = links_follow_gateways(gw->links);
	if (r < 0)
		log_error("The gateways of the WANs cannot be followed: %s.",
			  strerror(-r));
	gateway_upstream_configure(gw);
	uplink_begin(gw->up->uplink);
	return 0;
}

void gateway_stop_upstream(struct gateway *gw)
{
	if (!gw->up)
		return;
	uplink_free(gw->up->uplink);
	held_free(gw->up->held);
	free(gw->up);
	gw->up = NULL;
}
