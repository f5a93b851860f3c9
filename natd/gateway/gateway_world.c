/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_world - how the world is, for whoever judges a change
 */

#include "natd/gateway/gateway_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "natd/common/log.h"
#include "natd/kernel/sysctl.h"

/*
 * UDP-Lite's checksum may cover a part of the packet; the connection tracker, which wants
 * all of it covered, calls the rest invalid unless it is told not to look.
 */
static bool checksums_are_ignored(void)
{
	int value;

	return sysctl_get("net/netfilter/nf_conntrack_checksum", &value) == 0 && !value;
}

uint8_t gateway_protocols(const struct gateway *gw)
{
	uint8_t bits = ruleset_protocols(gw->ruleset);

	if (bits & PROTOCOL_BIT_UDPLITE && !checksums_are_ignored())
		bits &= (uint8_t)~PROTOCOL_BIT_UDPLITE;
	return bits;
}

static void complain_of_sockets(struct gateway *gw, int error)
{
	char text[GATEWAY_PROBLEM_STRLEN];

	snprintf(text, sizeof(text),
		 "It cannot be read which ports programs of this machine listen on: %s. "
		 "Mappings are added without a look at them.",
		 strerror(-error));
	if (strcmp(text, gw->sockets_problem))
		log_warning("%s", text);
	memcpy(gw->sockets_problem, text, sizeof(text));
}

bool gateway_listeners(struct gateway *gw, uint8_t protocols, struct listener_list *ret)
{
	int r = 0;

	if (!gw->sockets)
		r = sockets_open(&gw->sockets);
	if (r == 0)
		r = sockets_read(gw->sockets, protocols, ret);
	if (r < 0)
		complain_of_sockets(gw, r);
	else
		gw->sockets_problem[0] = 0;
	return r == 0;
}

/* Where the search for a free port begins is no secret: zero does as well. */
static uint32_t random_number(void)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		return 0;
	return number;
}

/* What is decided with it is written with the time at which that was. */
static void note_time(struct gateway *gw)
{
	struct lease_anchor anchor;

	lease_clock_anchor(&gw->clock, &anchor);
	store_set_anchor(gw->store, &anchor);
}

/* Those that are not asked for need no look at how the kernel is set. */
static uint8_t protocols_of(const struct gateway *gw, uint8_t asked)
{
	if (asked && !(asked & PROTOCOL_BIT_UDPLITE))
		return ruleset_protocols(gw->ruleset) & (uint8_t)~PROTOCOL_BIT_UDPLITE;
	return gateway_protocols(gw);
}

static void fill(struct gateway *gw, const struct config *config, uint8_t listeners,
		 struct conditions *ret)
{
	*ret = (struct conditions){
		.now = gateway_now(),
		.lease_now = lease_clock_now(&gw->clock),
		.protocols = protocols_of(gw, listeners),
		.pool = { .ranges = config->pool, .n = config->n_pool },
		.reserved = { .ranges = config->reserved, .n = config->n_reserved },
		.wan = links_wan_addresses(gw->links),
		.lans = links_lan_prefixes(gw->links),
		.upstream = config_asks_upstream(config),
		.random = random_number(),
	};
	if (listeners)
		ret->listeners_known = gateway_listeners(gw, listeners, &ret->listeners);
}

void gateway_conditions(void *userdata, uint8_t listeners, struct conditions *ret)
{
	struct gateway *gw = userdata;

	note_time(gw);
	fill(gw, gw->config, listeners, ret);
}

void gateway_foresee(struct gateway *gw, const struct config *config,
		     struct lan_prefix lans[static RULESET_LANS_MAX],
		     struct conditions *ret)
{
	const struct lan_prefix_list known = links_lan_prefixes(gw->links);

	fill(gw, config, PROTOCOL_BITS, ret);
	for (size_t i = 0; i < config->options.n_lan; i++) {
		const char *name = config->options.lan[i];
		const struct lan_prefix *lan = lan_prefix_find(&known, name);

		lans[i] = (struct lan_prefix){ .prefix = IN6ADDR_ANY_INIT };
		memcpy(lans[i].lan, name, sizeof(lans[i].lan));
		if (lan)
			lans[i].prefix = lan->prefix;
	}
	ret->lans = (struct lan_prefix_list){ .lans = lans, .n = config->options.n_lan };
}

const struct snat_list *gateway_snat(void *userdata)
{
	struct gateway *gw = userdata;

	gw->snat = (struct snat_list){
		.snats = gw->config->snat,
		.n = gw->config->n_snat,
		.untranslated = gw->config->untranslated,
		.n_untranslated = gw->config->n_untranslated,
	};
	return &gw->snat;
}
