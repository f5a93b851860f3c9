/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * One record for each mapping that has carried anything, in a table of chains by id: ids
 * are given one after the other, and so spread evenly. A record that has changed since it
 * was saved says so.
 */

#include "natd/kernel/traffic.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "rules/conntrack.h"

#define CHAINS 8192
/* read in one turn of the loop: some milliseconds */
#define DATAGRAMS_MAX 1024
/* above what serves clients: what is not read in time is lost */
#define METER_PRIORITY SD_EVENT_PRIORITY_NORMAL
#define SECOND_NSEC    UINT64_C(1000000000)

struct record {
	struct record *next;
	uint64_t id;
	struct store_traffic traffic;
	bool changed;
};

struct meter {
	struct meter_parts parts;
	struct conntrack_events *events;
	sd_event_source *source;
	uint64_t lost;
	struct record *chains[CHAINS];
};

DEFINE_CLEANUP(meter_close, struct meter *)

static struct record **find(struct meter *meter, uint64_t id)
{
	struct record **at = &meter->chains[id % CHAINS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Return: NULL without memory */
static struct record *record_of(struct meter *meter, uint64_t id)
{
	struct record **at = find(meter, id);

	if (*at)
		return *at;
	*at = calloc(1, sizeof(**at));
	if (*at)
		(*at)->id = id;
	return *at;
}

bool connection_is_of(const struct connection *c, const struct mapping *m)
{
	if (connection_follows(c, m))
		return true;
	return c->status & IPS_DST_NAT && c->start &&
	       c->start / SECOND_NSEC >= m->created;
}

static int on_destroyed(void *userdata, const struct connection *c)
{
	struct meter *meter = userdata;
	const struct address_list wan = meter->parts.wan_addresses(meter->parts.userdata);
	const struct mapping *m = connection_mapping(meter->parts.table, &wan, c);
	struct record *record;

	if (!m || !connection_is_of(c, m))
		return 0;
	record = record_of(meter, m->id);
	if (!record) {
		meter->lost++;
		return 0;
	}
	record->traffic.connections++;
	record->traffic.bytes_in += c->in.bytes;
	record->traffic.bytes_out += c->out.bytes;
	record->traffic.packets_in += c->in.packets;
	record->traffic.packets_out += c->out.packets;
	record->changed = true;
	return 0;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct meter *meter = userdata;
	int r;

	r = conntrack_events_read(meter->events, DATAGRAMS_MAX, on_destroyed, meter);
	if (r == 0)
		return 0;
	if (!meter->lost++)
		log_warning("What some connections carried is not in the figures of "
			    "their mappings: %s.",
			    strerror(-r));
	return 0;
}

static void on_stored(void *userdata, uint64_t id, const struct store_traffic *traffic)
{
	struct meter *meter = userdata;
	struct record *record;

	if (!table_find_id(meter->parts.table, id))
		return;
	record = record_of(meter, id);
	if (record)
		record->traffic = *traffic;
	else
		meter->lost++;
}

static int read_store(struct meter *meter)
{
	int r;

	r = store_traffic(meter->parts.store, on_stored, meter);
	if (r == -EUCLEAN) {
		log_warning("Some figures of what mappings have carried are damaged, and "
			    "begin anew.");
		return 0;
	}
	return r == 0 && meter->lost ? -ENOMEM : r;
}

int meter_open(const struct meter_parts *parts, struct meter **ret)
{
	CLEANUP(meter_close) struct meter *meter = calloc(1, sizeof(*meter));
	int r;

	if (!meter)
		return -ENOMEM;
	meter->parts = *parts;
	r = read_store(meter);
	if (r == 0)
		r = conntrack_events_open(&meter->events);
	if (r < 0)
		return r;
	r = sd_event_add_io(parts->event, &meter->source,
			    conntrack_events_fd(meter->events), EPOLLIN, on_events,
			    meter);
	if (r >= 0)
		r = sd_event_source_set_priority(meter->source, METER_PRIORITY);
	if (r < 0)
		return r;
	*ret = TAKE(meter);
	return 0;
}

void meter_close(struct meter *meter)
{
	if (!meter)
		return;
	sd_event_source_unref(meter->source);
	conntrack_events_close(meter->events);
	for (size_t i = 0; i < CHAINS; i++)
		while (meter->chains[i]) {
			struct record *record = meter->chains[i];

			meter->chains[i] = record->next;
			free(record);
		}
	free(meter);
}

const struct store_traffic *meter_of(const struct meter *meter, uint64_t id)
{
	const struct record *record = meter->chains[id % CHAINS];

	while (record && record->id != id)
		record = record->next;
	return record ? &record->traffic : NULL;
}

int meter_save(struct meter *meter)
{
	int r = 0;

	if (!meter)
		return 0;
	/* the last words of what has just ended */
	(void)conntrack_events_read(meter->events, DATAGRAMS_MAX, on_destroyed, meter);
	for (size_t i = 0; i < CHAINS; i++)
		for (struct record *at = meter->chains[i]; at; at = at->next) {
			if (!at->changed)
				continue;
			r = store_put_traffic(meter->parts.store, at->id, &at->traffic);
			if (r < 0)
				return r;
			at->changed = false;
		}
	return r;
}

void meter_committed(struct meter *meter, const struct plan *plan)
{
	for (size_t i = 0; meter && i < plan_size(plan); i++) {
		const struct effect *effect = plan_effect_at(plan, i);
		struct record **at, *record;

		if (effect->kind != CHANGE_REMOVE)
			continue;
		at = find(meter, effect->mapping->id);
		record = *at;
		if (!record)
			continue;
		*at = record->next;
		free(record);
	}
}

uint64_t meter_lost(const struct meter *meter)
{
	return meter->lost;
}
