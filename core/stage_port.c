/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage_port - chooses an external port
 *
 * The internal number first (RFC 4787 4.2.1: port preservation). Else the pool is walked
 * from a place that moves on with every port found, so that many requests in one plan do
 * not walk past each other's. Almost every mapping with a port from the pool is one to
 * any WAN address, for anybody: whether a port is free for those is one bit
 * (table_private.h), and a search through a full pool no more than a look at them all.
 */

#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/stage_private.h"

/* RFC 4787 4.2.2: ports are of two classes, below this number and not. */
#define CLASS_END 1024

/* How good a port is: RFC 4787 4.2.2, 4.2.3, RFC 7857 section 3. */
#define RANK_PARITY 1
#define RANK_CLASS  2
#define RANK_NONE   (-1)

/* RFC 6335 section 6: dynamic ports */
static const struct port_range default_pool = { 49152, 65535 };

/**
 * struct search
 * @pool:    where
 * @shifted: what is asked for, as it is at a port other than the internal one
 * @best:    the port found, good for @rank; RANK_NONE: none yet
 * @highest: the rank that no port of the pool is above
 * @next:    the place behind @best
 * @denied:  a port that was free is not for who asks: @denial, of those met the one that
 *           came closest
 * @refused: no port would be
 */
struct search {
	struct staging *s;
	const struct asked *asked;
	struct port_list pool;
	struct mapping shifted;
	uint16_t best;
	int rank, highest;
	size_t next;
	bool denied, refused;
	struct denial denial;
};

static bool is_listed(const struct port_list *list, uint16_t port)
{
	for (size_t i = 0; i < list->n; i++) {
		if (port >= list->ranges[i].first && port <= list->ranges[i].last)
			return true;
	}
	return false;
}

static bool is_asked(const struct search *search, unsigned int protocol)
{
	return search->asked->protocols & 1u << protocol;
}

/* ------------------------------------------------------------- a single port */

/* A single port of what is asked for. Never the internal number, where a mapping to a
 * host without address (both are ::) would be taken for a pinhole. */
static struct mapping one_port(const struct search *search, uint8_t protocol,
			       uint16_t port)
{
	struct mapping one = search->shifted;

	one.protocol = protocol;
	one.external.port = port;
	one.internal.port = port == 1 ? 2 : 1;
	one.n_ports = 1;
	return one;
}

/* Does another mapping have @port already, of the kind that is asked for? */
static bool is_taken(const struct search *search, uint8_t protocol, uint16_t port)
{
	struct table *table = search->s->table;
	const enum mapping_kind kind = mapping_kind(&search->shifted);
	struct mapping one;

	if (kind_is_plain(kind))
		return table_taken(table, kind, protocol)[port / 64] >> port % 64 & 1;
	one = one_port(search, protocol, port);
	return table_conflict(table, &one, NEXT, NULL);
}

static bool is_listened(const struct search *search, uint8_t protocol, uint16_t port)
{
	const struct mapping one = one_port(search, protocol, port);

	return staging_listeners(search->s, &one, NULL, 0) > 0;
}

typedef bool (*port_test)(const struct search *search, uint8_t protocol, uint16_t port);

/* Is it so for one of the protocols that are asked for? */
static bool is_for_any(const struct search *search, port_test test, uint16_t port)
{
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		if (is_asked(search, i) && test(search, protocol_at(i), port))
			return true;
	}
	return false;
}

static bool is_free(const struct search *search, uint16_t port)
{
	return !is_listed(&search->s->at->reserved, port) &&
	       !is_for_any(search, is_taken, port) &&
	       !is_for_any(search, is_listened, port);
}

/* -------------------------------------------------- what is asked for, at a port */

static bool is_about_ports(const struct denial *denial)
{
	return denial->missing == RIGHT_MAP || denial->missing == RIGHT_PRIVILEGED;
}

static void note_denial(struct search *search, const struct denial *denial)
{
	if (!search->denied || denial->missing > search->denial.missing)
		search->denial = *denial;
	search->denied = true;
	/* what its only rule does not allow here it allows nowhere */
	search->refused = !is_about_ports(denial) && search->s->rights->n_grants <= 1;
}

static bool is_allowed(struct search *search, uint16_t port)
{
	struct denial denial;

	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct mapping m;

		if (!is_asked(search, i))
			continue;
		m = asked_at(search->asked, protocol_at(i), port);
		if (staging_judge(search->s, &m, NULL, false, &denial))
			continue;
		note_denial(search, &denial);
		return false;
	}
	return true;
}

/* Would it take from others what who asks may not touch? */
static bool is_others(const struct search *search, uint16_t port)
{
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct mapping m;

		if (!is_asked(search, i))
			continue;
		m = asked_at(search->asked, protocol_at(i), port);
		if (staging_robbed(search->s, &m))
			return true;
	}
	return false;
}

/* As the internal port, where a range is of another kind than its ports one by one. */
static bool is_preserved(const struct search *search, const struct mapping *m)
{
	const bool range = kind_is_range(mapping_kind(m)) && !mapping_is_pinhole(m);

	if (table_conflict(search->s->table, m, NEXT, NULL) ||
	    staging_listeners(search->s, m, NULL, 0) > 0)
		return false;
	for (uint32_t port = m->external.port; port <= mapping_last_port(m); port++) {
		if (is_listed(&search->s->at->reserved, (uint16_t)port))
			return false;
		/* a port forwarded by itself would be missing from the range */
		if (range && is_taken(search, m->protocol, (uint16_t)port))
			return false;
	}
	return true;
}

static bool can_preserve(struct search *search)
{
	const uint16_t port = search->asked->mapping->internal.port;

	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct mapping m;

		if (!is_asked(search, i))
			continue;
		m = asked_at(search->asked, protocol_at(i), port);
		if (!is_preserved(search, &m))
			return false;
	}
	return !is_others(search, port) && is_allowed(search, port);
}

/* A client that asks again was perhaps never told which port it got. */
static bool is_there_already(const struct search *search, uint16_t port)
{
	const struct staging *s = search->s;
	size_t n = 0;

	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		const struct node *holder;
		struct mapping m;

		if (!is_asked(search, i))
			continue;
		m = asked_at(search->asked, protocol_at(i), port);
		holder = mapping_flaw(&m) ? NULL
					  : table_conflict(s->table, &m, NEXT, NULL);
		if (!holder)
			continue;
		if (!is_already(&holder->mapping, &m) ||
		    !rights_own(s->rights, &holder->mapping))
			return false;
		n++;
	}
	return n > 0;
}

static uint16_t port_of_name(const struct search *search)
{
	const struct mapping *wanted = search->asked->mapping;

	for (unsigned int i = 0; i < PROTOCOL_COUNT && wanted->name[0]; i++) {
		const struct node *node;

		if (!is_asked(search, i))
			continue;
		node = table_node_by_name(search->s->table, wanted->name, protocol_at(i),
					  NEXT);
		if (node)
			return node->mapping.external.port;
	}
	return 0;
}

/* ------------------------------------------------------------------- the pool */

static size_t range_size(const struct port_range *range)
{
	return (size_t)(range->last - range->first) + 1;
}

static size_t pool_size(const struct port_list *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += range_size(&pool->ranges[i]);
	return n;
}

static int rank_of(const struct search *search, uint16_t port)
{
	const uint16_t internal = search->asked->mapping->internal.port;
	int rank = 0;

	if (port % 2 == internal % 2)
		rank += RANK_PARITY;
	if ((port < CLASS_END) == (internal < CLASS_END))
		rank += RANK_CLASS;
	return rank;
}

static int highest_rank(const struct search *search)
{
	int rank, highest = 0;

	for (size_t i = 0; i < search->pool.n; i++) {
		const struct port_range *range = &search->pool.ranges[i];

		rank = rank_of(search, range->first) | rank_of(search, range->last);
		if (range->last > range->first)
			rank |= RANK_PARITY;
		if (rank > highest)
			highest = rank;
	}
	return highest;
}

static bool is_done(const struct search *search)
{
	return search->refused || search->rank == search->highest;
}

/* All ports from @port on are free; @place is the one behind them. */
static void consider(struct search *search, uint16_t port, size_t place)
{
	const int rank = rank_of(search, port);

	/* the internal number was not to be had, for a reason that need not show here */
	if (rank <= search->rank || port == search->asked->mapping->internal.port ||
	    is_others(search, port) || !is_allowed(search, port))
		return;
	search->rank = rank;
	search->best = port;
	search->next = place;
}

/* Places of the pool from @from up to, not including, @to. */
static void walk(struct search *search, size_t from, size_t to)
{
	const size_t n = search->shifted.n_ports;
	size_t first = 0, run, size;

	for (size_t i = 0; i < search->pool.n; i++, first += size) {
		const struct port_range *range = &search->pool.ranges[i];
		size_t at = from > first ? from : first;

		size = range_size(range);
		run = 0;
		for (; at < first + size && at < to && !is_done(search); at++) {
			const uint16_t port = (uint16_t)(range->first + (at - first));

			run = is_free(search, port) ? run + 1 : 0;
			if (run >= n)
				consider(search, (uint16_t)(port - n + 1), at + 1);
		}
	}
}

static void search_pool(struct search *search)
{
	const size_t size = pool_size(&search->pool);
	const size_t start = size > 0 ? search->s->plan->place % size : 0;
	const size_t overlap = start + search->shifted.n_ports - 1;

	search->highest = highest_rank(search);
	walk(search, start, size);
	walk(search, 0, overlap < size ? overlap : size);
}

/* ------------------------------------------------------------------- exhaustion */

static void count_ports(const struct search *search, struct pool_use *use)
{
	use->pool = search->pool.ranges[0];
	for (size_t i = 0; i < search->pool.n; i++) {
		const struct port_range *range = &search->pool.ranges[i];

		if (range->first < use->pool.first)
			use->pool.first = range->first;
		if (range->last > use->pool.last)
			use->pool.last = range->last;
		for (uint32_t port = range->first; port <= range->last; port++) {
			if (is_listed(&search->s->at->reserved, (uint16_t)port))
				continue;
			use->n++;
			if (is_for_any(search, is_taken, (uint16_t)port))
				use->taken++;
			else if (is_for_any(search, is_listened, (uint16_t)port))
				use->listened++;
		}
	}
}

static size_t ports_in_pool(const struct search *search, const struct mapping *m)
{
	const uint32_t m_last = mapping_last_port(m);
	size_t n = 0;

	for (size_t i = 0; i < search->pool.n; i++) {
		const struct port_range *range = &search->pool.ranges[i];
		const uint32_t first =
			m->external.port > range->first ? m->external.port : range->first;
		const uint32_t last = m_last < range->last ? m_last : range->last;

		n += last >= first ? last - first + 1 : 0;
	}
	return n;
}

/* Who has most of the ports. */
static void find_top(const struct search *search, struct pool_use *use)
{
	const struct table *table = search->s->table;
	const enum mapping_kind kind = mapping_kind(&search->shifted);
	uint32_t of_config = 0;

	for (size_t i = 0; i < table->n_owners; i++)
		table->owners[i].scratch = 0;
	for (const struct node *node = table->first; node; node = node->next) {
		const struct mapping *m = &node->mapping;
		uint32_t *n = &of_config;

		if (node->kind != kind || !node_visible(node, NEXT) ||
		    !(search->asked->protocols & protocol_bit(m->protocol)))
			continue;
		if (m->origin == ORIGIN_ADMIN)
			n = &table_owner(table, m->owner_uid)->scratch;
		*n += (uint32_t)ports_in_pool(search, m);
		if (*n > use->top_n) {
			use->top_n = *n;
			mapping_owner(m, use->top);
		}
	}
}

static int refuse_pool(struct search *search)
{
	struct pool_count *last = &search->s->plan->pool;
	const struct pool_count now = {
		.known = true,
		.version = search->s->table->version,
		.protocols = search->asked->protocols,
		.kind = (uint8_t)mapping_kind(&search->shifted),
		.addr = search->shifted.external.addr,
	};

	/* a list of thousands that ask in vain is not worth counting again for each */
	if (!last->known || last->version != now.version ||
	    last->protocols != now.protocols || last->kind != now.kind ||
	    !address_equal(&last->addr, &now.addr)) {
		*last = now;
		count_ports(search, &last->use);
		find_top(search, &last->use);
	}
	return staging_refuse_pool(search->s, &last->use);
}

/* ------------------------------------------------------------------- the choice */

static bool can_be_found(struct search *search, uint16_t *ret)
{
	const uint16_t internal = search->asked->mapping->internal.port;
	const uint16_t named = port_of_name(search);

	if (named && is_there_already(search, named))
		*ret = named;
	else if (is_there_already(search, internal) || can_preserve(search))
		*ret = internal;
	else
		return false;
	return true;
}

int stage_port(struct staging *s, const struct asked *asked, uint16_t *ret)
{
	const uint16_t internal = asked->mapping->internal.port;
	struct search search = {
		.s = s,
		.asked = asked,
		.pool = s->at->pool.n ? s->at->pool
				      : (struct port_list){ &default_pool, 1 },
		.rank = RANK_NONE,
	};
	unsigned int i = 0;

	while (i < PROTOCOL_COUNT - 1 && !is_asked(&search, i))
		i++;
	search.shifted = asked_at(asked, protocol_at(i), internal == 1 ? 2 : 1);
	*ret = 0;
	if (can_be_found(&search, ret))
		return 0;
	if (search.refused)
		return staging_refuse_denied(s, &search.denial, NULL);
	if (mapping_slots(&search.shifted) > MAPPING_SLOTS_MAX)
		return staging_refuse_flaw(
			s, "A range that large keeps its own port numbers, and these are "
			   "not to be had.");

	/* that it may not have the internal number says nothing of the pool */
	search.denied = search.denied && !is_about_ports(&search.denial);
	search_pool(&search);
	if (search.rank == RANK_NONE && search.denied)
		return staging_refuse_denied(s, &search.denial, NULL);
	if (search.rank == RANK_NONE)
		return refuse_pool(&search);
	s->plan->place = search.next;
	*ret = search.best;
	return 0;
}
