/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * lift - lets hosts send again to whom they were barred from
 *
 * The elements of ended4 and ended6 are in nobody's memory but the kernel's, and most
 * changes find none: it is asked only while there can be some.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/batch.h"
#include "rules/elements.h"
#include "rules/fault.h"
#include "rules/sets.h"

/* an element that times out between the question and its removal; then once more */
#define LIFT_TRIES 3
/* timeout of the sets, and a little */
#define BARRED_SECONDS (5 * 60 + 5)

/**
 * struct place - ports of a host that mappings lead to
 * @start: protocol, address and first port, as the keys of the sets begin
 * @reach: the last port of all places of that host and protocol up to this one
 */
struct place {
	uint8_t start[KEY_ROOM];
	uint16_t reach;
};

struct lifting {
	struct place *places;
	size_t n;
	struct batch batch;
	enum set_id id;
	size_t start_len;
	bool any, found;
};

static int64_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

void ruleset_note_barred(struct ruleset *rs)
{
	rs->barred_until = seconds_now() + BARRED_SECONDS;
}

/* ------------------------------------------------------------------ places */

static size_t start_len_of(enum set_id id)
{
	return id == SET_ENDED4 ? 12 : 24;
}

static uint16_t port_of(const uint8_t *start, size_t start_len)
{
	return (uint16_t)(start[start_len - 4] << 8 | start[start_len - 3]);
}

/* Datagrams alone: a segment of a stream that was ended would go on with it. */
static bool is_lifted(const struct effect *effect)
{
	const struct mapping *m = effect->mapping, *before = effect->before;

	if (effect->kind == CHANGE_REMOVE || !mapping_is_live(m) ||
	    (m->protocol != IPPROTO_UDP && m->protocol != IPPROTO_UDPLITE))
		return false;
	return effect->kind == CHANGE_ADD || !mapping_is_live(before) ||
	       !address_equal(&m->host, &before->host) ||
	       m->internal.port != before->internal.port;
}

static void add_place(struct lifting *l, const struct mapping *m)
{
	const struct connection c = {
		.protocol = m->protocol,
		.reply_src = { m->host, m->internal.port },
		.orig_src = { m->host, 0 },
	};
	struct place *place = &l->places[l->n];

	if (ended_element(&c, place->start) != l->id)
		return;
	place->reach = (uint16_t)(m->internal.port + m->n_ports - 1);
	l->n++;
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	return memcmp(a->start, b->start, sizeof(a->start));
}

static bool same_host(const struct lifting *l, const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, l->start_len - 4) == 0;
}

static void find_places(struct lifting *l, const struct plan *plan)
{
	l->n = 0;
	l->start_len = start_len_of(l->id);
	for (size_t i = 0; i < plan_size(plan); i++)
		if (is_lifted(plan_effect_at(plan, i)))
			add_place(l, plan_effect_at(plan, i)->mapping);
	for (size_t i = 0; i < l->n; i++)
		memset(l->places[i].start + l->start_len, 0, KEY_ROOM - l->start_len);
	qsort(l->places, l->n, sizeof(*l->places), compare_places);
	for (size_t i = 1; i < l->n; i++) {
		struct place *place = &l->places[i];

		if (same_host(l, place[-1].start, place->start) &&
		    place[-1].reach > place->reach)
			place->reach = place[-1].reach;
	}
}

static bool leads_there(const struct lifting *l, const uint8_t *key)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(l->places[middle].start, key, l->start_len) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && same_host(l, l->places[low - 1].start, key) &&
	       l->places[low - 1].reach >= port_of(key, l->start_len);
}

/* ------------------------------------------------------------------ elements */

static int on_barred(void *userdata, const struct counted *e)
{
	struct lifting *l = userdata;

	if (!e->key || e->key_len != set_specs[l->id].key_len)
		return 0;
	l->any = true;
	if (!leads_there(l, e->key))
		return 0;
	l->found = true;
	batch_element(&l->batch, NFT_MSG_DELSETELEM, 0, set_specs[l->id].name,
		      &(struct element){ .key = e->key, .key_len = e->key_len });
	return 0;
}

static int on_elements(const struct nlmsghdr *nlh, void *userdata)
{
	elements_each(nlh, on_barred, userdata);
	return MNL_CB_OK;
}

static int lift_once(struct ruleset *rs, struct lifting *l, const struct plan *plan,
		     struct ruleset_fault *why)
{
	static const enum set_id sets[] = { SET_ENDED4, SET_ENDED6 };
	int r = 0;

	l->any = l->found = false;
	batch_begin(&l->batch, rs);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		l->id = sets[i];
		find_places(l, plan);
		r = ruleset_get(rs, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
				RULESET_TABLE, set_specs[l->id].name, on_elements, l);
	}
	if (r == 0 && l->found)
		r = batch_send(&l->batch, rs, why);
	batch_done(&l->batch);
	return r;
}

int ruleset_lift(struct ruleset *rs, const struct plan *plan, struct ruleset_fault *why)
{
	struct lifting l = { 0 };
	size_t n = 0;
	int r = -ENOENT;

	fault_set(why, "%s", "");
	for (size_t i = 0; i < plan_size(plan); i++)
		n += is_lifted(plan_effect_at(plan, i));
	if (!n || seconds_now() >= rs->barred_until)
		return 0;
	l.places = calloc(n, sizeof(*l.places));
	if (!l.places)
		return -ENOMEM;
	for (int i = 0; i < LIFT_TRIES && (r == -ENOENT || r == -EINTR); i++)
		r = lift_once(rs, &l, plan, why);
	if (r == 0 && !l.any)
		rs->barred_until = 0;
	free(l.places);
	return ruleset_stale(r);
}
