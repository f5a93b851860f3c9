/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gateway - what the API sees of natd, without store and kernel
 *
 * A real table, real plans. Changes are staged and committed in a later turn of the loop,
 * or, with @on_demand, when engine_turn() is called.
 */

#include "natd/events/events.h"
#include "natd/gateway/gateway.h"

struct engine {
	struct gateway *gw;
	sd_event_source *turn;
	struct fake_request *first, **last;
	size_t n_waiting;
};

/**
 * struct gateway
 * @events:   the first is number 1; what is committed is told
 * @problem:  what every change is answered with, NULL: see what the table says
 * @ended:    what the first effect of a plan ended
 * @pending:  of every answer
 * @drained:  established connections might go on after the last plan's first effect
 * @no_memory: everything that may lack memory does
 * @resync_problem, @reload_problem: what these are answered with, NULL: done
 * @reload_later: gateway_reload() answers from engine_turn()
 * @blocked_by, @upstream: of every mapping
 * @configured: see gateway_follow()
 */
struct gateway {
	sd_event *event;
	struct table *table;
	struct events *events;
	struct config config;
	struct engine engine;
	bool on_demand, no_memory, reload_later;
	const struct problem *problem, *resync_problem, *reload_problem;
	struct ruleset_report report;
	uint32_t ended;
	bool pending, drained;
	const char *blocked_by;
	struct upstream_view upstream;
	struct conditions at;
	gateway_done reload_done;
	void *reload_userdata;
	gateway_configured configured;
	void *configured_userdata;
	size_t n_submitted, n_counts;
};

struct gateway *fake_gateway_new(sd_event *event, size_t capacity);
void fake_gateway_free(struct gateway *gw);

/** fake_gateway_fill() - @n mappings, tcp 1.., and beyond 65535 udp 1.. */
void fake_gateway_fill(struct gateway *gw, size_t n);
/** fake_gateway_declare() - a mapping that the configuration file declares at @line */
void fake_gateway_declare(struct gateway *gw, const char *name, uint16_t port,
			  unsigned int line);
