/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_events - what befalls the gateway, as events
 */

#include "natd/gateway/gateway_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/log.h"

/* in one event, of those that came and of those that went: natctl takes lines of 16 KiB
 */
#define ADDRESSES_MAX 64

/* ------------------------------------------------------------ addresses */

/* Addresses of @these that @others lack, from @at on. Moves @at. */
static json_t *encode_missing(const struct address_list *these,
			      const struct address_list *others, size_t *at)
{
	json_t *list = json_array();

	for (; *at < these->n && json_array_size(list) < ADDRESSES_MAX; (*at)++) {
		const struct in6_addr *addr = &these->addrs[*at];
		char text[INET6_ADDRSTRLEN];

		if (!address_list_has(others, addr))
			json_array_append_new(list,
					      json_string(address_format(addr, text)));
	}
	return list;
}

static void tell_difference(struct gateway *gw, const struct address_list *before,
			    const struct address_list *now)
{
	size_t in_before = 0, in_now = 0;

	while (in_before < before->n || in_now < now->n) {
		json_t *added = encode_missing(now, before, &in_now);
		json_t *lost = encode_missing(before, now, &in_before);

		/* without memory it is told that something is lost */
		if (!added || !lost || json_array_size(added) || json_array_size(lost)) {
			events_tell(gw->events, EVENT_WAN_ADDRESS,
				    json_pack("{s:{s:o, s:o}}", "addresses", "added",
					      added, "lost", lost));
			continue;
		}
		json_decref(added);
		json_decref(lost);
	}
}

void gateway_tell_addresses(struct gateway *gw)
{
	const struct address_list now = links_wan_addresses(gw->links);
	const struct address_list before = { .addrs = gw->told_wan, .n = gw->n_told_wan };
	struct in6_addr *copy;

	copy = calloc(now.n + 1, sizeof(*copy));
	if (!copy) {
		log_warning("WAN addresses are not told as events: no memory.");
		return;
	}
	tell_difference(gw, &before, &now);
	if (now.n)
		memcpy(copy, now.addrs, now.n * sizeof(*copy));
	free(gw->told_wan);
	gw->told_wan = copy;
	gw->n_told_wan = now.n;
}

/* ------------------------------------------------------------ other programs */

bool report_is_empty(const struct ruleset_report *report)
{
	return !report->created && !report->replaced && !report->rewritten &&
	       !report->added && !report->removed && !report->other;
}

void gateway_tell_repair(struct gateway *gw, const struct ruleset_report *report,
			 const struct culprit *by)
{
	if (report_is_empty(report))
		return;
	events_tell(gw->events, EVENT_REPAIRED,
		    json_pack("{s:{s:o, s:o}, s:b, s:b, s:b, s:I, s:I, s:I}", "by", "pid",
			      by->pid ? json_integer(by->pid) : json_null(), "process",
			      by->name[0] ? json_string(by->name) : json_null(),
			      "created", report->created, "replaced", report->replaced,
			      "rewritten", report->rewritten, "added",
			      (json_int_t)report->added, "removed",
			      (json_int_t)report->removed, "other",
			      (json_int_t)report->other));
}

void gateway_tell_foreign(struct gateway *gw, const struct foreign_chain *chain,
			  bool appeared)
{
	char text[FOREIGN_CHAIN_STRLEN];

	events_tell(gw->events, EVENT_FOREIGN_DROP,
		    json_pack("{s:s, s:s}", "chain", foreign_chain_format(chain, text),
			      "state", appeared ? "appeared" : "gone"));
}
