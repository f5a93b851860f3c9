/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_events - what is not as it was told last
 */

#include <stdio.h>
#include <stdlib.h>

#include "core/siphash.h"
#include "core/upstream/upstream_private.h"

/* ------------------------------------------------------------ routers */

static bool router_event(struct router *router, enum upstream_event_kind kind,
			 struct upstream_event *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->kind = kind;
	memcpy(ret->wan, router->wan, sizeof(ret->wan));
	ret->router = router->addr;
	ret->speech = router->told_speech;
	ret->external.addr = router->external;
	return true;
}

/* An address that is merely not known is none that has changed: of PCP's router nothing
 * is known while it holds nothing. */
static bool address_is_news(const struct router *router)
{
	if (!router->found || address_equal(&router->external, &router->told_external))
		return false;
	return router->speech != UPSTREAM_PCP || !address_is_any(&router->external);
}

static bool next_of_router(const struct upstream *up, struct router *router,
			   struct upstream_event *ret)
{
	const bool other = router->found && router->told_speech != router->speech;

	if (router->told_found && !up->options.enable)
		router->told_found = false;
	if (router->told_found && (!router->found || other)) {
		router->told_found = false;
		if (!router->found)
			return router_event(router, UPSTREAM_EVENT_LOST, ret);
	}
	if (router->found && !router->told_found) {
		router->told_found = true;
		router->told_speech = router->speech;
		return router_event(router, UPSTREAM_EVENT_FOUND, ret);
	}
	if (!address_is_news(router))
		return false;
	router->told_external = router->external;
	return router_event(router, UPSTREAM_EVENT_ADDRESS, ret);
}

/* ------------------------------------------------------------ mappings */

static void mapping_event(const struct followed *f, const struct upstream_view *view,
			  enum upstream_event_kind kind, struct upstream_event *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->kind = kind;
	ret->id = f->id;
	ret->held = f->told_held;
	memcpy(ret->wan, view->wan, sizeof(ret->wan));
	ret->speech = view->speech;
	ret->external = view->external;
	memcpy(ret->why, view->why, sizeof(ret->why));
	for (size_t i = 0; i < f->n_carriers; i++) {
		const struct router *router = f->uses[i * f->n_used].slot->router;

		if (strcmp(router->wan, view->wan) == 0)
			ret->router = router->addr;
	}
}

static uint64_t why_hash(const struct upstream *up, const char *why)
{
	return siphash13(up->seed, why, strlen(why));
}

static bool is_news(const struct upstream *up, const struct followed *f,
		    const struct upstream_view *view)
{
	switch (view->state) {
	case UPSTREAM_STATE_MAPPED:
		return f->told_state != view->state ||
		       !endpoint_equal(&f->told_external, &view->external);
	case UPSTREAM_STATE_REFUSED:
		return f->told_state != view->state ||
		       f->told_why != why_hash(up, view->why);
	case UPSTREAM_STATE_OFF:
	case UPSTREAM_STATE_NO_ROUTER:
	case UPSTREAM_STATE_ASKING:
	case UPSTREAM_STATE_UNANSWERED:
		break;
	}
	return false;
}

static bool next_of_mapping(const struct upstream *up, struct followed *f,
			    struct upstream_event *ret)
{
	const bool held = f->wish == UPSTREAM_REQUIRED && followed_held(f);
	struct upstream_view view;

	followed_view(f, &view);
	if (f->wish == UPSTREAM_REQUIRED && held != f->told_held) {
		f->told_held = held;
		mapping_event(f, &view, UPSTREAM_EVENT_HELD, ret);
		return true;
	}
	if (view.state == UPSTREAM_STATE_OFF)
		f->told_state = UPSTREAM_STATE_OFF;
	if (!is_news(up, f, &view))
		return false;
	f->told_state = (uint8_t)view.state;
	f->told_external = view.external;
	f->told_why = why_hash(up, view.why);
	mapping_event(f, &view,
		      view.state == UPSTREAM_STATE_MAPPED ? UPSTREAM_EVENT_MAPPED
							  : UPSTREAM_EVENT_REFUSED,
		      ret);
	return true;
}

bool upstream_next_event(struct upstream *up, struct upstream_event *ret)
{
	if (!up->begun)
		return false;
	for (struct router *router = up->routers; router; router = router->next) {
		if (next_of_router(up, router, ret))
			return true;
	}
	while (up->dirty) {
		struct followed *f = up->dirty;

		if (!f->forgotten && next_of_mapping(up, f, ret))
			return true;
		up->dirty = f->dirty_next;
		if (!up->dirty)
			up->dirty_end = &up->dirty;
		f->dirty = false;
		if (f->forgotten)
			free(f);
	}
	routers_tidy(up);
	return false;
}
