/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * counts_elements - connections of each mapping, by the counters of its elements
 *
 * Most mappings are one element, which the table finds. What has several, or is found by
 * who may use it as well, is sorted beforehand: each element has a place there, so that
 * one that is told twice counts once.
 */

#include "natd/gateway/counts_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/log.h"

static bool is_restricted(enum mapping_kind kind)
{
	return kind == MAPPING_FORWARD4_FROM || kind == MAPPING_FORWARD6_FROM ||
	       kind == MAPPING_PINHOLE6_FROM;
}

static bool has_places(const struct mapping *m)
{
	return mapping_is_live(m) &&
	       (is_restricted(mapping_kind(m)) || mapping_slots(m) > 1);
}

static int compare_slots(const void *left, const void *right)
{
	const struct slot_count *a = left, *b = right;
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	r = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	if (!r)
		r = memcmp(&a->remote.addr, &b->remote.addr, sizeof(a->remote.addr));
	return r ? r : (int)a->remote.len - (int)b->remote.len;
}

static const struct prefix anybody;

static void put_places(struct counts *counts, const struct mapping *m, uint32_t of)
{
	const struct prefix *remotes;
	size_t n;

	remotes = mapping_remotes(m, &n);
	if (!n) {
		remotes = &anybody;
		n = 1;
	}
	for (uint32_t port = m->external.port; port <= mapping_last_port(m); port++)
		for (size_t i = 0; i < n; i++)
			counts->slots[counts->n_slots++] = (struct slot_count){
				.addr = m->external.addr,
				.remote = remotes[i],
				.port = (uint16_t)port,
				.kind = (uint8_t)mapping_kind(m),
				.protocol = m->protocol,
				.of = of,
			};
}

static int make_places(struct counts *counts, const struct table *table)
{
	const struct mapping *m;
	uint32_t of = 0;
	size_t n = 0;

	table_for_each (table, m)
		n += has_places(m) ? mapping_slots(m) : 0;
	if (!n)
		return 0;
	counts->slots = calloc(n, sizeof(*counts->slots));
	if (!counts->slots)
		return -ENOMEM;
	table_for_each (table, m) {
		if (has_places(m))
			put_places(counts, m, of);
		of++;
	}
	qsort(counts->slots, counts->n_slots, sizeof(*counts->slots), compare_slots);
	return 0;
}

static struct slot_count *place_of(const struct counts *counts,
				   const struct ruleset_slot *slot)
{
	const struct slot_count wanted = {
		.addr = slot->external.addr,
		.remote = is_restricted(slot->kind) ? slot->remote : anybody,
		.port = slot->external.port,
		.kind = (uint8_t)slot->kind,
		.protocol = slot->protocol,
	};

	if (!counts->n_slots)
		return NULL;
	return bsearch(&wanted, counts->slots, counts->n_slots, sizeof(wanted),
		       compare_slots);
}

static void count_element(void *userdata, const struct ruleset_slot *slot)
{
	struct counts *counts = userdata;
	struct slot_count *place = place_of(counts, slot);
	const struct mapping *m;
	struct count *count;

	if (place) {
		place->packets = slot->packets;
		place->told = true;
		return;
	}
	if (is_restricted(slot->kind))
		return;
	m = table_find(counts->gw->table, slot->kind, slot->protocol, &slot->external);
	count = m ? counts_of(counts, m->id) : NULL;
	if (count)
		count->total = (int64_t)slot->packets;
}

static void add_places(struct counts *counts)
{
	for (size_t i = 0; i < counts->n_slots; i++) {
		const struct slot_count *place = &counts->slots[i];
		struct count *count = &counts->of[place->of];

		if (!place->told)
			continue;
		if (count->total < 0)
			count->total = 0;
		count->total += (int64_t)place->packets;
	}
}

int counts_read_elements(struct counts *counts, struct gateway *gw)
{
	int r;

	r = make_places(counts, gw->table);
	if (r < 0)
		return r;
	r = ruleset_counters(gw->ruleset, count_element, counts);
	if (r < 0)
		log_debug("The elements' counters could not be read: %s.", strerror(-r));
	add_places(counts);
	free(counts->slots);
	counts->slots = NULL;
	counts->n_slots = 0;
	return 0;
}
