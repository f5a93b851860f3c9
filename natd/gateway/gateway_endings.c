/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_endings - ends the connections that table, rules or addresses no longer stand
 * for
 */

#include "natd/gateway/gateway_private.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "natd/common/log.h"

int gateway_end_strays(struct gateway *gw, struct ending *strays)
{
	struct engine_parts parts = gateway_parts(gw);
	char connections[TEXT_PHRASE_STRLEN];
	size_t ended;
	int r;

	r = ending_run(strays, &parts, true, &ended);
	if (r < 0)
		log_warning("Connections could not be compared with the table: %s.",
			    strerror(-r));
	else if (ended)
		log_notice("Ended %s that no mapping leads where %s went.",
			   text_things(ended, "connection", connections),
			   ended == 1 ? "it" : "they");
	return r;
}

void gateway_end_owed(struct gateway *gw, struct ending *strays)
{
	int r, ended;

	r = ending_add_owed(strays, gw->store);
	if (r < 0)
		log_warning("Removed mappings whose connections may go on cannot be "
			    "read: %s.",
			    strerror(-r));
	ended = gateway_end_strays(gw, strays);
	gw->endings_owed = r < 0 || ended < 0;
	if (!gw->endings_owed)
		store_endings_done(gw->store);
}

void gateway_end_unruled(struct gateway *gw)
{
	struct engine_parts parts = gateway_parts(gw);
	char connections[TEXT_PHRASE_STRLEN];
	size_t ended;
	int r;

	r = ending_of_unruled(&parts, &ended);
	if (r < 0)
		log_warning("Connections of the time without rules may go on: %s.",
			    strerror(-r));
	if (ended)
		log_notice("Ended %s that began while the rules were not in force.",
			   text_things(ended, "connection", connections));
}

static void end_lost(struct gateway *gw, const struct address_list *lost)
{
	struct engine_parts parts = gateway_parts(gw);
	char addresses[TEXT_PHRASE_STRLEN], connections[TEXT_PHRASE_STRLEN];
	size_t ended;
	int r;

	r = ending_of_address(&parts, lost, &ended);
	if (r < 0)
		log_warning("Connections of a lost WAN address may linger: %s.",
			    strerror(-r));
	else
		log_notice("%s %s lost; ended %s of %s.",
			   text_things(lost->n, "WAN address", addresses),
			   lost->n == 1 ? "was" : "were",
			   text_things(ended, "connection", connections),
			   lost->n == 1 ? "its own" : "theirs");
}

void gateway_end_missing(struct gateway *gw, struct in6_addr *before, size_t n)
{
	const struct address_list now = links_wan_addresses(gw->links);
	struct address_list lost = { .addrs = before };

	for (size_t i = 0; i < n; i++)
		if (!address_list_has(&now, &before[i]))
			before[lost.n++] = before[i];
	if (lost.n)
		end_lost(gw, &lost);
	free(before);
}
