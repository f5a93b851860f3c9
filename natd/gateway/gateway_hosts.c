/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_hosts - mappings whose external address or host comes and goes
 */

#include "natd/gateway/gateway_private.h"

#include <stdlib.h>

#include "core/text.h"
#include "natd/common/buffer.h"
#include "natd/common/log.h"
#include "natd/gateway/gateway_upstream.h"

enum lack gateway_lack(const struct mapping *m, const struct address_list *wan)
{
	if (address_is_any(&m->host))
		return LACK_HOST;
	if (!mapping_is_pinhole(m) && !address_is_any(&m->external.addr) &&
	    !address_list_has(wan, &m->external.addr))
		return LACK_ADDRESS;
	return m->upstream == UPSTREAM_REQUIRED && !m->held ? LACK_UPSTREAM : LACK_NONE;
}

/**
 * struct stand - of one mapping
 * @waits: for its external address, its host, or the router above us
 */
struct stand {
	struct in6_addr host;
	bool waits;
};

/* Others stand as the WANs do, and what becomes of these is told as such. */
static bool is_particular(const struct mapping *m)
{
	return m->suffix || m->upstream == UPSTREAM_REQUIRED ||
	       (!mapping_is_pinhole(m) && !address_is_any(&m->external.addr));
}

static struct stand stand_of(const struct mapping *m, const struct address_list *wan)
{
	return (struct stand){
		.host = m->host,
		.waits = m->enabled && gateway_lack(m, wan) != LACK_NONE,
	};
}

static size_t count_particular(const struct table *table)
{
	const struct mapping *m;
	size_t n = 0;

	table_for_each (table, m)
		n += is_particular(m);
	return n;
}

void gateway_note_standing(const struct gateway *gw, struct standing *ret)
{
	const struct address_list wan = { .addrs = gw->told_wan, .n = gw->n_told_wan };
	const size_t n = count_particular(gw->table);
	const struct mapping *m;

	*ret = (struct standing){ 0 };
	if (!n)
		return;
	ret->stands = calloc(n, sizeof(*ret->stands));
	if (!ret->stands) {
		log_warning("Mappings that wait are not told as events: no memory.");
		return;
	}
	table_for_each (gw->table, m) {
		if (is_particular(m))
			ret->stands[ret->n++] = stand_of(m, &wan);
	}
}

static void tell(struct events *events, const struct mapping *m, bool waiting,
		 struct buffer *buffer)
{
	buffer->len = 0;
	buffer_put(buffer, "\"mapping\":");
	buffer_mapping(buffer, m, NULL);
	if (buffer->failed)
		events_skip(events, 1);
	else
		events_put(events, waiting ? EVENT_WAITING : EVENT_ACTIVE, buffer->bytes,
			   buffer->len);
}

/* One that goes on at another address is reached there. */
static bool is_news(const struct mapping *m, const struct stand *before,
		    const struct stand *now)
{
	if (!m->enabled)
		return false;
	return before->waits != now->waits ||
	       (!now->waits && !address_equal(&before->host, &now->host));
}

/* @buffer: NULL: count only. Return: how many are news */
static size_t compare(struct gateway *gw, const struct standing *before,
		      struct buffer *buffer)
{
	const struct address_list wan = links_wan_addresses(gw->links);
	const struct mapping *m;
	size_t i = 0, n = 0;

	for (m = table_next(gw->table, NULL); m && i < before->n;
	     m = table_next(gw->table, m)) {
		struct stand now;

		if (!is_particular(m))
			continue;
		now = stand_of(m, &wan);
		if (!is_news(m, &before->stands[i++], &now))
			continue;
		if (buffer)
			tell(gw->events, m, now.waits, buffer);
		n++;
	}
	return n;
}

/* The effects of @plan that are nobody's change. @buffer: NULL: count only. */
static size_t compare_held(struct gateway *gw, const struct plan *plan,
			   struct buffer *buffer)
{
	const struct address_list wan = { .addrs = gw->told_wan, .n = gw->n_told_wan };
	size_t n = 0;

	for (size_t i = 0; i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);
		struct stand before, now;

		if (!effect->held)
			continue;
		before = stand_of(effect->before, &wan);
		now = stand_of(effect->mapping, &wan);
		if (!is_news(effect->mapping, &before, &now))
			continue;
		if (buffer)
			tell(gw->events, effect->mapping, now.waits, buffer);
		n++;
	}
	return n;
}

void gateway_tell_held(struct gateway *gw, const struct plan *plan)
{
	struct buffer buffer = { 0 };
	size_t n = compare_held(gw, plan, NULL);

	if (n > EVENTS_MAX)
		events_skip(gw->events, n);
	else if (n > 0)
		compare_held(gw, plan, &buffer);
	buffer_done(&buffer);
}

void gateway_tell_standing(struct gateway *gw, struct standing *before)
{
	struct buffer buffer = { 0 };
	size_t n = compare(gw, before, NULL);

	/* what would push itself out of the ring is not written */
	if (n > EVENTS_MAX)
		events_skip(gw->events, n);
	else
		compare(gw, before, &buffer);
	buffer_done(&buffer);
	standing_done(before);
}

void standing_done(struct standing *standing)
{
	free(standing->stands);
	*standing = (struct standing){ 0 };
}

size_t gateway_settle_hosts(struct gateway *gw)
{
	const struct lan_prefix_list lans = links_lan_prefixes(gw->links);
	char mappings[TEXT_PHRASE_STRLEN];
	size_t changed;

	if (table_is_staged(gw->table)) {
		gateway_settle_soon(gw);
		return 0;
	}
	table_settle_hosts(gw->table, &lans, &changed);
	if (changed)
		log_info("Another host for %s: a LAN's prefix has changed.",
			 text_things(changed, "mapping", mappings));
	if (changed)
		gateway_upstream_hosts(gw);
	return changed;
}
