/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_jobs - what comes out for the workers, no faster than a router bears
 */

#include <errno.h>

#include "core/upstream/upstream_private.h"

#define UNSENT_MS 100
/* longer than the worker takes at most */
#define IGD_MS SECONDS(WORKER_IGD_SECONDS + 10)

uint64_t serial_next(struct upstream *up)
{
	return ++up->serial;
}

void job_of(const struct router *router, enum worker_job_kind kind, uint64_t serial,
	    struct worker_job *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->serial = serial;
	ret->kind = kind;
	ret->ifindex = router->ifindex;
	ret->router = router->addr;
	ret->source = router->source;
	ret->internal = router->source;
	ret->external = *any_like(&router->addr);
}

/* ------------------------------------------------------------ pacing */

/*
 * A small router that is asked again before it has come to the question does everything
 * twice, and comes to the next one later still. So it is asked no faster than it has
 * answered, and less at once when it was too fast all the same.
 */

static struct flight *free_flight(struct router *router, uint64_t now)
{
	struct flight *found = NULL;
	size_t under_way = 0;

	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (router->flights[i].serial && router->flights[i].until > now)
			under_way++;
		else
			found = &router->flights[i];
	}
	return under_way < router->window ? found : NULL;
}

void pulse_take(struct slot *slot, uint64_t now)
{
	const uint64_t took = earlier(now - slot->asked_at, SLOWEST_MS);
	struct router *router = slot->router;

	router->pulse =
		(uint32_t)(router->pulse ? (3 * (uint64_t)router->pulse + took) / 4
					 : took);
	if (slot->tries > 1 || ++router->in_time < router->window)
		return;
	router->in_time = 0;
	if (router->window < FLIGHTS_MAX)
		router->window++;
}

static void slow_down(struct router *router)
{
	router->in_time = 0;
	router->window = (uint8_t)((router->window + 1) / 2);
}

static void take_off(struct router *router, uint64_t serial, uint64_t now, uint64_t again)
{
	struct flight *flight = free_flight(router, now);

	if (flight)
		*flight = (struct flight){ serial, earlier(again, now + FLIGHT_MS) };
	router->pace = now + PACE;
}

void flight_land(struct router *router, uint64_t serial)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (router->flights[i].serial == serial)
			router->flights[i].serial = 0;
	}
}

/* When there are fewer than the window has room for. */
static uint64_t landing(const struct router *router)
{
	uint64_t until[FLIGHTS_MAX] = { 0 }; /* the latest first */

	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		const struct flight *flight = &router->flights[i];
		uint64_t next = flight->serial ? flight->until : 0;

		for (size_t j = 0; j < FLIGHTS_MAX; j++) {
			const uint64_t here = until[j];

			until[j] = later(here, next);
			next = earlier(here, next);
		}
	}
	return later(until[router->window - 1], router->pace);
}

/* ------------------------------------------------------------ to the datagram worker */

static bool wants_listening(const struct upstream *up, const struct router *router)
{
	return up->begun && up->options.enable && router->current &&
	       router_is_anybody(router);
}

static bool listen_job(struct upstream *up, struct router *router, uint64_t now,
		       struct worker_job *ret)
{
	const bool wants = wants_listening(up, router);

	if (wants == router->listening || router->listen_at > now)
		return false;
	router->listen_serial = serial_next(up);
	router->listen_at = NEVER;
	router->listening = wants;
	job_of(router, wants ? JOB_LISTEN : JOB_IGNORE, router->listen_serial, ret);
	return true;
}

static bool stun_job(struct upstream *up, struct router *router, uint64_t now,
		     struct worker_job *ret)
{
	const struct in6_addr *server = resolve_address(up, router);
	struct probe *stun = &router->stun;

	if (!server || !stun->active || stun->due > now)
		return false;
	stun->tries++;
	stun->due = now + probe_wait(JOB_STUN_BIND, stun->tries);
	job_of(router, JOB_STUN_BIND, stun->serial, ret);
	ret->router = *server;
	ret->router_port = up->options.stun.port;
	memcpy(ret->nonce, router->stun_nonce, sizeof(ret->nonce));
	return true;
}

static bool probe_is_for(const struct router *router, enum worker_role role, uint64_t now)
{
	const struct probe *probe = &router->probe;

	return probe->active && probe->due <= now && job_role(probe->kind) == role;
}

static void probe_job(struct router *router, uint64_t now, struct worker_job *ret)
{
	struct probe *probe = &router->probe;
	const uint64_t wait = probe_wait(probe->kind, ++probe->tries);

	probe->due = wait == NEVER ? NEVER : now + wait;
	job_of(router, probe->kind, probe->serial, ret);
	if (probe->kind == JOB_IGD_OPEN)
		memcpy(ret->url, router->locations[router->opening].url,
		       sizeof(ret->url));
	else if (probe->kind == JOB_IGD_ADDRESS)
		memcpy(ret->url, router->url, sizeof(ret->url));
}

static bool slot_job(struct upstream *up, struct router *router, enum worker_role role,
		     uint64_t now, struct worker_job *ret)
{
	const enum timer timer = role == WORKER_IGD ? TIMER_IGD : TIMER_DATAGRAM;
	struct slot *slot;

	while ((slot = timer_first(router, timer)) && slot->when[timer] <= now) {
		if (!slot_ask(up, slot, now, ret))
			continue;
		if (role == WORKER_DATAGRAM && slot->tries > 1)
			slow_down(router);
		if (role == WORKER_DATAGRAM)
			take_off(router, slot->serial, now, slot->ask_at);
		return true;
	}
	return false;
}

static bool datagram_job(struct upstream *up, struct router *router, uint64_t now,
			 struct worker_job *ret)
{
	if (listen_job(up, router, now, ret) || stun_job(up, router, now, ret))
		return true;
	if (router->pace > now || !free_flight(router, now))
		return false;
	if (!probe_is_for(router, WORKER_DATAGRAM, now))
		return slot_job(up, router, WORKER_DATAGRAM, now, ret);
	probe_job(router, now, ret);
	take_off(router, router->probe.serial, now, router->probe.due);
	return true;
}

/* ------------------------------------------------------------ to the igd worker */

static bool igd_job(struct upstream *up, struct router *router, uint64_t now,
		    struct worker_job *ret)
{
	if (up->igd.serial)
		return false;
	if (probe_is_for(router, WORKER_IGD, now))
		probe_job(router, now, ret);
	else if (!slot_job(up, router, WORKER_IGD, now, ret))
		return false;
	up->igd = (struct igd_job){ ret->serial, now + IGD_MS };
	return true;
}

/* ------------------------------------------------------------ turn by turn */

static struct router *next_of(const struct upstream *up, struct router *router)
{
	return router && router->next ? router->next : up->routers;
}

bool upstream_next_job(struct upstream *up, enum worker_role role, uint64_t now,
		       struct worker_job *ret)
{
	struct router *first, *router;

	upstream_tick(up, now);
	if (role == WORKER_RESOLVER)
		return up->begun && resolve_job(up, now, ret);
	first = router = next_of(up, up->turn[role]);
	if (!up->begun || !router)
		return false;
	do {
		if (role == WORKER_IGD ? igd_job(up, router, now, ret)
				       : datagram_job(up, router, now, ret)) {
			up->turn[role] = router;
			return true;
		}
		router = next_of(up, router);
	} while (router != first);
	return false;
}

/* ------------------------------------------------------------ what was not done */

static void probe_again(struct probe *probe, uint64_t when)
{
	if (!probe->active || probe->tries == 0)
		return;
	probe->tries--;
	probe->due = when;
}

static void slot_ask_again(struct upstream *up, struct slot *slot, uint64_t when)
{
	flight_land(slot->router, slot->serial);
	if (slot->tries > 0)
		slot->tries--;
	slot->ask_at = when;
	slot_schedule(up, slot);
}

void upstream_unsent(struct upstream *up, uint64_t serial, uint64_t now)
{
	const uint64_t when = now + UNSENT_MS;
	struct slot *slot = slot_by_serial(up, serial);

	if (serial == 0)
		return;
	if (up->igd.serial == serial)
		up->igd.serial = 0;
	if (up->server.serial == serial)
		resolve_unsent(up, now);
	if (slot)
		slot_ask_again(up, slot, when);
	for (struct router *router = up->routers; router; router = router->next) {
		if (router->probe.serial == serial) {
			flight_land(router, serial);
			probe_again(&router->probe, when);
		} else if (router->stun.serial == serial) {
			probe_again(&router->stun, when);
		} else if (router->listen_serial == serial) {
			router->listening = !router->listening;
			router->listen_at = when;
		}
	}
}

void igd_fail(struct upstream *up, uint64_t now)
{
	struct worker_answer answer = {
		.serial = up->igd.serial,
		.kind = ANSWER_JOB,
		.result = -ETIMEDOUT,
	};
	struct slot *slot = slot_by_serial(up, answer.serial);

	up->igd.serial = 0;
	if (slot) {
		slot_answer_igd(up, slot, &answer, now);
		return;
	}
	for (struct router *router = up->routers; router; router = router->next) {
		if (router->probe.active && router->probe.serial == answer.serial) {
			probe_answer(up, router, &answer, now);
			return;
		}
	}
}

static void ask_anew(struct upstream *up, struct router *router, uint64_t now)
{
	memset(router->flights, 0, sizeof(router->flights));
	router->listening = false;
	router->listen_at = now;
	if (router->probe.active && job_role(router->probe.kind) == WORKER_DATAGRAM)
		probe_again(&router->probe, now);
	probe_again(&router->stun, now);
	for (struct slot *slot = router->slots; slot; slot = slot->next) {
		if (slot->serial && slot->speech != UPSTREAM_IGD)
			slot_ask_again(up, slot, now);
	}
}

void upstream_worker_gone(struct upstream *up, enum worker_role role, uint64_t now)
{
	if (role == WORKER_RESOLVER) {
		resolve_gone(up, now);
		return;
	}
	if (role == WORKER_IGD) {
		if (up->igd.serial)
			igd_fail(up, now);
		return;
	}
	for (struct router *router = up->routers; router; router = router->next)
		ask_anew(up, router, now);
	routers_tidy(up);
}

/* ------------------------------------------------------------ time */

static uint64_t first_due(const struct router *router, enum timer timer)
{
	const struct slot *slot = timer_first(router, timer);

	return slot ? slot->when[timer] : NEVER;
}

/* When the igd worker, and when the datagram worker could be given something. */
static uint64_t igd_due(const struct upstream *up, const struct router *router)
{
	uint64_t due = first_due(router, TIMER_IGD);

	if (router->probe.active && job_role(router->probe.kind) == WORKER_IGD)
		due = earlier(due, router->probe.due);
	return up->igd.serial ? NEVER : due;
}

static uint64_t datagram_due(const struct router *router)
{
	uint64_t due = first_due(router, TIMER_DATAGRAM);

	if (router->probe.active && job_role(router->probe.kind) == WORKER_DATAGRAM)
		due = earlier(due, router->probe.due);
	return due == NEVER ? NEVER : later(due, landing(router));
}

static uint64_t router_due(const struct upstream *up, const struct router *router)
{
	uint64_t due = first_due(router, TIMER_LAPSE);

	due = earlier(due, earlier(igd_due(up, router), datagram_due(router)));
	due = earlier(due, earlier(router->look_at, router->again_at));
	due = earlier(due, earlier(router->check_at, stun_due(up, router)));
	if (wants_listening(up, router) != router->listening)
		due = earlier(due, router->listen_at);
	return due;
}

uint64_t upstream_due(const struct upstream *up)
{
	uint64_t due = up->stale_at;

	if (!up->begun)
		return NEVER;
	due = earlier(due, resolve_due(up));
	if (up->igd.serial)
		due = earlier(due, up->igd.until);
	for (const struct router *router = up->routers; router; router = router->next)
		due = earlier(due, router_due(up, router));
	return due;
}

void upstream_tick(struct upstream *up, uint64_t now)
{
	if (!up->begun)
		return;
	if (up->igd.serial && up->igd.until <= now)
		igd_fail(up, now);
	resolve_tick(up, now);
	for (struct router *router = up->routers; router; router = router->next)
		router_tick(up, router, now);
	if (up->stale_at <= now)
		follow_all_anew(up, now);
}
