/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_verdict - can the internet reach a WAN, and if not, why?
 */

#include <stdarg.h>
#include <stdio.h>

#include "core/address_kind.h"
#include "core/text.h"
#include "core/upstream/upstream_private.h"

/** struct judged - what there is to go by, and its words */
struct judged {
	const struct router *router;
	char name[INET6_ADDRSTRLEN];
	char source[INET6_ADDRSTRLEN];
	char external[INET6_ADDRSTRLEN];
	char stun[INET6_ADDRSTRLEN];
	char *why;
};

__attribute__((format(printf, 2, 3))) static void say(const struct judged *judged,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(judged->why, UPSTREAM_WHY_STRLEN, format, args);
	va_end(args);
}

static bool is_known(const struct in6_addr *addr)
{
	return !address_is_any(addr);
}

static bool is_global(const struct in6_addr *addr)
{
	return address_kind(addr) == ADDRESS_GLOBAL;
}

/* Where the server of the configuration sees another address than @addr. */
static bool is_seen_elsewhere(const struct router *router, const struct in6_addr *addr)
{
	return is_known(&router->stun_address) &&
	       !address_equal(&router->stun_address, addr);
}

static bool is_there_more(const struct router *router)
{
	for (const struct slot *slot = router->slots; slot; slot = slot->next) {
		if (!slot->leaving && slot->state != UPSTREAM_STATE_MAPPED &&
		    slot->state != UPSTREAM_STATE_REFUSED)
			return true;
	}
	return false;
}

static const struct slot *refused(const struct router *router)
{
	for (const struct slot *slot = router->slots; slot; slot = slot->next) {
		if (!slot->leaving && slot->state == UPSTREAM_STATE_REFUSED)
			return slot;
	}
	return NULL;
}

/* ------------------------------------------------------------ nobody above us answers */

static void tried_words(const struct upstream *up, const struct router *router,
			char buf[static UPSTREAM_WHY_STRLEN])
{
	const char *before = "";

	buf[0] = '\0';
	for (uint8_t i = 0; i < up->options.n_order; i++) {
		const enum upstream_speech speech = up->options.order[i];

		if (speech != UPSTREAM_PCP && !router_is_ipv4(router))
			continue;
		text_append(buf, UPSTREAM_WHY_STRLEN, "%s%s", before,
			    speech_words(speech));
		before = ", ";
	}
}

static enum upstream_verdict unfound(const struct upstream *up,
				     const struct judged *judged)
{
	const struct router *router = judged->router;
	char tried[UPSTREAM_WHY_STRLEN];

	if (!up->options.enable) {
		say(judged,
		    "%s is %s, and the router above it is not to be asked; upstream "
		    "{ enable = yes } lets natd ask it",
		    judged->source, address_kind_text(address_kind(&router->source)));
		return UPSTREAM_BEHIND_NAT;
	}
	if (!router_is_anybody(router)) {
		say(judged, "%s is %s, and no router is known above it", judged->source,
		    address_kind_text(address_kind(&router->source)));
		return UPSTREAM_BEHIND_NAT;
	}
	if (!router->ever_looked) {
		say(judged, "the router %s has not answered yet", judged->name);
		return UPSTREAM_UNKNOWN;
	}
	tried_words(up, router, tried);
	say(judged, "%s is %s, and the router %s does not answer (%s)", judged->source,
	    address_kind_text(address_kind(&router->source)), judged->name, tried);
	return UPSTREAM_BEHIND_NAT;
}

/* ------------------------------------------------------------ somebody does */

static enum upstream_verdict nothing_held(const struct judged *judged)
{
	const struct slot *slot = refused(judged->router);
	char words[UPSTREAM_WHY_STRLEN];

	if (slot) {
		slot_words(slot, words);
		say(judged, "the router %s holds nothing for us: %.120s", judged->name,
		    words);
	} else if (is_there_more(judged->router)) {
		say(judged, "the router %s is being asked", judged->name);
		return UPSTREAM_UNKNOWN;
	} else {
		say(judged, "the router %s holds nothing for us: nothing is asked of it",
		    judged->name);
	}
	return UPSTREAM_BEHIND_NAT;
}

static enum upstream_verdict found(const struct judged *judged)
{
	const struct router *router = judged->router;
	const enum address_kind kind = address_kind(&router->external);
	char ports[TEXT_PHRASE_STRLEN];

	if (is_known(&router->external) && kind != ADDRESS_GLOBAL) {
		say(judged, "the router %s has %s, %s: another NAT is above it",
		    judged->name, judged->external, address_kind_text(kind));
		return UPSTREAM_BEHIND_NAT;
	}
	if (is_known(&router->external) && is_seen_elsewhere(router, &router->external)) {
		say(judged,
		    "the router %s has %s, but the internet sees %s: another NAT "
		    "is above it",
		    judged->name, judged->external, judged->stun);
		return UPSTREAM_BEHIND_NAT;
	}
	if (router->n_mapped == 0)
		return nothing_held(judged);
	if (!is_known(&router->external)) {
		say(judged, "the router %s does not say what its address is",
		    judged->name);
		return UPSTREAM_BEHIND_NAT;
	}
	say(judged, "the router %s holds %s for us at %s", judged->name,
	    text_things(router->n_mapped, "port", ports), judged->external);
	return UPSTREAM_MAPPED;
}

/* ------------------------------------------------------------ all together */

static enum upstream_verdict global(const struct judged *judged)
{
	const struct router *router = judged->router;

	if (router->found && is_known(&router->external) &&
	    !address_equal(&router->external, &router->source))
		return found(judged);
	if (is_seen_elsewhere(router, &router->source)) {
		say(judged,
		    "%s looks public, but the internet sees %s: there is a NAT above us",
		    judged->source, judged->stun);
		return UPSTREAM_BEHIND_NAT;
	}
	say(judged, "%s is a public address, and nobody says otherwise", judged->source);
	return UPSTREAM_PUBLIC;
}

static enum upstream_verdict judge(const struct upstream *up, const struct router *router,
				   char why[static UPSTREAM_WHY_STRLEN])
{
	struct judged judged = { .router = router, .why = why };

	address_format(&router->addr, judged.name);
	address_format(&router->source, judged.source);
	address_format(&router->external, judged.external);
	address_format(&router->stun_address, judged.stun);
	why[0] = '\0';
	if (!router_is_ipv4(router)) {
		if (!router->found)
			unfound(up, &judged);
		return UPSTREAM_UNKNOWN;
	}
	if (!is_known(&router->source)) {
		say(&judged, "we have no address");
		return UPSTREAM_UNKNOWN;
	}
	if (is_global(&router->source))
		return global(&judged);
	return router->found ? found(&judged) : unfound(up, &judged);
}

/* Whole, or not at all: status says it of the server as well. */
static void add_server(const struct upstream *up, const struct router *router,
		       char why[static UPSTREAM_WHY_STRLEN])
{
	const char *problem = resolve_problem(up);
	char whole[2 * UPSTREAM_WHY_STRLEN];
	int len;

	if (!problem || !stun_is_wanted(up, router))
		return;
	len = snprintf(whole, sizeof(whole),
		       "%s%sthe STUN server's name is not known: %s", why,
		       why[0] ? "; " : "", problem);
	if (len < UPSTREAM_WHY_STRLEN)
		memcpy(why, whole, (size_t)len + 1);
}

enum upstream_verdict verdict_of(const struct upstream *up, const struct router *router,
				 char why[static UPSTREAM_WHY_STRLEN])
{
	const enum upstream_verdict verdict = judge(up, router, why);

	add_server(up, router, why);
	return verdict;
}
