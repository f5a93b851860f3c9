/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fake/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake_request {
	struct fake_request *next;
	struct change_list list;
	engine_answer done;
	void *userdata;
};

struct counts {
	const struct gateway *gw;
	const char *blocked_by;
};

/* Nothing of a test framework here: fuzz targets use it as well. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

static int on_turn(sd_event_source *source, void *userdata)
{
	engine_turn(userdata);
	return 0;
}

struct gateway *fake_gateway_new(sd_event *event, size_t capacity)
{
	static const uint8_t seed[16] = { 1 };
	struct gateway *gw = calloc(1, sizeof(*gw));

	gw->event = event;
	gw->table = table_new(capacity, seed);
	must(events_new(1, &gw->events) == 0);
	gw->engine = (struct engine){ .gw = gw };
	gw->engine.last = &gw->engine.first;
	gw->at.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP | PROTOCOL_BIT_SCTP;
	gw->at.listeners_known = true;
	snprintf(gw->config.path, sizeof(gw->config.path), "/etc/natd/natd.conf");
	must(sd_event_add_defer(event, &gw->engine.turn, on_turn, &gw->engine) >= 0);
	sd_event_source_set_priority(gw->engine.turn, ENGINE_PRIORITY);
	sd_event_source_set_enabled(gw->engine.turn, SD_EVENT_OFF);
	return gw;
}

void fake_gateway_free(struct gateway *gw)
{
	static const struct problem stopping = { .verdict = VERDICT_FAULT, .index = -1 };

	gw->problem = &stopping;
	engine_turn(&gw->engine);
	sd_event_source_unref(gw->engine.turn);
	table_free(gw->table);
	events_free(gw->events);
	free(gw->config.forwards);
	free(gw);
}

static void load(struct gateway *gw, struct mapping *m)
{
	m->id = table_next_id(gw->table);
	m->created = m->changed = 1738324800;
	m->n_ports = 1;
	m->enabled = true;
	must(address_parse("192.168.1.10", &m->internal.addr) == 0);
	m->internal.port = 80;
	mapping_resolve(m);
	must(table_load(gw->table, m) == 0);
	table_set_next_id(gw->table, m->id + 1);
}

void fake_gateway_fill(struct gateway *gw, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mapping m = { .origin = ORIGIN_ADMIN };

		m.protocol = i < 65535 ? IPPROTO_TCP : IPPROTO_UDP;
		m.external.port = (uint16_t)(i % 65535 + 1);
		m.external.addr = address_any4;
		snprintf(m.name, sizeof(m.name), "forward-%zu", i);
		load(gw, &m);
	}
}

void fake_gateway_declare(struct gateway *gw, const char *name, uint16_t port,
			  unsigned int line)
{
	struct mapping m = { .origin = ORIGIN_CONFIG, .protocol = IPPROTO_TCP };
	struct config_forward *forward;

	m.external.port = port;
	m.external.addr = address_any4;
	snprintf(m.name, sizeof(m.name), "%s", name);
	load(gw, &m);
	gw->config.forwards = realloc(gw->config.forwards,
				      (gw->config.n_forwards + 1) * sizeof(*forward));
	forward = &gw->config.forwards[gw->config.n_forwards++];
	*forward = (struct config_forward){ .line = line };
	forward->change.kind = CHANGE_ADD;
	forward->change.protocols = PROTOCOL_BIT_TCP;
	forward->change.mapping = m;
}

/* ------------------------------------------------------------ natd/gateway/engine.h */

int engine_submit(struct engine *e, struct change_list *list, engine_answer done,
		  void *userdata)
{
	struct fake_request *request;

	if (e->gw->no_memory) {
		change_list_done(list);
		return -ENOMEM;
	}
	request = calloc(1, sizeof(*request));
	request->list = *list;
	*list = (struct change_list){ 0 };
	request->done = done;
	request->userdata = userdata;
	*e->last = request;
	e->last = &request->next;
	e->n_waiting++;
	e->gw->n_submitted++;
	if (!e->gw->on_demand)
		sd_event_source_set_enabled(e->turn, SD_EVENT_ONESHOT);
	return 0;
}

static void serve(struct gateway *gw, struct fake_request *request)
{
	struct answer answer = { .problem = gw->problem };
	struct plan *plan = NULL;

	if (!answer.problem) {
		gw->at.now = (uint64_t)time(NULL);
		must(table_stage(gw->table, &request->list, 1, &gw->at, &plan) == 0);
		answer.plan = plan;
		answer.changes = &request->list;
		if (plan_size(plan)) {
			plan_effect(plan, 0)->ended = gw->ended;
			answer.ended = gw->ended;
			gw->drained = plan_effect(plan, 0)->drain;
		}
		answer.pending = gw->pending;
		table_commit(gw->table, plan);
		events_tell_plan(gw->events, plan);
	}
	request->done(request->userdata, &answer);
	plan_free(plan);
	change_list_done(&request->list);
	free(request);
}

void engine_turn(struct engine *e)
{
	struct gateway *gw = e->gw;

	if (gw->reload_done) {
		gateway_done done = gw->reload_done;

		gw->reload_done = NULL;
		done(gw->reload_userdata, 2, 1, gw->reload_problem);
	}
	while (e->first) {
		struct fake_request *request = e->first;

		e->first = request->next;
		if (!e->first)
			e->last = &e->first;
		e->n_waiting--;
		serve(gw, request);
	}
}

bool engine_is_stuck(const struct engine *e)
{
	return e->gw->problem;
}

/* ------------------------------------------------------------ natd/gateway/gateway.h */

struct table *gateway_table(struct gateway *gw)
{
	return gw->table;
}

struct engine *gateway_engine(struct gateway *gw)
{
	return &gw->engine;
}

struct events *gateway_events(struct gateway *gw)
{
	return gw->events;
}

const struct config *gateway_config(const struct gateway *gw)
{
	return &gw->config;
}

int gateway_counts(struct gateway *gw, struct counts **ret)
{
	if (gw->no_memory)
		return -ENOMEM;
	gw->n_counts++;
	*ret = calloc(1, sizeof(**ret));
	(*ret)->gw = gw;
	(*ret)->blocked_by = gw->blocked_by;
	return 0;
}

void counts_free(struct counts *counts)
{
	free(counts);
}

static void note_shadows(const struct gateway *gw, const struct mapping *m,
			 struct mapping_state *ret)
{
	const struct mapping *shadows[STATE_SHADOWS_MAX];
	size_t n = table_shadowing(gw->table, m, shadows, STATE_SHADOWS_MAX);

	ret->n_shadowed_by = n < STATE_SHADOWS_MAX ? n : STATE_SHADOWS_MAX;
	for (size_t i = 0; i < ret->n_shadowed_by; i++)
		ret->shadowed_by[i] = shadows[i]->id;
}

static void note_listeners(const struct gateway *gw, const struct mapping *m,
			   struct mapping_state *ret)
{
	const struct port_range ports = { m->external.port, mapping_last_port(m) };
	const struct listener *found[REFUSAL_LISTENERS_MAX];
	size_t n;

	ret->listeners_known = gw->at.listeners_known;
	n = listener_find(&gw->at.listeners, m->protocol, &m->external.addr, &ports,
			  gw->at.wan.addrs, gw->at.wan.n, found, REFUSAL_LISTENERS_MAX);
	ret->n_listeners = n < REFUSAL_LISTENERS_MAX ? n : REFUSAL_LISTENERS_MAX;
	for (size_t i = 0; i < ret->n_listeners; i++)
		ret->listeners[i] = *found[i];
}

static void note_endpoints(const struct gateway *gw, const struct mapping *m,
			   struct mapping_state *ret)
{
	ret->condition = !m->enabled	      ? CONDITION_DISABLED
			 : mapping_is_live(m) ? CONDITION_ACTIVE
					      : CONDITION_WAITING;
	for (size_t i = 0; ret->condition == CONDITION_ACTIVE && i < gw->at.wan.n &&
			   i < STATE_ENDPOINTS_MAX;
	     i++)
		ret->endpoints[ret->n_endpoints++] = (struct endpoint){
			.addr = gw->at.wan.addrs[i],
			.port = m->external.port,
		};
}

void counts_state(const struct counts *counts, const struct mapping *m,
		  struct mapping_state *ret)
{
	*ret = (struct mapping_state){
		.connections = (int64_t)m->id * 2,
		.total = m->id % 2 ? -1 : 41,
		.bytes_in = -1,
		.bytes_out = m->id % 2 ? -1 : 1000000,
		.remaining = m->lifetime,
		.expires = m->changed + m->lifetime,
		.blocked_by = &counts->blocked_by,
		.n_blocked_by = counts->blocked_by ? 1 : 0,
		.upstream = counts->gw->upstream,
	};
	note_endpoints(counts->gw, m, ret);
	note_shadows(counts->gw, m, ret);
	note_listeners(counts->gw, m, ret);
}

json_t *gateway_status(struct gateway *gw)
{
	json_t *status;

	if (gw->no_memory)
		return NULL;
	status = json_pack(
		"{s:s,s:i,s:s,s:s,s:s,s:i,s:i,s:i,s:{s:b,s:b},s:[],s:[],s:s,s:i,"
		"s:i,s:i,s:[],s:{s:i,s:n},s:[]}",
		"version", "0", "pid", 1, "started", "2025-01-31T12:00:00Z", "protection",
		"owned", "table_since", "2025-01-31T12:00:00Z", "sequence", 0, "mappings",
		(int)table_size(gw->table), "capacity", (int)table_capacity(gw->table),
		"forwarding", "ipv4", true, "ipv6", true, "wan", "lan", "clamp", "off",
		"refused", 0, "spoofed", 0, "invalid", 0, "foreign_chains", "repairs",
		"count", 0, "last", "problems");
	json_object_update_new(
		status,
		json_pack("{s:b, s:{s:b, s:b, s:b, s:b, s:b}, s:[{s:s, s:i, s:{s:i}}], "
			  "s:[], s:{s:i, s:n}, s:{s:b, s:s, s:n, s:[], s:[]}, "
			  "s:{s:b, s:b}}",
			  "accounting", false, "protocols", "tcp", true, "udp", true,
			  "sctp", true, "udplite", false, "dccp", false, "pool", "ports",
			  "49152-65535", "size", 16384, "used", "tcp", 0, "snat",
			  "ending", "pending", 0, "problem", "upstream", "enabled", false,
			  "policy", "all", "stun", "wans", "workers", "confined",
			  "seccomp", true, "landlock", true));
	return status;
}

int gateway_resync(struct gateway *gw, struct ruleset_report *report, struct problem *why)
{
	if (gw->resync_problem) {
		*why = *gw->resync_problem;
		return -EIO;
	}
	*report = gw->report;
	return 0;
}

int gateway_reload(struct gateway *gw, gateway_done done, void *userdata)
{
	if (gw->no_memory)
		return -ENOMEM;
	if (!gw->reload_later) {
		done(userdata, 2, 1, gw->reload_problem);
		return 0;
	}
	gw->reload_done = done;
	gw->reload_userdata = userdata;
	if (!gw->on_demand)
		sd_event_source_set_enabled(gw->engine.turn, SD_EVENT_ONESHOT);
	return 0;
}

void gateway_follow(struct gateway *gw, gateway_configured configured, void *userdata)
{
	gw->configured = configured;
	gw->configured_userdata = userdata;
}

/* ------------------------------------------------------------ natd/config/config.h */

unsigned int config_line(const struct config *config, const struct mapping *m)
{
	for (size_t i = 0; i < config->n_forwards; i++)
		if (!strcmp(config->forwards[i].change.mapping.name, m->name))
			return config->forwards[i].line;
	return 0;
}
