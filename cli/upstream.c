/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/upstream.h"

#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "core/cleanup.h"

const char *upstream_protocol(const char *name)
{
	static const struct {
		const char *name, *words;
	} protocols[] = {
		{ "pcp", "PCP" },
		{ "nat-pmp", "NAT-PMP" },
		{ "upnp", "UPnP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!strcmp(protocols[i].name, name))
			return protocols[i].words;
	}
	return name;
}

bool upstream_is_seen(const struct upstream_view *view)
{
	return view->state == UPSTREAM_STATE_MAPPED && view->external.port != 0;
}

static const char *state_words(enum upstream_state state)
{
	switch (state) {
	case UPSTREAM_STATE_OFF:
		return "";
	case UPSTREAM_STATE_NO_ROUTER:
		return "no router";
	case UPSTREAM_STATE_ASKING:
	case UPSTREAM_STATE_MAPPED:
	case UPSTREAM_STATE_REFUSED:
	case UPSTREAM_STATE_UNANSWERED:
		break;
	}
	return upstream_state_name(state);
}

const char *upstream_cell(const struct mapping *m, const struct upstream_view *view,
			  char buf[static UPSTREAM_CELL_STRLEN])
{
	char text[ENDPOINT_STRLEN];

	buf[0] = '\0';
	if (!upstream_is_seen(view)) {
		text_append(buf, UPSTREAM_CELL_STRLEN, "%s", state_words(view->state));
		return buf;
	}
	text_append(buf, UPSTREAM_CELL_STRLEN, "%s",
		    endpoint_format(&view->external, text));
	if (m->n_ports > 1)
		text_append(buf, UPSTREAM_CELL_STRLEN, "-%u",
			    view->external.port + m->n_ports - 1u);
	return buf;
}

bool upstream_is_missing(const struct mapping *m, const struct upstream_view *view)
{
	return m->upstream == UPSTREAM_REQUIRED && view->state != UPSTREAM_STATE_MAPPED;
}

bool upstream_is_problem(const struct mapping *m, const struct upstream_view *view)
{
	switch (view->state) {
	case UPSTREAM_STATE_REFUSED:
	case UPSTREAM_STATE_UNANSWERED:
		return true;
	case UPSTREAM_STATE_OFF:
		return m->enabled && (view->why[0] || m->upstream == UPSTREAM_YES);
	case UPSTREAM_STATE_NO_ROUTER:
	case UPSTREAM_STATE_ASKING:
	case UPSTREAM_STATE_MAPPED:
		break;
	}
	return false;
}

/* For what natd gives no reason of its own. */
static const char *plain_why(enum upstream_state state)
{
	switch (state) {
	case UPSTREAM_STATE_OFF:
		return "the router above us is not asked for it (see upstream in "
		       "natd.conf)";
	case UPSTREAM_STATE_NO_ROUTER:
		return "no router above us answers";
	case UPSTREAM_STATE_ASKING:
		return "the router above us is being asked";
	case UPSTREAM_STATE_REFUSED:
		return "the router above us refuses it";
	case UPSTREAM_STATE_UNANSWERED:
		return "the router above us does not answer";
	case UPSTREAM_STATE_MAPPED:
		break;
	}
	return "the router above us holds it, and natd is about to put it into force";
}

void upstream_why(const struct upstream_view *view, char *buf, size_t size)
{
	char why[UPSTREAM_WHY_STRLEN];

	snprintf(why, sizeof(why), "%s",
		 view->why[0] ? view->why : plain_why(view->state));
	text_append(buf, size, "%s", text_clean(why));
}
