/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_problems - where mappings and the world around them do not fit, for status
 */

#include "natd/gateway/gateway_private.h"

#include <stdio.h>

#include "core/cleanup.h"
#include "core/text.h"

/* of one sort; the others are counted */
#define SAID_MAX 8

/* what mapping_describe() and listener_describe() write, and a sentence around them */
#define SENTENCE_STRLEN (MAPPING_STRLEN + LISTENER_STRLEN + 128)

static void say_waits(json_t *list, const struct mapping *m, enum lack lack)
{
	char text[SENTENCE_STRLEN], mapping[MAPPING_STRLEN], address[INET6_ADDRSTRLEN];

	mapping_describe(m, mapping);
	switch (lack) {
	case LACK_NONE:
	case LACK_UPSTREAM: /* gateway_say_upstream() says it */
		return;
	case LACK_ADDRESS:
		snprintf(text, sizeof(text), "%s waits for %s, which no WAN has.",
			 mapping, address_format(&m->external.addr, address));
		break;
	case LACK_HOST:
		snprintf(text, sizeof(text),
			 "%s waits for a global IPv6 prefix%s%s, or for another mapping "
			 "to leave its place.",
			 mapping, mapping_lan(m)[0] ? " on " : "", mapping_lan(m));
		break;
	}
	gateway_say(list, text);
}

static void say_more(json_t *list, size_t n, const char *what)
{
	char text[128], mappings[TEXT_PHRASE_STRLEN];

	if (n <= SAID_MAX)
		return;
	snprintf(text, sizeof(text), "There are more: %s %s.",
		 text_things(n - SAID_MAX, "mapping", mappings), what);
	gateway_say(list, text);
}

static void say_lacking(const struct gateway *gw, json_t *list)
{
	const struct address_list wan = links_wan_addresses(gw->links);
	size_t n[LACK_UPSTREAM + 1] = { 0 };
	const struct mapping *m;

	table_for_each (gw->table, m) {
		const enum lack lack = m->enabled ? gateway_lack(m, &wan) : LACK_NONE;

		if (lack != LACK_NONE && n[lack]++ < SAID_MAX)
			say_waits(list, m, lack);
	}
	say_more(list, n[LACK_ADDRESS], "waiting for an address that no WAN has");
	say_more(list, n[LACK_HOST], "waiting for a prefix");
}

static void say_snat(const struct gateway *gw, json_t *list)
{
	const struct address_list wan = links_wan_addresses(gw->links);
	const struct config *config = gw->config;
	char text[256], source[PREFIX_STRLEN], to[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < config->n_snat; i++) {
		const struct snat *snat = &config->snat[i];

		if (address_list_has(&wan, &snat->to))
			continue;
		snprintf(text, sizeof(text),
			 "%s is to leave as %s, which no WAN has: nothing comes back.",
			 prefix_format(&snat->source, source),
			 address_format(&snat->to, to));
		gateway_say(list, text);
	}
}

/* ------------------------------------------------------------ listeners */

static size_t find_listener(const struct mapping *m, const struct listener_list *all,
			    const struct address_list *wan, const struct listener **ret)
{
	const struct port_range ports = {
		.first = m->external.port,
		.last = mapping_last_port(m),
	};

	/* a pinhole's address is its host's, who is none of ours */
	if (!mapping_is_live(m) || mapping_is_pinhole(m) ||
	    gateway_lack(m, wan) != LACK_NONE)
		return 0;
	return listener_find(all, m->protocol, &m->external.addr, &ports, wan->addrs,
			     wan->n, ret, 1);
}

static void say_listeners(struct gateway *gw, json_t *list)
{
	const struct address_list wan = links_wan_addresses(gw->links);
	struct listener_list all;
	const struct mapping *m;
	size_t n = 0;

	if (!gateway_listeners(gw, PROTOCOL_BITS, &all))
		return;
	table_for_each (gw->table, m) {
		char text[SENTENCE_STRLEN], mapping[MAPPING_STRLEN], who[LISTENER_STRLEN];
		const struct listener *listener;

		if (!find_listener(m, &all, &wan, &listener) || n++ >= SAID_MAX)
			continue;
		snprintf(text, sizeof(text),
			 "A program of this machine listens on %s, and %s takes what the "
			 "WAN sends there.",
			 listener_describe(listener, who), mapping_describe(m, mapping));
		gateway_say(list, text);
	}
	say_more(list, n, "taking ports of programs of this machine");
}

void gateway_say_world(struct gateway *gw, json_t *list)
{
	say_lacking(gw, list);
	say_snat(gw, list);
	say_listeners(gw, list);
	gateway_say(list, gw->sockets_problem);
	gateway_say(list, gw->accounting_problem);
}
