/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_probe - questions to a router that are about itself: who are you, are you
 * still there?
 */

#include <errno.h>

#include "core/natpmp.h"
#include "core/pcp.h"
#include "core/upstream/upstream_private.h"
#include "core/url.h"

#define FIRST_WAIT  250 /* RFC 6886 3.1 */
#define TRIES	    4
#define STUN_WAIT   500 /* RFC 8489 6.2.1 */
#define STUN_TRIES  3
#define SEARCH_WAIT SECONDS(2) /* MX */
#define SEARCHES    2
#define MORE_WAIT   500 /* for others that answer a search */

uint64_t probe_wait(enum worker_job_kind kind, unsigned int n)
{
	switch (kind) {
	case JOB_PCP_ANNOUNCE:
	case JOB_NATPMP_ADDRESS:
		return n > TRIES ? 0 : FIRST_WAIT << (n - 1);
	case JOB_STUN_BIND:
		return n > STUN_TRIES ? 0 : STUN_WAIT << (n - 1);
	case JOB_SSDP_SEARCH:
		return n > SEARCHES ? 0 : SEARCH_WAIT;
	case JOB_IGD_OPEN:
	case JOB_IGD_ADDRESS:
		return n > 1 ? 0 : NEVER; /* its worker always answers */
	case JOB_LISTEN:
	case JOB_IGNORE:
	case JOB_PCP_MAP:
	case JOB_NATPMP_MAP:
	case JOB_IGD_READ:
	case JOB_IGD_MAP:
	case JOB_IGD_UNMAP:
	case JOB_IGD_PINHOLE:
	case JOB_IGD_UNPINHOLE:
	case JOB_RESOLVE:
		break;
	}
	return 0;
}

void probe_start(struct upstream *up, struct router *router, enum worker_job_kind kind,
		 uint64_t now)
{
	router->probe = (struct probe){
		.active = true,
		.kind = kind,
		.serial = serial_next(up),
		.due = now,
	};
}

void probe_stop(struct router *router)
{
	router->probe = (struct probe){ .due = NEVER };
}

bool probe_is_over(const struct router *router, uint64_t now)
{
	const struct probe *probe = &router->probe;

	if (!probe->active || probe->due > now)
		return false;
	if (probe->kind == JOB_SSDP_SEARCH && router->n_locations > 0)
		return true;
	return probe_wait(probe->kind, probe->tries + 1u) == 0;
}

/* ------------------------------------------------------------ looking for an IGD */

static void open_next(struct upstream *up, struct router *router, uint64_t now)
{
	const struct location *best;

	if (router->opening < router->n_locations) {
		probe_start(up, router, JOB_IGD_OPEN, now);
		return;
	}
	if (router->fallback == 0) {
		router_next_stage(up, router, now);
		return;
	}
	best = &router->locations[router->fallback - 1];
	memcpy(router->url, best->url, sizeof(router->url));
	memcpy(router->name, best->name, sizeof(router->name));
	router->igd = best->igd;
	router->boot_id = best->boot_id;
	router->byebye = false;
	router->permanent = false;
	probe_start(up, router, JOB_IGD_ADDRESS, now);
}

bool igd_search(struct upstream *up, struct router *router, uint64_t now)
{
	router->n_locations = router->opening = router->fallback = 0;
	if (!up->options.url[0]) {
		probe_start(up, router, JOB_SSDP_SEARCH, now);
		return true;
	}
	if (!url_is_of(up->options.url, &router->addr))
		return false;
	memset(router->locations, 0, sizeof(router->locations));
	memcpy(router->locations[0].url, up->options.url, sizeof(up->options.url));
	router->n_locations = 1;
	open_next(up, router, now);
	return true;
}

/* More than one device may answer, and each does several times. */
static void on_location(struct router *router, const struct worker_answer *answer,
			uint64_t now)
{
	struct location *location = &router->locations[router->n_locations];

	if (answer->result != 0 || !answer->url[0] ||
	    router->n_locations == LOCATIONS_MAX)
		return;
	for (uint8_t i = 0; i < router->n_locations; i++) {
		if (strcmp(router->locations[i].url, answer->url) == 0)
			return;
	}
	memset(location, 0, sizeof(*location));
	memcpy(location->url, answer->url, sizeof(location->url));
	location->boot_id = answer->boot_id;
	router->n_locations++;
	router->probe.due = earlier(router->probe.due, now + MORE_WAIT);
}

/* One that says that its WAN is up is the one; else the first that could be read. */
static void on_open(struct upstream *up, struct router *router,
		    const struct worker_answer *answer, uint64_t now)
{
	struct location *location = &router->locations[router->opening++];

	if (answer->result == 0) {
		location->igd = answer->igd;
		memcpy(location->name, answer->text, sizeof(location->name));
		if (router->fallback == 0 || answer->igd & IGD_CONNECTED)
			router->fallback = router->opening;
		if (answer->igd & IGD_CONNECTED)
			router->opening = router->n_locations;
	}
	open_next(up, router, now);
}

/* ------------------------------------------------------------ answers */

static void not_there(struct upstream *up, struct router *router, uint64_t now)
{
	if (router->found)
		router_missed(up, router, now);
	else
		router_next_stage(up, router, now);
}

/* It answers, and speaks something else. */
static void not_in_this(struct upstream *up, struct router *router, uint64_t now)
{
	if (router->found)
		router_lost(up, router, now);
	else
		router_next_stage(up, router, now);
}

static void there(struct upstream *up, struct router *router, enum upstream_speech speech,
		  uint64_t now)
{
	if (!router->found) {
		router_found(up, router, speech, now);
		return;
	}
	router_heard(up, router, now);
	router_checked(up, router, now);
}

static void on_pcp(struct upstream *up, struct router *router,
		   const struct worker_answer *answer, uint64_t now)
{
	if (answer->natpmp || answer->result == PCP_UNSUPP_VERSION) {
		if (!router->found)
			router->natpmp = answer->natpmp;
		not_in_this(up, router, now);
		return;
	}
	there(up, router, UPSTREAM_PCP, now);
	router_epoch(up, router, answer->epoch, now);
}

static void say_address(struct upstream *up, struct router *router,
			const struct worker_answer *answer, uint64_t now)
{
	const bool told = answer->result == 0 && address_is_ipv4(&answer->external);

	router_address(up, router, told ? &answer->external : &address_any4, now);
}

static void on_natpmp(struct upstream *up, struct router *router,
		      const struct worker_answer *answer, uint64_t now)
{
	/* not authorized is how one says that it is switched off (RFC 6886 3.5) */
	if (answer->result == NATPMP_UNSUPP_VERSION ||
	    answer->result == NATPMP_NOT_AUTHORIZED) {
		not_in_this(up, router, now);
		return;
	}
	there(up, router, UPSTREAM_NATPMP, now);
	router_epoch(up, router, answer->epoch, now);
	say_address(up, router, answer, now);
}

static void on_igd(struct upstream *up, struct router *router,
		   const struct worker_answer *answer, uint64_t now)
{
	if (router->found)
		router->igd = (uint8_t)((router->igd & ~IGD_CONNECTED) |
					(answer->igd & IGD_CONNECTED));
	there(up, router, UPSTREAM_IGD, now);
	say_address(up, router, answer, now);
}

void probe_answer(struct upstream *up, struct router *router,
		  const struct worker_answer *answer, uint64_t now)
{
	const enum worker_job_kind kind = router->probe.kind;

	if (kind == JOB_SSDP_SEARCH) {
		on_location(router, answer, now);
		return;
	}
	probe_stop(router);
	if (kind == JOB_IGD_OPEN)
		on_open(up, router, answer, now);
	else if (answer->result < 0)
		not_there(up, router, now);
	else if (kind == JOB_PCP_ANNOUNCE)
		on_pcp(up, router, answer, now);
	else if (kind == JOB_NATPMP_ADDRESS)
		on_natpmp(up, router, answer, now);
	else if (kind == JOB_IGD_ADDRESS)
		on_igd(up, router, answer, now);
}

void probe_over(struct upstream *up, struct router *router, uint64_t now)
{
	const bool search = router->probe.kind == JOB_SSDP_SEARCH;

	probe_stop(router);
	if (search)
		open_next(up, router, now);
	else
		not_there(up, router, now);
}
