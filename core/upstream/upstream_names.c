/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_names - words of the state machine, and what a row may not be
 */

#include <errno.h>

#include "core/cleanup.h"
#include "core/upstream/upstream_private.h"
#include "core/url.h"

static const char *const policies[] = {
	[UPSTREAM_ALL] = "all",
	[UPSTREAM_CHOSEN] = "chosen",
	[UPSTREAM_NONE] = "none",
};

static const char *const speeches[] = {
	[UPSTREAM_PCP] = "pcp",
	[UPSTREAM_NATPMP] = "nat-pmp",
	[UPSTREAM_IGD] = "upnp",
};
static_assert(ARRAY_SIZE(speeches) == UPSTREAM_SPEECHES, "a name for each");

static const char *const states[] = {
	[UPSTREAM_STATE_OFF] = "off",	      [UPSTREAM_STATE_NO_ROUTER] = "no-router",
	[UPSTREAM_STATE_ASKING] = "asking",   [UPSTREAM_STATE_MAPPED] = "mapped",
	[UPSTREAM_STATE_REFUSED] = "refused", [UPSTREAM_STATE_UNANSWERED] = "unanswered",
};
static_assert(ARRAY_SIZE(states) == UPSTREAM_STATES, "a name for each");

static const char *const verdicts[] = {
	[UPSTREAM_PUBLIC] = "public",
	[UPSTREAM_MAPPED] = "mapped",
	[UPSTREAM_BEHIND_NAT] = "behind-nat",
	[UPSTREAM_UNKNOWN] = "unknown",
};

static int find(const char *const *names, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], text) == 0)
			return (int)i;
	}
	return -EINVAL;
}

const char *upstream_policy_name(enum upstream_policy policy)
{
	return policies[policy];
}

const char *upstream_speech_name(enum upstream_speech s)
{
	return speeches[s];
}

int upstream_speech_parse(const char *text, enum upstream_speech *ret)
{
	const int i = find(speeches, ARRAY_SIZE(speeches), text);

	if (i < 0)
		return i;
	*ret = (enum upstream_speech)i;
	return 0;
}

const char *upstream_state_name(enum upstream_state state)
{
	return states[state];
}

int upstream_state_parse(const char *text, enum upstream_state *ret)
{
	const int i = find(states, ARRAY_SIZE(states), text);

	if (i < 0)
		return i;
	*ret = (enum upstream_state)i;
	return 0;
}

const char *upstream_verdict_name(enum upstream_verdict verdict)
{
	return verdicts[verdict];
}

int upstream_verdict_parse(const char *text, enum upstream_verdict *ret)
{
	const int i = find(verdicts, ARRAY_SIZE(verdicts), text);

	if (i < 0)
		return i;
	*ret = (enum upstream_verdict)i;
	return 0;
}

/* ------------------------------------------------------------ rows */

static bool is_url(const char *url, size_t size)
{
	return strnlen(url, size) < size;
}

static const char *igd_flaw(const struct upstream_row *row)
{
	const bool ipv4 = address_is_ipv4(&row->internal);

	if (row->epoch_at)
		return "UPnP has no epochs";
	if (!url_is_of(row->url, &row->router))
		return "its URL is not the router's";
	if (row->protocol != IPPROTO_TCP && row->protocol != IPPROTO_UDP)
		return "UPnP has no such protocol";
	if (ipv4 && row->unique)
		return "only a pinhole has a number";
	return NULL;
}

static const char *speech_flaw(const struct upstream_row *row)
{
	const bool ipv4 = address_is_ipv4(&row->internal);

	if (row->speech >= UPSTREAM_SPEECHES)
		return "there is no such protocol of routers";
	if (row->speech == UPSTREAM_IGD)
		return igd_flaw(row);
	if (row->url[0] || row->unique)
		return "only UPnP has a URL and pinholes with numbers";
	if (address_is_ipv4(&row->router) != ipv4)
		return "router and internal address are of two families";
	if (row->speech == UPSTREAM_NATPMP &&
	    (!ipv4 || (row->protocol != IPPROTO_TCP && row->protocol != IPPROTO_UDP)))
		return "NAT-PMP has TCP and UDP over IPv4 only";
	return NULL;
}

const char *upstream_row_flaw(const struct upstream_row *row)
{
	if (row->id == 0 || row->id > INT64_MAX)
		return "its number is none";
	if (!row->wan[0] || strnlen(row->wan, sizeof(row->wan)) == sizeof(row->wan))
		return "it has no interface";
	if (!protocol_bit(row->protocol))
		return "no mapping has such a protocol";
	if (row->internal_port == 0)
		return "it has no port";
	if (address_is_any(&row->router) || address_is_any(&row->internal))
		return "an address is missing";
	if (address_is_ipv4(&row->external) != address_is_ipv4(&row->internal))
		return "its addresses are of two families";
	if (!is_url(row->url, sizeof(row->url)))
		return "its URL has no end";
	if (row->epoch && !row->epoch_at)
		return "its epoch is of no time";
	return speech_flaw(row);
}
