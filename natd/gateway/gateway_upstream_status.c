/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_upstream_status - the routers above us, and the processes that talk to them
 */

#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "natd/gateway/gateway_private.h"
#include "natd/gateway/gateway_upstream.h"

static json_t *encode_moment(uint64_t seconds)
{
	char text[API_TIME_STRLEN];

	return seconds ? json_string(api_time_format(seconds, text)) : json_null();
}

static json_t *encode_lease_moment(const struct gateway *gw, uint64_t lease_ms)
{
	return encode_moment(gateway_upstream_wall(gw, lease_ms));
}

static json_t *encode_text(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

json_t *gateway_encode_address(const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	return address_is_any(addr) ? json_null()
				    : json_string(address_format(addr, text));
}

static json_t *encode_link(const struct gateway *gw, const struct upstream_link_view *v)
{
	return json_pack(
		"{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:I, "
		"s:I, s:I}",
		"interface", v->wan, "gateway", gateway_encode_address(&v->gateway),
		"source", gateway_encode_address(&v->source), "found", v->found,
		"protocol",
		v->found ? json_string(upstream_speech_name(v->speech)) : json_null(),
		"name", encode_text(v->name), "external",
		gateway_encode_address(&v->external), "stun",
		gateway_encode_address(&v->stun), "verdict",
		upstream_verdict_name(v->verdict), "reason", encode_text(v->why),
		"answered", encode_lease_moment(gw, v->answered), "renews",
		encode_lease_moment(gw, v->renews), "tries",
		encode_lease_moment(gw, v->tries), "held", (json_int_t)v->held, "refused",
		(json_int_t)v->refused, "asking", (json_int_t)v->asking);
}

static json_t *encode_links(const struct gateway *gw, struct uplink *uplink)
{
	const struct upstream *up = uplink_upstream(uplink);
	json_t *list = json_array();

	for (size_t i = 0; i < upstream_link_count(up); i++) {
		struct upstream_link_view view;

		upstream_link_view(up, i, uplink_now(uplink), &view);
		json_array_append_new(list, encode_link(gw, &view));
	}
	return list;
}

static json_t *encode_worker(struct uplink *uplink, enum worker_role role)
{
	struct worker_status status;

	workers_status(uplink_workers(uplink), role, &status);
	return json_pack("{s:s, s:b, s:o, s:I, s:o, s:o}", "role", worker_role_name(role),
			 "up", status.up, "pid",
			 status.up ? json_integer(status.pid) : json_null(), "restarts",
			 (json_int_t)status.restarts, "end", encode_text(status.end),
			 "ended", encode_moment(status.ended_at));
}

static json_t *encode_workers(struct uplink *uplink)
{
	json_t *list = json_array();

	for (int role = 0; role < WORKER_ROLES; role++)
		json_array_append_new(list,
				      encode_worker(uplink, (enum worker_role)role));
	return list;
}

static json_t *encode_addresses(const struct upstream_server_view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; i < view->n; i++)
		json_array_append_new(list, gateway_encode_address(&view->addrs[i]));
	return list;
}

/* Its address, or its name. */
static json_t *encode_stun(const struct upstream_options *options, struct uplink *uplink)
{
	struct upstream_server_view view = { .n = 0 };
	char address[INET6_ADDRSTRLEN];

	if (!uplink || !upstream_server_view(uplink_upstream(uplink), &view))
		return json_null();
	return json_pack("{s:s, s:i, s:o, s:o}", "server",
			 options->stun_name[0]
				 ? options->stun_name
				 : address_format(&options->stun.addr, address),
			 "port", options->stun.port, "addresses", encode_addresses(&view),
			 "problem", encode_text(view.problem ? view.problem : ""));
}

json_t *gateway_encode_upstream(const struct gateway *gw)
{
	struct uplink *uplink = gateway_uplink(gw);
	const struct upstream_options *options = &gw->config->upstream;

	return json_pack("{s:b, s:s, s:o, s:o, s:o}", "enabled", options->enable,
			 "policy", upstream_policy_name(options->policy), "stun",
			 encode_stun(options, uplink), "wans",
			 uplink ? encode_links(gw, uplink) : json_array(), "workers",
			 uplink ? encode_workers(uplink) : json_array());
}

/* Those that must have the router above us, and do not. */
static void say_waiting(const struct gateway *gw, json_t *list)
{
	const struct mapping *m;
	char text[MAPPING_STRLEN + 96], first[MAPPING_STRLEN];
	size_t n = 0;

	table_for_each (gw->table, m) {
		if (m->upstream != UPSTREAM_REQUIRED || m->held || !m->enabled)
			continue;
		if (n++ == 0)
			mapping_describe(m, first);
	}
	if (n == 0)
		return;
	if (n == 1)
		snprintf(text, sizeof(text), "%s waits for the router above us%s.", first,
			 gw->config->upstream.enable ? "" : ", which nobody asks");
	else
		snprintf(text, sizeof(text),
			 "%zu mappings wait for the router above us%s, %s first.", n,
			 gw->config->upstream.enable ? "" : ", which nobody asks", first);
	gateway_say(list, text);
}

static void say_server(const struct gateway *gw, struct uplink *uplink, json_t *list)
{
	struct upstream_server_view view;
	char text[HOST_NAME_STRLEN + 128];

	if (!upstream_server_view(uplink_upstream(uplink), &view) || !view.problem)
		return;
	snprintf(text, sizeof(text), "The STUN server %s cannot be asked: %s.",
		 gw->config->upstream.stun_name, view.problem);
	gateway_say(list, text);
}

/* What nobody wants any more, and the router could not be told so. */
static void say_stranded(struct uplink *uplink, json_t *list)
{
	char router[INET6_ADDRSTRLEN], wan[IFNAMSIZ], ports[TEXT_PHRASE_STRLEN];
	char text[256];
	struct in6_addr addr;
	size_t n = upstream_stranded(uplink_upstream(uplink), &addr, wan);

	if (n == 0)
		return;
	snprintf(
		text, sizeof(text),
		"%s could not be given back at the router above us (%s by %s%s), and may "
		"be mapped there until their lifetime is over.",
		text_things(n, "port", ports), address_format(&addr, router), wan,
		n > 1 ? " first" : "");
	gateway_say(list, text);
}

void gateway_say_upstream(const struct gateway *gw, json_t *list)
{
	struct uplink *uplink = gateway_uplink(gw);

	if (uplink && (gw->config->upstream.enable || !uplink_saved(uplink)))
		gateway_say(list, uplink_problem(uplink));
	if (uplink)
		say_stranded(uplink, list);
	if (uplink)
		say_server(gw, uplink, list);
	say_waiting(gw, list);
}
